"""The body of POST /v1/tasks -> Task and Ask: messages and options are checked and cleaned as a chat request's are."""

from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.models import Capability
from neuroforge.contracts.routing import FleetSnapshot
from neuroforge.contracts.tasks import Task, TaskMode
from neuroforge.errors import EngineUnavailable, ModelNotFound, NeuroForgeError, RequestError, UnsupportedParameter
from neuroforge.gateway.ask import Ask
from neuroforge.gateway.auth import Caller
from neuroforge.gateway.body import parse
from neuroforge.gateway.chat import ask_chat
from neuroforge.gateway.policy import ROUTE, is_policy
from neuroforge.gateway.wire_requests import ChatOptions
from neuroforge.gateway.wire_tasks import NAMES, TASK

E = TypeVar("E", bound=NeuroForgeError)
_SEVERAL: tuple[TaskMode, ...] = ("creative", "consensus", "cascade")
_READERS: dict[str, tuple[TaskMode, ...]] = {
    "models": _SEVERAL,
    "n": _SEVERAL,
    "scorer": ("creative",),
    "verifier": ("cascade",),
    "threshold": ("cascade",),
    "stop_early": ("consensus",),
}
"""Fields that only these modes read; elsewhere another value than the default would be ignored, so it is refused."""
_UNHEARD: dict[Capability, tuple[TaskMode, ...]] = {
    "tools": ("parallel", *_SEVERAL),
    "logprobs": ("parallel",),
}
"""Capabilities whose part of the answer these modes do not give back: they compare, or return, texts."""
ASSESSOR_FIELDS: dict[TaskMode, str] = {"creative": "scorer", "cascade": "verifier"}
"""Who says how good an answer is, by mode."""
_OPTIONS = frozenset(ChatOptions.__annotations__)


class CheckedTask(NamedTuple):
    """A task that the executor may get."""

    task: Task
    """With the cleaned messages and options, and a deadline."""
    ask: Ask
    """Whose body is {messages, options}; of `parallel` the messages that all prompts share, perhaps none."""


def parse_task(payload: bytes, timeout_s: float) -> CheckedTask:
    """Check a body.

    Args:
        timeout_s: Deadline of a task that brings none.
    Raises:
        RequestError: It breaks the schema, or what its mode needs is missing; names the field.
        UnsupportedParameter: A field that its mode does not read, or that nobody can honour.
        ModelNotFound: An unknown policy.
    """
    given: JsonObject = {name: value for name, value in parse(TASK, payload, NAMES).items() if value is not None}
    mode: TaskMode = given.get("mode", "single")
    _check_mode(mode, given)
    _check_judge(mode, given)
    _check_who(mode, given)
    try:
        ask = _ask(given)
    except RequestError as error:
        raise in_tasks_words(error) from error
    _check_answer(mode, ask)
    options = {name: value for name, value in ask.body.items() if name != "messages"}
    fields = {**given, "options": options, "deadline_s": ask.deadline_s or timeout_s}
    if "messages" in given:
        fields["messages"] = ask.body["messages"]
    return CheckedTask(Task.model_validate(fields), ask)


def check_models(task: Task, caller: Caller, snapshot: FleetSnapshot) -> None:
    """Raise unless each model that the task names exists and the caller's key may use it.

    Raises:
        PermissionDenied, ModelNotFound: Not so; names the field. EngineUnavailable: No snapshot has come yet.
    """
    named = [] if is_policy(task.model) else [("model", task.model)]
    named += [(f"models[{place}]", name) for place, name in enumerate(task.models or ())]
    named += [] if task.judge is None else [("judge", task.judge)]
    for param, name in named:
        caller.check_model(name, param)
        if snapshot.find(name) is None:
            raise _unknown(param, name, caller, snapshot)


