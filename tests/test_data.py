"""The data sets: parts that never overlap, the same on every machine; letters and vocabularies by hand."""

import hashlib

import numpy as np
import pytest

from distill_edu import Vocabulary, as_letters, as_next_letter, load_dataset
from distill_edu.data import END, LANGUAGES, LETTERS, PADDING, UNKNOWN, running_sums

FAMILIES = {
    "Germanic": "English German Dutch Swedish Danish Norwegian",
    "Romance": "French Spanish Portuguese Italian Catalan Romanian",
    "Slavic": "Polish Czech Slovak Slovenian",
    "Finnic": "Finnish Estonian",
    "Turkic": "Turkish Azerbaijani",
}
DIGESTS = {
    "mnist5k": "91be2eca9107",
    "digits": "7f54e80fd4b2",
    "languages": "49ffe33e479c",
    "spirals": "4f9651d6ceec",
    "sums": "815dd7a20bdc",
}
OFFLINE = list(DIGESTS)


@pytest.fixture(scope="module", params=OFFLINE)
def data(request):
    return load_dataset(request.param, labelled=0.25)


def rows(x):
    return [row.tobytes() if x.dtype.kind == "f" else str(row) for row in x]


def digest(texts, length=12):
    return hashlib.sha256(b"".join(texts)).hexdigest()[:length]


@pytest.mark.nightly
def test_the_parts_never_overlap_and_are_60_10_30_percent(data):
    parts = [data.train[0], data.valid[0], data.test[0], data.transfer]
    train, valid, test, transfer = (len(x) for x in parts)
    total = train + valid + test + transfer
    assert (train + transfer) / total == pytest.approx(0.6, abs=0.01)
    assert test / total == pytest.approx(0.3, abs=0.01)
    assert train / (train + transfer) == pytest.approx(0.25, abs=0.02)
    # Images can be equal by chance in no data set here; names of one thing are spelled alike in several languages.
    lists = [[name.casefold() for name in x] if data.name == "languages" else rows(x) for x in parts]
    sets = [set(each) for each in lists]
    assert sum(len(each) for each in (sets if data.name == "languages" else lists)) == len(set().union(*sets))


@pytest.mark.nightly
def test_the_parts_are_stratified_and_shuffled(data):
    shares = [np.bincount(y, minlength=len(data.class_names)) / len(y) for _, y in (data.train, data.valid, data.test)]
    assert np.abs(shares[0] - shares[2]).max() < 0.01 and np.abs(shares[1] - shares[2]).max() < 0.01
    by_chance = 1 - (shares[0] ** 2).sum()  # how often two neighbours differ in a random order
    assert (np.diff(data.train[1]) != 0).mean() > 0.8 * by_chance


@pytest.mark.nightly
def test_images_are_float32_in_0_1_and_labels_are_integers():
    for name, side in (("mnist5k", 28), ("digits", 8)):
        x, y = load_dataset(name).train
        assert x.dtype == np.float32 and x.shape[1:] == (side, side, 1) and y.dtype == np.int32
        assert x.min() == 0 and x.max() == 1


@pytest.mark.nightly
@pytest.mark.parametrize("name", OFFLINE)
def test_the_same_seed_gives_the_same_split_on_every_machine(name):
    data = load_dataset(name, seed=3)
    split = []
    for x, y in (data.train, data.valid, data.test):
        # Not the spirals' x: a sine may differ in its last bit between machines.
        split += rows(x) if name != "spirals" else [y.astype("<i4").tobytes()]
    assert digest(row if isinstance(row, bytes) else row.encode() for row in split) == DIGESTS[name]


def test_a_different_seed_gives_a_different_split():
    assert (load_dataset("digits", seed=0).test[1] != load_dataset("digits", seed=1).test[1]).any()


def test_the_labelled_part_is_a_part_of_what_all_labels_would_be():
    digests = []
    for name in ("digits", "languages"):
        part, whole = load_dataset(name, labelled=0.2), load_dataset(name)
        assert set(rows(part.train[0])) <= set(rows(whole.train[0])) and rows(part.test[0]) == rows(whole.test[0])
        digests.append(digest((str(label).encode() for label in part.train[1]), 8))
    assert digests == ["35de8c69", "d781b0ee"]  # the same subset on every machine
    data = load_dataset("digits")
    assert data.transfer is None and "train" in repr(data) and "transfer" not in repr(data)


