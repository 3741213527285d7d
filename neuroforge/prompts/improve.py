"""Wishes of the search -> instructions written by models that have shown they can; what they write is checked."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from neuroforge.contracts.answers import content_of
from neuroforge.contracts.optimize import Finding
from neuroforge.contracts.prompts import PromptCandidate, PromptProgram
from neuroforge.contracts.routing import AS_NAMED
from neuroforge.errors import NeuroForgeError
from neuroforge.prompts.ask import Models
from neuroforge.prompts.evolution_state import Wish

MAX_INSTRUCTION_CHARS = 800
MAX_TOKENS = 200
_PROBES = (
    "Read the text and say which of the labels fits it best.",
    "Solve the word problem and give the number that is asked for.",
    "Translate the sentence into French and write nothing else.",
)
"""Instructions whose paraphrase is easy to check: a model that fails at two of them writes no prompts."""
_META = re.compile(r"\b(?:sure|certainly|here is|here's|as an ai|i'm sorry|i cannot|rewritten|paraphras\w*)\b", re.I)
_FENCE = re.compile(r"```(?:\w*\n)?(.*?)```", re.S)
_WORD = re.compile(r"[a-z]{4,}")

N_PROBES = len(_PROBES)
Failure = tuple[str, str, str]
"""Question, what the model said, what was right."""


class NotingModels(Models, Protocol):
    """`Models` that also keep who wrote what."""

    def note_written(self, model_id: str, task: str, place: int) -> None:
        """Note that the model's text for the task, its `place`th try, is of use; noted again it counts once."""
        ...


@dataclass
class Proposer:
    """`search.Proposes` over the fleet: each wish goes to the next of the models."""

    client: NotingModels
    model_ids: Sequence[str]
    failures_of: Callable[[str], Sequence[Failure]]
    """Of a candidate, by its id."""

    async def propose(self, wish: Wish, parents: tuple[PromptCandidate, ...]) -> PromptProgram | None:
        """As Proposes.propose."""
        base = parents[0].program
        match wish.operator:
            case "paraphrase":
                task = _paraphrase(base.instruction)
            case "combine":
                task = _combine(base.instruction, parents[-1].program.instruction)
            case "reflect":
                task = _reflect(base.instruction, self.failures_of(parents[0].id))
        return await self.write(task, base, place=int(wish.id.rpartition("-")[2]))

    async def improve(self, base: PromptProgram, finding: Finding, place: int = 0) -> PromptProgram | None:
        """Return the program with an instruction that mends what was found, or None."""
        return await self.write(_mend(base.instruction, finding), base, place)

    async def write(self, task: str, base: PromptProgram, place: int) -> PromptProgram | None:
        """Return the program with the instruction that a model wrote; None where it is of no use."""
        if not self.model_ids or not base.instruction.strip():
            return None
        model_id = self.model_ids[place % len(self.model_ids)]
        try:
            text = await self._ask(task, model_id, place)
        except NeuroForgeError:
            return None  # a model that is down writes nothing; the search goes on without it
        instruction = read_instruction(text, base.instruction)
        if instruction is None:
            return None
        self.client.note_written(model_id, task, place)
        return PromptProgram(**{**dict(base), "instruction": instruction})

    async def _ask(self, task: str, model_id: str, seed: int) -> str:
        body = await self.client.chat(
            [{"role": "user", "content": task}],
            model=model_id,
            temperature=0.8,
            seed=seed,
            max_tokens=MAX_TOKENS,
            neuroforge=AS_NAMED,
        )
        return content_of(body) or ""


async def find_writers(client: Models, model_ids: Sequence[str]) -> tuple[str, ...]:
    """Return the models that can write prompts: those whose paraphrases of known instructions pass the checks.

    Small models mostly cannot, and what they write would be noise that costs calls. Measured anew in each run.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_can_write(client, model_id)) for model_id in model_ids]
    return tuple(model_id for model_id, task in zip(model_ids, tasks, strict=True) if task.result())


def read_instruction(text: str, parent: str) -> str | None:
    """Return the instruction in a model's reply; None where it is none: empty, too long, talk about the task, a copy.

    It must keep some of the parent's words, or it is about something else, and not all of them.
    """
    fenced = _FENCE.search(text)
    found = (fenced[1] if fenced else text).strip()
    found = re.sub(r"^(?:(?:new |improved |rewritten )?(?:instruction|prompt)s?)\s*:\s*", "", found, flags=re.I)
    found = found.strip().strip('"').strip()
    if not found or len(found) > MAX_INSTRUCTION_CHARS or _META.search(found[:80]) or "{{" in found:
        return None
    mine, theirs = set(_WORD.findall(parent.casefold())), set(_WORD.findall(found.casefold()))
    if found.casefold() == parent.casefold() or (mine and not mine & theirs):
        return None
    return found


async def _can_write(client: Models, model_id: str) -> bool:
    n_passed = 0
    for number, probe in enumerate(_PROBES):
        try:
            body = await client.chat(
                [{"role": "user", "content": _paraphrase(probe)}],
                model=model_id,
                temperature=0.0,
                seed=number,
                max_tokens=MAX_TOKENS,
                neuroforge=AS_NAMED,
            )
        except NeuroForgeError:
            return False
        n_passed += read_instruction(content_of(body) or "", probe) is not None
    return n_passed >= 2


def _paraphrase(instruction: str) -> str:
    return (
        f"Rewrite this instruction in other words. Keep its meaning exactly.\n\n<instruction>\n{instruction}\n"
        "</instruction>\n\nReply with the new instruction and nothing else."
    )


def _combine(one: str, other: str) -> str:
    return (
        f"Two instructions for the same task:\n\n<first>\n{one}\n</first>\n<second>\n{other}\n</second>\n\n"
        "Write one instruction that has the best of both. Reply with the new instruction and nothing else."
    )


def _reflect(instruction: str, failures: Sequence[Failure]) -> str:
    shown = "\n\n".join(
        f"Question: {question[:400]}\nAnswer given: {given[:200]}\nRight answer: {right[:200]}"
        for question, given, right in failures[:3]
    )
    return (
        f"This instruction led to wrong answers.\n\n<instruction>\n{instruction}\n</instruction>\n\n{shown}\n\n"
        "Write a better instruction for the same task, which would have avoided these mistakes. Do not mention the "
        "questions above. Reply with the new instruction and nothing else."
    )


def _mend(instruction: str, finding: Finding) -> str:
    return (
        f"Improve the {finding.aspect} of this instruction. What was found: {finding.text[:300]}\n\n<instruction>\n"
        f"{instruction}\n</instruction>\n\nReply with the new instruction and nothing else."
    )
