"""The figures. A `draw_...` function draws one state and returns it in words; the others return a Picture."""

import io

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from distill_edu.metrics import mean_and_reach, paired_gain, pareto_front
from distill_edu.soft_targets import entropy, soft_targets

# One colour means one thing in the whole series (Okabe and Ito's palette, which colour-blind readers can tell apart).
TEACHER, HARD, DISTILLED, NEUTRAL = "#0072B2", "#E69F00", "#009E73", "#767676"
# Of the techniques of a trade-off, in their order: colour, and whether the marker is filled.
STYLES = ((TEACHER, True), (HARD, True), (DISTILLED, True), (TEACHER, False), (HARD, False), (DISTILLED, False))
CLASSES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8C6D00")


class Picture(Figure):
    """A matplotlib figure that shows itself once at the end of a cell, and that gives itself as SVG text."""

    def __init__(self, width=7.0, height=2.8):
        super().__init__(figsize=(width, height), dpi=72, facecolor="white")
        FigureCanvasSVG(self)

    def _repr_png_(self):
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()

    def svg(self):
        """The figure as SVG text without a date and with fixed ids: the same picture gives the same text."""
        buffer = io.StringIO()
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "distill_edu"}):
            self.canvas.print_svg(buffer, metadata={"Date": None})  # savefig would draw everything twice
        text = buffer.getvalue()
        return text[text.index("<svg") :]


def draw_soft_targets(figure, logits, class_names, temperature, item=None):
    """Bars of softmax(logits / T), one per class, beside the item (an image or a word) that the logits are for."""
    probabilities = soft_targets(logits, temperature)
    axes = _item_and_axes(figure, item, len(class_names))
    _grouped_bars(axes, {None: (probabilities, TEACHER)})
    _class_axis(axes, class_names)
    axes.set(ylim=(0, 1), ylabel="probability", title=f"soft targets at T = {temperature:g}")
    return _soft_targets_in_words(probabilities, class_names, temperature)


def _soft_targets_in_words(probabilities, class_names, temperature):
    first, second = np.argsort(probabilities)[::-1][:2]
    nats = entropy(probabilities)
    return (
        f"At T = {temperature:g} the teacher gives {class_names[first]} {_percent(probabilities[first])} and "
        f"{class_names[second]} {_percent(probabilities[second])}. Entropy {nats:.2f} nats: as unsure as a fair choice "
        f"among {np.exp(nats):.1f} classes."
    )


def draw_gradients(figure, teacher_logits, student_logits, label, class_names, temperature, alpha=None):
    """Teacher and student at T on the left; on the right what each loss does to each logit (minus its gradient)."""
    p, q = soft_targets(teacher_logits, temperature), soft_targets(student_logits, temperature)
    soft = temperature * (p - q)
    hard = (np.arange(len(class_names)) == label) - soft_targets(student_logits)
    left, right = _two_axes(figure)
    _grouped_bars(left, {"teacher p": (p, TEACHER), "student q": (q, DISTILLED)})
    left.set(ylim=(0, 1), ylabel="probability", title=f"soft targets at T = {temperature:g}")
    if alpha is None:
        title, reach, unscaled = "each loss alone", 1.1, soft / temperature**2
        pulls = {"hard label": (hard, HARD), "soft, no T²": (unscaled, NEUTRAL), "soft × T²": (soft, DISTILLED)}
    else:
        title, reach = "loss with α", 0.8
        pulls = {"α × hard": (alpha * hard, HARD), "(1 − α) × soft": ((1 - alpha) * soft, DISTILLED)}
    _grouped_bars(right, pulls)
    reach = max(reach, *(1.1 * np.abs(values).max() for values, _ in pulls.values()))
    right.axhline(0, color="black", linewidth=0.8)
    right.set(ylim=(-reach, reach), ylabel="push on the logit", title=title)
    for axes in (left, right):
        _class_axis(axes, class_names)
        _legend_below(axes)
    return _gradients_in_words(pulls, temperature, alpha)


