"""The head of a cluster in this process: start Ray and Serve, deploy the gateway, drain, stop."""

import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import ray
from ray import serve

from cluster.actors import get_fleet_actor, get_state_actor
from cluster.deployments import QUIET_LOGS, build_gateway_application, proxy_location
from cluster.experiments import end_experiments
from cluster.learner import get_learner_actor, save_learner
from cluster.names import GATEWAY_APP, NAMESPACE
from neuroforge.contracts.fleet import ApplyRequest, FleetDiff
from neuroforge.contracts.models import ModelState, ModelStatus
from neuroforge.errors import EngineUnavailable
from neuroforge.settings import Settings, load_settings

_POLL_S = 0.25


class Head:
    """One NeuroForge instance on a Ray cluster that is started here, or joined when settings name an address."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.owns_ray = settings.ray.address is None
        self.address: str | None = None
        self.dashboard_url: str | None = None
        self.session_dir: str | None = None

    def start(self) -> None:
        """Start or join Ray."""
        wanted = self._settings.ray
        if self.owns_ray:
            context = ray.init(
                address="local",  # None would join whatever cluster was last started on this machine
                num_cpus=wanted.num_cpus,
                include_dashboard=True,
                dashboard_host="127.0.0.1",
                dashboard_port=wanted.dashboard_port,
                namespace=NAMESPACE,
                log_to_driver=False,
                logging_level=logging.WARNING,
            )
        else:
            context = ray.init(address=wanted.address, namespace=NAMESPACE, log_to_driver=False)
        info = context.address_info
        self.address, self.session_dir = info.get("gcs_address") or info.get("address"), info.get("session_dir")
        self.dashboard_url = f"http://{context.dashboard_url}" if context.dashboard_url else None

    def deploy(self) -> None:
        """Start the proxy and the gateway; models follow by the fleet controller."""
        settings = self._settings
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        serve.start(
            proxy_location=proxy_location(settings),
            http_options={"host": settings.gateway.host, "port": settings.gateway.port},
            logging_config=QUIET_LOGS,
        )
        get_fleet_actor(settings).snapshot.remote()  # wakes the controller: models load while the gateway starts
        serve.run(build_gateway_application(settings), name=GATEWAY_APP, route_prefix="/", logging_config=QUIET_LOGS)

    def wait_ready(self, timeout_s: float, should_stop: Callable[[], bool]) -> list[str]:
        """Return when the gateway answers and every preloaded model does or has failed, or when told to stop.

        Returns:
            A line for each model that failed: the others serve on.
        Raises:
            EngineUnavailable: Not in time; names what is missing.
        """
        deadline_s = time.monotonic() + timeout_s
        missing = "the gateway does not answer"
        while time.monotonic() < deadline_s and not should_stop():
            is_ready, missing = self._ask_ready()
            if is_ready:
                return []
            if failed := self._failures_if_settled():
                return failed
            time.sleep(_POLL_S)
        if should_stop():
            return []
        raise EngineUnavailable(f"not ready after {timeout_s:.0f} s: {missing}; see: neuroforge logs")

    def _failures_if_settled(self) -> list[str]:
        statuses: tuple[ModelStatus, ...] = ray.get(get_fleet_actor(self._settings).statuses.remote())
        if any(one.state in {ModelState.LOADING, ModelState.UNLOADING} for one in statuses):
            return []
        return [f"{one.id} failed to load: {one.error}" for one in statuses if one.state == ModelState.FAILED]

    def apply_file(self, path: Path) -> str:
        """Reconcile the fleet with the file; return what changed, in words.

        Raises:
            ConfigError: The file cannot be used; nothing was changed.
        """
        models = load_settings(path).models
        actor = get_fleet_actor(self._settings)
        diff: FleetDiff = ray.get(actor.apply.remote(ApplyRequest(models=models)))
        if not diff.changes:
            return "configuration read again: the models did not change"
        return "applied: " + ", ".join(f"{change.kind} {change.model_id}" for change in diff.changes)

    def stop(self, drain_s: float, should_hurry: Callable[[], bool]) -> None:
        """Let streams finish for at most `drain_s`, then stop Serve and, if it was started here, Ray."""
        if not ray.is_initialized():
            return
        try:
            end_experiments(self._settings)  # they would keep calling, and the drain is for people
            serve.delete(GATEWAY_APP, _blocking=False)
            deadline_s = time.monotonic() + drain_s
            while time.monotonic() < deadline_s and not should_hurry() and GATEWAY_APP in serve.status().applications:
                time.sleep(_POLL_S)
            save_learner()
            if not self.owns_ray:
                serve.shutdown()
                for actor in (
                    get_fleet_actor(self._settings),
                    get_learner_actor(self._settings),
                    get_state_actor(self._settings),
                ):
                    ray.kill(actor)
        finally:
            ray.shutdown()

    def _ask_ready(self) -> tuple[bool, str]:
        host = "127.0.0.1" if not self._settings.gateway.is_loopback else self._settings.gateway.host
        url = f"http://{host}:{self._settings.gateway.port}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.status == 200, ""
        except urllib.error.HTTPError as error:
            return False, _reason(error)
        except OSError as error:
            return False, str(error)


def _reason(error: urllib.error.HTTPError) -> str:
    """A gateway that starts may begin an answer and be too busy to end it in time."""
    try:
        return str(json.loads(error.read())["error"]["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return "the gateway is starting"
