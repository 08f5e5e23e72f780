"""Files that are written whole or not at all: whoever reads meets the old one or the new one, never half of one."""

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

ASIDE, A_DAY = ".writing-", 86400


@contextlib.contextmanager
def whole(path):
    """`with whole(path) as aside:` write to `aside`; what stands there at the end takes the place of `path`.

    An error, a kill or a full disk in the middle leaves `path` as it was.
    """
    path = Path(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=ASIDE) as folder:
        aside = Path(folder, path.name)
        yield aside
        os.replace(aside, path)


def sweep_up(folder):
    """Remove what writers that were killed in the middle have left, once it is a day old."""
    for left in Path(folder).glob(f"{ASIDE}*"):
        with contextlib.suppress(OSError):  # another process was quicker
            if left.stat().st_mtime < time.time() - A_DAY:
                shutil.rmtree(left, ignore_errors=True)
