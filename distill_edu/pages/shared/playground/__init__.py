"""The playground: two students learn from real digits in the reader's browser, on the web site and in a notebook.

The scripts beside this file compute and draw; `lesson.js` is the arithmetic. `teachers.npz` is written by
`tools/playground.py`.
"""

import base64
import html
import json
import re
import zlib
from functools import cache
from pathlib import Path

import numpy as np

from distill_edu.data import load_dataset
from distill_edu.pages.shared.picture import DISTILLED, HARD, Picture, legend
from distill_edu.probabilities import soft_targets

HERE = Path(__file__).parent
SCRIPTS = ("lesson.js", "digits.js", "pictures.js", "page.js", "view.js", "playground.js")
POOL, FRESH, LEVELS = 1000, 1000, 15  # images to learn from, new images, the grey level of white
SHOWN = 2  # the digit that is left out at first


def sentences():
    """Return language -> name -> sentence."""
    return json.loads((HERE / "sentences.json").read_text("utf-8"))


def style():
    return (HERE / "playground.css").read_text("utf-8")


def script():
    """Return all scripts as one, without indents and comments: it needs no other file but the digits."""
    table = json.dumps(sentences(), ensure_ascii=False, separators=(",", ":"))
    parts = "\n".join((HERE / name).read_text("utf-8") for name in SCRIPTS)
    parts = re.sub(r"^\s*(//|/\*\*).*\n|^\s+|  //.*$", "", parts, flags=re.MULTILINE)
    return f'(() => {{\n"use strict";\nconst SENTENCES = {table};\n{parts}}})();\n'


@cache
def images():
    """Return grey levels 0 to 15 (uint8, [POOL + FRESH, 784]) and labels: training images, then test images."""
    data = load_dataset("mnist5k")
    (x, y), (x_new, y_new) = data.train, data.test
    levels = np.rint(np.concatenate([x[:POOL], x_new[:FRESH]]).reshape(-1, 784) * LEVELS)
    return levels.astype("uint8"), np.concatenate([y[:POOL], y_new[:FRESH]]).astype("uint8")


def teachers():
    """Return name -> (layers, right answers on the new images); a layer: (scales, biases, int8 weights)."""
    with np.load(HERE / "teachers.npz", allow_pickle=False) as file:
        counts = {"dense": 2, "convolutional": 3}
        return {
            name: (
                [tuple(file[f"{name} {i} {part}"] for part in ("scales", "biases", "weights")) for i in range(count)],
                int(file[f"{name} right"]),
            )
            for name, count in counts.items()
        }


@cache
def digits():
    """Return images, labels and teachers as the text that `unpack` in digits.js reads: base64 of deflated bytes.

    17 uint16: images to learn from, new images, hidden units, filters of both convolutions, right answers of each
    teacher; for each digit the new image of which the dense teacher is surest (sought here, as a browser would stand
    still meanwhile). Then each layer (float32 scales, float32 biases, int8 weights [inputs, units]), labels, images.
    """
    levels, labels = images()
    sure = soft_targets(_dense_logits()[POOL:], 1) * (labels[POOL:, np.newaxis] == np.arange(10))
    (dense, dense_right), (convolutional, convolutional_right) = teachers().values()
    widths = [len(biases) for _, biases, _ in (dense[0], *convolutional[:2])]
    sizes = np.array([POOL, FRESH, *widths, dense_right, convolutional_right, *POOL + sure.argmax(axis=0)], "uint16")
    layers = [part for layer in (*dense, *convolutional) for part in layer]
    parts = b"".join(part.tobytes() for part in (sizes, *layers, labels, levels))
    return base64.b64encode(zlib.compress(parts, 9)).decode()


def still():
    """Draw ten pairs of linear students of ninety images without a 2: for readers without a browser's script."""
    figure = Picture(7, 2.8)
    _draw_counts(figure.add_axes((0.08, 0.2, 0.46, 0.68)))
    _draw_weights(figure, 0.58, 0.2)
    return figure


def stills():
    """Draw `still` as two pictures: on a phone they come one below the other."""
    counts, weights = Picture(4, 2.8), Picture(3, 2.8)
    _draw_counts(counts.add_axes((0.14, 0.2, 0.8, 0.68)))
    _draw_weights(weights, 0.02, 0.467)
    return counts, weights


