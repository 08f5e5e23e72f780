"""Page "Whose words should the student read?": a dial between both KLs, colder writing, exercises."""

import numpy as np

from distill_edu.pages.shared.exercise import Z_STUDENT, Z_TEACHER, Exercise
from distill_edu.pages.shared.explorer import Explorer, stop_slider
from distill_edu.pages.shared.picture import CLASSES, Picture, empty_axes, legend, percent, plain, with_room
from distill_edu.pages.shared.plots import DISTILLED, NEUTRAL, TEACHER
from distill_edu.probabilities import kl_divergence, soft_targets

PLACES = np.arange(41)
RARE = 0.005  # a letter of a lower probability is rare
REVERSE, DIAL = CLASSES[3], NEUTRAL  # the colours of the students of the reverse divergence, and of the dial
BETAS = (0, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 1)
LOOKS = ((REVERSE, "D"), (CLASSES[1], "s"), (CLASSES[4], "^"), (NEUTRAL, "v"))  # of the lessons


def bump(middle, width):
    """Probabilities [41] of the letters: one bump, from normal densities; for columns [bumps, 1] several bumps."""
    return soft_targets(-(((PLACES - middle) / width) ** 2) / 2)


# All bumps that a student may have, [bumps, 41]: middles half a letter apart, widths 8% apart.
BUMPS = bump(*(grid.reshape(-1, 1) for grid in np.meshgrid(np.arange(0, 40.5, 0.5), np.geomspace(1, 60, 52))))


def two_peaks(apart, share):
    """The teacher's probabilities [41]: two bumps, `apart` letters apart, `share` of the probability in the left."""
    return share * bump(20 - apart / 2, 2) + (1 - share) * bump(20 + apart / 2, 2)


def divergence(p, q, beta):
    """beta KL(p, m) + (1 - beta) KL(q, m) with m = beta p + (1 - beta) q; at 0 KL(p, q), at 1 KL(q, p)."""
    if beta in (0, 1):
        return kl_divergence(q, p) if beta else kl_divergence(p, q)
    mixture = beta * p + (1 - beta) * q
    return beta * kl_divergence(p, mixture) + (1 - beta) * kl_divergence(q, mixture)


def nearest_bump(p, beta):
    """The bump of the lowest divergence from the teacher's p."""
    return BUMPS[divergence(p, BUMPS, beta).argmin()]


def peaks_explorer(apart=20, share=0.7, beta=0):
    """Slide the two peaks of a teacher apart, and the dial between both KLs: where is the best student of one bump?"""
    controls = {
        "apart": stop_slider("Peaks apart (letters)", "apart", (4, 8, 12, 16, 20, 24), apart),
        "share": stop_slider("Left peak (share of p)", "share", (0.5, 0.7, 0.9), share),
        "beta": stop_slider("β (0 forward, 1 reverse KL)", "beta", BETAS, beta),
    }
    return Explorer(draw_peaks, controls)


def draw_peaks(figure, apart, share, beta):
    """Draw the teacher's two peaks and the nearest bump at beta, between those of both ends; return a sentence."""
    (axes,) = empty_axes(figure, (0.1, 0.2, 0.86, 0.72))
    p = two_peaks(apart, share)
    students = {at: nearest_bump(p, at) for at in (0, 1, beta)}
    axes.stairs(p, np.arange(42) - 0.5, fill=True, color=TEACHER, alpha=0.45, label="teacher p")
    axes.plot(PLACES, students[0], color=DISTILLED, label="student, β = 0: forward KL(p, q)")
    axes.plot(PLACES, students[1], color=REVERSE, linestyle="--", label="student, β = 1: reverse KL(q, p)")
    axes.plot(
        PLACES, students[beta], color=DIAL, linewidth=4, alpha=0.5, zorder=1.5, label=f"student, β = {beta:g}: the dial"
    )
    axes.set(xlim=(-0.5, 40.5), ylim=(0, 0.22), xlabel="letter (number)", ylabel="probability")
    legend(axes, loc="upper right")
    rare, right = p < RARE, PLACES > 20
    rarely, beyond = ([percent(q[where].sum()) for q in (p, students[beta])] for where in (rare, right))
    return (
        f"Peaks {apart} apart, {percent(share)} in the left one; β = {beta:g}. To letters that the teacher writes less "
        f"than {percent(RARE)} of the time it gives {rarely[0]}, the student {rarely[1]}. To the right half it gives "
        f"{beyond[0]}, the student {beyond[1]}."
    )


# --- colder students ------------------------------------------------------------------------------------------------


