from typing import Any

import orjson
import pytest

from neuroforge.contracts.base import JsonObject
from neuroforge.engines.failures import Answer, error_from_answer, error_from_envelope, safe_message
from neuroforge.errors import (
    ContextLengthExceeded,
    EngineError,
    EngineOverloaded,
    EngineTimeout,
    EngineUnavailable,
    NeuroForgeError,
    RequestError,
    UnsupportedParameter,
)

PROMPT = "The canary sings at 0451 behind the harbour wall."
BODY: JsonObject = {"messages": [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}]}


def answer(
    status: int, raw: bytes = b"", headers: dict[str, str] | None = None, elapsed_s: float = 0.1
) -> NeuroForgeError:
    return error_from_answer(Answer("small", status, headers or {}, raw, elapsed_s), BODY)


def envelope(**fields: Any) -> bytes:
    return orjson.dumps({"error": fields})


@pytest.mark.parametrize("status", [404, 502, 503, 504])
def test_a_proxy_without_envelope_means_nobody_is_there(status: int) -> None:
    error = answer(status, b"Path '/models/small' not found.")
    assert type(error) is EngineUnavailable


def test_a_missing_application_was_surely_not_reached() -> None:
    assert answer(404, b"no such route").context["may_have_begun"] is False


def test_a_connection_that_the_proxy_lost_may_have_begun() -> None:
    assert answer(502, b"<html>502</html>").context["may_have_begun"] is True


def test_429_carries_retry_after() -> None:
    error = answer(429, envelope(message="busy"), {"retry-after": "2.5"})
    assert isinstance(error, EngineOverloaded)
    assert error.context["retry_after_s"] == 2.5


def test_429_with_a_date_says_one_second() -> None:
    assert answer(429, b"", {"retry-after": "Sun, 22 Nov 2026 10:00:00 GMT"}).context["retry_after_s"] == 1.0


def test_a_bad_request_keeps_the_engines_words_and_field() -> None:
    error = answer(400, envelope(message="temperature must be below 2", param="temperature", code="bad"))
    assert type(error) is RequestError
    assert error.message == "temperature must be below 2"
    assert error.context["param"] == "temperature"


def test_an_unsupported_parameter_stays_one() -> None:
    error = answer(400, envelope(message="no logit_bias", param="logit_bias", code="unsupported_parameter"))
    assert type(error) is UnsupportedParameter


@pytest.mark.parametrize(
    ("fields", "n_prompt_tokens", "limit"),
    [
        ({"code": "context_length_exceeded", "message": "x", "n_prompt_tokens": 9, "context_length": 8}, 9, 8),
        ({"type": "exceed_context_size_error", "message": "x", "n_prompt_tokens": 5000, "n_ctx": 4096}, 5000, 4096),
        (
            {
                "message": "This model's maximum context length is 2048 tokens. However, you requested 16 output "
                "tokens and your prompt contains at least 2100 input tokens, for a total of at least 2116 tokens."
            },
            2100,
            2048,
        ),
    ],
)
def test_too_long_a_prompt_carries_both_numbers(fields: JsonObject, n_prompt_tokens: int, limit: int) -> None:
    error = answer(400, envelope(**fields))
    assert isinstance(error, ContextLengthExceeded)
    assert (error.context["n_prompt_tokens"], error.context["context_length"]) == (n_prompt_tokens, limit)
    assert error.message == f"small: the prompt has {n_prompt_tokens} tokens, the model's context holds {limit}"


def test_a_prompt_that_fits_without_its_answer_says_so() -> None:
    fields = {"code": "context_length_exceeded", "message": "x", "n_prompt_tokens": 7, "context_length": 8}
    assert "max_tokens asks for more than is left" in answer(400, envelope(**fields)).message


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_of_ours_is_not_the_callers_fault(status: int) -> None:
    error = answer(status, envelope(message="Incorrect API key provided: sk-secret"))
    assert type(error) is EngineError
    assert "sk-secret" not in error.message


def test_the_engines_own_deadline_is_a_timeout() -> None:
    assert isinstance(answer(504, envelope(message="late", code="deadline_exceeded")), EngineTimeout)


def test_a_crash_of_the_engine_is_an_engine_error() -> None:
    assert type(answer(500, b"Internal Server Error", {"date": "today"})) is EngineError


@pytest.mark.parametrize(("elapsed_s", "may_have_begun"), [(0.1, False), (3.5, False), (20.0, True)])
def test_the_fixed_500_of_haproxy_means_nobody_is_there(elapsed_s: float, may_have_begun: bool) -> None:
    error = answer(500, b"Internal Server Error", {"Content-Type": "text/plain"}, elapsed_s)
    assert type(error) is EngineUnavailable
    assert error.context["may_have_begun"] is may_have_begun


@pytest.mark.parametrize(
    "raw", [b'{"error":"model not loaded"}', b'{"object":"error","message":"model not loaded","code":503}']
)
def test_relatives_of_the_envelope_are_understood(raw: bytes) -> None:
    assert "model not loaded" in answer(503, raw).message


@pytest.mark.parametrize(
    "message",
    [
        f"cannot parse: {PROMPT}",
        "1 validation error: input_value='The canary sings at 0451 be...'",
    ],
)
def test_a_message_that_quotes_the_prompt_is_withheld(message: str) -> None:
    assert "canary" not in safe_message(message, BODY)


def test_a_short_prompt_is_withheld_too() -> None:
    assert "0451" not in safe_message("got '0451'", {"prompt": "0451"})


def test_an_error_event_without_message_says_so() -> None:
    assert "no reason" in error_from_envelope("small", 500, {}, BODY).message