def in_tasks_words(error: E) -> E:
    """Return the error of a chat request with the field called as a task calls it."""
    param = error.context.get("param")
    if not isinstance(param, str):
        return error
    message = error.message
    if param.startswith(ROUTE):
        param = param.removeprefix("neuroforge.")
        message = message.replace(ROUTE, "route")
    elif param.partition(".")[0] in _OPTIONS:
        message = message.replace(f"'{param}'", f"'options.{param}'")
        param = f"options.{param}"
    return type(error)(message, **{**error.context, "param": param})


def _check_mode(mode: TaskMode, given: JsonObject) -> None:
    if mode == "parallel":
        if "prompts" not in given:
            raise RequestError("Missing required parameter: 'prompts' (mode 'parallel')", param="prompts")
    elif "messages" not in given:
        raise RequestError(f"Missing required parameter: 'messages' (mode {mode!r})", param="messages")
    elif "prompts" in given:
        raise RequestError(f"mode {mode!r} takes messages, and no prompts: those are for 'parallel'", param="prompts")
    for name, modes in _READERS.items():
        if mode not in modes and _is_told(given, name):
            readers = ", ".join(repr(one) for one in modes)
            raise UnsupportedParameter(f"'{name}' means nothing to mode {mode!r}, only to {readers}", param=name)


def _is_told(given: JsonObject, name: str) -> bool:
    """Whether the field has another value than its default."""
    return name in given and given[name] != Task.model_fields[name].default


def _check_judge(mode: TaskMode, given: JsonObject) -> None:
    by = ASSESSOR_FIELDS.get(mode)
    how = None if by is None else given.get(by)
    if how == "judge" and "judge" not in given:
        raise RequestError(f"Missing required parameter: 'judge' (the {by} is 'judge')", param="judge")
    if how != "judge" and "judge" in given:
        raise UnsupportedParameter("'judge' needs the scorer or the verifier 'judge' of its mode", param="judge")
    samples = mode != "cascade" or how in (None, "agreement")
    if not samples and _is_told(given, "n"):
        raise UnsupportedParameter("'n' means nothing here: only the verifier 'agreement' samples", param="n")


def _check_who(mode: TaskMode, given: JsonObject) -> None:
    names_one = not is_policy(given.get("model", "auto"))
    models = given.get("models")
    if models is not None and names_one:
        raise RequestError("'model' and 'models' both name who answers: give one of them", param="models")
    if models is not None and (given.get("route") or {}).get("candidates") is not None:
        raise RequestError("'models' and 'route.candidates' say the same: give one of them", param="route.candidates")
    if mode == "cascade" and (names_one or (models is not None and len(models) == 1)):
        raise UnsupportedParameter(
            "a cascade climbs from model to model: give several models, or a policy as model",
            param="model" if names_one else "models",
        )


def _ask(given: JsonObject) -> Ask:
    """The chat request that all calls of the task are made from."""
    own: dict[str, Any] = {"route": given.get("route"), "deadline_s": given.get("deadline_s")}
    longest: str = max(given.get("prompts") or [""], key=len)
    request = {
        **(given.get("options") or {}),
        "model": given.get("model", "auto"),
        "messages": given.get("messages") or [],
        "neuroforge": own,
    }
    ask = ask_chat(request)
    return replace(ask, n_characters=ask.n_characters + len(longest))


def _check_answer(mode: TaskMode, ask: Ask) -> None:
    for capability, modes in _UNHEARD.items():
        if mode in modes and capability in ask.field_by_capability:
            param = f"options.{ask.field_by_capability[capability]}"
            raise UnsupportedParameter(
                f"'{param}' cannot be honoured in mode {mode!r}, which deals in texts", param=param
            )


def _unknown(param: str, name: str, caller: Caller, snapshot: FleetSnapshot) -> NeuroForgeError:
    if not snapshot.models:
        return EngineUnavailable("the fleet has no model yet", retry_after_s=1.0)
    allowed = caller.allowed_models
    known = sorted(one.model_id for one in snapshot.models if allowed is None or one.model_id in allowed)
    return ModelNotFound(
        f"'{param}': the model {name!r} does not exist; known: {', '.join(known) or 'none'}",
        param=param,
        model_id=name,
        known=known,
    )
