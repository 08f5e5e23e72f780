"""Every slider at every stop, without a browser: an exception in a callback reaches the test."""

import gc
import itertools
import threading
import time
import weakref

import ipywidgets
import numpy as np
import pandas
import pytest

from distill_edu import entropy, plots, soft_targets, widgets
from distill_edu.metrics import paired_gain

SWEEP = pandas.DataFrame(
    [
        {
            "size": size,
            "alpha": alpha,
            "temperature": t,
            "seed": seed,
            "valid_accuracy": right,
            "test_accuracy": right - 0.01,
        }
        for size, alpha, t, seed in itertools.product([4, 16], [0.0, 0.5], [1.0, 2.0, 8.0], range(3))
        for right in [0.7 + size / 100 + alpha / 20 - t / 100 + seed * t / 1000]
    ]
)
CARDS = pandas.DataFrame(
    [
        {"technique": name, "size": size, "seed": seed, "bytes": 1000 * size * kb, "us": 3.0 + size * kb}
        | {"valid_accuracy": right, "test_accuracy": right - 0.01}
        for name, kb, better in (("teacher", 4, 0.05), ("hard labels", 4, 0), ("distilled, int8", 1, 0.03))
        for size in ([8] if name == "teacher" else [2, 4, 8])
        for seed in range(1 if name == "teacher" else 3)
        for right in [0.8 + better + size / 100 + seed / 200]
    ]
)
CURVE = pandas.DataFrame(
    {
        "threshold": [0, 0.35, 0.62, 0.97, 1],
        "teacher_share": [0, 0, 0.25, 0.75, 1],
        "accuracy": [0.8, 0.8, 0.87, 0.9, 0.9],
    }
)
ALONE = {"student": (10.0, 0.8), "teacher": (80.0, 0.9)}
SEEN = np.random.RandomState(0).randn(30, 3) * 2
NAMES = ("cat", "dog", "car")
LOGITS = np.array([[6.0, 2.0, -1.0], [0.5, 1.0, 0.0]])
IMAGES = np.linspace(0, 1, 2 * 8 * 8).reshape(2, 8, 8, 1)
MAPS = np.stack([np.arange(16.0).reshape(4, 4) / 1240**0.5, np.diag([0.5, 0.5, 0.5, 0.5])])
WIDGETS = {
    "temperature": lambda: widgets.temperature_explorer(LOGITS[0], NAMES),
    "temperature of words": lambda: widgets.temperature_explorer(LOGITS, NAMES, items=["Katze", "a < b & c"]),
    "temperature of images": lambda: widgets.temperature_explorer(LOGITS, NAMES, items=IMAGES),
    "temperature of 20 classes": lambda: widgets.temperature_explorer(
        np.arange(20.0) - 9, [f"n{i}" for i in range(20)]
    ),
    "loss": lambda: widgets.loss_explorer(LOGITS[0], LOGITS[1], 0, NAMES),
    "loss with alpha": lambda: widgets.loss_explorer(LOGITS[0], LOGITS[1], 0, NAMES, alpha=0.1),
    "sweep": lambda: widgets.sweep_explorer(SWEEP),
    "seeds": lambda: widgets.seeds_explorer([0.9, 0.8, 0.95, 0.7], [0.85, 0.82, 0.9, 0.6]),
    "boundary": lambda: widgets.boundary_explorer(
        {"teacher": lambda x: x @ [[3, 0, -3], [0, 3, -3]], "student": lambda x: x @ [[1, 0, -1], [0, 1, -1]]},
        np.array([[0, 1], [1, 0], [-1, -1], [0.5, 0.5]]),
        np.array([1, 0, 2, 1]),
    ),
    "trade-off": lambda: widgets.tradeoff_explorer(CARDS),
    "cascade": lambda: widgets.cascade_explorer(CURVE, CURVE.assign(accuracy=CURVE.accuracy - 0.01), **ALONE),
    "bias": lambda: widgets.bias_explorer({0: SEEN, 2: SEEN[:, ::-1]}, np.arange(30) % 3, NAMES),
    "attention": lambda: widgets.attention_explorer(
        IMAGES, {"teacher": MAPS, "student": MAPS[::-1], "with a hint": MAPS.swapaxes(1, 2)}
    ),
    "word": lambda: widgets.word_explorer(
        {"teacher": lambda words: [[len(words[0]), 3, 1]], "student": lambda words: [[1, len(words[0]), 2]]},
        NAMES,
        "cat",
    ),
    "learning": lambda: widgets.learning_explorer(LOGITS[0], LOGITS, [0.1, 0.9], NAMES),
}


def stops(control):
    if isinstance(control.value, str) and not hasattr(control, "options"):
        return ["", "a <b> & c", "Übergröße", "$x$"]
    if hasattr(control, "options"):
        return [value for _, value in control.options]
    return list(np.arange(control.min, control.max + control.step / 2, control.step))


