"""Let models write: one letter after the other, or several at once, which a student drafts for its teacher."""

from typing import NamedTuple

import numpy as np

from distill_edu._inside.backend import keras, only_errors, tf
from distill_edu._inside.check_models import require_stateless
from distill_edu._inside.check_values import (
    require_attributes,
    require_count,
    require_finite_logits,
    require_number,
    require_rows,
)
from distill_edu.data import END, PADDING
from distill_edu.probabilities import soft_targets

# Shapes in this file: rows [n, length]; logits, p and q [n, places, symbols]; ends [n], where each text goes on.


def sample(model, prompts, length, temperature=1.0, seed=0):
    """Let a model write texts: integers [n, length], each row a prompt, then letters up to an end, then padding.

    `model`: integers [n, time] -> logits of the next letter [n, time, symbols]; no logit may depend on later letters.
    `prompts`: integers [n, time] without padding and ends. Each letter is drawn from softmax(logits / temperature); at
    0 it is the most probable letter. A GRU takes one step per letter; other models, and an unrolled GRU, read the whole
    row again for each letter. Raises ValueError for other prompts and for NaN.

    >>> logits = keras.layers.Lambda(lambda x: keras.ops.one_hot(0 * x + 4, 6))  # 4 is the best letter everywhere
    >>> sample(keras.Sequential([keras.Input((4,)), logits]), [[3, 5]], length=5, temperature=0)
    array([[3, 5, 4, 4, 4]], dtype=int32)
    """
    _require_writers(model=model)
    prompts, random = _require_prompts(prompts, length), np.random.RandomState(seed)
    temperature = require_number(temperature, "temperature", "a number of at least 0", lambda value: value >= 0)
    rows = np.pad(prompts, [(0, 0), (0, length - prompts.shape[1])])
    next_logits = _next_logits(model, prompts)
    writing = np.ones(len(rows), bool)
    for place in range(prompts.shape[1], length):
        letters = _draw(_probabilities(next_logits(rows, place), temperature), random)
        rows[:, place] = np.where(writing, letters, PADDING)
        writing &= letters != END
    return rows


def _predict(model, inputs):
    with only_errors():  # TensorFlow would warn when many models are called one after the other
        return model.predict_on_batch(inputs)


def _next_logits(model, prompts):
    """A function (rows, place) -> logits of the letter at this place [n, symbols], for one place after the other."""
    if not _gru(model):
        return lambda rows, place: _predict(model, rows[:, :-1])[:, place - 1]
    step, state = _one_step(model), np.zeros((len(prompts), _gru(model).units), "float32")
    for letter in prompts[:, :-1].T:
        _, state = step(letter[:, None], state)

    def next_logits(rows, place):
        nonlocal state
        logits, state = step(rows[:, place - 1 : place], state)
        return logits[:, 0]  # (n, 1, symbols) -> (n, symbols)

    return next_logits


def _one_step(model):
    """A function of one step of its GRU: letter [n, 1], state [n, units] -> logits [n, 1, symbols], next state."""
    gru = _gru(model)

    @tf.function(autograph=False)
    def step(values, state):
        for layer in _operations(model):
            if layer is gru:
                values = layer(values, initial_state=state)  # (n, 1, units): the output of a GRU is its state
                state = values[:, 0]
            elif not isinstance(layer, keras.layers.InputLayer):
                values = layer(values)
        return values, state

    return step


def _operations(model):
    """The layers of a model, and the functions between them."""
    return getattr(model, "operations", model.layers)


def _gru(model):
    """The GRU of a model whose other layers look at each letter alone; None for every other model."""
    kinds = {type(operation).__name__ for operation in _operations(model)}
    letterwise = {"InputLayer", "OneHot", "Embedding", "Dense", "Dropout", "LayerNormalization", "GRU"}
    grus = [layer for layer in model.layers if isinstance(layer, keras.layers.GRU)]
    own = not type(model).__module__.startswith("keras.")  # it may call its layers in any order
    if own or len(grus) != 1 or kinds - letterwise or not _takes_steps(*grus):
        return None
    again = any(len(each._inbound_nodes) > 1 for each in _operations(model))  # noqa: SLF001 - nothing public
    return None if again and not isinstance(model, keras.Sequential) else grus[0]


def _takes_steps(gru):
    return not (gru.unroll or gru.go_backwards or gru.return_state)


class Speculated(NamedTuple):
    """The result of `speculative`: `rows` [n, length], and the counts of each row [n].

    `calls`: how often the teacher was called; `checked`: drafted letters it checked; `kept`: drafted letters it kept.

    >>> Speculated(np.array([[3, 4, 4]]), calls=np.array([1]), checked=np.array([2]), kept=np.array([1])).kept
    array([1])
    """

    rows: np.ndarray
    calls: np.ndarray
    checked: np.ndarray
    kept: np.ndarray


