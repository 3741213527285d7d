"""PromptTemplate and item -> the messages that are sent. Templates fill in; they do not compute."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError, TemplateSyntaxError, UndefinedError, meta

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import PromptTemplate
from neuroforge.datasets.template_language import (
    MAX_TEXT_CHARS,
    STEPS,
    LoopSteps,
    TooMuchError,
    compile_counted,
    parse,
)
from neuroforge.errors import DataError


def render(template: PromptTemplate, item: DatasetItem) -> tuple[JsonObject, ...]:
    """Return the messages: system, the conversation that began before, and the template as the last user message.

    A system message of the item's own follows the template's, in one message.

    Raises:
        DataError: The template is wrong, or names a variable that the item does not have; says which.
    """
    known = variables_of(item)
    where = f"prompt {template.name!r}, item {item.id!r}"
    last = {"role": "user", "content": fill_in(template.template, known, where)}
    if template.system is None:
        return (*item.messages, last)
    system = fill_in(template.system, known, f"{where}, system")
    earlier = item.messages
    if earlier and earlier[0].get("role") == "system":
        system, earlier = f"{system}\n\n{earlier[0].get('content', '')}", earlier[1:]
    return ({"role": "system", "content": system}, *earlier, last)


def check_templates(templates: Sequence[PromptTemplate], items: Sequence[DatasetItem]) -> None:
    """Render everything once, so that what cannot be rendered is known before the first call.

    Raises:
        DataError: As `render`, of the first that fails.
    """
    for template in templates:
        for item in items:
            render(template, item)


def variables_of(item: DatasetItem) -> dict[str, Any]:
    """Return what a template may name: `query`, each of the item's fields, and `row`, which holds them all."""
    return {"row": item.fields, **item.fields, "query": item.query}


def names_in(source: str) -> frozenset[str]:
    """Return the variables that a template names.

    Raises:
        DataError: It is no template.
    """
    try:
        return frozenset(meta.find_undeclared_variables(parse(source)))
    except TemplateError as error:
        raise DataError(f"template {_short(source)}: {error}") from error


def fill_in(source: str, variables: Mapping[str, Any], where: str) -> str:
    """Return the text of a template.

    Args:
        where: What is being filled in, for messages.
    Raises:
        DataError: It is no template, does what templates may not, is too long, or a variable is missing.
    """
    try:
        pieces, n_chars = [], 0
        for piece in _compile(source).generate({**variables, STEPS: LoopSteps()}):
            pieces.append(piece)
            n_chars += len(piece)
            if n_chars > MAX_TEXT_CHARS:
                raise TooMuchError(f"the text is longer than {MAX_TEXT_CHARS:,} characters")
        return "".join(pieces)
    except TemplateSyntaxError as error:
        raise DataError(f"{where}: line {error.lineno} of the template: {error.message}") from error
    except UndefinedError as error:
        known = ", ".join(sorted(map(str, variables)))
        raise DataError(f"{where}: {error.message}; known are {known}") from error
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        raise DataError(f"{where}: {error}") from error


@lru_cache(maxsize=256)
def _compile(source: str) -> Template:
    environment, code = compile_counted(source)
    return Template.from_code(environment, code, {})


def _short(source: str) -> str:
    return repr(source if len(source) <= 60 else f"{source[:57]}...")
