"""Fetch what the settings preload, with progress bars, and check what they name, before anything is started."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from cluster.fleet_diff import is_preloaded
from neuroforge.assets.store import AssetStore
from neuroforge.errors import ConfigError, DataError
from neuroforge.settings import Settings


class ProgressBars:
    """One bar an asset, in a terminal; in a log file, one line when an asset begins."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=console
        )
        self._context: AbstractContextManager[object] = self._progress if console.is_terminal else nullcontext()

    def __enter__(self) -> "ProgressBars":
        self._context.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.__exit__(kind, error, trace)

    def __call__(self, name: str, done_bytes: int, total_bytes: int | None) -> None:
        """See neuroforge.assets.progress.Progress."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total_bytes)
            if not self._console.is_terminal:
                self._console.print(f"fetching {name} ...")
        self._progress.update(self._tasks[name], completed=done_bytes, total=total_bytes)


def needed_assets(settings: Settings) -> tuple[str, ...]:
    """Return the assets that serving begins with: of preloaded models, then the router's embedder."""
    names = [name for spec in settings.models if is_preloaded(spec) and (name := spec.asset_name) is not None]
    return tuple(dict.fromkeys([*names, settings.router.embedder]))


def fetch_assets(settings: Settings) -> list[Path]:
    """Return the directory of each needed asset, fetched if it was not there.

    Raises:
        AssetError: One cannot be had; says what was tried and what to do.
    """
    store = AssetStore(settings.storage.home)
    with ProgressBars(Console(stderr=True)) as bars:
        return [store.ensure(name, bars) for name in needed_assets(settings)]


def check_fit(settings: Settings) -> None:
    """Return if the router directory that the settings name can be applied, or if they name none.

    Raises:
        ConfigError: It cannot be; says why. Nothing was started.
    """
    directory = settings.router.fit
    if directory is None:
        return
    from cluster.router_parts import load_router_embedder  # numpy takes a while to import

    embedder = load_router_embedder(AssetStore(settings.storage.home), settings.router.embedder)
    refuse_unusable_fit(directory, embedder.sha256)


def refuse_unusable_fit(directory: Path, embedder_sha256: str) -> None:
    """As `check_fit`, of a directory."""
    from neuroforge.router.fit.artifact import load_router

    try:
        load_router(directory, embedder_sha256)
    except DataError as error:
        raise ConfigError(f"router.fit: {error.message}") from error
