"""What experiments keep of texts, and how it goes (docs/decisions/123)."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from neuroforge.assets.disk import used_bytes
from neuroforge.contracts.outcomes import DataSummary, PurgeReport
from neuroforge.experiments.cache import NAME as CACHE
from neuroforge.experiments.cache import ReplyCache
from neuroforge.experiments.shelf import ITEMS_FOLDER
from neuroforge.runs.purge import is_older, purge_texts, texts_of
from neuroforge.runs.shelf import PROGRESS_FILE, STATUS_FILE
from neuroforge.storage.tracking import ARTIFACTS

LOCK = "run.lock"
NUMBERS_ONLY = frozenset({STATUS_FILE, PROGRESS_FILE, "config.json", "plan.json", "analysis.json", LOCK})
"""Files of an experiment that stay: what was asked for, and what came out of it in numbers."""
PUBLISHED_TEXTS = frozenset({"report.html", "report.md", "cells.parquet"})
"""Results with replies in them, of which tracking keeps copies in the home."""


def add_experiments(summary: DataSummary, root: Path) -> DataSummary:
    """Return the summary with what experiments keep.

    Args:
        root: The directory of all experiments; need not exist.
    """
    with_texts = [one for one in _directories(root) if texts_of(one, NUMBERS_ONLY)]
    places = [str(one) for one in (root / CACHE, root / ITEMS_FOLDER) if one.exists()]
    return DataSummary(
        **{
            **dict(summary),
            "n_experiments": len(with_texts),
            "n_cached_replies": _count_cached(root),
            "bytes_on_disk": summary.bytes_on_disk + (used_bytes(root) if root.is_dir() else 0),
            "places": (*summary.places, *places, *(str(one) for one in with_texts)),
        }
    )


def purge_experiments(report: PurgeReport, root: Path, before_s: float | None) -> PurgeReport:
    """Delete all texts of experiments; return the report with how many went.

    Items, replies, scores with what was read out of the reply, reports (the copies that tracking keeps in the home
    too), uploads and the cache go, numbers stay. An experiment that runs is left alone.

    Args:
        before_s: Unix time; None = all, else only what was last written before.
    """
    n_experiments = sum(purge_texts(one, NUMBERS_ONLY, FileLock(one / LOCK), before_s) for one in _directories(root))
    copies = (one for one in (root.parent / ARTIFACTS).rglob("*") if one.name in PUBLISHED_TEXTS)
    for one in [*(root / ITEMS_FOLDER).glob("*"), *copies]:
        if not is_older(one, before_s):
            continue
        if one.is_dir():  # parts of an upload that was not ended
            shutil.rmtree(one)
        else:
            one.unlink(missing_ok=True)
    n_cached = 0
    if (root / CACHE).exists():
        cache = ReplyCache(root)
        n_cached = cache.purge(before_s)
        cache.close()
    return PurgeReport(n_outcomes=report.n_outcomes, n_experiments=n_experiments, n_cached_replies=n_cached)


def prune_cache(root: Path, before_s: float) -> int:
    """Delete kept replies that are older than the retention; return how many went."""
    if not (root / CACHE).exists():
        return 0
    cache = ReplyCache(root)
    try:
        return cache.prune(before_s)
    finally:
        cache.close()


def _directories(root: Path) -> Iterator[Path]:
    for one in sorted(root.glob("*/")):
        if one.is_dir() and one.name != ITEMS_FOLDER and (one / "config.json").exists():
            yield one


def _count_cached(root: Path) -> int:
    if not (root / CACHE).exists():
        return 0
    cache = ReplyCache(root)
    try:
        return len(cache)
    finally:
        cache.close()
