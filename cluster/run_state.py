"""`$NEUROFORGE_HOME/run/server.json`: how stop, status and clients on this machine find the running server."""

from pathlib import Path

from cluster.processes import is_alive
from neuroforge.client.locate import read_run_state, run_state_path
from neuroforge.contracts.server import RunState
from neuroforge.storage.files import write_whole

__all__ = ["RunState", "read_live_run_state", "read_run_state", "remove_run_state", "write_run_state"]


def write_run_state(home: Path, state: RunState) -> None:
    """Put the description in place in one step, readable by its owner only."""
    path = run_state_path(home)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(path, state.model_dump_json(indent=2).encode())


def remove_run_state(home: Path) -> None:
    """Remove the description; none there is fine."""
    run_state_path(home).unlink(missing_ok=True)


def read_live_run_state(home: Path) -> RunState | None:
    """Return the description of a server whose process exists, else None."""
    state = read_run_state(home)
    return state if state is not None and is_alive(state.pid) else None
