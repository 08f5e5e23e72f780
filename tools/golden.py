"""Golden numbers: a dozen short trainings, whose results a change of the package must not move. `make golden`.

They let kept results travel: code that gives these numbers may use results that other code computed. With --accept the
numbers of today become the golden ones; then run `make retrain`, too.
"""

import dataclasses
import json
import os
import sys

import keras
import numpy as np

from distill_edu import (
    Classroom,
    Distiller,
    Vocabulary,
    as_letters,
    as_next_letter,
    compare,
    load_dataset,
    models,
    trained,
)
from distill_edu._inside.cache_key import GOLDEN, code_hash  # noqa: TID251 - it writes what the package reads
from distill_edu.hints import AttentionTransfer, Hint, RelationalAngle, RelationalDistance
from distill_edu.losses import Decoupled

TOLERANCE = 1e-3
SHORT = {"steps": 60, "seeds": 2, "tune": 1, "rate": 0.02, "progress": False}


def of(experiment):
    """arm -> the mean NLL of its students on the test set, in nats."""
    return {name: float(np.mean(nll.astype(float))) for name, nll in experiment.nll.items()}


def smoothed(targets, labels, random):
    return 0.9 * targets + 0.1 * random.permuted(targets, axis=1)


def of_digits():
    data = load_dataset("digits", labelled=0.5)
    teacher = trained(models.cnn, data, epochs=15, width=4)
    arms = {
        "labels": {"alpha": 1.0},
        "kl": {"temperature": [4.0, 2.0]},
        "reverse kl": {"soft_loss": "reverse_kl"},
        "decoupled": {"soft_loss": Decoupled(others=2)},
        "transfer": {"transfer": True},
        "targets": {"targets": smoothed, "rate": 0.005},
    }
    found = of(compare(data, teacher, models.mlp, arms, hidden=8, dropout=0.1, optimizer="nadam", **SHORT))
    hints = (Hint("pool2", "pool2"), AttentionTransfer("pool1", "pool1"), RelationalDistance("flatten", "flatten"))
    hints = {"hints": {"hints": (*hints, RelationalAngle("flatten", "flatten"))}}
    few = compare(data, teacher, models.cnn, hints, width=2, draw=40, batch_size=8, **{**SHORT, "seeds": 3})
    return found | of(few) | {"Distiller": by_keras(data, teacher), "Classroom": together(data, teacher)}


def by_keras(data, teacher):
    keras.utils.set_random_seed(1)
    distiller = Distiller(student=models.mlp(data, hidden=8), teacher=teacher)
    distiller.compile(keras.optimizers.SGD(0.02, momentum=0.9), temperature=3.0, alpha=0.4)
    return distiller.fit(*data.train, shuffle=False, verbose=0).history["loss"][0]


def together(data, teacher):
    keras.utils.set_random_seed(1)
    classroom = Classroom(students=[models.mlp(data, hidden=8) for _ in range(2)], teacher=teacher, temperatures=[1, 5])
    classroom.compile(keras.optimizers.Adam(0.02))
    return float(np.sum(classroom.fit(*data.train, shuffle=False, verbose=0).history["loss"][0]))


def of_letters():
    words = load_dataset("languages")
    vocabulary = Vocabulary("abcdefghijklmnopqrstuvwxyz")
    parts = {}
    for part in ("train", "valid", "test"):
        x, labels, _ = as_next_letter(vocabulary.encode([word.lower() for word in getattr(words, part)[0][:200]], 9))
        parts[part] = x, labels
    letters = dataclasses.replace(words, **parts, class_names=tuple(range(len(vocabulary))))
    students = {
        "GRU": lambda data: models.letter_gru(vocabulary, 8, length=8),
        "transformer": lambda data: models.letter_transformer(vocabulary, 8, width=8, depth=1, heads=2),
    }
    teacher = trained(students["GRU"], letters, epochs=20, optimizer=keras.optimizers.Adam(0.01))
    found = {}
    for name, build in students.items():
        found[name] = of(compare(letters, teacher, build, {"soft": {}}, judge="nll", **SHORT))["soft"]
    bag = words.map(as_letters)
    reader = trained(models.text_cnn, bag, epochs=1, width=4, train=(bag.train[0][:500], bag.train[1][:500]))
    some = dataclasses.replace(bag, train=(bag.train[0][:300], bag.train[1][:300]))
    return found | {"bag": of(compare(some, reader, models.bigram_bag, {"soft": {}}, **SHORT))["soft"]}


def numbers():
    """name -> number, of every training."""
    return {**of_digits(), **of_letters()}


if __name__ == "__main__":
    os.environ["DISTILL_EDU_KEPT"] = "none"
    golden, found = json.loads(GOLDEN.read_text()), numbers()
    moved = {
        name: (golden["numbers"].get(name), value)
        for name, value in found.items()
        if not np.isclose(golden["numbers"].get(name, np.nan), value, rtol=TOLERANCE)
    }
    for name, (old, new) in moved.items():
        print(f"{name:14} {old} -> {new:.6f}")
    if moved and "--accept" not in sys.argv:
        sys.exit("The code gives other numbers. Mend it, or accept them (--accept) and run `make retrain`.")
    if moved:
        golden["edition"] += any(name in golden["numbers"] for name in moved)  # keys have it: nothing kept is found
        golden["numbers"] = {name: round(value, 6) for name, value in found.items()}
    GOLDEN.write_text(json.dumps({**golden, "code": code_hash()}, indent=1) + "\n")
    print(f"{len(found)} golden numbers, {len(moved)} of them new")
