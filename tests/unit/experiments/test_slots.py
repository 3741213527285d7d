"""How many calls at once, and whose turn."""

import asyncio

from neuroforge.experiments.slots import SlotGate, Turnstile


async def test_a_refusal_halves_and_answers_bring_slots_back() -> None:
    gate = SlotGate(8, 8)
    gate.refused()
    assert gate.limit == 4
    gate.refused()
    gate.refused()
    gate.refused()
    assert gate.limit == 1
    gate.answered()
    assert gate.limit == 2
    for _ in range(100):
        gate.answered()
    assert gate.limit == 8


async def test_never_more_pass_than_there_are_slots() -> None:
    gate, n_inside, most = SlotGate(3, 3), 0, 0

    async def call() -> None:
        nonlocal n_inside, most
        async with gate.slot():
            n_inside += 1
            most = max(most, n_inside)
            await asyncio.sleep(0)
            n_inside -= 1

    await asyncio.gather(*(call() for _ in range(20)))
    assert (most, n_inside) == (3, 0)


async def test_a_cancelled_wait_gives_its_turn_to_the_next() -> None:
    gate, passed = SlotGate(1, 1), []

    async def call(name: str) -> None:
        async with gate.slot():
            passed.append(name)

    async with gate.slot():
        waiting = [asyncio.create_task(call(name)) for name in ("a", "b")]
        await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert passed == ["b"]


async def test_models_take_turns_in_the_order_of_arrival() -> None:
    turnstile, seen = Turnstile(), []

    async def batch(model: str, name: str) -> None:
        async with turnstile.turn(model):
            seen.append(f"in {name}")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            seen.append(f"out {name}")

    await asyncio.gather(batch("a", "a1"), batch("a", "a2"), batch("b", "b1"), batch("a", "a3"))
    assert seen == ["in a1", "in a2", "out a1", "out a2", "in b1", "out b1", "in a3", "out a3"]
