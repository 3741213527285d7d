"""What the launcher is told, as JSON on its command line."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class JailConfig:
    """One run."""

    root: str
    """An empty directory: the new root is mounted on it; without isolation it is the working directory."""
    argv: tuple[str, ...]
    """The program's command line; the program's text is put into `program_path`."""
    binds: tuple[str, ...]
    """Paths of the host that are shown read-only, at the same place."""
    status_fd: int
    """Where the launcher says `ready` or what went wrong, before the program has any say."""
    is_isolated: bool
    memory_bytes: int
    cpu_s: int
    n_processes: int
    disk_bytes: int

    def dump(self) -> str:
        """Return text that `load` reads back."""
        return json.dumps(asdict(self))

    @staticmethod
    def load(text: str) -> "JailConfig":
        """Read what `dump` wrote."""
        fields = json.loads(text)
        return JailConfig(**{**fields, "argv": tuple(fields["argv"]), "binds": tuple(fields["binds"])})


PROGRAM_NAME = "program.py"
