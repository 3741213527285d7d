"""The two public outcome sets as outcome tables, and generated ones of any size."""

import csv
import json
from pathlib import Path

import numpy as np

from neuroforge.router.fit.data import OutcomeTable, build_table
from neuroforge.router.fit.parse import Row

STRONG, WEAK = "gpt-4-1106-preview", "mistralai/Mixtral-8x7B-Instruct-v0.1"
TOPICS, WORDS_A_TOPIC, N_MODELS = 12, 40, 9
OWN_WORDS, ANY_WORDS = 8, 4
WORD_EFFECT = 0.4
"""Standard deviation of what a word does to a model's chance if the question were that word alone."""


def load_nine(directory: Path) -> tuple[OutcomeTable, OutcomeTable]:
    """Return train and the clean test rows (those not word for word in train) of llmrouter-9models.

    Costs are a proxy: list price of a million input and output tokens together, the same for every question.
    """
    directory = directory / "llmrouter-9models"
    tasks: dict[str, str] = {}
    for name in ("train", "test"):
        for line in (directory / f"default_query_{name}.jsonl").open(encoding="utf-8"):  # texts hold other line ends
            row = json.loads(line)
            tasks[row["query"]] = row["task_name"]
    prices = {
        model: facts["input_price"] + facts["output_price"]
        for model, facts in json.loads((directory / "default_llm.json").read_text()).items()
    }
    train, test = (json.loads((directory / f"{name}.json").read_text()) for name in ("train", "test"))
    seen = {row["question"] for row in train}
    tables = [
        build_table(
            [
                Row(row["question"], row["scores"], {m: prices[m] for m in row["scores"]}, tasks[row["question"]])
                for row in rows
            ]
        )
        for rows in (train, [row for row in test if row["question"] not in seen])
    ]
    return tables[0], tables[1]


def load_mmlu(directory: Path) -> OutcomeTable:
    """Return RouteLLM's MMLU outcomes without its contaminated prompts; no tasks, no costs."""
    directory = directory / "routellm-mmlu-gsm8k" / "mmlu"
    lines = (directory / "contaminated_prompts.jsonl").read_text().splitlines()
    contaminated = {json.loads(line)["eval_prompt"] for line in lines}
    rows = []
    for path in sorted(directory.glob("*.csv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                if row["prompt"] not in contaminated:
                    scores = {model: float(row[model] == "True") for model in (STRONG, WEAK)}
                    rows.append(Row(row["prompt"], scores, {}, None))
    return build_table(rows)


def generate(n: int, seed: int = 0) -> OutcomeTable:
    """Return outcomes of N_MODELS made-up models, each with its own skill in TOPICS made-up topics and at their words.

    A question is eight words of its topic and four of any. A model's chance is its skill in the topic plus the mean of
    what each of the topic's words does to it, so that there is something to learn within topics too. Built in arrays: a
    million rows take a few hundred MiB.
    """
    world = np.random.default_rng(12)
    letters = np.array(list("abcdefghijklmnoprstuvw"))
    words = np.array(["".join(world.choice(letters, 5)) for _ in range(TOPICS * WORDS_A_TOPIC)])
    skills = world.uniform(0.2, 0.8, (TOPICS, N_MODELS))
    of_word = world.normal(scale=WORD_EFFECT, size=(TOPICS * WORDS_A_TOPIC, N_MODELS))
    rng = np.random.default_rng(seed)
    topics = rng.integers(TOPICS, size=n)
    own = topics[:, None] * WORDS_A_TOPIC + rng.integers(WORDS_A_TOPIC, size=(n, OWN_WORDS))
    chosen = np.hstack([own, rng.integers(len(words), size=(n, ANY_WORDS))])
    chances = skills[topics]
    for column in range(OWN_WORDS):
        chances = chances + of_word[own[:, column]] / OWN_WORDS
    return OutcomeTable(
        queries=tuple(" ".join(row) for row in words[chosen]),
        model_ids=tuple(f"model-{index}" for index in range(N_MODELS)),
        scores=(rng.random((n, N_MODELS)) < chances).astype(np.float64),
        is_known=np.ones((n, N_MODELS), dtype=bool),
        costs_usd=np.tile(0.1 + np.arange(N_MODELS), (n, 1)),
        tasks=tuple(f"topic-{topic}" for topic in topics.tolist()),
    )
