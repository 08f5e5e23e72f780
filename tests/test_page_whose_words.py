"""Page "Whose words should the student read?": bumps under two peaks, colder students, lessons and their judge."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from drawn import at, lines, numbers
from gallery import GALLERY
from matplotlib.colors import to_hex
from scipy.optimize import minimize
from scipy.special import rel_entr, softmax
from scipy.stats import norm

from distill_edu import as_next_letter, language, losses, models
from distill_edu.pages import whose_words as page
from distill_edu.pages.shared import lessons, picture

LETTERS = np.arange(41)


def drawn_peaks(**values):
    """What the figure draws: the teacher's p, the students of both ends and of the dial; and the caption."""
    figure, words = at(GALLERY["peaks"](), **values)
    (axes,) = figure.axes
    (teacher,) = axes.patches
    p, edges, _ = teacher.get_data()
    assert to_hex(teacher.get_facecolor()) == picture.TEACHER.lower() and np.allclose(edges, np.arange(42) - 0.5)
    drawn = {line.label: line for line in lines(axes)}
    assert all(np.array_equal(line.x, LETTERS) for line in drawn.values())
    looks = [(line.colour, line.style) for line in drawn.values()]
    colours = [picture.DISTILLED.lower(), page.REVERSE.lower(), page.DIAL.lower()]
    assert looks == list(zip(colours, ("-", "--", "-"), strict=True)) and len(set(colours)) == 3
    assert list(drawn)[:2] == ["student, β = 0: forward KL(p, q)", "student, β = 1: reverse KL(q, p)"]
    assert list(drawn)[2] == f"student, β = {values['beta']:g}: the dial"
    return p, *(line.y for line in drawn.values()), words


def bump(middle, width):
    density = norm.pdf(LETTERS, middle, width)
    return density / density.sum()


def divergence(p, q, beta):
    m = beta * p + (1 - beta) * q
    return beta * rel_entr(p, m).sum() + (1 - beta) * rel_entr(q, m).sum()


@pytest.mark.parametrize(("apart", "share", "beta"), [(4, 0.5, 0.1), (8, 0.9, 0.9), (12, 0.5, 0.5), (24, 0.7, 0.3)])
def test_the_teacher_has_two_peaks_and_no_bump_comes_nearer(apart, share, beta):
    p, forward, reverse, between, _ = drawn_peaks(apart=apart, share=share, beta=beta)
    left, right = (bump(20 + side * apart / 2, 2) for side in (-1, 1))
    assert p == pytest.approx(share * left + (1 - share) * right)
    for q, far in (
        (forward, lambda q: rel_entr(p, q).sum()),
        (reverse, lambda q: rel_entr(q, p).sum()),
        (between, lambda q: divergence(p, q, beta)),
    ):

        def by_logits(z, far=far):
            return far(softmax(-(((LETTERS - z[0]) / np.exp(z[1])) ** 2) / 2))

        starts = [[middle, np.log(width)] for middle in (8, 10, 14, 20) for width in (2, 8)]
        best = min(minimize(by_logits, start, method="Nelder-Mead").fun for start in starts)
        assert q.sum() == pytest.approx(1) and best - 1e-6 <= far(q) <= best + 0.01


@pytest.mark.parametrize("beta", [0, 0.5, 1])
def test_the_forward_student_covers_and_the_reverse_student_seeks(beta):
    p, forward, reverse, student, words = drawn_peaks(apart=20, share=0.7, beta=beta)
    assert forward @ LETTERS == pytest.approx(p @ LETTERS, abs=0.5)
    assert forward.max() < 0.05 < 0.19 < reverse.max() and reverse.argmax() == 10
    assert beta == 0.5 or np.array_equal(student, (forward, reverse)[beta])
    shares = [q[where].sum() for where in (p < 0.005, LETTERS > 20) for q in (p, student)]
    expected = [20, 70, beta, 0.5, *(100 * share for share in shares)]
    assert numbers(words) == pytest.approx(expected, abs=0.051)
    assert " To letters that the teacher writes less than 0.5% of the time it gives " in words


COLDER = {  # entropy, reverse KL
    0.5: [(1.0, 1.5), (1.1, 1.4), (0.9, 1.6)],
    1: [(2.0, 2.5), (2.2, 2.6), (2.1, 2.3)],
}
OTHERS = {"reverse KL": [(1.4, 2.0), (1.5, 2.2), (1.6, 1.9)], "its own text": [(2.4, 3.0), (2.5, 2.7), (2.3, 2.6)]}


def test_each_start_has_its_curve_and_a_point_for_each_other_lesson():
    figure = page.show_colder(COLDER, OTHERS)
    for start, axes in enumerate(figure.axes):
        curve, *others = ([*zip(line.x, line.y, strict=True)] for line in lines(axes))
        assert curve == [COLDER[0.5][start], COLDER[1][start]]
        assert others == [[points[start]] for points in OTHERS.values()]
        ends = [collection.get_segments()[0] for collection in axes.collections]
        assert [tuple(end[0]) for end in ends] == [points[start] for points in OTHERS.values()]
        for (x, _), (above, height) in ends:
            assert x == above and height == pytest.approx(np.interp(x, *np.transpose(curve)))
        assert [line.colour for line in lines(axes)] == [
            colour.lower() for colour in (picture.DISTILLED, page.REVERSE, picture.CLASSES[1])
        ]
        assert [text.get_text() for text in axes.texts] == ["0.5", "1"] and axes.get_title() == f"start {start + 1}"
        assert axes.get_xlim() == figure.axes[0].get_xlim() and axes.get_ylim() == figure.axes[0].get_ylim()
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["teacher's text, forward, T = 1 to 0.5", *OTHERS]


