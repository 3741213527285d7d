"""A file of a run, which lies on the head node -> a response, piece by piece."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

from fastapi.responses import Response, StreamingResponse

from neuroforge.contracts.runs import FilePiece, FileSize

CHUNK_BYTES = 1 << 20
HTML = "text/html; charset=utf-8"
PARQUET = "application/vnd.apache.parquet"
_NO_SCRIPTS = {
    # A report holds models' answers; whatever stands in one may not run as the gateway's own page.
    "content-security-policy": "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:",
    "x-content-type-options": "nosniff",
}


class ReadsFiles(Protocol):
    """A desk of runs; which names there are is its own."""

    async def find_file(self, run_id: str, name: Any, /) -> FileSize:
        """How large it is."""
        ...

    async def read_file(self, run_id: str, name: Any, piece: FilePiece, /) -> bytes:
        """At most so many bytes. Raises ConflictError: it was written anew since `find_file`."""
        ...


async def stream_file(desk: ReadsFiles, run_id: str, name: str, media_type: str) -> Response:
    """Stream the file in pieces; its length is told first, so that a caller notices that it was written anew meanwhile.

    Then the stream ends early: the old file is gone, and a mixture would be read as one.
    """
    found = await desk.find_file(run_id, name)

    async def pieces() -> AsyncIterator[bytes]:
        for offset in range(0, found.n_bytes, CHUNK_BYTES):
            piece = FilePiece(version=found.version, offset=offset, n_bytes=CHUNK_BYTES)
            yield await desk.read_file(run_id, name, piece)

    called = {"content-disposition": f'inline; filename="{run_id}-{name}"'}
    headers = {"content-length": str(found.n_bytes), **called, **_NO_SCRIPTS}
    return StreamingResponse(pieces(), media_type=media_type, headers=headers)
