"""ray.remote(PlainClass) of the learner, with the rules and the data that it keeps: the single writer of outcomes."""

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from cluster.detached import get_or_create
from cluster.names import LEARNER_ACTOR, NAMESPACE
from cluster.router_parts import load_router_embedder
from neuroforge.assets.store import AssetStore
from neuroforge.contracts.live_tests import LiveTestSpec, LiveTestStatus
from neuroforge.contracts.outcomes import (
    DataSummary,
    Feedback,
    FeedbackReceipt,
    FitUpload,
    LearnerReply,
    OutcomeRecord,
    PurgeReport,
    RouterStatus,
)
from neuroforge.contracts.rules import Insight, RoutingRules, RulesEntry
from neuroforge.errors import DataError, NeuroForgeError
from neuroforge.experiments.purge import add_experiments, prune_cache, purge_experiments
from neuroforge.prompts.purge import add_prompt_runs, purge_prompt_runs
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.fit_bytes import load_router_bytes, pack_router
from neuroforge.router.fit_upload import read_upload
from neuroforge.router.learner import Learner
from neuroforge.router.learner_input import LearnerOptions, LearnerReport
from neuroforge.router.posterior_prior import PosteriorPrior
from neuroforge.router.rulebook import Rulebook
from neuroforge.settings import Settings
from neuroforge.storage.outcomes import open_outcomes
from neuroforge.storage.rules import SqlRulesTable

logger = logging.getLogger(__name__)
TEND_EVERY_S = 2.0
PRUNE_EVERY_S = 600.0
"""How long after the retention a kept reply of an experiment may stay on disk; it is not used any more before."""
_N_THREADS = 8
_NICENESS = 10
"""Learning waits where it competes with answering: on a machine with few cores both share them."""


