"""FleetController: what is wished becomes what runs, and nothing else is touched."""

import pytest

from cluster.fleet import DEFAULT_IDLE_S, FleetController
from cluster.fleet_model import Observed
from neuroforge.contracts.fleet import ActivityReport, ApplyRequest, ModelActivity
from neuroforge.contracts.models import ModelSpec, ModelState, Price, ReplicaRange
from neuroforge.errors import ModelNotFound, OutOfMemory
from tests.unit.cluster.fakes import Clock, FakeDeployer, controller


def spec(model_id: str, **changes: object) -> ModelSpec:
    return ModelSpec.model_validate({"id": model_id, **changes})


async def ready_fleet(deployer: FakeDeployer, clock: Clock, *specs: ModelSpec) -> FleetController:
    fleet = controller(deployer, clock)
    await fleet.adopt(specs)
    await fleet.reconcile()
    for one in specs:
        if one.id in deployer.running:
            deployer.become_ready(one.id)
    await fleet.reconcile()
    deployer.calls.clear()
    return fleet


async def state_of(fleet: FleetController, model_id: str) -> ModelState:
    return next(status.state for status in await fleet.statuses() if status.id == model_id)


async def test_preloaded_models_are_deployed_and_become_ready() -> None:
    fleet = await ready_fleet(FakeDeployer(), Clock(), spec("a"), spec("b", preload=False))
    assert await state_of(fleet, "a") == ModelState.READY
    assert await state_of(fleet, "b") == ModelState.UNLOADED


async def test_loading_twice_deploys_once() -> None:
    deployer = FakeDeployer()
    fleet = await ready_fleet(deployer, Clock(), spec("a", preload=False))
    await fleet.load("a")
    await fleet.load("a")
    await fleet.reconcile()
    await fleet.reconcile()
    assert deployer.calls == [("deploy", "a")]


async def test_unloading_one_model_does_not_touch_another() -> None:
    deployer = FakeDeployer()
    fleet = await ready_fleet(deployer, Clock(), spec("a"), spec("b"))
    await fleet.unload("a")
    await fleet.reconcile()
    assert deployer.calls == [("delete", "a")]
    assert await state_of(fleet, "b") == ModelState.READY


async def test_an_unknown_model_is_not_found_and_the_known_ones_are_named() -> None:
    fleet = await ready_fleet(FakeDeployer(), Clock(), spec("a"))
    with pytest.raises(ModelNotFound, match="it has: a") as caught:
        await fleet.load("z")
    assert caught.value.context["known"] == ["a"]


async def test_a_load_that_does_not_fit_is_refused_before_anything_starts() -> None:
    deployer = FakeDeployer()
    fleet = await ready_fleet(deployer, Clock(), spec("a", preload=False))
    deployer.refusals["a"] = OutOfMemory("a: would fit with context_length 1024")
    with pytest.raises(OutOfMemory):
        await fleet.load("a")
    await fleet.reconcile()
    assert deployer.calls == []


async def test_idle_model_leaves_memory_after_keep_alive() -> None:
    deployer, clock = FakeDeployer(), Clock()
    fleet = await ready_fleet(deployer, clock, spec("a", keep_alive="10s"))
    clock.now_s += 9.9
    await fleet.reconcile()
    assert deployer.calls == []
    clock.now_s += 0.1
    await fleet.reconcile()
    assert deployer.calls == [("delete", "a")]


async def test_a_model_in_use_is_not_idle() -> None:
    deployer, clock = FakeDeployer(), Clock()
    fleet = await ready_fleet(deployer, clock, spec("a", keep_alive=10))
    await fleet.exchange(report("replica-1", "a", n_in_flight=1))
    clock.now_s += 1000
    await fleet.reconcile()
    assert deployer.calls == []


async def test_min_zero_means_not_preloaded_and_unloaded_when_idle() -> None:
    deployer, clock = FakeDeployer(), Clock()
    fleet = await ready_fleet(deployer, clock, spec("a", replicas={"min": 0, "max": 2}))
    assert await state_of(fleet, "a") == ModelState.UNLOADED
    await fleet.load("a")
    await fleet.reconcile()
    deployer.become_ready("a")
    await fleet.reconcile()
    clock.now_s += DEFAULT_IDLE_S
    await fleet.reconcile()
    assert deployer.calls == [("deploy", "a"), ("delete", "a")]


async def test_apply_touches_only_what_changed() -> None:
    deployer = FakeDeployer()
    fleet = await ready_fleet(deployer, Clock(), spec("a"), spec("b"), spec("c"))
    diff = await fleet.apply(ApplyRequest(models=(spec("a"), spec("b", context_length=1024), spec("d"))))
    await fleet.reconcile()
    assert [(change.kind, change.model_id) for change in diff.changes] == [
        ("remove", "c"),
        ("update", "b"),
        ("add", "d"),
    ]
    assert sorted(deployer.calls) == [("delete", "c"), ("deploy", "b"), ("deploy", "d")]


