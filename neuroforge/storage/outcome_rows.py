"""OutcomeRecord <-> the row that is kept of it: what the record level does not allow is not even in the row."""

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from neuroforge.contracts.outcomes import OutcomeRecord, RecordLevel
from neuroforge.contracts.routing import Decision, Outcome
from neuroforge.errors import StorageError

_TEXTS = {"answer"}


class OutcomeRow(NamedTuple):
    """Plain values: made in the replica, so that sending and storing many costs little."""

    decision_id: str
    at_s: float
    actor: str
    model_id: str
    router_version: int
    """Names the fit; not a column."""
    base_quality: float | None
    basis: bytes | None
    decision: str
    outcome: str
    embedding: bytes | None
    prompt: str | None
    answer: str | None
    is_failure: bool | None
    """Whether the outcome itself says 0 (True), a normal answer (False) or nothing (None); not a column."""


def row_of(record: OutcomeRecord, level: RecordLevel, is_failure: bool | None) -> OutcomeRow:
    """Return what may be kept of a record at this level, which is not `none`."""
    has_embedding, has_text = level in ("embedding", "text"), level == "text"
    answer = record.answer if record.answer is not None else record.outcome.answer
    return OutcomeRow(
        decision_id=record.decision.decision_id,
        at_s=record.at_s,
        actor=record.actor,
        model_id=record.outcome.model_id,
        router_version=record.decision.router_version,
        base_quality=record.base_quality,
        basis=None if record.basis is None else basis_bytes(record.basis),
        decision=record.decision.model_dump_json(exclude_defaults=True),
        outcome=record.outcome.model_dump_json(exclude_defaults=True, exclude=_TEXTS),
        embedding=record.embedding if has_embedding else None,
        prompt=storable_text(record.prompt) if has_text else None,
        answer=storable_text(answer) if has_text else None,
        is_failure=is_failure,
    )


def storable_text(text: str | None) -> str | None:
    """Return the text as every database takes it: without NUL and half surrogate pairs."""
    if text is None:
        return None
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def record_of(row: Any, database: str, with_embedding: bool = False) -> OutcomeRecord:
    """Return the record of a row of nf_outcomes.

    Raises:
        StorageError: The row is not a record of this version.
    """
    try:
        return OutcomeRecord(
            at_s=row.at_s,
            decision=Decision.model_validate_json(row.decision),
            outcome=Outcome.model_validate_json(row.outcome),
            actor=row.actor,
            embedding=row.embedding if with_embedding else None,
            basis=None if row.basis is None else tuple(basis_floats(row.basis)),
            base_quality=row.base_quality,
            prompt=row.prompt,
            answer=row.answer,
            score=row.score,
            score_source=row.score_source,
        )
    except ValidationError as error:
        raise StorageError(
            f"{database}: outcome {row.decision_id!r} cannot be read: {error.errors()[0]['msg']}; "
            f"`neuroforge data purge` removes what cannot be read",
            database=database,
        ) from error


def basis_bytes(basis: Sequence[float]) -> bytes:
    """Return the basis as it is stored."""
    return array("f", basis).tobytes()


def basis_floats(data: bytes) -> "array[float]":
    """Return the basis as numbers."""
    numbers = array("f")
    numbers.frombytes(data)
    return numbers
