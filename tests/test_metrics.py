"""The metrics beside plain loops; paired differences beside SciPy's paired t-test; and what is refused."""

import numpy as np
import pandas
import pytest
import scipy.stats

from distill_edu import metrics, soft_targets

RANDOM = np.random.RandomState(0)
LOGITS = 2 * RANDOM.randn(400, 5)
LABELS = np.where(RANDOM.rand(400) < 0.6, LOGITS.argmax(1), RANDOM.randint(0, 5, 400))
OTHER = LOGITS + RANDOM.randn(400, 5)


def test_accuracy_nll_and_agreement_are_what_a_loop_counts():
    p = soft_targets(LOGITS)
    right = [row.argmax() == label for row, label in zip(LOGITS, LABELS, strict=True)]
    assert metrics.accuracy(LABELS, LOGITS) == pytest.approx(sum(right) / 400)
    assert metrics.nll(LABELS, LOGITS) == pytest.approx(-np.mean([np.log(p[i, y]) for i, y in enumerate(LABELS)]))
    assert metrics.nll([0, 0], [[0.0, 1000.0], [1000.0, 0.0]]) == 500
    same = [a.argmax() == b.argmax() for a, b in zip(LOGITS, OTHER, strict=True)]
    assert metrics.agreement(LOGITS, OTHER) == pytest.approx(sum(same) / 400) != 1


def test_acceptance_is_what_two_models_share():
    p, q = soft_targets(LOGITS), soft_targets(OTHER)
    by_loop = np.mean([sum(min(a, b) for a, b in zip(*rows, strict=True)) for rows in zip(p, q, strict=True)])
    assert metrics.acceptance(LOGITS, OTHER) == pytest.approx(by_loop) == 1 - np.abs(p - q).sum(axis=1).mean() / 2
    assert metrics.acceptance(LOGITS, LOGITS) == pytest.approx(1)
    assert metrics.acceptance([[0.0, -1000.0]], [[-1000.0, 0.0]]) == 0
    assert metrics.acceptance(np.log([[0.5, 0.3, 0.2]]), np.log([[0.2, 0.5, 0.3]])) == pytest.approx(0.7)


def test_temperature_scaling_finds_the_temperature_that_was_put_in():
    labels = np.array([RANDOM.choice(5, p=p) for p in np.repeat(soft_targets(LOGITS), 50, axis=0)])
    logits = np.repeat(LOGITS, 50, axis=0)
    assert metrics.temperature_scaling(labels, 3 * logits) == pytest.approx(3, rel=0.05)
    assert metrics.temperature_scaling(labels, logits / 2) == pytest.approx(0.5, rel=0.05)
    highest = metrics.temperature_scaling(1 - labels % 2, 1e3 * logits)
    assert highest == pytest.approx(20, rel=0.02)
    grid = [metrics.nll(LABELS, LOGITS / t) for t in np.geomspace(0.05, 20, 400)]
    best = metrics.temperature_scaling(LABELS, LOGITS)
    assert metrics.nll(LABELS, LOGITS / best) <= min(grid) + 1e-6


def test_the_pareto_front_is_what_no_other_model_beats():
    costs, values = RANDOM.randint(0, 8, 40), RANDOM.randint(0, 8, 40)
    for i, on_front in enumerate(metrics.pareto_front(costs, values)):
        others = zip(costs, values, strict=True)
        beaten = any((c <= costs[i] and v > values[i]) or (c < costs[i] and v >= values[i]) for c, v in others)
        assert on_front == (not beaten)
    assert list(metrics.pareto_front([1, 1, 2], [3, 3, 3])) == [True, True, False]  # twins do not beat each other


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error_is_what_a_loop_over_bins_gives(bins):
    p = soft_targets(LOGITS)
    confidence, right = p.max(1), p.argmax(1) == LABELS
    total = 0.0
    for m in range(bins):
        inside = (confidence > m / bins) & (confidence <= (m + 1) / bins)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert metrics.calibration_error(LABELS, LOGITS, bins) == pytest.approx(total)
    assert (metrics.calibration_error(LABELS, LOGITS) == pytest.approx(total)) == (bins == 15)  # the default


def test_calibration_error_of_answers_that_are_certain():
    certain = np.array([[1000.0, 0.0], [1000.0, 0.0]])
    assert [metrics.calibration_error(labels, certain) for labels in ([0, 0], [1, 1], [0, 1])] == [0, 1, 0.5]


def test_report_has_all_four():
    values = metrics.report(LABELS, LOGITS, LOGITS)
    assert values["agreement"] == 1 and values["accuracy"] == metrics.accuracy(LABELS, LOGITS)
    assert values["nll"] == metrics.nll(LABELS, LOGITS)
    assert values["ece"] == metrics.calibration_error(LABELS, LOGITS) > 0


