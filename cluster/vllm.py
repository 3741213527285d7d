"""ModelSpec -> Serve application of one vLLM model, deployed through ray.serve.llm in an environment of its own."""

import hashlib
import os
import shlex
from pathlib import Path

import ray
from ray import cloudpickle, serve

from cluster import vllm_app, vllm_guard
from cluster.deployments import versioned
from cluster.names import NAMESPACE, STATE_ACTOR
from cluster.resources import autoscaling, model_actor_options
from cluster.vllm_env import find_python
from cluster.weights import weights_path
from neuroforge.assets.facts import read_facts
from neuroforge.assets.store import AssetStore
from neuroforge.contracts.models import ModelSpec
from neuroforge.engines.vllm import VllmPlan, kv_cache_bytes, plan_vllm
from neuroforge.errors import ConfigError

_START_TRIES = 2
_SIDE_CALLS = 64
"""Room for counts, statistics and health beside the generating requests."""


def build_vllm_application(
    spec: ModelSpec, version: str, home: Path, drain_timeout_s: float, n_models: int
) -> serve.Application:
    """Return the application of one vLLM model; building it needs neither vLLM nor torch in this process.

    The weights and the environment must be at the same place on every node that may run it.

    Raises:
        ConfigError: No environment, no checkpoint directory, or a spec that contradicts itself.
        AssetError: The asset cannot be had.
    """
    python = find_python(home, is_gpu=spec.gpus > 0)
    source = weights_path(AssetStore(home), spec)
    token = ray.get(ray.get_actor(STATE_ACTOR, namespace=NAMESPACE).internal_token.remote())
    threads = spec.threads or max(1, (len(os.sched_getaffinity(0)) - 1) // max(1, n_models))
    return bind_vllm(spec, version, source, python, token, threads, drain_timeout_s)


def bind_vllm(
    spec: ModelSpec, version: str, source: Path, python: Path, token: str, threads: int, drain_timeout_s: float
) -> serve.Application:
    """Return the application of a checkpoint directory.

    Args:
        python: Interpreter of the vLLM environment.
        token: The internal token; only its hash is handed on.
        threads: Of the CPU engine.
    Raises:
        ConfigError: No checkpoint directory, or the spec contradicts itself.
    """
    if not (source / "config.json").is_file():
        raise ConfigError(
            f"models.{spec.id}: vLLM loads a checkpoint directory with config.json, not {source}; "
            f"make one of a GGUF file with: python -m cluster.vllm_env convert FILE DIRECTORY"
        )
    cpus = model_actor_options(spec)["num_cpus"]
    plan = plan_vllm(
        spec,
        str(source),
        python=shlex.quote(str(python)),
        cpus=cpus,
        threads=threads,
        kv_bytes=kv_cache_bytes(spec, read_facts(source)),
    )
    token_sha256 = hashlib.sha256(token.encode()).hexdigest()
    return _deployment(spec, version, plan, cpus, drain_timeout_s).bind(plan.llm_config, token_sha256, plan.n_at_most)


def _deployment(spec: ModelSpec, version: str, plan: VllmPlan, cpus: float, drain_timeout_s: float) -> serve.Deployment:
    # The vLLM environment has none of our packages: what runs there travels with the deployment.
    for module in (vllm_app, vllm_guard):
        cloudpickle.register_pickle_by_value(module)
    deployment = serve.deployment(
        vllm_app.VllmReplica,
        name="model",
        ray_actor_options={"num_cpus": cpus, "runtime_env": plan.llm_config["runtime_env"]},
        placement_group_bundles=list(plan.bundles),
        placement_group_strategy="PACK",
        max_ongoing_requests=plan.n_at_most + _SIDE_CALLS,
        graceful_shutdown_timeout_s=drain_timeout_s,
        health_check_period_s=5,
        health_check_timeout_s=30,
        max_constructor_retry_count=_START_TRIES,
        logging_config={"enable_access_log": False},
        **autoscaling(spec),
    )
    return versioned(deployment, version)
