"""Items x models -> cells not yet in the journal, block by block -> answers, journalled as they come."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from neuroforge.contracts.datasets import Answer, DatasetItem
from neuroforge.contracts.ports import Clock
from neuroforge.datasets.ask import Asker, Contestant
from neuroforge.datasets.journal import Journal
from neuroforge.datasets.progress import Progress

BLOCK = 24
"""Items asked of one model before the next has its turn: models do not slow each other, and whole rows come early."""


class Labeler:
    """Runs cells until all are answered, the time is over, or `stop` is set; calls in flight are waited for."""

    def __init__(
        self,
        asker: Asker,
        journal: Journal,
        report: Callable[[Progress], None] = lambda _progress: None,
        clock: Clock = time.monotonic,
    ) -> None:
        """Args:
        report: Called after each cell, from the thread that called `run`.
        clock: Monotonic.
        """
        self._asker = asker
        self._journal = journal
        self._report = report
        self._clock = clock
        self.stop = threading.Event()

    def run(
        self, items: Sequence[DatasetItem], contestants: Sequence[Contestant], max_s: float | None = None
    ) -> Progress:
        """Return how far it came. A cell that failed is asked again by the next run, if its failure may pass.

        Args:
            items: In the order in which they are to be asked.
            max_s: Seconds after which no further call is started.
        Raises:
            DiskFull: The journal cannot be written; what it holds is whole.
        """
        started_s = self._clock()
        progress = Progress.of(contestants, len(items))
        known = self._journal.answers
        settled = {cell for cell, answer in known.items() if answer.error_code is None or not answer.is_retryable}
        cells = [(item, one, self._asker.cell_id(item, one)) for item, one in _in_blocks(items, contestants)]
        progress.count_earlier(known[cell] for _, _, cell in cells if cell in settled)
        todo = [(item, one) for item, one, cell in cells if cell not in settled]

        def is_over(model_id: str) -> bool:
            out_of_time = max_s is not None and self._clock() - started_s >= max_s
            return out_of_time or self.stop.is_set() or progress.by_model[model_id].is_down

        for contestant, block in _by_model(todo):
            for answer in self._ask_all(block, contestant, is_over):
                progress.count_new(answer, self._clock() - started_s)
                self._report(progress)
        progress.elapsed_s = self._clock() - started_s
        return progress

    def _ask_all(
        self, items: Sequence[DatasetItem], contestant: Contestant, is_over: Callable[[str], bool]
    ) -> Iterator[Answer]:
        """Keep the model's slots full; yield answers as they come, each after it was journalled."""
        waiting = list(reversed(items))
        running: set[Future[Answer]] = set()
        with ThreadPoolExecutor(contestant.n_slots) as pool:
            while True:
                while waiting and len(running) < contestant.n_slots and not is_over(contestant.model_id):
                    running.add(pool.submit(self._asker.ask, waiting.pop(), contestant))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    answer = future.result()
                    self._journal.append(answer)
                    yield answer


def _in_blocks(
    items: Sequence[DatasetItem], contestants: Sequence[Contestant]
) -> Iterator[tuple[DatasetItem, Contestant]]:
    for start in range(0, len(items), BLOCK):
        for contestant in contestants:
            for item in items[start : start + BLOCK]:
                yield item, contestant


def _by_model(todo: Sequence[tuple[DatasetItem, Contestant]]) -> Iterator[tuple[Contestant, list[DatasetItem]]]:
    """Stretches of the same model, as they stand."""
    block: list[DatasetItem] = []
    for index, (item, contestant) in enumerate(todo):
        block.append(item)
        if index + 1 == len(todo) or todo[index + 1][1] != contestant:
            yield contestant, block
            block = []
