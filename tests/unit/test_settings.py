import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.models import EngineKind
from neuroforge.errors import ConfigError
from neuroforge.settings import (
    DEFAULT_MODELS,
    GatewaySettings,
    Settings,
    find_config,
    load_settings,
    settings_from_tree,
)

NO_VARIABLES: dict[str, str] = {}


def written(directory: Path, text: str) -> Path:
    path = directory / "neuroforge.yaml"
    path.write_text(text)
    return path


def problems_of(tree: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings_from_tree(tree, source="test")
    found: list[str] = caught.value.context["problems"]
    return found


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings(environ={"NEUROFORGE_HOME": str(tmp_path)})
    assert settings.models == DEFAULT_MODELS
    assert settings.gateway.port == 8000
    assert settings.storage.sql_url == f"sqlite:///{tmp_path}/neuroforge.db"


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert load_settings(written(tmp_path, "# nothing\n"), NO_VARIABLES).models == DEFAULT_MODELS


def test_the_file_wins_over_defaults_and_a_variable_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "gateway: {port: 8100, replicas: 2}")
    settings = load_settings(path, {"NEUROFORGE_GATEWAY__PORT": "8200"})
    assert (settings.gateway.port, settings.gateway.replicas) == (8200, 2)


def test_the_home_variable_wins_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "storage: {home: /somewhere}")
    assert load_settings(path, {"NEUROFORGE_HOME": str(tmp_path)}).storage.home == tmp_path
    both = {"NEUROFORGE_HOME": "/a", "NEUROFORGE_STORAGE__HOME": "/b"}
    assert load_settings(path, both).storage.home == Path("/b")


def test_a_variables_value_is_yaml(tmp_path: Path) -> None:
    environ = {"NEUROFORGE_GATEWAY__CORS_ORIGINS": "[http://a, http://b]", "NEUROFORGE_GATEWAY__LOAD_TIMEOUT": "2m"}
    gateway = load_settings(written(tmp_path, ""), environ).gateway
    assert (gateway.cors_origins, gateway.load_timeout) == (("http://a", "http://b"), 120.0)


def test_variables_for_clients_are_not_settings(tmp_path: Path) -> None:
    load_settings(written(tmp_path, ""), {"NEUROFORGE_URL": "http://x", "NEUROFORGE_API_KEY": "nf-x"})


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"NEUROFORGE_GATWAY__PORT: gatway: unknown key; did you mean 'gateway'"):
        load_settings(environ={"NEUROFORGE_HOME": str(tmp_path), "NEUROFORGE_GATWAY__PORT": "1"})
    with pytest.raises(ConfigError, match="NEUROFORGE_GATEWAY__PORT: not a YAML value"):
        load_settings(written(tmp_path, ""), {"NEUROFORGE_GATEWAY__PORT": "[1"})
    with pytest.raises(ConfigError, match="models: must be a mapping"):
        load_settings(written(tmp_path, "models: [{id: a}]"), {"NEUROFORGE_MODELS__ID": "b"})


@pytest.mark.parametrize(
    ("tree", "problem"),
    [
        ({"modles": []}, "modles: unknown key; did you mean 'models'?"),
        ({"gateway": {"prot": 1}}, "gateway.prot: unknown key; did you mean 'port'?"),
        ({"models": [{"id": "a", "engin": "vllm"}]}, "models[0].engin: unknown key; did you mean 'engine'?"),
        (
            {"models": [{"id": "a", "engine": "openai_http", "upstream": {"base_url": "http://x/v1", "modle": "b"}}]},
            "models[0].upstream.modle: unknown key; did you mean 'model'?",
        ),
        ({"models": [{"id": "a", "price": {"inptu_usd_per_million": 1}}]}, "input_usd_per_million"),
        ({"router": {"zzz": 1}}, "router.zzz: unknown key; valid names: embedder"),
        ({"gateway": {"port": 99999}}, "gateway.port: Input should be less than or equal to 65535 (got 99999)"),
        ({"gateway": {"port": "x"}}, "gateway.port: "),
        ({"gateway": 5}, "gateway: must be a mapping (got 5)"),
        ({"models": {"id": "a"}}, "models: must be a list"),
        ({"models": [{}]}, "models[0].id: is required"),
        ({"models": [{"id": "a/b"}]}, "models[0].id: "),
        ({"models": [{"id": "a"}, {"id": "a"}]}, "models: model id 'a' stands twice"),
        ({"models": [{"id": "a", "engine": "vlm"}]}, "models[0].engine: Input should be 'llamacpp', 'vllm' or"),
        ({"models": [{"id": "a", "path": "x", "asset": "y"}]}, "models[0]: give one of asset, path and upstream"),
        ({"models": [{"id": "a", "keep_alive": "3 weeks"}]}, "models[0].keep_alive: '3 weeks' is not a duration"),
        ({"models": [{"id": "a", "replicas": {"min": 2, "max": 1}}]}, "models[0].replicas: min 2 is above max 1"),
        ({"models": [{"id": "a", "price": {"input_usd_per_million": float("nan")}}]}, "finite number"),
    ],
)
def test_a_wrong_setting_is_named_by_its_path(tree: dict[str, Any], problem: str) -> None:
    assert problem in problems_of(tree)[0]


