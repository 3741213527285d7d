import json
from pathlib import Path

import pytest

from cluster.cli import router_fit
from neuroforge.router.embedder import StaticEmbedder
from tests.unit.cluster.cli_runner import Cli
from tests.unit.router.fit.worlds import make_embedder, make_rows


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    embedder: StaticEmbedder = make_embedder(tmp_path / "embedder")
    monkeypatch.setattr(router_fit, "load_configured_embedder", lambda _options: embedder)
    return Cli(tmp_path / "home")


def write(path: Path, n: int, seed: int = 0) -> str:
    rows = [
        {"query": row.query, "scores": row.scores, "costs": row.costs_usd, "task": row.task}
        for row in make_rows(n, seed)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return str(path)


def test_evaluation_prints_means_with_intervals(tmp_path: Path, cli: Cli) -> None:
    words = ("--outcomes", write(tmp_path / "a.jsonl", 120), "--test", write(tmp_path / "b.jsonl", 80, seed=1))
    found = cli.json("router", "evaluate", *words)
    for name in ("router", "best_single", "knn", "oracle"):
        assert found[name]["low"] <= found[name]["mean"] <= found[name]["high"]
    assert found["best_single"]["mean"] < found["router"]["mean"] <= found["oracle"]["mean"]


def test_evaluation_draws_the_curve(tmp_path: Path, cli: Cli) -> None:
    words = ("--outcomes", write(tmp_path / "a.jsonl", 60), "--test", write(tmp_path / "b.jsonl", 40, seed=1))
    result = cli("router", "evaluate", *words, "--plot", str(tmp_path / "curve.png"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert "router - kNN" in result.output


def test_a_fitted_router_predicts_in_the_files_order(tmp_path: Path, cli: Cli) -> None:
    cli.json("router", "fit", "--outcomes", write(tmp_path / "a.jsonl", 150), "--out", str(tmp_path / "router"))
    (tmp_path / "q.jsonl").write_text('{"query": "king of the river"}\n{"query": "loop bug array"}\n')
    found = cli.json("router", "predict", "--router", str(tmp_path / "router"), "--queries", str(tmp_path / "q.jsonl"))
    assert [one["model"] for one in found] == ["sage", "coder"]
    assert set(found[0]["quality"]) == {"coder", "sage"}


def test_a_bad_file_leaves_no_router_behind(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "bad.jsonl").write_text('{"query": "q", "scores": {"a": 1}}\n{"query": "q", "scores": {"a": 2}}\n')
    result = cli("router", "fit", "--outcomes", str(tmp_path / "bad.jsonl"), "--out", str(tmp_path / "router"))
    assert result.exit_code == 1
    assert "row 2, column 'scores.a': 2 is not 0..1" in result.output
    assert "1 good ones" in result.output
    assert not (tmp_path / "router").exists()
