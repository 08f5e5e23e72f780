"""Page "Can a student learn a digit it has never seen?": accuracy over the bias, and of each class."""

from types import SimpleNamespace

import numpy as np
import pytest
from drawn import at, lines
from gallery import GALLERY, LABELS, NAMES, SEEN
from matplotlib.colors import to_hex

from distill_edu import load_dataset, models
from distill_edu.pages import unseen_digit as page
from distill_edu.pages.shared import picture

STUDENTS = {0: SEEN, 2: SEEN[:, ::-1] + [0, 1, 0]}  # as in the gallery


def right(omitted, bias):
    """Is each example right with this bias on the omitted class's logit? And how often is that class the answer?"""
    shift = [bias if c == omitted else 0 for c in range(3)]
    answers = [int(np.argmax(row + shift)) for row in STUDENTS[omitted]]
    return np.array([a == y for a, y in zip(answers, LABELS, strict=True)]), answers.count(omitted)


@pytest.mark.parametrize("omitted, bias", [(0, 1.5), (2, -1.0)])
def test_the_curves_the_marks_the_leads_and_the_sentence(omitted, bias):
    figure, words = at(GALLERY["bias"](), omitted=omitted, bias=bias)
    left, each = figure.axes
    of_class, of_all = lines(left, "None")
    assert (of_class.label, of_class.colour) == (f"{NAMES[omitted]}s", picture.DISTILLED.lower())
    assert (of_all.label, of_all.colour) == ("all images", "#000000")
    assert of_class.x == pytest.approx(np.arange(-2, 8.25, 0.25)) and of_all.x == pytest.approx(of_class.x)
    in_class = omitted == LABELS
    for i in (0, 17, 40):
        correct, _ = right(omitted, of_class.x[i])
        assert (of_class.y[i], of_all.y[i]) == pytest.approx((correct[in_class].mean(), correct.mean()))
    correct, answered = right(omitted, bias)
    expected = [(bias, correct[in_class].mean()), (bias, correct.mean())]
    assert [(*mark.x, *mark.y) for mark in lines(left, "o")] == [pytest.approx(mark) for mark in expected]
    z = STUDENTS[omitted]
    leads = z[:, omitted] + bias - np.max([z[:, c] for c in range(3) if c != omitted], axis=0)
    (others, grey), (ours, green) = [(patch.get_data().values, to_hex(patch.get_facecolor())) for patch in each.patches]
    for shares, some in ((others, leads[~in_class]), (ours, leads[in_class])):
        assert shares.sum() == pytest.approx(1) and shares[24:].sum() == pytest.approx((some >= 0).mean())
    assert (grey, green) == (picture.NEUTRAL.lower(), picture.DISTILLED.lower())
    assert list(each.lines[0].get_xdata()) == [0, 0] and NAMES[omitted] in each.get_title()
    assert words == (
        f"{NAMES[omitted]} was hidden. With an added bias of {bias:+g}, {correct[in_class].mean():.3f} of the images "
        f"of {NAMES[omitted]} are right, and {correct.mean():.3f} of all images. The student answers {NAMES[omitted]} "
        f"{answered} times; 10 images are a {NAMES[omitted]}."
    )


def test_wrong_arguments_get_a_sentence():
    with pytest.raises(ValueError, match="logits of 0 contains NaN"):
        page.bias_explorer({0: SEEN * np.nan}, LABELS, NAMES)
    with pytest.raises(ValueError, match="3 logits per example but 2 class names"):
        page.bias_explorer({0: SEEN}, LABELS, NAMES[:2])


def test_the_images_with_the_most_and_the_least_are_different_ones():
    share, labels = np.array([0.1, 0.9, 0.8, 0.2, 0.7, 0.3]), np.array([5, 5, 5, 5, 7, 7])
    assert page.most_and_least(share, labels, 3).tolist() == [1, 2, 4, 0, 3, 5]


def test_the_shares_below_count_the_other_images_and_no_bias_changes_them():
    scores, is_3 = np.array([2.0, 0.5, 1.0, 3.0]), np.array([True, True, False, False])
    assert page.share_below(scores, is_3).tolist() == page.share_below(scores + 7, is_3).tolist() == [0.5, 0.0]


def test_a_bias_is_added_to_one_column_or_to_several():
    assert page.with_added(np.zeros((2, 3)), 1, 2.0).tolist() == [[0, 2, 0]] * 2
    assert page.with_added(np.zeros((1, 3)), [0, 2], -1.0).tolist() == [[-1, 0, -1]]


def test_each_student_of_each_arm_is_measured():
    data, seen = load_dataset("spirals"), []
    arms, chosen = {"narrow": {}, "wide": {"hidden": 4}}, {"narrow": {"hidden": 2}, "wide": {"hidden": 8}}
    common = {"alpha": 1.0, "hidden": [2, 8], "steps": 2}

    def measure(student):
        seen.append(student.get_weights()[-1])
        return {"parameters": student.count_params()}

    found = page.measure_each(measure, data, None, models.mlp, arms, chosen, common, seeds=2)
    assert found["narrow"]["parameters"].tolist() == [15] * 2 and found["wide"]["parameters"].tolist() == [51] * 2
    assert not np.array_equal(seen[0], seen[1])


def test_the_gains_in_auc_compare_image_by_image():
    measured = {"low": {"auc": np.zeros((2, 4))}, "high": {"auc": np.full((2, 4), 0.5)}}
    gains = page.auc_gains(measured, "low", ["high"])
    assert list(gains) == ["over low: high"] and gains["over low: high"].mean == 0.5


def test_what_is_printed_of_students_is_theirs(capsys):
    ten = SimpleNamespace(right={"without 0": np.array([[1, 0, 1]]), "without 1": np.array([[0, 0, 1]])})
    page.print_hidden(ten, np.array([0, 0, 1]))
    labels, found = np.array([3, 3, 1, 2]), SimpleNamespace(classes={"arm": np.array([[3, 1, 1, 2], [1, 1, 1, 3]])})
    answers = np.array([[3, 3, 3, 2], [3, 3, 1, 3]])
    measured = {"arm": {"bias": np.array([2.5, 0.25]), "answers": answers, "auc": np.array([0.5, 1])}}
    page.print_measured(measured, found, labels, 3)
    assert capsys.readouterr().out == (
        "hidden digit and share read, one student each:  0: 0.50, 1: 1.00\n"
        "                  3s read         others called 3  accuracy        added bias    AUC\n"
        "arm               0.250 -> 1.000    0.5 -> 1.0     0.500 -> 0.750  0.25 to 2.50  0.750\n"
    )
