"""One frozen settings tree, from neuroforge.yaml and the environment. Read by cluster/ and jobs/ only.

Order, later wins: defaults here, the file, `$NEUROFORGE_HOME` (storage.home), `NEUROFORGE_<SECTION>__<KEY>` in the
environment (its value is YAML: `NEUROFORGE_GATEWAY__PORT=9000`). The file is the first that exists of `--config`,
`$NEUROFORGE_CONFIG`, ./neuroforge.yaml, `$NEUROFORGE_HOME`/neuroforge.yaml. A model's relative `path` counts from it.
"""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs
import yaml
from pydantic import Field, ValidationError, field_validator

from neuroforge.contracts.base import Contract
from neuroforge.contracts.durations import Duration
from neuroforge.contracts.models import ModelSpec
from neuroforge.contracts.outcomes import RecordLevel
from neuroforge.errors import ConfigError
from neuroforge.settings_errors import explain
from neuroforge.settings_orchestrator import OrchestratorSettings

ENVIRONMENT_PREFIX = "NEUROFORGE_"
DEFAULT_MODELS: tuple[ModelSpec, ...] = (
    ModelSpec(id="smollm2-135m-instruct", tags=("small", "fast")),
    ModelSpec(id="qwen2.5-coder-0.5b-instruct", tags=("small", "code")),
)


class GatewaySettings(Contract):
    """The OpenAI-compatible endpoint."""

    host: str = "127.0.0.1"
    """Any bind beyond loopback demands API keys."""
    port: int = Field(default=8000, ge=1, le=65535)
    cors_origins: tuple[str, ...] = ()
    """Browser origins that may call, such as http://localhost:3000; "*" = all."""
    request_timeout: Duration = 600.0
    """Deadline of a request that brings none of its own."""
    load_timeout: Duration = 300.0
    """How long a request waits for its model to load."""
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)
    replicas: int = Field(default=1, ge=1)
    cpus: float = Field(default=0.2, ge=0)
    """Ray CPUs a gateway replica reserves (a budget, not a limit)."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class RouterSettings(Contract):
    """Model selection for `model: "auto"`."""

    embedder: str = "potion-base-8m"
    """Asset that turns text into features; fetched at the first start so that routing works offline."""
    record: RecordLevel = "stats"
    """What is kept of each request; embeddings are not anonymous (texts can be reconstructed from them in part)."""
    retention: Duration = 30 * 86400.0
    """How long outcomes and feedback are kept."""
    explore: bool = True
    """False = always the best by prediction, until rules are applied that say otherwise."""
    holdout_share: float = Field(default=0.05, ge=0, le=0.5)
    """Of the traffic goes to the best single model, until rules are applied that say otherwise."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """With request id and router version it decides every draw."""
    fit: Path | None = None
    """Router directory made by `neuroforge router fit`, applied at each start; None = the one applied last."""
    half_life: Duration = 7 * 86400.0
    """After so long an outcome counts half in the online correction."""

    @field_validator("fit")
    @classmethod
    def _is_absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()


class StorageSettings(Contract):
    """Where state lives."""

    home: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("neuroforge")))
    database_url: str | None = None
    """SQLAlchemy URL of a PostgreSQL database; None = SQLite in `home`."""
    objects_url: str | None = Field(default=None, pattern=r"^(file:///|s3://[^/@]+)")
    """Where results go as files: s3://bucket/prefix or file:///directory; None = `home`."""

    @field_validator("home")
    @classmethod
    def _is_absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def sql_url(self) -> str:
        """The URL that is really used."""
        return self.database_url or f"sqlite:///{self.home / 'neuroforge.db'}"

    @property
    def outcomes_url(self) -> str:
        """Where outcomes live: a file of their own, for it has a writer of its own and is purged."""
        return self.database_url or f"sqlite:///{self.home / 'outcomes.db'}"


class ExperimentSettings(Contract):
    """Experiments and optimisations of prompts on the server."""

    max_running: int = Field(default=1, ge=1, le=64)
    """At once, of both kinds together; more wait in a queue."""


class TrackingSettings(Contract):
    """MLflow: one run an experiment."""

    enabled: bool = True
    url: str | None = Field(default=None, min_length=1)
    """An MLflow server (http://host:5000) or database URL; None = SQLite in `home`, in a database of its own."""


