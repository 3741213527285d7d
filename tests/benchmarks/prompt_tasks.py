"""The field's tasks: a seed prompt, 60 items to optimise on and 200 to test on, the same for every method and seed."""

import csv
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.datasets.pipeline import Assets, load_dataset
from neuroforge.errors import DataError

N_TRAIN, N_TEST = 60, 200
LONGEST_QUESTION = 240
"""Characters: longer ones only cost time on a machine without a GPU."""
CLINC_WORDS = {
    "banking": "banking",
    "credit_cards": "credit",
    "kitchen_and_dining": "kitchen",
    "home": "home",
    "auto_and_commute": "car",
    "travel": "travel",
    "utility": "tools",
    "work": "work",
    "small_talk": "chat",
    "meta": "settings",
}
"""Domain -> its label, one word each."""
BANKING_WORDS = {
    "card_arrival": "delivery",
    "lost_or_stolen_card": "lost",
    "exchange_rate": "exchange",
    "terminate_account": "closing",
    "change_pin": "pin",
    "topping_up_by_card": "topup",
    "cash_withdrawal_charge": "fee",
    "age_limit": "age",
}
"""Eight of the 77 intents -> their labels."""


@dataclass(frozen=True)
class PromptTask:
    """What every method is given; only its own code looks at `test`."""

    name: str
    prompt: str
    """The seed, with `{{ query }}`."""
    train: tuple[DatasetItem, ...]
    test: tuple[DatasetItem, ...]


def load_tasks(data: Path | None, assets: Assets) -> list[PromptTask]:
    """Return five tasks of the directory's public sets; without one, those that the registries carry.

    Raises:
        DataError: A file is missing, or has too few short questions.
    """
    if data is None:
        return [_task(name, _CHOICE, load_dataset(name, assets).items) for name in ("openbookqa", "commonsenseqa")]
    return [load(data) for load in TASKS.values()]


def _task(name: str, prompt: str, items: Iterable[DatasetItem]) -> PromptTask:
    short = [one for one in items if len(one.query) <= LONGEST_QUESTION]
    distinct = list({" ".join(one.query.split()).casefold(): one for one in short}.values())
    if len(distinct) < N_TRAIN + N_TEST:
        raise DataError(f"{name}: {len(distinct)} short questions, {N_TRAIN + N_TEST} are needed")
    drawn = random.Random(name).sample(distinct, N_TRAIN + N_TEST)
    return PromptTask(name, prompt, tuple(drawn[:N_TRAIN]), tuple(drawn[N_TRAIN:]))


def _labelled(name: str, pairs: Iterable[tuple[str, str]], max_tokens: int = 8) -> list[DatasetItem]:
    return [
        DatasetItem(
            id=f"{name}-{place}",
            dataset=name,
            query=question,
            scorer="normalized",
            references=(answer,),
            max_tokens=max_tokens,
        )
        for place, (question, answer) in enumerate(pairs)
    ]


def _clinc(data: Path) -> PromptTask:
    domains = json.loads((data / "clinc150" / "domains.json").read_text())
    word_by_intent = {intent: CLINC_WORDS[domain] for domain, intents in domains.items() for intent in intents}
    rows = json.loads((data / "clinc150" / "data_small.json").read_text())["test"]
    items = _labelled("clinc-domains", [(text, word_by_intent[intent]) for text, intent in rows])
    return _task("clinc-domains", _listing("Name the topic of the request", CLINC_WORDS), items)


def _banking(data: Path) -> PromptTask:
    with (data / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    items = _labelled("banking-intents", [(text, BANKING_WORDS[one]) for text, one in rows if one in BANKING_WORDS])
    return _task("banking-intents", _listing("Name what the customer's message is about", BANKING_WORDS), items)


def _induced(name: str, prompt: str) -> Callable[[Path], PromptTask]:
    def load(data: Path) -> PromptTask:
        raw = data / "instruction-induction" / "raw"
        rows = [
            (str(row["input"]), str(row["output"]))
            for part in ("execute", "induce")
            for row in json.loads((raw / part / f"{name}.json").read_text())["examples"].values()
        ]
        return _task(name, prompt, _labelled(name, rows))

    return load


def _mmlu(data: Path) -> PromptTask:
    items = []
    for path in sorted((data / "mmlu-small").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            items += [_choice(f"{path.stem}-{place}", row) for place, row in enumerate(csv.reader(file))]
    return _task("mmlu", _CHOICE, items)


def _choice(name: str, row: list[str]) -> DatasetItem:
    question, *choices, letter = row
    listed = "\n".join(f"{label}. {text}" for label, text in zip("ABCD", choices, strict=True))
    return DatasetItem(
        id=name,
        dataset="mmlu",
        query=f"{question}\n{listed}",
        scorer="choice",
        references=(letter,),
        labels=("A", "B", "C", "D"),
        choices=tuple(choices),
        max_tokens=4,
    )


def _listing(what: str, words: dict[str, str]) -> str:
    return f"{what}: {', '.join(words.values())}.\n\n{{{{ query }}}}"


_CHOICE = "Answer with the letter of the right choice.\n\n{{ query }}"
TASKS: dict[str, Callable[[Path], PromptTask]] = {
    "clinc-domains": _clinc,
    "sentiment": _induced("sentiment", "Is the text positive or negative?\n\n{{ query }}"),
    "antonyms": _induced("antonyms", "Write a word that means the opposite.\n\n{{ query }}"),
    "banking-intents": _banking,
    "mmlu": _mmlu,
}
"""The first three first: one of each kind but multiple choice."""
PEER_TASKS = ("clinc-domains", "sentiment")
"""On which the peers run too: they take minutes a run."""
