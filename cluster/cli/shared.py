"""What every command can ask for: the options before the command's name, the settings, a client, the running server."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from neuroforge.client import Client
    from neuroforge.contracts.server import RunState
    from neuroforge.settings import Settings

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; else the first of the usual places.", dir_okay=False),
]
OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Work on the database itself, even if a server runs or is named.")
]
CALL_TIMEOUT_S = 30.0
"""For commands that a person waits for."""


@dataclass(frozen=True)
class Shared:
    """Options that stand before the command's name."""

    config: Path | None = None
    url: str | None = None

    def settings(self, config: Path | None = None) -> "Settings":
        """Return the effective settings; `config` wins over the option before the command."""
        from neuroforge.settings import load_settings

        return load_settings(config or self.config)

    def config_path(self, config: Path | None = None) -> Path | None:
        """Return the file that `settings` reads, or None when there is none."""
        from neuroforge.settings import find_config

        return config or self.config or find_config(os.environ)

    def client(self, timeout_s: float = CALL_TIMEOUT_S) -> "Client":
        """Return a client of the server that is meant."""
        from neuroforge.client import Client
        from neuroforge.client.locate import find_key

        return Client(self.server_url(), find_key(None), timeout_s)

    def server_url(self) -> str:
        """Return where the server is, or would be."""
        from neuroforge.client.locate import find_url, url_of

        if self.url is None and self.config is not None:
            state = self.run_state()
            gateway = self.settings().gateway
            return find_url(state.base_url if state is not None else url_of(gateway.host, gateway.port))
        return find_url(self.url)

    def run_state(self) -> "RunState | None":
        """Return what the server that runs on this machine says of itself; None when none is alive."""
        from cluster.run_state import read_live_run_state

        return read_live_run_state(self.home())

    def home(self) -> Path:
        """Return the directory where state lives."""
        return self.settings().storage.home


def shared(context: typer.Context) -> Shared:
    """Return the options that the root command took."""
    found = context.find_object(Shared)
    return found if found is not None else Shared()
