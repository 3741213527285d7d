"""What a purge and the retention leave of experiments."""

from collections.abc import Iterable
from pathlib import Path

from neuroforge.contracts.outcomes import DataSummary, PurgeReport
from neuroforge.experiments.cache import ReplyCache
from neuroforge.experiments.purge import add_experiments, prune_cache, purge_experiments
from tests.unit.experiments.run_fakes import Bench, FakeCaller, config, item

CANARY = "xylophone-canary"
NOTHING = PurgeReport(n_outcomes=0)


def summary(root: Path) -> DataSummary:
    kept = DataSummary(
        record="stats", retention_days=30, n_outcomes=0, n_feedback=0, n_embeddings=0, n_texts=0, bytes_on_disk=0
    )
    return add_experiments(kept, root)


async def finished(tmp_path: Path) -> Path:
    bench = Bench(tmp_path, FakeCaller(lambda _request: f"{CANARY} is the answer"))
    await bench.run(config(), [item(1, query=f"Is it {CANARY}?")])
    return tmp_path / "experiments"


def holding(root: Path) -> Iterable[str]:
    """Names of files with the canary in them, database pages and logs too."""
    for path in root.rglob("*"):
        if path.is_file() and (CANARY.encode() in path.read_bytes() or path.name == "cells.parquet"):
            yield path.name


async def test_what_is_kept_is_told(tmp_path: Path) -> None:
    found = summary(await finished(tmp_path))
    assert (found.n_experiments, found.n_cached_replies) == (1, 1)
    assert any(place.endswith("experiments/exp-1") for place in found.places)
    assert found.bytes_on_disk > 0


async def test_a_purge_leaves_numbers_and_no_text(tmp_path: Path) -> None:
    root = await finished(tmp_path)
    assert {"items.jsonl", "cells.parquet"} <= set(holding(root))
    copy = tmp_path / "mlflow-artifacts" / "run" / "artifacts" / "report.html"
    copy.parent.mkdir(parents=True)
    copy.write_text(CANARY)
    report = purge_experiments(NOTHING, root, None)
    assert (report.n_experiments, report.n_cached_replies) == (1, 1)
    assert list(holding(tmp_path)) == []
    assert {"config.json", "plan.json", "progress.json"} <= {path.name for path in (root / "exp-1").iterdir()}
    assert summary(root).n_experiments == 0


async def test_a_purge_of_what_is_older_leaves_what_is_not(tmp_path: Path) -> None:
    root = await finished(tmp_path)
    assert purge_experiments(NOTHING, root, before_s=1.0) == NOTHING
    assert "items.jsonl" in set(holding(root))


async def test_an_experiment_that_runs_is_left_alone(tmp_path: Path) -> None:
    root = await finished(tmp_path)
    runner = Bench(tmp_path).runner()
    await runner.setup_experiment(config())
    assert purge_experiments(NOTHING, root, None).n_experiments == 0
    runner.close()
    assert purge_experiments(NOTHING, root, None).n_experiments == 1


async def test_the_retention_reaches_kept_replies(tmp_path: Path) -> None:
    root = await finished(tmp_path)  # at 1000 s
    assert prune_cache(root, before_s=1000.0) == 0
    assert prune_cache(root, before_s=1001.0) == 1
    cache = ReplyCache(root)
    assert len(cache) == 0
    cache.close()


def test_without_experiments_there_is_nothing_to_do(tmp_path: Path) -> None:
    root = tmp_path / "experiments"
    assert purge_experiments(NOTHING, root, None) == NOTHING
    assert prune_cache(root, 1.0) == 0
    assert not root.exists()
