"""For `make test`, a plugin of pytest: nbval compares what pages say of kept results, although trained anew it differs.

A cell with the tag `nbval-ignore-output` is compared where DISTILL_EDU_KEPT is "only", each number to one in its last
digit, for other processors; not what has the tag `live`, too: what is timed, or whose output is not stored.
"""

import copy
import os
import re
from functools import partial

from nbval.plugin import IPyNbCell

NUMBER = re.compile(r"\d+(?:\.(\d+))?")


def pytest_collection_modifyitems(items):
    if os.environ.get("DISTILL_EDU_KEPT") != "only":
        return
    for item in items:
        if isinstance(item, IPyNbCell) and not item.options["check"] and "live" not in item.cell.metadata.tags:
            item.options["check"] = True
            item.compare_outputs = partial(compared, item.compare_outputs)


def compared(compare, outputs, stored, skip_compare=None):
    """What `compare`, a method of nbval, says of these outputs without what passes, and with near numbers as stored."""
    outputs = [one for one in copy.deepcopy(outputs) if not passing(one)]
    for new, old in zip(outputs, stored, strict=False):
        for text, was in ((new, old), (new.get("data", {}), old.get("data", {}))):
            for key in {"text", "text/plain"} & text.keys() & was.keys():
                text[key] = as_stored(text[key], was[key])
    return compare(outputs, stored, skip_compare)


def passing(output):
    """Is it a warning, or a progress bar?"""
    return output.get("name") == "stderr" or "%|" in output.get("data", {}).get("text/plain", "")


def as_stored(text, stored):
    """`stored` where `text` differs from it by no more than one in the last digit of numbers with a point."""
    numbers = list(zip(NUMBER.finditer(text), NUMBER.finditer(stored), strict=False))
    same_words = NUMBER.sub(shape, text) == NUMBER.sub(shape, stored)
    return stored if same_words and all(abs(digits(a) - digits(b)) <= bool(a[1]) for a, b in numbers) else text


def shape(number):
    return f"<{len(number[1] or '')}>"


def digits(number):
    return int(number[0].replace(".", ""))
