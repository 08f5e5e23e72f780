"""Page "Can a small model learn to write?": names as letters, who wrote which letter, two judges, and the exercises."""

from collections import Counter

import ipywidgets
import numpy as np

from distill_edu.data import Dataset, Vocabulary, as_next_letter, load_dataset
from distill_edu.models import teacher_logits
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, slider, stop_slider
from distill_edu.pages.shared.picture import DISTILLED, HARD, INK, TEACHER, empty_axes, plain
from distill_edu.probabilities import soft_targets

LENGTH = 21  # a tag, at most 19 letters, and the end
RARE = 20  # a letter that the training names have less often is unknown
SHOWN = 8  # names of each writer in the figure
STOPS = (1, 2, 4, 8, 20)  # letters written so far


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
    """language -> all its names, those of the test set, too, sorted.

    >>> "suomi" in real_names()["Finnish"]
    True
    """
    words = load_dataset("languages")
    names = {language: set() for language in words.class_names}
    for language, *letters in (
        text for part in (words.train, words.valid, words.test) for text in _texts(part, words.class_names)
    ):
        names[language].add("".join(letters))
    return {language: sorted(each) for language, each in names.items()}


def write_names(model, vocabulary, draft=None, drafted=4):
    """Let a model write eight names of each language: language -> [(letters of the model, letters of its draft)].

    Both texts have the length of the name, and a space where the other one wrote. The rule is that of
    `language.speculative`, which does not say who wrote which letter: a kept letter is the draft's.

    >>> import keras
    >>> a = keras.layers.Lambda(lambda x: 99.0 * keras.ops.one_hot(0 * x + 4, 5))  # it always writes "a"
    >>> a = keras.Sequential([keras.Input((None,)), a])
    >>> write_names(a, Vocabulary(["Finnish", "a"]), draft=a)["Finnish"][0]  # the fifth letter is the model's
    ('    a    a    a    a', 'aaaa aaaa aaaa aaaa ')
    """
    languages = [symbol for symbol in vocabulary.symbols if len(symbol) > 1]  # the tags
    tags = np.repeat(vocabulary.encode([[language] for language in languages], 1, end=False), SHOWN, axis=0)
    rows, every = np.pad(tags, [(0, 0), (0, LENGTH - 1)]), np.arange(len(tags))
    by_draft, run, random = np.zeros(rows.shape, bool), np.zeros(len(rows), int), np.random.RandomState(0)
    for place in range(1, LENGTH):
        p = _next_probabilities(model, rows, place)
        q = np.zeros_like(p)
        if draft is not None:
            q[run < drafted] = _next_probabilities(draft, rows, place)[run < drafted]
        letters = _draw(np.where(q.any(axis=1, keepdims=True), q, p), random)
        kept = random.random_sample(len(rows)) * q[every, letters] < np.where(q.any(axis=1), p[every, letters], 0)
        rows[:, place] = np.where(kept, letters, _draw(np.maximum(p - q, 0), random))
        by_draft[:, place], run = kept, np.where(kept, run + 1, 0)
    written = {language: [] for language in languages}
    for tag, name, drafts in zip(vocabulary.decode(tags), vocabulary.decode(rows[:, 1:]), by_draft[:, 1:], strict=True):
        by_model, of_draft = (
            "".join(letter if drafted == wanted else " " for letter, drafted in zip(name, drafts, strict=False))
            for wanted in (False, True)
        )
        written[tag].append((by_model, of_draft))
    return written


def write_together(labels, soft, teacher, vocabulary):
    """What `names_explorer` shows: writer -> names, of two students, and of the teacher with `soft` as its draft."""
    return {
        "labels": write_names(labels, vocabulary),
        "soft": write_names(soft, vocabulary),
        "teacher, soft drafts": write_names(teacher, vocabulary, draft=soft),
    }