def _gradients_in_words(pulls, temperature, alpha):
    sizes = {name: np.linalg.norm(values) for name, (values, _) in pulls.items()}
    said = "; ".join(f"{name} {size:.3f}" for name, size in sizes.items())
    weight = "" if alpha is None else f", α = {alpha:g}: loss = α CE + (1 − α) T² KL"
    return f"T = {temperature:g}{weight}. Length of the gradient: {said}."


def draw_learning(figure, teacher_logits, student_logits, curve, class_names, temperature, epoch):
    """The student's answer after `epoch` epochs beside the teacher's; on the right a curve over the epochs."""
    p, q = soft_targets(teacher_logits, temperature), soft_targets(student_logits[epoch], temperature)
    left, right = _two_axes(figure)
    _grouped_bars(left, {"teacher": (p, TEACHER), "student": (q, DISTILLED)})
    _class_axis(left, class_names)
    left.set(ylim=(0, 1), ylabel="probability", title=f"one image at T = {temperature:g}")
    _legend_below(left)
    right.plot(curve, color=DISTILLED)
    right.plot(epoch, curve[epoch], "o", color=DISTILLED)
    right.xaxis.get_major_locator().set_params(integer=True)
    right.set(xlabel="epochs of training", ylabel="accuracy on validation data", ylim=(0, 1), title="the student")
    gap = np.abs(p - q).sum() / 2
    return (
        f"After {epoch} epochs teacher and student place {_percent(gap)} of the probability differently on this image. "
        f"The student's accuracy on validation data is {curve[epoch]:.3f}."
    )


def draw_training(figure, runs, now, temperature, alpha):
    """Loss and accuracy over the updates of the last of `runs`, in front of those of the runs before it.

    Each run: lists of updates, losses, accuracies. `now`: a word for what the training does.
    """
    left, right = _two_axes(figure)
    for axes, part in ((left, 1), (right, 2)):
        for run in runs:
            axes.plot(run[0], run[part], color=DISTILLED if run is runs[-1] else NEUTRAL, zorder=run is runs[-1])
        axes.autoscale()
        axes.set_xlabel("updates")
    left.set(ylabel="loss of the last batches", title=f"T = {temperature:g}, α = {alpha:g}")
    right.set(ylabel="accuracy on validation data", ylim=(0, 1), title="the student")
    updates, losses, accuracies = runs[-1]
    if not updates:
        return f"{now}: no update yet."
    return (
        f"{now} after {updates[-1]} updates: loss {losses[-1]:.3f}, accuracy on validation data {accuracies[-1]:.3f}."
    )


def draw_boundaries(figure, logits, extent, points, labels, temperature):
    """What models answer on a plane, each in its own Axes: a class has a colour, and where a model is unsure they mix.

    `logits`: name -> [rows, columns, classes] on the grid of `extent` (left, right, bottom, top); `points`: [n, 2].
    """
    width = 0.95 / len(logits)
    boxes = [(0.07 + i * width, 0.12, width - 0.03, 0.74) for i in range(len(logits))]
    said = []
    for axes, (name, values) in zip(_empty_axes(figure, *boxes), logits.items(), strict=True):
        probabilities = soft_targets(values, temperature)
        mixed = probabilities @ np.array([to_rgb(colour) for colour in CLASSES[: values.shape[-1]]])
        axes.imshow(1 - 0.6 * (1 - mixed), extent=extent, origin="lower", aspect="auto", interpolation="bilinear")
        for label, (marker, colour) in enumerate(zip("o^sDv", CLASSES, strict=True)):
            axes.plot(*points[labels == label].T, marker, markersize=3, color=colour, markeredgecolor="black", mew=0.3)
        axes.set(xlim=extent[:2], ylim=extent[2:], title=name)
        axes.tick_params(labelleft=axes is figure.axes[0])  # the others have the same
        said.append(f"{name} {entropy(probabilities).mean():.2f}")
    return f"T = {temperature:g}. Mean entropy over the plane, in nats: {', '.join(said)}."


