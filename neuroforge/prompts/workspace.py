"""A run's files while it works: results, calls beside them, the time; opened and closed together."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.models import Price
from neuroforge.contracts.ports import Clock
from neuroforge.prompts.ask import Models
from neuroforge.prompts.earlier import Earlier, read_earlier
from neuroforge.prompts.remember import BESIDE, RememberingModels
from neuroforge.prompts.results import RESULTS, ResultLog
from neuroforge.prompts.spend import Spent
from neuroforge.prompts.stopwatch import ELAPSED, Stopwatch


@dataclass(frozen=True)
class Workspace:
    """What a process writes while it works in a run's directory."""

    directory: Path
    log: ResultLog
    beside: RememberingModels
    """Asks for what is not measured."""
    watch: Stopwatch
    earlier: Earlier
    """Of the runs beside this one, as they were when it was opened."""

    def spent(self) -> Spent:
        """Return what the run took so far, over all its starts."""
        return self.log.spent.plus(self.beside.spent)


@contextmanager
def open_workspace(
    directory: Path,
    client: Models,
    price_by_model: Mapping[str, Price],
    test: Sequence[DatasetItem],
    clock: Clock,
) -> Iterator[Workspace]:
    """Open the files of a directory that was claimed.

    Args:
        test: Items on which nothing may be learned from earlier runs.
    Raises:
        ConflictError: Another process works there. DataError: A file holds what none of ours would.
    """
    with ExitStack() as stack:
        log = ResultLog(directory / RESULTS, clock)
        stack.callback(log.close)
        beside = RememberingModels(client, price_by_model, directory / BESIDE, clock)
        stack.callback(beside.close)
        watch = Stopwatch(directory / ELAPSED, clock)
        stack.callback(watch.keep)
        yield Workspace(directory, log, beside, watch, read_earlier(directory, test))