def test_every_problem_is_told_at_once() -> None:
    assert len(problems_of({"gateway": {"port": 0, "hots": "x"}, "ray": {"num_cpus": 0}})) == 3


def test_no_problem_shows_a_secret() -> None:
    tree = {
        "storage": {"database_url": ["postgresql://u:hunter2@x/y"]},
        "models": [
            {"id": "a", "engine": "openai_http", "upstream": {"base_url": "ftp://u:hunter2@x"}},
            {"id": "b", "engine_options": "hunter2" * 20},
        ],
    }
    assert "hunter2" not in "".join(problems_of(tree))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not valid YAML"),
        ("- a\n", "the top level must be a mapping"),
        ("gateway: {port: 1, port: 2}\n", r"port stands twice \(in the part that begins on line 1\)"),
        ("models:\n- id: a\n  id: b\n", r"id stands twice \(in the part that begins on line 2\)"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings(written(tmp_path, text), NO_VARIABLES)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file"):
        load_settings(tmp_path / "none.yaml", NO_VARIABLES)


def test_a_binary_file_is_not_yaml(tmp_path: Path) -> None:
    path = tmp_path / "neuroforge.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_settings(path, NO_VARIABLES)


def test_a_models_path_counts_from_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "models: [{id: a, path: m/a.gguf}, {id: b, path: /m/b.gguf}]")
    models = load_settings(path, NO_VARIABLES).models
    assert [one.path for one in models] == [f"{tmp_path}/m/a.gguf", "/m/b.gguf"]


def test_a_home_may_begin_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = written(tmp_path, "storage: {home: ~/state}\nmodels: [{id: a, path: ~/a.gguf}]")
    settings = load_settings(path, NO_VARIABLES)
    assert settings.storage.home == tmp_path / "state"
    assert settings.models[0].path == f"{tmp_path}/a.gguf"


def test_the_first_file_of_the_usual_places_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    home.mkdir()
    monkeypatch.chdir(here)
    environ = {"NEUROFORGE_HOME": str(home)}
    assert find_config(environ) is None
    written(home, "")
    assert find_config(environ) == home / "neuroforge.yaml"
    written(here, "")
    assert find_config(environ) == Path("neuroforge.yaml")
    assert find_config({**environ, "NEUROFORGE_CONFIG": "/named.yaml"}) == Path("/named.yaml")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_hosts_need_no_keys(host: str) -> None:
    assert GatewaySettings(host=host).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.2", "example.org", ""])
def test_any_other_host_counts_as_reachable(host: str) -> None:
    assert not GatewaySettings(host=host).is_loopback


def test_an_upstream_needs_its_engine() -> None:
    tree = {"models": [{"id": "a", "upstream": {"base_url": "http://127.0.0.1:11434/v1"}}]}
    assert problems_of(tree) == ["models[0]: engine openai_http and upstream need each other"]
    tree["models"][0]["engine"] = "openai_http"
    assert settings_from_tree(tree, "test").models[0].engine is EngineKind.OPENAI_HTTP


def test_settings_survive_json() -> None:
    settings = Settings.model_validate({"models": [{"id": "a", "keep_alive": "10m"}], "auth": {"require_keys": True}})
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
section_names = st.sampled_from(["models", "gateway", "router", "storage", "auth", "ray", "other"])


@given(st.dictionaries(section_names, json_values, max_size=4))
def test_any_tree_is_settings_or_a_config_error(tree: dict[str, Any]) -> None:
    with contextlib.suppress(ConfigError):
        settings_from_tree(tree, source="test")


def test_a_routers_fit_counts_from_the_files_directory(tmp_path: Path) -> None:
    path = written(tmp_path, "router: {fit: fits/mine, retention: 12h, half_life: 2d, record: none}")
    router = load_settings(path, NO_VARIABLES).router
    assert (router.fit, router.retention, router.half_life) == (tmp_path / "fits" / "mine", 43_200.0, 172_800.0)
    assert router.record == "none"


def test_outcomes_have_a_file_of_their_own_but_share_a_server(tmp_path: Path) -> None:
    assert (
        load_settings(environ={"NEUROFORGE_HOME": str(tmp_path)}).storage.outcomes_url
        == f"sqlite:///{tmp_path}/outcomes.db"
    )
    url = "postgresql://user:password@host:5432/database"
    assert settings_from_tree({"storage": {"database_url": url}}, source="test").storage.outcomes_url == url


@pytest.mark.parametrize(
    ("tree", "named"),
    [
        ({"record": "everything"}, "router.record"),
        ({"holdout_share": 0.6}, "router.holdout_share"),
        ({"retention": "soon"}, "router.retention"),
        ({"seed": -1}, "router.seed"),
        ({"explore": "perhaps"}, "router.explore"),
    ],
)
def test_a_wrong_router_setting_is_named(tree: dict[str, Any], named: str) -> None:
    assert problems_of({"router": tree})[0].startswith(named)
