"""Which students may take their steps together, and copies that do the same."""

from distill_edu._inside.backend import keras
from distill_edu._inside.cache_key import architecture
from distill_edu._inside.description import NOT_DECAYED

# These change every number of a weight by itself, so students can share one: it does to each what its own copy would.
ELEMENTWISE = ("SGD", "Adam", "AdamW", "Adamax", "Nadam", "Adagrad", "Adadelta", "RMSprop", "Ftrl", "Lion")
NO_COPY = (
    "Every student needs its own copy of the {}, made by get_config() and from_config(), which must "
    "hold all that it needs. {} Or train the students in Distillers."
)


def likeness(student):
    """Equal for students that may take a step together; for a student that cannot, like no other's."""
    # Only Keras's own kinds of model: what a subclass computes is not in its configuration.
    known = type(student).__module__.startswith("keras.") and student.built
    return architecture(student) if known and learns_number_by_number(student) else id(student)


def learns_number_by_number(student):
    """Does nothing look at a weight of this student as a whole?"""
    constrained = any(variable.constraint for variable in student.trainable_variables)
    scaled = student.dtype_policy.compute_dtype == "float16"  # its optimizer watches for overflow
    return not constrained and not scaled


def is_elementwise(optimizer):
    """Does the optimizer change each number of a weight by itself, in all weights alike?"""
    sees_others = optimizer.clipnorm or optimizer.global_clipnorm or optimizer.use_ema
    sees_others = sees_others or getattr(optimizer, NOT_DECAYED[0], None)  # variables of one student
    return type(optimizer) in [getattr(keras.optimizers, name) for name in ELEMENTWISE] and not sees_others


def fresh(thing):
    """A new optimizer, metric or hint that does the same; a name or a function stays what it is."""
    if not hasattr(thing, "get_config"):
        return thing
    copy = _from_config(thing)
    for name in set(NOT_DECAYED) & set(vars(thing)):
        setattr(copy, name, getattr(thing, name))
    if isinstance(thing, keras.optimizers.Optimizer) and not thing.built:  # where a schedule begins
        numbers_of(copy)[-1].assign(numbers_of(thing)[-1])
    if architecture(_as_far(copy, thing)) != architecture(thing):
        raise ValueError(NO_COPY.format(type(thing).__name__, "What it keeps besides is lost."))
    return copy


def _from_config(thing):
    try:
        return type(thing).from_config(thing.get_config())
    except Exception as error:  # of a class of the reader's
        raise ValueError(NO_COPY.format(type(thing).__name__, f"Keras says: {error!s:.200}")) from error


def _as_far(copy, thing):
    """The copy, or of a hint that is built (a Distiller has it) one more, built in the same way, to compare with."""
    if not getattr(thing, "taken", False):
        return copy
    built = _from_config(thing)
    built.build_from_config(thing.get_build_config())
    built.taken = True
    return built


def hint_likeness(hint):
    """Equal for hints that differ in their weight alone."""
    weight, hint.weight = hint.weight, 1.0
    try:
        return architecture(hint)
    finally:
        hint.weight = weight


def settings_of(optimizer):
    """What is set in an optimizer, beside the numbers of its variables: equal as long as nobody sets anything else."""
    rate = vars(optimizer)["_learning_rate"]  # a variable, or a schedule
    told = {name: each for name, each in vars(optimizer).items() if not name.startswith("_") and name != "built"}
    told = {name: each for name, each in told.items() if not isinstance(each, list)}  # SGD's momentums, once built
    named = [str(getattr(optimizer, name, None)) for name in NOT_DECAYED]
    return told, named, None if isinstance(rate, keras.Variable) else rate


def numbers_of(optimizer):
    """The variables of its learning rate, unless that is a schedule, and of its steps (also those that only add up)."""
    rate, steps = vars(optimizer)["_learning_rate"], vars(optimizer)["_iterations"]
    return [rate, steps] if isinstance(rate, keras.Variable) else [steps]


def has_branches(traced):
    """Has the graph a loop (a GRU that is not unrolled) or a condition? tf.vectorized_map cannot map over these."""
    graph = traced.graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return any(node.op in ("While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase") for node in nodes)
