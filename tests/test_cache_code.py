"""A kept result depends on the code of the reader's own functions and classes, whatever makes use of them."""

import dataclasses
import functools
import importlib.util
import linecache
import re
import sys
from pathlib import Path

import keras
import pytest
from small import X, Y, same, weights

import distill_edu
from distill_edu import cache
from distill_edu._inside.description import Description  # noqa: TID251 - what keys are made of
from distill_edu._inside.source_code import function_text  # noqa: TID251

QUIET = {"batch_size": 8, "verbose": 0, "shuffle": False}


pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("folder")]


HEAD = """
import functools
import threading
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from distill_edu import Distiller, hints, losses

N = 2.0


def ce(y, z):
    return ops.sparse_categorical_crossentropy(y, z, from_logits=True)


def plain(*middle, loss=ce, optimizer="sgd", last=None, **settings):
    built = keras.Sequential([keras.Input((6,)), *middle, last or layers.Dense(4)])
    built.compile(optimizer, loss, run_eagerly=True, **settings)
    return built


def distilled(hint=(), kind=Distiller, **settings):
    student, teacher = (plain(layers.Dense(5, name="h")) for _ in range(2))
    teacher.set_weights([weight + 0.1 for weight in teacher.get_weights()])
    built = kind(student=student, teacher=teacher, hints=hint)
    built.compile("sgd", run_eagerly=True, **settings)
    return built
"""
# Each makes a model, and depends on the number 2.0, which is edited.
CODE = {
    "loss": "def mine(y, z): return 2.0 * ce(y, z)\nbuild = lambda: plain(loss=mine)",
    "lambda": "build = lambda: plain(loss=lambda y, z: 2.0 * ce(y, z))",
    "helper": "def scale(v): return 2.0 * v\ndef mine(y, z): return scale(ce(y, z))\nbuild = lambda: plain(loss=mine)",
    "global": "K = 2.0\ndef mine(y, z): return K * ce(y, z)\nbuild = lambda: plain(loss=mine)",
    "default": "def mine(y, z, k=2.0): return k * ce(y, z)\nbuild = lambda: plain(loss=mine)",
    "closure": "def of(k): return lambda y, z: k * ce(y, z)\nbuild = lambda: plain(loss=of(2.0))",
    "partial": "def mine(k, y, z): return k * ce(y, z)\nbuild = lambda: plain(loss=functools.partial(mine, 2.0))",
    "wraps": "@functools.wraps(keras.losses.mean_squared_error)\ndef mine(y, z): return 2.0 * ce(y, z)\n"
    "build = lambda: plain(loss=mine)",
    "tf.function": "@tf.function\ndef mine(y, z): return 2.0 * ce(y, z)\nbuild = lambda: plain(loss=mine)",
    "callable object": "class Mine:\n    k = 2.0\n    def __call__(self, y, z): return self.k * ce(y, z)\n"
    "build = lambda: plain(loss=Mine())",
    "loss class": "class Mine(keras.losses.Loss):\n    def call(self, y, z): return 2.0 * ce(y, z)\n"
    "build = lambda: plain(loss=Mine())",
    "exec": "exec('def mine(y, z): return 2.0 * ce(y, z)')\nbuild = lambda: plain(loss=mine)",
    "layer": "class Mine(layers.Layer):\n    def call(self, x): return 2.0 * x\nbuild = lambda: plain(Mine())",
    "attribute": "class Mine(layers.Layer):\n    def __init__(self, k):\n        super().__init__()\n"
    "        self.loss = k\n    def call(self, x): return self.loss(x)\nbuild = lambda: plain(Mine(lambda x: 2.0 * x))",
    "parent": "class Parent(layers.Layer):\n    def scale(self, x): return 2.0 * x\n"
    "class Mine(Parent):\n    def call(self, x): return self.scale(x)\nbuild = lambda: plain(Mine())",
    "Lambda": "build = lambda: plain(layers.Lambda(lambda x: 2.0 * x))",
    "activation": "def act(x): return 2.0 * x\nbuild = lambda: plain(layers.Dense(5, act))",
    "custom gradient": "@tf.custom_gradient\ndef act(x): return x, lambda d: 2.0 * d\n"
    "build = lambda: plain(layers.Dense(5, act))",
    "regularizer": "class Mine(keras.regularizers.Regularizer):\n"
    "    def __call__(self, w): return 2.0 * ops.sum(w**2)\n    def get_config(self): return {}\n"
    "build = lambda: plain(last=layers.Dense(4, kernel_regularizer=Mine()))",
    "constraint": "class Mine(keras.constraints.Constraint):\n    def __call__(self, w): return w / 2.0\n"
    "build = lambda: plain(last=layers.Dense(4, kernel_constraint=Mine()))",
    "initializer": "def start(shape, dtype=None): return 2.0 * ops.ones(shape, dtype)\n"
    "build = lambda: plain(last=layers.Dense(4, kernel_initializer=start))",
    "model": "class Mine(keras.Model):\n    def __init__(self):\n        super().__init__()\n"
    "        self.parts = [layers.Dense(4)]\n    def call(self, x): return 2.0 * self.parts[0](x)\n"
    "def build():\n    keras.utils.set_random_seed(1)\n    built = Mine()\n    built(np.zeros((1, 6)))\n"
    "    built.compile('sgd', ce, run_eagerly=True)\n    return built",
    "schedule": "class Mine(keras.optimizers.schedules.LearningRateSchedule):\n"
    "    def __call__(self, step): return 2.0 / (10 + ops.cast(step, 'float32'))\n    def get_config(self): return {}\n"
    "build = lambda: plain(optimizer=keras.optimizers.SGD(Mine()))",
    "callable rate": "def rate(): return 2.0 / 100\nbuild = lambda: plain(optimizer=keras.optimizers.SGD(rate))",
    "optimizer": "class Mine(keras.optimizers.SGD):\n    def update_step(self, gradient, variable, rate):\n"
    "        super().update_step(2.0 * gradient, variable, rate)\nbuild = lambda: plain(optimizer=Mine(0.01))",
    "metric": "def share(y, z): return 2.0 * ce(y, z)\nbuild = lambda: plain(metrics=[share])",
    "metric class": "class Mine(keras.metrics.Mean):\n    def update_state(self, y, z, sample_weight=None):\n"
    "        super().update_state(2.0 * ce(y, z))\nbuild = lambda: plain(metrics=[Mine(name='mine')])",
    "soft loss": "def mine(batch, z, t): return 2.0 * losses.forward_kl(batch, z, t)\n"
    "build = lambda: distilled(soft_loss=mine)",
    "registered soft loss": "@losses.soft_loss('mine')\ndef mine(batch, z, t):\n"
    "    return 2.0 * losses.forward_kl(batch, z, t)\nbuild = lambda: distilled(soft_loss='mine')",
    "student loss": "def mine(y, z): return 2.0 * ce(y, z)\nbuild = lambda: distilled(student_loss=mine)",
    "hint": "class Mine(hints.Hint):\n    def call(self, a, b): return 2.0 * super().call(a, b)\n"
    "build = lambda: distilled(hint=[Mine('h', 'h')])",
    "step": "class Mine(Distiller):\n    def forward(self, batch, training):\n"
    "        step = super().forward(batch, training)\n        return step._replace(loss=2.0 * step.loss)\n"
    "build = lambda: distilled(kind=Mine)",
    "metric of a distiller": "def share(y, z): return 2.0 * ce(y, z)\nbuild = lambda: distilled(metrics=[share])",
    "page's layer": "from distill_edu.pages.few_bits import FewBits\nbuild = lambda: plain(FewBits(5, int(2.0)))",
}


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """load(text): a module of the reader's, as after the file was edited and Python was started again."""
    path = tmp_path / "readers.py"

    def load(text):
        path.write_text(HEAD + "\n\n" + text)
        linecache.clearcache()
        spec = importlib.util.spec_from_file_location("readers", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # an edit within a second would not be seen
    yield load
    distill_edu.losses.SOFT_LOSSES.pop("mine", None)


def fitted(build, fit):
    keras.utils.set_random_seed(2)
    built = build()
    return fit(built, X[:8], Y[:8], **QUIET), weights(built)


def by_keras(built, *args, **kwargs):
    return built.fit(*args, **kwargs).history


@pytest.mark.parametrize("kind", CODE)
def test_edited_code_is_trained_again_and_a_comment_is_not(fits, reader, kind):
    text = CODE[kind]
    first = fitted(reader(text).build, cache.fit)
    commented = re.sub(r"^((?:class|def) .*:)$", r'\1\n    """What it does."""\n\n', "# why\n" + text, flags=re.M)
    again = fitted(reader(commented.replace("2.0 * ", "2.0  *  ") + "  # so").build, cache.fit)
    assert len(fits) == 1 and first[0] == again[0] and same(first[1], again[1], atol=0)
    edited = text.replace("2.0", "3.0")
    assert edited != text
    learned, right = (fitted(reader(edited).build, fit) for fit in (cache.fit, by_keras))
    assert len(fits) == 3 and same(learned[0].values(), right[0].values()) and same(learned[1], right[1])
    assert learned[0] != first[0] or not same(learned[1], first[1], atol=1e-8)


def test_the_code_that_runs_counts_not_the_file_that_was_edited_meanwhile(fits, reader, tmp_path):
    running = reader(CODE["loss"])
    Path(tmp_path / "readers.py").write_text(HEAD + "\n\n" + CODE["loss"].replace("2.0", "3.0"))
    first = fitted(running.build, cache.fit)
    edited = fitted(reader(CODE["loss"].replace("2.0", "3.0")).build, cache.fit)
    assert len(fits) == 2 and not same(first[1], edited[1])


def test_functions_and_classes_of_a_notebook_count_as_they_are_defined_now(fits):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    run = functools.partial(lambda cell: shell.run_cell(cell, store_history=True).raise_error())
    run(HEAD)
    lessons = []
    for cell in ("def mine(y, z): return 2.0 * ce(y, z)", "def mine(y, z): return 3.0 * ce(y, z)"):
        run(cell)
        lessons += [fitted(lambda: shell.user_ns["plain"](loss=shell.user_ns["mine"]), cache.fit) for _ in range(2)]
    for number in ("2.0", "3.0", "2.0"):
        run(f"class Mine(layers.Layer):\n    def call(self, x):\n        return {number} * x")
        lessons += [fitted(lambda: shell.user_ns["plain"](shell.user_ns["Mine"]()), cache.fit) for _ in range(2)]
    assert len(fits) == 4
    assert [float(history["loss"][0]) for history, _ in lessons[4:6]] == [lessons[-1][0]["loss"][0]] * 2
    assert lessons[2][0]["loss"][0] == pytest.approx(1.5 * lessons[0][0]["loss"][0])
    assert lessons[4][0]["loss"][0] != lessons[6][0]["loss"][0]


@pytest.mark.parametrize(
    "code, sentence",
    [
        (
            "LOCK = threading.Lock()\ndef mine(y, z):\n    with LOCK: return ce(y, z)",
            "mine uses <unlocked .*, which can",
        ),
        ("def mine(y, z):\n    import small\n    return ce(y, z)", "imports small within: import it above"),
        ("import small\ndef mine(y, z, m=small): return ce(y, z)", "a module as a whole: use its functions by name"),
    ],
)
def test_what_cannot_be_compared_is_trained_each_time_and_says_why(fits, reader, folder, code, sentence):
    module = reader(code)
    for _ in range(2):
        with pytest.warns(UserWarning, match=f"This fit is not kept: .*{sentence}") as warned:
            fitted(lambda: module.plain(loss=module.mine), cache.fit)
        assert Path(warned[0].filename).name == "test_cache_code.py"
    assert len(fits) == 2 and not folder.exists()


def test_a_portable_key_knows_no_release_of_keras_and_no_version_of_python():
    def text(value):
        return Description(made={}).text(value)

    dense = text(keras.layers.Dense(3))
    assert "quantization_config" not in dense and "use_bias" not in dense  # left at their defaults
    assert "use_bias" in text(keras.layers.Dense(3, use_bias=False))
    assert text(keras.layers.Dropout(0.1)) != text(keras.layers.Dropout(0.2))
    first = text([keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.1)])
    assert first == text([keras.optimizers.Adam(0.1, name="adam"), keras.optimizers.Adam(0.1)])
    data = text(distill_edu.Vocabulary)
    assert "__eq__" not in data and "encode" in data and f"[{sys.version_info[0]}, {sys.version_info[1]}]" not in data


def test_the_factory_of_a_field_counts():
    def text(make):
        return Description(made={}).text(
            dataclasses.make_dataclass("Mine", [("n", list, dataclasses.field(default_factory=make))])
        )

    assert text(list) == text(list) != text(dict)


def test_a_function_of_a_cell_that_imports_what_it_uses_counts_by_its_source():
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.run_cell("import numpy as np\n\n\ndef mine(x):\n    return np.exp(x)", store_history=True).raise_error()
    assert function_text(shell.user_ns["mine"]).split()[:2] == ["def", "mine"]
