"""Page "When does distillation fail?": classes mixed on a plane, the right way up."""

import numpy as np
import pytest
from drawn import at, lines
from gallery import PLANES, POINT_LABELS, POINTS
from matplotlib.colors import to_hex, to_rgb

from distill_edu.pages import when_it_fails as page
from distill_edu.pages.shared.picture import CLASSES


def softmax(z):
    powers = np.exp(z - z.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize("t", [1, 6])
def test_each_place_has_the_colours_of_its_classes_and_the_caption_their_entropy(t):
    figure, words = at(page.boundary_explorer(PLANES, POINTS, POINT_LABELS), temperature=t)
    entropies = []
    for axes, (name, model) in zip(figure.axes, PLANES.items(), strict=True):
        (image,) = axes.images
        left, right, bottom, top = image.get_extent()
        assert (left, right, bottom, top) == pytest.approx((-1.1, 1.1, -1.1, 1.1)) and image.origin == "lower"
        shown = np.asarray(image.get_array())
        xs, ys = np.linspace(left, right, shown.shape[1]), np.linspace(bottom, top, shown.shape[0])
        for column, row in ((0, 0), (59, 0), (0, 59), (41, 17)):
            p = softmax(np.array([xs[column], ys[row]]) @ model(np.eye(2)) / t)
            mixed = sum(share * np.array(to_rgb(colour)) for share, colour in zip(p, CLASSES, strict=False))
            assert shown[row, column] == pytest.approx(1 - 0.6 * (1 - mixed), abs=1e-6)
        everywhere = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
        p = softmax(model(everywhere.astype("float32")) / t)
        entropies.append(f"{name} {-(p * np.log(p)).sum(-1).mean():.2f}")
        assert axes.get_title() == name
    assert words == f"T = {t}. Mean entropy over the plane, in nats: {', '.join(entropies)}."


def test_the_points_have_the_marker_and_the_colour_of_their_class():
    figure, _ = at(page.boundary_explorer(PLANES, POINTS, POINT_LABELS), temperature=1)
    for label, marker in enumerate("o^s"):
        (drawn,) = lines(figure.axes[0], marker)
        assert np.allclose(np.column_stack([drawn.x, drawn.y]), POINTS[label == POINT_LABELS])
        assert drawn.colour == to_hex(CLASSES[label])


def test_a_model_whose_training_broke_is_named():
    with pytest.raises(ValueError, match="logits of a contains NaN"):
        page.boundary_explorer({"a": lambda x: x * np.nan}, [[0, 1]], [0])
