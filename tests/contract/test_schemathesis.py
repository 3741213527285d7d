"""Generated requests against the gateway's own OpenAPI: never a 500, never a status that the document does not name.

Left out are the calls that would take the model away from the tests beside this one.
"""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.openapi import from_url

from tests.server import RunningServer

N_EXAMPLES = 20
TAKES_MODELS_AWAY = re.compile(r"/admin/v1/(apply|models/\{model_id\}/(load|unload|scale))")


@pytest.fixture(scope="module")
def headers(gateway: RunningServer) -> dict[str, str]:
    return {"authorization": f"Bearer {gateway.admin_key}"}


def operations_of(schema: Any) -> list[Any]:
    return [result.ok() for result in schema.get_all_operations()]


@pytest.fixture(scope="module")
def operations(root: str, headers: dict[str, str]) -> list[Any]:
    found = operations_of(from_url(f"{root}/openapi.json", headers=headers))
    return [one for one in found if not TAKES_MODELS_AWAY.fullmatch(one.path)]


def check(operation: Any, mode: GenerationMode, headers: dict[str, str]) -> None:
    """Send generated requests, right or wrong ones; AssertionError at an answer that the document does not name."""
    documented = operation.definition.raw["responses"].keys()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=N_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def answers_as_documented(case: Any) -> None:
        response = case.call(headers=headers)
        assert response.status_code != 500, f"{operation.label}: {response.text}"
        assert str(response.status_code) in documented, f"{operation.label}: {response.status_code} {response.text}"

    answers_as_documented()


def test_every_route_is_in_the_document(operations: list[Any]) -> None:
    routes = {operation.path for operation in operations}
    inference = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/models"}
    assert inference | {"/admin/v1/keys", "/admin/v1/audit", "/healthz", "/readyz", "/metrics"} <= routes


def test_no_right_request_makes_the_server_fail(operations: list[Any], headers: dict[str, str]) -> None:
    for operation in operations:
        check(operation, GenerationMode.POSITIVE, headers)


def test_no_wrong_request_makes_the_server_fail(operations: list[Any], headers: dict[str, str]) -> None:
    for operation in operations:
        if operation.body or operation.query:
            check(operation, GenerationMode.NEGATIVE, headers)
