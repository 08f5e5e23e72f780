"""Call code that may never return, and stop waiting after some seconds."""

import concurrent.futures
import threading


def within(seconds, function):
    """Call function() and return its result; raise TimeoutError after `seconds` (None: wait for ever).

    A function that is too slow goes on in its thread, and its result is thrown away.
    """
    if seconds is None:
        return function()
    result = concurrent.futures.Future()

    def work():
        try:
            result.set_result(function())
        except BaseException as error:
            result.set_exception(error)

    # Not an executor: Python would wait for its threads at exit, and this function may never return.
    threading.Thread(target=work, daemon=True).start()
    return result.result(seconds)
