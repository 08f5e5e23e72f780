"""A foreign teacher's answers, kept in a folder as they come: nothing is paid for twice, nothing written over."""

import io
import tempfile
import warnings

import numpy as np

from distill_edu._inside.check_values import wrong_use
from distill_edu._inside.content import content_key
from distill_edu._inside.disk import sweep_up, whole

OWN_FOLDER = "give every teacher, version and list of classes a folder of its own."


class Answers:
    """A teacher's answers by the content of the questions, kept in a folder where there is one."""

    def __init__(self, folder):
        self.folder, self.warned = folder, False
        self.known = {} if folder is None else _read(folder)  # content key -> logits
        self.kept = len(self.known)
        self.shape = _one_shape(self.known.values(), None, f"Some answers in {folder} have", "others", OWN_FOLDER)
        self.others = f"The answers in {folder} have", "the new ones", OWN_FOLDER
        if not self.known:
            self.others = "Some of the teacher's answers have", "others", "it must give every example the same classes."

    @wrong_use()
    def require_folder(self):
        """Refuse a folder that cannot be written, before the teacher is paid for an answer."""
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            sweep_up(self.folder)
            with tempfile.TemporaryFile(dir=self.folder) as probe:
                probe.write(bytes(2**16))  # a full disk takes an empty file
        except OSError as error:
            raise OSError(
                f"Answers cannot be kept in {self.folder} ({error.strerror or error}), so the teacher was not asked: "
                "give a folder that can be made and written, with space on its disk."
            ) from None

    def add(self, keys, logits):
        """Take in a batch of answers. Where the disk does not take them, that is only a warning."""
        self.shape = _one_shape(logits[:1], self.shape, *self.others)
        self.known.update(zip(keys, logits, strict=True))
        if self.folder is None:
            return
        try:
            _write(self.folder, keys, logits)
            self.kept += len(keys)
        except OSError as error:
            if not self.warned:
                problem = f"Answers could not be kept in {self.folder} ({error.strerror or error})"
                warnings.warn(f"{problem}: they are returned, and asked again by another call.", stacklevel=3)
            self.warned = True


@wrong_use()
def _one_shape(answers, shape, some, others, advice):
    """Return the shape of every answer, which is `shape` if that is known; the texts say whose shapes differ."""
    for answer in answers:
        shape = answer.shape if shape is None else shape
        if answer.shape != shape:
            same_axes = answer.shape[:-1] == shape[:-1]
            first = f"{shape[-1]} classes" if same_axes else f"the shape {shape} for each example"
            raise ValueError(f"{some} {first} and {others} {answer.shape[-1] if same_axes else answer.shape}: {advice}")
    return shape


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
