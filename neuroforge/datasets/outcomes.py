"""Items and answers -> rows that the router learns from, as Parquet or JSONL."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from neuroforge.contracts.datasets import Answer, DatasetItem
from neuroforge.contracts.models import Price
from neuroforge.errors import DataError

SUFFIXES = (".parquet", ".jsonl")


@dataclass(frozen=True)
class Summary:
    """What a set of answers comes to."""

    model_id: str
    task: str
    n: int
    """Scored answers."""
    mean_score: float
    mean_latency_s: float
    mean_cost_usd: float


def to_outcomes(
    items: Sequence[DatasetItem],
    answers: Mapping[tuple[str, str, str], Answer],
    price_by_model: Mapping[str, Price],
) -> list[dict[str, Any]]:
    """Return one row an item: query, scores, costs and latencies by model, task, dataset, item_id.

    A model whose call failed, or whose reply could not be scored, is absent from all three mappings of that row; an
    item without any scored answer gives no row.

    Args:
        answers: By dataset, item id and model id.
    """
    rows = []
    for item in items:
        scored = {
            model_id: answer
            for model_id in price_by_model
            if (answer := answers.get((item.dataset, item.id, model_id))) is not None and _value(answer) is not None
        }
        if not scored:
            continue
        rows.append(
            {
                "query": item.query,
                "scores": {model_id: _value(answer) for model_id, answer in scored.items()},
                "costs": {model_id: _cost_usd(answer, price_by_model[model_id]) for model_id, answer in scored.items()},
                "task": item.task,
                "latencies": {model_id: answer.latency_s for model_id, answer in scored.items()},
                "dataset": item.dataset,
                "item_id": item.id,
            }
        )
    return rows


def write_outcomes(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write them in one step: a file that is there is either the old or the new one, whole.

    Raises:
        DataError: No rows, or a name that does not end in .parquet or .jsonl.
    """
    if not path.name.lower().endswith(SUFFIXES):
        raise DataError(f"{path}: the name must end in {' or '.join(SUFFIXES)}")
    if not rows:
        raise DataError("no question has a scored answer: there is nothing to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    if path.name.lower().endswith(".jsonl"):
        partial.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    else:
        import pyarrow as pa  # here: half a second that JSONL need not wait
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), partial)
    partial.replace(path)


def summarise(
    items: Sequence[DatasetItem],
    answers: Mapping[tuple[str, str, str], Answer],
    price_by_model: Mapping[str, Price],
) -> list[Summary]:
    """Return one line a model and task, and one a model over all tasks (task `all`), in that order."""
    found: dict[tuple[str, str], list[Answer]] = {}
    for model_id in price_by_model:
        for item in items:
            answer = answers.get((item.dataset, item.id, model_id))
            if answer is not None and _value(answer) is not None:
                found.setdefault((model_id, item.task or "-"), []).append(answer)
                found.setdefault((model_id, "all"), []).append(answer)
    return [
        Summary(
            model_id=model_id,
            task=task,
            n=len(members),
            mean_score=_mean(_value(one) or 0.0 for one in members),
            mean_latency_s=_mean(one.latency_s or 0.0 for one in members),
            mean_cost_usd=_mean(_cost_usd(one, price_by_model[model_id]) for one in members),
        )
        for (model_id, task), members in sorted(found.items(), key=lambda pair: (pair[0][1] == "all", pair[0]))
    ]


def count_unscored(answers: Iterable[Answer]) -> Counter[str]:
    """Return how many answers have no score, by why: an error's code, or `not scored`."""
    return Counter(one.error_code or "not scored" for one in answers if _value(one) is None)


def _value(answer: Answer) -> float | None:
    return answer.score.value if answer.score is not None else None


def _cost_usd(answer: Answer, price: Price) -> float:
    return price.cost_usd(answer.n_prompt_tokens, answer.n_completion_tokens)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