def show_colder(colder, lessons):
    """Draw, start by start, a student that writes colder and colder, beside those of other lessons that write at T = 1.

    A vertical line leads from each of those to the curve, at equal entropy.

    `colder`: temperature -> (entropy, reverse KL) of each start, [starts, 2], in nats per letter; `lessons`: lesson ->
    the same, of up to four other lessons.
    """
    stops = tuple(colder)
    curves = np.array(list(colder.values()), float).swapaxes(0, 1)  # [starts, temperatures, 2]
    others = {name: np.asarray(points, float) for name, points in lessons.items()}
    entropies, divergences = np.concatenate([*curves, *others.values()]).T
    figure, width = Picture(7, 2.9), 0.9 / len(curves)
    for start, curve in enumerate(curves):
        axes = figure.add_axes((0.09 + start * width, 0.19, width - 0.015, 0.6))
        axes.plot(*curve.T, "o-", color=DISTILLED, markersize=3.5, label="teacher's text, forward")
        for (name, points), (colour, marker) in zip(others.items(), LOOKS[: len(others)], strict=True):
            axes.plot(*points[start], marker, color=colour, markersize=6, label=plain(name))
            entropy, lower = points[start]
            axes.vlines(entropy, lower, np.interp(entropy, *curve.T), color=colour, linewidth=1)
        for place in (0, -1):
            axes.annotate(
                f"{stops[place]:g}", curve[place], (0, 5), textcoords="offset points", ha="center", fontsize=7
            )
        axes.set(xlim=with_room(entropies, 0.12), ylim=with_room(divergences, 0.12), title=f"start {start + 1}")
        axes.title.set_fontsize(9)
        axes.tick_params(labelsize=8)
        if start:
            axes.set_yticklabels([])
    figure.axes[0].set_ylabel("reverse KL (nats per letter)", fontsize=8)
    figure.text(0.53, 0.03, "entropy of the student (nats per letter)", fontsize=9, ha="center")
    handles, names = figure.axes[0].get_legend_handles_labels()
    names[0] += f", T = {stops[-1]:g} to {stops[0]:g}"
    figure.legend(handles, names, loc="upper center", ncols=3, fontsize=8, frameon=False)
    return figure


# --- exercises ------------------------------------------------------------------------------------------------------

# KL(student, teacher) of the student's (1, 0) and the teacher's (0.2, 0.8).
check_reverse_by_hand = Exercise(
    right=float(np.log(5)),
    mistakes=[
        (np.log2(5), "that is in bits: take the natural logarithm for nats."),
        (-np.log(5), "no KL is below 0: the student's probability stands above the fraction line."),
        (np.inf, "that is the forward one, in which the teacher's probabilities weigh the logarithms."),
        (np.log(5) / 5, "each logarithm is weighed by the student's probability, which is 1."),
        (0.0, "they differ, so it is above 0: what does the letter add that the student always says?"),
        (np.log10(5), "that is the logarithm to base 10: take the natural one, np.log, for nats."),
        (1.6, "nearly: give two decimals, or the formula."),
    ],
    otherwise="add q log(q / p) over both letters; 0 log 0 is 0.",
)


def _kl(z_p, z_q):
    return kl_divergence(soft_targets(z_p), soft_targets(z_q))


def _surprise(t, s):
    return -(soft_targets(s) * np.log(soft_targets(t))).sum(axis=-1)


# function(teacher_logits, student_logits) -> the mean of -log p over the student's draw, one value for each row
check_surprise = Exercise(
    right=_surprise,
    mistakes=[
        (lambda t, s: _surprise(s, t), "that is the student's surprise at the teacher's letter: exchange p and q."),
        (lambda t, s: -_surprise(t, s), "the sign is wrong: log p is below 0, the surprise above."),
        (lambda t, s: _surprise(t, s) / np.log(2), "that is in bits: take np.log."),
        (lambda t, s: _surprise(t, s).mean(), "give one value for each row (axis=-1), not their mean."),
        (lambda t, s: _surprise(t, s).sum(), "give one value for each row (axis=-1), not their sum."),
        (lambda t, s: _kl(s, t), "that is the reverse KL alone: the student's entropy is missing."),
        (lambda t, s: _surprise(s, s), "that is the student's entropy alone: the reverse KL is missing."),
        (lambda t, s: _surprise(t, t), "that is the teacher's entropy: here the student draws."),
        (
            lambda t, s: -np.log(soft_targets(t)).mean(axis=-1),
            "that weighs all letters alike: weigh each by the student's probability q.",
        ),
    ],
    otherwise="with p and q from soft_targets, weigh each -log p by q and add over the last axis.",
    inputs=[(Z_TEACHER, Z_STUDENT), (2 * Z_STUDENT, Z_TEACHER)],
)

P_Q = np.array([0.6, 0.3, 0.1]), np.array([0.25, 0.25, 0.5])


def _of_letter(p, q, luck):
    """The gradient of each drawn letter, [letters, logits]; `luck`: what is taken from each log(q / p)."""
    return (np.log(q / p) - luck)[:, None] * (np.eye(len(q)) - q)


def _mean_ratio(p, q):
    return q @ np.log(q / p)


# function(p, q) -> the gradient of each drawn letter, [letters, logits], with the mean of log(q / p) taken away
check_quieter = Exercise(
    right=lambda p, q: _of_letter(p, q, _mean_ratio(p, q)),
    mistakes=[
        (lambda p, q: _of_letter(p, q, 0), "that is of_letter as it was: subtract the mean of the ratio first."),
        (
            lambda p, q: _of_letter(p, q, np.log(q / p).mean()),
            "that mean weighs all letters alike: the student draws letter a with probability q(a), so q @ ratio.",
        ),
        (lambda p, q: _of_letter(p, q, -_mean_ratio(p, q)), "subtract the mean, do not add it."),
        (
            lambda p, q: q * (np.log(q / p) - _mean_ratio(p, q)),
            "that is the full gradient: return a row for each letter that can be drawn.",
        ),
        (
            lambda p, q: _of_letter(p, q, 0) - _mean_ratio(p, q),
            "subtract the mean from the ratio, before the product with np.eye(3) - q.",
        ),
    ],
    otherwise="as of_letter in the cell of three letters, with ratio - q @ ratio in the place of ratio.",
    inputs=[P_Q, P_Q[::-1]],
)