@pytest.fixture(params=WIDGETS)
def widget(request):
    return WIDGETS[request.param]()


def test_every_combination_of_stops_draws_its_own_picture_and_sentence(widget):
    seen = {}
    controls = widget.controls
    for values in itertools.product(*(stops(control) for control in controls.values())):
        for control, value in zip(controls.values(), values, strict=True):
            control.value = value
        assert widget.view.value.startswith("<svg") and "nan" not in widget.words.value
        assert widget.view.value == widget.still().svg()  # nothing is left over from the stops before
        seen[values] = (widget.view.value, widget.words.value)
    assert len(set(seen.values())) == len(seen)


def test_the_live_figure_is_the_still_one(widget):
    still = widget.still()
    assert still.svg() == still.svg()
    assert still._repr_png_().startswith(b"\x89PNG")


def test_every_control_has_a_label_and_the_repr_is_short(widget):
    assert all(control.description.strip() for control in widget.controls.values())
    assert repr(widget) == f"<sliders: {', '.join(widget.controls)}>"


def test_nothing_piles_up_and_two_widgets_are_independent():
    one, other = WIDGETS["temperature"](), WIDGETS["temperature"]()
    start = other.view.value
    for value in (*widgets.TEMPERATURES, 1):
        one.controls["temperature"].value = value
    assert one.view.value == start == other.view.value
    assert len(one.figure.axes) == 1


