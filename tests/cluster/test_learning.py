"""Answer -> feedback -> learned, explained and kept, with the learner in a process of its own that may die."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import numpy as np
import psutil
import pytest

from neuroforge.client import Client
from neuroforge.contracts.outcomes import RouterStatus
from neuroforge.contracts.rules import Pin, RoutingRules
from neuroforge.errors import NeuroForgeError, NotFound
from neuroforge.router.embedder import StaticEmbedder, load_embedder
from neuroforge.router.fit.artifact import save_router
from neuroforge.router.fit.data import build_table
from neuroforge.router.fit.parse import Row
from neuroforge.router.fit.pipeline import extract_queries, fit_router
from tests.cluster.fleet import load, small, title_of, unload, until
from tests.server import RunningServer
from tests.unit.router.fit.worlds import make_embedder

FIRST_MODEL, SECOND_MODEL = "smollm2-135m-instruct", "learning-b"
LEARNED = ("utility", "explored", "holdout")
"""Reasons of decisions that the learned router made."""
SEEN_WITHIN_S = 1.0
"""Feedback is in the snapshot of every replica."""


class Answered(NamedTuple):
    """One request with policy auto."""

    decision_id: str
    reason: str
    model_id: str


@pytest.fixture(scope="module")
def two_models(gateway: RunningServer) -> Iterator[RunningServer]:
    """A choice: the small model twice."""
    with gateway.admin() as client:
        load(client, small(SECOND_MODEL))
        yield gateway
        unload(client, SECOND_MODEL)


def ask(server: RunningServer, key: str | None, prompt: str = "Write a Python function that adds.") -> Answered:
    body = {"model": "auto", "messages": [{"role": "user", "content": prompt}], "max_tokens": 8}
    headers = {"authorization": f"Bearer {key}"}
    answer = httpx2.post(f"{server.openai_url}/chat/completions", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    decision_id, _, reason = answer.headers["x-neuroforge-decision"].partition(";reason=")
    return Answered(decision_id, reason, answer.headers["x-neuroforge-model"])


def learner_process(server: RunningServer) -> psutil.Process:
    everything = psutil.Process(int(server.state["pid"])).children(recursive=True)
    return next(one for one in everything if "ray::LearnerActor" in title_of(one))


def has_recovered(client: Client, before: RouterStatus) -> bool:
    try:
        now = client.router_status()
    except NeuroForgeError:
        return False
    return now.n_outcomes >= before.n_outcomes and now.version > before.version


def test_an_answer_is_rated_learned_from_and_explained(two_models: RunningServer) -> None:
    with two_models.admin() as client, Client(two_models.base_url, two_models.api_key) as caller:
        until(lambda: ask(two_models, two_models.api_key).reason in LEARNED, "embedder and snapshot are there")
        asked = ask(two_models, two_models.api_key)
        before = client.router_status()

        receipt = caller.feedback(asked.decision_id, score=0.9)

        assert (receipt.status, receipt.score) == ("accepted", 0.9)
        time.sleep(SEEN_WITHIN_S)
        after = client.router_status()
        assert after.version > before.version
        assert after.n_scored == before.n_scored + 1
        told = caller.decision(asked.decision_id)
        assert (told.score, told.score_source, told.outcome.model_id) == (0.9, "explicit", asked.model_id)
        assert told.decision.profile is not None
        chosen = next(one for one in told.decision.candidates if one.model_id == asked.model_id)
        assert chosen.prediction is not None
        assert chosen.utility is not None
        assert caller.feedback(asked.decision_id, score=0.9).status == "duplicate"
        assert caller.feedback(asked.decision_id, score=False).status == "replaced"


def test_decisions_are_their_callers_own(two_models: RunningServer) -> None:
    asked = ask(two_models, two_models.admin_key)
    with two_models.admin() as operator, Client(two_models.base_url, two_models.api_key) as other:
        assert operator.decision(asked.decision_id).decision.model_id == asked.model_id
        with pytest.raises(NotFound):
            other.decision(asked.decision_id)
        with pytest.raises(NotFound):
            other.feedback(asked.decision_id, score=True)


def test_what_was_learned_survives_the_learners_death(two_models: RunningServer) -> None:
    with two_models.admin() as client:
        asked = ask(two_models, two_models.admin_key)
        assert client.feedback(asked.decision_id, score=True).status == "accepted"
        before = client.router_status()

        learner_process(two_models).kill()

        until(lambda: has_recovered(client, before), "the learner is back", 60)
        assert client.decision(asked.decision_id).score == 1.0
        assert client.feedback(asked.decision_id, score=True).status == "duplicate"
        assert client.router_status().n_scored == before.n_scored


def test_a_model_is_placed_by_probes_from_a_file(two_models: RunningServer, tmp_path: Path) -> None:
    questions = [{"question": f"What is {n} + 1?", "reference": n + 1, "scorer": "numeric"} for n in range(8)]
    path = tmp_path / "sums.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in questions))
    with two_models.admin() as client:
        until(lambda: ask(two_models, two_models.api_key).reason in LEARNED, "embedder and snapshot are there")
        before = client.router_status()

        placed = two_models.cli("router", "place", SECOND_MODEL, "--dataset", str(path), "--probes", "5", "--json")

        assert placed.returncode == 0, placed.stderr
        told = json.loads(placed.stdout)
        assert (told["n_pool"], told["n_learned"], list(told["quality_of_others"])) == (8, 5, [FIRST_MODEL])
        assert told["quality_after"] != told["quality_before"]
        assert client.router_status().n_scored == before.n_scored + 5


def test_a_fit_is_applied_decides_and_survives_the_learners_death(
    two_models: RunningServer, tmp_path: Path, potion_path: Path
) -> None:
    with two_models.admin() as client:
        version = client.router_status().version
        directory = write_fit(tmp_path / "router", load_embedder(potion_path), wins=SECOND_MODEL)

        applied = two_models.cli("router", "apply", str(directory), "--json")

        assert applied.returncode == 0, applied.stderr
        fit_id = json.loads(applied.stdout)["fit_id"]
        time.sleep(SEEN_WITHIN_S)
        until(
            lambda: (
                client.decision(ask(two_models, two_models.admin_key).decision_id).decision.router_version > version
            ),
            "new",
            30,
        )
        told = client.decision(ask(two_models, two_models.admin_key).decision_id)
        quality = {one.model_id: one.prediction.quality for one in told.decision.candidates if one.prediction}
        assert quality[SECOND_MODEL] > quality[FIRST_MODEL] + 0.2
        assert client.feedback(told.decision.decision_id, score=False).status == "accepted"
        before = client.router_status()
        learner_process(two_models).kill()
        until(lambda: has_recovered(client, before), "the learner is back", 60)
        assert client.router_status().fit_id == fit_id


def test_a_fit_of_another_embedder_changes_nothing(two_models: RunningServer, tmp_path: Path) -> None:
    directory = write_fit(tmp_path / "router", make_embedder(tmp_path / "embedder"), wins=FIRST_MODEL)
    with two_models.admin() as client:
        before = client.router_status().fit_id

        refused = two_models.cli("router", "apply", str(directory))

        assert refused.returncode == 1
        assert "fitted with the embedder" in refused.stderr
        assert client.router_status().fit_id == before


def write_fit(directory: Path, embedder: StaticEmbedder, wins: str) -> Path:
    """A router directory in which one model is right nearly always and the other hardly ever."""
    chances = {one: 0.9 if one == wins else 0.1 for one in (FIRST_MODEL, SECOND_MODEL)}
    rng = np.random.default_rng(0)
    rows = [
        Row(f"question {n} of {n % 7}", {one: float(rng.random() < p) for one, p in chances.items()}, {}, None)
        for n in range(60)
    ]
    table = build_table(rows)
    save_router(directory, fit_router(table, extract_queries(table.queries, embedder), embedder.sha256))
    return directory


def test_requests_are_answered_while_the_learner_hangs(two_models: RunningServer) -> None:
    def has_failed() -> bool:
        try:
            metrics = httpx2.get(f"{two_models.base_url}/metrics", headers=headers, timeout=30).text
        except httpx2.HTTPError:
            return False
        lines = [line for line in metrics.splitlines() if "router_exchange_failures_total" in line]
        return any("TimeoutError" in line for line in lines)

    def has_arrived() -> bool:
        try:
            return client.decision(asked.decision_id).decision.decision_id == asked.decision_id
        except NeuroForgeError:
            return False

    headers = {"authorization": f"Bearer {two_models.admin_key}"}
    process = learner_process(two_models)
    process.send_signal(signal.SIGSTOP)
    try:
        asked = ask(two_models, two_models.api_key)
        until(has_failed, "the failed exchange is counted", 90)
        assert ask(two_models, two_models.api_key).decision_id
    finally:
        process.send_signal(signal.SIGCONT)
    with two_models.admin() as client:
        until(has_arrived, "the outcome was handed over again", 60)
        assert client.router_status().n_dropped == 0


def test_a_rule_is_proposed_forced_followed_and_rolled_back(two_models: RunningServer) -> None:
    def decided() -> tuple[str, str]:
        asked = ask(two_models, two_models.admin_key)
        return asked.model_id, asked.reason

    pin = RoutingRules(reason="a test wants it", pins=(Pin(model_id=FIRST_MODEL),), holdout_share=0.0)
    with two_models.admin() as client:
        proposed = client.propose_rules(pin)
        assert proposed.state == "refused", "there is not enough evidence for anything"
        applied = client.apply_rules(proposed.proposal_id, force=True)
        assert applied.state == "applied"
        until(lambda: decided() == (FIRST_MODEL, "pinned"), "the pin is followed", 30)
        assert {decided() for _ in range(5)} == {(FIRST_MODEL, "pinned")}

        client.rollback_rules()

        until(lambda: decided()[1] != "pinned", "the pin is gone", 30)
        assert [one.state for one in client.rules()[:2]] == ["applied", "rolled_back"]
