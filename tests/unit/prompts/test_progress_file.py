from pathlib import Path

from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.prompt_progress import OptimizePhase, OptimizeProgress
from neuroforge.prompts.progress_file import ProgressFile


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def progress(n_calls: int, phase: OptimizePhase = "searching", generation: int = 1) -> OptimizeProgress:
    return OptimizeProgress(phase=phase, generation=generation, n_calls=n_calls, budget=Budget())


def n_calls_of(directory: Path) -> int:
    return OptimizeProgress.model_validate_json((directory / "progress.json").read_bytes()).n_calls


def test_answers_are_told_at_most_once_a_second(tmp_path: Path) -> None:
    clock = Clock()
    file = ProgressFile(tmp_path, clock)
    for n_calls, now_s, told in ((1, 100.0, 1), (2, 100.9, 1), (3, 101.0, 3), (4, 101.5, 3)):
        clock.now_s = now_s
        file.write(progress(n_calls))
        assert n_calls_of(tmp_path) == told


def test_a_new_generation_and_a_new_stage_are_told_at_once(tmp_path: Path) -> None:
    file = ProgressFile(tmp_path, Clock())
    for n_calls, one in enumerate((progress(1), progress(2, generation=2), progress(3, "done", generation=2)), start=1):
        file.write(one)
        assert n_calls_of(tmp_path) == n_calls
