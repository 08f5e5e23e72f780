"""Page "Can a small model learn to write?": names as letters, the names that models write, and the exercises."""

from collections import Counter

import ipywidgets
import numpy as np

from distill_edu.data import Dataset, Vocabulary, as_next_letter, load_dataset
from distill_edu.language import sample
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, require_up_to_three, slider, stop_slider
from distill_edu.pages.shared.picture import DISTILLED, HARD, NEUTRAL, TEACHER, empty_axes, grouped_bars, percent, plain

LENGTH = 21  # a tag, at most 19 letters, and the end
RARE = 20  # a letter that the training names have less often is unknown
TEMPERATURES = (0.25, 0.5, 0.75, 1, 1.5)
SHOWN = 8  # names of each model in the figure


def _texts(part, languages):
    """The names of a part as lists of symbols: the language's tag, then the letters."""
    pairs = zip(*part, strict=True)
    return [[languages[label], *word.lower()] for word, label in pairs if len(word) < LENGTH - 1]


def names_as_letters(tested=1000):
    """The names of "languages" for models of the next letter: a Dataset and its Vocabulary.

    x are tags and letters [n, 20], y the letter after each of them, or -1 where nothing counts. `tested`: so many names
    of the test set, drawn. (A small İ has two letters: one training name is cut off before its end.)

    >>> names, vocabulary = names_as_letters()
    >>> names, len(vocabulary)
    (Dataset 'names': 11614 train, 1989 valid, 1000 test; 100 classes, 100)
    """
    words = load_dataset("languages")
    often = Counter("".join(words.train[0]).lower())
    vocabulary = Vocabulary([*words.class_names, *sorted(letter for letter in often if often[letter] >= RARE)])
    rows = [
        vocabulary.encode(_texts(part, words.class_names), LENGTH) for part in (words.train, words.valid, words.test)
    ]
    rows[2] = rows[2][np.random.RandomState(0).permutation(len(rows[2]))[:tested]]
    parts = [as_next_letter(part)[:2] for part in rows]
    return Dataset("names", *parts, class_names=("(padding)", "(end)", "(unknown)", *vocabulary.symbols)), vocabulary


def real_names():
    """language -> all its names, those of the test set, too.

    >>> "suomi" in real_names()["Finnish"]
    True
    """
    words = load_dataset("languages")
    names = {language: set() for language in words.class_names}
    for language, *letters in (
        text for part in (words.train, words.valid, words.test) for text in _texts(part, words.class_names)
    ):
        names[language].add("".join(letters))
    return names


def write_names(model, vocabulary, count=25):
    """Let a model write `count` names of each language at each temperature: temperature -> language -> names.

    >>> import keras
    >>> a = keras.layers.Lambda(lambda x: 99.0 * keras.ops.one_hot(0 * x + 4, 5))  # it always writes "a"
    >>> write_names(keras.Sequential([keras.Input((None,)), a]), Vocabulary(["Finnish", "a"]), count=1)[1]
    {'Finnish': ['aaaaaaaaaaaaaaaaaaaa']}
    """
    languages = [symbol for symbol in vocabulary.symbols if len(symbol) > 1]  # the tags
    tags = np.repeat(vocabulary.encode([[language] for language in languages], 1, end=False), count, axis=0)
    written = {}
    for temperature in TEMPERATURES:
        names = vocabulary.decode(sample(model, tags, LENGTH, temperature)[:, 1:])
        of_language = np.reshape(names, (len(languages), count)).tolist()
        written[temperature] = dict(zip(languages, of_language, strict=True))
    return written


