"""Waiting for somebody else's code, and warning of it, but not for ever."""

import concurrent.futures
import sys
import threading
import warnings


def within(seconds, function):
    """function(), or TimeoutError after so many seconds (None: never); then its late answer is thrown away."""
    if seconds is None:
        return function()
    answer = concurrent.futures.Future()

    def work():
        try:
            answer.set_result(function())
        except BaseException as error:
            answer.set_exception(error)

    # Not an executor: Python would wait for its threads at exit, and this function may never answer.
    threading.Thread(target=work, daemon=True).start()
    return answer.result(seconds)


def warn(text, said, caller=3, most=100):
    """warnings.warn where each text may be new: Python would keep every one of them for good.

    `said`: a dictionary of the caller's own, in the place of Python's memory; after `most` texts it is emptied.
    `caller`: so many calls up is the line that the warning names.
    """
    if len(said) > most:
        said.clear()
    frame = sys._getframe(caller)
    warnings.warn_explicit(text, UserWarning, frame.f_code.co_filename, frame.f_lineno, registry=said)
