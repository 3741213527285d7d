"""ModelSpec -> Serve application: the only caller of serve.run and serve.delete."""

import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path

import psutil
import ray
from ray import serve
from ray.serve.schema import ApplicationStatus, ApplicationStatusOverview

from cluster.deployments import build_llamacpp_application
from cluster.fleet_diff import SOFT_FIELDS
from cluster.fleet_model import Observed
from cluster.vllm import build_vllm_application
from cluster.weights import model_facts
from neuroforge.assets.memory import check_fits
from neuroforge.assets.store import AssetStore
from neuroforge.contracts.models import EngineKind, ModelSpec, ModelState

APP_PREFIX = "model-"
_STATE_BY_STATUS = {
    ApplicationStatus.NOT_STARTED: ModelState.LOADING,
    ApplicationStatus.DEPLOYING: ModelState.LOADING,
    ApplicationStatus.RUNNING: ModelState.READY,
    ApplicationStatus.UNHEALTHY: ModelState.LOADING,
    ApplicationStatus.DEPLOY_FAILED: ModelState.FAILED,
    ApplicationStatus.DELETING: ModelState.UNLOADING,
}

Builder = Callable[[ModelSpec, str], serve.Application]
"""(spec, version of its code and settings) -> application."""


class ServeApplications:
    """The Deployer on Ray Serve."""

    def __init__(self, home: Path, builders: dict[EngineKind, Builder]) -> None:
        self._home = home
        self._builders = builders
        self._upstreams: set[str] = set()
        self._versions: dict[str, str] = {}

    def deploy(self, spec: ModelSpec) -> None:
        """Create or update the application; Serve starts its replicas in the background."""
        if spec.engine == EngineKind.OPENAI_HTTP:
            self._upstreams.add(spec.id)
            return
        version = self._versions[spec.id] = self._version(spec)
        application = self._builders[spec.engine](spec, version)
        target = serve.RunTarget(target=application, name=APP_PREFIX + spec.id, route_prefix=f"/models/{spec.id}")
        serve.run_many([target], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)

    def delete(self, model_id: str) -> None:
        """Remove the application; its replicas finish what they are at."""
        if model_id in self._upstreams:
            self._upstreams.discard(model_id)
            return
        serve.delete(APP_PREFIX + model_id, _blocking=False)

    def observe(self) -> dict[str, Observed]:
        """Every model application there is, and every upstream that is switched on."""
        seen = {model_id: Observed(ModelState.READY, n_replicas=1) for model_id in self._upstreams}
        for name, overview in serve.status().applications.items():
            if name.startswith(APP_PREFIX):
                seen[name.removeprefix(APP_PREFIX)] = observed(overview)
        return seen

    def check(self, spec: ModelSpec) -> None:
        """Refuse what cannot work before anything is started.

        Raises:
            ConfigError: A path that is not there.
            AssetError: Weights that cannot be had.
            DataError: A file that is not a model.
            OutOfMemory: Single node only; with more, the replica checks where it was placed.
        """
        if spec.engine == EngineKind.OPENAI_HTTP:
            return
        store = AssetStore(self._home)
        if spec.asset_name is not None and not store.status(spec.asset_name).is_present:
            return  # the replica fetches it, which may take minutes, and checks its memory then
        facts = model_facts(store, spec)
        is_single_node = sum(bool(node["Alive"]) for node in ray.nodes()) == 1
        if is_single_node and spec.gpus == 0:
            check_fits(spec, facts, free_bytes=psutil.virtual_memory().available)

    def _version(self, spec: ModelSpec) -> str:
        """The same as long as only the number of replicas changes, so that Serve keeps those that run.

        A model that does not answer gets a new one, or Serve would see no reason to try again.
        """
        kept = spec.model_dump_json(exclude={"replicas", *SOFT_FIELDS})
        digest = hashlib.sha256(kept.encode()).hexdigest()[:16]
        known = self._versions.get(spec.id, "")
        seen = self.observe().get(spec.id)
        if known.startswith(digest) and seen is not None and seen.state == ModelState.READY:
            return known
        return f"{digest}-{secrets.token_hex(4)}"


def observed(overview: ApplicationStatusOverview) -> Observed:
    """Return the model's state: ready as long as one replica answers, whatever the others do."""
    n_running = sum(one.replica_states.get("RUNNING", 0) for one in overview.deployments.values())
    state = _STATE_BY_STATUS[overview.status]
    if state != ModelState.UNLOADING and n_running > 0:
        state = ModelState.READY
    elif state == ModelState.READY:
        state = ModelState.LOADING
    return Observed(state, n_replicas=n_running, message=_last_words(overview))


def _last_words(overview: ApplicationStatusOverview) -> str | None:
    """The last line of what Serve says of the deployment, quoting the replica, else of the application."""
    texts = [one.message for one in overview.deployments.values() if one.message.strip()] or [overview.message]
    lines = texts[0].strip().splitlines()
    return lines[-1][:500] if lines else None


def default_builders(home: Path, drain_timeout_s: float, n_models: int) -> dict[EngineKind, Builder]:
    """Return how each kind of engine becomes an application; `n_models` share a machine's cores."""

    def build_llamacpp(spec: ModelSpec, version: str) -> serve.Application:
        return build_llamacpp_application(spec, version, home, drain_timeout_s, n_models)

    def build_vllm(spec: ModelSpec, version: str) -> serve.Application:
        return build_vllm_application(spec, version, home, drain_timeout_s, n_models)

    return {EngineKind.LLAMACPP: build_llamacpp, EngineKind.VLLM: build_vllm}
