"""Page "What does a smaller model cost?": points, areas, the front, what validation chooses."""

import numpy as np
import pytest
from drawn import at, half_width, lines
from gallery import CARDS
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex

from distill_edu import load_dataset, models, teacher_logits
from distill_edu.metrics import accuracy
from distill_edu.pages import smaller_models as page
from distill_edu.pages.shared import picture

ORDER = ("teacher", "hard labels", "distilled, int8")
COLOURS = (picture.TEACHER.lower(), picture.HARD.lower(), picture.DISTILLED.lower())


def seeds(technique, size):
    return CARDS[(CARDS.technique == technique) & (CARDS["size"] == size)]


def expected_points(technique):
    """[(median us, mean test accuracy, kilobytes, mean validation accuracy)] by size, from the table of seeds."""
    tables = [seeds(technique, size) for size in ([8] if technique == "teacher" else [2, 4, 8])]
    return [
        (np.median(table.us), table.test_accuracy.mean(), table.bytes.mean() / 1000, table.valid_accuracy.mean())
        for table in tables
    ]


def everything():
    """The axes where every model fits the budget."""
    figure, _ = at(page.tradeoff_explorer(CARDS))
    return figure.axes[0]


def scatters(axes):
    return [part for part in axes.collections if isinstance(part, PathCollection) and len(part.get_offsets())]


def front_of(points):
    """(us, test accuracy) of the points that no other beats in latency and validation accuracy, by latency."""
    beaten = [any(q[0] <= p[0] and q[3] >= p[3] and q != p for q in points) for p in points]
    return sorted(point[:2] for point, lost in zip(points, beaten, strict=True) if not lost)


def test_every_technique_has_its_points_areas_error_bars_and_colour():
    axes = everything()
    for scatter, technique, colour in zip(scatters(axes), ORDER, COLOURS, strict=True):
        points = expected_points(technique)
        assert np.allclose(scatter.get_offsets(), [point[:2] for point in points])
        assert scatter.get_sizes() == pytest.approx([4 * point[2] for point in points])  # points² for each kilobyte
        assert {to_hex(edge) for edge in scatter.get_edgecolors()} == {colour}
    _, hard_labels, _ = [part for part in axes.collections if isinstance(part, LineCollection)]
    for (low, high), size in zip((bar[:, 1] for bar in hard_labels.get_segments()), (2, 4, 8), strict=True):
        values = seeds("hard labels", size).test_accuracy.to_numpy()
        reach = half_width(values)
        assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach), abs=1e-6)
        assert axes.get_ylim()[0] < low < high < axes.get_ylim()[1]
    assert axes.get_xlabel() == "latency of one example (µs)"


def test_validation_chooses_the_front_which_is_drawn_at_its_test_accuracy():
    axes = everything()
    points = [point for technique in ORDER for point in expected_points(technique)]
    best = front_of(points)
    (front,) = [line for line in lines(axes) if line.style == "--"]
    assert np.allclose(np.column_stack([front.x, front.y]), best) and len(best) < len(points)
    of_test = front_of([(us, test, kb, test) for us, test, kb, _ in points])
    assert best != of_test, "made so that the test images would choose another front"
    (key,) = [part for part in axes.collections if part.get_label() == "10 KB"]
    assert key.get_sizes() == [40]  # 4 points² for each kilobyte, as the markers


@pytest.mark.parametrize(
    "kilobytes, microseconds, technique, size",
    [
        (16, 20, "distilled, int8", 8),
        (32, 36, "teacher", 8),
        (16, 8, "distilled, int8", 4),
        (8, 12, "distilled, int8", 8),
    ],
)
def test_validation_chooses_within_the_budget(kilobytes, microseconds, technique, size):
    """Also where the test would choose another: hard labels beat the distilled student on test data."""
    figure, words = at(page.tradeoff_explorer(CARDS), kilobytes=kilobytes, microseconds=microseconds)
    (axes,) = figure.axes
    chosen = seeds(technique, size)
    us, accuracy, kb = np.median(chosen.us), chosen.test_accuracy.mean(), chosen.bytes.mean() / 1000
    (ring,) = lines(axes, "s")
    assert (*ring.x, *ring.y) == pytest.approx((us, accuracy))
    points = [point for name in ORDER for point in expected_points(name)]
    fitting = [point for point in points if point[0] <= microseconds and point[2] <= kilobytes]
    (front,) = [line for line in lines(axes) if line.style == "--"]
    assert np.allclose(np.column_stack([front.x, front.y]), front_of(fitting))
    assert words == (
        f"Budget {kilobytes} KB and {microseconds} µs: validation data choose {technique}, size {size}. It has "
        f"{kb:.1f} KB, takes {us:.1f} µs and is right on {accuracy:.4f} of the test data."
    )
    for scatter, name in zip(scatters(axes), ORDER, strict=True):
        fits = [kb <= kilobytes and us <= microseconds for us, _, kb, _ in expected_points(name)]
        alphas = np.broadcast_to(scatter.get_alpha(), len(fits))
        assert list(alphas) == [1 if fit else 0.2 for fit in fits]


def test_where_nothing_fits_nothing_is_ringed():
    figure, words = at(page.tradeoff_explorer(CARDS), kilobytes=1)
    assert "nothing fits. The smallest model has 2.0 KB, the quickest takes 6.0 µs" in words
    assert not lines(figure.axes[0], "s")


def test_models_of_equal_size_and_format_have_one_latency_and_each_its_own_accuracy(monkeypatch, tmp_path):
    monkeypatch.setenv("DISTILL_EDU_CACHE", str(tmp_path))
    data = load_dataset("spirals")
    two = [(4, models.mlp(data, hidden=4)), (4, models.mlp(data, hidden=4))]
    table = page.model_cards({"teacher": [(8, models.mlp(data, hidden=8))], "hard labels": two}, data)
    assert table.technique.value_counts().to_dict() == {
        "teacher": 1, "teacher, int8": 1, "hard labels": 2, "hard labels, int8": 2,
    }  # fmt: skip
    assert (table.groupby(["size", "format"])[["us", "batch_us"]].nunique() == 1).all(axis=None)
    x, labels = data.test
    told = table[table.technique == "hard labels"].test_accuracy
    assert told.tolist() == [accuracy(labels, teacher_logits(model, x)) for _, model in two]
    assert len(set(told)) == 2
