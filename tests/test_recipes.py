"""The recipes of CONTRIBUTING.md and README.md, walked: each wish needs the places that they name, and no others."""

import re
from pathlib import Path

import ipywidgets
import keras
import numpy as np
import pytest
from small import CLASSES, FEATURES, LIGHT, X, Y, logits, model

from distill_edu import Classroom, Dataset, Distiller, losses, sweep
from distill_edu.hints import BaseHint
from distill_edu.pages.shared.explorer import Explorer, temperature_slider

pytestmark = pytest.mark.slow  # it trains in every way

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
    teacher, student = model(9), model()
    one = Distiller(student=student, teacher=teacher)
    one.compile("sgd", temperature=2.0, soft_loss=squared)
    p, q = (np.exp(z / 2) / np.exp(z / 2).sum(1, keepdims=True) for z in (logits(teacher), logits(student)))
    got = one.evaluate(X, Y, verbose=0, return_dict=True)["distillation_loss"]
    assert got == pytest.approx(((p - q) ** 2).mean(), rel=1e-4)
    one.save(tmp_path / "one.keras")
    again = keras.models.load_model(tmp_path / "one.keras").evaluate(X, Y, verbose=0, return_dict=True)
    assert again["distillation_loss"] == pytest.approx(got, rel=1e-5)
    classroom = Classroom(students=[model()], teacher=teacher, temperatures=2.0)
    classroom.compile("sgd", soft_loss=squared)
    result = classroom.evaluate(X, Y, verbose=0, return_dict=True)
    assert float(result["distillation_loss"][0]) == pytest.approx(got, rel=1e-4)
    data = Dataset("mine", *[(X, Y)] * 3, tuple("abcd"))
    table = sweep(
        data, teacher, lambda size: model(0, size), sizes=4, seeds=1, steps=2, soft_loss=squared, progress=False
    )
    assert len(table) == 1


def test_a_hint_of_ones_own_is_a_subclass_with_a_call():
    class Largest(BaseHint):
        """The squared difference of the largest features."""

        def call(self, student_features, teacher_features):
            return keras.ops.square(keras.ops.max(student_features, -1) - keras.ops.max(teacher_features, -1))

    def named(seed, units):
        keras.utils.set_random_seed(seed)
        return keras.Sequential(
            [keras.Input((FEATURES,)), keras.layers.Dense(units, name="h"), keras.layers.Dense(CLASSES)]
        )

    teacher, student = named(1, 9), named(0, 4)
    one = Distiller(student=student, teacher=teacher, hints=[Largest("h", "h", weight=2)])
    one.compile("sgd")
    got = one.fit(X, Y, batch_size=33, **LIGHT).history
    features = [
        (X @ np.array(each.layers[0].kernel) + np.array(each.layers[0].bias)).max(1) for each in (named(0, 4), teacher)
    ]
    assert got["largest_h"][0] == pytest.approx(((features[0] - features[1]) ** 2).mean(), rel=1e-4)


def test_a_slider_of_ones_own_is_a_function_that_draws_and_says():
    def draw(figure, temperature, n):
        figure.clear()
        figure.add_axes((0.1, 0.1, 0.8, 0.8)).plot([0, n], [0, temperature])
        return f"{n} at T = {temperature:g}"

    widget = Explorer(draw, {"temperature": temperature_slider(), "n": ipywidgets.IntSlider(2, 1, 5, description="n")})
    widget.controls["temperature"].value = 4
    assert widget.words.value == "2 at T = 4" and widget.view.value.startswith("<svg")


def test_ones_own_functional_model_with_several_inputs_needs_nothing():
    def mine(units, name):
        keras.utils.set_random_seed(units)
        a, b = keras.Input((FEATURES,), name="a"), keras.Input((FEATURES,), name="b")
        hidden = keras.layers.Dense(units, "relu")(keras.layers.Concatenate()([a, b]))
        return keras.Model({"a": a, "b": b}, keras.layers.Dense(CLASSES)(hidden), name=name)

    one = Distiller(student=mine(4, "student"), teacher=mine(16, "teacher"))
    one.compile("adam", metrics=["accuracy"])
    history = one.fit({"a": X, "b": X[::-1]}, Y, epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0]
