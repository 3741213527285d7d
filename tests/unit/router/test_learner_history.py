"""Whatever comes in whatever order, crashes in between: the posterior is what the stored outcomes say, once each."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroforge.contracts.outcomes import Feedback
from neuroforge.router.online import OnlinePosterior
from tests.unit.router.learning import BASIS, DAY_S, Bench, bench_at, prior_of, record, template

NUMBERS = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("report"), NUMBERS, st.sampled_from([200, 502])),
    st.tuples(st.just("rate"), NUMBERS, st.sampled_from([0.0, 0.5, 1.0])),
    st.tuples(st.just("wait"), st.just(0), st.sampled_from([0.1, 1.5])),
    st.tuples(st.just("crash"), st.just(0), st.just(0)),
    st.tuples(st.just("purge"), NUMBERS, st.just(0)),
    st.tuples(st.just("adopt"), NUMBERS, st.just(0)),
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("empty") / "outcomes.db")


def follow(bench: Bench, kind: str, number: int, value: float) -> None:
    """Take one step; feedback on what is not there is refused, which is no matter here."""
    if kind == "report":
        version = bench.learner.status().version
        bench.report(record(number, status=int(value), actor=f"key{number}", version=version))
    elif kind == "rate" and bench.store.find(f"d{number}") is not None:
        bench.learner.give_feedback(Feedback(decision_id=f"d{number}", score=value), None)
    elif kind == "wait":
        bench.clock.now_s += value
        bench.report()
    elif kind == "crash":
        bench.crash()
    elif kind == "purge":
        bench.learner.purge(actor=f"key{number}")
    elif kind == "adopt":
        bench.report(clusters=f"kinds {number}".encode())


def expected(bench: Bench) -> tuple[float, float]:
    posterior = OnlinePosterior(prior_of(None), 7 * DAY_S)
    for one in bench.store.standing_lessons(["", *(one.fit_id for one in bench.store.applied_fits())]):
        posterior.update(one.model_id, np.array(BASIS), one.residual, at_s=one.at_s, weight=one.weight)
    return float(posterior.predict(["small"], np.array(BASIS))[0][0]), posterior.n_outcomes("small")


@given(steps=st.lists(STEPS, max_size=12))
@settings(max_examples=25, deadline=None)
def test_the_posterior_is_what_the_outcomes_say(empty: Path, steps: list[tuple[str, int, float]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        bench = bench_at(Path(directory), empty)
        for step in steps:
            follow(bench, *step)

        assert (bench.correction(), bench.weight()) == pytest.approx(expected(bench), abs=1e-9)
        counted = bench.store.counts()
        status = bench.learner.status()
        assert (status.n_outcomes, status.n_scored) == (counted.n_outcomes, counted.n_scored)
        bench.store.close()