def test_two_threads_never_draw_into_one_figure():
    inside, most = [], []

    def draw(figure, x):
        inside.append(x)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return f"x is {x}"

    explorer = widgets.Explorer(draw, {"x": ipywidgets.IntSlider(0)})
    threads = [threading.Thread(target=explorer.update) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 5 and max(most) == 1


def test_a_closed_widget_lets_go_of_all_that_it_held():
    logits = LOGITS.copy()
    widget = widgets.temperature_explorer(logits, NAMES)
    held = [weakref.ref(one) for one in (widget, widget.figure, *widget.controls.values())]
    widget.close()
    del widget
    gc.collect()
    assert [one() for one in held] == [None] * len(held)


def test_the_sentence_says_the_right_numbers():
    widget = widgets.temperature_explorer(LOGITS[0], NAMES, temperature=4)
    p = soft_targets(LOGITS[0], 4)
    assert f"cat {100 * p[0]:.1f}% and dog {100 * p[1]:.1f}%" in widget.words.value
    assert f"{entropy(p):.2f} nats" in widget.words.value and "T = 4 " in widget.words.value


def test_the_bars_have_the_right_heights_and_the_gradient_the_right_length():
    figure = plots.Picture()
    plots.draw_soft_targets(figure, LOGITS[0], NAMES, 2)
    (bars,) = figure.axes[0].patches
    heights, edges, _ = bars.get_data()
    assert list(heights[::2]) == pytest.approx(soft_targets(LOGITS[0], 2)) and np.isnan(heights[1::2]).all()
    assert list(edges) == pytest.approx([-0.4, 0.4, 0.6, 1.4, 1.6, 2.4])
    said = plots.draw_gradients(figure, LOGITS[0], LOGITS[1], 0, NAMES, 3)
    soft = 3 * np.linalg.norm(soft_targets(LOGITS[0], 3) - soft_targets(LOGITS[1], 3))
    assert f"soft × T² {soft:.3f}" in said and f"soft, no T² {soft / 9:.3f}" in said


def test_a_word_with_signs_of_html_is_shown_as_it_is():
    widget = widgets.temperature_explorer(LOGITS[:1], ("<b>", "&", "c"))
    assert "&lt;b&gt;" in widget.words.value and "<b>" not in widget.words.value + widget.view.value


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: widgets.temperature_explorer([[np.nan, 1]], "ab"), "contains NaN"),
        (lambda: widgets.temperature_explorer([[0.3, 0.7]], "ab"), "looks like probabilities"),
        (lambda: widgets.temperature_explorer(LOGITS, "ab"), "3 logits per example but 2 class names"),
        (lambda: widgets.temperature_explorer(LOGITS, NAMES, items=["a"]), "one item per row"),
        (lambda: widgets.temperature_explorer(LOGITS, NAMES, temperature=7), "one of the slider's stops"),
        (lambda: widgets.loss_explorer(LOGITS[0], [1.0, -1.0], 0, NAMES), "2 logits per example but 3 class names"),
        (lambda: widgets.loss_explorer(LOGITS[0], LOGITS[1], 3, NAMES), "from 0 to 2, not 3"),
        (lambda: widgets.loss_explorer(LOGITS[0], LOGITS[1], np.eye(3)[0], NAMES), "number of a class"),
        (lambda: widgets.learning_explorer(LOGITS[0], LOGITS, [0.5], NAMES), "2 epochs and curve 1"),
        (lambda: widgets.boundary_explorer({}, [[0, 1]], [0]), "models is empty"),
        (lambda: widgets.boundary_explorer({"a": np.ones_like}, [0, 1], [0]), "give points"),
        (lambda: widgets.boundary_explorer({"a": lambda x: x[:5]}, [[0, 1]], [0]), "a gives"),
        (lambda: widgets.boundary_explorer({"a": lambda x: x * np.nan}, [[0, 1]], [0]), "logits of a contains NaN"),
        (lambda: widgets.sweep_explorer(SWEEP.drop(columns="alpha")), "no column alpha"),
        (lambda: widgets.sweep_explorer(SWEEP.iloc[3:]), "not complete"),
        (lambda: widgets.sweep_explorer(SWEEP[SWEEP.seed == 0]), "at least two seeds"),
        (lambda: widgets.tradeoff_explorer(CARDS.drop(columns="us")), "no column us"),
        (lambda: widgets.tradeoff_explorer(CARDS.iloc[:0]), "table is empty"),
        (lambda: widgets.tradeoff_explorer(CARDS.assign(technique=range(19))), "19 techniques: at most 6"),
        (lambda: widgets.cascade_explorer(CURVE, CURVE[["accuracy"]], **ALONE), "need the columns threshold"),
        (lambda: widgets.cascade_explorer(CURVE, CURVE, (1, 0.5), (0, 0.5)), "teacher is .microseconds, accuracy."),
        (lambda: widgets.cascade_explorer(CURVE, CURVE, 0.5, (1, 0.5)), "student is .microseconds, accuracy."),
        (lambda: widgets.cascade_explorer(CURVE, CURVE, **ALONE, threshold=0.33), "one of the slider's stops"),
        (lambda: widgets.bias_explorer({0: SEEN}, np.zeros(30), NAMES), "every class stands at least once"),
        (lambda: widgets.bias_explorer({}, np.arange(30) % 3, NAMES), "at least one student"),
        (lambda: widgets.bias_explorer({3: SEEN}, np.arange(30) % 3, NAMES), "numbers of classes, such as 3, not 3"),
        (lambda: widgets.bias_explorer({0: SEEN[:9]}, np.arange(30) % 3, NAMES), "30 labels but logits of the shape"),
        (lambda: widgets.bias_explorer({0: SEEN * np.nan}, np.arange(30) % 3, NAMES), "logits of 0 contains NaN"),
        (lambda: widgets.attention_explorer(IMAGES, {}), "one to four models, not of 0"),
        (lambda: widgets.attention_explorer(IMAGES, {"a": MAPS[:1]}), "for the 2 images"),
        (lambda: widgets.attention_explorer(IMAGES, {"a": MAPS, "b": MAPS[:, :2]}), "same places for every model"),
        (lambda: widgets.word_explorer({}, NAMES, "a"), "one, two or three models, not 0"),
        (lambda: widgets.word_explorer({"a": lambda words: [[1, 2]]}, NAMES, "a"), "2 logits per example but 3 class"),
        (lambda: widgets.word_explorer({"a": lambda words: [[np.nan, 2]]}, NAMES, "a"), "logits of a contains NaN"),
        (lambda: widgets.seeds_explorer([0.5, 0.6], [0.5]), "a pair needs one number of each"),
        (lambda: widgets.seeds_explorer([0.5, np.nan], [0.5, 0.6]), "NaN"),
    ],
)
def test_wrong_arguments_get_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_the_still_figures_show_what_they_are_given():
    curve = plots.curves([1, 2], {"a": ([3, 4], plots.TEACHER)}, "x", "y", "title", logx=True)
    assert list(curve.axes[0].lines[0].get_ydata()) == [3, 4]
    assert len(plots.show_images(IMAGES, ["one", "two"]).axes) == 2
    distances = np.array([[0, 1, 9], [1, 0, 9], [9, 9, 0.0]])
    tree = plots.family_tree(distances, NAMES, {"cat": "animal", "dog": "animal", "car": "thing"})
    order = [text.get_text() for text in tree.axes[0].get_yticklabels()]
    assert abs(order.index("cat") - order.index("dog")) == 1  # neighbours in the tree


def test_the_verdict_is_the_intervals():
    better, worse, same = [0.9, 0.91, 0.93], [0.8, 0.81, 0.82], [0.9, 0.92, 0.92]
    said = [
        widgets.seeds_explorer(a, b, seeds=3).words.value for a, b in ((better, worse), (worse, better), (better, same))
    ]
    assert [one.split(": ")[-1] for one in said] == ["it helps.", "it hurts.", "no verdict, 0 is in the interval."]
    assert "+0.1033" in said[0] and "3/3" in said[0]
    assert "One seed: distillation gains +0.1000" in widgets.seeds_explorer(better, worse).words.value
    figure = plots.gains({"a": paired_gain(better, worse), "b": paired_gain(worse, better)}, "gain")
    assert [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "D"] == pytest.approx(
        [0.31 / 3, -0.31 / 3]
    )


