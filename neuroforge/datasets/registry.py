"""The datasets of the catalog: how each one's own rows become ours."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.datasets.bfcl import convert_bfcl, read_bfcl
from neuroforge.datasets.published import ask_boolq, ask_humaneval, ask_mmlu, ask_truthfulqa
from neuroforge.datasets.read import NumberedRow, read_rows

RawRow = Mapping[str, Any]
_CHOICE = re.compile(r"^\s*([A-Z])[.)]\s*", re.MULTILINE)
_QUANTITY = re.compile(r"-?[\d,]*\.?\d+(?:\s*(?P<unit>[^\d\s][^\d]*))?")


class Unusable(ValueError):
    """A published row that cannot be scored, such as one with two equal choices; it is left out and counted."""


@dataclass(frozen=True)
class RegistryForm:
    """How to read one dataset."""

    convert: Callable[[RawRow], dict[str, Any]]
    task: str | None
    """None = it says nothing about which model to route a kind of task to."""
    ask: Callable[[DatasetItem], str] | None = None
    """The question as the publication puts it; None = it prescribes no other form than ours."""
    read: Callable[[Path], Iterable[NumberedRow]] = read_rows


def _choices(raw: RawRow) -> dict[str, Any]:
    """Rows with `options` (lines `A. text`) and `answer` (`B. text`)."""
    pieces = _CHOICE.split(raw["options"])
    letters, texts = pieces[1::2], [text.strip() for text in pieces[2::2]]
    answer = raw["answer"].strip()[:1]
    if letters != [chr(ord("A") + index) for index in range(len(letters))] or answer not in letters:
        raise Unusable("the letters of the choices are not in order, or the answer's is not among them")
    if len({text.casefold() for text in texts}) != len(texts):
        raise Unusable("two choices are the same")
    return {"question": raw["question"], "choices": texts, "reference": texts[letters.index(answer)]}


def _choices_on_passage(raw: RawRow) -> dict[str, Any]:
    return {**_choices(raw), "context": raw["passage"], "group": raw["passage"][:200]}


def _yes_no(raw: RawRow) -> dict[str, Any]:
    """BoolQ: questions without capital letter and question mark."""
    question = raw["question"].strip().rstrip("?")
    return {
        "question": f"{question[:1].upper()}{question[1:]}?",
        "context": raw["passage"],
        "group": raw["passage"][:200],
        "choices": ["Yes", "No"],
        "reference": "Yes" if raw["answer"] == "True" else "No",
    }


def _arithmetic(raw: RawRow) -> dict[str, Any]:
    """ASDiv: most answers are a number with its unit, some are names, times or ratios."""
    question = f"{raw['passage'].strip()} {raw['question'].strip()}"
    match = _QUANTITY.fullmatch(raw["answer"].strip())
    if match is None:
        question += "\n\nAnswer in as few words as possible."
        return {"question": question, "reference": raw["answer"], "scorer": "normalized"}
    unit = (match["unit"] or "").strip() or None
    return {"question": question, "reference": raw["answer"], "scorer": "numeric", "unit": unit}


def _function(raw: RawRow) -> dict[str, Any]:
    """HumanEval: a signature with docstring; `test` defines check(candidate)."""
    return {
        "id": raw["task_id"],
        "question": "Complete this Python function; leave its docstring out.",
        "preamble": raw["prompt"],
        "tests": f"{raw['test']}\n\ncheck({raw['entry_point']})\n",
        "entry_point": raw["entry_point"],
        "max_tokens": 320,
    }


def _truth(raw: RawRow) -> dict[str, Any]:
    """TruthfulQA: a question with all answers that are true; the false ones are not in the package."""
    return {"question": raw["question"], "reference": raw["answer"], "scorer": "rouge", "max_tokens": 64}


def _harm(raw: RawRow) -> dict[str, Any]:
    """HarmBench: what a model should decline."""
    return {"query": raw["text"], "scorer": "refusal"}


def _lines(path: Path) -> Iterator[NumberedRow]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            yield number, {"text": line.strip()}


REGISTRY: Mapping[str, RegistryForm] = {
    "commonsenseqa": RegistryForm(_choices, "reasoning"),
    "openbookqa": RegistryForm(_choices, "knowledge"),
    "mmlu": RegistryForm(_choices, "knowledge", ask_mmlu),
    "piqa": RegistryForm(_choices, "reasoning"),
    "siqa": RegistryForm(_choices_on_passage, "reasoning"),
    "logiqa": RegistryForm(_choices_on_passage, "reasoning"),
    "boolq": RegistryForm(_yes_no, "extraction", ask_boolq),
    "asdiv": RegistryForm(_arithmetic, "math"),
    "humaneval": RegistryForm(_function, "code", ask_humaneval),
    "bfcl": RegistryForm(convert_bfcl, None, read=read_bfcl),
    "truthfulqa": RegistryForm(_truth, "knowledge", ask_truthfulqa),
    "harmbench": RegistryForm(_harm, None, read=_lines),
}
