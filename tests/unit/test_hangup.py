"""When the watcher begins, and that a fast answer goes without it."""

import asyncio

import pytest
from starlette.types import Message

from neuroforge.hangup import ClientGoneError, Watch


class HungUp:
    """A caller who has gone; counts how often it was looked at."""

    def __init__(self) -> None:
        self.n_looks = 0

    async def __call__(self) -> Message:
        self.n_looks += 1
        return {"type": "http.disconnect"}


async def test_a_fast_answer_is_not_watched() -> None:
    caller = HungUp()
    async with Watch(caller, begin_after_s=60):
        await asyncio.sleep(0)
    assert caller.n_looks == 0


async def test_a_slow_answer_ends_when_the_caller_has_gone() -> None:
    with pytest.raises(ClientGoneError):
        async with Watch(HungUp(), begin_after_s=0), asyncio.timeout(5):
            await asyncio.Event().wait()
