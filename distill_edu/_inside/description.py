"""Objects as nested lists of texts and numbers, which are equal where the objects do the same."""

import functools
import hashlib
import json
import re
import sys
import types
import warnings

import numpy as np

from distill_edu._inside.backend import keras, tf
from distill_edu._inside.source_code import (
    function_text,
    given,
    global_names,
    imports,
    is_known,
    is_library,
    own_members,
)

_TENSOR = keras.Input((1,), name="any")
_MODEL = keras.Model(_TENSOR, keras.layers.Identity(name="same")(_TENSOR), name="any")
FUNCTIONAL = type(_MODEL)  # Keras has no public name for it
# What Keras keeps in a layer, a model, an optimizer or a metric beside what they compute.
OF_LAYERS = {*vars(keras.layers.Layer(name="any"))} - {"activity_regularizer", "_layers"}
OF_MODELS = {*vars(_MODEL), *vars(keras.Model(name="any")), *OF_LAYERS}
OF_MODELS -= {"activity_regularizer", "_layers", "_operations"}
OF_MODELS |= {"optimizer", "history", "stop_training", "stop_evaluating", "stop_predicting", "_eval_epoch_iterator"}
OF_MODELS |= {"_compile_config", "_compiled_trainable_state", "_functional", "_traced"}
OF_OTHERS = {"built", "_lock", "_tracker", "_metrics", "_variables", "_trainable_variables", "_distribution_strategy"}
OF_OTHERS |= {"_trainable_variables_indices", "_exclude_from_weight_decay_cache"}
NOT_DECAYED = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")  # in no configuration
NEVER_LAYERS = ("activation", "recurrent_activation", "class_name", "module", "registered_name")
NO_MEMBERS = ("__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__abstractmethods__", "_abc_impl")
NO_MEMBERS += ("__firstlineno__", "__static_attributes__", "__dataclass_fields__", "__dataclass_params__")
NO_MEMBERS += ("__replace__",)  # which Python 3.13 gives to dataclasses
SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)
WRITTEN_IN_C = (types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType)


class Incomparable(TypeError):
    """Something that cannot be compared with another time: an open file, or code that is not Python's."""


