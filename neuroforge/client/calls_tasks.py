"""As `calls`, for tasks of one or several models."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from neuroforge.client.calls import Call, Messages, as_contract, as_messages
from neuroforge.contracts.tasks import Task, TaskMode, TaskResult
from neuroforge.errors import RequestError

PATH = "/v1/tasks"


def task(given: Task | None, fields: Mapping[str, Any]) -> Call[TaskResult]:
    """POST /v1/tasks; of `given` with `fields` in place of its own.

    Raises:
        RequestError: It is no task; names the field.
    """
    merged = {**({} if given is None else dict(given)), **fields}
    if isinstance(merged.get("messages"), str):
        merged["messages"] = as_messages(merged["messages"])
    try:
        wanted = Task.model_validate(merged)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        param = ".".join(str(part) for part in problem["loc"])
        reason = str(problem["msg"]).removeprefix("Value error, ")
        raise RequestError(f"{param}: {reason}" if param else reason, param=param or None) from error
    return Call("POST", PATH, as_contract(TaskResult), wanted.model_dump(mode="json", exclude_defaults=True))


def parallel(prompts: Sequence[str], model: str, options: Mapping[str, Any]) -> Call[TaskResult]:
    """A task of mode `parallel`."""
    return task(None, {"mode": "parallel", "prompts": tuple(prompts), "model": model, "options": dict(options)})


def of_several(
    mode: TaskMode, prompt: Messages, who: str | Sequence[str], options: Mapping[str, Any], n: int | None = None
) -> Call[TaskResult]:
    """A task in which several models, or one of them several times, answer one prompt."""
    named = {"model": who} if isinstance(who, str) else {"models": tuple(who)}
    fields = {"mode": mode, "messages": as_messages(prompt), "options": dict(options), **named}
    return task(None, fields if n is None else {**fields, "n": n})
