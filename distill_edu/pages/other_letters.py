"""Page "What if teacher and student do not share an alphabet?": pairs and letters, the figure, and the exercises."""

from collections import Counter

import ipywidgets
import numpy as np

from distill_edu._inside.backend import keras
from distill_edu.data import END, PADDING, UNKNOWN, Dataset, as_next_letter
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, slider
from distill_edu.pages.shared.picture import DISTILLED, TEACHER, class_bars, legend, two_axes

LONGEST = 13  # letters of the longest name
SHOWN = 10  # bars in each panel
ORDERS = [("by letter", "letter"), ("sorted", "sorted")]
ops = keras.ops


def cut(word, size):
    """Cut a word into pieces of `size` letters; the last piece may be shorter.

    >>> cut("roma", 2), cut("talot", 2)
    (['ro', 'ma'], ['ta', 'lo', 't'])
    """
    return [word[start : start + size] for start in range(0, len(word), size)]


def common_pieces(words, size, least):
    """The pieces of `size` letters that the words contain at least so many times, and all shorter ones."""
    counts = Counter(piece for word in words if len(word) <= LONGEST for piece in cut(word.lower(), size))
    return sorted(piece for piece, count in counts.items() if count >= least or len(piece) < size)


def sequences(data, vocabulary, size):
    """The names of a data set as pieces: a Dataset whose x are rows of a tag and pieces, and whose labels come next."""
    parts = []
    for words, labels in (data.train, data.valid, data.test):
        named = [(data.class_names[k], word) for word, k in zip(words, labels, strict=True) if len(word) <= LONGEST]
        texts = [[tag, *cut(word.lower(), size)] for tag, word in named]
        parts.append(as_next_letter(vocabulary.encode(texts, -(-LONGEST // size) + 2))[:2])
    return Dataset("names", *parts, class_names=vocabulary.symbols)


def few_names(data, count):
    """So many of the training names, a third of the validation names, a thirteenth of the test names: a Dataset."""
    few = np.random.RandomState(1).permutation(len(data.train[0]))[:count]
    wanted = [(data.train, few), (data.valid, slice(None, None, 3)), (data.test, slice(None, None, 13))]
    return Dataset("few names", *[tuple(each[of] for each in part) for part, of in wanted], data.class_names)


def spelling(pairs, letters, rows):
    """How pairs are spelled: first [pairs, letters] and second [pairs, letters], and the pair of two letters.

    Each row of `first` and `second` is 1 at one letter. An unknown pair may be any two letters: its rows are the shares
    of the letters in `rows`. A piece of one letter ends the name, so its second letter is the end.
    """
    first, second = np.zeros((2, len(pairs), len(letters)), "float32")
    pair_of = np.full((len(letters), len(letters)), UNKNOWN, "int32")
    share = np.bincount(rows[rows > UNKNOWN], minlength=len(letters))
    first[UNKNOWN] = second[UNKNOWN] = share / share.sum()
    first[END, END] = second[END, PADDING] = 1
    for piece, number in pairs.numbers.items():
        spelled = [piece] if piece in letters.numbers else [*piece]  # a tag is one symbol
        one, two = [*(letters.numbers.get(letter, UNKNOWN) for letter in spelled), END][:2]
        first[number, one] = second[number, two] = 1
        pair_of[one, two] = number
    return first, second, pair_of


def letter_by_letter(teacher, first, second, pair_of):
    """A model that answers about letters what a teacher of pairs knows: integers [n, time] -> log-probabilities.

    `first`, `second`, `pair_of`: see `spelling`. Time is even: a tag and an odd number of letters.
    """
    x = keras.Input((LONGEST + 1,), dtype="int32")
    p = _pair_probabilities(teacher, x, pair_of)  # (n, time / 2, pairs)
    begins = ops.matmul(p, first)  # (n, time / 2, letters)
    fits = p * ops.take(first.T, x[:, 1::2], axis=0)  # pairs that begin with the letter that was read
    goes_on = ops.matmul(fits, second)
    both = ops.stack([begins, goes_on / ops.maximum(ops.sum(goes_on, -1, keepdims=True), 1e-9)], axis=2)
    return keras.Model(x, ops.log(ops.maximum(ops.reshape(both, (-1, LONGEST + 1, first.shape[1])), 1e-9)))


def _pair_probabilities(teacher, x, pair_of):
    """Letters [n, time] -> what the teacher says to the tag and the pairs so far [n, time / 2, pairs]."""
    numbers = ops.take(pair_of.ravel(), x[:, 1:-1:2] * len(pair_of) + x[:, 2::2])
    return ops.softmax(teacher(ops.concatenate([x[:, :1], numbers], axis=1)))


def answers(teacher, by_letter, letters, pair_of, tag, name):
    """What a teacher of pairs says before each letter of a name: "pairs" [pieces, pairs], "letters" [places, letters].

    `by_letter`: the same teacher as a model of letters.
    """
    row = letters.encode([[tag, *name]], LONGEST + 1, end=False)
    pairs_asked = keras.Model(by_letter.inputs[0], _pair_probabilities(teacher, by_letter.inputs[0], pair_of))
    count = len(name) + 1
    return {"pairs": np.array(pairs_asked(row))[0, : -(-count // 2)], "letters": np.exp(by_letter(row))[0, :count]}


def answers_to_names(teacher, by_letter, letters, spelling, names):
    """What the teacher says to each name: language -> `answers`. `names`: language -> name."""
    pair_of = spelling[2]
    return {tag: answers(teacher, by_letter, letters, pair_of, tag, name) for tag, name in names.items()}


def nats_per_letter(model, x, labels):
    """The mean NLL of names [n, time] under a model's log-probabilities: of each name's letters, then of the names."""
    places = np.take_along_axis(np.array(model(x)), np.maximum(labels, 0)[..., None], axis=-1)[..., 0]
    counts = labels != -1
    return float((np.where(counts, -places, 0).sum(axis=1) / counts.sum(axis=1)).mean())


def teacher_in_words(by_letter, names):
    """One line: what the translated teacher costs on the test names, and on the students' training names."""
    new, read = (nats_per_letter(by_letter, *part) for part in (names.test, names.train))
    return f"the teacher itself: {new:.3f} on the test names, {read:.3f} on the students' training names"


def validation_by_alpha(found, arms, symbols):
    """A table in words: the validation NLL of these arms at each alpha, and that of so many equal probabilities.

    >>> found = type("Found", (), {"tried": {"sorted": [({"alpha": 0}, 10.6), ({"alpha": 0.5}, 2.8)]}})
    >>> print(validation_by_alpha(found, ["sorted"], 76))
    validation NLL (mean of all letters) at alpha 0, 0.5
    sorted              10.600, 2.800
    equal probabilities 4.331
    """
    alphas = ", ".join(f"{options['alpha']:g}" for options, _ in found.tried[arms[0]])
    lines = [f"{arm:19} {', '.join(f'{score:.3f}' for _, score in found.tried[arm])}" for arm in arms]
    return "\n".join(
        [
            f"validation NLL (mean of all letters) at alpha {alphas}",
            *lines,
            f"equal probabilities {np.log(symbols):.3f}",
        ]
    )


def pieces_explorer(names, said, pairs, letters):
    """Read a name letter by letter: what a teacher of pairs says, the letters that follow from it, and a student.

    `names`: language -> name; `said`: language -> `answers`. The made-up student has the teacher's probabilities, each
    at the wrong letter: see `wrong_letters`. The names of pairs that begin with the most probable letter are bold.
    """
    options = [(f"{tag}: {word}", tag) for tag, word in names.items()]
    reads = [(str(place), place) for place in range(min(len(each["letters"]) for each in said.values()))]
    controls = {
        "name": slider(ipywidgets.SelectionSlider, "Language and name", options=options, value=options[0][1]),
        "read": slider(ipywidgets.SelectionSlider, "Letters read", options=reads, value=0),
        "order": slider(ipywidgets.SelectionSlider, "Order of the bars", options=ORDERS, value="letter"),
    }
    shown_pairs, shown_letters = ([" ", "end", "?", *each.symbols] for each in (pairs, letters))

    def draw(figure, name, read, order):
        axes, text, p = two_axes(figure), names[name][:read], said[name]["letters"][read]
        q, best, begun = wrong_letters(p), p.argmax(), text[-1] if read % 2 else ""
        of_pairs = said[name]["pairs"][read // 2] * begin_with(shown_pairs, begun)
        look = {"ylim": (0, 1.2 * max(of_pairs.max(), p.max())), "ylabel": "probability"}
        top = _draw_pairs(axes[0], of_pairs, shown_pairs, begun, shown_letters[best], text, look)
        places = np.argsort(-np.maximum(p, q), kind="stable")[:SHOWN]
        bars, labels = (p[places], q[places]), [shown_letters[k] for k in places]
        if order == "sorted":
            bars, labels = [np.sort(each)[::-1][:SHOWN] for each in (p, q)], range(1, SHOWN + 1)
        groups = {"teacher": (bars[0], TEACHER), "made-up student": (bars[1], DISTILLED)}
        xlabel = f"next letter after '{text}'" if order == "letter" else "rank of the probability"
        class_bars(axes[1], groups, labels, **look | {"xlabel": xlabel})
        by_name, by_rank = f"by letter: KL {kl(p, q):.2f} nats", f"sorted: distance {sorted_l1(p, q):.2f}"
        axes[1].set_title(by_name if order == "letter" else by_rank, fontsize=10)
        legend(axes[1])
        return (
            f"{name}, after '{text}', bars by {order}. The best pair is '{shown_pairs[top[0]]}' "
            f"({of_pairs[top[0]]:.3f}), the best letter '{shown_letters[best]}' (teacher {p[best]:.3f}, student "
            f"{q[best]:.3f}). KL {kl(p, q):.3f} nats; distance of the sorted probabilities {sorted_l1(p, q):.3f}."
        )

    return Explorer(draw, controls)


def _draw_pairs(axes, of_pairs, shown_pairs, begun, best, text, look):
    """Draw the most probable pairs; those that begin with the letter `best` are bold, unless a pair is begun."""
    top = np.argsort(-of_pairs, kind="stable")[:SHOWN]
    look = look | {"xlabel": f"next pair after '{text[: len(text) - len(begun)]}'"}
    class_bars(axes, {"teacher": (of_pairs[top], TEACHER)}, [shown_pairs[k] for k in top], **look)
    with_best = begin_with(shown_pairs, best)
    for label, k in zip(axes.get_xticklabels(), top, strict=True):
        label.set_fontweight("bold" if with_best[k] and not begun else "normal")
    added = f"pairs that begin with '{begun or best}'"
    axes.set_title(f"teacher, {added}" if begun else f"teacher, {added}: {of_pairs @ with_best:.2f}", fontsize=10)
    return top


def begin_with(pieces, begun):
    """Which pieces begin with this letter: an array. "end", "?" and " " begin with themselves alone.

    >>> begin_with([" ", "end", "?", "ea", "a"], "e").tolist(), begin_with([" ", "end", "?", "ea", "a"], "end").tolist()
    ([False, False, False, True, False], [False, True, False, False, False])
    """
    return np.array([piece == begun or (number > UNKNOWN or not begun) and piece.startswith(begun)
                     for number, piece in enumerate(pieces)])  # fmt: skip


def wrong_letters(p):
    """The probabilities p, each at the letter that follows in the vocabulary; those of the other symbols stay.

    >>> wrong_letters(np.array([0, 0.1, 0, 0.6, 0.3])).tolist()
    [0.0, 0.1, 0.0, 0.3, 0.6]
    """
    return np.concatenate([p[:3], np.roll(p[3:], 1)])


def kl(p, q):
    """KL(p || q) in nats, each probability at least 1e-9."""
    p, q = np.maximum(p, 1e-9), np.maximum(q, 1e-9)
    return float((p * np.log(p / q)).sum())


def sorted_l1(p, q):
    """The distance of the sorted probabilities: the sum of |p - q|, rank by rank."""
    return float(np.abs(np.sort(p) - np.sort(q)).sum())


# The teacher says ta 0.3, te 0.1, to 0.2, so 0.4. It has read t: the probability of a.
check_second_letter_by_hand = Exercise(
    right=0.5,
    mistakes=[
        (0.3, "that is the probability of the pair, before the t was read: divide by that of all pairs with t."),
        (0.6, "that is the probability of the first letter t."),
        (0.18, "the pair's probability already contains the t's: divide, do not multiply."),
        (0.75, "divide by ta, te and to together: these three begin with t, and no other pair does."),
        (2.0, "the fraction is upside down."),
    ],
    otherwise="the probability of ta, divided by that of all pairs that begin with t.",
)
P = np.array([[0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.1, 0.6]])


def _with_bin(p, shown):
    p, shown = np.asarray(p), list(shown)
    return np.append(p[shown], 1 - p[shown].sum())


# function(p [classes], shown: the numbers of the shown classes) -> their probabilities, and that of all the rest
check_with_bin = Exercise(
    right=_with_bin,
    mistakes=[
        (lambda p, shown: p[list(shown)], "the rest is missing: append what is left to 1."),
        (
            lambda p, shown: p[list(shown)] / p[list(shown)].sum(),
            "that is renormalised: the rest has no bin of its own.",
        ),
        (lambda p, shown: np.append(p[list(shown)], p[list(shown)].sum()), "the last number is what is left to 1."),
        (lambda p, shown: np.append(p[list(shown)], 0.0), "the rest has a probability: what is left to 1."),
        (lambda p, shown: _with_bin(p, range(len(shown))), "take the classes with the numbers in `shown`."),
        (lambda p, shown: _with_bin(p, sorted(shown)), "right numbers, but not in the order of the list `shown`."),
    ],
    otherwise="first p at the numbers in `shown`, then one number: what they leave to 1.",
    inputs=[(P[0], [1, 0]), (P[1], [3, 1]), (P[0], [3, 0, 1])],
)


# function(p [names, time, symbols], labels, random) -> each probability at the next symbol, the last at the first one
check_renamed = Exercise(
    right=lambda p, labels, random: np.roll(p, 1, axis=-1),
    mistakes=[
        (lambda p, labels, random: np.roll(p, -1, axis=-1), "the other way: the letter after it gets the probability."),
        (lambda p, labels, random: np.roll(p, 1, axis=0), "that moves texts, not letters: the last axis."),
        (lambda p, labels, random: np.roll(p, 1, axis=1), "that moves places in the text, not letters: the last axis."),
        (lambda p, labels, random: np.roll(p, 1), "without an axis the rows run into each other: axis=-1."),
        (lambda p, labels, random: p, "each letter still has its own probability."),
        (lambda p, labels, random: np.sort(p, axis=-1), "sorting forgets the names; here each gets the wrong name."),
    ],
    otherwise="move the numbers one place along the last axis, as around a circle; NumPy has a function for it.",
    inputs=[(np.stack([P, P[::-1] ** 2, P**3]), None, None), (np.array([[[0.4, 0.1, 0.2, 0.05, 0.25]]]), None, None)],
)
