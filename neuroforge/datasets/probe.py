"""Pool of labelled questions -> the most telling ones -> one model's answers, scored -> feedback to the router.

Nothing is special about the answers: each is a decision of the router's for this model alone, rated as any caller may
rate it, so what is learned survives, ages and is purged like all that is learned.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs
from neuroforge.contracts.datasets import Answer, DatasetItem
from neuroforge.contracts.outcomes import FeedbackReceipt, RouterStatus
from neuroforge.contracts.scores import Score
from neuroforge.datasets.ask import Asker, AskSettings
from neuroforge.datasets.fleet import JOURNAL, Fleet, choose_models, contestant_of, wake
from neuroforge.datasets.journal import Journal
from neuroforge.datasets.label import Labeler
from neuroforge.datasets.outcomes import count_unscored
from neuroforge.datasets.pipeline import Assets, Source
from neuroforge.datasets.pool import Pool, Router, describe_pool, load_pool
from neuroforge.datasets.progress import Progress
from neuroforge.errors import DataError, EngineUnavailable
from neuroforge.scoring.pipeline import score_reply
from neuroforge.scoring.sandbox import Sandbox

Floats = NDArray[np.float64]

N_CHECKED = 50
"""Questions of the pool on which what the router expects is read before and after."""
LEARNED_WITHIN_S, POLL_S = 15.0, 1.5
"""Feedback is in every replica's snapshot within a second."""


class RoutedFleet(Fleet, Router, Protocol):
    """The client, as far as it is needed."""

    def feedback(self, decision_id: str, score: float) -> FeedbackReceipt:
        """Rate an answer."""
        ...

    def router_status(self) -> RouterStatus:
        """What is recorded."""
        ...


class Placer(Protocol):
    """Which questions tell most of a new model, and what its answers say (neuroforge.router.place)."""

    def choose(self, others: Floats, described: Floats, n_probes: int) -> NDArray[np.intp]:
        """Rows to ask, of (n, n_others) predicted qualities and (n, d) descriptions."""
        ...

    def expect(self, others: Floats, described: Floats, rows: NDArray[np.intp], scores: Floats) -> Floats:
        """Quality of the new model on all n questions, by its scores on some rows and what the others are expected."""
        ...


@dataclass(frozen=True)
class ProbePlan:
    """What is to be asked of whom."""

    model_id: str
    sources: tuple[Source, ...]
    n_probes: int = 50
    sample_seed: int = 0
    settings: AskSettings = field(default_factory=AskSettings)


@dataclass(frozen=True)
class ProbeResult:
    """What a placement came to; qualities are means over the same questions of the pool."""

    model_id: str
    n_pool: int
    n_learned: int
    """Answers that were scored and that the router took."""
    unscored: dict[str, int]
    """Answers without a score, by why."""
    mean_score: float
    """On the questions asked, which are not like the pool's average."""
    expected: float
    """By the answers and what is known of the others, a little below the middle."""
    quality_before: float
    quality_after: float
    """What the router expected of the model, and expects now."""
    quality_of_others: dict[str, float]


