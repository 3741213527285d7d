"""What a running server tells whoever looks for it on the same machine."""

from neuroforge.contracts.base import Contract


class RunState(Contract):
    """`$NEUROFORGE_HOME/run/server.json`: written when the server is ready, removed when it stops."""

    pid: int
    """Of the process that `neuroforge serve` runs in."""
    base_url: str
    """Of the OpenAI-compatible endpoint, with or without `/v1`."""
    dashboard_url: str | None = None
    ray_address: str | None = None
    session_dir: str | None = None
    """Ray's session directory: its `logs/` holds what the models and the gateway wrote."""
    started_at_s: float
    """Unix time."""
    config_path: str | None = None
    """The file that the settings came from; None = defaults and environment only."""
