"""Page "Can knowledge pass through noise?": what students of noise say, mixed starts, and its exercises."""

import keras
import numpy as np
import pytest
from drawn import at, error_bars, half_width, lines, numbers
from exercises import answers
from gallery import ASKED_LABELS, GALLERY, NOISE_SAID, NOISY
from matplotlib.colors import to_hex

from distill_edu import soft_targets
from distill_edu.pages import through_noise as page
from distill_edu.pages.shared import picture

RIGHT = (NOISE_SAID == ASKED_LABELS).mean(axis=-1)  # [seeds, stops, shares]


@pytest.mark.parametrize("stop, share", [(0, 0), (1, 1), (2, 0)])
def test_the_line_of_this_start_its_interval_and_what_the_first_student_says(stop, share):
    figure, words = at(GALLERY["noise"](), steps=[0, 25, 50][stop], share=[0, 0.5][share])
    left, lesson, said = figure.axes
    mine = RIGHT[:, :, share]
    assert len(error_bars(left)) == 3
    for place, ((x, mean), (low, high)) in enumerate(error_bars(left)):
        reach = half_width(mine[:, place])
        expected = ([0, 25, 50][place], mine[:, place].mean(), mine[:, place].mean() - reach)
        assert (x, mean, low) == pytest.approx(expected) and high == pytest.approx(mean + reach)
    assert lines(left, "D")[0].colour == picture.DISTILLED.lower()
    (other,) = [line for line in lines(left, "None") if len(line.x) == 3]
    assert other.y == pytest.approx(RIGHT[:, :, 1 - share].mean(axis=0)) and other.colour == picture.NEUTRAL.lower()
    heights = {line.y[0]: line.colour for line in lines(left, "None") if line.style == "--"}
    assert heights == {0.9: picture.TEACHER.lower(), 0.25: "#000000"}
    assert [text.get_text() for text in left.texts] == ["teacher", "a guess"]
    assert [0, 25, 50][stop] in [line.x[0] for line in lines(left, "None") if len(set(line.x)) == 1]
    assert (lesson.images[0].get_array() == NOISY[0, ..., 0]).all()
    first = NOISE_SAID[0, stop, share][[3, 0, 1, 4]]  # the first image of each class
    assert [text.get_text() for text in said.texts] == [str(one) for one in first]
    colours = [to_hex(text.get_color()) for text in said.texts]
    assert colours == [[picture.NEUTRAL, picture.DISTILLED][int(one == c)].lower() for c, one in enumerate(first)]
    for drawn, image in zip(said.images, NOISY[[3, 0, 1, 4]], strict=True):
        assert (drawn.get_array() == image[..., 0]).all()
    assert ["From the teacher's start, after", "From a mixed start (0.5 of another one), after"][share] in words
    reach = half_width(mine[:, stop])
    expected = [*[0.5][:share], [0, 25, 50][stop], mine[:, stop].mean(), 95, reach, 3, 0.9, 0.25]
    assert numbers(words) == pytest.approx(expected, abs=6e-4)


def test_a_start_that_is_all_anothers_is_called_so():
    said = np.zeros((2, 1, 1, 1), int)
    explorer = page.noise_explorer(said, [0], [1], NOISY[:1], [0], NOISY[0], 0.5)
    assert explorer.words.value.startswith("From another start, after 0 updates")


def test_a_mixed_start_turns_from_one_to_the_other_and_keeps_the_spread():
    def net(seed):
        keras.utils.set_random_seed(seed)
        return keras.Sequential([keras.Input((50,)), keras.layers.Dense(400)])

    one, other = (net(seed).get_weights()[0] for seed in (0, 1))
    for share, expected in ((0, one), (1, other), (1 / 3, 3**0.5 / 2 * one + other / 2)):
        mixed = page.mixed(net(0), net(1), share).get_weights()[0]
        assert mixed == pytest.approx(expected, abs=1e-6)
        assert mixed.std() == pytest.approx(one.std(), rel=0.02)


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"stops": [0, 25]}, "give .seeds, 2 stops, 2 shares"),
        ({"labels": ASKED_LABELS[:2]}, "as many labels as images, not 2"),
        ({"labels": [0, 1, 3, 1, 3]}, "no image of 2"),
    ],
)
def test_wrong_arguments_get_a_sentence(change, sentence):
    right = {"answers": NOISE_SAID, "stops": [0, 25, 50], "shares": [0, 0.5], "images": NOISY, "labels": ASKED_LABELS}
    with pytest.raises(ValueError, match=sentence):
        page.noise_explorer(**{**right, **change}, noise=NOISY[0], teacher=0.9)


def turned(one, other, angle):
    return np.cos(angle) * one + np.sin(angle) * other


test_exercises = answers(
    page,
    inner_by_hand=(
        3,
        [
            (1, "minus times minus"),
            (2, "first product alone"),
            (5, "square of"),
            ([2, -1], "student's move"),
            (0, "add"),
        ],
    ),
    mixed=(
        lambda one, other, share: turned(one, other, share * np.pi / 2),
        [
            (lambda one, other, share: (1 - share) * one + share * other, "smaller weights"),
            (lambda one, other, share: turned(other, one, share * np.pi / 2), "share 0"),
            (lambda one, other, share: turned(one, other, share * 90), "radians"),
            (lambda one, other, share: turned(one, other, share * np.pi), "quarter of a turn"),
            (lambda one, other, share: one, "sin(a)"),
        ],
    ),
    harmless=(
        lambda z, most: soft_targets(z).max(axis=-1) <= most,
        [
            (lambda z, most: soft_targets(z).max(axis=-1) > most, "keep the others"),
            (lambda z, most: z.max(axis=-1) <= most, "needs the softmax"),
            (lambda z, most: soft_targets(z) <= most, "no digit of it"),
            (lambda z, most: soft_targets(z).min(axis=-1) <= most, "likeliest digit decides"),
            (lambda z, most: (soft_targets(z) <= most).mean(axis=-1), "True or False"),
            (lambda z, most: np.zeros(len(z)), "softmax"),
        ],
    ),
)