def draw_paired(figure, distilled, hard, seeds):
    """Both students of the first `seeds` seeds, joined by lines; on the right the mean gain and its interval."""
    left, right = _empty_axes(figure, (0.1, 0.19, 0.52, 0.7), (0.78, 0.19, 0.2, 0.7))
    positions = range(1, len(hard) + 1)
    left.vlines(positions[:seeds], hard[:seeds], distilled[:seeds], color=NEUTRAL)
    left.plot(positions[:seeds], hard[:seeds], "o", color=HARD, label="hard labels")
    left.plot(positions[:seeds], distilled[:seeds], "D", color=DISTILLED, label="distilled")
    both = np.concatenate([hard, distilled])
    room = 0.1 * np.ptp(both) + 1e-3
    left.set(xlim=(0.4, len(hard) + 0.6), ylim=(both.min() - room, both.max() + 2.5 * room))
    left.set(xlabel="seed (number)", ylabel="accuracy", title="pairs with the same start")
    left.legend(fontsize=8, frameon=False, ncols=2, loc="upper center")
    right.axhline(0, color="black", linewidth=0.8)
    reach = 1.5 * np.abs(distilled - hard).max() + 1e-3
    right.set(ylim=(-reach, reach), xticks=[], title="mean gain, 95%")
    if seeds == 1:
        right.plot(0, distilled[0] - hard[0], "D", color=DISTILLED)
        return f"One seed: distillation gains {distilled[0] - hard[0]:+.4f}. Nothing says how far luck goes."
    gain = paired_gain(distilled[:seeds], hard[:seeds])
    right.errorbar(0, gain.mean, gain.high - gain.mean, fmt="D", color=DISTILLED, capsize=5)
    return f"{seeds} seeds: {gain_in_words(gain)}"


def draw_sweep(figure, table, size, alpha, temperature):
    """Accuracy over T with 95% intervals, for one size and alpha of a sweep: validation data and test data apart."""
    chosen = table[(table["size"] == size) & (table["alpha"] == alpha)].groupby("temperature")
    means = {}
    for axes, part in zip(_two_axes(figure), ("valid", "test"), strict=True):
        curve = {t: mean_and_reach(accuracies) for t, accuracies in chosen[f"{part}_accuracy"]}
        mean, _, reach = zip(*curve.values(), strict=True)
        means[part] = dict(zip(curve, mean, strict=True))
        axes.errorbar(list(curve), mean, reach, fmt="o-", color=DISTILLED, capsize=3, markersize=4)
        axes.plot(temperature, means[part][temperature], "s", markersize=11, fillstyle="none", color="black")
        axes.set(xscale="log", xlabel="temperature T (no unit)", ylabel="accuracy")
        # Said, because matplotlib 3.10 finds other limits on Axes that have been drawn on before.
        axes.set_xlim(0.87 * min(curve), 1.15 * max(curve))
        axes.set(title="validation: choose here" if part == "valid" else "test: read once")
        axes.set_xticks(list(curve), [f"{t:g}" for t in curve])
        axes.minorticks_off()
    valid, test = means["valid"], means["test"]
    best = max(valid, key=valid.get)
    place = "the best" if best == temperature else f"{valid[best] - valid[temperature]:.4f} below T = {best:g}"
    return (
        f"{size:g} hidden units, α = {alpha:g}, T = {temperature:g}: {valid[temperature]:.4f} on validation data, "
        f"{place} here; {test[temperature]:.4f} on test data. "
        f"Bars: 95% intervals over {len(chosen.get_group(temperature))} seeds."
    )


