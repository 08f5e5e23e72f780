"""What the exercises ask for, worked out by hand, not by the pages: right results, and those of the mistakes."""

from math import inf, log
from types import SimpleNamespace

import numpy as np
import pandas

A = np.array
P_Q = A([0.6, 0.3, 0.1]), A([0.3, 0.2, 0.5])
# Teacher and student, each example twice: (9/10, 1/10) and (1/50, 49/50) at T = 1/2, (3/4, 1/4) and (1/8, 7/8) at 1.
Z_T, Z_S = (A([[log(odds), 0.0]] * 2) for odds in (3, 1 / 7))
EVEN, SURE = A([[0.0, 0.0]]), A([[log(3), 0.0]])  # (1/2, 1/2) and (3/4, 1/4)
SWEEP = pandas.DataFrame(
    [(4, 1, 0.9, 0), (4, 1, 0.1, 0), (4, 2, 0.6, 0), (4, 2, 0.7, 0), (4, 4, 0.3, 0), (4, 4, 0.8, 0)]
    + [(4, 8, 0.1, 1), (4, 8, 0.1, 1), (4, 16, 0.62, 0), (4, 16, 0.63, 0)],
    columns=["size", "temperature", "valid_accuracy", "test_accuracy"],
)
MODELS = pandas.DataFrame(
    [(2000, 0.8, 0.5), (2001, 0.9, 0.9), (900, 0.7, 0.6)], [7, 8, 9], ["bytes", "valid_accuracy", "test_accuracy"]
)
ONES = SimpleNamespace(standard_normal=np.ones, random=np.zeros)
# fmt: off
# Exercise, arguments (None: the answer is typed), the right result, what its mistakes give (...: not worked out).
BY_HAND = [
    ("soft_targets.entropy_by_hand", None, 1.03972, [1.5, -1.03972, 3.46574, 2.82843]),
    ("from_scratch.gradient_by_hand", None, [-0.38, 0.12, 0.26],
     [[0.38, -0.12, -0.26], [-0.35333, 0.14667, 0.20667], [-0.24, 0.085, 0.155], [-0.66, 0.19, 0.47],
      [-0.43, 0.145, 0.285], [-0.28, 0.07, 0.21], [-0.73333, 0.26667, 0.46667]]),
    ("temperature.temperature_by_hand", None, 0.73106, [0.8808, 0.98201, 0.26894, 0.4404]),
    ("train_step.trained_numbers", None, 7960, [79510, 87470, 7940, 7950, 4]),
    ("does_it_help.standard_error_by_hand", None, 1.08012, [3, 2.16025, 4.66667, 0.54006, 0.93541]),
    ("unseen_digit.bias_by_hand", None, 1.5, [1.2, 1, 0.5, 2]),
    ("which_temperature.students_in_a_sweep", None, 360, [18, 60, 66]),
    ("hints.attention_by_hand", None, 0.6, [3, 0.42857, 0.8, 0.83205, 0.36]),
    ("ask_more.top_by_hand", None, 0.20521, [0.06, 0.0625, 0.00442, 0.79479, 0.24495]),
    ("through_noise.inner_by_hand", None, 3, [1, 2, 5, [2, -1]]),
    ("when_it_fails.agreement_by_hand", None, 0.6, [0.8, 3, 0.4]),
    ("text.pairs_by_hand", None, 5, [4, 3, 6, 15]),
    ("write.share_by_hand", None, 0.7, [0.31, 0.3, 0.4, 1.3, 1]),
    ("whose_words.reverse_by_hand", None, 0.69315, [1, -0.69315, inf, 0.34657, 0]),
    ("working.trace_by_hand", None, 302, [2, 12, 31012, 372, 292]),
    ("smaller_models.bytes_by_hand", None, 4040, [1010, 4000, 32320, 2020]),
    ("few_bits.levels_by_hand", None, 7, [8, 3, 6, 9]),
    ("ask_the_teacher.mean_latency_by_hand", None, 32.5, [30, 100, 22.5, 50]),
    ("soft_targets.softmax", (np.log([[1, 2, 5], [1, 1, 2]]),), [[1 / 8, 1 / 4, 5 / 8], [1 / 4, 1 / 4, 1 / 2]],
     [[[1, 2, 5], [1, 1, 2]], [[0.2, 0.4, 1], [0.5, 0.5, 1]], A([[1, 2, 5], [1, 1, 2]]) / 12,
      [[1 / 2, 2 / 3, 5 / 7], [1 / 2, 1 / 3, 2 / 7]], [[0, 0.30103, 0.69897], [0, 0, 1]]]),
    ("soft_targets.most_similar_class",
     (A([[0.5, 0.3, 0.1, 0.1], [0.4, 0.1, 0.4, 0.1], [0.1, 0.0, 0.2, 0.7]]), A([0, 0, 1]), 0), 2,
     [0, 1, 1, 3, 2, 2]),
    ("soft_targets.most_similar_class",
     (A([[0.3, 0.4, 0.2, 0.1], [0.5, 0.1, 0.3, 0.1]]), A([0, 1]), 0), 1, [1, 1, 1, 2, 2, 0]),
    ("from_scratch.total_loss", (A([0, 0]), Z_T, Z_S, 0.5, 0.25), 1.11944,
     [1.75944, 1.57759, 2.91818, 2.87888, 2.23888]),
    ("from_scratch.share_in_step", (np.log([[5, 2, 1], [1, 1, 2], [1, 6, 1]]), A([0, 2, 0])), 0.66667,
     [2, 0, 0.33333, 0.33333, 0.41667]),
    ("temperature.temperature_softmax", (np.log([[4, 1], [1, 1]]), 2), [[2 / 3, 1 / 3], [0.5, 0.5]],
     [[[16 / 17, 1 / 17], [0.5, 0.5]], [[0.8, 0.2], [0.5, 0.5]], [[0.4, 0.1], [0.25, 0.25]], [[2, 1], [1, 1]],
      [[0.4, 0.2], [0.2, 0.2]]]),
    ("does_it_help.mean_and_error", (A([2, 4, 7]), A([1, 2, 1])), [3, 1.52753],
     [[-3, 1.52753], [3, 2.64575], [3, 0.88192], [3, 1.24722], [3, 1.49071]]),
    ("does_it_help.gap", (0.8, 0.7, 0.95), 0.4, [0.1, 0.6, 0.10526, 2.5]),
    ("unseen_digit.RIGHT_BIAS", (A([[1, 2, 3], [4, 5, 6]]), 1, 0.5), [[1, 2.5, 3], [4, 5.5, 6]],
     [[[1.5, 2.5, 3.5], [4.5, 5.5, 6.5]], [[1, 2, 3], [4.5, 5.5, 6.5]], [[1, 1, 3], [4, 2.5, 6]],
      [[1, 1.5, 3], [4, 4.5, 6]], [[1, 2, 3], [4, 5, 6]]]),
    ("unseen_digit.best_bias", (A([[1, 0], [3, 0], [2, 0], [2, 0]]), A([1, 1, 0, 0]), 1, A([0, 1.5, 4])), 1.5,
     [4, 1, 0.75]),
    ("which_temperature.choose_honestly", ([0.1, 0.9, 0.5], [0.3, 0.4, 0.8]), 0.4, [0.8, 0.9, 1]),
    ("which_temperature.best_temperature", (SWEEP,), {4: 2}, [{4: 1}, {4: 16}, {4: 4}, {4: 1}, {4: 8}]),
    ("hints.relative_distances", (A([[0, 0], [3, 4], [0, 4]]),), A([[0, 5, 4], [5, 0, 3], [4, 3, 0]]) / 4,
     [[[0, 5, 4], [5, 0, 3], [4, 3, 0]], A([[0, 5, 4], [5, 0, 3], [4, 3, 0]]) * 3 / 8,
      A([[0, 25, 16], [25, 0, 9], [16, 9, 0]]) * 3 / 50, A([[0, 5, 4], [5, 0, 3], [4, 3, 0]]) / 5, [0, 1.25, 1],
      A([[0, 7, 4], [7, 0, 3], [4, 3, 0]]) / 4, A([[0, 7, 4], [7, 0, 3], [4, 3, 0]]) * 3 / 14]),
    ("hints.projector_parameters", (3, 2), 8, [6, 6, 9, 392, 8]),
    ("hints.projector_parameters", (4, 4), 0, [0, 16, 20, 980, 20]),
    ("ask_more.rounded_logits", (np.log([66, 33, 1]), 1), [log(0.7), log(0.3), -inf],
     [[4.2, 3.5, 0], [0.7, 0.3, 0], np.log([0.66, 0.33, 0.01]), [-0.4, -1.1, -4.6], np.log([0.7, 0.3, 1e-9])]),
    ("ask_more.noisy", (A([0.5, 0.9]), 0.2, ONES), [0.7, 1], [[0.7, 1.1], [0.5, 0.9], [1, 1], ..., [0.6, 1]]),
    ("through_noise.mixed", (A([1, 0]), A([0, 1]), 1 / 3), [0.86603, 0.5],
     [[2 / 3, 1 / 3], [0.5, 0.86603], [0.15425, -0.98803], [0.5, 0.86603]]),
    ("through_noise.harmless", (np.vstack([SURE, EVEN]), 0.6), [0, 1],
     [[1, 0], [0, 1], [[0, 1], [1, 1]], [1, 1], [0.5, 1]]),
    ("when_it_fails.ensemble_logits", (np.stack([SURE, EVEN]),), np.log([[0.625, 0.375]]),
     [[[0.625, 0.375]], [[log(3) / 2, 0]], np.log([[0.375, 0.125]]) / 2, np.log([[1.25, 0.75]]),
      np.log([[0.75, 0.25], [0.5, 0.5]]), np.log([[0.5], [0.5]])]),
    ("when_it_fails.verdict", (0.01, 0.05), "it helps", ["it helps", "no verdict", "it helps", "no verdict"]),
    ("when_it_fails.verdict", (-0.05, -0.01), "it hurts", ["it hurts", "no verdict", "no verdict", "it hurts"]),
    ("when_it_fails.verdict", (-0.05, 0.01), "no verdict", ["it hurts", "no verdict", "no verdict", "no verdict"]),
    ("whose_words.reverse_kl", (EVEN, SURE), [0.13081], [0.14384, -0.13081, 0.18872, 0.13081, 0.13081, 0.69315]),
    ("whose_words.entropy_at", (np.vstack([2 * SURE, EVEN]), 2), 0.62774,
     [0.50911, 0.3795, [0.56234, 0.69315], 1.25548, 0.90564, 0.66156]),
    ("working.keep_right", (["302", "353"], ["2", "5"]), ["302"],
     [[True, False], ["353"], ["302", "353"], ["302", "355"], ["2"]]),
    ("working.first_mistake", ("372=", "115"), 0, [1, 0, 1, 3, 2]),
    ("working.first_mistake", ("372=", "302"), -1, [0, 0, 0, 0, -1]),
    ("write.what_is_left", P_Q, [0.75, 0.25, 0],
     [[0.3, 0.1, 0], [0.6, 0.3, 0.1], [0.375, 0.125, 0.5], [0, 0, 1], [0.3, 0.1, -0.4]]),
    ("write.letters_per_call", (0.5, 3), 1.875, [2.5, 1.5, 1.75, 0.875, 4, 0.125]),
    ("smaller_models.quantise", (A([0.26, -0.26, 50]), 0.1, 3), [6, 0, 127],
     [[6, 0, 503], [6, 0, -9], [3, -3, 127], [5, 1, 127], [5, 0, 127], [3, 3, 8], [0, -6, 127], [5.6, 0.4, 127]]),
    ("smaller_models.best_within", (MODELS, 2), 7, [8, 9, 9, 0.8, 0, 0]),
    ("few_bits.few_bits", (A([0.9, -1.2, 0.3]), 3), [0.8, -1.2, 0.4],
     [[0.9, -1.2, 0.3], [0.85714, -1.2, 0.34286], [2, -3, 1], [0.9, -1.2, 0.3], [0.9, -1.2, 0.3], [0.8, -1.2, 0]]),
    ("few_bits.kilobytes", (1, 8), 0.838, [6.704, 838, 0.805, 0.794, 0.828]),
    ("text.bigrams", ("Ab",), [" a", "ab", "b "],
     [["ab"], [" A", "Ab", "b "], [" a", "ab"], ["ab", "b "], [" a", "b "], [" ", "a", "b", " "]]),
    ("text.best_possible", (["a", "a", "a", "b"], [0, 0, 1, 1]), 0.75, [0.5, 1, 0.25, 3, 0.5]),
    ("ask_the_teacher.margin", (A([[0.2, 0.5, 0.3]]),), [0.2], [0.5, 0.3, -0.3, -0.2, 0.3]),
]
