"""Page "Does it help?": its exercises."""

from exercises import answers

from distill_edu import metrics
from distill_edu.pages import does_it_help as page


def mean_and_error(a, b):
    return (a - b).mean(), (a - b).std(ddof=1) / len(a) ** 0.5


test_exercises = answers(
    page,
    standard_error_by_hand=(
        1.0801,
        [
            (3, "the mean itself"),
            (14**0.5 / 3**0.5, "standard deviation of one"),
            (14 / 3, "variance"),
            ((14 / 3) ** 0.5 / 4, "square root of the number"),
            (3.5**0.5 / 2, "n - 1"),
            (99, "over the square root"),
        ],
    ),
    mean_and_error=(
        mean_and_error,
        [
            (lambda a, b: mean_and_error(b, a), "a - b"),
            (lambda a, b: ((a - b).mean(), (a - b).std(ddof=1)), "square root of n"),
            (lambda a, b: ((a - b).mean(), (a - b).std(ddof=1) / len(a)), "not by n"),
            (lambda a, b: ((a - b).mean(), (a - b).std() / len(a) ** 0.5), "n - 1"),
            (lambda a, b: ((a - b).mean(), ((a.var(ddof=1) + b.var(ddof=1)) / len(a)) ** 0.5), "unpaired"),
            (lambda a, b: (a.mean(), b.mean()), "the mean of a - b"),
            (lambda a, b: (a - b).mean(), "shape"),
            (metrics.paired_gain, "not Gain"),
            (lambda a, b: {"mean": 1}, "not dict"),
            (lambda a: a, "TypeError"),
        ],
    ),
    gap=(
        lambda d, h, t: (d - h) / (t - h),
        [
            (lambda d, h, t: d - h, "gain itself"),
            (lambda d, h, t: (t - d) / (t - h), "still missing"),
            (lambda d, h, t: (d - h) / t, "not by the teacher"),
            (lambda d, h, t: (t - h) / (d - h), "upside down"),
            (lambda d, h, t: 7.0, "distilled - hard"),
            (lambda d, h, t: 0.4, "distilled - hard"),
        ],
    ),
)
