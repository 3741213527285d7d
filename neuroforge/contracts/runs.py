"""Long runs of the server, whatever they do: how one stands, how it ends, and what is uploaded for it."""

import secrets
from typing import Literal

from pydantic import Field

from neuroforge.contracts.base import Contract

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
START_KEY = r"^[0-9a-f]{8,32}$"
"""What callers may take as the key of a start."""
MAX_ITEM_PARTS = 4096

RunState = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
"""interrupted: its process died or its budget ended with work left; `resume` goes on with it."""
RunAction = Literal["run", "rescore"]
"""run: what it is for; rescore, of an experiment: score, analyse and report again without a call."""


def new_start_key() -> str:
    """Return what tells one start of a run from another; the run's id ends with it.

    Who makes it before the call, and keeps it, finds the run again whatever became of the call.
    """
    return secrets.token_hex(4)


class RunStatus(Contract):
    """Where a run stands; each kind adds its configuration and its progress."""

    id: str
    name: str
    state: RunState
    created_at_s: float
    ended_at_s: float | None = None
    error: str | None = None
    directory: str | None = None
    """On the server: everything that it keeps."""
    notes: tuple[str, ...] = ()
    """What did not go as wished and did not end it, such as a tracker that was down."""
    tracked_at: str | None = None
    """Address of its run in the tracker."""


class RunEnd(Contract):
    """How a run's process ended."""

    state: RunState
    """done, failed, cancelled or interrupted."""
    error: str | None = None
    notes: tuple[str, ...] = ()
    tracked_at: str | None = None


class FileSize(Contract):
    """A result file, before it is read in pieces."""

    n_bytes: int = Field(ge=0)
    version: str
    """Another one as soon as the file was written anew."""


class FilePiece(Contract):
    """What to read of a result file."""

    version: str
    """Of FileSize: pieces of two versions make no file."""
    offset: int = Field(ge=0)
    n_bytes: int = Field(ge=1)


class ItemsPart(Contract):
    """PUT /admin/v1/experiments/items: one piece of a JSONL text, a DatasetItem a line, known by its own content."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the whole text in UTF-8."""
    index: int = Field(default=0, ge=0, lt=MAX_ITEM_PARTS)
    n_parts: int = Field(default=1, ge=1, le=MAX_ITEM_PARTS)
    lines: str = Field(min_length=1, repr=False)
    """This part of the text, cut anywhere."""


class ItemsReceipt(Contract):
    """What the server has of an upload."""

    sha256: str
    n_items: int | None = Field(default=None, ge=0)
    """None = parts are missing still."""
    missing: tuple[int, ...] = ()
    """Parts that have not come."""
