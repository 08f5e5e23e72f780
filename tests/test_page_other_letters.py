"""Page "What if teacher and student do not share an alphabet?": pairs as letters, the figure's bars and its caption."""

import numpy as np
import pytest
from drawn import at, bars, numbers, ticks
from gallery import ANSWERS, LETTERS, PAIRS, SPELLED

from distill_edu import Dataset, Vocabulary, models, soft_targets
from distill_edu.pages import other_letters as page
from distill_edu.pages.shared.picture import DISTILLED, TEACHER

TAGGED = Vocabulary(["T", "a", "b", "c"])  # numbers 3 to 6
TOKENS = Vocabulary(["T", "ab", "ac", "ba", "c"])  # numbers 3 to 7
ROWS = np.array([[4, 4, 5, 1, -1]])  # a a b: the shares of the letters are 2/3, 1/3


def test_names_are_cut_and_become_rows_whose_labels_come_next():
    words = np.array(["Abac", "c", "a" * 14])
    assert page.common_pieces(["Abab", "abc", "a" * 14], 2, least=3) == ["ab", "c"]
    data = Dataset("names", *[(words, np.array([0, 0, 0]))] * 3, class_names=("T",))
    x, labels = page.sequences(data, TOKENS, 2).train
    assert x.tolist() == [[3, 4, 5, 1, 0, 0, 0, 0], [3, 7, 1, 0, 0, 0, 0, 0]]
    assert labels[1].tolist() == [7, 1, -1, -1, -1, -1, -1, -1]
    assert page.sequences(data, TAGGED, 1).train[0].shape == (2, 14)


def test_letters_have_the_summed_probabilities_of_the_pairs_that_begin_with_them():
    first, second, pair_of = page.spelling(TOKENS, TAGGED, ROWS)
    assert pair_of[4, 5] == 4 and pair_of[5, 4] == 6 and pair_of[6, 1] == 7 and pair_of[5, 5] == 2
    assert first[1, 1] == second[1, 0] == second[7, 1] == 1 and first.sum(axis=1)[1:].tolist() == [1] * 7
    teacher = models.letter_gru(TOKENS, units=4)
    name = np.array([[3, 4, 5, 6, 1] + [0] * 9])  # T a b c end
    p = soft_targets(np.array(teacher(np.array([[3, 4, 7, 2, 2, 2, 2]]))))[0]  # after T, after ab, after c
    said = np.exp(np.array(page.letter_by_letter(teacher, first, second, pair_of)(name)))[0]
    # unknown pairs (2) are two letters with the shares of ROWS: a 2/3, b 1/3
    assert said[0, 4] == pytest.approx(p[0, 4] + p[0, 5] + p[0, 2] * 2 / 3, rel=1e-4)
    with_a = p[0, 4] + p[0, 5] + p[0, 2] * 2 / 3
    assert said[1, 5] == pytest.approx((p[0, 4] + p[0, 2] * 2 / 9) / with_a, rel=1e-4)
    assert said[2, 6] == pytest.approx(p[1, 7], rel=1e-4)
    assert said[2, 1] == pytest.approx(p[1, 1], rel=1e-4)
    assert said[3, 1] == pytest.approx(1, abs=1e-5)  # c alone ends the name
    translated = page.letter_by_letter(teacher, first, second, pair_of)
    both = page.answers_to_names(teacher, translated, TAGGED, (first, second, pair_of), {"T": "abc"})["T"]
    assert np.allclose(both["letters"], said[:4], atol=1e-6) and np.allclose(both["pairs"], p[:2], atol=1e-6)


