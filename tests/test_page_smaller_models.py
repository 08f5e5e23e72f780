"""Page "What does a smaller model cost?": points, widths, the front, what validation chooses, latencies."""

import numpy as np
import pandas
import pytest
from drawn import at, half_width, lines
from gallery import CARDS
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex

from distill_edu import compress, load_dataset, models, teacher_logits
from distill_edu.metrics import accuracy
from distill_edu.pages import smaller_models as page
from distill_edu.pages.shared import picture

ORDER = ("teacher", "hard labels", "distilled, int8")
COLOURS = (picture.TEACHER.lower(), picture.HARD.lower(), picture.DISTILLED.lower())
ASIDE = {"teacher": 1, "hard labels": 0.96, "distilled, int8": 1.04}  # so that files of equal bytes do not collide


def seeds(technique, size, cards=CARDS):
    return cards[(cards.technique == technique) & (cards["size"] == size)]


def expected_points(technique, cards=CARDS):
    """[(place, mean test accuracy, kilobytes, mean validation accuracy)] by size, from the table of seeds."""
    points = []
    for size in [8] if technique == "teacher" else [2, 4, 8]:
        table = seeds(technique, size, cards)
        kilobytes = table.bytes.mean() / 1000
        place = kilobytes * ASIDE[technique]
        points.append((place, table.test_accuracy.mean(), kilobytes, table.valid_accuracy.mean()))
    return points


def everything(cards=CARDS):
    """The axes where every model fits the budget."""
    figure, _ = at(page.tradeoff_explorer(cards), int8=True)
    return figure.axes[0]


def scatters(axes):
    return [part for part in axes.collections if isinstance(part, PathCollection) and len(part.get_offsets())]


def front_of(points):
    """(place, test accuracy) of the points that no other beats in bytes and validation accuracy, by bytes."""
    beaten = [any(q[2] <= p[2] and q[3] >= p[3] and q != p for q in points) for p in points]
    return [
        point[:2] for point, lost in sorted(zip(points, beaten, strict=True), key=lambda pair: pair[0][2]) if not lost
    ]


def test_every_technique_has_its_points_widths_error_bars_and_colour():
    axes = everything()
    for scatter, technique, colour in zip(scatters(axes), ORDER, COLOURS, strict=True):
        points = expected_points(technique)
        assert np.allclose(scatter.get_offsets(), [point[:2] for point in points])
        assert {to_hex(edge) for edge in scatter.get_edgecolors()} == {colour}
    _, of_labels, _ = [part for part in axes.collections if isinstance(part, LineCollection)]
    for (low, high), size in zip((bar[:, 1] for bar in of_labels.get_segments()), (2, 4, 8), strict=True):
        values = seeds("hard labels", size).test_accuracy.to_numpy()
        reach = half_width(values)
        assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach), abs=1e-6)
        assert axes.get_ylim()[0] < low < high < axes.get_ylim()[1]
    written = {(tuple(np.round(text.xy, 9)), text.get_text()) for text in axes.texts}
    sizes = {"teacher": [8], "hard labels": [2, 4, 8], "distilled, int8": [2, 4, 8]}
    drawn = {name: zip(expected_points(name), sizes[name], strict=True) for name in ORDER}
    assert written == {(tuple(np.round(point[:2], 9)), str(size)) for pairs in drawn.values() for point, size in pairs}
    assert axes.get_xlabel().startswith("kilobytes") and axes.get_xscale() == "log"


def test_int8_files_are_hidden_at_first():
    figure, _ = at(page.tradeoff_explorer(CARDS))
    assert len(scatters(figure.axes[0])) == 2
    assert not any("int8" in text.get_text() for text in figure.axes[0].get_legend().get_texts())


def test_validation_chooses_the_front_which_is_drawn_at_its_test_accuracy():
    unlucky = (CARDS.technique == "distilled, int8") & (CARDS["size"] == 4)
    cards = CARDS.assign(test_accuracy=CARDS.test_accuracy.mask(unlucky, 0.5))
    axes = everything(cards)
    points = [point for technique in ORDER for point in expected_points(technique, cards)]
    best = front_of(points)
    (front,) = [line for line in lines(axes) if line.style == "--"]
    assert np.allclose(np.column_stack([front.x, front.y]), best) and len(best) < len(points)
    of_test = front_of([(place, test, kb, test) for place, test, kb, _ in points])
    assert best != of_test, "made so that the test images would choose another front"


