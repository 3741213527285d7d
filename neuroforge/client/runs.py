"""What clients share of all kinds of runs: items go up before, a run is waited for, its end is judged."""

import asyncio
import io
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from neuroforge.client import calls_experiments as calls
from neuroforge.client.calls import Call
from neuroforge.contracts.runs import RunStatus
from neuroforge.errors import ConflictError, EngineTimeout, EngineUnavailable, NotFound, RequestTooLarge

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
S = TypeVar("S", bound=RunStatus)
POLL_S = 1.0
PATIENCE_S = 60.0
"""For so long the gateway may not answer while a run is waited for: it goes on without the gateway."""
UNFINISHED = frozenset({"queued", "running"})
OnStatus = Callable[[S], object]
"""Called with each new status while waiting."""


class Watch(Generic[S]):
    """What a wait for one run, named for people, has seen."""

    def __init__(self, run: str, on_status: OnStatus[S] | None, timeout_s: float | None) -> None:
        self._run = run
        self._on_status = on_status
        self._deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        self._silent_since_s: float | None = None
        self._last: S | None = None

    def saw(self, status: S) -> bool:
        """Tell about it if it is new; return whether it is the end. Raises EngineTimeout."""
        self._silent_since_s = None
        if self._on_status is not None and status != self._last:
            self._on_status(status)
        self._last = status
        if status.state in UNFINISHED and self._deadline_s is not None and time.monotonic() > self._deadline_s:
            raise EngineTimeout(f"{self._run} is still {status.state}; it goes on without you")
        return status.state not in UNFINISHED

    def missed(self, error: EngineUnavailable | EngineTimeout) -> None:
        """Raise the error once it has lasted."""
        now_s = time.monotonic()
        self._silent_since_s = self._silent_since_s or now_s
        if now_s - self._silent_since_s > PATIENCE_S or (self._deadline_s is not None and now_s > self._deadline_s):
            raise error


class Runs:
    """The blocking client's part."""

    def __init__(self, send: Callable[[Call[Any]], Any]) -> None:
        self._send = send

    def _upload(self, uploads: Mapping[str, bytes]) -> None:
        """Send items, by their SHA-256, that the server does not have."""
        for sha256, content in uploads.items():
            try:
                self._sent(calls.find_items(sha256))
            except NotFound:
                self._put(sha256, content.decode())

    def _put(self, sha256: str, text: str, part_chars: int = calls.PART_CHARS) -> None:
        try:
            for part in calls.put_items(sha256, text, part_chars):
                self._sent(part)
        except RequestTooLarge:
            if part_chars <= calls.SMALLEST_PART_CHARS:
                raise
            self._put(sha256, text, part_chars // 4)

    def _wait(self, ask: Call[S], watch: Watch[S]) -> S:
        """Return the status when the run has ended, however it did."""
        while True:
            try:
                status = self._sent(ask)
            except (EngineUnavailable, EngineTimeout) as error:
                watch.missed(error)
            else:
                if watch.saw(status):
                    return status
            time.sleep(POLL_S)

    def _sent(self, call: Call[T]) -> T:
        answer: T = self._send(call)
        return answer


class AsyncRuns:
    """The async client's part."""

    def __init__(self, send: Callable[[Call[Any]], Awaitable[Any]]) -> None:
        self._send = send

    async def _upload(self, uploads: Mapping[str, bytes]) -> None:
        for sha256, content in uploads.items():
            try:
                await self._sent(calls.find_items(sha256))
            except NotFound:
                await self._put(sha256, content.decode())

    async def _put(self, sha256: str, text: str, part_chars: int = calls.PART_CHARS) -> None:
        try:
            for part in calls.put_items(sha256, text, part_chars):
                await self._sent(part)
        except RequestTooLarge:
            if part_chars <= calls.SMALLEST_PART_CHARS:
                raise
            await self._put(sha256, text, part_chars // 4)

    async def _wait(self, ask: Call[S], watch: Watch[S]) -> S:
        while True:
            try:
                status = await self._sent(ask)
            except (EngineUnavailable, EngineTimeout) as error:
                watch.missed(error)
            else:
                if watch.saw(status):
                    return status
            await asyncio.sleep(POLL_S)

    async def _sent(self, call: Call[T]) -> T:
        answer: T = await self._send(call)
        return answer


def check_ended_well(status: S, noun: str, resume: str, bad: frozenset[str] = frozenset({"failed", "cancelled"})) -> S:
    """Return the status.

    Args:
        noun: What it is, for people.
        resume: The command that goes on with one, up to its id.
        bad: Ends that leave nothing to read.
    Raises:
        ConflictError: There is nothing to read; says what to do.
    """
    if status.state in bad | UNFINISHED:
        why = f": {status.error}" if status.error else ""
        # An interrupted one's error says it already.
        hint = f"; go on with: {resume} {status.id}" if status.state in {"failed", "cancelled"} else ""
        raise ConflictError(f"{noun} {status.id} is {status.state}{why}{hint}", run_id=status.id)
    return status


def write(content: bytes, path: str | Path | None) -> bytes:
    """Return the content, written to the path if there is one."""
    if path is not None:
        Path(path).write_bytes(content)
    return content


def read_table(content: bytes) -> "pa.Table":
    """Decode Parquet."""
    import pyarrow.parquet as pq

    return pq.read_table(io.BytesIO(content))