def test_the_sweep_says_the_means_of_the_table_and_what_is_best():
    widget = widgets.sweep_explorer(SWEEP)
    widget.controls["temperature"].value = 2.0
    cell = SWEEP[(SWEEP["size"] == 4) & (SWEEP.alpha == 0) & (SWEEP.temperature == 2)]
    assert f"{cell.valid_accuracy.mean():.4f} on validation data, 0.0090 below T = 1 here" in widget.words.value
    assert f"{cell.test_accuracy.mean():.4f} on test data. Bars: 95% intervals over 3 seeds" in widget.words.value
    (bar,) = widget.figure.axes[0].containers
    top = bar[2][0].get_segments()[1][1, 1]
    d = cell.valid_accuracy
    assert top == pytest.approx(d.mean() + 4.302653 * d.std() / 3**0.5, rel=1e-5)  # Student's t, 2 degrees


def test_the_trade_off_takes_the_best_of_validation_within_the_budget():
    widget = widgets.tradeoff_explorer(CARDS)
    assert "validation data choose teacher, size 8. It has 32.0 KB, takes 35.0 µs" in widget.words.value
    widget.controls["kilobytes"].value = 16.0
    assert "choose distilled, int8, size 8. It has 8.0 KB, takes 11.0 µs and is right on 0.9050" in widget.words.value
    widget.controls["microseconds"].value = 7.0
    assert "Budget 16 KB and 7 µs: validation data choose distilled, int8, size 4" in widget.words.value
    (ring,) = [line for line in widget.figure.axes[0].lines if line.get_marker() == "s"]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == pytest.approx((7, 0.865))
    widget.controls["kilobytes"].value = 1.0
    assert "nothing fits. The smallest model has 2.0 KB, the quickest takes 5.0 µs" in widget.words.value
    assert not [line for line in widget.figure.axes[0].lines if line.get_marker() == "s"]


def test_the_trade_off_draws_areas_error_bars_and_the_front_on_the_same_axes():
    axes = plots.tradeoff(CARDS).axes[0]
    hard, part = axes.collections, CARDS[CARDS.technique == "hard labels"]
    areas = [sorted(one.get_sizes()) for one in hard if len(one.get_offsets()) == 3 and one.get_sizes().size == 3]
    assert areas == [pytest.approx([32, 64, 128]), pytest.approx([8, 16, 32])]  # 4 points² for each kilobyte
    reach = 4.302653 * part[part["size"] == 2].test_accuracy.std() / 3**0.5
    assert list(plots.tradeoff_points(CARDS).reach)[:2] == pytest.approx([0, reach])
    (front,) = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert list(front.get_xdata()) == pytest.approx([5, 7, 11, 35])
    less = plots.tradeoff(CARDS, shown=["hard labels"]).axes[0]
    assert less.get_ylim() == axes.get_ylim() and less.get_xlim() == axes.get_xlim()
    assert [text.get_text() for text in less.get_legend().get_texts()] == ["hard labels", "Pareto front"]


def test_the_cascade_says_what_its_curve_has_at_the_threshold():
    widget = widgets.cascade_explorer(CURVE, CURVE.assign(accuracy=CURVE.accuracy - 0.01), **ALONE, threshold=0.6)
    assert "Threshold 0.6: the teacher gets 25.0% of the test questions. Accuracy 0.8600" in widget.words.value
    assert "Mean latency 30.0 µs; student 10.0, teacher 80.0" in widget.words.value
    widget.controls["threshold"].value = 0
    assert "gets 0.0% of" in widget.words.value and "Accuracy 0.7900" in widget.words.value


def test_the_bias_says_what_a_loop_counts():
    labels = np.arange(30) % 3
    widget = widgets.bias_explorer({1: SEEN}, labels, NAMES, bias=1.5)
    answers = [np.argmax(row + [0, 1.5, 0]) for row in SEEN]
    right = [answer == label for answer, label in zip(answers, labels, strict=True)]
    said = (
        f"With +1.5 on its bias {np.mean(right[1::3]):.3f} of its examples are right, and {np.mean(right):.3f} of all."
    )
    assert f"dog was omitted. {said} It is the answer {answers.count(1)} times" in widget.words.value
    others, omitted = (bars.get_data()[0][::2] for bars in widget.figure.axes[1].patches)
    assert list(others + omitted) == pytest.approx([np.mean(right[c::3]) for c in range(3)])
    assert list(omitted != 0) == [False, True, False]