class LearnerActor:
    """Learner and Rulebook over one store; calls run in threads, so that a replay or an export holds up no exchange."""

    def __init__(self, settings: Settings) -> None:
        os.nice(_NICENESS)
        self._options = LearnerOptions(settings.router.record, settings.router.retention, settings.router.half_life)
        self._experiments, self._prompts = settings.storage.home / "experiments", settings.storage.home / "prompts"
        self._store = open_outcomes(settings.storage.outcomes_url)
        self._embedder = _find_embedder(settings)
        self._rules = Rulebook(
            SqlRulesTable(self._store.database),
            time.time,
            lambda limit: self._learner.read_scored(limit),
            RoutingRules(holdout_share=settings.router.holdout_share, explore=settings.router.explore),
        )
        prior_of = PosteriorPrior(self._embedder, load_router_bytes)
        self._learner = Learner(self._store, self._rules, prior_of, self._options, time.time)
        if settings.router.fit is not None and not ray.get_runtime_context().was_current_actor_reconstructed:
            self._apply_configured(settings.router.fit)
        threading.Thread(target=self._tend, daemon=True).start()

    def exchange(self, report: LearnerReport) -> LearnerReply:
        """See OutcomeTaker."""
        return self._learner.exchange(report)

    def give_feedback(self, feedback: Feedback, actor: str | None) -> FeedbackReceipt:
        """See Learner."""
        return self._learner.give_feedback(feedback, actor)

    def find_decision(self, decision_id: str, actor: str | None) -> OutcomeRecord:
        """See Learner."""
        return self._learner.find_decision(decision_id, actor)

    def status(self) -> RouterStatus:
        """See Learner."""
        return self._learner.status()

    def apply_fit(self, upload: FitUpload) -> RouterStatus:
        """See Learner."""
        return self._learner.apply_fit(read_upload(upload, self._read_fit))

    def list_rules(self) -> tuple[RulesEntry, ...]:
        """See RulesStore."""
        return self._rules.list_rules()

    def propose_rules(self, rules: RoutingRules) -> RulesEntry:
        """See RulesStore."""
        return self._rules.propose_rules(rules)

    def shadow_rules(self, proposal_id: str) -> RulesEntry:
        """See RulesStore."""
        return self._rules.shadow_rules(proposal_id)

    def apply_rules(self, proposal_id: str, force: bool) -> RulesEntry:
        """See RulesStore."""
        return self._rules.apply_rules(proposal_id, force)

    def rollback_rules(self, version: int | None) -> RulesEntry:
        """See RulesStore."""
        return self._rules.rollback_rules(version)

    def update_rules(self, insights: tuple[Insight, ...], model_ids: tuple[str, ...], shadow: bool) -> RulesEntry:
        """See RulesStore."""
        return self._rules.update_rules(insights, model_ids, shadow)

    def create_live_test(self, spec: LiveTestSpec) -> LiveTestStatus:
        """See LiveTestDesk."""
        return self._learner.live_tests.create(spec)

    def list_live_tests(self) -> tuple[LiveTestStatus, ...]:
        """See LiveTestDesk."""
        return self._learner.live_tests.list_all()

    def live_test(self, name: str) -> LiveTestStatus:
        """See LiveTestDesk."""
        return self._learner.live_tests.status(name)

    def stop_live_test(self, name: str) -> LiveTestStatus:
        """See LiveTestDesk."""
        return self._learner.live_tests.stop(name)

    def summary(self) -> DataSummary:
        """See OutcomeData."""
        kept = self._store.summary(self._options.record, self._options.retention_s)
        return add_prompt_runs(add_experiments(kept, self._experiments), self._prompts)

    def export(self, path: str, after_seq: int, for_fit: bool) -> int:
        """See OutcomeData."""
        return self._store.export(Path(path), after_seq, time.time(), for_fit)

    def purge(self, actor: str | None, before_s: float | None) -> PurgeReport:
        """See OutcomeData."""
        report = PurgeReport(n_outcomes=self._learner.purge(actor, before_s))
        if actor is not None:  # experiments and prompts are the operator's
            return report
        return purge_prompt_runs(purge_experiments(report, self._experiments, before_s), self._prompts, before_s)

    def close(self) -> None:
        """Save; called before the actor is ended on purpose."""
        self._learner.close()
        self._rules.flush()

    def _read_fit(self, directory: Path) -> bytes:
        if self._embedder is None:
            raise DataError("the router's embedder is missing: neuroforge models pull potion-base-8m, then restart")
        return pack_router(directory, self._embedder.sha256)

    def _apply_configured(self, directory: Path) -> None:
        try:
            self._learner.apply_fit(self._read_fit(directory))
        except NeuroForgeError as error:
            logger.warning("router.fit was not applied", extra={"path": str(directory), "reason": error.message})

    def _tend(self) -> None:
        next_prune_s = 0.0
        while True:
            time.sleep(TEND_EVERY_S)
            try:
                self._learner.tend()
                if (now_s := time.time()) >= next_prune_s:
                    next_prune_s = now_s + PRUNE_EVERY_S
                    prune_cache(self._experiments, now_s - self._options.retention_s)
            except Exception:
                logger.exception("tending the outcomes failed; it is tried again")


def _find_embedder(settings: Settings) -> StaticEmbedder | None:
    try:
        return load_router_embedder(AssetStore(settings.storage.home), settings.router.embedder)
    except (NeuroForgeError, OSError) as error:
        logger.warning("no learning without the router's embedder", extra={"reason": str(error)})
        return None


def save_learner(timeout_s: float = 10.0) -> None:
    """Let the learner save before it is ended; without one, or when it is too busy, its redo log has the rest."""
    try:
        ray.get(ray.get_actor(LEARNER_ACTOR, namespace=NAMESPACE).close.remote(), timeout=timeout_s)
    except (ValueError, RayError) as error:
        logger.info("the learner was not saved", extra={"kind": type(error).__name__})


_RemoteLearnerActor = ray.remote(LearnerActor)


def get_learner_actor(settings: Settings) -> Any:
    """Return the handle, creating the actor on the head node if it is not there."""
    return get_or_create(_RemoteLearnerActor, LEARNER_ACTOR, settings, max_concurrency=_N_THREADS)
