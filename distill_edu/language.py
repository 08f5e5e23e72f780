"""Models of letters write: one letter after the other, or several at once, which a student drafts for its teacher."""

from typing import NamedTuple

import numpy as np

from distill_edu._inside.backend import keras, only_errors
from distill_edu._inside.check_values import require_attributes, require_count, require_number
from distill_edu.data import END, PADDING
from distill_edu.probabilities import soft_targets


def sample(model, prompts, length, temperature=1.0, seed=0):
    """Let a model write: integers [n, length], each row a prompt, then letters up to an end, then 0.

    `model`: integers [n, time] -> logits of the next letter [n, time, symbols], for which it looks at no later letter.
    `prompts`: integers [n, time] without padding. Each letter is drawn from softmax(logits / temperature); at 0 it is
    the most probable one. A model with a GRU takes one step of it for a letter; others, and one whose length is fixed,
    read the row again.
    """
    prompts, random = _require_writing(model, prompts, length), np.random.RandomState(seed)
    temperature = require_number(temperature, "temperature", "a number of at least 0", lambda t: t >= 0)
    rows = np.pad(prompts, [(0, 0), (0, length - prompts.shape[1])])
    say = _by_steps(model, prompts) if _gru(model) else _by_rows(model)
    writing = np.ones(len(rows), bool)
    for place in range(prompts.shape[1], length):
        letters = _draw(_probabilities(say(rows, place), temperature), random)
        rows[:, place] = np.where(writing, letters, PADDING)
        writing &= letters != END
    return rows


def _asked(model, inputs):
    """What the model says. TensorFlow would warn where many models are asked one after the other."""
    with only_errors():
        return model.predict_on_batch(inputs)


def _by_rows(model):
    """A function from rows and a place to the logits of the letter there, by reading the whole row."""
    return lambda rows, place: _asked(model, rows[:, :-1])[:, place - 1]


def _by_steps(model, prompts):
    """The same by one step of the model's GRU for each letter; asked for one place after the other."""
    step, units = _one_step(model)
    state = np.zeros((len(prompts), units), "float32")
    for letter in prompts[:, :-1].T:
        _, state = step(letter[:, None], state)

    def say(rows, place):
        nonlocal state
        logits, state = step(rows[:, place - 1 : place], state)
        return logits[:, 0]

    return say


def _one_step(model):
    """(function from a letter and a state to logits and the next state, how many numbers the state has)."""
    copy = keras.models.clone_model(model)  # a second call of the GRU would leave its traces in the model
    copy.set_weights(model.get_weights())
    gru = _gru(copy)
    before, after = keras.Model(copy.input, gru.input), keras.Model(gru.output, copy.output)
    letter, state = keras.Input((1,), dtype=copy.input.dtype), keras.Input((gru.units,))
    following = gru(before(letter), initial_state=state)  # what a GRU puts out is its state
    step = keras.Model([letter, state], [after(following), following[:, 0]])
    return lambda letters, state: _asked(step, [letters, state]), gru.units


def _gru(model):
    """The GRU of a model whose other layers look at one letter at a time; None of any other model."""
    kinds = [type(operation).__name__ for operation in getattr(model, "operations", [])]
    letterwise = {"InputLayer", "OneHot", "Embedding", "Dense", "Dropout", "LayerNormalization", "GRU"}
    grus = [layer for layer in model.layers if isinstance(layer, keras.layers.GRU)]
    alone = len(grus) == 1 and not set(kinds) - letterwise
    return grus[0] if alone and not (grus[0].unroll or grus[0].go_backwards) else None


class Speculated(NamedTuple):
    """Of `speculative`: `rows`, and for each one how often the teacher was called, letters `checked` and `kept`."""

    rows: np.ndarray
    calls: np.ndarray
    checked: np.ndarray
    kept: np.ndarray


