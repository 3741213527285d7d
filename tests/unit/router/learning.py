"""A learner on a database of its own, with a clock and rules that only tests move."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.outcomes import LearnerSnapshot, OutcomeRecord
from neuroforge.contracts.routing import Decision, Outcome
from neuroforge.contracts.rules import RoutingRules
from neuroforge.errors import DataError
from neuroforge.router.learner import Learner
from neuroforge.router.learner_input import LearnerOptions, LearnerReport, pack_row
from neuroforge.router.online import OnlinePosterior
from neuroforge.storage.outcomes import open_outcomes

DAY_S = 86400.0
START_S = 1_000_000_000.0
BASIS = (1.0, 0.5)


@dataclass
class SetClock:
    now_s: float = START_S

    def __call__(self) -> float:
        return self.now_s


@dataclass
class FakeRules:
    live: RoutingRules = field(default_factory=RoutingRules)
    observed: list[str] = field(default_factory=list)

    def observe(self, decisions: Iterable[Decision]) -> None:
        self.observed += [one.decision_id for one in decisions]


def prior_of(content: bytes | None) -> NDArray[np.float64]:
    """A fit whose bytes begin with `bad` is refused; of `wide` the basis is longer."""
    if content is not None and content.startswith(b"bad"):
        raise DataError("made with another embedder")
    return np.full(3 if content is not None and content.startswith(b"wide") else 2, 0.25)


@dataclass
class Bench:
    path: Path
    clock: SetClock = field(default_factory=SetClock)
    rules: FakeRules = field(default_factory=FakeRules)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.learner = self.start()

    def start(self) -> Learner:
        """As after a crash: nothing is closed, nothing is saved."""
        chosen = {"record": "text", "retention_s": 30 * DAY_S, "half_life_s": 7 * DAY_S, **self.options}
        self.store = open_outcomes(f"sqlite:///{self.path}")
        self.learner = Learner(self.store, self.rules, prior_of, LearnerOptions(**chosen), self.clock)
        return self.learner

    def crash(self, **options: Any) -> None:
        self.options |= options
        self.store.close()
        self.start()

    def report(self, *records: OutcomeRecord, version: int = 0, fit: str = "", **more: Any) -> Any:
        rows = [row for one in records if (row := pack_row(one, self.options.get("record", "text"))) is not None]
        return self.learner.exchange(LearnerReport(tuple(rows), known_version=version, known_fit=fit, **more))

    def snapshot(self) -> LearnerSnapshot:
        """What a replica that knows nothing is given, after what changed may be published."""
        self.clock.now_s += 0.5
        found = self.report().snapshot
        assert isinstance(found, LearnerSnapshot)
        return found

    def correction(self, model_id: str = "small", basis: tuple[float, ...] = BASIS) -> float:
        mean, _ = OnlinePosterior.from_bytes(self.snapshot().online).predict([model_id], np.array(basis))
        return float(mean[0])

    def weight(self, model_id: str = "small") -> float:
        return OnlinePosterior.from_bytes(self.snapshot().online).n_outcomes(model_id)


def template(path: Path) -> Path:
    """A migrated empty database, to be copied."""
    open_outcomes(f"sqlite:///{path}").close()
    return path


def bench_at(directory: Path, empty: Path, **options: Any) -> Bench:
    shutil.copy(empty, directory / "outcomes.db")
    return Bench(directory / "outcomes.db", options=options)


def record(number: int = 1, status: int = 200, version: int = 0, **changes: Any) -> OutcomeRecord:
    names: dict[str, Any] = {"decision_id": f"d{number}", "request_id": f"r{number}", "model_id": "small"}
    names["policy"] = "auto"
    decision = Decision(**names, reason="utility", snapshot_version=1, router_version=version)
    outcome = Outcome(**names, status=status, finish_reason="stop", n_completion_tokens=5, latency_s=0.5)
    fields: dict[str, Any] = {"at_s": START_S, "decision": decision, "outcome": outcome, "answer": "Paris"}
    return OutcomeRecord(**(fields | {"basis": BASIS, "base_quality": 0.5} | changes))
