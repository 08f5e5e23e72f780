"""The recipes of CONTRIBUTING.md and README.md, walked: each wish needs the places that they name, and no others."""

import re
from pathlib import Path

import ipywidgets
import keras
import numpy as np
import pytest
from small import X, Y, distiller, logits, model, reported, weights

from distill_edu import Classroom, Dataset, losses, soft_targets, sweep
from distill_edu.hints import BaseHint
from distill_edu.pages.shared.explorer import Explorer, temperature_slider

pytestmark = pytest.mark.nightly  # it trains in every way

ROOT = Path(__file__).parent.parent


@pytest.fixture
def squared():
    """The soft loss of the recipe, registered by running the recipe."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    exec(code, {"soft_loss": losses.soft_loss, "ops": keras.ops})
    yield "squared"
    del losses.SOFT_LOSSES["squared"]


def test_a_new_soft_loss_is_known_by_name_everywhere(squared, tmp_path, monkeypatch):
    monkeypatch.setenv("DISTILL_EDU_CACHE", str(tmp_path / "kept"))
    one = distiller(temperature=2.0, soft_loss=squared)
    p, q = (soft_targets(logits(each), 2.0) for each in (one.teacher, one.student))
    got = reported(one, X, Y)["distillation_loss"]
    assert got == pytest.approx(((p - q) ** 2).mean(), rel=1e-4)
    one.save(tmp_path / "one.keras")
    again = reported(keras.models.load_model(tmp_path / "one.keras"), X, Y)
    assert again["distillation_loss"] == pytest.approx(got, rel=1e-5)
    classroom = Classroom(students=[model()], teacher=one.teacher, temperatures=2.0)
    classroom.compile("sgd", soft_loss=squared)
    assert float(reported(classroom, X, Y)["distillation_loss"][0]) == pytest.approx(got, rel=1e-4)
    data = Dataset("mine", *[(X, Y)] * 3, tuple("abcd"))
    table = sweep(
        data, one.teacher, lambda size: model(0, size), sizes=4, seeds=1, steps=2, soft_loss=squared, progress=False
    )
    assert len(table) == 1


def test_a_hint_of_ones_own_is_a_subclass_with_a_call():
    class Largest(BaseHint):
        """The squared difference of the largest features."""

        def call(self, student_features, teacher_features):
            return keras.ops.square(keras.ops.max(student_features, -1) - keras.ops.max(teacher_features, -1))

    one = distiller(hints=[Largest("hidden", "hidden", weight=2)])
    largest = [np.maximum(X @ weights(each)[0] + weights(each)[1], 0).max(1) for each in (one.student, one.teacher)]
    got = reported(one, X, Y, "fit", batch_size=33)
    assert got["largest_hidden"] == pytest.approx(((largest[0] - largest[1]) ** 2).mean(), rel=1e-4)


def test_a_slider_of_ones_own_is_a_function_that_draws_and_says():
    def draw(figure, temperature, n):
        figure.clear()
        figure.add_axes((0.1, 0.1, 0.8, 0.8)).plot([0, n], [0, temperature])
        return f"{n} at T = {temperature:g}"

    widget = Explorer(draw, {"temperature": temperature_slider(), "n": ipywidgets.IntSlider(2, 1, 5, description="n")})
    widget.controls["temperature"].value = 4
    assert widget.words.value == "2 at T = 4" and widget.view.value.startswith("<svg")
