"""Page "Can knowledge pass through noise?": two faces, mixed starts, teachers, and what students of noise answer."""

import keras
import numpy as np
import pytest
from drawn import at, error_rows, half_width, lines, numbers, ticks
from gallery import ASKED_LABELS, GALLERY, NOISE_SAID, NOISY
from matplotlib.colors import to_hex

from distill_edu import Dataset, soft_targets
from distill_edu.pages import through_noise as page
from distill_edu.pages.shared import picture

STOPS, SHARES = (25, 50), (0, 0.5)
PIXELS = np.round(np.random.RandomState(3).rand(40, 4, 4, 1) * 255).astype("float32") / 127.5 - 1
DATA = Dataset("digits", *[(PIXELS, np.arange(40) % 10)] * 3, class_names=tuple("0123456789"))


def seeded(build, *arguments, **settings):
    keras.utils.set_random_seed(5)
    return build(*arguments, **settings)


@pytest.mark.parametrize("stop, share", [(0, 0), (1, 1), (1, 0)])
def test_the_line_of_this_start_its_interval_and_what_the_first_student_answers(stop, share):
    figure, words = at(GALLERY["noise"](), updates=STOPS[stop], share=SHARES[share])
    left, lesson, answers = figure.axes
    right = {
        each: np.array([NOISE_SAID[updates][each] == ASKED_LABELS for updates in STOPS]).mean(-1) for each in SHARES
    }
    accuracies = right[SHARES[share]]  # [stops, seeds]
    means, reaches = accuracies.mean(axis=1), [half_width(of_stop) for of_stop in accuracies]
    expected = [(*each, each[1] - reach, each[1] + reach) for *each, reach in zip(STOPS, means, reaches, strict=True)]
    assert error_rows(left) == pytest.approx(np.array(expected))
    assert lines(left, "D")[0].colour == picture.DISTILLED.lower()
    (other,) = [line for line in lines(left, "None") if line.x.tolist() == list(STOPS)]
    assert other.y == pytest.approx(right[SHARES[1 - share]].mean(axis=1)) and other.colour == picture.NEUTRAL.lower()
    heights = {line.y[0]: line.colour for line in lines(left, "None") if line.style == "--"}
    assert heights == {0.9: picture.TEACHER.lower(), 0.25: "#000000"}
    names = {text.get_text(): to_hex(text.get_color()) for text in left.texts}
    assert set(names) == {"share 0", "share 0.5", "teachers", "a guess"}
    assert [names[f"share {each:g}"] == picture.DISTILLED.lower() for each in SHARES] == [share == 0, share == 1]
    assert STOPS[stop] in [line.x[0] for line in lines(left, "None") if len(set(line.x)) == 1]
    assert (lesson.images[0].get_array() == NOISY[0, ..., 0]).all()
    first = NOISE_SAID[STOPS[stop]][SHARES[share]][0][[3, 0, 1, 4]]  # to the first image of each class
    assert [(text.get_text(), to_hex(text.get_color())) for text in answers.texts] == [
        (str(answer), (picture.DISTILLED if answer == label else picture.NEUTRAL).lower())
        for label, answer in enumerate(first)
    ]
    for drawn, image in zip(answers.images, NOISY[[3, 0, 1, 4]], strict=True):
        assert (drawn.get_array() == image[..., 0]).all()
    assert ["From the teacher's start, after", "From a mixed start (0.5 of another one), after"][share] in words
    expected = [*[0.5][:share], STOPS[stop], means[stop], 95, reaches[stop], 3, 0.9, 0.25]
    assert numbers(words) == pytest.approx(expected, abs=6e-4)


def test_a_student_trains_the_others_and_is_tested_on_the_digits_and_a_teacher_the_other_way_round():
    student, teacher = seeded(page.network, DATA), seeded(page.teacher_of(DATA, epochs=0))
    for model, in_training in ((student, page.OTHERS), (teacher, page.DIGITS)):
        for training in (True, False):
            shown = np.array(model(PIXELS, training=training))[0] > -99
            first, end = in_training if training else ({*(page.OTHERS, page.DIGITS)} - {in_training}).pop()
            assert np.flatnonzero(shown).tolist() == list(range(first, end))
    assert all(map(np.array_equal, student.get_weights(), teacher.get_weights())), "they have one start"


def test_a_teacher_is_trained_once_a_seed_and_learns_its_digits_alone():
    teacher_of = page.teacher_of(DATA, epochs=60)
    teacher, start = seeded(teacher_of), seeded(page.network, DATA).get_weights()
    assert seeded(teacher_of) is teacher
    moved = [
        np.abs(one - other).reshape(-1, 20).max(axis=0)
        for one, other in zip(teacher.get_weights()[-2:], start[-2:], strict=True)
    ]
    assert all(part[10:].max() == 0 < part[:10].min() for part in moved)
    keras.utils.set_random_seed(0)
    expected = np.mean(np.argmax(teacher_of()(PIXELS, training=True), axis=-1) == DATA.test[1])
    assert page.read_digits(teacher_of, DATA, 1) == pytest.approx([expected], abs=1e-4) and expected > 0.5


