"""Page "What does the teacher know?": its students, the squares of their mistakes, the bars, the names."""

import numpy as np
import pytest
from drawn import at, bars, ticks
from gallery import IMAGES, LOGITS, NAMES, TWINS
from matplotlib.colors import to_rgb

from distill_edu import Dataset
from distill_edu.pages import soft_targets as page
from distill_edu.pages.shared.picture import DISTILLED, HARD, TEACHER

RANDOM = np.random.RandomState(0)
DIGITS = Dataset("two", *[(RANDOM.rand(40, 4, 4, 1), RANDOM.randint(0, 3, 40)) for _ in range(3)], class_names=NAMES)


class Teacher:
    """A teacher that knows the labels of the training images and is 80% sure of them."""

    def predict_proba(self, x):
        return np.eye(3)[DIGITS.train[1]] * 0.7 + 0.1


def test_twins_differ_in_their_lesson_alone():
    found = page.twin_students(Teacher(), DIGITS, images=20, draws=2, temperature=2)
    x, x_test = (part[0].reshape(40, 16) for part in (DIGITS.train, DIGITS.test))
    softened = np.sqrt(Teacher().predict_proba(x))
    targets = {"labels": np.eye(3), "teacher's answers": softened / softened.sum(axis=1, keepdims=True)}
    targets["labels"] = targets["labels"][DIGITS.train[1]]
    for lesson, right in found.right.items():
        for draw in range(2):
            rows, weights = np.random.default_rng(draw).choice(40, 20, replace=False), np.zeros((16, 3))
            for _ in range(500):
                powers = np.exp(x[rows] @ weights)
                error = powers / powers.sum(axis=1, keepdims=True) - targets[lesson][rows]
                weights -= 0.1 * x[rows].T @ error / 20
            assert (right[draw] == ((x_test @ weights).argmax(axis=1) == DIGITS.test[1])).all()
    assert list(found.right) == list(targets) and "the draw of 20 images" in str(found.gains(over="labels"))


@pytest.mark.parametrize("draw", [1, 2])
def test_a_mistake_is_black_on_the_colour_of_its_lesson(draw):
    figure, words = at(page.mistakes_explorer(IMAGES, TWINS), draw=draw)
    for axes, (lesson, right), colour in zip(figure.axes, TWINS.items(), (HARD, DISTILLED), strict=True):
        (image,) = axes.images
        tiles = np.asarray(image.get_array())[1:9].reshape(8, 10, 10, 3)[:, :, 1:9].swapaxes(0, 1)  # without the seams
        for tile, digit, is_right in zip(tiles, np.round(4 * IMAGES[..., 0]) / 4, right[draw - 1], strict=False):
            ink, ground = (0.4 * digit, (1, 1, 1)) if is_right else (digit, to_rgb(colour))
            assert tile == pytest.approx((1 - ink[..., None]) * np.array(ground))
        assert (tiles[2:] == 1).all()  # two images, eight empty places
        said = f"{lesson}: {2 - right[draw - 1].sum()} of 2 wrong"
        assert axes.get_title() == said and said in words
    assert words.startswith(f"Draw {draw}. ")


def test_names_of_two_languages_are_left_out_wherever_the_second_stands():
    parts = [(["a", "b", "b"], [0, 0, 0]), (["b"], [1]), (["c", "a", "d", "B"], [1, 0, 1, 0])]
    parts = [tuple(map(np.array, part)) for part in parts]
    train, test = page.unshared_names(Dataset("names", *parts, class_names=("x", "y")))
    assert [list(column) for column in (*train, *test)] == [["a"], [0], ["c", "a", "d"], [1, 0, 1]]


def test_a_softmax_of_tables_alone_is_not_over_the_last_axis():
    def over_axis_1(z):
        return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)

    assert page.check_softmax(over_axis_1).startswith("Not yet: your function raised AxisError")
    assert "sum to 1" not in page.check_softmax(lambda z: over_axis_1(np.atleast_2d(z)).reshape(z.shape))


@pytest.mark.parametrize("t, example", [(1, 0), (4, 1)])
def test_the_bars_and_the_sentence_are_those_of_the_example_at_t(t, example):
    figure, words = at(page.temperature_explorer(LOGITS, NAMES, items=IMAGES), temperature=t, example=example)
    side, axes = figure.axes
    p = np.exp(LOGITS[example] / t) / np.exp(LOGITS[example] / t).sum()
    ((_, heights, colour),) = bars(axes)
    assert heights == pytest.approx(p) and colour == TEACHER.lower() and ticks(axes) == list(NAMES)
    assert axes.get_ylim() == (0, 1) and axes.get_title() == f"soft targets at T = {t}"
    (image,) = side.images
    assert (image.get_array() == IMAGES[example, ..., 0]).all()
    assert image.get_clim() == (0, 1) and image.get_cmap().name == "gray_r"
    first, second = np.argsort(p)[::-1][:2]
    nats = -(p * np.log(p)).sum()
    assert words == (
        f"At T = {t} the teacher gives {NAMES[first]} {100 * p[first]:.1f}% and {NAMES[second]} "
        f"{100 * p[second]:.1f}%. Entropy {nats:.2f} nats: as unsure as a fair choice among {np.exp(nats):.1f} classes."
    )


def test_a_word_and_its_title_stand_beside_its_own_bars():
    figure, _ = at(page.temperature_explorer(LOGITS, NAMES, ["Katze", "Hund"], ["label: cat", "_dog"]), example=1)
    assert [text.get_text() for text in figure.axes[0].texts] == ["Hund"]
    assert figure.axes[0].get_title().endswith("_dog")


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"logits": [[np.nan, 1, 2]]}, "contains NaN"),
        ({"logits": [[0.3, 0.7, 0]]}, "looks like probabilities"),
        ({"class_names": "ab"}, "3 logits per example but 2 class names"),
        ({"items": ["a"]}, "one item per row"),
        ({"temperature": 7}, "one of the slider's stops"),
    ],
)
def test_wrong_arguments_get_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        page.temperature_explorer(**({"logits": LOGITS, "class_names": NAMES} | arguments))