def _next_probabilities(model, rows, place):
    """The probabilities of the letter at `place` [n, symbols], at S = 1; padding is never written."""
    p = soft_targets(teacher_logits(model, rows[:, :-1]))[:, place - 1].astype("float64")
    p[:, 0] = 0
    return p / p.sum(axis=1, keepdims=True)


def _draw(weights, random):
    """Draw a symbol for each row of weights [n, symbols]: [n]; any symbol where all weights are 0."""
    cumulated = np.cumsum(weights, axis=-1)
    drawn = (cumulated <= random.random_sample((len(weights), 1)) * cumulated[:, -1:]).sum(axis=-1)
    return np.minimum(drawn, weights.shape[1] - 1)


def names_explorer(written, language, letters=20):
    """Choose a language and how many letters are written, and see who wrote each letter, beside real names.

    `written`: writer -> what `write_names` returns, for three writers: a student of labels, a student of soft targets,
    and the teacher with the second student as its draft.
    """
    languages, real, random = list(next(iter(written.values()))), real_names(), np.random.RandomState(0)
    shown = {one: [(name, "") for name in random.choice(real[one], SHOWN, replace=False)] for one in languages}
    columns = {"real names": (shown, INK)}
    columns |= {name: (written[name], by) for name, by in zip(written, (HARD, DISTILLED, TEACHER), strict=True)}
    writer = list(written)[-1]
    options = list(zip(languages, languages, strict=True))
    controls = {
        "language": slider(ipywidgets.SelectionSlider, "Language", options=options, value=language),
        "letters": stop_slider("Letters so far (number)", "letters", STOPS, letters),
    }

    def draw(figure, language, letters):
        (axes,) = empty_axes(figure, (0.02, 0.04, 0.96, 0.84))
        for column, (title, (names, colour)) in enumerate(columns.items()):
            place = column / len(columns)
            axes.text(place, 0, plain(title), color=colour, fontsize=9, fontweight="bold", va="top")
            for row, pair in enumerate(names[language], 1):
                for text, by in zip(pair, (colour, DISTILLED), strict=True):
                    look = {"fontsize": 9, "fontweight": "bold", "family": "monospace", "va": "top"}
                    shown = plain(text[:letters]).replace(" ", "\N{NO-BREAK SPACE}")
                    axes.text(place, row, shown, color=by, **look)
        axes.set(xlim=(0, 1), ylim=(SHOWN + 1, -0.5), title=f"{language}: the first {letters} letters of each name")
        axes.set_axis_off()
        pairs = written[writer][language]
        drafted = sum(letter != " " for _, text in pairs for letter in text[:letters])
        alone = sum(letter != " " for text, _ in pairs for letter in text[:letters])
        return f"{language}, {writer}: {drafted} of {drafted + alone} letters so far are the draft's (green)."

    return Explorer(draw, controls)


def surprise(model, x, labels):
    """How much each text surprises a model: its nats per letter, the mean of -log p of the letters that count: [n].

    >>> import keras
    >>> fair = keras.Sequential([keras.Input((None,)), keras.layers.Lambda(lambda x: 0.0 * keras.ops.one_hot(x, 2))])
    >>> surprise(fair, np.zeros((1, 3), int), np.array([[0, 1, -1]])).round(3).tolist()
    [0.693]
    """
    counts, p = labels != -1, soft_targets(teacher_logits(model, x)).astype("float64")
    of_labels = np.take_along_axis(p, np.maximum(labels, 0)[..., None], axis=-1)[..., 0]
    return (-np.log(of_labels) * counts).sum(axis=1) / counts.sum(axis=1)


def triples_of_the_data():
    """language -> all three letters in a row that its names have, sorted.

    >>> "uom" in triples_of_the_data()["Finnish"]
    True
    """
    return {
        language: sorted({three for name in names for three in _threes(name)})
        for language, names in real_names().items()
    }