def test_gap_recovered_is_a_share_of_the_way_to_the_teacher():
    assert metrics.gap_recovered(0.9, 0.8, 1.0) == pytest.approx(0.5)
    assert metrics.gap_recovered([0.7, 1.1], 0.8, 1.0) == pytest.approx([-0.5, 1.5])


def test_the_curve_of_a_cascade_by_loops():
    confidence = np.array([0.3, 0.9, 0.6, 0.9, 0.45])
    student = np.array([False, True, False, True, True])
    teacher = np.array([True, False, True, True, False])
    curve = metrics.threshold_curve(confidence, student, teacher)
    assert list(curve.threshold) == [0, 0.3, 0.45, 0.6, 0.9, 1]
    for row in curve.itertuples():
        asked = confidence < row.threshold
        assert row.teacher_share == asked.mean()
        assert row.accuracy == pytest.approx(np.where(asked, teacher, student).mean())


# --- paired differences ---------------------------------------------------------------------------------------------


def test_paired_gain_is_scipys_paired_t_test():
    a, b = RANDOM.rand(7) + 0.1, RANDOM.rand(7)
    gain, oracle = metrics.paired_gain(a, b), scipy.stats.ttest_rel(a, b)
    low, high = oracle.confidence_interval(0.95)
    assert (gain.low, gain.high, gain.p) == pytest.approx((low, high, oracle.pvalue))
    assert gain.mean / gain.standard_error == pytest.approx(oracle.statistic)
    assert (gain.wins, gain.n) == ((a > b).sum(), 7)
    assert str(metrics.paired_gain([3, 2, 1], [1, 2, 3])).startswith("+0.0000 ± 1.1547 (95%: -4.96")
    assert metrics.paired_gain([3, 2, 1], [1, 2, 3]).wins == 1  # a tie is no win
    with pytest.raises(AttributeError):
        gain.mean = 9


@pytest.mark.parametrize("a, mean, p, wins", [([1.0, 2.0], 0, 1, 0), ([2.0, 3.0], 1, 0, 2), ([0.0, 1.0], -1, 0, 0)])
def test_a_gain_without_any_spread_is_certain(a, mean, p, wins):
    gain = metrics.paired_gain(a, [1.0, 2.0])
    assert (gain.mean, gain.standard_error, gain.p, gain.wins) == (mean, 0, p, wins)


def test_series_are_paired_by_their_index():
    a = pandas.Series([1.0, 2.0, 4.0], index=[0, 1, 2])
    b = pandas.Series([3.0, 1.0, 0.0], index=[2, 1, 0])
    assert metrics.paired_gain(a, b).mean == 1 and metrics.paired_gain(a, b).standard_error == 0
    tables = [pandas.DataFrame(RANDOM.rand(5, 3), columns=list("xyz")) for _ in range(2)]
    right = metrics.paired_gain(*map(np.array, tables))
    assert metrics.paired_gain(tables[0], tables[1].iloc[::-1][list("zxy")]) == right


def test_with_answers_to_every_image_the_interval_covers_seeds_and_images():
    random = np.random.RandomState(1)
    a, b = (random.rand(6, 50) < share for share in (0.8, 0.7))
    d = a.astype(float) - b
    per_seed, per_image = [row.mean() for row in d], [column.mean() for column in d.T]
    v, w = np.var(per_seed, ddof=1) / 6, np.var(per_image, ddof=1) / 50
    degrees = (v + w) ** 2 / (v**2 / 5 + w**2 / 49)
    error = (v + w) ** 0.5
    gain = metrics.paired_gain(a, b)
    reach = scipy.stats.t.ppf(0.975, degrees) * error
    assert (gain.mean, gain.standard_error) == pytest.approx((d.mean(), error))
    assert (gain.low, gain.high) == pytest.approx((d.mean() - reach, d.mean() + reach))
    assert gain.p == pytest.approx(2 * scipy.stats.t.cdf(-abs(d.mean()) / error, degrees))
    assert (gain.wins, gain.n) == (sum(value > 0 for value in per_seed), 6)
    assert gain.standard_error > metrics.paired_gain(a.mean(axis=1), b.mean(axis=1)).standard_error


def test_the_interval_over_seeds_and_images_holds_the_truth_at_least_as_often_as_it_says():
    random, held, truth = np.random.RandomState(0), 0, 0.1
    for _ in range(300):
        seeds, images = random.randn(6, 1) * 0.02, random.randn(1, 40) * 0.2
        d = truth + seeds + images + random.randn(6, 40) * 0.1
        gain = metrics.paired_gain(d, 0 * d)
        held += gain.low <= truth <= gain.high
    assert 0.93 <= held / 300 <= 1


def test_holm_by_hand():
    got = metrics.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert list(got) == ["a", "b", "c", "d"]
    assert list(got.values()) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert metrics.holm({"one": 0.04}) == {"one": 0.04} and metrics.holm({"a": 0.6, "b": 0.7}) == {"a": 1, "b": 1}


