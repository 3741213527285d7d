import asyncio
import threading

from cluster.prompt_work import PromptWork
from cluster.run_work import RunWork
from neuroforge.contracts.runs import RunEnd
from neuroforge.errors import DiskFull
from neuroforge.settings import Settings
from tests.unit.gateway.fakes_prompt_runs import status

DONE = RunEnd(state="done")


class Counted(RunWork):
    def __init__(self, error: Exception | None = None) -> None:
        super().__init__("opt-1")
        self.error = error
        self.n_begun = 0

    def cancel(self) -> None:
        return

    async def work(self) -> RunEnd:
        self.n_begun += 1
        if self.error is not None:
            raise self.error
        return DONE


class Endless(PromptWork):
    """An optimisation that waits for a model for ever."""

    def __init__(self) -> None:
        super().__init__(Settings(), status())
        self.has_begun = threading.Event()
        self.is_given_up = False

    async def _optimize(self) -> RunEnd:
        self.has_begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.is_given_up = True
            raise
        return DONE


def test_a_run_asked_twice_works_once() -> None:
    work = Counted()
    assert (work.run(), work.run(), work.n_begun) == (DONE, DONE, 1)


def test_our_own_errors_are_how_it_ended() -> None:
    assert Counted(DiskFull("no space left")).run() == RunEnd(state="failed", error="no space left")


def test_a_cancel_from_another_thread_gives_up_what_is_awaited() -> None:
    work, ends = Endless(), []
    thread = threading.Thread(target=lambda: ends.append(work.run()))
    thread.start()
    assert work.has_begun.wait(10)
    work.cancel()
    thread.join(10)
    assert (ends, work.is_given_up) == ([RunEnd(state="cancelled")], True)


def test_a_cancel_before_the_start_lets_nothing_begin() -> None:
    work = Endless()
    work.cancel()
    assert (work.run(), work.has_begun.is_set()) == (RunEnd(state="cancelled"), False)


def test_a_cancel_after_the_end_changes_nothing() -> None:
    work = Endless()
    work.cancel()
    end = work.run()
    work.cancel()
    assert work.run() == end
