"""Page "Whose words should the student read?": a bump under two peaks, colder sampling, exercises."""

import numpy as np

from distill_edu.pages.shared.exercise import Z_STUDENT, Z_TEACHER, Exercise
from distill_edu.pages.shared.explorer import Explorer, stop_slider
from distill_edu.pages.shared.picture import CLASSES, empty_axes, legend, percent, plain, with_room
from distill_edu.pages.shared.plots import DISTILLED, NEUTRAL, TEACHER
from distill_edu.probabilities import entropy, kl_divergence, soft_targets

PLACES = np.arange(41)
RARE = 0.005  # a letter of a lower probability is rare
REVERSE = CLASSES[3]  # the colour of the student of the reverse divergence
LOOKS = ((REVERSE, "D"), (CLASSES[1], "s"), (CLASSES[4], "^"), (NEUTRAL, "v"))  # of the lessons


def bump(middle, width):
    """Probabilities [41] of the letters: one bump, from normal densities; for columns [bumps, 1] several bumps."""
    return soft_targets(-(((PLACES - middle) / width) ** 2) / 2)


# All bumps that a student may have, [bumps, 41]: middles half a letter apart, widths 8% apart.
BUMPS = bump(*(grid.reshape(-1, 1) for grid in np.meshgrid(np.arange(0, 40.5, 0.5), np.geomspace(1, 60, 52))))


def two_peaks(apart, share):
    """The teacher's probabilities [41]: two bumps, `apart` letters apart, `share` of the probability in the left."""
    return share * bump(20 - apart / 2, 2) + (1 - share) * bump(20 + apart / 2, 2)


def nearest_bumps(p):
    """Find the bump of the lowest KL(p, bump) and the bump of the lowest KL(bump, p)."""
    return BUMPS[kl_divergence(p, BUMPS).argmin()], BUMPS[kl_divergence(BUMPS, p).argmin()]


def peaks_explorer(apart=2, share=0.7):
    """Slide the two peaks of a teacher apart: each divergence puts a student of one bump in another place."""
    controls = {
        "apart": stop_slider("Peaks apart (letters)", "apart", (2, 4, 6, 8, 12, 16, 20, 24), apart),
        "share": stop_slider("Left peak (share of p)", "share", (0.5, 0.6, 0.7, 0.8, 0.9), share),
    }
    return Explorer(draw_peaks, controls)


def draw_peaks(figure, apart, share):
    """Draw the teacher's two peaks and the nearest bump by each divergence; return a sentence."""
    (axes,) = empty_axes(figure, (0.1, 0.2, 0.86, 0.72))
    p = two_peaks(apart, share)
    forward, reverse = nearest_bumps(p)
    axes.stairs(p, np.arange(42) - 0.5, fill=True, color=TEACHER, alpha=0.45, label="teacher p")
    axes.plot(PLACES, forward, color=DISTILLED, label="lowest KL(p, q): forward")
    axes.plot(PLACES, reverse, color=REVERSE, linestyle="--", label="lowest KL(q, p): reverse")
    axes.set(xlim=(-0.5, 40.5), ylim=(0, 0.22), xlabel="letter (number)", ylabel="probability")
    legend(axes, loc="upper right")
    rare, right = p < RARE, PLACES > 20
    rarely = [percent(q[rare].sum()) for q in (p, forward, reverse)]
    beyond = [percent(q[right].sum()) for q in (p, forward, reverse)]
    return (
        f"Peaks {apart} apart, {percent(share)} in the left one. Letters that the teacher says less than "
        f"{percent(RARE)} of the time get {rarely[0]} from it, {rarely[1]} from the forward student, {rarely[2]} from "
        f"the reverse one. The right half gets {beyond[0]}, {beyond[1]} and {beyond[2]}."
    )