def test_a_mixed_start_turns_from_one_to_the_other_keeps_the_spread_and_may_keep_the_head():
    one, half, other, head = (
        seeded(page.network, DATA, **how).get_weights()
        for how in ({}, {"share": 1 / 3}, {"share": 1}, {"share": 1, "head": (10, 20)})
    )
    for first, mixed, last in zip(one, half, other, strict=True):
        assert mixed == pytest.approx(3**0.5 / 2 * first + last / 2, abs=1e-6)
        assert first.std() == pytest.approx(last.std(), rel=0.1)
    assert np.array_equal(head[-2], np.concatenate([other[-2][:, :10], one[-2][:, 10:]], axis=1))
    assert all(map(np.array_equal, head[:-2], other[:-2])) and not np.allclose(one[0], other[0], atol=0.01)


def test_a_step_is_added_to_all_weights_in_their_order():
    model = seeded(page.network, DATA)
    before = np.concatenate([np.ravel(part) for part in model.get_weights()])
    page.move(model, np.arange(before.size, dtype="float32"))
    after = np.concatenate([np.ravel(part) for part in model.get_weights()])
    assert after == pytest.approx(before + np.arange(before.size), rel=1e-6)


def test_a_student_may_have_the_digit_outputs_of_its_trained_teacher():
    teacher_of = page.teacher_of(DATA, epochs=3)
    student = seeded(page.with_columns, DATA, columns=teacher_of, share=1).get_weights()
    teacher, plain = seeded(teacher_of).get_weights(), seeded(page.network, DATA, share=1).get_weights()
    assert all(map(np.array_equal, student[:-2], plain[:-2]))
    for own, trained, untouched in zip(student[-2:], teacher[-2:], plain[-2:], strict=True):
        assert np.array_equal(own[..., :10], trained[..., :10]) and np.array_equal(own[..., 10:], untouched[..., 10:])


def test_a_teacher_and_its_student_have_one_start_and_a_step_lowers_the_loss_of_the_outputs_in_use():
    teacher, student = page.pair(DATA, 3, share=0)
    assert all(map(np.array_equal, teacher.get_weights(), student.get_weights()))
    other_teacher, other = page.pair(DATA, 3, share=1)
    assert np.array_equal(other_teacher.get_weights()[0], teacher.get_weights()[0])
    assert not np.allclose(other.get_weights()[0], teacher.get_weights()[0], atol=0.01)
    targets = np.eye(20)[DATA.test[1]]

    def loss(model):
        logits = np.array(model(PIXELS, training=False), "float64")
        return -np.mean(np.sum(targets * np.log(soft_targets(logits)), axis=1, where=targets > 0))

    before, step = loss(teacher), page.step(teacher, PIXELS, targets, training=False)
    page.move(teacher, 1e-3 * step)
    assert before - loss(teacher) == pytest.approx(1e-3 * step @ step, rel=0.05)
    assert not step.reshape(-1)[-10:].any(), "the biases of the other outputs are not in use"


def test_the_students_step_goes_down_the_bowl_and_not_away_from_the_teacher():
    _, right = page.draw_bowl((1.0, 0.9)).axes
    teacher, student = (np.array(arrow.xy) for arrow in right.texts if hasattr(arrow, "xy"))
    assert teacher == pytest.approx([1.0, 0.9]) and np.linalg.norm(student) == pytest.approx(1)
    assert student == pytest.approx(page.BOWL @ teacher / np.linalg.norm(page.BOWL @ teacher)) and student @ teacher > 0
    assert np.linalg.eigvalsh(page.BOWL).min() > 0


def test_each_cosine_is_a_dot_in_its_row():
    (axes,) = page.draw_cosines({"same": [0.1, 0.2], "other": [0.0]}).axes
    assert [(line.x.tolist(), line.y.tolist()) for line in lines(axes, "o")] == [([0.1, 0.2], [0, 0]), ([0.0], [1])]
    assert ticks(axes, "y") == ["same", "other"]


def test_half_of_the_noise_stays_the_harmless_half_or_a_random_one():
    teacher_of = page.teacher_of(DATA, epochs=20)
    arms = page.halves(page.check_harmless.right, teacher_of, PIXELS)
    keras.utils.set_random_seed(0)
    most = soft_targets(np.array(teacher_of()(PIXELS, training=True))[:, :10]).max(axis=1)
    filtered, any_half = (arms[name]["train"] for name in ("filtered", "any half"))
    assert np.array_equal(filtered[0], PIXELS[most <= np.median(most)]) and len(filtered[0]) == 20
    assert any_half[0].shape == filtered[0].shape and not np.array_equal(any_half[0], filtered[0])
    assert set(any_half[1]) == {-1} and len(any_half[1]) == 20 and arms["filtered"]["teacher"] is teacher_of