@pytest.mark.parametrize(
    "kilobytes, int8, technique, size",
    [
        (32, True, "teacher", 8),
        (4, True, "distilled, int8", 4),
        (2, True, "distilled, int8", 2),
        (16, False, "teacher", 8),
        (8, False, "teacher", 8),
    ],
)
def test_validation_chooses_within_the_budget(kilobytes, int8, technique, size):
    figure, words = at(page.tradeoff_explorer(CARDS), kilobytes=kilobytes, int8=int8)
    (axes,) = figure.axes
    chosen = seeds(technique, size)
    accuracy, kb = chosen.test_accuracy.mean(), chosen.bytes.mean() / 1000
    (ring,) = [line for line in lines(axes, "s") if len(line.x)]
    assert (*ring.x, *ring.y) == pytest.approx((kb * ASIDE[technique], accuracy))
    names = ORDER if int8 else ORDER[:2]
    fitting = [point for name in names for point in expected_points(name) if point[2] <= kilobytes]
    (front,) = [line for line in lines(axes) if line.style == "--"]
    assert np.allclose(np.column_stack([front.x, front.y]), front_of(fitting))
    sentence = f"Budget {kilobytes} KB: {technique}, width {size}, {kb:.1f} KB, test accuracy {accuracy:.4f}"
    assert words == sentence
    for scatter, name in zip(scatters(axes), names, strict=True):
        fits = [kb <= kilobytes for _, _, kb, _ in expected_points(name)]
        alphas = np.broadcast_to(scatter.get_alpha(), len(fits))
        assert list(alphas) == [1 if fit else 0.4 for fit in fits]


def test_where_nothing_fits_nothing_is_ringed():
    figure, words = at(page.tradeoff_explorer(CARDS), kilobytes=1, int8=True)
    assert "nothing fits. The smallest file has 2.0 KB" in words
    assert not [line for line in lines(figure.axes[0], "s") if len(line.x)]


def test_each_model_has_its_own_accuracy_and_no_latency(monkeypatch, tmp_path):
    monkeypatch.setenv("DISTILL_EDU_CACHE", str(tmp_path))
    data = load_dataset("spirals")
    two = [(4, models.mlp(data, hidden=4)), (4, models.mlp(data, hidden=4))]
    table = page.model_cards({"teacher": [(8, models.mlp(data, hidden=8))], "hard labels": two}, data)
    assert table.technique.value_counts().to_dict() == {
        "teacher": 1, "teacher, int8": 1, "hard labels": 2, "hard labels, int8": 2,
    }  # fmt: skip
    assert not [name for name in table if "us" in name.split("_")]
    x, labels = data.test
    told = table[table.technique == "hard labels"].test_accuracy
    assert told.tolist() == [accuracy(labels, teacher_logits(model, x)) for _, model in two]
    assert len(set(told)) == 2


def test_an_int8_file_is_judged_image_by_image():
    data = load_dataset("digits")
    narrow, wide = models.cnn(data, width=1), models.cnn(data, width=2)
    right = page.right_in_int8([(1, narrow), (2, wide), (1, wide)], data)
    assert {width: rows.shape for width, rows in right.items()} == {
        1: (2, len(data.test[1])),
        2: (1, len(data.test[1])),
    }
    content = compress.export_litert(wide, "int8", data.train[0][:200])
    expected = compress.litert_predict(content, data.test[0]).argmax(axis=1) == data.test[1]
    assert right[1][1].tolist() == right[2][0].tolist() == expected.tolist()


def test_the_two_ways_are_the_widths_and_the_bits():
    cards = CARDS.assign(technique=CARDS.technique.str.removesuffix(", int8"))
    cards.loc[cards.technique == "teacher", "size"] = 16
    small = cards.assign(technique=cards.technique + ", int8", bytes=cards.bytes / 3)
    points = page.tradeoff_points(pandas.concat([cards, small]))
    (axes,) = page.two_ways(points).axes
    drawn = iter(zip(lines(axes, "o"), axes.containers, strict=True))
    for technique in ("distilled", "teacher"):
        own = cards[cards.technique == technique].groupby("size")
        for name, times in (("float32", 1), ("int8", 3)):
            line, bars = next(drawn)
            assert bars.get_label() == f"{technique}, {name}"
            assert line.x.tolist() == pytest.approx((own.bytes.mean() / 1000 / times).tolist())
            assert line.y.tolist() == pytest.approx(own.test_accuracy.mean().tolist())
    widths = sorted(int(text.get_text()) for text in axes.texts if text.get_text())
    assert widths == [2, 2, 4, 4, 8, 8, 16, 16]
    arrows = [(text.xyann[0], text.xy[0]) for text in axes.texts if not text.get_text()]
    assert [start / end for start, end in arrows] == pytest.approx([3] * 4)


def test_a_quantized_scalar_formula_is_told_that_arrays_come():
    assert "raised" in page.check_quantize(lambda x, scale, zero: max(-128, min(127, round(x / scale) + zero)))