def colder_explorer(colder, lessons):
    """Slide the temperature at which students write, beside students of other lessons that write at T = 1.

    `colder`: temperature -> (entropy, surprise) of each start, [starts, 2], in nats; `lessons`: lesson -> the same, of
    up to four other lessons.
    """
    stops = tuple(colder)
    curve = np.array([colder[temperature] for temperature in stops], float)  # [temperatures, starts, 2]
    lessons = {name: np.asarray(points, float) for name, points in lessons.items()}

    def draw(figure, temperature):
        (axes,) = empty_axes(figure, (0.1, 0.17, 0.86, 0.76))
        chosen = curve[stops.index(temperature)]
        for line in curve.swapaxes(0, 1):
            axes.plot(*line.T, color=DISTILLED, linewidth=0.8)
        axes.plot(*chosen.T, "o", color=DISTILLED, label="forward KL, colder and colder")
        for (name, points), (colour, marker) in zip(lessons.items(), LOOKS[: len(lessons)], strict=True):
            axes.plot(*points.T, marker, color=colour, markersize=5, label=plain(name))
        entropies, surprises = np.concatenate([*curve, *lessons.values()]).T
        axes.set(xlim=with_room(entropies, 0.04), ylim=with_room(surprises, 0.06))
        axes.set(xlabel="entropy of the student (nats)", ylabel="surprise (nats)")
        legend(axes, loc="upper left")
        means = {f"forward KL at T = {temperature:g}": chosen, **lessons}
        listed = "; ".join("{} {:.3f} and {:.3f}".format(name, *points.mean(axis=0)) for name, points in means.items())
        return f"Entropy and surprise, means in nats: {listed}."

    control = stop_slider("Sampling temperature", "temperature", stops, stops[-1])
    return Explorer(draw, {"temperature": control}, height=3.4)


# KL(student, teacher) of the student's (1, 0) and the teacher's (0.5, 0.5).
check_reverse_by_hand = Exercise(
    right=float(np.log(2)),
    mistakes=[
        (1.0, "that is in bits: take the natural logarithm for nats."),
        (-np.log(2), "no KL is below 0: the student's probability stands above the fraction line."),
        (np.inf, "that is the forward one, in which the teacher's probabilities weigh the logarithms."),
        (np.log(2) / 2, "each logarithm is weighed by the student's probability, which is 1."),
        (0.0, "they differ, so it is above 0: what does the letter add that the student always says?"),
    ],
    otherwise="add q log(q / p) over both letters; 0 log 0 is 0.",
)


def _kl(z_p, z_q):
    return kl_divergence(soft_targets(z_p), soft_targets(z_q))


# function(teacher_logits, student_logits) -> KL(student, teacher), one value for each row
check_reverse_kl = Exercise(
    right=lambda t, s: _kl(s, t),
    mistakes=[
        (_kl, "that is the forward one: exchange p and q."),
        (lambda t, s: -_kl(s, t), "the sign is wrong: q log(q / p)."),
        (lambda t, s: _kl(s, t) / np.log(2), "that is in bits: take np.log."),
        (lambda t, s: _kl(s, t).mean(), "give one value for each row (axis=-1), not their mean."),
        (lambda t, s: _kl(s, t).sum(), "give one value for each row (axis=-1), not their sum."),
        (
            lambda t, s: -(soft_targets(s) * np.log(soft_targets(t))).sum(axis=-1),
            "that is a cross-entropy: the student's own log q is missing.",
        ),
    ],
    otherwise="with p and q from soft_targets, sum q log(q / p) over the last axis.",
    inputs=[(Z_TEACHER, Z_STUDENT), (2 * Z_STUDENT, Z_TEACHER)],
)

# function(logits, T) -> the mean entropy of softmax(logits / T), in nats
check_entropy_at = Exercise(
    right=lambda z, T: entropy(soft_targets(z, T)).mean(),
    mistakes=[
        (lambda z, T: entropy(soft_targets(z)).mean(), "the temperature has no effect yet."),
        (lambda z, T: entropy(soft_targets(z * T)).mean(), "you multiplied the logits by T: divide them."),
        (lambda z, T: entropy(soft_targets(z, T)), "give their mean: one number."),
        (lambda z, T: entropy(soft_targets(z, T)).sum(), "you added the rows' entropies up: take their mean."),
        (lambda z, T: entropy(soft_targets(z, T)).mean() / np.log(2), "that is in bits: nats are wanted."),
        (lambda z, T: entropy(soft_targets(z, T).mean(axis=0)), "first each row's entropy, then the mean."),
    ],
    otherwise="entropy(soft_targets(logits, T)), and its mean.",
    inputs=[(Z_TEACHER, 0.5), (Z_STUDENT, 2.0)],
)
