"""Writing beside a plain loop, and drafts: the text has the teacher's distribution, whatever the draft is."""

import collections
import itertools

import keras
import numpy as np
import pytest
import scipy.stats

from distill_edu import Vocabulary, language, metrics, models, soft_targets
from distill_edu.data import END, PADDING

VOCABULARY = Vocabulary("ab")  # five numbers: padding, end, unknown, a, b
ALL = [2, 3, 4]


def writer(seed, kind="gru", strength=3.0):
    """A random model of letters with a clear preference, which ends now and then."""
    keras.utils.set_random_seed(seed)
    if kind == "gru":
        model = models.letter_gru(VOCABULARY, 6, width=4, dropout=0.3)
    else:
        model = models.letter_transformer(VOCABULARY, 7, width=8, depth=1, heads=2)
    model.set_weights([strength * weight for weight in model.get_weights()])
    return model


def row_probabilities(model, rows, temperature=1.0):
    """The probability of the letters of each row after the first; padding has none."""
    logits = model.predict(np.pad(rows, [(0, 0), (0, 8 - rows.shape[1])])[:, :7], verbose=0).astype("float64")
    logits[..., PADDING] = -np.inf
    letters = np.take_along_axis(soft_targets(logits, temperature)[:, : rows.shape[1] - 1], rows[:, 1:, None], -1)
    return np.where(rows[:, 1:] == PADDING, 1, letters[..., 0]).prod(axis=1)


def texts(length):
    """Every text after a first letter: ended ones are filled up with 0."""
    for letters in itertools.product([END, *ALL], repeat=length):
        ends = letters.index(END) if END in letters else length
        if not any(letters[ends + 1 :]) or set(letters[ends + 1 :]) <= {END}:
            yield (3, *letters[: ends + 1], *[PADDING] * (length - ends - 1))


def p_of_fit(model, rows, temperature=1.0):
    """The p of a chi-square test that the rows, three letters after the first, are drawn from the model."""
    possible = np.array(sorted(set(texts(rows.shape[1] - 1))))
    expected = dict(zip(map(tuple, possible.tolist()), row_probabilities(model, possible, temperature), strict=True))
    assert sum(expected.values()) == pytest.approx(1, abs=1e-6)
    seen = collections.Counter(map(tuple, rows.tolist()))
    assert set(seen) <= set(expected)
    frequent = [text for text, p in expected.items() if p * len(rows) >= 5]
    observed = [seen.get(text, 0) for text in frequent]
    wanted = [expected[text] * len(rows) for text in frequent]
    rest = len(rows) - sum(observed), len(rows) - sum(wanted)
    if rest[1] > 1e-6:
        observed, wanted = [*observed, rest[0]], [*wanted, rest[1]]
    return scipy.stats.chisquare(observed, np.array(wanted) * sum(observed) / sum(wanted)).pvalue


PROMPTS = np.full((4000, 1), 3, "int32")


def test_what_has_no_chance_is_not_written_at_the_smallest_random_number(monkeypatch):
    class Zeros:
        def __init__(self, seed):
            self.random_sample = np.zeros

    monkeypatch.setattr(np.random, "RandomState", Zeros)
    assert (language.sample(writer(1), PROMPTS[:3], 4) == [3, END, PADDING, PADDING]).all()


@pytest.mark.parametrize("kind", ["gru", "transformer"])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_what_is_written_has_the_models_probabilities(kind, temperature):
    model = writer(1, kind)
    rows = language.sample(model, PROMPTS, 4 if kind == "gru" else 8, temperature, seed=2)
    assert rows.dtype == "int32" and (rows[:, 0] == 3).all()
    assert p_of_fit(model, rows[:, :4], temperature) > 0.001
    assert p_of_fit(model, rows[:, :4], 1.5 - temperature) < 1e-6  # the test can fail


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_at_temperature_0_it_writes_the_most_probable_letter_and_fills_up_after_the_end(kind):
    model, prompts = writer(4, kind), np.array([[3, 4, 3], [4, 4, 4], [2, 3, 3], [3, 3, 4]])
    rows = language.sample(model, prompts, 8, temperature=0)
    for row, prompt in zip(rows, prompts, strict=True):
        right = list(prompt)
        while len(right) < 8 and right[-1] != END:
            x = np.zeros((1, 7), "int32")
            x[0, : len(right)] = right
            right.append(1 + model.predict(x, verbose=0)[0, len(right) - 1, 1:].argmax())
        assert row.tolist() == right + [PADDING] * (8 - len(right))
    assert (language.sample(model, prompts, 8, temperature=0, seed=9) == rows).all()


