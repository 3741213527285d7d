"""A request and the arm of a live test that answers it -> the request as the arm puts it."""

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import EngineRequest
from neuroforge.contracts.live_tests import LiveTestTag


def in_arms_words(request: EngineRequest, tag: LiveTestTag | None) -> EngineRequest:
    """Return the chat request with the arm's system message in the place of its own; without one the request itself."""
    if tag is None or tag.system is None:
        return request
    system: JsonObject = {"role": "system", "content": tag.system}
    others = [one for one in request.body.get("messages", ()) if one.get("role") not in ("system", "developer")]
    return EngineRequest(**{**dict(request), "body": {**request.body, "messages": [system, *others]}})
