"""Page "Whose words should the student read?": bumps under two peaks, own text at equal entropy, and its exercises."""

import numpy as np
import pytest
from drawn import at, lines, numbers
from exercises import answers
from gallery import COLDER, GALLERY, OTHERS
from matplotlib.colors import to_hex
from scipy.optimize import minimize
from scipy.special import rel_entr, softmax
from scipy.stats import norm

from distill_edu.pages import whose_words as page
from distill_edu.pages.shared import picture

LETTERS = np.arange(41)


def drawn_peaks(**values):
    figure, words = at(GALLERY["peaks"](), **values)
    (axes,) = figure.axes
    (teacher,) = axes.patches
    p, edges, _ = teacher.get_data()
    assert to_hex(teacher.get_facecolor()) == picture.TEACHER.lower() and np.allclose(edges, np.arange(42) - 0.5)
    forward, reverse = lines(axes)
    assert (forward.colour, forward.style) == (picture.DISTILLED.lower(), "-")
    assert (reverse.colour, reverse.style) == (page.REVERSE.lower(), "--")
    assert np.array_equal(forward.x, LETTERS) and np.array_equal(reverse.x, LETTERS)
    assert axes.get_xlim() == (-0.5, 40.5) and page.REVERSE == "#CC79A7"  # as in the other figure
    shown = {text.get_text() for text in axes.get_legend().get_texts()}
    assert shown == {"teacher p", forward.label, reverse.label}
    assert forward.label == "lowest KL(p, q): forward" and reverse.label == "lowest KL(q, p): reverse"
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


def test_the_forward_one_covers_and_the_reverse_one_seeks():
    p, forward, reverse, words = drawn_peaks(apart=20, share=0.7)
    assert forward @ LETTERS == pytest.approx(p @ LETTERS, abs=0.5)
    assert forward.max() < 0.05 < 0.19 < reverse.max() and reverse.argmax() == 10
    rare = p < 0.005
    shares = [q[rare].sum() for q in (p, forward, reverse)] + [q[21:].sum() for q in (p, forward, reverse)]
    said = [20, 70, 0.5, *(100 * share for share in shares)]
    assert numbers(words) == pytest.approx(said, abs=0.051) and shares[1] > 20 * shares[2]
    assert words.startswith("Peaks 20 apart, 70.0% in the left one. Letters that the teacher says less than 0.5% ")


@pytest.mark.parametrize("temperature", [0.5, 1])
def test_a_line_for_each_start_and_a_point_for_each_of_the_others(temperature):
    figure, words = at(GALLERY["colder"](), temperature=temperature)
    (axes,) = figure.axes
    *thin, chosen, reverse, own = lines(axes)
    for start, line in enumerate(thin):
        assert np.column_stack([line.x, line.y]).tolist() == [list(COLDER[T][start]) for T in COLDER]
    assert len(thin) == 3 and {line.colour for line in (*thin, chosen)} == {picture.DISTILLED.lower()}
    assert [line.colour for line in (reverse, own)] == [page.REVERSE.lower(), picture.CLASSES[1].lower()]
    for line, points in ((chosen, COLDER[temperature]), *zip((reverse, own), OTHERS.values(), strict=True)):
        assert np.column_stack([line.x, line.y]).tolist() == [list(point) for point in points]
    assert [line.label for line in (chosen, reverse, own)] == ["forward KL, colder and colder", *OTHERS]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("entropy of the student (nats)", "surprise (nats)")
    means = [np.mean(points, axis=0) for points in (COLDER[temperature], *OTHERS.values())]
    assert numbers(words) == pytest.approx([temperature, *np.ravel(means)], abs=5e-4)
    listed = [f"{name} {mean[0]:.3f} and {mean[1]:.3f}" for name, mean in zip(OTHERS, means[1:], strict=True)]
    assert words.endswith(f"; {'; '.join(listed)}.") and " nats: forward KL at T = " in words


def test_none_or_five_other_lessons_are_refused():
    for count in (1, 4):
        assert page.colder_explorer(COLDER, dict.fromkeys("abcd"[:count], OTHERS["reverse KL"])).words.value
    for others in ({}, dict.fromkeys("abcde", OTHERS["reverse KL"])):
        with pytest.raises(ValueError, match=f"one to 4 other lessons, not {len(others)}"):
            page.colder_explorer(COLDER, others)


def right_kl(z_t, z_s):
    return rel_entr(softmax(z_s, -1), softmax(z_t, -1)).sum(-1)


def entropies(z):
    p = softmax(z, -1)
    return -(p * np.log(p)).sum(-1)


test_exercises = answers(
    page,
    reverse_by_hand=(
        0.6931,
        [
            (1.0, "in bits"),
            (-0.6931, "below 0"),
            (np.inf, "the forward one"),
            (0.3466, "weighed by the student"),
            (0.0, "above 0"),
            (0.5, "0 log 0"),
        ],
    ),
    reverse_kl=(
        right_kl,
        [
            (lambda z_t, z_s: right_kl(z_s, z_t), "exchange p and q"),
            (lambda z_t, z_s: -right_kl(z_t, z_s), "the sign"),
            (lambda z_t, z_s: right_kl(z_t, z_s) / np.log(2), "np.log"),
            (lambda z_t, z_s: right_kl(z_t, z_s).mean(), "not their mean"),
            (lambda z_t, z_s: right_kl(z_t, z_s).sum(), "not their sum"),
            (lambda z_t, z_s: -(softmax(z_s, -1) * np.log(softmax(z_t, -1))).sum(-1), "cross-entropy"),
            (lambda z_t, z_s: 7 + right_kl(z_t, z_s), "over the last axis"),
        ],
    ),
    entropy_at=(
        lambda z, T: entropies(z / T).mean(),
        [
            (lambda z, T: entropies(z).mean(), "no effect"),
            (lambda z, T: entropies(z * T).mean(), "divide them"),
            (lambda z, T: entropies(z / T), "one number"),
            (lambda z, T: entropies(z / T).sum(), "take their mean"),
            (lambda z, T: entropies(z / T).mean() / np.log(2), "in bits"),
            (lambda z, T: entropies(np.log(softmax(z / T, -1).mean(0))), "each row's entropy"),
            (lambda z, T: 7, "and its mean"),
        ],
    ),
)