def place(
    plan: ProbePlan,
    client: RoutedFleet,
    assets: Assets,
    sandbox: Sandbox,
    placer: Placer,
    report: Callable[[Progress], None] = lambda _progress: None,
    sleep: Callable[[float], None] = time.sleep,
) -> ProbeResult:
    """Ask the model the questions that tell most of it, and give the scores to the router.

    Raises:
        DataError: A dataset cannot be used, nothing is recorded, no other model is known, or no answer was scored.
        ModelNotFound: The server does not host the model.
        EngineUnavailable: The router cannot describe requests yet, or did not take what was learned.
        SandboxUnavailable: There is code to run, and no safe way to.
    """
    if client.router_status().record == "none":
        raise DataError("the router keeps and learns nothing (router.record: none); set it to stats to place models")
    items = load_pool(plan.sources, assets, plan.sample_seed)
    if any(item.scorer == "code" for item in items):
        sandbox.check()
    chosen = choose_models(client.models(), (plan.model_id,))
    (hosted,) = choose_models(wake(client, chosen), (plan.model_id,))
    pool = describe_pool(client, items, plan.model_id)
    rows = placer.choose(pool.others, pool.described, plan.n_probes)

    def score(item: DatasetItem, reply: str) -> Score:
        return score_reply(item, reply, sandbox)

    asker = Asker(_Routed(client), score, plan.settings)
    contestant = contestant_of(hosted, None)
    asked = pool.take(rows)
    with (
        tempfile.TemporaryDirectory(prefix="neuroforge-place-") as directory,
        Journal(Path(directory) / JOURNAL, time.monotonic) as journal,
    ):
        Labeler(asker, journal, report).run(asked, [contestant])
        answers = _in_order(journal, [asker.cell_id(item, contestant) for item in asked], plan.model_id)
    learned = _teach(client, plan.model_id, rows, answers)
    after = _await_learned(client, pool, plan.model_id, sleep)
    scores = np.array([one.score for one in learned])
    expected = placer.expect(pool.others, pool.described, np.array([one.row for one in learned]), scores)
    return ProbeResult(
        model_id=plan.model_id,
        n_pool=len(pool.items),
        n_learned=len(learned),
        unscored=dict(count_unscored(answers)),
        mean_score=float(scores.mean()),
        expected=float(expected.mean()),
        quality_before=float(pool.own[:N_CHECKED].mean()),
        quality_after=float(after.own.mean()),
        quality_of_others=dict(zip(after.other_ids, after.others.mean(axis=0).tolist(), strict=True)),
    )


class _Learned(NamedTuple):
    row: int
    """In the pool."""
    score: float


@dataclass(frozen=True)
class _Routed:
    """Asks a model by the router: the request is described at once, whatever else goes on, and can be learned from."""

    client: RoutedFleet

    def chat(self, messages: str | list[JsonObject], model: str, **options: Any) -> JsonObject:
        """OpenAI's whole body, with the decision behind it. A bound that all keep makes it a decision of the router."""
        route = {"candidates": [model], "explore": False, "min_quality": 0.0}
        extras = {**options.pop("neuroforge", {}), "route": route}
        return self.client.chat(messages, model="auto", neuroforge=extras, **options)

    def label_logprobs(self, prompt: list[JsonObject], labels: Sequence[str], model: str) -> LabelLogprobs:
        """One score a label; no decision of the router's, so nothing is learned from it."""
        return self.client.label_logprobs(prompt, labels, model)


def _in_order(journal: Journal, cell_ids: Sequence[str], model_id: str) -> list[Answer]:
    """The answers to the cells. A model that fails again and again is not asked all of them."""
    answers = [journal.answers[cell] for cell in cell_ids if cell in journal.answers]
    if len(answers) < len(cell_ids):
        why = next((one.error for one in answers if one.error is not None), "it was not asked")
        raise EngineUnavailable(f"{model_id} failed too often to be placed: {why}", model_id=model_id)
    return answers


def _teach(client: RoutedFleet, model_id: str, rows: NDArray[np.intp], answers: Sequence[Answer]) -> list[_Learned]:
    """Rate the decisions behind the answers by their scores."""
    learned = []
    for row, answer in zip(rows.tolist(), answers, strict=True):
        value = None if answer.score is None else answer.score.value
        if value is not None and answer.decision_id is not None:
            client.feedback(answer.decision_id, value)
            learned.append(_Learned(row, value))
    if not learned:
        why = next((one.error for one in answers if one.error is not None), "no answer could be scored")
        raise DataError(f"{model_id} cannot be placed: {why}")
    return learned


def _await_learned(client: RoutedFleet, pool: Pool, model_id: str, sleep: Callable[[float], None]) -> Pool:
    """Return what the router expects now, once its replica has taken the snapshot that holds the answers."""
    items = pool.items[:N_CHECKED]
    for _ in range(int(LEARNED_WITHIN_S / POLL_S)):
        sleep(POLL_S)
        after = describe_pool(client, items, model_id)
        if after.n_outcomes > pool.n_outcomes:
            return after
    raise EngineUnavailable(f"the router has not taken the answers of {model_id} within {LEARNED_WITHIN_S:g} s")
