"""A run that never was: cells.parquet and items.jsonl as a matrix leaves them, from models of known ability."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from neuroforge.contracts.analysis import CELL_COLUMNS
from neuroforge.contracts.experiment_run import ExperimentPlan, MatrixResult, ModelFacts
from neuroforge.contracts.experiments import (
    CostEstimate,
    DatasetSource,
    Decoding,
    ExperimentConfig,
    Progress,
    PromptTemplate,
    Variant,
)
from neuroforge.contracts.models import Price

AT_S = 1_795_000_000.0
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in CELL_COLUMNS[:10]),
        ("repeat", pa.int64()),
        ("scorer", pa.string()),
        ("score", pa.float64()),
        *((name, pa.string()) for name in ("score_reason", "answer", "reply", "finish_reason")),
        *((name, pa.int64()) for name in ("n_prompt_tokens", "n_completion_tokens")),
        *((name, pa.float64()) for name in ("ttft_s", "latency_s", "cost_usd")),
        *((name, pa.string()) for name in ("error_code", "error")),
        ("is_cached", pa.bool_()),
        ("at_s", pa.float64()),
    ]
)
PLAIN = PromptTemplate()
STEPS = PromptTemplate(name="steps", template="{{ query }}\nThink step by step.", system="You are a careful solver.")


def cell(variant_id: str, item_id: str, score: float | None = None, **fields: Any) -> dict[str, Any]:
    """One row of cells.parquet; a cell without a score says why."""
    repeat = fields.get("repeat", 0)
    row: dict[str, Any] = dict.fromkeys(CELL_COLUMNS)
    row |= {
        "cell_id": f"{variant_id}/{item_id}/{repeat}",
        "item_id": item_id,
        "dataset": "quiz",
        "variant_id": variant_id,
        "model_id": variant_id,
        "prompt": "plain",
        "decoding": "greedy",
        "repeat": repeat,
        "scorer": "exact",
        "score": score,
        "score_reason": None if score is not None else "no reference",
        "answer": "yes" if score else "no",
        "reply": "yes" if score else "no",
        "finish_reason": "stop",
        "n_prompt_tokens": 10,
        "n_completion_tokens": 2,
        "ttft_s": 0.1,
        "latency_s": 0.5,
        "cost_usd": 0.0,
        "is_cached": False,
        "at_s": AT_S,
    }
    row |= fields
    if row["error_code"] is not None:
        row |= {"score": None, "score_reason": None, "reply": None, "answer": None, "ttft_s": None, "latency_s": None}
    return row


def write_cells(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMA), path)
    return path


def finished(
    directory: Path,
    rows: Sequence[Mapping[str, Any]],
    config: ExperimentConfig,
    items: Sequence[Mapping[str, Any]] = (),
    *,
    down: Mapping[str, str] | None = None,
    n_cells: int | None = None,
) -> MatrixResult:
    """Write the rows and items as a run of this configuration leaves them."""
    directory.mkdir(parents=True, exist_ok=True)
    cells = write_cells(directory / "cells.parquet", rows)
    told = {(row["dataset"], row["item_id"]): row for row in rows}
    listed = items or [
        {"id": item_id, "dataset": dataset, "query": f"question {item_id}?", "task": row["task"], "scorer": "exact"}
        for (dataset, item_id), row in told.items()
    ]
    (directory / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in listed))
    n_errors = sum(row["error_code"] is not None for row in rows)
    progress = Progress(
        n_cells=n_cells or len(rows),
        n_done=len(rows),
        n_errors=n_errors,
        n_tokens=sum(row["n_prompt_tokens"] + row["n_completion_tokens"] for row in rows),
        cost_usd=sum(row["cost_usd"] for row in rows),
        elapsed_s=321.0,
        stopped_by="max_calls" if n_cells else None,
    )
    plan = ExperimentPlan(
        id="exp-7f3a",
        directory=str(directory),
        config=config,
        variants=variants_of(config),
        models=tuple(
            ModelFacts(model_id=one, digest=hashlib.sha256(one.encode()).hexdigest(), price=Price())
            for one in config.models
        ),
        n_items=len(listed),
        n_cells=n_cells or len(rows),
        estimate=CostEstimate(
            n_cells=len(rows),
            n_cached=0,
            n_calls=len(rows),
            n_prompt_tokens=10 * len(rows),
            n_completion_tokens_max=256 * len(rows),
            cost_usd_max=0.0,
        ),
    )
    state = "interrupted" if n_cells else "done"
    return MatrixResult(plan=plan, state=state, progress=progress, cells=str(cells), down=dict(down or {}))


def variants_of(config: ExperimentConfig) -> tuple[Variant, ...]:
    """As the matrix names them."""
    found = []
    for model_id in config.models:
        for prompt in config.prompts:
            for decoding in config.decodings:
                parts = [model_id]
                parts += [prompt.name] if len(config.prompts) > 1 else []
                parts += [decoding.name] if len(config.decodings) > 1 else []
                found.append(Variant(id="|".join(parts), model_id=model_id, prompt=prompt.name, decoding=decoding.name))
    return tuple(found)


def config_of(models: Sequence[str], **fields: Any) -> ExperimentConfig:
    given = {"name": "quiz night", "models": tuple(models), "datasets": (DatasetSource(name="quiz"),), **fields}
    return ExperimentConfig.model_validate(given)


@dataclass(frozen=True)
class Study:
    """3 models x 2 prompts x 3 datasets, unless told otherwise."""

    skill_by_model: Mapping[str, float] = field(
        default_factory=lambda: {"qwen2.5-coder-1.5b": 0.9, "qwen2.5-coder-0.5b": 0.1, "smollm2-135m": -1.2}
    )
    prompts: tuple[PromptTemplate, ...] = (PLAIN, STEPS)
    decodings: tuple[Decoding, ...] = (Decoding(),)
    datasets: tuple[str, ...] = ("mmlu", "asdiv", "boolq")
    n_items: int = 100
    """Of each dataset."""
    repeats: int = 1
    error_share: float = 0.01
    is_graded: bool = False
    hostile: str | None = None
    """Put into every third reply."""
    seed: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)

    def run(self, directory: Path) -> MatrixResult:
        """Write it all."""
        config = config_of(
            tuple(self.skill_by_model),
            name="Coder or general - small models compared",
            datasets=tuple({"name": name} for name in self.datasets),
            prompts=self.prompts,
            decodings=self.decodings,
            repeats=self.repeats,
            **{"metrics": ("quality", "speed", "consistency", "cost"), **self.config},
        )
        rng = np.random.default_rng(self.seed)
        items = [
            _item(dataset, number, rng) for dataset in ("mmlu", "asdiv", "boolq") for number in range(self.n_items)
        ]
        rows = [
            self._cell(variant, item, repeat, rng)
            for item in items
            for variant in variants_of(config)
            for repeat in range(self.repeats)
        ]
        return finished(directory, rows, config, items)

    def _cell(self, variant: Variant, item: dict[str, Any], repeat: int, rng: np.random.Generator) -> dict[str, Any]:
        skill = self.skill_by_model[variant.model_id]
        size = 0.3 + 0.5 * max(0.0, skill + 1.2)
        thinks = variant.prompt == "steps"
        bonus = 0.5 if thinks and item["task"] == "math" else 0.0
        chance = 1 / (1 + np.exp(-(skill + bonus - item["fields"]["difficulty"] - item["fields"]["passage"])))
        score = float(rng.random() < chance)
        if self.is_graded:
            score = float(np.clip(rng.normal(chance, 0.15), 0, 1))
        n_tokens = int(rng.poisson(80 if thinks else 6)) + 1
        ttft_s = float(rng.gamma(4, 0.03 * size))
        latency_s = ttft_s + n_tokens * 0.01 * size * float(rng.gamma(50, 1 / 50))
        answer = item["references"][0] if score > 0.5 else _wrong(item, rng)
        reply = f"Let us see: {'first one thing, then the other. ' * (4 if thinks else 0)}The answer is {answer}."
        if self.hostile is not None and rng.random() < 1 / 3:
            reply += self.hostile
        failed = rng.random() < self.error_share
        return cell(
            variant.id,
            item["id"],
            score,
            cell_id=f"{variant.id}/{item['id']}/{repeat}",
            dataset=item["dataset"],
            task=item["task"],
            group=item["group"],
            model_id=variant.model_id,
            prompt=variant.prompt,
            decoding=variant.decoding,
            repeat=repeat,
            scorer=item["scorer"],
            answer=answer,
            reply=reply,
            n_prompt_tokens=len(item["query"]) // 4,
            n_completion_tokens=n_tokens,
            ttft_s=ttft_s,
            latency_s=latency_s,
            cost_usd=1e-6 * size * (n_tokens + len(item["query"]) / 12),
            error_code="engine_timeout" if failed else None,
            error=f"{variant.model_id}: no answer within 60 s" if failed else None,
        )


def _item(dataset: str, number: int, rng: np.random.Generator) -> dict[str, Any]:
    task = {"mmlu": "knowledge", "asdiv": "math", "boolq": "extraction"}[dataset]
    base = {
        "id": f"{dataset}-{number:04d}",
        "dataset": dataset,
        "task": task,
        "group": None,
        "scorer": "numeric" if task == "math" else "choice",
        "fields": {"difficulty": float(rng.normal(0, 1.0)), "passage": 0.0},
    }
    a, b = int(rng.integers(2, 60)), int(rng.integers(2, 60))
    if dataset == "asdiv":
        query = f"Mia has {a} stickers and gets {b} more from Tom. How many stickers does she have now?"
        return base | {"query": query, "references": [str(a + b)]}
    if dataset == "mmlu":
        right = "ABCD"[int(rng.integers(0, 4))]
        query = (
            f"Which of these statements about element {a} of the periodic table is true?\nA. It is a gas\nB. It is a "
            f"metal\nC. It is a liquid\nD. It is radioactive\nAnswer with the letter of the right choice only."
        )
        return base | {"query": query, "references": [right]}
    passage = number // 4
    shift = float(np.random.default_rng(passage).normal(0, 0.7))
    query = f"Passage {passage}: The bridge over the river was opened in {1800 + passage}. Was it open in {1780 + a}?"
    return base | {
        "query": query,
        "references": ["yes" if a > 20 + passage else "no"],
        "group": f"passage-{passage}",
        "fields": {**base["fields"], "passage": shift},  # type: ignore[dict-item]
    }


def _wrong(item: dict[str, Any], rng: np.random.Generator) -> str:
    right = item["references"][0]
    if item["task"] == "math":
        return str(int(right) + int(rng.integers(1, 9)))
    choices = [one for one in ("ABCD" if item["dataset"] == "mmlu" else ("yes", "no")) if one != right]
    return str(choices[int(rng.integers(0, len(choices)))])
