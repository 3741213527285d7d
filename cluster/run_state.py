"""`$NEUROFORGE_HOME/run/server.json`: how stop, status and clients on this machine find the running server."""

import os
import tempfile
from pathlib import Path

from cluster.processes import is_alive
from neuroforge.client.locate import read_run_state, run_state_path
from neuroforge.contracts.server import RunState

__all__ = ["RunState", "read_live_run_state", "read_run_state", "remove_run_state", "write_run_state"]


def write_run_state(home: Path, state: RunState) -> None:
    """Put the description in place in one step, readable by its owner only."""
    path = run_state_path(home)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".server-")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(state.model_dump_json(indent=2))
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def remove_run_state(home: Path) -> None:
    """Remove the description; none there is fine."""
    run_state_path(home).unlink(missing_ok=True)


def read_live_run_state(home: Path) -> RunState | None:
    """Return the description of a server whose process exists, else None."""
    state = read_run_state(home)
    return state if state is not None and is_alive(state.pid) else None
