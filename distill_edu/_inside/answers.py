"""A foreign teacher's answers, kept in a folder as they come: nothing is paid for twice, nothing written over."""

import io
import tempfile
import warnings

import numpy as np

from distill_edu._inside.check_values import wrong_use
from distill_edu._inside.content import content_key
from distill_edu._inside.disk import sweep_up, whole

OWN_FOLDER = "give every teacher, version and list of classes a folder of its own."
UNEQUAL = "Some of the teacher's answers have", "others", "it must give every example the same classes."
NOT_WRITABLE = (
    "Answers cannot be kept in {} ({}), so the teacher was not asked: give a folder that can be made and written, with "
    "space on its disk."
)


class Answers:
    """A teacher's answers by the content of the questions, kept in a folder where there is one."""

    def __init__(self, folder):
        self.folder, self.warned = folder, False
        self.known = {} if folder is None else _read(folder)  # content key -> logits
        self.kept = len(self.known)
        self.shapes = _one_shape(self.known.values(), [], f"Some answers in {folder} have", "others", OWN_FOLDER)
        self.unequal = (f"The answers in {folder} have", "the new ones", OWN_FOLDER) if self.known else UNEQUAL

    @wrong_use()
    def require_folder(self):
        """Refuse a folder that cannot be written, before the teacher is paid for an answer."""
        try:
            _prepare(self.folder)
        except OSError as error:
            raise OSError(NOT_WRITABLE.format(self.folder, error.strerror or error)) from None

    def add(self, keys, logits):
        """Take in a batch of answers."""
        self.shapes = _one_shape(logits[:1], self.shapes, *self.unequal)
        self.known.update(zip(keys, logits, strict=True))
        if self.folder is not None:
            self._keep(keys, logits)

    def _keep(self, keys, logits):
        try:
            _write(self.folder, keys, logits)
            self.kept += len(keys)
        except OSError as error:  # the answers are paid for: a full disk is only a warning
            self._warn(error)

    def _warn(self, error):
        if not self.warned:
            problem = f"Answers could not be kept in {self.folder} ({error.strerror or error})"
            warnings.warn(f"{problem}: they are returned, and asked again by another call.", stacklevel=5)
        self.warned = True


@wrong_use()
def _one_shape(answers, shapes, *unequal):
    """Return [the shape of every answer]. `shapes`: that of those before. `unequal`: what an error says."""
    shapes = list(dict.fromkeys([*shapes, *(answer.shape for answer in answers)]))
    if len(shapes) > 1:
        raise ValueError(_difference(*shapes[:2], *unequal))
    return shapes


def _difference(one, other, some, others, advice):
    if one[:-1] == other[:-1]:
        return f"{some} {one[-1]} classes and {others} {other[-1]}: {advice}"
    return f"{some} the shape {one} for each example and {others} {other}: {advice}"


def _prepare(folder):
    """Make a folder in which one can write."""
    folder.mkdir(parents=True, exist_ok=True)
    sweep_up(folder)
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(bytes(2**16))  # a full disk takes an empty file


def _read(folder):
    """{content key: logits} of all that is kept in the folder."""
    known = {}
    for path in sorted(folder.glob("*.npz")):
        try:
            with np.load(path, allow_pickle=False) as part:
                known.update(zip(part["keys"].tolist(), part["logits"], strict=True))
        except Exception as error:  # a file that was cut or changed may raise anything
            warnings.warn(f"{path} is damaged ({error}), so its examples are asked again.", stacklevel=4)
    return known


def _write(folder, keys, logits):
    """Keep a batch in a file that is named after all of its content: no other content has this name."""
    content = io.BytesIO()
    np.savez(content, keys=np.array(keys), logits=logits)
    with whole(folder / f"{content_key(''.join(keys).encode() + logits.tobytes())}.npz") as aside:
        aside.write_bytes(content.getvalue())
