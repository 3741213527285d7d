"""A stand-in for the keeper of live tests: remembers what it was told, knows the test `known`."""

from dataclasses import dataclass, field

from neuroforge.contracts.live_tests import LiveTestArm, LiveTestArmStatus, LiveTestSpec, LiveTestState, LiveTestStatus
from neuroforge.contracts.rules import Estimate
from neuroforge.errors import NotFound

KNOWN = LiveTestSpec(
    name="known",
    target="auto",
    arms=(LiveTestArm(name="control", model_id="small"), LiveTestArm(name="other", model_id="big")),
)


def status(spec: LiveTestSpec = KNOWN, state: LiveTestState = "running") -> LiveTestStatus:
    return LiveTestStatus(
        spec=spec,
        state=state,
        created_at_s=5.0,
        arms=tuple(
            LiveTestArmStatus(
                arm=arm,
                weight=1 / len(spec.arms),
                n_requests=12,
                n_failures=1,
                n_units=10,
                estimate=Estimate(mean=0.5, low=0.25, high=0.75, n=10),
            )
            for arm in spec.arms
        ),
        differences={spec.arms[1].name: Estimate(mean=0.125, low=-0.25, high=0.5, n=20)},
        sentence="no difference shown yet",
    )


@dataclass
class FakeLiveTests:
    calls: list[tuple[object, ...]] = field(default_factory=list)

    async def create_live_test(self, spec: LiveTestSpec) -> LiveTestStatus:
        self.calls.append(("create", spec))
        return status(spec)

    async def list_live_tests(self) -> tuple[LiveTestStatus, ...]:
        return (status(),)

    async def live_test(self, name: str) -> LiveTestStatus:
        self._check(name)
        return status()

    async def stop_live_test(self, name: str) -> LiveTestStatus:
        self._check(name)
        self.calls.append(("stop", name))
        return status(state="stopped")

    def _check(self, name: str) -> None:
        if name != "known":
            raise NotFound(f"there is no live test {name!r}; known: known")
