"""Where a model answers and what it can do."""

from cluster.describe import describe_model
from neuroforge.contracts.models import ModelSpec, ModelState

UPSTREAM = {
    "id": "big",
    "engine": "openai_http",
    "upstream": {"base_url": "http://10.0.0.1:8000/v1/", "model": "big-70b"},
}


def test_our_own_model_answers_under_its_prefix_on_the_gateways_port() -> None:
    endpoint = describe_model(ModelSpec(id="a.b-1"), ModelState.READY, port=9000, environ={})
    assert endpoint.base_url == "http://127.0.0.1:9000/models/a.b-1/v1"
    assert (endpoint.served_name, endpoint.api_key) == ("a.b-1", None)


def test_an_upstream_is_called_by_its_own_name_and_address() -> None:
    endpoint = describe_model(ModelSpec.model_validate(UPSTREAM), ModelState.READY, port=9000, environ={})
    assert (endpoint.base_url, endpoint.served_name) == ("http://10.0.0.1:8000/v1", "big-70b")


def test_an_upstreams_key_comes_from_the_environment() -> None:
    spec = ModelSpec.model_validate({**UPSTREAM, "upstream": {**UPSTREAM["upstream"], "api_key_env": "BIG_KEY"}})  # type: ignore[dict-item]
    assert describe_model(spec, ModelState.READY, 9000, {"BIG_KEY": "s3cret"}).api_key == "s3cret"
    missing = describe_model(spec, ModelState.READY, 9000, {})
    assert (missing.state, missing.error) == (ModelState.FAILED, "environment variable BIG_KEY is not set")


def test_the_users_capabilities_only_narrow() -> None:
    spec = ModelSpec(id="a", capabilities=("chat",))
    assert describe_model(spec, ModelState.READY, 9000, {}).capabilities == {"chat"}
