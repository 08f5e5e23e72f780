"""Page "Can knowledge pass through noise?": what students of noise answer, and mixed starts."""

import keras
import numpy as np
import pytest
from drawn import at, error_rows, half_width, lines, numbers
from gallery import ASKED_LABELS, GALLERY, NOISE_SAID, NOISY
from matplotlib.colors import to_hex

from distill_edu.pages import through_noise as page
from distill_edu.pages.shared import picture

RIGHT = (NOISE_SAID == ASKED_LABELS).mean(axis=-1)  # [seeds, stops, shares]
STOPS, SHARES = [0, 25, 50], [0, 0.5]


@pytest.mark.parametrize("stop, share", [(0, 0), (1, 1), (2, 0)])
def test_the_line_of_this_start_its_interval_and_what_the_first_student_answers(stop, share):
    figure, words = at(GALLERY["noise"](), steps=STOPS[stop], share=SHARES[share])
    left, lesson, answers = figure.axes
    accuracies = RIGHT[:, :, share]  # [seeds, stops]
    means, reaches = accuracies.mean(axis=0), [half_width(of_stop) for of_stop in accuracies.T]
    expected = [(*each, each[1] - reach, each[1] + reach) for *each, reach in zip(STOPS, means, reaches, strict=True)]
    assert error_rows(left) == pytest.approx(np.array(expected))
    assert lines(left, "D")[0].colour == picture.DISTILLED.lower()
    (other,) = [line for line in lines(left, "None") if len(line.x) == 3]
    assert other.y == pytest.approx(RIGHT[:, :, 1 - share].mean(axis=0)) and other.colour == picture.NEUTRAL.lower()
    heights = {line.y[0]: line.colour for line in lines(left, "None") if line.style == "--"}
    assert heights == {0.9: picture.TEACHER.lower(), 0.25: "#000000"}
    assert [text.get_text() for text in left.texts] == ["teacher", "a guess"]
    assert STOPS[stop] in [line.x[0] for line in lines(left, "None") if len(set(line.x)) == 1]
    assert (lesson.images[0].get_array() == NOISY[0, ..., 0]).all()
    first = NOISE_SAID[0, stop, share][[3, 0, 1, 4]]  # to the first image of each class
    assert [(text.get_text(), to_hex(text.get_color())) for text in answers.texts] == [
        (str(answer), (picture.DISTILLED if answer == label else picture.NEUTRAL).lower())
        for label, answer in enumerate(first)
    ]
    for drawn, image in zip(answers.images, NOISY[[3, 0, 1, 4]], strict=True):
        assert (drawn.get_array() == image[..., 0]).all()
    assert ["From the teacher's start, after", "From a mixed start (0.5 of another one), after"][share] in words
    expected = [*[0.5][:share], STOPS[stop], means[stop], 95, reaches[stop], 3, 0.9, 0.25]
    assert numbers(words) == pytest.approx(expected, abs=6e-4)


def test_a_start_that_is_all_anothers_is_called_so():
    explorer = page.noise_explorer(np.zeros((2, 1, 1, 1), int), [0], [1], NOISY[:1], [0], NOISY[0], 0.5)
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