@pytest.mark.parametrize(("name", "read"), [("one", 0), ("one", 1), ("two", 2)])
def test_both_panels_show_the_teacher_and_a_student_with_the_right_numbers_at_the_wrong_letters(name, read):
    figure, words = at(page.pieces_explorer(SPELLED, ANSWERS, PAIRS, LETTERS), name=name, read=read, order="letter")
    left, right = figure.axes
    of_pairs, p = ANSWERS[name]["pairs"][read // 2].copy(), ANSWERS[name]["letters"][read]
    if read == 1:
        of_pairs[[0, 1, 2, 5, 6]] = 0  # all but ab and ac
    [(_, heights, colour)] = bars(left)
    assert np.allclose(heights, np.sort(of_pairs)[::-1]) and colour == TEACHER.lower()
    q = np.array([*p[:3], p[5], p[3], p[4]])
    names = ticks(right)
    places = [[" ", "end", "?", "a", "b", "c"].index(each) for each in names]
    (_, teacher, _), (_, student, green) = bars(right)
    assert np.allclose(teacher, p[places]) and np.allclose(student, q[places]) and green == DISTILLED.lower()
    pq = [np.maximum(each, 1e-9) for each in (p, q)]
    divergence = sum(a * np.log(a / b) for a, b in zip(*pq, strict=True))
    assert numbers(words)[-2:] == pytest.approx([divergence, 0], abs=6e-4)
    assert f"(teacher {p.max():.3f}, student {q[p.argmax()]:.3f})" in words and f"({of_pairs.max():.3f})" in words


def test_few_names_are_some_of_each_part():
    parts = [(np.arange(2 * n).reshape(n, 2), np.tile([0, -1], (n, 1))) for n in (20, 7, 27)]
    few = page.few_names(Dataset("names", *parts, class_names=("a", "b")), 5)
    assert [len(part[0]) for part in (few.train, few.valid, few.test)] == [5, 3, 3] and len(
        set(few.train[0][:, 0])
    ) == 5
    assert few.test[0].tolist() == [[0, 1], [26, 27], [52, 53]]


def test_only_pairs_with_the_best_letter_are_bold_and_their_sum_is_above_the_figure():
    figure, words = at(page.pieces_explorer(SPELLED, ANSWERS, PAIRS, LETTERS), name="two", read=0, order="letter")
    left, right = figure.axes
    bold = {label.get_text() for label in left.get_xticklabels() if label.get_fontweight() == "bold"}
    assert bold == {"c"} and left.get_title() == "teacher, pairs that begin with 'c': 0.40"
    assert right.get_title().startswith("by letter: KL ") and left.get_ylim() == right.get_ylim()


def test_sorted_bars_of_teacher_and_student_are_equal_and_named_by_rank():
    figure, words = at(page.pieces_explorer(SPELLED, ANSWERS, PAIRS, LETTERS), read=2, order="sorted")
    (_, teacher, _), (_, student, _) = bars(figure.axes[1])
    assert teacher.tolist() == student.tolist() == [0.3, 0.3, 0.2, 0.2, 0, 0]
    assert ticks(figure.axes[1])[:2] == ["1", "2"] and "bars by sorted" in words


def test_the_nll_is_a_mean_over_the_letters_of_a_name_and_then_over_names():
    log_p = np.log([[[0.5, 0.5], [0.25, 0.75]], [[0.1, 0.9], [0.5, 0.5]]])
    labels = np.array([[0, 0], [1, -1]])
    expected = (1.5 * np.log(2) - np.log(0.9)) / 2
    assert page.nats_per_letter(lambda x: log_p, None, labels) == pytest.approx(expected)
    names = Dataset("names", *[(labels, labels)] * 3, class_names=("a", "b"))
    assert page.teacher_in_words(lambda x: log_p, names).count(f"{expected:.3f}") == 2


def test_the_distances_are_those_of_the_formulas():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.0, 0.75])
    assert page.sorted_l1(p, q) == pytest.approx(0.5)
    assert page.kl(p, np.array([0.25, 0.5, 0.25])) == pytest.approx(0.5 * np.log(2), abs=1e-6)


def test_a_renaming_that_is_written_for_four_symbols_is_refused():
    assert page.check_renamed(lambda p, labels, random: np.roll(p, 1, axis=-1)) == "Correct!"
    assert page.check_renamed(lambda p, labels, random: p[..., [3, 0, 1, 2]]) != "Correct!"