@pytest.mark.parametrize("temperature", [0, 1e-300])
def test_the_nearest_neighbour_of_the_largest_logit_is_not_written(temperature):
    z = np.array([0, 0, 0, 1, np.nextafter(np.float32(1), np.float32(2))], "float32")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Lambda(lambda x: 0 * x[..., None] + z)])
    assert (language.sample(model, PROMPTS[:50], 7, temperature)[:, 1:] == 4).all()


class Dense(keras.layers.Dense):
    """Named as Keras's, with a number that its configuration does not have."""

    liked = 0

    def call(self, x):
        return super().call(x) + 50 * keras.ops.one_hot(0 * keras.ops.cast(x[..., 0], "int32") + self.liked, 5)


def test_a_gru_writes_with_the_models_own_layers():
    def activation(x):
        return x + best.liked  # a closure, which Keras could not copy

    keras.utils.set_random_seed(0)
    best, letters = Dense(5, activation), keras.Input((None,), dtype="int32")
    x = keras.layers.GRU(4, return_sequences=True)(keras.layers.Embedding(5, 3)(letters))
    model = keras.Model(letters, best(x))
    best.liked = 4
    assert (language.sample(model, [[3, 3]], 6, temperature=0) == [3, 3, 4, 4, 4, 4]).all()


def test_a_gru_writes_the_same_one_step_at_a_time_and_row_by_row(monkeypatch):
    model, prompts = writer(3), np.array([[3, 4], [4, 4], [2, 3]] * 20)
    before = [weight.copy() for weight in model.get_weights()]
    steps = language.sample(model, prompts, 9, seed=5)
    monkeypatch.setattr(language, "_gru", lambda model: None)
    assert (language.sample(model, prompts, 9, seed=5) == steps).all()
    assert not (language.sample(model, prompts, 9, seed=6) == steps).all()
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    assert model.predict(prompts, verbose=0).shape == (60, 2, 5)  # it can still be called


@pytest.mark.parametrize("extra", ["state", "attention", "convolution", "second", "sum", "unrolled"])
def test_a_gru_that_does_not_remember_alone_or_is_unrolled_reads_whole_rows(extra):
    letters, layers = keras.Input((5,), dtype="int32"), keras.layers
    x = layers.Embedding(5, 4)(letters)
    if extra == "attention":
        x = layers.MultiHeadAttention(1, 4)(x, x, use_causal_mask=True)
    x = layers.Conv1D(4, 2, padding="causal")(x) if extra == "convolution" else x
    x = layers.GRU(4, return_sequences=True)(x) if extra == "second" else x
    gru = layers.GRU(4, return_sequences=True, unroll=extra == "unrolled", return_state=extra == "state")
    x = gru(x)[0] if extra == "state" else gru(x)
    x = x + keras.ops.cumsum(x, axis=1) if extra == "sum" else x
    model = keras.Model(letters, layers.Dense(5)(x))
    prompts = np.random.RandomState(0).randint(2, 5, (20, 2))
    rows = language.sample(model, prompts, 6, temperature=0)
    best = model.predict(rows[:, :-1], verbose=0)[:, 1:, 1:].argmax(axis=-1) + 1
    going_on = rows[:, 1:-1] > END
    assert (rows[:, 2:] == best)[going_on].all() and going_on.sum() >= 20


# --- drafts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draft", ["different", "itself", "certain"])
@pytest.mark.parametrize("drafted", [1, 3])
def test_what_a_draft_helps_to_write_has_the_teachers_probabilities(draft, drafted):
    teacher = writer(1)
    drafts = {"different": writer(2), "itself": teacher, "certain": writer(6, strength=8.0)}
    found = language.speculative(drafts[draft], teacher, PROMPTS, 4, drafted, seed=3)
    assert p_of_fit(teacher, found.rows) > 0.001
    if draft != "itself":
        assert p_of_fit(drafts[draft], found.rows) < 1e-6
    else:
        assert (found.kept == found.checked).all()


def test_the_longer_the_text_the_more_rounds_and_the_text_is_still_the_teachers():
    """Several rounds: the letters far from the prompt are tested too, by what the teacher says to the text before."""
    teacher, draft = writer(1, "transformer"), writer(3, "transformer")
    found = language.speculative(draft, teacher, PROMPTS[:2000], 8, 2, seed=1)
    last = np.flatnonzero(found.rows[:, 6] > END)
    expected = soft_targets(teacher.predict(found.rows[last, :-1], verbose=0)[:, 6, 1:]).sum(axis=0)
    observed = np.bincount(found.rows[last, 7], minlength=5)[1:]
    assert len(last) > 300 and found.calls.min() >= 1
    assert scipy.stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 0.001
    assert (np.diff((found.rows == PADDING).astype(int), axis=1) >= 0).all()  # nothing after an end


