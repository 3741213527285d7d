"""What is exported of live traffic is what a fit reads."""

from pathlib import Path

from neuroforge.router.fit.data import read_outcomes
from neuroforge.storage.outcomes import open_outcomes
from tests.unit.storage.suite_outcomes import AT_S, new, said


def test_a_fit_reads_an_export_row_by_row(tmp_path: Path) -> None:
    store = open_outcomes(f"sqlite:///{tmp_path / 'outcomes.db'}")
    store.add([new(1, prompt="what is a king"), new(2, prompt="fix this loop"), new(3, prompt="nobody rated it")])
    store.rate(said(1, 0.75), None, [])
    store.rate(said(2, 0.25), None, [])

    store.export(tmp_path / "out.parquet", 0, AT_S, for_fit=True)
    table = read_outcomes(tmp_path / "out.parquet")

    assert table.queries == ("what is a king", "fix this loop")
    assert table.model_ids == ("small",)
    assert table.scores.tolist() == [[0.75], [0.25]]
    store.close()