def draw_tradeoff(figure, points, kilobytes=None, microseconds=None, shown=None):
    """Accuracy on test data over latency, the marker's area for the bytes; pale what is outside of the budget.

    `points`: from `tradeoff_points`. `shown`: the techniques to draw, all by default; the axes stay the same.
    """
    (axes,) = _empty_axes(figure, (0.11, 0.18, 0.6, 0.72))
    low, high = _with_room([points.test_accuracy - points.reach, points.test_accuracy + points.reach], 0.05)
    axes.set(xlim=(0, 1.1 * points.us.max()), xlabel="latency of one example (µs)")
    axes.set(ylim=(low, high), ylabel=f"test accuracy (axis from {low:.2f})")
    # In the title, so that a slider which changes no point changes the picture, too.
    budget = None if kilobytes is None else (kilobytes, microseconds)
    axes.set_title(f"at most {kilobytes:g} KB and {microseconds:g} µs" if budget else "")
    for technique, (colour, filled) in zip(points.technique.unique(), STYLES, strict=False):
        if shown is None or technique in shown:
            _draw_points(axes, points[points.technique == technique], budget or (np.inf, np.inf), colour, filled)
            axes.plot([], [], "o", color=colour, fillstyle="full" if filled else "none", label=technique)
    points = points if shown is None else points[points.technique.isin(shown)]
    front = points[pareto_front(points.us, points.test_accuracy)].sort_values("us")
    axes.plot(front.us, front.test_accuracy, "--", color=NEUTRAL, zorder=0, label="Pareto front")
    if axes.get_legend() is None:
        axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1), title="area: bytes")
    return _choose(axes, points, *budget) if budget else ""


def tradeoff_points(table):
    """The means over the seeds: a row for each technique and size, with kilobytes, us, and accuracies."""
    points = table.groupby(["technique", "size"], sort=False).agg(
        kilobytes=("bytes", lambda values: values.mean() / 1000),
        us=("us", "median"),
        valid_accuracy=("valid_accuracy", "mean"),
        test_accuracy=("test_accuracy", "mean"),
        reach=("test_accuracy", lambda values: mean_and_reach(values)[2] if len(values) > 1 else 0.0),
    )
    return points.reset_index()


def _fits(points, kilobytes, microseconds):
    return (points.kilobytes <= kilobytes) & (points.us <= microseconds)


def _draw_points(axes, points, budget, colour, filled):
    us, right, reach = (points[column].to_numpy() for column in ("us", "test_accuracy", "reach"))
    alpha = np.where(_fits(points, *budget), 1, 0.2)
    axes.vlines(us, right - reach, right + reach, color=colour, linewidth=1, alpha=alpha)
    # The same area for the same number of bytes, whichever points are drawn.
    area, face = 4 * points.kilobytes.to_numpy(), colour if filled else "white"
    axes.scatter(us, right, area, c=face, edgecolors=colour, alpha=alpha, zorder=3)


def _choose(axes, points, kilobytes, microseconds):
    """Ring the point that validation data choose within the budget, and say what it is and costs."""
    budget = f"Budget {kilobytes:g} KB and {microseconds:g} µs"
    fits = points[_fits(points, kilobytes, microseconds)]
    if fits.empty:
        return (
            f"{budget}: nothing fits. The smallest model has {points.kilobytes.min():.1f} KB, "
            f"the quickest takes {points.us.min():.1f} µs."
        )
    best = fits.loc[fits.valid_accuracy.idxmax()]
    axes.plot(best.us, best.test_accuracy, "s", markersize=22, fillstyle="none", color="black")
    return (
        f"{budget}: validation data choose {best.technique}, size {best['size']:g}. It has {best.kilobytes:.1f} KB, "
        f"takes {best.us:.1f} µs and is right on {best.test_accuracy:.4f} of the test data."
    )


