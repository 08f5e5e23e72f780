"""Page "Whose words should the student read?": bumps under two peaks, entropy and surprise of colder sampling."""

import numpy as np
import pytest
from drawn import at, lines, numbers
from gallery import COLDER, GALLERY, OTHERS
from matplotlib.colors import to_hex
from scipy.optimize import minimize
from scipy.special import rel_entr, softmax
from scipy.stats import norm

from distill_edu.pages import whose_words as page
from distill_edu.pages.shared import picture

LETTERS = np.arange(41)


def drawn_peaks(**values):
    """What the figure draws: the teacher's p, the forward and the reverse student; and the caption."""
    figure, words = at(GALLERY["peaks"](), **values)
    (axes,) = figure.axes
    (teacher,) = axes.patches
    p, edges, _ = teacher.get_data()
    assert to_hex(teacher.get_facecolor()) == picture.TEACHER.lower() and np.allclose(edges, np.arange(42) - 0.5)
    forward, reverse = lines(axes)
    assert (forward.label, forward.colour, forward.style) == (
        "lowest KL(p, q): forward",
        picture.DISTILLED.lower(),
        "-",
    )
    assert (reverse.label, reverse.colour, reverse.style) == ("lowest KL(q, p): reverse", page.REVERSE.lower(), "--")
    assert np.array_equal(forward.x, LETTERS) and np.array_equal(reverse.x, LETTERS) and page.REVERSE == "#CC79A7"
    return p, forward.y, reverse.y, words


def bump(middle, width):
    density = norm.pdf(LETTERS, middle, width)
    return density / density.sum()


@pytest.mark.parametrize(("apart", "share"), [(2, 0.5), (8, 0.9), (12, 0.6), (24, 0.7)])
def test_the_teacher_has_two_peaks_and_no_bump_comes_nearer(apart, share):
    p, forward, reverse, _ = drawn_peaks(apart=apart, share=share)
    left, right = (bump(20 + side * apart / 2, 2) for side in (-1, 1))
    assert p == pytest.approx(share * left + (1 - share) * right)
    for q, divergence in ((forward, lambda q: rel_entr(p, q).sum()), (reverse, lambda q: rel_entr(q, p).sum())):

        def by_logits(z, divergence=divergence):
            return divergence(softmax(-(((LETTERS - z[0]) / np.exp(z[1])) ** 2) / 2))

        best = min(minimize(by_logits, [middle, np.log(2)], method="Nelder-Mead").fun for middle in (10, 14, 20))
        assert q.sum() == pytest.approx(1) and best - 1e-6 <= divergence(q) <= best + 0.01


def test_the_forward_student_covers_and_the_reverse_student_seeks():
    p, forward, reverse, words = drawn_peaks(apart=20, share=0.7)
    assert forward @ LETTERS == pytest.approx(p @ LETTERS, abs=0.5)
    assert forward.max() < 0.05 < 0.19 < reverse.max() and reverse.argmax() == 10
    shares = [q[p < 0.005].sum() for q in (p, forward, reverse)] + [q[21:].sum() for q in (p, forward, reverse)]
    assert numbers(words) == pytest.approx([20, 70, 0.5, *(100 * share for share in shares)], abs=0.051)
    assert words.startswith("Peaks 20 apart, 70.0% in the left one. Letters that the teacher says less than 0.5% ")
    assert shares[1] > 20 * shares[2]


def points(line):
    return np.column_stack([line.x, line.y]).tolist()


@pytest.mark.parametrize("temperature", [0.5, 1])
def test_a_line_for_each_start_and_a_point_for_each_other_student(temperature):
    figure, words = at(GALLERY["colder"](), temperature=temperature)
    (axes,) = figure.axes
    *thin, chosen, reverse, own = lines(axes)
    assert [points(line) for line in thin] == [[list(COLDER[T][start]) for T in COLDER] for start in range(3)]
    assert {line.colour for line in (*thin, chosen)} == {picture.DISTILLED.lower()}
    assert [line.colour for line in (reverse, own)] == [page.REVERSE.lower(), picture.CLASSES[1].lower()]
    drawn = {line.label: points(line) for line in (chosen, reverse, own)}
    assert drawn == {
        name: [list(point) for point in expected]
        for name, expected in {"forward KL, colder and colder": COLDER[temperature], **OTHERS}.items()
    }
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("entropy of the student (nats)", "surprise (nats)")
    means = [np.mean(each, axis=0) for each in (COLDER[temperature], *OTHERS.values())]
    assert numbers(words) == pytest.approx([temperature, *np.ravel(means)], abs=5e-4)
    listed = [f"{name} {mean[0]:.3f} and {mean[1]:.3f}" for name, mean in zip(OTHERS, means[1:], strict=True)]
    assert words.endswith(f"; {'; '.join(listed)}.") and " nats: forward KL at T = " in words


def test_a_fifth_lesson_is_not_left_out_in_silence():
    assert page.colder_explorer(COLDER, dict.fromkeys("abcd", OTHERS["reverse KL"])).words.value
    with pytest.raises(ValueError, match="zip"):
        page.colder_explorer(COLDER, dict.fromkeys("abcde", OTHERS["reverse KL"]))