def names_explorer(written, real, language, temperature=1):
    """Choose a language and the sampling temperature, and read the names that models write.

    `written`: model -> temperature -> language -> at least eight names; one to three models: teacher, student of hard
    labels, distilled student. `real`: language -> its names; what a model writes and is none of them is invented.
    """
    require_up_to_three(written)
    temperatures = next(iter(written.values()))
    languages = list(next(iter(temperatures.values())))
    options = list(zip(languages, languages, strict=True))
    controls = {
        "language": slider(ipywidgets.SelectionSlider, "Language", options=options, value=language),
        "temperature": stop_slider("Sampling temperature", "temperature", tuple(temperatures), temperature),
    }

    def draw(figure, language, temperature):
        texts, axes = empty_axes(figure, (0.02, 0.04, 0.64, 0.84), (0.745, 0.12, 0.245, 0.76))
        bars, counted = {}, []
        for column, (model, colour) in enumerate(zip(written, (TEACHER, HARD, DISTILLED), strict=False)):
            names = written[model][temperature][language]
            texts.text(column / 3, 0, model, color=colour, fontsize=9, fontweight="bold", va="top")
            for row, name in enumerate(names[:SHOWN], 1):
                look = {"color": NEUTRAL if name in real[language] else colour, "fontsize": 9, "va": "top"}
                texts.text(column / 3, row, plain(name), **look)
            share = np.mean([name in real[language] for name in names])
            bars[model] = ([share], colour)
            counted.append(f"{model} {percent(share)} of {len(names)}")
        title = f"{language}, at temperature {temperature:g}"
        texts.set(xlim=(0, 1), ylim=(SHOWN + 1, -0.5), title=f"{title} (grey: a name of the data)")
        texts.set_axis_off()
        grouped_bars(axes, bars)
        middles = 0.8 * (np.arange(len(bars)) + 0.5) / len(bars) - 0.4
        axes.set_xticks(middles, map(plain, bars), fontsize=8)
        for middle, ((share,), _) in zip(middles, bars.values(), strict=True):
            axes.text(middle, share, f"{share:.2f}", ha="center", va="bottom", fontsize=8)
        axes.set(xlim=(-0.5, 0.5), ylim=(0, 1), ylabel=f"share of {len(names)} names", title="names of the data")
        return f"{title}: names of the data (grey), not invented: {'; '.join(counted)}."

    return Explorer(draw, controls)


P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.5, 0.3])
# How much of their probability (0.5, 0.3, 0.2) and (0.2, 0.5, 0.3) share.
check_share_by_hand = Exercise(
    right=0.7,
    mistakes=[
        (0.31, "you multiplied p and q: a drafted letter is kept with probability min(1, p / q)."),
        (0.3, "that is how much they differ: the question is what they share."),
        (0.4, "the differences count twice: what is too much in one place is missing in another."),
        (1.3, "no share is above 1: you took the larger probabilities."),
        (1.0, "that is the sum of one model's probabilities: some drafted letters are refused."),
    ],
    otherwise="how often is each letter drafted and then kept? Add over the letters.",
)


def _left(p, q):
    rest = np.maximum(p - q, 0)
    return rest / rest.sum(axis=-1, keepdims=True)


PLACES = (np.stack([P, Q, [0.1, 0.6, 0.3]]), np.stack([Q, P, [0.05, 0.15, 0.8]]))
# function(p, q), [places, letters] -> of each place the probabilities of the letter that replaces a refused one
check_what_is_left = Exercise(
    right=_left,
    mistakes=[
        (lambda p, q: np.maximum(p - q, 0), "the probabilities of each place must sum to 1."),
        (
            lambda p, q: np.maximum(p - q, 0) / np.maximum(p - q, 0).sum(),
            "all places together sum to 1: each place must sum to 1.",
        ),
        (lambda p, q: p, "that would count twice what the draft has already had its chance to say: take q away."),
        (
            lambda p, q: np.abs(p - q) / np.abs(p - q).sum(axis=-1, keepdims=True),
            "where the draft says a letter too often, nothing is left: 0.",
        ),
        (lambda p, q: _left(q, p), "it is the teacher's probability that is not used up: p minus q."),
        (lambda p, q: p - q, "no probability is below 0, and they sum to 1."),
        (
            lambda p, q: np.maximum(p - q, 0) / np.maximum(p - q, 0).sum(axis=-1),
            "divide each place by its own sum: keepdims=True.",
        ),
    ],
    otherwise="what does the second line of the rule say? Do it along the letters, for each place.",
    inputs=[PLACES, tuple(each[:, ::-1] for each in PLACES[::-1])],
)

# function(share, drafted) -> 1 + share + share^2 + ... + share^drafted (Leviathan et al. 2023, equation 1)
check_letters_per_call = Exercise(
    right=lambda a, k: sum(a**i for i in range(k + 1)),
    mistakes=[
        (lambda a, k: 1 + a * k, "a letter counts only if all before it were kept, too: powers of the share."),
        (lambda a, k: a * k, "a letter counts only if all before it were kept, and the teacher adds one of its own."),
        (lambda a, k: sum(a**i for i in range(k)), "one power is missing: after k kept letters the teacher adds one."),
        (lambda a, k: a * sum(a**i for i in range(k)), "the teacher adds a letter of its own, whatever was kept: 1."),
        (lambda a, k: k + 1, "that is if everything is kept."),
        (lambda a, k: a**k, "that is the chance that everything is kept: add up what each letter brings."),
    ],
    otherwise="with what probability is the first drafted letter kept, and the first two? What does the teacher add?",
    inputs=[(0.6, 4), (0.9, 3), (0.25, 1)],
)
