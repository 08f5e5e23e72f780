"""The playground's arithmetic once more, in NumPy: draws, targets, students. The tests compare the browser with it."""

import numpy as np

from distill_edu.pages.shared import playground
from tools.playground import LOGITS

POOL = playground.POOL
DEFAULT = {"says": "answers", "leftOut": 2, "images": 90, "temperature": 4, "alpha": 0, "teacher": "dense", "hidden": 0}


class Random:
    """xorshift32 (Marsaglia 2003), as in lesson.js."""

    def __init__(self, seed):
        self.state = ((int(seed) + 1) * 2654435761) % 2**32 or 1
        for _ in range(16):
            self()

    def __call__(self):
        state = self.state
        state ^= (state << 13) % 2**32
        state ^= state >> 17
        state ^= (state << 5) % 2**32
        self.state = state
        return state / 2**32


def draw(count, items, random):
    items = list(items)
    for i in range(count):
        j = i + int(random() * (len(items) - i))
        items[i], items[j] = items[j], items[i]
    return items[:count]


def softmax(z, temperature=1.0):
    powers = np.exp((z - z.max(axis=-1, keepdims=True)) / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


def targets_of(says, logits, labels, temperature, random):
    p = softmax(logits, temperature)
    if says == "another":
        same = [list(np.flatnonzero(labels == label)) for label in labels]
        return np.array([p[rows[(rows.index(i) + 1) % len(rows)]] for i, rows in enumerate(same)])
    for row in p if says != "answers" else ():
        top, others = row.argmax(), np.flatnonzero(np.arange(10) != row.argmax())
        if says == "first":
            row[:] = np.arange(10) == top
        if says == "equal":
            row[others] = (1 - row[top]) / 9
        if says == "shuffled":
            row[others] = row[others][draw(9, range(9), random)]
    return p


def train(x, labels, targets, temperature, alpha, hidden, random, steps):
    """Full-batch gradient descent: the weights [784, 10], or [784, hidden] and [hidden, 10]."""
    y, sizes = np.eye(10)[labels], [784, hidden, 10] if hidden else [784, 10]
    weights = [np.zeros((784, 10))]
    if hidden:
        shapes = zip(sizes[:-1], sizes[1:], strict=True)
        weights = [[(6 / (a + b)) ** 0.5 * (2 * random() - 1) for _ in range(a * b)] for a, b in shapes]
        weights = [np.reshape(values, (-1, units)) for values, units in zip(weights, sizes[1:], strict=True)]
    for _ in range(steps):
        active = np.maximum(x @ weights[0], 0) if hidden else x
        z = active @ weights[-1]
        error = alpha * (softmax(z) - y) + (1 - alpha) * temperature * (softmax(z, temperature) - targets)
        error_of_units = (error @ weights[-1].T) * (active > 0)
        weights[-1] = weights[-1] - 0.1 * active.T @ error / len(x)
        if hidden:
            weights[0] = weights[0] - 0.1 * x.T @ error_of_units / len(x)
    return weights


def lesson(number, steps=500, **settings):
    """The lesson that the page trains at these settings: {which, targets, students: [{weights, right, unseen}]}."""
    its = DEFAULT | settings
    levels, labels = playground.images()
    x, random = levels / playground.LEVELS, Random
    which = draw(its["images"], np.flatnonzero(labels[:POOL] != its["leftOut"]), random(number))
    logits = LOGITS[its["teacher"]](playground.teachers()[its["teacher"]][0], x[which])
    targets = targets_of(its["says"], logits, labels[which], its["temperature"], random(number + 1e6))
    students = []
    for temperature, alpha in ((1, 1), (its["temperature"], its["alpha"])):
        start = random(number + 2e6)
        weights = train(x[which], labels[which], targets, temperature, alpha, its["hidden"], start, steps)
        z = np.maximum(x[POOL:] @ weights[0], 0) @ weights[1] if its["hidden"] else x[POOL:] @ weights[0]
        right, unseen = z.argmax(axis=1) == labels[POOL:], labels[POOL:] == its["leftOut"]
        students.append({"weights": weights, "right": int(right.sum()), "unseen": int(right[unseen].sum())})
    return {"which": [int(i) for i in which], "targets": targets, "students": students}
