"""What Ray is asked for."""

from cluster.resources import JOB_RESERVE_CPUS, autoscaling, model_actor_options
from neuroforge.contracts.models import ModelSpec, ReplicaRange
from neuroforge.settings import DEFAULT_MODELS, GatewaySettings


def test_the_default_fleet_leaves_a_cpu_for_jobs_on_two_cores() -> None:
    used = GatewaySettings().cpus + sum(model_actor_options(spec)["num_cpus"] for spec in DEFAULT_MODELS)
    assert 2 - used >= JOB_RESERVE_CPUS


def test_no_cpu_is_asked_for_when_the_user_says_zero() -> None:
    assert model_actor_options(ModelSpec(id="a", cpus=0.0)) == {"num_cpus": 0.0}


def test_gpus_are_asked_for_only_when_wanted() -> None:
    assert model_actor_options(ModelSpec(id="a", gpus=1))["num_gpus"] == 1
    assert "num_gpus" not in model_actor_options(ModelSpec(id="a"))


def test_a_fixed_number_of_replicas_does_not_scale() -> None:
    assert autoscaling(ModelSpec(id="a", replicas=ReplicaRange(min=2, max=2))) == {"num_replicas": 2}


def test_a_range_scales_by_the_engines_parallel_sequences() -> None:
    found = autoscaling(ModelSpec(id="a", parallel=8, replicas=ReplicaRange(min=0, max=3)))
    config = found["autoscaling_config"]
    assert isinstance(config, dict)
    assert (config["min_replicas"], config["max_replicas"], config["target_ongoing_requests"]) == (1, 3, 8)
