"""Every slider of the pages on small made data, for test_explorers.py, the tests of the pages and the browser.

The data tell right from wrong: validation and test prefer different models, a median differs from a maximum.
"""

import itertools

import numpy as np
import pandas

from distill_edu.data import Vocabulary
from distill_edu.pages.ask_more import copies_explorer
from distill_edu.pages.ask_the_teacher import cascade_explorer
from distill_edu.pages.few_bits import levels_explorer
from distill_edu.pages.foreign_teacher import list_explorer
from distill_edu.pages.hints import attention_explorer
from distill_edu.pages.other_letters import pieces_explorer
from distill_edu.pages.shared.loss import loss_explorer
from distill_edu.pages.shared.pairs import pairs_explorer
from distill_edu.pages.smaller_models import tradeoff_explorer
from distill_edu.pages.soft_targets import mistakes_explorer, temperature_explorer
from distill_edu.pages.text import word_explorer
from distill_edu.pages.through_noise import noise_explorer
from distill_edu.pages.train_step import learning_explorer
from distill_edu.pages.unseen_digit import bias_explorer
from distill_edu.pages.when_it_fails import trust_explorer
from distill_edu.pages.which_temperature import sweep_explorer
from distill_edu.pages.whose_words import peaks_explorer
from distill_edu.pages.working import writing_explorer
from distill_edu.pages.write import names_explorer

SWEEP = pandas.DataFrame(
    [
        {"size": size, "alpha": alpha, "temperature": t, "seed": seed}
        | {"valid_accuracy": 0.7 + size / 100 + alpha / 20 - t / 100 + seed * t / 1000}
        | {"test_accuracy": 0.6 + size / 100 - alpha / 10 + t / 50 + seed**2 * t / 2000}
        for size, alpha, t, seed in itertools.product([4, 16], [0.0, 0.5], [1.0, 2.0, 8.0], range(3))
    ]
)
BETTER = {"teacher": (0.05, 0.06), "hard labels": (0, 0.03), "distilled, int8": (0.03, -0.02)}  # valid, test
CARDS = pandas.DataFrame(
    [
        {"technique": name, "size": size, "seed": seed, "bytes": 1000 * size * kb, "us": 3.0 + size * work + seed**2}
        | {"valid_accuracy": 0.8 + BETTER[name][0] + size / 100 + seed / 200}
        | {"test_accuracy": 0.8 + BETTER[name][1] + size / 100 + seed**2 / 200}
        for name, kb, work in (("teacher", 1, 4), ("hard labels", 4, 4), ("distilled, int8", 1, 1))  # small, and slow
        for size in ([8] if name == "teacher" else [2, 4, 8])
        for seed in range(1 if name == "teacher" else 3)
    ]
)
CASCADE = pandas.DataFrame(
    {
        "threshold": [0, 0.3, 0.55, 0.93, 1],
        "teacher_share": [0, 0.1, 0.35, 0.8, 1],
        "accuracy": [0.78, 0.81, 0.85, 0.91, 0.89],
    }
)
ALONE = {"student": (10.0, 0.78), "teacher": (80.0, 0.89)}
SEEN = np.random.RandomState(0).randn(30, 3) * 2
LABELS = np.arange(30) % 3
NAMES = ("cat", "dog", "car")
LOGITS = np.array([[6.0, 2.0, -1.0], [0.5, 1.0, 0.0]])
IMAGES = np.linspace(0, 1, 2 * 8 * 8).reshape(2, 8, 8, 1)
MAPS = np.stack([np.arange(16.0).reshape(4, 4) / 1240**0.5, np.diag([0.5, 0.5, 0.5, 0.5])])
DISTILLED, HARD = [0.9, 0.8, 0.95, 0.7], [0.85, 0.82, 0.9, 0.6]
TEACHERS = {3000: 0.9, 60: 0.5}
TRUST = {  # [seeds, examples], right or not
    "labels": np.array([[1, 1, 0, 1], [1, 0, 1, 1]]),
    (3000, 0): np.array([[1, 1, 1, 1], [1, 1, 1, 0]]),
    (60, 0): np.array([[1, 0, 0, 0], [1, 1, 0, 0]]),
    (3000, 0.5): np.array([[1, 1, 0, 1], [1, 1, 1, 1]]),
    (60, 0.5): np.array([[1, 1, 0, 0], [1, 1, 0, 1]]),
}
SPELLERS = {
    "teacher": lambda letters: [[np.count_nonzero(letters) - 2, 3, 1]],  # without the spaces at both ends
    "student": lambda letters: [[1, np.count_nonzero(letters) - 2, 2]],
    "third": lambda letters: [[-1, 1, np.count_nonzero(letters) - 2]],
}
COPIES = {  # which of nine images each of three students is right about
    name: {count: np.arange(27).reshape(3, 9) ** 2 % 10 < level + count / 100 for count in (0, 300)}
    for name, level in (("asked", 5), ("old answers", 4), ("hard labels", 2))
}
SOME_WEIGHTS = np.random.RandomState(2).randn(12, 8) / 5
ROUNDED = {  # which of four images each of three networks is right about
    (bits, clip): (np.arange(12).reshape(3, 4) * step + bits) % 7 < bits + 2 * clip
    for bits, clip, step in ((4, 1, 1), (4, 0.5, 2), (2, 1, 3), (2, 0.5, 4))
}
ASKED_LABELS = np.array([1, 2, 1, 0, 3])
NOISY = np.random.RandomState(1).rand(5, 8, 8, 1)
NOISE_SAID = {  # updates -> share -> what each of three students answers
    updates: {share: np.random.RandomState(updates + int(9 * share)).randint(4, size=(3, 5)) for share in (0, 0.5)}
    for updates in (25, 50)
}
NOISE_SAID[50][0][0] = ASKED_LABELS


