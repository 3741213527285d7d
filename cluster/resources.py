"""Settings -> what Ray is asked for. Pure.

Ray CPUs are a budget, not a measurement: on a machine of two cores, whole CPUs for the gateway and each model would
leave none for Tune and Data, whose tasks would wait for ever without an error. So deployments take fractions.
"""

from neuroforge.contracts.models import ModelSpec

DEFAULT_MODEL_CPUS = 0.2
JOB_RESERVE_CPUS = 1.0
"""What must stay free for jobs with the default fleet loaded."""


def model_actor_options(spec: ModelSpec) -> dict[str, float]:
    """Return Ray's options for one replica of the model."""
    options = {"num_cpus": DEFAULT_MODEL_CPUS if spec.cpus is None else spec.cpus}
    if spec.gpus > 0:
        options["num_gpus"] = spec.gpus
    return options


def autoscaling(spec: ModelSpec) -> dict[str, object]:
    """Return the arguments of a deployment that fix or scale its replicas.

    `replicas.min` 0 means that the fleet controller takes the whole application away when it is idle; while it is
    loaded there is at least one.
    """
    lowest, highest = max(1, spec.replicas.min), spec.replicas.max
    if lowest == highest:
        return {"num_replicas": lowest}
    return {
        "autoscaling_config": {
            "min_replicas": lowest,
            "max_replicas": highest,
            "target_ongoing_requests": spec.parallel,
            "upscale_delay_s": 5,
            "downscale_delay_s": 60,
        }
    }
