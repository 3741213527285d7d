from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.cli.optimize_progress import OptimizeLine, progress_text
from neuroforge.contracts.experiments import Budget
from neuroforge.contracts.prompt_progress import OptimizeProgress
from neuroforge.contracts.rules import Estimate
from tests.counting_engine import CountingEngine, counting
from tests.unit.cluster.cli_runner import Cli

BEST = Estimate(mean=0.62, low=0.5, high=0.73, n=20)


@pytest.fixture
def engine() -> Iterator[tuple[CountingEngine, str]]:
    with counting(["small"]) as found:
        yield found


def task(path: Path, more: str = "") -> str:
    items = "\n".join(
        f'  - {{id: i{k}, dataset: d, query: "q{k}", scorer: exact, references: ["yes"], max_tokens: 8}}'
        for k in range(60)
    )
    file = path / "task.yaml"
    file.write_text(f'name: sense\nprompt: "Do it.\\n\\n{{{{ query }}}}"\nproposers: []\n{more}items:\n{items}\n')
    return str(file)


def test_a_dry_run_shows_the_plan_and_calls_nothing(engine: tuple[CountingEngine, str], tmp_path: Path) -> None:
    counter, url = engine
    cli = Cli(tmp_path / "home", url)

    shown = cli("optimize", task(tmp_path, "budget: {max_calls: 200}\n"), "--dry-run")

    assert shown.exit_code == 0, shown.output
    assert "small: 30 to search, 15 to selection, 15 to test; at most 200 calls, 30 for the test" in shown.stdout
    assert "at most 1,840 answered; at most $" in shown.stdout
    assert counter.n_calls == 0
    assert not (tmp_path / "home" / "prompts").exists()


def test_no_before_the_start_starts_nothing(engine: tuple[CountingEngine, str], tmp_path: Path) -> None:
    counter, url = engine

    refused = Cli(tmp_path / "home", url)("optimize", task(tmp_path), piped="n\n")

    assert refused.exit_code == 1
    assert "start it?" in refused.output
    assert counter.n_calls == 0


def test_a_limit_of_the_command_line_leaves_the_others(engine: tuple[CountingEngine, str], tmp_path: Path) -> None:
    words = ("optimize", task(tmp_path, "budget: {max_calls: 200, max_duration: 2h}\n"), "--dry-run")

    shown = Cli(tmp_path / "home", engine[1]).json(*words, "--max-calls", "150")

    assert shown["config"]["budget"]["max_calls"] == 150
    assert shown["config"]["budget"]["max_duration"] == 7200.0
    assert shown["plan"]["n_calls_max"] == 150


def test_a_run_tells_its_plan_then_what_was_found_with_what_it_took(
    engine: tuple[CountingEngine, str], tmp_path: Path
) -> None:
    cli = Cli(tmp_path / "home", engine[1])

    first = cli("optimize", task(tmp_path, "budget: {max_calls: 200}\n"), "--yes")
    again = cli("optimize", task(tmp_path, "budget: {max_calls: 200}\n"))

    assert first.exit_code == again.exit_code == 0, first.output
    assert "calls made" in first.stdout
    assert "searching, generation 0" in first.stderr or "suggesting" in first.stderr
    assert engine[0].report()["n_asked_twice"] == 0, "the second run asked nothing, and did not ask for leave either"


def test_a_search_over_structures_tells_what_parts_are_worth_and_how_good_prompts_are(
    engine: tuple[CountingEngine, str], tmp_path: Path
) -> None:
    cli = Cli(tmp_path / "home", engine[1])

    shown = cli("optimize", task(tmp_path, "strategy: nas_evolution\nbudget: {max_calls: 200}\n"), "--yes")

    assert shown.exit_code == 0, shown.output
    assert "what parts are worth, from" in shown.stdout
    assert "SHARE OF VARIANCE" in shown.stdout
    assert "n_demonstrations" in shown.stdout
    assert "measured on 15 examples" in shown.stdout


def test_ctrl_c_keeps_what_is_answered_and_says_how_to_go_on(
    engine: tuple[CountingEngine, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli(tmp_path / "home", engine[1])

    def press(_line: OptimizeLine, progress: OptimizeProgress) -> None:
        if progress.n_calls > 20:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(OptimizeLine, "show", press)
        stopped = cli("optimize", task(tmp_path, "budget: {max_calls: 200}\n"), "--yes")
    n_before = engine[0].n_calls
    done = cli("optimize", task(tmp_path, "budget: {max_calls: 200}\n"))

    assert (stopped.exit_code, done.exit_code) == (3, 0)
    assert "what is answered is kept: the same command goes on" in stopped.stderr
    assert n_before > 20
    assert engine[0].report()["n_asked_twice"] <= 4


def test_a_line_of_progress_has_best_and_spend() -> None:
    progress = OptimizeProgress(
        phase="searching",
        generation=3,
        n_candidates=36,
        best=BEST,
        n_calls=240,
        n_calls_max=630,
        n_tokens=31_000,
        cost_usd=0.25,
        elapsed_s=40.0,
        budget=Budget(max_calls=600, max_cost_usd=2.0),
        eta_s=60.0,
    )

    assert progress_text(progress) == (
        "searching, generation 3, 36 prompts; best 0.620 [0.500, 0.730] n=20; 240/630 calls, 31,000 tokens, $0.25/2, "
        "40s; at most 1m00s left"
    )
