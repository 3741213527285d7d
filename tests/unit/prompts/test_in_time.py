"""A limit of time holds for the whole run, and ends it honestly."""

from pathlib import Path
from typing import Any

import pytest

from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.optimize import OptimizationResult
from neuroforge.contracts.prompt_progress import OptimizePhase, OptimizeProgress
from neuroforge.prompts.stopwatch import ELAPSED
from tests.unit.prompts.test_pipeline import Tutor, config, core, items

HOUR = Budget(max_duration="1h", max_calls=400)


async def optimized(
    directory: Path, hang_in: OptimizePhase | None = None, models: Tutor | None = None, **changes: Any
) -> OptimizationResult:
    """The clock jumps over the limit as soon as the stage begins."""
    now_s = [0.0]

    def see(progress: OptimizeProgress) -> None:
        if progress.phase == hang_in:
            now_s[0] = 3601.0

    wanted = {"proposers": (), "budget": HOUR, **changes}
    made = core(models or Tutor(), on_progress=see, clock=lambda: now_s[0])
    return await made.optimize_prompt(config(**wanted), items(60), directory)


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        ("selecting", "the best prompts were compared on the selection"),
        ("testing", "the test was over"),
    ],
)
async def test_what_is_not_proven_in_time_is_not_promoted(tmp_path: Path, stage: OptimizePhase, told: str) -> None:
    found = await optimized(tmp_path, stage)

    assert not found.is_promoted
    assert found.optimized == found.original
    assert found.improvement is None
    assert found.p_value is None
    assert found.lineage[0].program != found.original, "the best so far is told all the same"
    assert found.sentence == f"not proven: the time (3600 s) was up before {told}; the seed stays"


async def test_a_finished_run_stays_proven_however_late_it_is_read_again(tmp_path: Path) -> None:
    first = await optimized(tmp_path)
    (tmp_path / ELAPSED).write_text("7200")
    models = Tutor()

    again = await optimized(tmp_path, models=models)

    assert first.is_promoted
    assert (again.sentence, again.findings, models.asked) == (first.sentence, first.findings, [])


async def test_when_the_time_is_up_before_models_spoke_rules_do(tmp_path: Path) -> None:
    (tmp_path / ELAPSED).write_text("7200")

    found = await optimized(tmp_path)

    assert {one.found_by for one in found.findings} == {"rules"}
    assert "the time was up before models had said" in found.warnings[0]
    assert found.sentence.startswith("not proven: the time (3600 s) was up")
