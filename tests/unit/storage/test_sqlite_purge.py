"""Deleted means gone: no byte of it is left in any of the files."""

from pathlib import Path

import pytest

from neuroforge.storage.outcomes import OutcomeStore
from tests.unit.storage.suite_outcomes import AT_S, new, outcome_store, said  # noqa: F401

CANARY = "quetzalcanary"


def bytes_of(directory: Path) -> bytes:
    return b"".join(one.read_bytes() for one in sorted(directory.rglob("*")) if one.is_file())


def fill(store: OutcomeStore) -> None:
    """Enough rows for pages that overflow, are split and freed; every text has the canary."""
    for start in range(0, 200, 50):
        store.add([new(n, prompt=f"{CANARY} " * 200, answer=CANARY) for n in range(start, start + 50)])
        store.rate(said(start, comment=CANARY, preferred_answer=CANARY), None, [])


@pytest.mark.parametrize("before_s", [None, AT_S + 1000])
def test_a_purge_leaves_no_byte_of_any_text(
    outcome_store: OutcomeStore,  # noqa: F811 - the fixture
    tmp_path: Path,
    before_s: float | None,
) -> None:
    fill(outcome_store)
    outcome_store.export(tmp_path / "out.parquet", 0, AT_S)
    assert CANARY.encode() in bytes_of(tmp_path)

    outcome_store.purge(None, before_s)

    assert CANARY.encode() not in bytes_of(tmp_path)


def test_what_is_kept_too_long_leaves_no_byte_either(
    outcome_store: OutcomeStore,  # noqa: F811
    tmp_path: Path,
) -> None:
    fill(outcome_store)

    outcome_store.expire(AT_S + 1000)

    assert CANARY.encode() not in bytes_of(tmp_path)