def draw_cascade(figure, valid, test, student, teacher, threshold):
    """Accuracy of a cascade over the share of questions that the teacher gets, and over the mean latency.

    `valid`, `test`: what `Cascade.curve` returned; `student`, `teacher`: (microseconds, accuracy on test data) alone.
    """
    left, right = _two_axes(figure)
    for name, curve, colour in (("validation", valid, NEUTRAL), ("test", test, DISTILLED)):
        now = curve[curve.threshold >= threshold].iloc[0]  # as many confidences lie below it as below `threshold`
        left.plot(curve.teacher_share, curve.accuracy, color=colour, label=name)
        left.plot(now.teacher_share, now.accuracy, "o", color=colour)
    left.set(xlabel="share of questions asked", ylabel="accuracy", title=f"threshold {threshold:g}")
    right.plot(student[0] + test.teacher_share * teacher[0], test.accuracy, color=DISTILLED)
    mean = student[0] + now.teacher_share * teacher[0]
    right.plot(mean, now.accuracy, "o", color=DISTILLED)
    right.plot(*student, "s", color=HARD, label="student alone")
    right.plot(*teacher, "D", color=TEACHER, label="teacher alone")
    right.set(xlabel="mean latency (µs)", ylabel="accuracy on test data", title="both together", xlim=(0, None))
    for axes in (left, right):
        axes.set_ylim(_with_room(np.concatenate([valid.accuracy, test.accuracy, [teacher[1]]]), 0.08))
        axes.legend(fontsize=8, frameon=False, loc="lower right")
    return (
        f"Threshold {threshold:g}: the teacher gets {_percent(now.teacher_share)} of the test questions. Accuracy "
        f"{now.accuracy:.4f}; student alone {student[1]:.4f}, teacher alone {teacher[1]:.4f}. "
        f"Mean latency {mean:.1f} µs; student {student[0]:.1f}, teacher {teacher[0]:.1f}."
    )


def draw_answers(figure, answers, class_names, word, temperature):
    """What several models answer to one word, side by side. `answers`: name -> (logits [classes], colour)."""
    (axes,) = _empty_axes(figure, (0.1, 0.34, 0.88, 0.55))
    targets = {name: (soft_targets(logits, temperature), colour) for name, (logits, colour) in answers.items()}
    _grouped_bars(axes, targets)
    _class_axis(axes, class_names)
    axes.set(ylim=(0, 1), ylabel="probability", title=f"{word!r} at T = {temperature:g}")
    axes.title.set_parse_math(False)  # a $ in a word is a $
    axes.legend(fontsize=8, frameon=False, loc="upper right")
    said = [f"{name} {class_names[p.argmax()]} {_percent(p.max())}" for name, (p, _) in targets.items()]
    return f"{word!r} at T = {temperature:g}: {'; '.join(said)}."


def draw_attention(figure, image, maps):
    """An image beside attention maps of it (bright: active), each in its own Axes; the first map is the teacher's.

    `maps`: name -> [rows, columns], each of length 1.
    """
    width = 1 / (len(maps) + 1)
    boxes = [(i * width + 0.01, 0.02, width - 0.02, 0.82) for i in range(len(maps) + 1)]
    image_axes, *others = _empty_axes(figure, *boxes)
    image_axes.imshow(image, cmap="gray_r")
    brightest = max(one.max() for one in maps.values())
    for axes, one in zip(others, maps.values(), strict=True):
        axes.imshow(one, cmap="cividis", vmin=0, vmax=brightest)
    for axes, title in zip([image_axes, *others], ["image", *maps], strict=True):
        axes.set(xticks=[], yticks=[], title=title)
    (_, teacher), *students = maps.items()
    apart = [f"{name} {np.linalg.norm(one - teacher) / 2:.3f}" for name, one in students]
    return f"Half the distance from the teacher's map: {', '.join(apart)}."