def test_a_question_without_an_answer_corrects_no_other():
    for unknown in ({"x": np.nan, "a": 0.001, "b": 0.5, "c": 0.04}, {"a": 0.001, "b": 0.5, "c": 0.04, "x": np.nan}):
        got = metrics.holm(unknown)
        assert np.isnan(got.pop("x")) and got == pytest.approx({"a": 0.003, "b": 0.5, "c": 0.08})


def test_the_mean_and_how_far_its_interval_reaches():
    values = [0.9, 0.7, 0.85, 0.8]
    mean, error, reach = metrics.mean_and_reach(values)
    low, high = scipy.stats.t.interval(0.95, 3, loc=np.mean(values), scale=scipy.stats.sem(values))
    assert (mean, error) == pytest.approx((np.mean(values), scipy.stats.sem(values)))
    assert (mean - reach, mean + reach) == pytest.approx((low, high))


# --- what is refused ------------------------------------------------------------------------------------------------

OF_LABELS = [
    ((LABELS[:-1], LOGITS), "give labels"),
    ((np.eye(5)[LABELS], LOGITS), "give labels"),
    (([], np.zeros((0, 5))), "n at least 1"),
    (([0, 1], [1.0, -2.0]), "give labels"),
    ((LABELS, LOGITS[:, None]), "give labels"),
    *(((LABELS + change, LOGITS), "integers from 0 to 4") for change in (9, -1, 1)),
    ((LABELS * 1.0, LOGITS), "integers from 0 to 4"),
    ((LABELS, soft_targets(LOGITS)), "looks like probabilities"),
    ((LABELS, LOGITS * np.nan), "NaN"),
]
OF_TWO_MODELS = [
    ((LOGITS, LOGITS[:-1]), "same examples"),
    ((LOGITS[:-1], LOGITS), "same examples"),
    ((LOGITS[:0], LOGITS[:0]), "same examples"),
    ((LOGITS, soft_targets(LOGITS)), "student_logits looks like probabilities"),
]
OF_PAIRS = [
    *((pair, "a pair needs one number of each") for pair in (([1, 2, 3], [1, 2]), ([1, 2], [1, 2, 3]))),
    *((pair, "a pair needs one number of each") for pair in (([[[1, 2]]], [[[1, 2]]]), (1.0, 2.0))),
    (([1], [2]), "There are 1 pairs"),
    (([], []), "There are 0 pairs"),
    *(((np.ones((3, n)), np.ones((3, n))), r"The shape is \(3, .\): give one number per seed") for n in (0, 1)),
    (([1, np.nan], [1, 2]), "NaN"),
    (([1, np.inf], [1, np.inf]), "NaN or infinite"),
    (([1, {}], [1, 2]), "Numbers are needed"),
    ((["one", "two"], [1, 2]), "Numbers are needed"),
    *(((pandas.Series([1.0, 2, 4]), pandas.Series([1.0, 2, 3], i)), "other indices") for i in ([0, 1, 3], [0, 1, 1])),
    ((pandas.Series([1.0, 2, 3], [0, 1, 1]), pandas.Series([1.0, 2, 3], [0, 1, 1])), "other indices"),
    (([pandas.DataFrame(np.eye(3), columns=list(names)) for names in ("abc", "abd")]), "other columns"),
]
OF_A_CURVE = [
    ((np.array([0.5, np.nan]), np.ones(2), np.ones(2)), "NaN"),
    ((np.array([0.5, 0.6]), np.ones(3), np.ones(3)), "one number per example"),
]
OF_A_FRONT = [(pair, "one of each per model") for pair in (([1, 2], [1]), ([1], [1, 2]), ([[1, 2]], [[1, 2]]), (1, 2))]
OF_A_GAP = [((0.9, 0.95, 0.9), "no gap to recover"), (([0.9, 0.8], 0.9, [1.0, 0.9]), "no gap to recover")]
REFUSED = {
    **dict.fromkeys([metrics.accuracy, metrics.nll, metrics.calibration_error], OF_LABELS),
    **dict.fromkeys([metrics.agreement, metrics.acceptance], OF_TWO_MODELS),
    metrics.paired_gain: OF_PAIRS,
    metrics.pareto_front: OF_A_FRONT,
    metrics.threshold_curve: OF_A_CURVE,
    metrics.temperature_scaling: [(([1, 1], [[0.0, -np.inf], [0.0, 1.0]]), "infinite at every temperature")],
    metrics.gap_recovered: OF_A_GAP,
}


@pytest.mark.parametrize("metric, given, message", [(f, *row) for f, rows in REFUSED.items() for row in rows])
def test_wrong_use_gets_a_sentence(metric, given, message):
    with pytest.raises(ValueError, match=message):
        metric(*given)