def captions():
    """Return language -> the sentence below the still, with the numbers that it shows."""
    counts = {who: (min(known), max(known)) for who, known in _counts().items()}
    (labels, teacher), of = ("–".join(map(str, dict.fromkeys(ends))) for ends in counts.values()), len(_ten_pairs()[1])
    return {name: table["still"].format(of=of, labels=labels, teacher=teacher) for name, table in sentences().items()}


@cache
def _ten_pairs():
    """Whose student -> its weights in ten draws; and the new images of the digit that was left out."""
    levels, labels = images()
    x, logits = levels / LEVELS, _dense_logits()
    others = np.flatnonzero(labels[:POOL] != SHOWN)
    rows = [np.random.default_rng(number).choice(others, 90, replace=False) for number in range(10)]
    lessons = {"labels’": (np.eye(10)[labels], 1), "teacher’s": (soft_targets(logits, 4), 4)}
    trained = {name: [_train(x[i], targets[i], T) for i in rows] for name, (targets, T) in lessons.items()}
    return trained, x[POOL:][labels[POOL:] == SHOWN]


def _dense_logits():
    """The dense teacher's logits of all images."""
    scales, biases, weights = zip(*teachers()["dense"][0], strict=True)
    first, last = (w * s.astype("float64") for w, s in zip(weights, scales, strict=True))
    return np.maximum(images()[0] / LEVELS @ first + biases[0], 0) @ last + biases[1]


def _train(x, targets, temperature):
    """A linear student's weights after 500 steps, as on page 01."""
    weights = np.zeros((x.shape[1], 10))
    for _ in range(500):
        weights -= 0.1 * temperature * x.T @ (soft_targets(x @ weights, temperature) - targets) / len(x)
    return weights


def _counts():
    """Whose student -> how many of the unseen digits it recognises in each draw."""
    trained, unseen = _ten_pairs()
    return {
        who: [int(((unseen @ each).argmax(axis=1) == SHOWN).sum()) for each in weights]
        for who, weights in trained.items()
    }


def _draw_counts(axes):
    for (who, known), marker, colour in zip(_counts().items(), "oD", (HARD, DISTILLED), strict=True):
        axes.plot(range(1, 11), known, marker, color=colour, label=f"the {who} student")
    of = len(_ten_pairs()[1])
    axes.set(ylim=(-3, of), xticks=range(1, 11), xlabel="pair")
    axes.set_title(f"new {SHOWN}s that each student recognises, of {of}", fontsize=10)
    legend(axes, loc="center right", frameon=True)


def _draw_weights(figure, left, width):
    """Draw the weights of the first pair for the digit that was left out, from `left` on."""
    for k, (who, weights) in enumerate(_ten_pairs()[0].items()):
        picture = weights[0][:, SHOWN].reshape(28, 28)
        axes = figure.add_axes((left + 1.05 * width * k, 0.2, width, 0.55))
        axes.imshow(picture, cmap="PuOr", vmin=-abs(picture).max(), vmax=abs(picture).max())
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"weights for the {SHOWN}:\nthe {who} student", fontsize=9)


class Playground:
    """Two students learn in the browser. A notebook shows HTML; a stored notebook keeps a picture and a line of text.

    The digits travel inside the HTML: it needs no kernel and no network.
    """

    def __repr__(self):
        return "<playground: two students learn in the browser>"

    def _repr_html_(self):
        return inline()

    def _repr_png_(self):
        return still()._repr_png_()


def box(picture="", digits_at=None):
    """Return the element in which a playground starts, around a still picture.

    `digits_at`: the address of a script with the digits; the page's script loads it when the element nears the screen.
    """
    place = f' data-digits="{digits_at}"' if digits_at else ""
    below = "".join(
        f'<figcaption lang="{language.replace("_", "-")}">{html.escape(caption)}</figcaption>'
        for language, caption in captions().items()
    )
    return f'<div class="distill-playground"{place}><figure class="still"><div>{picture}</div>{below}</figure></div>'


def inline(picture="", options="{address: false}"):
    """Return a playground as one piece of HTML that needs no other file."""
    start = f'distillPlayground.start(document.currentScript.previousElementSibling, "{digits()}", {options});'
    return f"<style>{style()}</style>{box(picture)}<script>{script()}{start}</script>"
