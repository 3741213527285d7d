"""Prompts optimised on a real server: to the end, cancelled and resumed, interrupted, without examples, refused."""

import os
import signal

import pytest

from neuroforge.client import AsyncClient, Client
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig
from neuroforge.contracts.prompt_runs import PromptRunStatus
from neuroforge.errors import ConflictError, DataError, EngineUnavailable, ModelNotFound
from tests.cluster.fleet import until
from tests.cluster.test_experiments import ray_process
from tests.server import RunningServer

MODEL = "smollm2-135m-instruct"
PROMPT = "Is the text about food or about cars? Answer with one word.\n\n{{ query }}"
FOOD = ("bread", "soup", "an apple", "cheese", "rice", "a cake", "salad", "pasta", "a pear", "honey")
CARS = ("an engine", "tyres", "a garage", "brakes", "a gearbox", "petrol", "a truck", "the clutch", "a wheel", "diesel")
SEARCH = ("budget", "population", "block_size", "max_demonstrations", "proposers")
FRAMES = ("I like {}.", "She wrote a page on {}.")


def items() -> tuple[DatasetItem, ...]:
    """40 sentences of two labels."""
    made = [
        (frame.format(word), label) for frame in FRAMES for label, words in (("food", FOOD), ("cars", CARS))
        for word in words
    ]  # fmt: skip
    return tuple(
        DatasetItem(
            id=str(n),
            dataset="own",
            query=text,
            scorer="exact",
            references=(label,),
            max_tokens=4,
            task="classification",
        )
        for n, (text, label) in enumerate(made)
    )


def task(**changes: object) -> OptimizeConfig:
    """Small enough for a CPU: a few prompts on blocks of five."""
    fields = {
        "name": "food-or-cars",
        "prompt": PROMPT,
        "target_model": MODEL,
        "items": items(),
        "budget": {"max_calls": 70},
        "population": 4,
        "block_size": 5,
        "max_demonstrations": 2,
        "proposers": (),
        **changes,
    }
    return OptimizeConfig.model_validate(fields)


def n_calls(client: Client, run_id: str) -> int:
    """On a busy machine the desk may not answer in time: then nobody can tell yet."""
    try:
        progress = client.prompts.runs.status(run_id).progress
    except EngineUnavailable:
        return 0
    return 0 if progress is None else progress.n_calls


def check_complete(client: Client, status: PromptRunStatus) -> OptimizationResult:
    assert status.state == "done", status.error
    result = client.prompts.runs.result(status.id)
    assert result.plan.n_items == {"search": 20, "selection": 10, "test": 10}
    assert result.n_calls >= 40
    assert result.lineage[-1].operator == "seed"
    assert status.progress is not None
    assert (status.progress.phase, status.progress.best is not None) == ("done", True)
    assert client.prompts.runs.report(status.id).startswith("<!doctype html>")
    assert client.prompts.runs.candidates(status.id).num_rows == result.n_candidates
    asked = client.prompts.runs.evaluations(status.id).select(["candidate_id", "item_id", "split"]).to_pylist()
    assert len({tuple(one.values()) for one in asked}) == len(asked)
    return result


def test_one_call_optimises_on_the_server_and_proves_or_keeps_the_seed(gateway: RunningServer) -> None:
    seen: list[PromptRunStatus] = []
    options = {name: getattr(task(), name) for name in task().model_fields_set & set(SEARCH)}
    with gateway.admin() as client:
        found = client.prompts.optimize_prompt(
            PROMPT,
            MODEL,
            examples=items(),
            metric="exact",
            name="whole",
            on_progress=seen.append,
            **options,
        )
        status = client.prompts.runs.list(1)[0]
        assert check_complete(client, status) == found
        assert gateway.cli("prompts", "status", status.id).stdout.count(found.sentence) == 1
    assert found.is_promoted or found.optimized == found.original
    assert seen[-1].state == "done"
    assert (status.config.items, status.name) == ((), "whole")


def test_a_cancelled_run_resumes_and_asks_nothing_twice(gateway: RunningServer) -> None:
    with gateway.admin() as client:
        started = client.prompts.runs.start(task(name="stopped"))
        until(lambda: n_calls(client, started.id) >= 5, "some calls are made")
        client.prompts.runs.cancel(started.id)
        stopped = client.prompts.runs.wait(started.id)
        with pytest.raises(ConflictError, match=f"prompts resume {started.id}"):
            client.prompts.runs.outcome(started.id)
        client.prompts.runs.resume(started.id)
        result = check_complete(client, client.prompts.runs.wait(started.id))
    assert stopped.state == "cancelled"
    assert result.n_calls <= 70 + 20 + 40  # search and selection, the test, what is not measured


def test_a_lost_process_interrupts_its_run_which_then_resumes(gateway: RunningServer) -> None:
    with gateway.admin() as client:
        started = client.prompts.runs.start(task(name="lost"))
        until(lambda: n_calls(client, started.id) >= 5, "some calls are made")
        os.kill(ray_process(gateway, "ray::WorkActor").pid, signal.SIGKILL)
        lost = client.prompts.runs.wait(started.id)
        client.prompts.runs.resume(started.id)
        check_complete(client, client.prompts.runs.wait(started.id))
    assert (lost.state, f"prompts resume {started.id}" in str(lost.error)) == ("interrupted", True)


async def test_without_examples_it_says_what_models_think_and_that_nothing_was_measured(gateway: RunningServer) -> None:
    async with AsyncClient(gateway.base_url, gateway.admin_key) as client:
        found = await client.prompts.optimize_prompt(PROMPT, MODEL)
        status = (await client.prompts.runs.list(1))[0]
    assert (status.state, found.is_promoted, found.improvement) == ("done", False, None)
    assert {one.aspect for one in found.findings} == {"clarity", "specificity", "effectiveness"}
    assert "nothing was measured" in found.sentence


def test_what_cannot_run_is_told_before_anything_is_spent(gateway: RunningServer) -> None:
    with gateway.admin() as client:
        n_before = len(client.prompts.runs.list(1000))
        with pytest.raises(ModelNotFound, match=f"did you mean '{MODEL}'"):
            client.prompts.runs.start(task(target_model="smollm2-135m"))
        with pytest.raises(DataError, match=r"put \{\{ query \}\} in its place"):
            client.prompts.runs.start(task(prompt="Food or cars?"))
        with pytest.raises(DataError, match=r"about \d+ more"):
            client.prompts.runs.start(task(items=items()[:12]))
        with pytest.raises(DataError, match=r"budget\.max_calls"):
            client.prompts.runs.start(task(budget={"max_calls": 20}))
        assert len(client.prompts.runs.list(1000)) == n_before
