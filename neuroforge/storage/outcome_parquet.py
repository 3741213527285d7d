"""Outcomes as Parquet, as `neuroforge router fit --outcomes` reads it; and taking rows out of such a file."""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.routing import Decision, Outcome

MARK = b"neuroforge.export"
"""Key in the file's metadata: only such files are overwritten, filtered or deleted."""
_ROWS_AT_ONCE = 10_000


class ExportWriter:
    """Writes beside the target and moves it there at the end; after an error nothing is left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = _part_of(path)
        self.n_rows = 0

    def __enter__(self) -> "ExportWriter":
        self._writer = _open_writer(self._part)
        return self

    def write(self, rows: Sequence[Any]) -> None:
        """Add rows of nf_outcomes, each with `preferred_answer` and `comment` of its newest feedback."""
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist([_exported(row) for row in rows], schema=_schema()))
        self.n_rows += len(rows)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        if kind is None:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)


def is_export(path: Path) -> bool:
    """Whether the file is there and was written by ExportWriter."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return path.is_file() and MARK in (pq.read_schema(path).metadata or {})
    except (OSError, pa.ArrowInvalid):
        return False


def filter_export(path: Path, actor: str | None, before_s: float | None) -> bool:
    """Rewrite an export without the rows that are purged; delete it when none is left. Returns whether a file is left.

    Args:
        path: A file that is not (or no longer) an export is left alone and counts as gone.
        actor: As purge.
        before_s: As purge.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    _part_of(path).unlink(missing_ok=True)  # of a process that died
    if not is_export(path):
        return False
    part = _part_of(path)
    n_left = 0
    with pq.ParquetFile(path) as source, _open_writer(part) as writer:
        for batch in source.iter_batches(_ROWS_AT_ONCE):
            goes = np.ones(batch.num_rows, dtype=bool)
            if actor is not None:
                goes &= pc.equal(batch.column("actor"), actor).to_numpy(zero_copy_only=False)
            if before_s is not None:
                goes &= pc.less(batch.column("at_s"), before_s).to_numpy(zero_copy_only=False)
            kept = batch.filter(~goes)
            n_left += kept.num_rows
            writer.write_batch(kept)
    if n_left:
        part.replace(path)
    else:
        part.unlink()
        path.unlink()
    return n_left > 0


def _part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _open_writer(part: Path) -> Any:
    import pyarrow.parquet as pq

    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    return pq.ParquetWriter(str(part), _schema())


def _schema() -> Any:
    import pyarrow as pa

    by_model = pa.map_(pa.string(), pa.float64())
    fields = {
        "seq": pa.int64(), "decision_id": pa.string(), "at_s": pa.float64(), "actor": pa.string(),
        "query": pa.string(), "embedding": pa.list_(pa.float32()), "task": pa.string(), "model_id": pa.string(),
        "scores": by_model, "costs": by_model, "score_source": pa.string(), "policy": pa.string(),
        "reason": pa.string(), "propensity": pa.float64(), "router_version": pa.int64(), "rules_version": pa.int64(),
        "fit_id": pa.string(), "status": pa.int32(), "error_code": pa.string(), "finish_reason": pa.string(),
        "is_schema_valid": pa.bool_(), "n_prompt_tokens": pa.int64(), "n_completion_tokens": pa.int64(),
        "ttft_s": pa.float64(), "latency_s": pa.float64(), "answer": pa.string(), "preferred_answer": pa.string(),
        "comment": pa.string(), "decision": pa.string(),
    }  # fmt: skip
    return pa.schema([pa.field(name, kind) for name, kind in fields.items()], metadata={MARK: b"1"})


def _exported(row: Any) -> JsonObject:
    decision = Decision.model_validate_json(row.decision)
    outcome = Outcome.model_validate_json(row.outcome)
    embedding = None
    if row.embedding is not None:
        embedding = np.frombuffer(row.embedding, dtype="<f2").astype(np.float32)
    shared = ("error_code", "finish_reason", "is_schema_valid", "status", "ttft_s", "latency_s")
    return {
        "seq": row.seq,
        "decision_id": row.decision_id,
        "at_s": row.at_s,
        "actor": row.actor,
        "query": row.prompt,
        "embedding": embedding,
        "task": None if decision.profile is None else decision.profile.task_type,
        "model_id": row.model_id,
        "scores": {} if row.score is None else {row.model_id: row.score},
        "costs": {row.model_id: outcome.cost_usd},
        "score_source": row.score_source,
        "policy": decision.policy,
        "reason": decision.reason,
        "propensity": decision.propensity,
        "router_version": decision.router_version,
        "rules_version": decision.rules_version,
        "fit_id": row.fit_id or None,
        "n_prompt_tokens": outcome.n_prompt_tokens,
        "n_completion_tokens": outcome.n_completion_tokens,
        **{name: getattr(outcome, name) for name in shared},
        "answer": row.answer,
        "preferred_answer": row.preferred_answer,
        "comment": row.comment,
        "decision": row.decision,
    }