def test_a_fifth_lesson_is_not_left_out_in_silence():
    assert page.show_colder(COLDER, dict.fromkeys("abcd", OTHERS["reverse KL"])).axes
    with pytest.raises(ValueError, match="zip"):
        page.show_colder(COLDER, dict.fromkeys("abcde", OTHERS["reverse KL"]))


# --- the lessons ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few():
    """A tenth of the names, and a teacher that has learned nothing."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("OF_A_ROUND", 64), ("READ", 64), ("TESTED", 30), ("WRITTEN", 20)):
            patch.setattr(lessons, name, value)
        keras.utils.set_random_seed(1)
        data = lessons.names(rounds=2)
        teacher = models.letter_gru(data.class_names, 8, name="teacher")
        teacher.set_weights([3 * weight for weight in teacher.get_weights()])
        yield SimpleNamespace(data=data, teacher=teacher, student=models.letter_gru(data.class_names, 6))


def test_names_are_rows_that_begin_with_their_language(few):
    x, labels = few.data.train
    assert x.shape == labels.shape == (128, 16) and len(few.data.test[0]) == 30
    names = np.array(few.data.class_names)
    assert (x[:, 0] < 23).all() and "Finnish" in names[3:23]
    assert np.array_equal(x[:, 1:], np.maximum(labels, 0)[:, :-1]) and (labels == 1).any(axis=1).all()


def test_names_are_spelled_and_chosen_by_their_language(few):
    letters = few.data.class_names
    finnish = lessons.of_language(few.data, "Finnish")
    assert (finnish[:, 0] == letters.index("Finnish")).all() and (
        few.data.train[0][:, 0] == finnish[0, 0]
    ).sum() == len(finnish)
    rows = np.array([[finnish[0, 0], letters.index("a"), letters.index("b"), 1, 0], [finnish[0, 0], 1, 0, 0, 0]])
    assert lessons.spelled(few.data, rows) == "ab, ''"


def test_the_judge_is_what_numpy_computes_from_the_logits(few):
    judged = lessons.judge(few.student, few.teacher, few.data, temperature=0.5)
    x, labels = few.data.test
    real = np.log(softmax(np.array(few.student(x), float)[..., 1:] / 0.5, axis=-1))  # padding is never written
    for row in range(3):
        costs = [-real[row, place, letter - 1] for place, letter in enumerate(labels[row]) if letter >= 0]
        assert judged["nll"][row] == pytest.approx(np.mean(costs), abs=2e-3)
    own, letters, mask = as_next_letter(language.sample(few.student, x[:20, :1], 17, 0.5, seed=99))
    q = softmax(np.array(few.student(own), float)[..., 1:] / 0.5, axis=-1)
    p = softmax(np.array(few.teacher(own), float)[..., 1:], axis=-1)
    rows = [np.flatnonzero(row) for row in mask]
    assert judged["entropy"] == pytest.approx(
        np.mean([np.mean([-(q[i, j] * np.log(q[i, j])).sum() for j in row]) for i, row in enumerate(rows)]), abs=1e-4
    )
    surprise = [np.mean([-np.log(p[i, j, letters[i, j] - 1]) for j in row]) for i, row in enumerate(rows)]
    padding = softmax(np.array(few.student(own), float), axis=-1)[..., 0]
    assert judged["padding"] == pytest.approx(np.mean([padding[i, row].mean() for i, row in enumerate(rows)]), rel=1e-3)
    far = [np.mean([rel_entr(q[i, j], p[i, j]).sum() for j in row]) for i, row in enumerate(rows)]
    assert judged["surprise"] == pytest.approx(surprise, abs=5e-3) and judged["divergence"] == pytest.approx(
        far, abs=5e-3
    )


@pytest.mark.nightly
def test_every_lesson_begins_with_the_same_students_and_gets_its_text(few):
    seen = []

    def learn(distiller, whose, texts, rounds, rate):
        seen.append((whose, texts, (rounds, rate), [weight.copy() for weight in distiller.student.get_weights()]))
        rows = language.sample(distiller.student, texts["people"][0][:, :1], 17) if whose == "own" else texts[whose][0]
        x, letters, mask = as_next_letter(rows)
        distiller.optimizer.learning_rate = rate
        distiller.fit(x, {"labels": letters, "mask": mask}, batch_size=64, shuffle=False, verbose=0)

    ways = {
        "one": ("teacher", "kl", 2, 0.01, [0.5, 1]),
        "two": ("own", "kl", 3, 0.02, [1]),
        "three": ("people", "kl", 2, 0.01, [1]),
    }
    found = lessons.follow(learn, few.teacher, few.data, ways, seeds=2)
    assert [each[0] for each in seen] == ["teacher"] * 2 + ["own"] * 2 + ["people"] * 2 and seen[2][2] == (3, 0.02)
    starts = [each[3] for each in seen]
    assert all(map(np.array_equal, starts[0], starts[2])) and all(map(np.array_equal, starts[1], starts[5]))
    assert not np.array_equal(starts[0][0], starts[1][0])
    people = {who: np.concatenate(seen[0][1][who]) for who in ("people", "teacher")}
    assert np.array_equal(people["people"][:, 0], people["teacher"][:, 0])  # the same languages
    assert sorted(people["people"][:, 0]) == sorted(few.data.train[0][64:, 0])  # the first 64 were read before
    assert not np.array_equal(seen[0][1]["people"], seen[1][1]["people"])  # another order for another seed
    assert {name: table["nll"].shape for name, table in found.items()} == {
        "one": (2, 2, 30),
        "two": (1, 2, 30),
        "three": (1, 2, 30),
    }
    gain = lessons.saved(found, "surprise", "two", over="one")
    assert gain.mean == pytest.approx((found["one"]["surprise"][1] - found["two"]["surprise"][0]).astype(float).mean())
    row = lessons.summary(found).loc["one"]
    assert row["entropy"] == pytest.approx(found["one"]["entropy"][1].mean(), abs=6e-4)
    for column, measure in (("surprise", "surprise"), ("reverse KL", "divergence")):
        assert row[column] == pytest.approx(found["one"][measure][1].astype(float).mean(), abs=6e-4)


@pytest.mark.slow
def test_the_first_student_writes_what_it_writes_for_its_judge(few):
    def learn(distiller, whose, texts, rounds, rate):
        seen.append((whose, texts["people"], rounds, distiller.student.get_weights()))

    seen, rows = [], few.data.train[0][:4]
    writers = {"one": ("own", "kl", 0, 0.01, [0.5, 1]), "two": ("teacher", "reverse_kl", 2, 0.01, [1])}
    found = lessons.written(learn, few.teacher, few.data, writers, rows)
    lessons.follow(learn, few.teacher, few.data, writers, seeds=1)
    for mine, judged in zip(seen[:2], seen[2:], strict=True):
        assert mine[::2] == judged[::2] and np.array_equal(mine[1], judged[1])
        assert all(map(np.array_equal, mine[3], judged[3]))
    student = lessons.student_network(few.data)
    student.set_weights(seen[0][3])
    assert found == {
        name: lessons.spelled(few.data, language.sample(student, rows[:, :1], 17, at, seed=99))
        for name, at in (("one, T = 0.5", 0.5), ("one, T = 1", 1), ("two, T = 1", 1))
    }


@pytest.mark.slow
def test_a_lesson_of_no_rounds_leaves_the_start_and_only_the_wanted_measures_are_kept(few):
    def learn(distiller, whose, texts, rounds, rate):
        assert rounds == 0

    found = lessons.follow(learn, few.teacher, few.data, {"none": ("own", "kl", 0, 0.01, [1])}, ["divergence"], seeds=1)
    assert list(found["none"]) == ["divergence"] and found["none"]["divergence"].shape == (1, 1, 20)


def test_a_cold_twin_is_as_spread_as_its_student():
    entropies = np.linspace(1, 1.8, 5)[:, None] + [0, 0.5]
    values = np.arange(5.0)[:, None, None] ** 2 + np.zeros((5, 2, 3))
    forward = {"entropy": entropies, "nll": values, "divergence": 2 * values}
    twin = lessons.cold_twin(forward, {"entropy": np.array([[1.3, 2.5]])})
    assert twin["temperature"] == pytest.approx([0.875, 1])
    assert twin["nll"] == pytest.approx(np.array([[[2.5] * 3, [16] * 3]]))
    assert twin["divergence"][0, 0, 0] == pytest.approx(5)
    assert lessons.cold_twin(forward, {"entropy": np.array([[0.2, 9.0]])})["temperature"] == pytest.approx([0.8, 1])


def sampled(batch, student_logits, temperature):
    """As on the page."""
    written = tf.one_hot(batch.labels, student_logits.shape[-1])
    log_q = tf.reduce_sum(written * tf.nn.log_softmax(student_logits), axis=-1)
    log_p = tf.reduce_sum(written * tf.nn.log_softmax(batch.teacher_logits), axis=-1)
    return -tf.stop_gradient(log_p - log_q) * log_q


@pytest.mark.nightly
def test_the_mean_of_the_sampled_gradient_is_the_full_one_and_it_scatters_more(few):
    noise = lessons.gradient_noise(
        {"full": losses.reverse_kl, "sampled": sampled}, few.teacher, few.data, batches=16, of=8
    )
    (size, scatter), (_, more), (apart, by_chance) = (noise[name] for name in ("full", "sampled", "difference"))
    assert more > 2 * scatter and size > 0
    assert apart == pytest.approx(by_chance / 16, rel=0.7)  # no further apart than luck puts two means of 16 batches
