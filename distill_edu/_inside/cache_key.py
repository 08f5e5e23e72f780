"""What a result depends on, as text: models, optimizers, and the code that trains them."""

import ast
import functools
import inspect
import json
import re
from pathlib import Path

import joblib
import numpy as np

from distill_edu._inside.backend import keras, tf

# The modules whose code a trained student depends on. A new colour in a figure throws nothing away.
TRAINS = ("losses", "hints", "distiller", "classroom", "models", "metrics", "experiments", "_inside.batch")
TRAINS += ("_inside.layer_outputs", "_inside.keras_model", "_inside.stacked")
PACKAGE = Path(__file__).parents[1]


def architecture(model):
    """What a model computes, weights aside, as text. Works for an optimizer, too."""
    return as_text({"class": type(model).__name__, **model.get_config(), "name": ""})


def as_text(config):
    """A configuration as text, without the numbers that Keras counts up in names (dense_1, adam_2)."""
    return re.sub(r'_\d+"', '"', json.dumps(config, default=str, sort_keys=True))


def loss_as_text(loss):
    """A loss as text: its name, its configuration, or the source of a function of one's own."""
    if loss is None or isinstance(loss, str):
        return str(loss)
    if hasattr(loss, "get_config"):
        return architecture(loss)
    try:
        return inspect.getsource(loss)
    except OSError:  # made by exec, or typed into a plain Python prompt
        return repr((loss.__code__.co_code, loss.__code__.co_consts))


@functools.cache
def code(folder=PACKAGE):
    """The modules in `TRAINS` without comments and docstrings: a better sentence throws nothing away."""
    return [_without_docstrings(ast.parse((folder / f"{name.replace('.', '/')}.py").read_bytes())) for name in TRAINS]


def _without_docstrings(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body[0].value.value = ""
    return ast.unparse(tree)


def versions():
    """What the numbers of a training depend on below this package."""
    return [keras.__version__, tf.__version__, np.__version__]


def key(*parts):
    """One short text for numbers, arrays and dictionaries, together with the code and the versions below it."""
    return joblib.hash((parts, code(), versions()))
