"""Page "What does the teacher know?": bars, words and images as the logits say; its exercises."""

import numpy as np
import pytest
from drawn import at, bars, ticks
from exercises import answers
from gallery import IMAGES, LOGITS, NAMES

from distill_edu import soft_targets
from distill_edu.pages import soft_targets as page
from distill_edu.pages.shared.picture import TEACHER


@pytest.mark.parametrize("t, example", [(1, 0), (4, 1)])
def test_the_bars_and_the_sentence_are_those_of_the_example_at_t(t, example):
    figure, words = at(page.temperature_explorer(LOGITS, NAMES, items=IMAGES), temperature=t, example=example)
    side, axes = figure.axes
    p = np.exp(LOGITS[example] / t) / np.exp(LOGITS[example] / t).sum()
    ((_, heights, colour),) = bars(axes)
    assert heights == pytest.approx(p) and colour == TEACHER.lower() and ticks(axes) == list(NAMES)
    assert axes.get_ylim() == (0, 1) and axes.get_title() == f"soft targets at T = {t}"
    (shown,) = side.images
    assert (
        (shown.get_array() == IMAGES[example, ..., 0]).all()
        and shown.get_clim() == (0, 1)
        and shown.get_cmap().name == "gray_r"
    )
    first, second = np.argsort(p)[::-1][:2]
    nats = -(p * np.log(p)).sum()
    assert words == (
        f"At T = {t} the teacher gives {NAMES[first]} {100 * p[first]:.1f}% and {NAMES[second]} "
        f"{100 * p[second]:.1f}%. "
        f"Entropy {nats:.2f} nats: as unsure as a fair choice among {np.exp(nats):.1f} classes."
    )


def test_a_word_stands_beside_its_own_bars():
    figure, _ = at(page.temperature_explorer(LOGITS, NAMES, ["Katze", "Hund"], ["label: cat", "_dog"]), example=1)
    assert [text.get_text() for text in figure.axes[0].texts] == ["Hund"]
    assert figure.axes[0].get_title().endswith("_dog")


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: page.temperature_explorer([[np.nan, 1]], "ab"), "contains NaN"),
        (lambda: page.temperature_explorer([[0.3, 0.7]], "ab"), "looks like probabilities"),
        (lambda: page.temperature_explorer(LOGITS, "ab"), "3 logits per example but 2 class names"),
        (lambda: page.temperature_explorer(LOGITS, NAMES, items=["a"]), "one item per row"),
        (lambda: page.temperature_explorer(LOGITS, NAMES, temperature=7), "one of the slider's stops"),
    ],
)
def test_wrong_arguments_get_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def most_similar(rows, c):
    return int(np.where(np.arange(rows.shape[1]) == c, -1, rows.mean(axis=0)).argmax())


test_exercises = answers(
    page,
    entropy_by_hand=(
        1.0397,
        [
            (1.5, "bits"),
            (-1.04, "never negative"),
            (3.466, "weight each"),
            (2.828, "number of classes"),
            (7, "-p ln"),
            (1.06, "-p ln"),
            ("x", "a number"),
        ],
    ),
    softmax=(
        lambda z: np.exp(z - z.max(1, keepdims=True)) / np.exp(z - z.max(1, keepdims=True)).sum(1, keepdims=True),
        [
            (np.exp, "do not sum to 1"),
            (lambda z: np.exp(z) / np.exp(z).sum(), "over all examples"),
            (lambda z: np.exp(z) / np.exp(z).sum(axis=0), "axis=0"),
            (lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), "overflows"),
            (lambda z: z / z.sum(axis=1, keepdims=True), "exp"),
            (lambda z: z.nothing, "AttributeError"),
            (lambda z: z, "then divide"),
            (lambda z: z[0], "shape"),
            (lambda z: soft_targets([[4, 1, -2], [0.5, 2.5, 1]]), "shape"),
        ],
    ),
    most_similar_class=(
        lambda p, y, c: most_similar(p[y == c], c),
        [
            (lambda p, y, c: p[y == c].mean(0).argmax(), "class itself"),
            (lambda p, y, c: most_similar(p[y == c][:1], c), "average the probabilities"),
            (lambda p, y, c: most_similar(p[y != c], c), "rows whose label"),
            (lambda p, y, c: most_similar(p[p.argmax(1) == c], c), "not by the answers"),
            (lambda p, y, c: np.argsort(p[y == c].mean(0))[-2], "second largest"),
            (lambda p, y, c: (c + 1) % 4, "number of one class"),
            (lambda p, y, c: 1.2, "number of one class"),
        ],
    ),
)
