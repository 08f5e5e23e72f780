"""Waiting for somebody else's code, but not for ever."""

import concurrent.futures
import threading


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
