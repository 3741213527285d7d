"""CellTable -> what went wrong, counted by variant."""

from collections import Counter

from neuroforge.experiments.table import CellTable

MAX_REASONS = 20
"""A scorer may give a reason of its own for every reply."""


def count_failures(table: CellTable) -> dict[str, dict[str, int]]:
    """Return errors by code and unscored answers as `not scored: REASON`, most frequent first.

    A variant without any is absent.
    """
    counts: dict[str, Counter[str]] = {}
    for cell, is_error in enumerate(table.is_error.tolist()):
        if is_error:
            what = table.error_codes[cell] or "error"
        elif table.scores[cell] != table.scores[cell]:
            what = f"not scored: {table.score_reasons[cell] or 'no scorer has looked at it'}"
        else:
            continue
        counts.setdefault(table.variant_ids[table.variant_of[cell]], Counter())[what] += 1
    return {variant_id: _shorten(counts[variant_id]) for variant_id in table.variant_ids if variant_id in counts}


def _shorten(counts: Counter[str]) -> dict[str, int]:
    kept = dict(counts.most_common(MAX_REASONS))
    if rest := counts.total() - sum(kept.values()):
        kept["other reasons"] = rest
    return kept