def test_a_draft_is_kept_as_often_as_the_probabilities_share():
    """Leviathan et al. 2023, corollary 3.6, for the first letter, where both models read the same."""
    teacher, draft = writer(1), writer(2)
    found = language.speculative(draft, teacher, PROMPTS, 2, drafted=1, seed=4)
    first = [model.predict(PROMPTS[:1], verbose=0)[:, 0, 1:] for model in (teacher, draft)]
    share = metrics.acceptance(*first)
    assert (found.calls == 1).all() and (found.checked == 1).all()
    assert found.kept.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 4000))
    assert 0.1 < share < 0.9


def always(*letters):
    """A model that writes these letters at the places 1, 2, ..."""
    table = np.full((len(letters), 5), -50.0, "float32")
    table[np.arange(len(letters)), letters] = 50
    repeated = keras.layers.Lambda(lambda x: keras.ops.broadcast_to(table[None], (keras.ops.shape(x)[0], *table.shape)))
    return keras.Sequential([keras.Input((len(letters),), dtype="int32"), repeated])


def test_letters_and_calls_by_hand():
    """A teacher that agrees writes drafted + 1 letters a call; what is after the end or the length is not counted."""
    teacher = always(3, 4, 3, 4, END, 3)
    agreed = language.speculative(teacher, teacher, np.array([[3]]), 7, drafted=2)
    assert agreed.rows.tolist() == [[3, 3, 4, 3, 4, END, PADDING]]
    assert (agreed.calls.tolist(), agreed.checked.tolist(), agreed.kept.tolist()) == ([2], [4], [4])
    half = language.speculative(always(3, 3, 3, 3, 3, 3), teacher, np.array([[3]]), 7, drafted=2)
    assert half.rows.tolist() == agreed.rows.tolist()
    assert (half.calls.tolist(), half.checked.tolist(), half.kept.tolist()) == ([3], [5], [2])
    short = language.speculative(teacher, teacher, np.array([[3]]), 3, drafted=5)
    assert short.rows.tolist() == [[3, 3, 4]] and short.kept.tolist() == [2] == short.checked.tolist()


def stateful():
    memory = keras.layers.GRU(4, return_sequences=True, stateful=True, name="memory")
    layers = [keras.Input((None,), batch_size=1), keras.layers.Embedding(5, 3), memory, keras.layers.Dense(5)]
    return keras.Sequential(layers)


@pytest.mark.parametrize("temperature", [0, 1])
def test_nan_is_not_written(temperature):
    model = writer(0)
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    with pytest.raises(ValueError, match="The model's output contains NaN"):
        language.sample(model, [[3]], 4, temperature)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"prompts": [3, 4]}, r"prompts must be rows \[n, length\], .*: give one row as \[row\]"),
        ({"prompts": [[3], [3, 4]]}, "prompts must be rows of the same length"),
        ({"prompts": [[3, END]]}, "without an end"),
        ({"prompts": [[3, END]], "drafted": 2}, "without an end"),
        ({"draft": None, "drafted": 2}, "draft must be a Keras model"),
        ({"model": None, "drafted": 2}, "teacher must be a Keras model"),
        ({"draft": models.letter_gru("ab?", 4), "drafted": 2}, "The draft has 3 symbols, the teacher 5: .* vocabulary"),
        ({"draft": stateful(), "drafted": 2}, "layer 'memory' of the draft is stateful"),
        ({"prompts": [[3, 0]]}, "without padding"),
        ({"prompts": [[3.0]]}, "prompts must be integers"),
        ({"prompts": np.zeros((0, 1), int)}, "at least one letter"),
        ({"length": 1}, "length must be a whole number of at least 2"),
        ({"temperature": -1}, "temperature must be a number of at least 0"),
        ({"model": None}, "model must be a Keras model"),
        ({"model": stateful()}, "layer 'memory' of the model is stateful"),
        ({"drafted": 0}, "drafted must be a whole number of at least 1"),
        ({"drafted": 2, "length": 1}, "length must be a whole number of at least 2"),
    ],
)
def test_wrong_use_gets_a_sentence(change, words):
    arguments = {"model": writer(0), "prompts": [[3]], "length": 4, **change}
    if "drafted" in change:
        arguments = {"draft": writer(0), "teacher": arguments.pop("model"), **arguments}
    with pytest.raises((TypeError, ValueError), match=words):
        (language.speculative if "drafted" in change else language.sample)(**arguments)
