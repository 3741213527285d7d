"""A chat request that names a prompt -> the same request with the prompt's messages, models and decoding.

Which messages come where (docs/decisions/145): the last user message is the variable `query`, unless that is given or
not needed; what stands before it follows the prompt's system message, what stands after it the prompt. Else the
request's messages go on where the prompt ends.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.ports import FleetView, Metrics
from neuroforge.contracts.prompt_serving import MODEL_PREFIX, PromptAlias, read_reference
from neuroforge.contracts.prompts import PromptReference
from neuroforge.contracts.routing import PromptShadow, PromptTag
from neuroforge.errors import ModelNotFound, NeuroForgeError, RequestError, UnsupportedParameter
from neuroforge.gateway.ask import Ask
from neuroforge.gateway.chat import ask_chat
from neuroforge.gateway.policy import AUTO, is_policy
from neuroforge.gateway.prompts import PROMPT, QUERY, VARIABLES, PromptShelf, Served

LEFT_OUT = "neuroforge_prompt_shadows_left_out_total"
"""Counter: shadows that could not be put with the request's variables, by prompt and version."""
_SYSTEM = ("system", "developer")
_OF_ANY_ANSWER = ("messages", "stream_options")
_OF_WRITING = ("temperature", "top_p", "max_tokens", "stop", "seed", "frequency_penalty", "presence_penalty")
"""Fields that clients send as a habit, and that mean nothing where the most probable label is the answer."""


class Named(NamedTuple):
    """What a request says of a prompt."""

    reference: PromptReference
    param: str
    """The field that names it."""
    model: str
    """Who shall answer."""


@dataclass(frozen=True)
class Prompting:
    """Puts requests in the words of the prompts that they name."""

    shelf: PromptShelf
    fleet: FleetView
    metrics: Metrics
    rng: random.Random

    def ask(self, request: JsonObject) -> Ask:
        """Return what a checked chat request wants, whether or not it names a prompt.

        Raises:
            RequestError: No messages where they are needed; a variable is missing or unknown; as `ask_chat`.
            UnsupportedParameter: The prompt answers with a label, and the request wants another kind of answer.
            NotFound: The prompt, its alias or version does not exist; ModelNotFound: nor does a model it was proven on.
        """
        named = _named(request)
        if named is None:
            _check_messages(request)
            return ask_chat(request)
        served, alias = self.shelf.find(named.reference, named.param)
        ask = self._ask(request, named, served)
        release = served.release
        tag = PromptTag(name=release.name, version=release.version)
        return replace(ask, prompt=tag, shadow=self._shadow(request, named, alias), verbalizer=release.verbalizer)

    def _ask(self, request: JsonObject, named: Named, served: Served) -> Ask:
        ask = ask_chat(self._put(request, named, served))
        labels = served.release.label_words
        if not labels:
            return ask
        for name in ask.body:
            if name not in (*_OF_ANY_ANSWER, *_OF_WRITING):
                told = f"{served.label} answers with the most probable of its labels: leave {name!r} out"
                raise UnsupportedParameter(told, param=name)
        needed = {name: field for name, field in ask.field_by_capability.items() if field not in _OF_WRITING}
        body = {name: value for name, value in ask.body.items() if name not in _OF_WRITING}
        return replace(ask, body=body, labels=labels, field_by_capability={**needed, "label_logprobs": "model"})

    def _put(self, request: JsonObject, named: Named, served: Served) -> JsonObject:
        messages = _conversation(served, named.reference.variables, request.get("messages") or [])
        changed = {**request, **_decoding(request, served), "model": named.model, "messages": messages}
        options = {name: value for name, value in (request.get("neuroforge") or {}).items() if name != "prompt"}
        route: JsonObject = options.get("route") or {}
        if is_policy(named.model) and served.release.models and route.get("candidates") is None:
            options["route"] = {**route, "candidates": self._proven(served)}
        return {**changed, "neuroforge": options}

    def _proven(self, served: Served) -> list[str]:
        """The models that it was proven on, as far as the fleet has them."""
        models, hosted = served.release.models, {one.model_id for one in self.fleet.snapshot.models}
        found = [one for one in models if one in hosted]
        if not found:
            raise ModelNotFound(
                f"{served.label} was proven on {', '.join(models)}, which this fleet does not have; name another model "
                f"in `model`, and the prompt in {PROMPT}",
                param="model",
                known=sorted(hosted),
            )
        return found

    def _shadow(self, request: JsonObject, named: Named, alias: PromptAlias | None) -> PromptShadow | None:
        """The request as the alias's shadow puts it, for its share of the requests."""
        if alias is None or alias.shadow_version is None or self.rng.random() >= alias.shadow_share:
            return None
        tag = PromptTag(name=alias.name, version=alias.shadow_version, is_shadow=True)
        try:
            ask = self._ask(request, named, self.shelf.served(tag.name, tag.version))
        except NeuroForgeError:  # what answers is not to fail because what nobody sees would
            self.metrics.count(LEFT_OUT, tags={"prompt": tag.name, "version": str(tag.version)})
            return None
        return PromptShadow(tag=tag, body=ask.body, models=ask.options.candidates or (), labels=ask.labels)


