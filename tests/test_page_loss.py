"""The slider over both losses: who is teacher, who is student, and which way each loss pushes each logit."""

import numpy as np
import pytest
from drawn import at, bars, numbers, ticks
from gallery import LOGITS, NAMES

from distill_edu.pages.shared.loss import loss_explorer
from distill_edu.pages.shared.picture import DISTILLED, HARD, NEUTRAL, STUDENT, TEACHER
from distill_edu.pages.temperature import adam

Z_T, Z_S, LABEL = LOGITS[0], LOGITS[1], 2


def softmax(z, t=1):
    return np.exp(z / t) / np.exp(z / t).sum()


def pushes(t):
    """Minus the gradients, by central differences of the losses themselves."""

    def hard(z):
        return -np.log(softmax(z)[LABEL])

    def soft(z):
        p, q = softmax(Z_T, t), softmax(z, t)
        return t**2 * (p * np.log(p / q)).sum()

    steps = 1e-5 * np.eye(3)
    return [np.array([(loss(Z_S - s) - loss(Z_S + s)) / 2e-5 for s in steps]) for loss in (hard, soft)]


@pytest.mark.parametrize("t", [1, 5])
def test_each_loss_alone(t):
    figure, words = at(loss_explorer(Z_T, Z_S, LABEL, NAMES), temperature=t)
    left, right = figure.axes
    hard, soft = pushes(t)
    groups = [("teacher p", softmax(Z_T, t), TEACHER), ("student q", softmax(Z_S, t), STUDENT)]
    assert bars(left) == [(label, pytest.approx(heights), colour.lower()) for label, heights, colour in groups]
    groups = [("labels", hard, HARD), ("T² forgotten", soft / t**2, NEUTRAL), ("with T²", soft, DISTILLED)]
    assert bars(right) == [
        (label, pytest.approx(heights, abs=1e-6), colour.lower()) for label, heights, colour in groups
    ]
    low, high = right.get_ylim()
    assert -low == high == pytest.approx(max(1.1, *(1.1 * np.abs(heights).max() for _, heights, _ in groups)))
    (zero,) = right.lines
    assert list(zero.get_ydata()) == [0, 0] and left.get_ylim() == (0, 1)
    assert ticks(left) == ticks(right) == list(NAMES) and right.get_ylabel() == "push on the logit"
    lengths = [np.linalg.norm(each) for each in (hard, soft / t**2, soft)]
    assert numbers(words) == pytest.approx([t, *lengths], abs=6e-4)
    assert words.index(": labels") < words.index("T² forgotten") < words.index("with T²")


@pytest.mark.parametrize("t, alpha", [(2, 0.1), (8, 0.75)])
def test_both_losses_with_their_weights(t, alpha):
    figure, words = at(loss_explorer(Z_T, Z_S, LABEL, NAMES, alpha=0.5), temperature=t, alpha=alpha)
    hard, soft = pushes(t)
    (hard_label, of_hard, _), (soft_label, of_soft, _) = bars(figure.axes[1])
    assert (hard_label, soft_label) == ("α × label", "(1 − α) T² × teacher")
    assert figure.axes[1].get_ylim()[1] == pytest.approx(max(1.2, *(1.1 * np.abs([of_hard, of_soft]).max(axis=1))))
    assert of_hard == pytest.approx(alpha * hard, abs=1e-6) and of_soft == pytest.approx((1 - alpha) * soft, abs=1e-6)
    assert f"α = {alpha:g}: loss = α CE + (1 − α) T² KL" in words
    lengths = alpha * np.linalg.norm(hard), (1 - alpha) * np.linalg.norm(soft)
    assert words.endswith(f"α × label {lengths[0]:.3f}; (1 − α) T² × teacher {lengths[1]:.3f}.")


def test_the_controls_say_what_they_weigh():
    controls = loss_explorer(Z_T, Z_S, 0, NAMES, alpha=0.5).controls
    assert controls["alpha"].description == "α (weight of hard labels)"
    assert controls["temperature"].description == "Temperature T (no unit)"


def test_the_image_leaves_the_bars_where_they_are():
    pixels = np.arange(12.0).reshape(3, 4)
    bare, _ = at(loss_explorer(Z_T, Z_S, LABEL, NAMES), temperature=2)
    figure, _ = at(loss_explorer(Z_T, Z_S, LABEL, NAMES, image=pixels), temperature=2)
    left, right = figure.axes
    assert not bare.axes[0].images and not right.images
    (drawn,) = left.images  # one, although the slider has moved
    assert np.array_equal(drawn.get_array(), pixels)
    assert left.get_xlim() == bare.axes[0].get_xlim() and left.get_ylim() == (0, 1)
    for (_, heights, _), (_, alone, _) in zip(bars(left), bars(bare.axes[0]), strict=True):
        assert np.array_equal(heights, alone)


def test_the_steps_of_page_02_are_adams():
    keras = pytest.importorskip("keras")
    optimizer, step, weight = keras.optimizers.Adam(0.1), adam(), keras.Variable([1.0, -2.0, 0.5])
    moved = np.array(weight)
    for gradient in np.random.default_rng(0).normal(scale=(1, 100, 0.01), size=(7, 3)):
        optimizer.apply([gradient.astype("float32")], [weight])
        moved = moved - 0.1 * step(gradient)
        assert np.allclose(moved, weight, atol=1e-5)