class Description:
    """Describes values, models and code. Functions are followed to what they close over and the names they use.

    What comes again is its number among those that came. A name that Keras counts up, such as dense_1, is the number of
    its layer wherever the name comes: the n-th layer is the n-th layer, whatever was built before.
    """

    def __init__(self, known=(), names=(), closed=False, made=None):
        """`known`: variables that are described by their places, not values; `closed`: there are no others.

        `names`: names without a meaning. `made`: description of a model or an array -> how it was made, which counts
        instead.
        """
        self.closed, self.made = closed, made
        self.places = {id(variable): place for place, variable in enumerate(known)}
        self.names = {name: place for place, name in enumerate(names)}
        self.seen, self.alive, self.inside, self.own_code = {}, [], [], False  # own: not of a library

    def text(self, value):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of a lambda that it writes into a configuration
            return json.dumps(self._renamed(self.of(value)))

    def _renamed(self, value):
        if isinstance(value, list):
            tag = value[:1] if isinstance(value[:1] and value[0], str) else []  # what comes first says what follows
            return value if tag == ["="] else tag + [self._renamed(each) for each in value[len(tag) :]]
        if not isinstance(value, str):
            return value
        if "/" in value:  # a layer within a model
            return ["path", *(self._renamed(part) for part in value.split("/"))]
        return ["name", self.names[value]] if value in self.names else value

    def of(self, value):
        """The description of anything. Raises Incomparable."""
        if value is None or type(value) in (bool, int, float, str):
            return value
        if self.made and isinstance(value, (keras.Model, np.ndarray)):
            how = self.made.get(Description().text(value))
            if how is not None:
                return ["made", how]
            if is_known(type(value)) and hasattr(value, "members"):  # an Ensemble of models known by how they were made
                return ["of members", self.of(type(value)), self.of([*value.members]), self.of(value.member_weights)]
        for kind, describe in (
            (bytes, lambda value: ["bytes", value.hex()]),
            (types.ModuleType, self._module),
            (keras.KerasTensor, lambda value: ["symbol", str(value.shape), str(value.dtype)]),
            (keras.Variable, self._variable),
            (keras.random.SeedGenerator, lambda value: ["seeds", self._variable(value.state)]),
            ((np.ndarray, np.generic), self._array),
            (re.Pattern, lambda value: ["pattern", value.pattern, value.flags]),
            ((list, tuple, dict, set, frozenset), self._container),
            (types.MethodType, lambda value: ["method", self.of(value.__func__), self.of(value.__self__)]),
            (functools.partial, lambda value: ["partial", self.of([value.func, value.args, value.keywords])]),
        ):
            if isinstance(value, kind):
                return self._within(value, describe)
        if tf.is_tensor(value):
            return self._array(value)
        if id(value) in self.seen:
            return ["again", self.seen[id(value)]]
        self.seen[id(value)] = len(self.seen)
        self.alive.append(value)  # its id must not become another's
        return self._within(value, self._thing)

    def _thing(self, value):
        """The description of a function, a class or an object, which may contain itself."""
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, (types.BuiltinFunctionType, np.ufunc)):
            return self._builtin(value)
        if is_known(type(value)) and hasattr(value, "__wrapped__"):  # of tf.function, functools.cache
            return ["wrapped", self.of(type(value)), self.of(value.__wrapped__)]
        if callable(getattr(value, "get_config", None)):
            return self._configured(value)
        return self._object(value)

    def _within(self, value, describe):
        if any(value is outer for outer in self.inside):
            return ["itself"]
        self.inside.append(value)
        try:
            return describe(value)
        finally:
            self.inside.pop()

    def _refuse(self, value, why):
        names = [getattr(outer, "__qualname__", None) for outer in reversed(self.inside) if outer is not value]
        owner = next(filter(None, names), None)
        raise Incomparable(f"{f'{owner} uses ' if owner else ''}{value!r:.70}, {why}")

    def _array(self, value):
        try:
            array = np.asarray(value)
        except Exception:  # ragged, sparse, or of a graph
            self._refuse(value, "which is no array of numbers or texts.")
        if array.dtype.hasobject:
            return ["objects", list(array.shape), *(self.of(each) for each in array.ravel().tolist())]
        digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        return ["array", array.dtype.str, array.dtype.name, list(array.shape), digest]

    def _variable(self, variable):
        place = self.places.get(id(variable))
        if place is None and self.closed:
            self._refuse(variable, "which is not among the variables.")
        return self._array(variable) if place is None else ["variable", place]

    def _container(self, value):
        kind = type(value).__name__
        if type(value).__module__ != "builtins":
            kind = [self.of(type(value)), self.of(getattr(value, "default_factory", None))]
        if isinstance(value, dict):
            return [kind, *(["entry", self.of(name), self.of(each)] for name, each in value.items())]
        parts = [self.of(each) for each in value]
        return [kind, *(sorted(parts, key=json.dumps) if isinstance(value, (set, frozenset)) else parts)]

    def _object(self, value):
        """An object, taken apart as `copy` would."""
        try:
            parts = value.__reduce_ex__(4)
        except Exception:  # a lock, an open file, a generator
            self._refuse(value, "which cannot be compared with another time.")
        if isinstance(parts, str):
            return self._named(value, parts, is_known(type(value)))
        make, arguments, state, items, pairs = (*parts, None, None, None)[:5]
        if not is_known(type(value)) and hasattr(value, "__dict__"):
            state = [vars(value), state if isinstance(state, tuple) else None]  # whatever its __getstate__ leaves out
        return ["object", *map(self.of, (make, arguments, state, items and [*items], pairs and [*pairs]))]

    # --- code ---

    def _named(self, value, name, known):
        if not known:
            self._refuse(value, "whose code is not Python's.")
        module = getattr(value, "__module__", None) or type(value).__module__
        is_standard = module.split(".")[0] in sys.stdlib_module_names
        counts = is_standard and self.made is None  # a portable key is the same for every version of Python
        return ["=", f"{module}.{name}", *(sys.version_info[:2] if counts else ())]

    def _builtin(self, value):
        owner = getattr(value, "__self__", None)
        if owner is not None and not isinstance(owner, types.ModuleType):
            return ["method", ["=", value.__name__], self.of(owner)]
        return self._named(value, value.__name__, is_known(value))

    def _function(self, function):
        if is_known(function):
            return self._named(function, function.__qualname__, True)
        how = self.of([function.__defaults__, function.__kwdefaults__, vars(function)])
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        if is_library(file=function.__code__.co_filename):  # made by a library, such as the inside of a decorator
            closure = [[["=", name], self._telling(_content(cell), plain=True)] for name, cell in cells]
            return ["made", ["=", function.__code__.co_qualname], how, closure]
        self.own_code = True
        for name in imports(function):
            if not is_library(name):
                self._refuse(function, f"which imports {name} within: import it above the function.")
        closure = [[["=", name], self.of(_content(cell))] for name, cell in cells]
        names = [[["=", ".".join(chain)], self._global(function, chain)] for chain in global_names(function)]
        return ["function", ["=", function_text(function)], how, closure, names]

    def _global(self, function, chain):
        """What is behind a name of the function's module, and the attributes after it: ("helpers", "scale")."""
        if chain[0] not in function.__globals__:
            return ["builtin"]  # or not there, which is an error that the function raises
        value, attributes = function.__globals__[chain[0]], list(chain[1:])
        while isinstance(value, types.ModuleType) and attributes and not is_library(value.__name__):
            value = getattr(value, attributes.pop(0), None)
        return self.of(value)

    def _module(self, module):
        if not is_library(module.__name__):
            self._refuse(module, "a module as a whole: use its functions by name.")
        return ["=", f"module {module.__name__}"]

    def _class(self, kind):
        self.own_code |= kind is keras.layers.Lambda or not is_known(kind)
        if is_known(kind):
            return self._named(kind, kind.__qualname__, True)
        members = [[["=", name], self._member(value)] for name, value in own_members(kind, NO_MEMBERS)]
        return ["class", ["=", kind.__qualname__], self.of(list(kind.__bases__)), self.of(type(kind)), members]

    def _member(self, value):
        if isinstance(value, SLOTS):
            return ["slot"]
        if isinstance(value, WRITTEN_IN_C):
            self._refuse(value, "whose code is not Python's.")
        if isinstance(value, (staticmethod, classmethod)):
            return [type(value).__name__, self.of(value.__func__)]
        if isinstance(value, property):
            return ["property", self.of([value.fget, value.fset])]
        return self.of(value)

    # --- what Keras makes ---

    def _configured(self, value):
        """A layer, model, optimizer, loss ...: its class, configuration, variables, and what those leave out."""
        if _is_counted(name := getattr(value, "name", None), type(value)):
            self.names.setdefault(name, len(self.names))
        new = [variable for variable in getattr(value, "variables", []) if id(variable) not in self.places]
        is_reset = isinstance(value, keras.metrics.Metric)  # before it counts
        values = [] if is_reset else [self._array(variable) for variable in new]
        for variable in new:
            self.places[id(variable)] = len(self.places)
        self.alive += new
        if hasattr(value, "get_vocabulary"):
            values.append(self.of(value.get_vocabulary()))
        attributes = [[["=", name], self._attribute(value, name, each)] for name, each in sorted(vars(value).items())]
        told = [pair for pair in attributes if pair[1] is not None]
        return ["keras", self.of(type(value)), self._configuration(value), values, told]

    def _attribute(self, owner, name, value):
        """The description of an attribute, or None where the owner's configuration and variables say it all."""
        if name in _bookkeeping(owner) or name.startswith("_self_"):
            return None
        if name in NOT_DECAYED or not type(owner).__module__.startswith(("keras.", "tensorflow.")):
            return self.of(value)
        return self._telling(value)

    def _telling(self, value, plain=False):
        """The functions, arrays and configured objects in a value of Keras's own, or None where there are none."""
        if isinstance(value, (list, tuple, dict)):
            parts = value.values() if isinstance(value, dict) else value
            told = [[place, self._telling(part, plain)] for place, part in enumerate(parts)]
            told = [pair for pair in told if pair[1] is not None]
            return told or None
        if isinstance(value, keras.KerasTensor) or id(value) in self.places:
            return None
        is_telling = callable(value) or isinstance(value, (np.ndarray, keras.Variable)) or tf.is_tensor(value)
        is_telling |= hasattr(value, "get_config") or not is_library(type(value).__module__)
        is_plain = plain and type(value) in (bool, int, float, str)
        return self.of(value) if is_telling or is_plain else None

    def _configuration(self, value):
        if isinstance(value, FUNCTIONAL) and not is_known(type(value)):  # its own may not say how its layers are wired
            value = FUNCTIONAL(value.inputs, value.outputs, name="any")
        try:
            config = value.get_config()
        except Exception:  # a class of the reader's that cannot say: its attributes are described
            return None
        return self._config(given(config, type(value)))

    def _config(self, value):
        if not isinstance(value, dict):
            return ["list", *map(self._config, value)] if isinstance(value, (list, tuple)) else self.of(value)
        if value.get("class_name") == "__lambda__":
            return ["lambda"]  # its function is an attribute, and its bytecode says where it stood
        if isinstance(value.get("config"), dict):
            kind = getattr(sys.modules.get(value.get("module")), str(value.get("class_name")), None)
            value = {**value, "config": given(value["config"], kind)}
        pairs = [(name, self._config(each)) for name, each in value.items() if name != "compile_config"]  # of a teacher
        fixed = {name for name, each in pairs if name in NEVER_LAYERS and isinstance(each, str)}
        return ["dict", *([["=", str(name)], ["=", each] if name in fixed else each] for name, each in pairs)]


def _bookkeeping(owner):
    if isinstance(owner, keras.layers.Layer):
        return OF_MODELS if isinstance(owner, keras.Model) else OF_LAYERS
    return OF_OTHERS if isinstance(owner, (keras.optimizers.Optimizer, keras.metrics.Metric)) else ()


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # it has no value yet
        return None


def _is_counted(name, kind):
    """Is it a name that Keras gives: the class's, with a number or without?"""
    return isinstance(name, str) and re.sub(r"_\d+$", "", name).replace("_", "").lower() == kind.__name__.lower()
