import asyncio
from contextlib import AsyncExitStack

import pytest

from neuroforge.engines.llamacpp_gate import SlotGate
from neuroforge.errors import EngineOverloaded


def gate(n_slots: int = 1, max_queue: int = 1) -> SlotGate:
    return SlotGate("m", n_slots, max_queue, lambda: 2.5)


class Holder:
    """Somebody who takes slots and keeps them until told."""

    def __init__(self, gate: SlotGate, n_slots: int = 1) -> None:
        self.has_slot = asyncio.Event()
        self._leave = asyncio.Event()
        self.task = asyncio.create_task(self._run(gate, n_slots))

    async def _run(self, gate: SlotGate, n_slots: int) -> None:
        async with gate.hold(n_slots):
            self.has_slot.set()
            await self._leave.wait()

    async def leave(self) -> None:
        self._leave.set()
        await self.task


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_waiting_requests_are_served_in_order() -> None:
    slots = gate(n_slots=1, max_queue=2)
    first = Holder(slots)
    await first.has_slot.wait()
    second, third = Holder(slots), Holder(slots)
    await settle()
    assert slots.n_waiting == 2
    await first.leave()
    await second.has_slot.wait()
    assert not third.has_slot.is_set()
    await second.leave()
    await third.leave()
    assert (slots.n_held, slots.n_waiting) == (0, 0)


async def test_a_full_queue_refuses_with_a_time() -> None:
    slots = gate(n_slots=1, max_queue=0)
    async with slots.hold():
        with pytest.raises(EngineOverloaded) as caught:
            async with slots.hold():
                raise AssertionError
    assert caught.value.context["retry_after_s"] == 2.5


async def test_a_cancelled_waiter_leaves_the_queue() -> None:
    slots = gate()
    async with slots.hold():
        waiter = Holder(slots)
        await settle()
        waiter.task.cancel()
        await settle()
        assert slots.n_waiting == 0
    assert slots.n_held == 0


async def test_a_waiter_cancelled_at_its_turn_hands_the_slot_on() -> None:
    slots = gate(max_queue=2)
    first = Holder(slots)
    await first.has_slot.wait()
    second, third = Holder(slots), Holder(slots)
    await settle()
    first._leave.set()
    await first.task
    second.task.cancel()
    await third.has_slot.wait()
    await third.leave()
    assert slots.n_held == 0


async def test_a_small_request_does_not_overtake_a_large_one() -> None:
    slots = gate(n_slots=2, max_queue=2)
    first = Holder(slots)
    await first.has_slot.wait()
    large, small = Holder(slots, n_slots=2), Holder(slots)
    await settle()
    assert not small.has_slot.is_set()
    await first.leave()
    await large.has_slot.wait()
    assert not small.has_slot.is_set()
    await large.leave()
    await small.leave()


async def test_cancelling_a_large_waiter_lets_the_small_one_behind_it_in() -> None:
    slots = gate(n_slots=2, max_queue=2)
    async with slots.hold():
        large, small = Holder(slots, n_slots=2), Holder(slots)
        await settle()
        large.task.cancel()
        await small.has_slot.wait()
        await small.leave()


async def test_more_slots_than_there_are_means_all() -> None:
    slots = gate(n_slots=2)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(slots.hold(5))
        assert slots.n_held == 2