def draw_bias(figure, logits, labels, class_names, omitted, bias):
    """Accuracy over the bias added to one class's logit, of its examples and of all; on the right for every class."""
    left, right = _two_axes(figure)
    shift = np.arange(len(class_names)) == omitted
    biases = np.linspace(-2, 8, 41)
    correct = np.array([(logits + b * shift).argmax(axis=1) == labels for b in [*biases, bias]])
    of_class = labels == omitted
    of_the_class, of_all = correct[:, of_class].mean(axis=1), correct.mean(axis=1)
    for name, values, colour in ((class_names[omitted], of_the_class, DISTILLED), ("all", of_all, NEUTRAL)):
        left.plot(biases, values[:-1], color=colour, label=name)
        left.plot(bias, values[-1], "o", color=colour)
    left.set(ylim=(0, 1), xlabel=f"bias added to {class_names[omitted]}", ylabel="accuracy", title=f"bias {bias:+g}")
    left.legend(fontsize=8, frameon=False, loc="lower right")
    per_class = np.array([correct[-1, labels == c].mean() for c in range(len(class_names))])
    _grouped_bars(right, {None: (np.where(shift, 0, per_class), NEUTRAL)})
    _grouped_bars(right, {None: (np.where(shift, per_class, 0), DISTILLED)})
    _class_axis(right, class_names)
    right.set(ylim=(0, 1), ylabel="accuracy", title="each class")
    answered = int(((logits + bias * shift).argmax(axis=1) == omitted).sum())
    return (
        f"{class_names[omitted]} was omitted. With {bias:+g} on its bias {of_the_class[-1]:.3f} of its examples are "
        f"right, and {of_all[-1]:.3f} of all. It is the answer {answered} times, and the label {of_class.sum()} times."
    )


def gain_in_words(gain):
    """A paired gain as a sentence with its verdict: the 95% interval is above 0, below 0, or has 0 in it."""
    verdict = "it helps" if gain.low > 0 else "it hurts" if gain.high < 0 else "no verdict, 0 is in the interval"
    return f"gain {gain}: {verdict}."


def gains(gains, xlabel):
    """Paired gains under each other, each with its 95% interval. `gains`: label -> Gain."""
    figure = Picture(7, 0.8 + 0.4 * len(gains))
    axes = figure.add_axes((0.3, 0.55 / (0.8 + 0.4 * len(gains)), 0.66, 0.9 - 0.55 / (0.8 + 0.4 * len(gains))))
    for row, gain in enumerate(gains.values()):
        axes.errorbar(gain.mean, row, xerr=gain.high - gain.mean, fmt="D", color=DISTILLED, capsize=4)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(gains)), gains)
    axes.set(ylim=(len(gains) - 0.5, -0.5), xlabel=xlabel)
    return figure


def tradeoff(table, shown=None):
    """`draw_tradeoff` without a budget, as a picture. `table`: see `widgets.tradeoff_explorer`."""
    figure = Picture(7, 3.4)
    draw_tradeoff(figure, tradeoff_points(table), shown=shown)
    return figure