async def test_a_dry_run_changes_nothing() -> None:
    deployer = FakeDeployer()
    fleet = await ready_fleet(deployer, Clock(), spec("a"))
    diff = await fleet.apply(ApplyRequest(models=(), dry_run=True))
    await fleet.reconcile()
    assert (diff.applied, deployer.calls) == (False, [])
    assert await state_of(fleet, "a") == ModelState.READY


async def test_a_price_changes_without_a_restart() -> None:
    deployer = FakeDeployer()
    fleet = await ready_fleet(deployer, Clock(), spec("a"))
    dear = spec("a", price=Price(output_usd_per_million=2.0).model_dump())
    diff = await fleet.apply(ApplyRequest(models=(dear,)))
    await fleet.reconcile()
    assert (diff.changes[0].fields, diff.changes[0].needs_restart, deployer.calls) == (("price",), False, [])
    assert (await fleet.snapshot()).models[0].price.output_usd_per_million == 2.0


async def test_scaling_redeploys_with_the_new_range() -> None:
    deployer = FakeDeployer()
    fleet = await ready_fleet(deployer, Clock(), spec("a"))
    await fleet.scale("a", ReplicaRange(min=2, max=3))
    await fleet.reconcile()
    assert deployer.calls == [("deploy", "a")]


async def test_a_failed_load_keeps_the_replicas_own_words_until_the_next_load() -> None:
    deployer = FakeDeployer()
    fleet = await ready_fleet(deployer, Clock(), spec("a", preload=False))
    await fleet.load("a")
    await fleet.reconcile()
    await fleet.report_failure("a", "a: the file is not a GGUF")
    deployer.running["a"] = Observed(ModelState.FAILED, message="RuntimeError: long trace")
    await fleet.reconcile()
    await fleet.reconcile()
    status = (await fleet.statuses())[0]
    assert (status.state, status.error) == (ModelState.FAILED, "a: the file is not a GGUF")
    assert deployer.calls == [("deploy", "a")]
    await fleet.load("a")
    await fleet.reconcile()
    assert deployer.calls == [("deploy", "a"), ("deploy", "a")]


async def test_a_deploy_that_raises_is_failed_and_not_tried_for_ever() -> None:
    deployer = FakeDeployer()
    fleet = await ready_fleet(deployer, Clock(), spec("a", preload=False), spec("b"))
    deployer.deploy_error = RuntimeError("no builder")
    await fleet.load("a")
    for _ in range(3):
        await fleet.reconcile()
    assert deployer.calls == [("deploy", "a")]
    assert await state_of(fleet, "a") == ModelState.FAILED
    assert await state_of(fleet, "b") == ModelState.READY


async def test_a_crashed_replica_shows_as_loading_until_serve_has_healed_it() -> None:
    deployer = FakeDeployer()
    fleet = await ready_fleet(deployer, Clock(), spec("a"))
    deployer.running["a"] = Observed(ModelState.LOADING)
    await fleet.reconcile()
    assert await state_of(fleet, "a") == ModelState.LOADING
    assert deployer.calls == []


async def test_a_restarted_controller_finds_the_fleet_as_it_is() -> None:
    deployer = FakeDeployer()
    deployer.become_ready("a")
    fleet = controller(deployer, Clock(), spec("a"), spec("b"))
    await fleet.restore()
    await fleet.reconcile()
    assert deployer.calls == []
    assert await state_of(fleet, "a") == ModelState.READY
    assert await state_of(fleet, "b") == ModelState.UNLOADED


async def test_the_snapshots_version_moves_only_when_something_changed() -> None:
    deployer = FakeDeployer()
    fleet = await ready_fleet(deployer, Clock(), spec("a"))
    first, second = await fleet.snapshot(), await fleet.snapshot()
    deployer.running["a"] = Observed(ModelState.LOADING)
    await fleet.reconcile()
    third = await fleet.snapshot()
    assert first.version == second.version
    assert third.version == second.version + 1


def report(replica_id: str, model_id: str, n_in_flight: int) -> ActivityReport:
    return ActivityReport(
        replica_id=replica_id, activities=(ModelActivity(model_id=model_id, n_in_flight=n_in_flight),)
    )


async def test_an_upstream_that_does_not_answer_is_failed_until_it_does() -> None:
    upstream = spec("up", engine="openai_http", upstream={"base_url": "http://127.0.0.1:1/v1"})
    fleet = await ready_fleet(FakeDeployer(), Clock(), upstream)
    fleet.record_health("up", "up: connection refused")
    status = (await fleet.statuses())[0]
    assert (status.state, status.error) == (ModelState.FAILED, "up: connection refused")
    fleet.record_health("up", None)
    assert await state_of(fleet, "up") == ModelState.READY


async def test_a_loaded_models_own_abilities_replace_the_engines() -> None:
    fleet = await ready_fleet(FakeDeployer(), Clock(), spec("a", context_length=8192))
    fleet.report_abilities("a", 2048, frozenset({"chat"}))
    endpoint = (await fleet.snapshot()).models[0]
    assert (endpoint.context_length, endpoint.capabilities) == (2048, {"chat"})
