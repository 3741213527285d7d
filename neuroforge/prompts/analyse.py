"""A prompt -> findings on clarity, specificity and effectiveness, each with a score: by rules, and by models."""

import asyncio
import math
import re
from collections.abc import Sequence
from typing import Literal

from neuroforge.contracts.answers import content_of
from neuroforge.contracts.optimize import Finding
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.contracts.routing import AS_NAMED
from neuroforge.errors import NeuroForgeError
from neuroforge.prompts.ask import Models
from neuroforge.prompts.render import to_text
from neuroforge.prompts.space import TaskKind

Aspect = Literal["clarity", "specificity", "effectiveness"]
ASPECTS: tuple[Aspect, ...] = ("clarity", "specificity", "effectiveness")
LONG_SENTENCE_WORDS = 35
LONG_PROMPT_WORDS = 400
_VAGUE = re.compile(
    r"\b(?:appropriate\w*|etc|some(?:how|thing)?|stuff|things|good|nice|as needed|if possible|maybe)\b", re.I
)
_FORMAT = re.compile(
    r"\b(?:json|list|letter|number|one word|one line|label|sentence|format|reply with|only|exactly)\b", re.I
)
_QUESTIONS: dict[Aspect, str] = {
    "clarity": "Is it clear, without doubt, what this prompt asks for?",
    "specificity": "Does this prompt say exactly what form the answer must have?",
    "effectiveness": "Would a language model that follows this prompt give right answers?",
}
_MAX_REMARK_TOKENS = 60


def analyse_by_rules(program: PromptProgram, kind: TaskKind) -> tuple[Finding, ...]:
    """Return what can be told without a model: one finding for each fault, or one that says there is none."""
    faults: dict[Aspect, list[tuple[float, str]]] = {aspect: [] for aspect in ASPECTS}
    text = to_text(program)
    own = " ".join(filter(None, (program.role, program.instruction, *program.constraints, program.output_format)))
    longest = max((len(one.split()) for one in re.split(r"[.!?\n]+", own)), default=0)
    if not program.instruction.strip():
        faults["clarity"].append((0.5, "there is no instruction: say what is to be done"))
    if longest > LONG_SENTENCE_WORDS:
        faults["clarity"].append((0.2, f"a sentence of {longest} words: say it in shorter ones"))
    if vague := sorted({one.lower() for one in _VAGUE.findall(own)}):
        faults["clarity"].append((min(0.4, 0.1 * len(vague)), f"vague words ({', '.join(vague)}): say what is meant"))
    if program.output_format is None and not _FORMAT.search(own):
        faults["specificity"].append((0.4, "nothing says what form the answer must have: add an output format"))
    if not program.constraints and not program.demonstrations:
        faults["specificity"].append((0.2, "neither rules nor examples narrow down what is wanted"))
    if not program.demonstrations:
        faults["effectiveness"].append((0.3, "no examples: a few gain most, with small models above all"))
    if kind in ("numeric", "code") and program.reasoning_cue is None:
        faults["effectiveness"].append((0.2, f"no room to reason, which {kind} tasks mostly need"))
    if len(text.split()) > LONG_PROMPT_WORDS and not program.demonstrations:
        faults["effectiveness"].append((0.2, f"{len(text.split())} words without an example: small models lose track"))
    found = []
    for aspect, ones in faults.items():
        score = max(0.0, 1.0 - sum(weight for weight, _ in ones))
        texts = [told for _, told in ones] or ["no fault was found by rules"]
        found += [Finding(aspect=aspect, score=score, text=told, found_by="rules") for told in texts]
    return tuple(found)


async def analyse_by_models(
    program: PromptProgram, client: Models, model_ids: Sequence[str]
) -> tuple[tuple[Finding, ...], dict[str, str]]:
    """Return each model's findings, and why the others have none.

    The score is the probability that the model says yes to a plain question on the aspect, which small models can do;
    the remark is its own words, and may be of little use.
    """
    text = to_text(program)
    jobs = [(model_id, aspect) for model_id in model_ids for aspect in ASPECTS]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_ask(client, model_id, aspect, text)) for model_id, aspect in jobs]
    found, refused = [], {}
    for (model_id, _), task in zip(jobs, tasks, strict=True):
        told = task.result()
        if isinstance(told, Finding):
            found.append(told)
        else:
            refused[model_id] = told
    return tuple(found), refused


async def _ask(client: Models, model_id: str, aspect: Aspect, prompt: str) -> Finding | str:
    question = f"Here is a prompt for a language model.\n\n<prompt>\n{prompt}</prompt>\n\n{_QUESTIONS[aspect]}"
    asked = [{"role": "user", "content": f"{question} Answer Yes or No."}]
    remark = [{"role": "user", "content": f"{question} Name the one thing that should change, in one sentence."}]
    try:
        found = await client.label_logprobs(asked, ["Yes", "No"], model_id)
        body = await client.chat(
            remark, model=model_id, temperature=0.0, seed=0, max_tokens=_MAX_REMARK_TOKENS, neuroforge=AS_NAMED
        )
    except NeuroForgeError as error:
        return error.code
    yes, no = (math.exp(one.logprob - max(score.logprob for score in found.scores)) for one in found.scores)
    text = " ".join((content_of(body) or "").split()) or "it said nothing"
    return Finding(aspect=aspect, score=yes / (yes + no), text=text, found_by=model_id)