def speculative(draft, teacher, prompts, length, drafted=4, seed=0):
    """Let `draft` write `drafted` letters ahead, and `teacher` check them all in one call: a `Speculated`.

    A drafted letter is kept with probability min(1, p / q), where p is the teacher's and q the draft's probability.
    The first letter that is refused is drawn again from max(p - q, 0); if all are kept, one more letter is drawn from
    p. So every letter has the teacher's probability, whatever the draft is. Leviathan et al. 2023, "Fast Inference
    from Transformers via Speculative Decoding", algorithm 1. Models and rows as for `sample`, at temperature 1. Raises
    ValueError also for models with different vocabularies.

    >>> logits = keras.layers.Lambda(lambda x: 99.0 * keras.ops.one_hot(0 * x + 4, 6))
    >>> model = keras.Sequential([keras.Input((4,)), logits])  # it always writes 4
    >>> speculative(model, model, [[3]], length=5, drafted=3)[:2]  # three drafted letters, and a fourth, in one call
    (array([[3, 4, 4, 4, 4]], dtype=int32), array([1]))
    """
    _require_writers(draft=draft, teacher=teacher)
    prompts, random = _require_prompts(prompts, length), np.random.RandomState(seed)
    room = length + 2 * (require_count(drafted, "drafted") + 1)  # for letters beyond the length; they are cut off
    rows, every = np.pad(prompts, [(0, 0), (0, room - prompts.shape[1])]), np.arange(len(prompts))
    ends, counts = np.full(len(rows), prompts.shape[1]), np.zeros((3, len(rows)), int)
    writing = np.ones(len(rows), bool)
    while writing.any():
        letters, q = _write_draft(draft, rows, ends, length, drafted, random)  # [n, drafted], [n, drafted, symbols]
        p = _next_probabilities(teacher, rows, ends, length, drafted + 1)  # [n, drafted + 1, symbols]
        _require_one_vocabulary(q.shape[-1], p.shape[-1])
        kept = _keep(letters, p, q, random)  # [n, drafted]
        count = kept.sum(axis=1)
        rest = np.maximum(p - np.pad(q, [(0, 0), (0, 1), (0, 0)]), 0)  # q = 0 after the drafted letters: rest is p
        rows[every, ends + count] = _draw(rest[every, count], random)
        counts += writing * _counts(letters, kept, ends, length)
        ends += writing * (count + 1)
        writing &= (ends < length) & ~_after_end(rows)[every, ends]
    rows = rows[:, :length]
    return Speculated(np.where(_after_end(rows), PADDING, rows), *counts)


def _write_draft(draft, rows, ends, length, count, random):
    """Write `count` letters of the draft into the rows; return them [n, count] and their q [n, count, symbols]."""
    every, q = np.arange(len(rows)), []
    for step in range(count):
        q.append(_next_probabilities(draft, rows, ends + step, length, 1)[:, 0])
        rows[every, ends + step] = _draw(q[-1], random)
    places = ends[:, None] + np.arange(count)
    return rows[every[:, None], places], np.stack(q, axis=1)


def _next_probabilities(model, rows, ends, length, count):
    """The probabilities of the letters at `ends` and at the places after it: [n, count, symbols]."""
    places = np.minimum(ends[:, None] + np.arange(count), length - 1)
    logits = _predict(model, rows[:, : length - 1])  # the logits at place i are those of the letter at i + 1
    return _probabilities(logits[np.arange(len(rows))[:, None], places - 1])


def _keep(letters, p, q, random):
    """Which drafted letters are kept [n, drafted]: 1 up to the first letter that is refused, then 0."""
    # (n, drafted, symbols) -> (n, drafted)
    p, q = (np.take_along_axis(each[:, : letters.shape[1]], letters[..., None], -1)[..., 0] for each in (p, q))
    return np.cumprod(random.random_sample(letters.shape) * q < p, axis=1)


def _counts(letters, kept, ends, length):
    """For each row [3, n]: one call, letters checked and letters kept, none of them after the end of the text."""
    all_before_kept = np.pad(kept[:, :-1], [(0, 0), (1, 0)], constant_values=1)
    inside = ends[:, None] + np.arange(letters.shape[1]) < length
    checked = all_before_kept * inside * ~_after_end(letters)
    return np.stack([np.ones_like(ends), checked.sum(axis=1), (checked * kept).sum(axis=1)])


def _after_end(rows):
    """True behind the first end of each row."""
    is_end = rows == END
    return np.cumsum(is_end, axis=1) - is_end > 0


def _probabilities(logits, temperature=1.0):
    """softmax(logits / temperature) without padding, which is never written; at 0 all on the most probable letter."""
    logits = np.array(logits, "float64")
    logits[..., PADDING] = -np.inf
    logits = require_finite_logits(logits, "The model's output")
    if not temperature:
        return np.eye(logits.shape[-1])[logits.argmax(axis=-1)]
    logits -= logits.max(axis=-1, keepdims=True)  # divided by a tiny temperature, the others become -inf
    return soft_targets(logits, temperature)


def _draw(weights, random):
    """Draw a symbol for each row of weights [n, symbols], with a probability in proportion to its weight: [n]."""
    cumulated = np.cumsum(weights, axis=-1)
    return (cumulated <= random.random_sample((len(weights), 1)) * cumulated[:, -1:]).sum(axis=-1)


def _require_writers(**models):
    for name, model in models.items():
        require_attributes(model, ["predict_on_batch"], name, "a Keras model")
        require_stateless(model, name)


def _require_one_vocabulary(draft, teacher):
    if draft != teacher:
        raise ValueError(f"The draft has {draft} symbols, the teacher {teacher}: both need the same vocabulary.")


def _require_prompts(prompts, length):
    prompts = require_rows(prompts, "prompts")
    if prompts.dtype.kind not in "iu" or not prompts.size or np.isin(prompts, (PADDING, END)).any():
        raise ValueError(
            "prompts must be integers without padding and without an end, at least one letter each, not "
            f"{prompts.dtype} {prompts.shape}: see Vocabulary.encode(..., end=False)."
        )
    require_count(length, "length", least=prompts.shape[1] + 1)
    return prompts.astype("int32")
