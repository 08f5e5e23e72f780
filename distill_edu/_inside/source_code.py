"""The code of a function that runs, as a text that comments, docstrings and the version of Python do not change."""

import __future__

import ast
import dataclasses
import dis
import functools
import hashlib
import importlib.util
import inspect
import io
import linecache
import os
import sys
import sysconfig
import tokenize
import types
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# Modules that no trained student depends on. One that is not named here counts: a kept result is never a stale one.
ASIDE = ("__init__", "cache", "cascade", "compress", "data", "evidence", "foreign", "language")
ASIDE += tuple(f"_inside.{name}" for name in ("__init__", "backend", "cache_key", "check_experiment", "check_models"))
ASIDE += tuple(f"_inside.{name}" for name in ("check_steps", "check_values", "content", "copies", "description"))
ASIDE += ("_inside.answers", "_inside.disk", "_inside.progress", "_inside.source_code", "_inside.time_limit")
FILES = [path.relative_to(PACKAGE) for folder in (".", "_inside") for path in sorted((PACKAGE / folder).glob("*.py"))]
TRAINS = tuple(name for path in FILES if (name := ".".join(path.with_suffix("").parts)) not in ASIDE)

# Their versions count, not their source.
LIBRARIES = ("keras", "tensorflow", "numpy")
FOLDERS = tuple(
    folder + os.sep for name in LIBRARIES for folder in importlib.util.find_spec(name).submodule_search_locations
)
STANDARD = sysconfig.get_path("stdlib") + os.sep

# Python 3.11 has one token for an f-string, later versions have many.
F_START, F_END = (getattr(tokenize, name, None) for name in ("FSTRING_START", "FSTRING_END"))
LAYOUT = {tokenize.INDENT: ">", tokenize.DEDENT: "<"}
SILENT = (tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER)


def is_known(thing):
    """Is it a function or class of a library, or of this package's training code, and found there by its name?"""
    module = getattr(thing, "__module__", None) or type(thing).__module__  # NumPy 2.0's np.exp has none
    if not is_library(module):
        return False
    found = sys.modules.get(module)
    for name in getattr(thing, "__qualname__", getattr(thing, "__name__", "")).split("."):
        found = getattr(found, name, None)
    return found is thing


def is_library(module=None, file=None):
    """Does a module, by its name or file, count by its version, as this package's training code, or not at all?"""
    if file is None:
        top, _, name = module.partition(".")
        if top == "distill_edu":
            return _is_ours(name)
        file = getattr(sys.modules.get(module), "__file__", None)  # a file of the reader's may be called random.py
        return (top in LIBRARIES or top in sys.stdlib_module_names) and (file is None or is_library(file=file))
    if file.startswith(str(PACKAGE) + os.sep):
        return _is_ours(".".join(Path(file).relative_to(PACKAGE).with_suffix("").parts))
    is_standard = file.startswith((STANDARD, "<frozen ")) and "site-packages" not in file
    return is_standard and "dist-packages" not in file or file.startswith(FOLDERS)


def _is_ours(name):
    """Is it a module of this package whose code is training code, or computes nothing?"""
    return name in TRAINS or name.startswith("_inside.")


@functools.cache
def training_code(folder=PACKAGE):
    """A short text for each module in `TRAINS`, which better comments and docstrings do not change."""
    texts = {name: (folder / f"{name.replace('.', '/')}.py").read_text("utf-8") for name in TRAINS}
    return {name: hashlib.sha256(tokens(text).encode()).hexdigest() for name, text in texts.items()}


def function_text(function):
    """The source of a function as one text; where there is none that compiles to the code that runs, its bytecode.

    The source may be missing (exec, a plain Python prompt), or of another function (a file that was edited since it was
    imported): it counts only where Python makes the same bytecode of it. Bytecode differs between versions of Python.
    """
    code = function.__code__
    source = _source(code, function.__globals__)
    if source is None:
        return repr((importlib.util.MAGIC_NUMBER, bytecode(code)))
    return tokens(source)


def tokens(text):
    """The tokens of Python code, one a line: without comments, blank lines, and statements that are only a text."""
    kept, statement, f_strings = [], [], []
    lines = io.StringIO(text).readlines()
    for token in tokenize.generate_tokens(iter([*lines, ""]).__next__):
        if token.type == F_START:
            f_strings.append(token.start)
        elif token.type == F_END:
            start = f_strings.pop()
            if not f_strings:
                statement.append((_cut(lines, start, token.end), False))
        elif f_strings or token.type in SILENT:
            continue
        elif token.type in LAYOUT:
            kept.append(LAYOUT[token.type])
        elif token.type == tokenize.NEWLINE:
            if not all(is_text for _, is_text in statement):  # what is only a text is a docstring
                kept += [*(piece for piece, _ in statement), ";"]
            statement = []
        else:
            statement.append((token.string, token.type == tokenize.STRING and not _is_f_string(token.string)))
    return "\n".join(kept)