def show_images(images, titles=(), columns=10):
    """Images in a row (or more), each with its title. `images`: [n, height, width, 1] in [0, 1]."""
    rows = -(-len(images) // columns)
    figure = Picture(7, 0.95 * rows)
    for i, image in enumerate(images):
        axes = figure.add_axes(((i % columns) / columns, 1 - (i // columns + 1) / rows, 0.9 / columns, 0.74 / rows))
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(str(titles[i]) if len(titles) else "", fontsize=8, pad=2)
        axes.set_axis_off()
    return figure


def curves(x, lines, xlabel, ylabel, title="", logx=False, logy=False):
    """Lines over x with a legend: `lines` maps a label to (values, colour)."""
    figure = Picture(6, 2.9)
    axes = figure.add_axes((0.12, 0.19, 0.84, 0.69))
    for label, (values, colour) in lines.items():
        axes.plot(x, values, "o-", markersize=4, color=colour, label=label)
    axes.set(
        xlabel=xlabel,
        ylabel=ylabel,
        title=title,
        xscale="log" if logx else "linear",
        yscale="log" if logy else "linear",
    )
    if logx:
        axes.set_xticks(x, [f"{value:g}" for value in x], minor=False)
        axes.minorticks_off()
    axes.legend(fontsize=8, frameon=False)
    return figure


def family_tree(distances, class_names, families):
    """The classes as a tree: what is near in `distances` (symmetric, zero diagonal) joins early (average linkage)."""
    from scipy.cluster.hierarchy import dendrogram, linkage
    from scipy.spatial.distance import squareform

    figure = Picture(6.5, 4.6)
    axes = figure.add_axes((0.22, 0.12, 0.74, 0.8))
    tree = linkage(squareform(distances, checks=False), "average")
    dendrogram(
        tree, labels=list(class_names), orientation="right", ax=axes, color_threshold=0, above_threshold_color=NEUTRAL
    )
    colours = dict(zip(dict.fromkeys(families.values()), CLASSES, strict=False))
    for text in axes.get_yticklabels():
        text.set_color(colours[families[text.get_text()]])
        text.set_fontweight("bold")
    handles = [axes.plot([], [], "s", color=colour, label=family)[0] for family, colour in colours.items()]
    axes.legend(handles=handles, fontsize=8, frameon=False, ncols=5, loc="lower center", bbox_to_anchor=(0.4, 1))
    axes.set_xlabel("distance: how seldom one is taken for the other")
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure


def _empty_axes(figure, *boxes):
    """One Axes per box (left, bottom, width, height, as shares of the figure), with nothing drawn in them.

    They are made once per figure: their ticks take longer than all that is drawn while a slider moves.
    """
    if getattr(figure, "boxes", None) != boxes:
        figure.clear()
        figure.boxes = boxes
        for left, bottom, width, height in boxes:
            axes = figure.add_axes((left, bottom, width, height))
            # Fixed places for the labels (half-way along the Axes), or every picture would measure all ticks again.
            along, away = axes.transAxes, figure.transFigure
            axes.xaxis.set_label_coords(0.5, bottom - 0.12, blended_transform_factory(along, away))
            axes.yaxis.set_label_coords(left - 0.073, 0.5, blended_transform_factory(away, along))
    for axes in figure.axes:
        for artist in (*axes.patches, *axes.lines, *axes.collections, *axes.images, *axes.texts):
            artist.remove()
        axes.containers.clear()
        axes.relim()
    return figure.axes


def _item_and_axes(figure, item, classes):
    bottom, height = (0.3, 0.56) if classes > 12 else (0.16, 0.7)  # many names stand slanted and need room
    if item is None:
        return _empty_axes(figure, (0.1, bottom, 0.88, height))[0]
    side, axes = _empty_axes(figure, (0.02, 0.2, 0.22, 0.6), (0.33, bottom, 0.65, height))
    side.set_axis_off()
    if isinstance(item, str):
        side.text(0.5, 0.5, item, ha="center", va="center", fontsize=12 if len(item) < 18 else 8, wrap=True)
    else:
        side.imshow(item, cmap="gray_r", vmin=0, vmax=1)
    return axes


def _two_axes(figure):
    return _empty_axes(figure, (0.1, 0.22, 0.375, 0.67), (0.605, 0.22, 0.375, 0.67))


def _legend_below(axes):
    if axes.get_legend() is None:
        axes.legend(
            fontsize=8, frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.12), columnspacing=1
        )


def _class_axis(axes, class_names):
    many = len(class_names) > 12
    axes.tick_params(axis="x", length=0)
    axes.set_xticks(
        range(len(class_names)), class_names, rotation=60 if many else 0, ha="right" if many else "center", fontsize=8
    )


def _grouped_bars(axes, groups):
    """Bars side by side at 0, 1, 2, ...: `groups` maps a label to (values, colour)."""
    width = 0.8 / len(groups)
    for i, (label, (values, colour)) in enumerate(groups.items()):
        left = np.arange(len(values)) - 0.4 + i * width
        edges, heights = np.column_stack([left, left + width]), np.column_stack([values, np.full(len(values), np.nan)])
        # One shape for the whole group draws several times faster than axes.bar; the NaN leave the gaps.
        axes.stairs(heights.ravel()[:-1], edges.ravel(), fill=True, color=colour, label=label)


def _with_room(values, room):
    """Limits around the values: the axis starts where the data do."""
    low, high = np.min(values), np.max(values)
    room = room * (high - low) + 1e-3
    return low - room, high + room


def _percent(share):
    return f"{100 * share:.1f}%"