def share_known(rows, vocabulary, known):
    """Which share of three letters in a row is `known` in the language of the row's tag?

    >>> vocabulary = Vocabulary(["Finnish", *"suomix"])
    >>> rows = vocabulary.encode([["Finnish", *"suomi"], ["Finnish", *"xxx"]], LENGTH)
    >>> share_known(rows, vocabulary, {"Finnish": ["omi", "suo", "uom"]})
    0.75
    """
    known = {language: set(triples) for language, triples in known.items()}
    languages, texts = vocabulary.decode(rows[:, :1]), vocabulary.decode(rows[:, 1:])
    found = [three in known[one] for one, text in zip(languages, texts, strict=True) for three in _threes(text)]
    return float(np.mean(found))


def _threes(name):
    return [name[start : start + 3] for start in range(len(name) - 2)]


def judge(rows, teacher, vocabulary, known, real):
    """What two judges say of written names, and which share is new: measure -> number.

    `known`, `real`: what `triples_of_the_data` and `real_names` return. A new name is no real name of its language, and
    it was not written before in this language.
    """
    read, labels, _ = as_next_letter(rows)
    real = {language: set(names) for language, names in real.items()}
    written = set(zip(vocabulary.decode(rows[:, :1]), vocabulary.decode(rows[:, 1:]), strict=True))
    return {
        "surprise": float(surprise(teacher, read, labels).mean()),
        "known triples": share_known(rows, vocabulary, known),
        "new names": sum(name not in real[language] for language, name in written) / len(rows),
    }


def entropy(writer, rows, temperature=1.0):
    """How spread a writer's probabilities are while it writes these rows: nats per letter, a mean over the names.

    >>> import keras
    >>> fair = keras.Sequential([keras.Input((None,)), keras.layers.Lambda(lambda x: 0.0 * keras.ops.one_hot(x, 3))])
    >>> round(entropy(fair, np.array([[1, 2, 2, 1]])), 3)  # padding is never written: log 2
    0.693
    """
    read, labels, _ = as_next_letter(rows)
    q = soft_targets(teacher_logits(writer, read), temperature).astype("float64")[..., 1:]
    q /= q.sum(axis=-1, keepdims=True)
    counts, of_place = labels != -1, -(q * np.log(np.maximum(q, 1e-300))).sum(axis=-1)
    return float(((of_place * counts).sum(axis=1) / counts.sum(axis=1)).mean())


def at_entropy(target, texts):
    """The measures of a writer's texts, interpolated where their entropy is the target: measure -> number.

    >>> at_entropy(2.5, [{"entropy": 2.0, "surprise": 3.0}, {"entropy": 3.0, "surprise": 4.0}])
    {'entropy': 2.5, 'surprise': 3.5}
    """
    texts = sorted(texts, key=lambda text: text["entropy"])
    entropies = [text["entropy"] for text in texts]
    return {measure: float(np.interp(target, entropies, [text[measure] for text in texts])) for measure in texts[0]}


def counts_of_a_draft(texts):
    """What a draft was worth in all texts of a `Speculated`: measure -> number.

    >>> from distill_edu.language import Speculated
    >>> counts_of_a_draft(Speculated(np.array([[3, 4, 4]]), *map(np.array, ([1], [2], [1]))))
    {'letters a call': 2.0, 'kept / checked': 0.5, 'kept / all letters': 0.5}
    """
    letters, calls, checked, kept = map(int, ((texts.rows[:, 1:] > 0).sum(), *(sum(counts) for counts in texts[1:])))
    return {"letters a call": letters / calls, "kept / checked": kept / checked, "kept / all letters": kept / letters}


WORTH = ("surprise", "known triples", "letters a call", "kept / checked", "kept / all letters")  # with a draft


P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.5, 0.3])
# How much of their probability (0.5, 0.3, 0.2) and (0.2, 0.5, 0.3) share.
check_share_by_hand = Exercise(
    right=0.7,
    mistakes=[
        (0.31, "you multiplied p and q: a drafted letter is kept with probability min(1, p / q)."),
        (0.3, "that is how much they differ: the question is what they share."),
        (0.75556, "that is a plain mean of min(1, p / q): weigh each letter by how often it is drafted, q."),
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