def speculative(draft, teacher, prompts, length, drafted=4, seed=0):
    """Let `draft` write `drafted` letters ahead, and `teacher` check them all in one call: a `Speculated`.

    Leviathan et al. 2023, "Fast Inference from Transformers via Speculative Decoding", algorithm 1. A drafted letter is
    kept with probability min(1, p / q); in the place of the first one that is not, a letter is drawn from
    max(p - q, 0), and after the last one from p. So each letter has the teacher's probability p, whatever the draft's q
    is. Models and rows as for `sample`, temperature 1.
    """
    prompts, random = _require_writing(teacher, prompts, length), np.random.RandomState(seed)
    room = length + 2 * (require_count(drafted, "drafted") + 1)  # for letters beyond the length; they are cut off
    rows, every = np.pad(prompts, [(0, 0), (0, room - prompts.shape[1])]), np.arange(len(prompts))
    ends, tallies = np.full(len(rows), prompts.shape[1]), np.zeros((3, len(rows)), int)
    writing = np.ones(len(rows), bool)
    while writing.any():
        letters, q = _drafted(draft, rows, ends, length, drafted, random)
        p = _ahead(teacher, rows, ends, length, drafted + 1)
        kept = _kept(letters, p, q, random)
        count = kept.sum(axis=1)
        left = np.maximum(p - np.pad(q, [(0, 0), (0, 1), (0, 0)]), 0)  # after its last letter the draft has no say
        rows[every, ends + count] = _draw(left[every, count], random)
        tallies += writing * _tallies(letters, kept, ends, length)
        ends += writing * (count + 1)
        writing &= (ends < length) & ~_ended(rows, ends)
    rows = rows[:, :length]
    return Speculated(np.where(_behind_end(rows), PADDING, rows), *tallies)


def _drafted(draft, rows, ends, length, count, random):
    """Write `count` letters of the draft into the rows: these letters, and the draft's q [n, count, symbols]."""
    every, q = np.arange(len(rows)), []
    for step in range(count):
        q.append(_ahead(draft, rows, ends + step, length, 1)[:, 0])
        rows[every, ends + step] = _draw(q[-1], random)
    places = ends[:, None] + np.arange(count)
    return rows[every[:, None], places], np.stack(q, axis=1)


def _ahead(model, rows, ends, length, count):
    """The probabilities of the letters at `ends` and the places after it: [n, count, symbols]."""
    places = np.minimum(ends[:, None] + np.arange(count), length - 1)
    logits = _asked(model, rows[:, : length - 1])
    return _probabilities(logits[np.arange(len(rows))[:, None], places - 1])


def _kept(letters, p, q, random):
    """Which drafted letters stay: 1 up to the first one that is refused."""
    mine, theirs = (np.take_along_axis(each[:, : letters.shape[1]], letters[..., None], -1)[..., 0] for each in (q, p))
    return np.cumprod(random.random_sample(letters.shape) * mine < theirs, axis=1)


def _tallies(letters, kept, ends, length):
    """One call each, letters that were checked, letters that stayed: up to the first refused one and the text's end."""
    all_before = np.pad(kept[:, :-1], [(0, 0), (1, 0)], constant_values=1)
    inside = ends[:, None] + np.arange(letters.shape[1]) < length
    checked = all_before * inside * ~_behind_end(letters)
    return np.stack([np.ones_like(ends), checked.sum(axis=1), (checked * kept).sum(axis=1)])


def _behind_end(rows):
    is_end = rows == END
    return np.cumsum(is_end, axis=1) - is_end > 0


def _ended(rows, ends):
    """Is there an end before the place where the row would go on?"""
    return ((rows == END) & (np.arange(rows.shape[1]) < ends[:, None])).any(axis=1)


def _probabilities(logits, temperature=1.0):
    """softmax(logits / temperature) of the letters and the end; padding is never written."""
    logits = np.array(logits, "float64")
    logits[..., PADDING] = -np.inf
    return soft_targets(logits, max(temperature, 1e-6))


def _draw(weights, random):
    """A number for each row of weights, with a chance in proportion to its weight."""
    below = np.cumsum(weights, axis=-1)
    return (below <= random.random_sample((len(weights), 1)) * below[:, -1:]).sum(axis=-1)


def _require_writing(model, prompts, length):
    require_attributes(model, ["predict_on_batch"], "model", "a Keras model")
    prompts = np.asarray(prompts)
    if prompts.ndim != 2 or prompts.dtype.kind not in "iu" or not prompts.size or (prompts == PADDING).any():
        raise ValueError(
            f"prompts must be integers [n, time] without padding, at least one letter each, not {prompts.dtype} "
            f"{prompts.shape}: see Vocabulary.encode(..., end=False)."
        )
    require_count(length, "length", least=prompts.shape[1] + 1)
    return prompts.astype("int32")
