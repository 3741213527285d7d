"""The request's bytes -> checked JSON; a refusal names the field and never quotes the text."""

import difflib
import re
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.types import Receive

from neuroforge.contracts.base import Contract
from neuroforge.errors import RequestError
from neuroforge.gateway.call import Call
from neuroforge.hangup import ClientGoneError

C = TypeVar("C", bound=Contract)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_UNION_ARMS = re.compile(
    r"(str|int|float|bool|list\[.*\]|dict\[.*\]|constrained-.*|function-.*|[A-Z][A-Za-z]*|nullable.*)"
)
_ROLES = frozenset(("system", "developer", "user", "assistant", "tool"))
_KINDS = frozenset(("text", "image_url", "input_audio", "refusal", "json_schema", "json_object", "pypi", "npm", "hub"))
_ITEMS = frozenset(("message", "function_call", "function_call_output", "reasoning", "input_text", "input_image"))
_TAGS = _ROLES | _KINDS | _ITEMS | {"output_text", "file", "url"}
"""Names by which pydantic says which arm of a union it took; they are no part of the caller's path."""


async def read_body(call: Call, receive: Receive) -> bytes:
    """Return the whole body.

    Raises:
        RequestError: It is not declared as JSON. This also keeps web pages of other origins out: a browser asks before
            it sends JSON.
        RequestTooLarge: From the edge's count.
        ClientGoneError: The caller hung up in the middle.
    """
    check_is_json(call)
    message = await receive()
    chunks: list[bytes] = []
    while message["type"] == "http.request":
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            return b"".join((*chunks, body)) if chunks else body
        chunks.append(body)
        message = await receive()
    raise ClientGoneError


def check_is_json(call: Call) -> None:
    """Raise RequestError unless the content type is application/json or a relative of it."""
    kind = call.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json" and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        raise RequestError("the body must be sent with content-type: application/json", param="content-type")


def parse(adapter: TypeAdapter[Any], payload: bytes, known_names: tuple[str, ...]) -> Any:
    """Decode and check in one pass.

    Args:
        known_names: Fields of the top level, for the hint at a misspelt one.
    Raises:
        RequestError: With the path of the field in `param`.
    """
    try:
        return adapter.validate_json(payload)
    except ValidationError as error:
        raise explain(error, known_names) from None


def parse_contract(kind: type[C], payload: bytes) -> C:
    """As `parse`, for one of our own messages."""
    try:
        return kind.model_validate_json(payload)
    except ValidationError as error:
        raise explain(error, tuple(kind.model_fields)) from None


def explain(error: ValidationError, known_names: tuple[str, ...]) -> RequestError:
    """Return the refusal for the first problem."""
    problem = _most_telling(error)
    location, kind = problem["loc"], problem["type"]
    if kind == "json_invalid":
        place = problem["msg"].rpartition(" at ")[2]
        return RequestError(f"the body is not valid JSON (at {place})")
    param = path_of(location)
    if kind == "extra_forbidden":
        return _unknown(param, location, known_names)
    if kind == "missing":
        return RequestError(f"Missing required parameter: '{param}'", param=param)
    where = f"'{param}'" if param else "the body"
    return RequestError(f"Invalid value for {where}: {_reason(problem)}", param=param or None)


def _most_telling(error: ValidationError) -> Any:
    """The first field's problem; where each arm of a union has one, the deepest: it got furthest."""
    problems: list[Any] = error.errors(include_url=False, include_input=False)
    field = problems[0]["loc"][:1]
    return max((one for one in problems if one["loc"][:1] == field), key=lambda one: len(one["loc"]))


def path_of(location: tuple[int | str, ...]) -> str:
    """Write a location as messages[0].content; names that could be the caller's text are left out."""
    path = ""
    for place, part in enumerate(location):
        if isinstance(part, int):
            path += f"[{part}]"
        elif place and (_UNION_ARMS.fullmatch(part) or _is_tag(part, location[place - 1])):
            continue
        else:
            path += f".{part}" if _NAME.fullmatch(part) else ".?"
    return path.lstrip(".")


def _is_tag(part: str, before: int | str) -> bool:
    return part in _TAGS and (isinstance(before, int) or before in ("response_format", "format"))


def _unknown(param: str, location: tuple[int | str, ...], known_names: tuple[str, ...]) -> RequestError:
    name = str(location[-1])
    if len(location) > 1 or not _NAME.fullmatch(name):
        return RequestError(f"Unrecognized request argument supplied: {param}", param=param)
    near = difflib.get_close_matches(name, known_names, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return RequestError(f"Unrecognized request argument supplied: {name}{hint}", param=name)


def _reason(problem: Any) -> str:
    if problem["type"] == "union_tag_invalid":
        discriminator = problem["ctx"]["discriminator"]
        return f"{discriminator} must be one of {problem['ctx']['expected_tags']}"
    return str(problem["msg"]).removeprefix("Value error, ")
