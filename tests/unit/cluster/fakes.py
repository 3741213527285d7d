"""Fakes of what the fleet controller needs."""

from collections.abc import Mapping

from cluster.describe import describe_model
from cluster.fleet import FleetController
from cluster.fleet_model import Observed
from neuroforge.contracts.models import ModelEndpoint, ModelSpec, ModelState
from neuroforge.errors import ModelNotFound, NeuroForgeError

NO_ENVIRONMENT: Mapping[str, str] = {}


class FakeDeployer:
    """A Serve whose applications become ready when the test says so."""

    def __init__(self) -> None:
        self.running: dict[str, Observed] = {}
        self.calls: list[tuple[str, str]] = []
        self.refusals: dict[str, NeuroForgeError] = {}
        self.deploy_error: Exception | None = None

    def deploy(self, spec: ModelSpec) -> None:
        self.calls.append(("deploy", spec.id))
        if self.deploy_error is not None:
            raise self.deploy_error
        self.running[spec.id] = Observed(ModelState.LOADING)

    def delete(self, model_id: str) -> None:
        self.calls.append(("delete", model_id))
        self.running.pop(model_id, None)

    def observe(self) -> dict[str, Observed]:
        return dict(self.running)

    def check(self, spec: ModelSpec) -> None:
        if error := self.refusals.get(spec.id):
            raise error

    def become_ready(self, model_id: str) -> None:
        self.running[model_id] = Observed(ModelState.READY, n_replicas=1)


class FakeRegistry:
    """Desired models in memory."""

    def __init__(self, *specs: ModelSpec) -> None:
        self.specs = {spec.id: spec for spec in specs}

    async def list_specs(self) -> tuple[ModelSpec, ...]:
        return tuple(self.specs.values())

    async def put_spec(self, spec: ModelSpec) -> None:
        self.specs[spec.id] = spec

    async def remove_spec(self, model_id: str) -> None:
        if model_id not in self.specs:
            raise ModelNotFound(model_id)
        del self.specs[model_id]


class Clock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def describe(spec: ModelSpec, state: ModelState) -> ModelEndpoint:
    return describe_model(spec, state, port=8000, environ=NO_ENVIRONMENT)


def controller(deployer: FakeDeployer, clock: Clock, *known: ModelSpec) -> FleetController:
    return FleetController(FakeRegistry(*known), deployer, describe, clock)
