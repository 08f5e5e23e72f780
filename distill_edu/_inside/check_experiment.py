"""What is refused of an experiment before any student is trained."""

import numpy as np

from distill_edu._inside.backend import keras
from distill_edu._inside.check_models import require_answers, require_asked, require_own_teacher
from distill_edu._inside.check_values import require_count, require_number


def require_arm(arm, course):
    """Settings of an arm that fit the data, the teacher and the draw of its Course."""
    data, teacher, draw = course.data, course.teacher, course.draw
    hints, transfer, own = arm.get("hints"), arm.get("transfer"), arm.get("teacher")
    asks = hints or arm.get("targets") or arm.get("alpha", 0.1) != 1
    if asks and teacher is None and own is None:
        raise ValueError("Without a teacher an arm learns from labels alone: give a teacher, or set alpha=1.0.")
    if transfer and (draw is not None or data.transfer is None or np.ndim(data.train[1]) > 1):
        raise ValueError(
            "transfer=True needs a data set with a transfer set (load_dataset(..., labelled=0.1)), no draw, and no "
            "sequences, whose padding is marked in the labels."
        )
    if arm.get("rate") is not None:
        why = "a schedule belongs to the optimizer"
        require_number(arm["rate"], "rate", "a number of at least 0", lambda rate: rate >= 0, why)
    train = _require_train(arm.get("train"), data, draw)
    require_own_teacher(own)
    answering = teacher if own is None or isinstance(own, dict) and "hints" in own else own
    if isinstance(answering, dict):
        require_answers(answering, train, data, transfer, hints and answering is (own or teacher))
    elif answering is teacher:
        require_asked(teacher)


def _require_train(own, data, draw):
    """The examples that an arm learns from: (x, labels) of its own, or those of the data."""
    x, labels = data.train if own is None else own
    if own is not None:
        require_labels(x, labels, "an arm's train")
    if draw is not None and require_count(draw, "draw") > len(x):
        raise ValueError(f"draw={draw} is more than the {len(x)} training examples: draw fewer.")
    return x, labels


def require_model(made, function):
    """Return the model that a function of the reader's has made."""
    if not isinstance(made, keras.Model):
        raise TypeError(f"{function} must return a Keras model, not {type(made).__name__}: end it with `return model`.")
    return made


def require_labels(x, labels, part):
    """One label for each example, or for each place of a sequence."""
    shape, labels = np.shape(x), np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.shape != shape[: 1 if labels.ndim == 1 else 2]:
        raise ValueError(
            f"The labels of {part} are {labels.dtype} of the shape {labels.shape}, x has {shape}: give "
            "integers [n], one for each row of the logits, or [n, time] for sequences."
        )
