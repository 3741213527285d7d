"""Facts about what is kept as a whole that hold on every database."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from neuroforge.errors import RequestError
from neuroforge.storage.outcomes import OutcomeStore
from tests.unit.storage.suite_outcomes import AT_S, n_rows, new, said

MONTH_S = 30 * 86400.0


class TestSummary:
    def test_everything_is_counted_and_every_place_named(self, outcome_store: OutcomeStore, tmp_path: Path) -> None:
        outcome_store.add([new(1), new(2, level="embedding"), new(3, level="stats")])
        outcome_store.rate(said(1), None, [])
        outcome_store.export(tmp_path / "out.parquet", 0, AT_S)

        found = outcome_store.summary("text", MONTH_S)

        assert (found.n_outcomes, found.n_feedback, found.n_embeddings, found.n_texts) == (3, 1, 2, 1)
        assert (found.oldest_s, found.newest_s, found.retention_days) == (AT_S + 1, AT_S + 3, 30)
        assert found.places == (outcome_store.database.label, str(tmp_path / "out.parquet"))
        assert found.bytes_on_disk > (tmp_path / "out.parquet").stat().st_size

    def test_nothing_has_no_place(self, outcome_store: OutcomeStore) -> None:
        found = outcome_store.summary("stats", MONTH_S)

        assert (found.n_outcomes, found.oldest_s, found.places) == (0, None, ())


class TestExport:
    def test_rows_are_as_the_fit_reads_them(self, outcome_store: OutcomeStore, tmp_path: Path) -> None:
        outcome_store.add([new(1), new(2, level="stats")])
        outcome_store.rate(said(1, 0.75, comment="fine", preferred_answer="this"), None, [])

        assert outcome_store.export(tmp_path / "out.parquet", 0, AT_S) == 2

        first, second = pq.read_table(tmp_path / "out.parquet").to_pylist()
        assert (first["query"], first["scores"], first["costs"]) == ("a prompt", [("small", 0.75)], [("small", 0.25)])
        assert (first["task"], first["answer"], first["comment"]) == ("code", "an answer", "fine")
        assert first["embedding"] == list(np.arange(256.0))
        assert (second["query"], second["scores"], second["embedding"], second["answer"]) == (None, [], None, None)

    def test_only_what_came_after_a_number(self, outcome_store: OutcomeStore, tmp_path: Path) -> None:
        outcome_store.add([new(1), new(2), new(3)])

        assert outcome_store.export(tmp_path / "out.parquet", 2, AT_S) == 1

        assert pq.read_table(tmp_path / "out.parquet")["decision_id"].to_pylist() == ["d3"]

    def test_for_a_fit_only_what_has_a_text_and_a_score(self, outcome_store: OutcomeStore, tmp_path: Path) -> None:
        outcome_store.add([new(1), new(2, 0.0), new(3, 0.0, level="stats"), new(4, 0.0, prompt="")])

        assert outcome_store.export(tmp_path / "out.parquet", 0, AT_S, for_fit=True) == 1

        assert pq.read_table(tmp_path / "out.parquet")["decision_id"].to_pylist() == ["d2"]

    @pytest.mark.parametrize("name", ["relative.parquet", "/tmp/out.csv", "/nowhere-at-all/out.parquet"])
    def test_a_path_that_cannot_be_is_refused(self, outcome_store: OutcomeStore, name: str) -> None:
        with pytest.raises(RequestError, match=name):
            outcome_store.export(Path(name), 0, AT_S)

    def test_another_file_is_not_overwritten(self, outcome_store: OutcomeStore, tmp_path: Path) -> None:
        other = tmp_path / "other.parquet"
        other.write_bytes(b"precious")

        with pytest.raises(RequestError, match="another file is there"):
            outcome_store.export(other, 0, AT_S)
        assert other.read_bytes() == b"precious"

    def test_an_export_may_be_renewed_and_only_the_owner_reads_it(
        self, outcome_store: OutcomeStore, tmp_path: Path
    ) -> None:
        outcome_store.add([new(1)])
        outcome_store.export(tmp_path / "out.parquet", 0, AT_S)
        outcome_store.add([new(2)])

        assert outcome_store.export(tmp_path / "out.parquet", 0, AT_S) == 2
        assert (tmp_path / "out.parquet").stat().st_mode & 0o777 == 0o600
        assert [one.name for one in tmp_path.iterdir() if "parquet" in one.name] == ["out.parquet"]


class TestPurge:
    def test_everything_goes(self, outcome_store: OutcomeStore, tmp_path: Path) -> None:
        outcome_store.add([new(1, 0.0), new(2)])
        outcome_store.rate(said(2), None, [])
        outcome_store.export(tmp_path / "out.parquet", 0, AT_S)

        assert outcome_store.purge(None, None) == 2

        assert [n_rows(outcome_store, name) for name in ("nf_outcomes", "nf_feedback", "nf_redo", "nf_exports")] == [
            0
        ] * 4
        assert not (tmp_path / "out.parquet").exists()

    def test_one_callers_rows_go_from_tables_and_exports(self, outcome_store: OutcomeStore, tmp_path: Path) -> None:
        outcome_store.add([new(1, actor="ann"), new(2, actor="bob"), new(3, actor="ann")])
        outcome_store.rate(said(1), None, [])
        outcome_store.rate(said(2), None, [])
        outcome_store.export(tmp_path / "out.parquet", 0, AT_S)

        assert outcome_store.purge("ann", None) == 2

        assert (outcome_store.find("d1"), outcome_store.last_statement("d1")) == (None, None)
        assert outcome_store.last_statement("d2") is not None
        assert pq.read_table(tmp_path / "out.parquet")["actor"].to_pylist() == ["bob"]

    def test_only_what_ended_before_a_time(self, outcome_store: OutcomeStore, tmp_path: Path) -> None:
        outcome_store.add([new(1), new(2), new(3, actor="bob")])
        outcome_store.export(tmp_path / "out.parquet", 0, AT_S)

        assert outcome_store.purge(None, AT_S + 2) == 1
        assert outcome_store.purge("bob", AT_S + 3) == 0

        assert pq.read_table(tmp_path / "out.parquet")["decision_id"].to_pylist() == ["d2", "d3"]

    def test_a_file_that_took_the_exports_place_is_left_alone(
        self, outcome_store: OutcomeStore, tmp_path: Path
    ) -> None:
        outcome_store.add([new(1)])
        outcome_store.export(tmp_path / "out.parquet", 0, AT_S)
        (tmp_path / "out.parquet").write_bytes(b"precious")

        outcome_store.purge(None, None)

        assert (tmp_path / "out.parquet").read_bytes() == b"precious"
        assert outcome_store.summary("stats", MONTH_S).places == ()

    def test_numbers_of_purged_outcomes_are_not_given_again(self, outcome_store: OutcomeStore, tmp_path: Path) -> None:
        outcome_store.add([new(1), new(2)])
        outcome_store.purge(None, None)
        outcome_store.add([new(3)])

        assert outcome_store.export(tmp_path / "out.parquet", 2, AT_S) == 1

    def test_expired_outcomes_go_with_their_feedback(self, outcome_store: OutcomeStore) -> None:
        outcome_store.add([new(1), new(2)])
        outcome_store.rate(said(1), None, [])

        assert outcome_store.expire(AT_S + 2) == 1

        assert outcome_store.find("d1") is None
        assert n_rows(outcome_store, "nf_feedback") == 0