LISTS = {"dog": ["Hund", "chien", "$c_", "x" * 70], "cat": ["Katze", "chat", "gato", "kot"]}
LIST_ACCURACY = {1: 0.25, 4: 0.875}


def by_commas(texts):
    """Probabilities of NAMES: the more names a text has, the more a cat."""
    return [
        [text.count(",") + 1, 1, len(text) % 3 + 1] / np.float64(text.count(",") + 3 + len(text) % 3) for text in texts
    ]


def adder(writes, sure):
    """A model that writes these symbols and the end, each with the probability `sure`; backwards to other questions."""
    outcomes = [*map(int, writes), 10]
    p = np.full((len(outcomes), 11), (1 - sure) / 10)
    p[np.arange(len(outcomes)), outcomes] = sure
    return lambda question: (writes, p) if question == "49633779=" else (writes[::-1], p[::-1])


ADDERS = {"teacher": adder("43258528", 0.9), "traces": adder("43258527", 0.6), "answers": adder("8", 0.3)}
WRITTEN = {  # writer -> language -> [(letters of the writer, letters of its draft)]
    "labels": {"Finnish": [("suomi", " " * 5)] * 8, "Italian": [("$roma_" * 2, " " * 12)] * 8},
    "soft": {"Finnish": [("suo mi", " " * 6)] * 8, "Italian": [("italia nova", " " * 11)] * 8},
    "teacher": {
        "Finnish": [("s   i   n", " uom  ma "), *[("   k", "sak ")] * 7],
        "Italian": [("    e    no", "mars igli  "), *[("r", " ")] * 7],
    },
}
TWINS = {"labels": np.array([[0, 1], [0, 0], [1, 1]]), "answers": np.array([[1, 1], [0, 1], [1, 0]])}
LETTERS, PAIRS = Vocabulary("abc"), Vocabulary(["ab", "ac", "ba", "c"])
SPELLED = {"one": "ab", "two": "ca"}
ANSWERS = {
    "one": {
        "pairs": np.array([[0, 0.1, 0, 0.4, 0.2, 0.25, 0.05], [0, 0.3, 0, 0.1, 0.1, 0.2, 0.3]]),
        "letters": np.array([[0, 0.1, 0, 0.6, 0.25, 0.05], [0, 0, 0, 0, 0.7, 0.3], [0, 0.3, 0, 0.2, 0.2, 0.3]]),
    },
    "two": {
        "pairs": np.array([[0, 0.05, 0, 0.1, 0.15, 0.3, 0.4], [0, 0.2, 0, 0.2, 0.1, 0.4, 0.1]]),
        "letters": np.array([[0, 0.05, 0, 0.25, 0.3, 0.4], [0, 0.9, 0, 0.1, 0, 0], [0, 0.2, 0, 0.3, 0.4, 0.1]]),
    },
}
TWENTY = [f"n{i}" for i in range(20)]
GALLERY = {
    "temperature": lambda: temperature_explorer(LOGITS[0], NAMES),
    "temperature of words": lambda: temperature_explorer(LOGITS, NAMES, items=["Katze", "a < b & c"]),
    "temperature of images": lambda: temperature_explorer(LOGITS, NAMES, items=IMAGES),
    "temperature of 20 classes": lambda: temperature_explorer(np.arange(20.0) - 9, TWENTY),
    "mistakes": lambda: mistakes_explorer(IMAGES, TWINS),
    "loss": lambda: loss_explorer(LOGITS[0], LOGITS[1], 0, NAMES),
    "loss with alpha": lambda: loss_explorer(LOGITS[0], LOGITS[1], 0, NAMES, alpha=0.1),
    "sweep": lambda: sweep_explorer(SWEEP),
    "pairs": lambda: pairs_explorer(DISTILLED, HARD),
    "trust": lambda: trust_explorer(TEACHERS, TRUST),
    "trade-off": lambda: tradeoff_explorer(CARDS),
    "cascade": lambda: cascade_explorer(CASCADE, (0.22, 0.94), **ALONE),
    "bias": lambda: bias_explorer({0: SEEN, 2: SEEN[:, ::-1] + [0, 1, 0]}, LABELS, NAMES),
    "attention": lambda: attention_explorer(
        IMAGES, {"teacher": MAPS, "student": MAPS[::-1], "with a hint": MAPS.swapaxes(1, 2) / 2}
    ),
    "copies": lambda: copies_explorer(COPIES, IMAGES, LOGITS, NAMES),
    "levels": lambda: levels_explorer(ROUNDED, SOME_WEIGHTS),
    "noise": lambda: noise_explorer(NOISE_SAID, NOISY, ASKED_LABELS, NOISY[0], 0.9),
    "working": lambda: writing_explorer(ADDERS, "49633779"),
    "lists": lambda: list_explorer(by_commas, LISTS, NAMES, LIST_ACCURACY),
    "names": lambda: names_explorer(WRITTEN, "Finnish"),
    "pieces": lambda: pieces_explorer(SPELLED, ANSWERS, PAIRS, LETTERS),
    "peaks": peaks_explorer,
    "word": lambda: word_explorer(SPELLERS, NAMES, "cat"),
    "learning": lambda: learning_explorer((IMAGES, [0, 1]), [[LOGITS, LOGITS / 2]] * 2, NAMES),
}