class AuthSettings(Contract):
    """Who may call."""

    require_keys: bool = False
    """Demand a key even on loopback."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """For keys without a limit of their own; None = no limit."""
    tokens_per_minute: int | None = Field(default=None, ge=1)


class RaySettings(Contract):
    """The cluster underneath."""

    address: str | None = None
    """A running cluster (`auto` or host:port); None = start one on this machine."""
    dashboard_port: int = Field(default=8265, ge=1, le=65535)
    num_cpus: int | None = Field(default=None, ge=1)
    """CPUs that Ray may plan with; None = all of this machine."""


class Settings(Contract):
    """The whole tree."""

    models: tuple[ModelSpec, ...] = DEFAULT_MODELS
    gateway: GatewaySettings = GatewaySettings()
    router: RouterSettings = RouterSettings()
    orchestrator: OrchestratorSettings = OrchestratorSettings()
    storage: StorageSettings = Field(default_factory=StorageSettings)
    experiments: ExperimentSettings = ExperimentSettings()
    tracking: TrackingSettings = TrackingSettings()
    auth: AuthSettings = AuthSettings()
    ray: RaySettings = RaySettings()

    @field_validator("models")
    @classmethod
    def _has_unique_ids(cls, models: tuple[ModelSpec, ...]) -> tuple[ModelSpec, ...]:
        ids = [model.id for model in models]
        repeated = sorted({one for one in ids if ids.count(one) > 1})
        if repeated:
            raise ValueError(f"model id {repeated[0]!r} stands twice")
        return models


def load_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the file and the environment into one tree.

    Args:
        path: The file to read; None = the first that exists of the usual places, else none.
        environ: None = the process's own.
    Raises:
        ConfigError: The file is missing or not YAML, a key is unknown (names the nearest) or has a wrong value.
    """
    environ = os.environ if environ is None else environ
    found = path or find_config(environ)
    tree = read_tree(found) if found is not None else {}
    if found is not None:
        _anchor_paths(tree, found.absolute().parent)
    variables = _merge_environment(tree, environ)
    return settings_from_tree(tree, source=", ".join([*([str(found)] if found else []), *variables]) or "defaults")


def settings_from_tree(tree: Mapping[str, Any], source: str) -> Settings:
    """Check a decoded tree.

    Raises:
        ConfigError: Every problem, one a line, each with the path of its key.
    """
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        lines = [explain(problem, Settings) for problem in error.errors(include_url=False)]
        raise ConfigError(f"{source}: " + "; ".join(lines), problems=lines, source=source) from error


def find_config(environ: Mapping[str, str]) -> Path | None:
    """Return the file that would be read, or None when there is none."""
    if named := environ.get("NEUROFORGE_CONFIG"):
        return Path(named).expanduser()
    home = Path(environ.get("NEUROFORGE_HOME") or platformdirs.user_data_dir("neuroforge"))
    return next((one for one in (Path("neuroforge.yaml"), home / "neuroforge.yaml") if one.is_file()), None)


def read_tree(path: Path) -> dict[str, Any]:
    """Decode a settings file.

    Raises:
        ConfigError: It cannot be read, is not YAML, names a key twice or has no mapping at the top.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.safe_load(text)
        _refuse_repeated_keys(yaml.compose(text, Loader=yaml.SafeLoader), path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: the top level must be a mapping such as `models: [...]`")
    return tree


def _refuse_repeated_keys(node: yaml.Node | None, path: Path) -> None:
    # PyYAML keeps the last of two equal keys and says nothing: one of them would be ignored.
    if isinstance(node, yaml.MappingNode):
        names = [str(key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise ConfigError(
                f"{path}: {repeated} stands twice (in the part that begins on line {node.start_mark.line + 1})"
            )
        for _, value in node.value:
            _refuse_repeated_keys(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(item, path)


def _anchor_paths(tree: dict[str, Any], directory: Path) -> None:
    # A replica does not run in the directory that the file was written for.
    models = tree.get("models")
    for model in models if isinstance(models, list) else ():
        if isinstance(model, dict) and isinstance(model.get("path"), str):
            model["path"] = str(directory / Path(model["path"]).expanduser())
    router = tree.get("router")
    if isinstance(router, dict) and isinstance(router.get("fit"), str):
        router["fit"] = str(directory / Path(router["fit"]).expanduser())


def _merge_environment(tree: dict[str, Any], environ: Mapping[str, str]) -> list[str]:
    used = []
    if home := environ.get("NEUROFORGE_HOME"):
        _section(tree, "storage")["home"] = home
    for name, text in environ.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or "__" not in name:
            continue
        section, _, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
        try:
            _section(tree, section)[key] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"environment variable {name}: not a YAML value") from error
        used.append(name)
    return used


def _section(tree: dict[str, Any], name: str) -> dict[str, Any]:
    value = tree.setdefault(name, {})
    if value is None:
        value = tree[name] = {}
    if not isinstance(value, dict):
        raise ConfigError(f"{name}: must be a mapping")
    return value
