"""Page "How much can you ask a teacher?": lines over copies, and the teacher's answers to them."""

import keras
import numpy as np
import pytest
from drawn import at, bars, error_bars, half_width, lines, ticks
from gallery import COPIES, GALLERY, IMAGES, LOGITS, NAMES
from matplotlib.lines import Line2D

from distill_edu import metrics, soft_targets
from distill_edu.pages import ask_more as page
from distill_edu.pages.shared import picture
from distill_edu.pages.shared.plots import gain_in_words


@pytest.mark.parametrize("copies, shown", [(0, 0), (300, 1)])
def test_the_lines_the_copy_and_the_teachers_two_answers(copies, shown):
    figure, words = at(GALLERY["copies"](), copies=copies, shown=shown)
    left, original, middle, right = figure.axes
    drawn, expected = error_bars(left), []
    for of_copies in COPIES.values():
        for place, right_ones in enumerate(of_copies.values()):
            mean, reach = right_ones.mean(), half_width(right_ones.mean(axis=1))
            expected.append(((place, mean), (mean - reach, mean + reach)))
    for (centre, ends), (its_centre, its_ends) in zip(drawn, expected, strict=True):
        assert centre == pytest.approx(its_centre) and sorted(ends) == pytest.approx(its_ends, abs=1e-6)
    looks = [(line.colour, line.style) for line in lines(left) if len(line.x) == 2 and line.style in ("-", "--")][:3]
    green, orange = picture.DISTILLED.lower(), picture.HARD.lower()
    assert looks == [(green, "-"), (green, "--"), (orange, "-")]
    marks = [mark for mark in left.get_legend().findobj(Line2D) if mark.get_marker() in ("D", "o")]
    assert [mark.get_fillstyle() for mark in marks] == ["full", "none", "full"]  # dashes are too short to be seen there
    assert [text.get_text() for text in left.get_legend().get_texts()] == list(COPIES)
    assert ticks(left) == ["0", "300"] and [0, 300].index(copies) in [line.x[0] for line in lines(left, "None")]
    assert (original.images[0].get_array() == IMAGES[0, ..., 0]).all() and original.get_title() == "the image"
    assert (middle.images[0].get_array() == IMAGES[shown, ..., 0]).all() and middle.get_title() == "this copy"
    (copy, its, blue), (image, of_it, grey) = bars(right)
    assert (copy, blue, image, grey) == ("this copy", picture.TEACHER.lower(), "the image", picture.NEUTRAL.lower())
    assert its == pytest.approx(soft_targets(LOGITS, 4)[shown]) and of_it == pytest.approx(soft_targets(LOGITS, 4)[0])
    gain = metrics.paired_gain(*(COPIES[name][copies] for name in ("asked", "old answers")))
    means = ", ".join(f"{name} {COPIES[name][copies].mean():.3f}" for name in COPIES)
    assert words.startswith(f"{copies} copies: {means}. Asking, over the old answers: {gain_in_words(gain)}")
    assert words.endswith(
        ["The image itself: the teacher calls it cat", "Copy 1: the teacher calls it dog"][shown]
        + ", the image itself cat."
    )


def test_wrong_arguments_get_a_sentence():
    with pytest.raises(ValueError, match="class names"):
        page.copies_explorer(COPIES, IMAGES, LOGITS, NAMES[:2])
    with pytest.raises(ValueError, match="one of the slider's stops"):
        page.copies_explorer(COPIES, IMAGES, LOGITS, NAMES, copies=7)


def test_copies_move_by_two_pixels_at_most_and_the_images_themselves_come_first():
    images = np.zeros((2, 9, 9, 1))
    images[:, 4, 4] = [[1], [2]]
    copies, labels = page.with_copies(images, np.array([7, 3]), 20)
    assert np.array_equal(copies[:2], images) and labels.tolist() == [7, 3] * 21
    assert copies.max(axis=(1, 2, 3)).tolist() == [1, 2] * 21
    where = np.argwhere(copies)[:, 1:3] - 4
    assert np.abs(where).max() == 2 and len(np.unique(where[2:], axis=0)) > 10


def test_the_answers_stand_beside_their_image():
    answers = {"asked": np.array([0.2, 0.3, 0.5]), "mended": np.array([0.1, 0.6, 0.3])}
    image, *panels = page.draw_answers(IMAGES[0], 1, answers, NAMES).axes
    assert (image.images[0].get_array() == IMAGES[0, ..., 0]).all()
    for axes, (name, expected) in zip(panels, answers.items(), strict=True):
        ((_, heights, _),) = bars(axes)
        assert axes.get_title() == name and heights == pytest.approx(expected)
    assert image.get_title() == f"a moved {NAMES[1]}"
    words = [{text.get_text(): text.get_position()[0] for text in axes.texts} for axes in panels]
    assert words == [{"largest": 2, "label": 1}, {"label": 1}]


def test_a_row_gets_the_confidence_that_is_asked_for_and_keeps_its_order():
    answers = np.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [0.25, 0.5, 0.25]])
    softer, same, surer = page.with_confidence(answers, np.array([0.4, 0.7, 0.8]))
    assert softer.max() == softer[0] == pytest.approx(0.4) and softer.sum() == pytest.approx(1)
    assert np.log(softer[0] / softer[1]) / np.log(3.5) == pytest.approx(np.log(softer[1] / softer[2]) / np.log(2))
    assert same == pytest.approx(answers[0]) and surer == pytest.approx([0.1, 0.8, 0.1])


def test_a_mistake_of_the_teacher_is_named_and_the_share_of_right_answers_is_that_of_all_images():
    images = 3 * np.eye(3)[[0, 1, 1, 2]].reshape(4, 1, 3, 1)
    teacher = keras.Sequential([keras.Input((1, 3, 1)), keras.layers.Flatten()])
    questions, written = {"known": images, "new": images[::-1]}, {"known": np.array([0, 2, 1, 2])}
    figure = page.draw_questions(teacher, questions, written, shown=2)
    assert [text.get_text() for text in figure.texts] == ["known\nteacher right: 0.750", "new"]
    assert [axes.get_title() for axes in figure.axes] == ["0", "1, not 2", "2", "1"]
    assert [axes.title.get_color() for axes in figure.axes[:2]] == [picture.INK, picture.HARD]
    assert all((axes.images[0].get_array() == images[i, ..., 0]).all() for i, axes in enumerate(figure.axes[:2]))


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_noise_may_be_drawn_in_either_kind_of_number(kind):
    def noisy(images, amount, rng):
        return np.clip(images + amount * rng.standard_normal(images.shape, dtype=kind), 0, 1)

    assert page.check_noisy(noisy) == "Correct!"
    assert page.check_noisy(lambda x, amount, rng: np.clip(x + rng.normal(0, amount, x.shape), 0, 1)) == "Correct!"
    assert page.check_noisy(lambda x, amount, rng: np.clip(x + amount * rng.random(x.shape), 0, 1)) != "Correct!"