def test_every_concept_has_a_name_in_every_language_and_stays_in_one_part():
    data = load_dataset("languages")
    for x, y in (data.train, data.valid, data.test):
        assert len(x) % 20 == 0 and (np.bincount(y) == len(x) // 20).all()
        assert (y.reshape(-1, 20) == np.arange(20)).all()  # a concept's twenty names follow each other
    names = set(np.concatenate([x for x, _ in (data.train, data.valid, data.test)]))
    assert {"France", "Frankreich", "Francia"} <= names and len(data.class_names) == 20
    assert dict(LANGUAGES.values()) == {name: family for family, names in FAMILIES.items() for name in names.split()}


def test_spirals_are_three_arms_with_a_little_noise_from_their_seed():
    (x, y), (other, _) = load_dataset("spirals").train, load_dataset("spirals", seed=1).train
    assert x.shape == (1800, 2) and not np.isin(x, other).any()
    radius, angle = np.linalg.norm(x, axis=1), np.arctan2(x[:, 1], x[:, 0])
    straight = (angle - 2 * np.pi * (0.75 * radius + y / 3) + np.pi) % (2 * np.pi) - np.pi  # the angle from its own arm
    # Noise along the circle, and noise of the radius, with which the arm turns on.
    spread = 0.06 * np.sqrt(1 + (2 * np.pi * 0.75 * np.linspace(0.1, 1, 1000)) ** 2).mean()
    assert np.abs(radius * straight).mean() == pytest.approx(spread * np.sqrt(2 / np.pi), rel=0.1)
    assert radius.min() < 0.2 and radius.max() == pytest.approx(1.1, abs=0.15)


def test_the_sums_are_eight_digits_and_the_last_digit_of_their_sum():
    data = load_dataset("sums")
    for x, y in (data.train, data.valid, data.test):
        assert all(len(question) == 9 and question[:8].isdigit() and question[8] == "=" for question in x[:500])
        assert [sum(int(digit) for digit in question[:8]) % 10 for question in x[:500]] == y[:500].tolist()
    first = [int(question[0]) for question in data.train[0]]
    assert np.bincount(first, minlength=10).min() > 0.08 * len(first)  # 00000000 to 99999999
    assert data.class_names == tuple("0123456789")
    assert running_sums("4936=") == "4362" and running_sums("90") == "99" and running_sums("55555555=") == "50505050"


def test_a_download_that_fails_names_the_offline_choice(monkeypatch):
    import keras

    def fail():
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", fail)
    with pytest.raises(OSError, match='could not be downloaded .URL fetch failure.*load_dataset."mnist5k".'):
        load_dataset("mnist")


def test_a_download_that_works_keeps_keras_test_set(monkeypatch):
    import keras

    x, y = np.arange(400, dtype=np.uint8).reshape(100, 2, 2) % 255, np.arange(100) % 10
    parts = (x[:80], y[:80]), (x[80:], y[80:])
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", lambda: parts)
    data = load_dataset("fashion_mnist")
    clothes = "T-shirt trousers pullover dress coat sandal shirt sneaker bag"
    assert data.class_names == (*clothes.split(), "ankle boot")
    assert np.allclose(data.test[0][..., 0], x[80:] / 255) and len(data.valid[1]) == 10 and len(data.train[1]) == 70


# --- letters --------------------------------------------------------------------------------------------------------


def test_words_become_numbers_of_letters_with_ends():
    letters = as_letters(["Ab", "", "Ünï€", "x" * 99], length=6)
    assert letters.tolist()[:2] == [[32, 97, 98, 32, 0, 0], [32, 32, 0, 0, 0, 0]]
    assert letters.tolist()[2:] == [[32, 0xFC, 110, 0xEF, 1, 32], [32] + 5 * [120]]
    assert as_letters(["\u030f\u0310"], length=4).tolist() == [[32, LETTERS - 1, 1, 32]]
    assert letters.dtype == "int32" and letters.max() < LETTERS == 0x310 and as_letters([]).shape == (0, 24)
    used = set("".join(load_dataset("languages").train[0]).lower())
    assert not {letter for letter in used if ord(letter) >= LETTERS and letter.isalpha()}


def test_map_changes_every_x_and_no_y():
    data = load_dataset("languages", labelled=0.2)
    mapped = data.map(as_letters)
    for part in ("train", "valid", "test"):
        (x, y), (words, labels) = getattr(mapped, part), getattr(data, part)
        assert (x == as_letters(words)).all() and y is labels
    assert (mapped.transfer == as_letters(data.transfer)).all() and mapped.class_names == data.class_names
    assert load_dataset("languages").map(as_letters).transfer is None


def test_a_vocabulary_by_hand():
    vocabulary = Vocabulary(["<it>", *"abc"])
    rows = vocabulary.encode([["<it>", *"cab"], "abcabc", "a?"], 5)
    assert rows.tolist() == [[3, 6, 4, 5, END], [4, 5, 6, 4, 5], [4, UNKNOWN, END, PADDING, PADDING]]
    assert rows.dtype == np.int32 and len(vocabulary) == 7 and vocabulary.symbols == ("<it>", "a", "b", "c")
    assert vocabulary.encode(["ab"], 3, end=False).tolist() == [[4, 5, PADDING]]
    assert vocabulary.decode(rows) == ["<it>cab", "abcab", "a\N{REPLACEMENT CHARACTER}"]
    assert vocabulary.decode(rows[:, 1:]) == ["cab", "bcab", "\N{REPLACEMENT CHARACTER}"]
    assert vocabulary.decode([[-1, 4, 5, -1, PADDING]]) == ["ab"]  # -1: no label
    assert vocabulary.decode([[END, 4, 5]]) == [""] and vocabulary.encode([], 3).shape == (0, 3)
    assert vocabulary.decode([]) == []


@pytest.mark.parametrize("dtype", ["int64", "uint8", "uint64"])
def test_the_next_letter_is_one_step_later_and_counts_nowhere_in_prompt_and_padding(dtype):
    rows = np.array([[3, 4, 5, END, PADDING], [6, 5, 4, 3, 5]], dtype)
    x, labels, mask = as_next_letter(rows)
    assert x.tolist() == [[3, 4, 5, END], [6, 5, 4, 3]]
    assert labels.tolist() == [[4, 5, END, -1], [5, 4, 3, 5]]
    assert mask.tolist() == [[True, True, True, False], [True] * 4]
    x, labels, mask = as_next_letter(rows, prompt=3)
    assert labels.tolist() == [[-1, -1, END, -1], [-1, -1, 3, 5]] and (mask == (labels != -1)).all()


@pytest.mark.parametrize(
    "call, error, sentence",
    [
        (lambda: load_dataset("minst"), ValueError, "no data set 'minst'. Choose one of: mnist5k, digits, languages"),
        *((lambda n=n: load_dataset("digits", labelled=n), ValueError, "share of training") for n in (0, 1.5, -1)),
        (lambda: Vocabulary([]), ValueError, "none of them twice"),
        (lambda: Vocabulary("aba"), ValueError, "none of them twice"),
        (lambda: as_next_letter([1, 2]), ValueError, r"rows must be rows \[n, length\]"),
        (lambda: as_next_letter([[1, 2], [1]]), ValueError, "rows must be rows of the same length"),
        (lambda: Vocabulary("ab").decode([3, 4]), ValueError, r"give one row as \[row\]"),
        (lambda: as_next_letter([[0.5, 2.0]]), ValueError, "rows must be integers"),
        (lambda: as_next_letter([[1, 2]], prompt=0), ValueError, "prompt must be a whole number"),
        (lambda: Vocabulary("ab").encode("ab", 3), TypeError, "a list of texts"),
        (lambda: Vocabulary("ab").encode([b"ab"], 3), TypeError, "a list of texts"),
        (lambda: Vocabulary("ab").encode(np.array([[3, 1]]), 3), TypeError, "a list of texts"),
        (lambda: Vocabulary("ab").encode([3], 3), TypeError, "a list of texts"),
        (lambda: Vocabulary("ab").encode(["ab"], 0), ValueError, "length must be"),
        *(
            (lambda n=n: Vocabulary("ab").decode([[3, n]]), ValueError, f"{n} is the number of no")
            for n in (-2, 5, 3.5)
        ),
    ],
)
def test_wrong_use_gets_a_sentence(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
