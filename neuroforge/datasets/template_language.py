"""The part of Jinja2 that prompts may use: variables, `if`, `for`, comparisons and filters of bounded size.

Jinja2's sandbox keeps templates from Python's inside, not from filling the memory or running for ever. So calls,
blocks, macros, `set`, concatenation and lists of variables are left out, and every loop step is counted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from itertools import islice
from types import CodeType
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes
from jinja2.filters import FILTERS
from jinja2.lexer import TOKEN_DATA
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_TEMPLATE_CHARS = 20_000
"""Of what is not text as it stands: a prompt may show many examples around a short template."""
MAX_SOURCE_CHARS = 200_000
"""Of a template with its text."""
MAX_TEXT_CHARS = 4_000_000
MAX_LOOP_STEPS = 100_000
"""Of all loops of one text together; also what the longest list may hold."""
STEPS = "_loop_steps"
_OURS = frozenset({STEPS, "self"})
"""Names that stand for the machinery: a template that prints one would show a Python object."""
_LOOP_STATE = frozenset(
    {"index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem"}
)
_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "int", "items", "last", "length",
    "list", "lower", "max", "min", "reverse", "round", "sort", "string", "title", "tojson", "trim", "unique", "upper",
)  # fmt: skip
_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.If,
    nodes.CondExpr, nodes.For, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Add,
    nodes.Sub, nodes.Filter, nodes.Test, nodes.List, nodes.Tuple, nodes.Slice, nodes.Keyword,
)  # fmt: skip


class TooMuchError(ValueError):
    """A template makes more text, or takes more steps, than it may."""


class FillIn(ImmutableSandboxedEnvironment):
    """Strict, without loaders, globals or methods; `a.b` is `a["b"]`, so that a column may be called like a method."""

    intercepted_binops = frozenset({"+", "-"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False, optimized=False)
        self.globals.clear()
        self.filters = {**{name: _bounded(FILTERS[name]) for name in _FILTERS}, "join": _join, "replace": _replace}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a loop's state or a mapping's value."""
        if isinstance(obj, LoopContext):
            return super().getattr(obj, attribute) if attribute in _LOOP_STATE else self.undefined(name=attribute)
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an element or a slice; never an attribute."""
        try:
            return obj[argument]
        except (LookupError, TypeError):
            return self.undefined(obj=obj, name=argument)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002 - jinja2's signature
        """Count with numbers only."""
        for one in (left, right):
            if isinstance(one, Undefined):
                str(one)  # raises, and names it
            if not isinstance(one, int | float):
                raise TypeError(f"{operator} is for numbers; write texts next to each other instead")
        return left + right if operator == "+" else left - right


class LoopSteps:
    """Counts the steps of one text's loops, each loop's at its beginning."""

    def __init__(self) -> None:
        self._n_left = MAX_LOOP_STEPS

    def __call__(self, values: Iterable[Any]) -> list[Any]:
        """Return what a loop goes over.

        Raises:
            TooMuchError: With these steps there would be too many.
        """
        found = _take(values, self._n_left)
        self._n_left -= len(found)
        return found


def parse(source: str) -> nodes.Template:
    """Return the syntax tree.

    Raises:
        TemplateSyntaxError: It is no template, or does what prompt templates may not.
    """
    environment = FillIn()
    _check_source(environment, source)
    try:
        tree = environment.parse(source)
    except RecursionError as error:
        raise TemplateSyntaxError("it is nested too deeply", 1) from error
    for node in _walk(tree):
        if not isinstance(node, _NODES):
            raise TemplateSyntaxError(f"`{type(node).__name__}` is not possible in a prompt template", node.lineno)
        if isinstance(node, nodes.List) and not all(isinstance(one, nodes.Const) for one in node.items):
            raise TemplateSyntaxError("a list may hold constants only", node.lineno)
        if isinstance(node, nodes.Name) and node.name in _OURS:
            raise TemplateSyntaxError(f"{node.name!r} is no variable: name the field that you mean", node.lineno)
        if isinstance(node, nodes.For):
            _check_loop(node)
    return tree


def compile_counted(source: str) -> tuple[FillIn, CodeType]:
    """Return the environment and the code of a template whose loops go through the variable `STEPS`, a LoopSteps.

    Raises:
        TemplateSyntaxError: As `parse`.
    """
    environment = FillIn()
    tree = parse(source)
    for loop in tree.find_all(nodes.For):
        counter = nodes.Name(STEPS, "load", lineno=loop.lineno)
        loop.iter = nodes.Call(counter, [loop.iter], [], None, None, lineno=loop.lineno)
    tree.set_environment(environment)
    code = environment.compile(tree)
    assert isinstance(code, CodeType)  # noqa: S101 - `raw` was not asked for
    return environment, code


def _check_source(environment: FillIn, source: str) -> None:
    if len(source) > MAX_SOURCE_CHARS:
        raise TemplateSyntaxError(f"a template is at most {MAX_SOURCE_CHARS:,} characters long", 1)
    n_chars = 0
    for line, kind, token in environment.lexer.tokeniter(source, None):
        n_chars += 0 if kind == TOKEN_DATA else len(token)
        if n_chars > MAX_TEMPLATE_CHARS:
            told = f"a template is at most {MAX_TEMPLATE_CHARS:,} characters long, its text not counted"
            raise TemplateSyntaxError(told, line)


def _check_loop(loop: nodes.For) -> None:
    """Inside a loop `loop` is its state, of which a template may name parts and not the whole."""
    inside = [node for one in loop.body for node in _walk(one)]
    parts = {id(node.node) for node in inside if isinstance(node, nodes.Getattr)}
    for node in inside:
        if isinstance(node, nodes.Name) and node.name == "loop" and id(node) not in parts:
            raise TemplateSyntaxError("`loop` has parts: write `loop.index`, `loop.first`, ...", node.lineno)


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)


def _take(values: Iterable[Any], n_most: int) -> list[Any]:
    found = list(islice(values, n_most + 1))
    if len(found) > n_most:
        raise TooMuchError(f"loops and lists take more than {MAX_LOOP_STEPS:,} steps")
    return found


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)  # keeps jinja2's mark of what is passed beside the value
    def filtered(*args: Any, **options: Any) -> Any:
        found = function(*args, **options)
        if isinstance(found, Iterator | list):
            return _take(found, MAX_LOOP_STEPS)
        return _not_too_long(found) if isinstance(found, str) else found

    return filtered


def _join(values: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    found = [value if attribute is None else value[attribute] for value in _take(values, MAX_LOOP_STEPS)]
    texts = [str(one) for one in found]
    _check_length(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _replace(text: str, old: str, new: str) -> str:
    _check_length(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def _not_too_long(text: str) -> str:
    _check_length(len(text))
    return text


def _check_length(n_chars: int) -> None:
    if n_chars > MAX_TEXT_CHARS:
        raise TooMuchError(f"a text is longer than {MAX_TEXT_CHARS:,} characters")
