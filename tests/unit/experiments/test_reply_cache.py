"""Replies that other experiments may use."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from neuroforge.errors import StorageError
from neuroforge.experiments.cache import ReplyCache
from tests.unit.experiments.test_reply_journal import reply


def test_whole_replies_are_found_by_key_without_their_cell_and_their_times(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path)
    cache.put([reply("a", n_prompt_tokens=3, cost_usd=0.5, ttft_s=1.0, latency_s=2.0, n_attempts=2)])
    found = cache.find(["ka", "kb"], since_s=0.0)
    cache.close()
    kept = found["ka"]
    assert set(found) == {"ka"}
    assert (kept.reply, kept.n_prompt_tokens, kept.cost_usd) == ("yes", 3, 0.5)
    assert (kept.is_cached, kept.n_attempts, kept.ttft_s, kept.latency_s) == (True, 0, None, None)


def test_errors_and_replies_from_the_cache_are_not_kept(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path)
    cache.put([reply("a", None), reply("b", is_cached=True)])
    assert len(cache) == 0
    cache.close()


def test_the_first_reply_stays(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path)
    cache.put([reply("a", "first")])
    cache.put([reply("a", "second")])
    assert cache.find(["ka"], 0.0)["ka"].reply == "first"
    cache.close()


def test_many_keys_at_once_and_the_age_that_counts(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path)
    cache.put([reply(str(number), at_s=float(number)) for number in range(1200)])
    keys = [f"k{number}" for number in range(1200)]
    assert len(cache.known(keys, since_s=0.0)) == 1200
    assert len(cache.known(keys, since_s=700.0)) == 500
    assert cache.prune(before_s=700.0) == 700
    cache.close()


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path)
    cache.close()
    assert cache.path.stat().st_mode & 0o777 == 0o600


def test_another_file_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "cache.sqlite").write_bytes(b"something else entirely, longer than a header would be" * 10)
    with pytest.raises(StorageError, match=r"cache\.sqlite: file is not a database"):
        ReplyCache(tmp_path)


def test_two_runs_may_write_at_once(tmp_path: Path) -> None:
    first, second = ReplyCache(tmp_path), ReplyCache(tmp_path)
    first.put([reply("a")])
    second.put([reply("b")])
    assert len(first) == len(second) == 2
    first.close()
    second.close()
    with closing(sqlite3.connect(first.path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
