import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge import errors
from neuroforge.client.events import EventReader
from neuroforge.client.failures import error_from_response
from tests.unit.loopback import envelope


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "context_length_exceeded", errors.ContextLengthExceeded),
        (401, "invalid_api_key", errors.AuthenticationError),
        (404, "model_not_found", errors.ModelNotFound),
        (429, "rate_limit_exceeded", errors.RateLimited),
        (503, "model_unavailable", errors.EngineUnavailable),
        (507, "out_of_memory", errors.OutOfMemory),
        (418, "something_new", errors.NeuroForgeError),
        (404, "something_new", errors.NotFound),
    ],
)
def test_errors_come_back_as_their_class(status: int, code: str, kind: type[errors.NeuroForgeError]) -> None:
    body = json.dumps(envelope(code, n_prompt_tokens=9)).encode()
    found = error_from_response(status, {"X-Request-Id": "r7"}, body)
    assert type(found) is kind
    assert found.context == {"http_status": status, "request_id": "r7", "n_prompt_tokens": 9}


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_proxys_own_page_means_that_the_gateway_is_away(status: int) -> None:
    assert type(error_from_response(status, {}, b"Internal Server Error")) is errors.EngineUnavailable


def test_another_page_keeps_its_status() -> None:
    found = error_from_response(404, {}, b"<html>not here</html>")
    assert (type(found), found.context) == (errors.NotFound, {"http_status": 404})


@given(st.integers(300, 599), st.binary(max_size=60))
def test_any_body_becomes_an_error(status: int, body: bytes) -> None:
    assert isinstance(error_from_response(status, {}, body), errors.NeuroForgeError)


@given(st.dictionaries(st.text(max_size=8), st.none() | st.text() | st.integers(), max_size=5))
def test_any_envelope_becomes_an_error(fields: dict[str, Any]) -> None:
    body = json.dumps({"error": fields}).encode()
    assert isinstance(error_from_response(500, {}, body), errors.NeuroForgeError)


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_any_lines_are_events_or_our_errors(lines: list[bytes]) -> None:
    reader = EventReader()
    for line in lines:
        try:
            reader.feed(b"data:" + line)
        except errors.NeuroForgeError:
            return
