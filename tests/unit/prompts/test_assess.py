"""How good a prompt is said to be, and how that is known."""

import numpy as np
import pytest

from neuroforge.contracts.prompts import PromptProgram
from neuroforge.contracts.rules import Estimate
from neuroforge.prompts.assess import PromptQualityAssessor, features_of, score_by_rules
from neuroforge.prompts.earlier import EvaluatedProgram
from neuroforge.prompts.structures import StructureSpace
from tests.unit.prompts.searching import SEED, quality, structures

MEASURED = Estimate(mean=0.6, low=0.5, high=0.7, n=80)
THINKING = PromptProgram(instruction="Do it.", reasoning_cue="Think step by step.")


def earlier(n_runs: int, rng: np.random.Generator, space: StructureSpace) -> list[EvaluatedProgram]:
    """Runs of a seed and eight random structures on two blocks; tasks are harder or easier by .1."""
    rows = []
    for run in range(n_runs):
        task = 0.1 * rng.standard_normal()
        for program in (SEED, *(space.decode(codes) for codes in space.draw(8, rng))):
            truth = float(np.clip(quality(program) + task, 0, 1))
            for block in range(2):
                score = rng.binomial(10, truth) / 10
                rows.append(EvaluatedProgram(f"r{run}", "text", program, block, score, score, 10))
    return rows


def test_what_was_measured_is_told_as_measured() -> None:
    found = PromptQualityAssessor("text").score(SEED, MEASURED)

    assert (found.basis, found.is_measured, found.score, found.low, found.high, found.n) == (
        ("measured", True, 0.6, 0.5, 0.7, 80)
    )


def test_without_rows_rules_are_told_as_rules_and_have_no_interval() -> None:
    found = PromptQualityAssessor("text").score(SEED)

    assert (found.basis, found.is_measured, found.low, found.coverage) == ("heuristic", False, None, None)
    assert found.score == pytest.approx((1.0 + 0.4 + 0.7) / 3), "no format, no rules or examples"
    assert "0 earlier runs" in found.note
    assert "4 are needed" in found.note


def test_rules_tell_an_improvement_by_their_difference() -> None:
    better = PromptProgram(instruction="Do it.", output_format="Reply with one letter.")
    found = PromptQualityAssessor("text").score_improvement(SEED, better)

    assert found.score == pytest.approx(score_by_rules(better, "text") - score_by_rules(SEED, "text")) != 0
    assert found.basis == "heuristic"


def test_three_runs_are_too_few_to_predict_and_four_are_enough() -> None:
    rng, space = np.random.default_rng(0), structures()

    assert PromptQualityAssessor("text", earlier(3, rng, space)).score(SEED).basis == "heuristic"
    found = PromptQualityAssessor("text", earlier(4, rng, space)).score(SEED)
    assert (found.basis, found.is_measured, found.coverage, found.n) == ("predicted", False, pytest.approx(0.8), 4)


def test_what_helped_in_earlier_runs_is_predicted_to_help() -> None:
    assessor = PromptQualityAssessor("text", earlier(12, np.random.default_rng(1), structures()))
    found = assessor.score_improvement(SEED, THINKING)

    assert found.basis == "predicted"
    assert found.score > 0.03
    assert assessor.score_improvement(SEED, SEED).score == 0.0


def test_predicted_intervals_hold_what_a_new_run_measures_at_the_stated_rate() -> None:
    rng, space = np.random.default_rng(2), structures()
    held = []
    for _ in range(40):
        rows = earlier(10, rng, space)
        new = [row for row in earlier(1, rng, space) if row.block == 0][1:]
        assessor = PromptQualityAssessor("text", rows)
        row = new[int(rng.integers(len(new)))]
        found = assessor.score(row.program)
        assert found.coverage == pytest.approx(0.9)
        assert None not in (found.low, found.high, row.score)
        held.append(found.low <= row.score <= found.high)  # type: ignore[operator]  # none of them is None

    assert 0.8 <= np.mean(held) <= 0.99


def test_programs_that_differ_in_structure_differ_in_features() -> None:
    assert features_of(SEED, "text").shape == features_of(THINKING, "choice").shape
    assert (features_of(SEED, "text") != features_of(THINKING, "text")).any()
    assert (features_of(SEED, "text") != features_of(SEED, "choice")).sum() == 2