def _cut(lines, start, end):
    """The text between two places, (row from 1, column)."""
    rows = lines[start[0] - 1 : end[0]]
    rows[-1] = rows[-1][: end[1]]
    return "".join([rows[0][start[1] :], *rows[1:]])


def _is_f_string(text):
    return "f" in text[: min(text.find(quote) % len(text) for quote in "'\"")].lower()


def bytecode(code):
    """All that a code object does, without the place where it stood."""
    return (
        *(code.co_name, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags, code.co_code),
        *(code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_exceptiontable),
        tuple(_constant(value) for value in code.co_consts),
    )


def _constant(value):
    if isinstance(value, types.CodeType):
        return bytecode(value)
    if isinstance(value, (tuple, frozenset)):
        values = [_constant(each) for each in value]
        return type(value).__name__, tuple(values if isinstance(value, tuple) else sorted(values, key=repr))
    return type(value).__name__, repr(value)  # 1, 1.0 and True are equal, but compute differently


def _source(code, module):
    """The source that the code was made of, or None. `module`: the names around it, for linecache."""
    linecache.checkcache(code.co_filename)
    text = "".join(linecache.getlines(code.co_filename, module))
    try:
        found, nodes = _functions(text, code.co_flags & __future__.annotations.compiler_flag)
    except (SyntaxError, ValueError):  # no Python: a template, another file of this name
        return None
    same = found.get(bytecode(code), [])
    same.sort(key=lambda candidate: candidate.co_firstlineno != code.co_firstlineno)
    for candidate in same:
        fitting = [node for node in nodes.get(candidate.co_firstlineno, []) if _is_made_of(candidate, node)]
        if fitting:
            node = fitting[-1]  # of lambdas within each other the innermost, which ast.walk reaches last
            segment = ast.get_source_segment(text, node)
            return f"({segment})" if isinstance(node, ast.Lambda) else segment
    return None


@functools.lru_cache(maxsize=64)
def _functions(text, flags):
    """{bytecode: [code objects]} and {first line: [nodes]} of all functions in a file or cell."""
    codes, nodes, tree = {}, {}, ast.parse(text)
    # IPython compiles a cell statement by statement: np.exp(x) has other bytecode where the cell imports np.
    for unit in (tree, *(ast.Module([statement], []) for statement in tree.body)):
        for code in nested(compile(unit, "<source>", "exec", flags, dont_inherit=True)):
            codes.setdefault(bytecode(code), []).append(code)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
            nodes.setdefault(first, []).append(node)
    return codes, nodes


def nested(code):
    """A code object and all that are defined in it."""
    yield code
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            yield from nested(value)


def _is_made_of(code, node):
    """Was the code made of this node of its line? Lambdas of one line are told apart by the columns of their code."""
    if not isinstance(node, ast.Lambda):
        return node.name == code.co_name
    body = (node.body.lineno, node.body.col_offset), (node.body.end_lineno, node.body.end_col_offset)
    places = [place for place in code.co_positions() if None not in place and place[2:] != (0, 0)]
    return bool(places) and all(body[0] <= place[::2] and place[1::2] <= body[1] for place in places)


def imports(function):
    """The modules that a function imports within itself."""
    steps = (step for code in nested(function.__code__) for step in dis.get_instructions(code))
    return sorted({step.argval or "." for step in steps if step.opname == "IMPORT_NAME"})


def global_names(function):
    """What a function reads from its module: [("np", "exp"), ("helper",), ...], each with the attributes after it."""
    found = set()
    for code in nested(function.__code__):
        chain = None
        for step in dis.get_instructions(code):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                chain = (step.argval,)
            elif chain and step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
                found.discard(chain)
                chain = (*chain, step.argval)
            else:
                chain = None
            if chain:
                found.add(chain)
    return sorted(found)


def given(config, kind):
    """A configuration of Keras's without what is left at its default: another release has other arguments."""
    if not (isinstance(kind, type) and kind.__module__.startswith("keras.")):
        return config
    defaults = {name: argument.default for name, argument in inspect.signature(kind).parameters.items()}
    defaults.pop("name", None)  # counted in one release, fixed in another
    return {name: each for name, each in config.items() if not _is_default(each, defaults.get(name, defaults))}


def _is_default(value, default):
    return type(value) is type(default) and value == default


def own_members(kind, leave_out):
    """[(name, value)] of a class, without what `dataclass` wrote, whose bytecode differs between versions of Python.

    The factories of a dataclass's fields stand nowhere else.
    """
    members = [(name, vars(kind)[name]) for name in sorted(vars(kind)) if name not in leave_out]
    if not dataclasses.is_dataclass(kind):
        return members
    factories = [(f"factory of {field.name}", field.default_factory) for field in dataclasses.fields(kind)]
    members = [(name, value) for name, value in members if not _is_generated(name, value)]
    return members + [(name, make) for name, make in factories if make is not dataclasses.MISSING]


def _is_generated(name, value):
    code = getattr(value, "__code__", None)
    special = name.startswith("__") and code is not None
    return special and (code.co_filename == "<string>" or is_library(file=code.co_filename))