def _named(request: JsonObject) -> Named | None:
    """Return what the request says of a prompt; None = nothing.

    Raises:
        RequestError: It names none, or two.
    """
    given: JsonObject | None = (request.get("neuroforge") or {}).get("prompt")
    model: str = request["model"]
    values = {name: value for name, value in (given or {}).items() if value is not None}
    if not model.startswith(MODEL_PREFIX):
        if given is None:
            return None
        if "name" not in values:
            raise RequestError(f"Missing required parameter: '{PROMPT}.name'", param=f"{PROMPT}.name")
        if "alias" in values and "version" in values:
            raise RequestError(f"give one of alias and version in {PROMPT}", param=f"{PROMPT}.version")
        return Named(PromptReference(**values), f"{PROMPT}.name", model)
    reference = read_reference(model.removeprefix(MODEL_PREFIX), "model")
    for name in ("name", "alias", "version"):
        if name in values and values[name] != getattr(reference, name):
            told = f"the model {model!r} names the prompt already: {PROMPT} may bring its variables only"
            raise RequestError(told, param=f"{PROMPT}.{name}")
    return Named(PromptReference(**{**dict(reference), "variables": values.get("variables", {})}), "model", AUTO)


def _check_messages(request: JsonObject) -> None:
    messages = request.get("messages")
    if messages is None:
        raise RequestError("Missing required parameter: 'messages'", param="messages")
    if not messages:
        raise RequestError("Invalid value for 'messages': it needs at least one message", param="messages")


def _conversation(
    served: Served, variables: Mapping[str, str | int | float | bool], messages: list[JsonObject]
) -> list[JsonObject]:
    system = [one for one in messages if one["role"] in _SYSTEM]
    if system and served.has_system:
        raise RequestError(f"{served.label} brings the system message: leave yours out", param="messages")
    turns = [one for one in messages if one["role"] not in _SYSTEM]
    before: list[JsonObject] = []
    if QUERY in served.release.variables and QUERY not in variables:
        place = next((at for at in reversed(range(len(turns))) if turns[at]["role"] == "user"), None)
        if place is not None:
            variables = {**variables, QUERY: _text_of(turns[place], served)}
            before, turns = turns[:place], turns[place + 1 :]
    rendered = served.render(variables)
    n_system = int(served.has_system)
    return [*system, *rendered[:n_system], *before, *rendered[n_system:], *turns]


def _text_of(message: JsonObject, served: Served) -> str:
    content: Any = message["content"]
    if isinstance(content, str):
        return content
    if all(part["type"] == "text" for part in content):
        return "".join(part["text"] for part in content)
    raise RequestError(
        f"the last user message is the variable {QUERY!r} of {served.label}, so it must be text; or give {VARIABLES}",
        param="messages",
    )


def _decoding(request: JsonObject, served: Served) -> JsonObject:
    """What the release says of decoding and the request does not. Not the seed: it is the measurement's."""
    wanted = served.release.decoding
    if wanted is None:
        return {}
    defaults = {"temperature": wanted.temperature, "top_p": wanted.top_p, "stop": list(wanted.stop) or None}
    if request.get("max_completion_tokens") is None:
        defaults["max_tokens"] = wanted.max_tokens
    return {name: value for name, value in defaults.items() if value is not None and request.get(name) is None}
