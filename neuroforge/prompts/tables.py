"""A finished search -> candidates.parquet and evaluations.parquet: all that was tried, and all that was measured."""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import Evaluation, PromptCandidate, PromptProgram
from neuroforge.prompts.ask import ItemResult
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.evolution_state import EvolutionState
from neuroforge.prompts.prepare import Prepared
from neuroforge.prompts.provenance import fingerprint
from neuroforge.prompts.purse import N_FINALISTS
from neuroforge.prompts.race import mean_fitness
from neuroforge.prompts.render import to_text
from neuroforge.prompts.spend import spent_on

CANDIDATE_COLUMNS = pa.schema(
    [
        ("candidate_id", pa.string()),  # SHA-256 of the program, 16 digits
        ("operator", pa.string()),  # what made it; the first is `seed`
        ("parents", pa.list_(pa.string())),
        ("generation", pa.int32()),
        ("is_elite", pa.bool_()),  # among those that the search ended with
        ("is_on_front", pa.bool_()),  # nobody beats it in fitness, prompt tokens and latency at once
        ("is_winner", pa.bool_()),  # best on the selection split
        ("n_items", pa.int32()),  # of the search split that it was asked and that were scored
        ("fitness", pa.float64()),  # mean over them; null = none
        ("n_calls", pa.int32()),
        ("n_prompt_tokens", pa.int64()),
        ("n_completion_tokens", pa.int64()),
        ("cost_usd", pa.float64()),
        ("latency_s", pa.float64()),  # mean of its calls in the search; null = none
        ("program", pa.string()),  # the PromptProgram as JSON
        ("text", pa.string()),  # as people read it
    ]
)
EVALUATION_COLUMNS = pa.schema(
    [
        ("candidate_id", pa.string()),
        ("split", pa.string()),  # search, selection or test
        ("block", pa.int32()),  # of the search; null elsewhere
        ("item_id", pa.string()),
        ("fingerprint", pa.string()),  # of what it asks: the same in every run, whatever its id
        ("score", pa.float64()),  # 0..1; null = nobody can say, `reason` tells why
        ("fitness", pa.float64()),  # what the search climbs
        ("answer", pa.string()),
        ("reply", pa.string()),
        ("reason", pa.string()),
        ("is_failed", pa.bool_()),
        ("n_calls", pa.int32()),
        ("n_prompt_tokens", pa.int64()),
        ("n_completion_tokens", pa.int64()),
        ("cost_usd", pa.float64()),
        ("latency_s", pa.float64()),
    ]
)


class Measured(NamedTuple):
    """One candidate on one item."""

    candidate_id: str
    split: str
    block: int | None
    result: ItemResult


def list_measured(
    state: EvolutionState, winner_id: str, final: PromptProgram, evaluator: Evaluator, prepared: Prepared
) -> tuple[Measured, ...]:
    """Return all that the logs hold of the search, the selection and the test, in this order.

    Args:
        final: The winner as it was tested.
    """
    programs = {one.id: one.program for one in state.candidates}
    finalists = list(dict.fromkeys([state.candidates[0].id, *state.elite[:N_FINALISTS], winner_id]))

    def known(candidate_id: str, split: str, item_ids: Sequence[str]) -> Iterator[ItemResult]:
        program = final if (candidate_id, split) == (winner_id, "test") else programs[candidate_id]
        for item_id in item_ids:
            found = evaluator.log.get(evaluator.asker.key(program, prepared.by_id[item_id]))
            if found is not None:
                yield found

    rows = [
        Measured(one.candidate_id, "search", one.block, result)
        for one in state.evaluations
        for result in known(one.candidate_id, "search", one.item_ids)
    ]
    for split in ("selection", "test"):
        ids = [item.id for item in prepared.splits[split]]
        rows += [Measured(one, split, None, result) for one in finalists for result in known(one, split, ids)]
    return tuple(rows)


def candidates_table(state: EvolutionState, front: Sequence[PromptCandidate], winner_id: str) -> bytes:
    """Return Parquet of CANDIDATE_COLUMNS, a row a candidate, in the order in which they were made."""
    told: dict[str, list[Evaluation]] = {one.id: [] for one in state.candidates}
    for evaluation in state.evaluations:
        told[evaluation.candidate_id].append(evaluation)
    on_front = {one.id for one in front}
    rows = [
        {
            **_measures(told[one.id]),
            "candidate_id": one.id,
            "operator": one.operator,
            "parents": list(one.parents),
            "generation": one.generation,
            "is_elite": one.id in state.elite,
            "is_on_front": one.id in on_front,
            "is_winner": one.id == winner_id,
            "program": one.program.model_dump_json(),
            "text": to_text(one.program),
        }
        for one in state.candidates
    ]
    return _parquet(rows, CANDIDATE_COLUMNS)


def evaluations_table(measured: Sequence[Measured], items: Mapping[str, DatasetItem]) -> bytes:
    """Return Parquet of EVALUATION_COLUMNS, a row a candidate and item; `items` by id."""
    rows = [
        {
            **one.result.model_dump(exclude={"key"}),
            "candidate_id": one.candidate_id,
            "split": one.split,
            "block": one.block,
            "fingerprint": fingerprint(items[one.result.item_id]),
        }
        for one in measured
    ]
    return _parquet(rows, EVALUATION_COLUMNS)


def _measures(told: Sequence[Evaluation]) -> dict[str, Any]:
    fitness = {
        item: value for one in told for item, value in zip(one.item_ids, one.fitness, strict=True) if value is not None
    }
    spent = spent_on(told)
    timed = [one for one in told if one.latency_s > 0]
    return {
        "n_items": len(fitness),
        "fitness": mean_fitness(fitness) if fitness else None,
        **spent._asdict(),
        "latency_s": sum(one.latency_s for one in timed) / len(timed) if timed else None,
    }


def _parquet(rows: Sequence[dict[str, Any]], columns: pa.Schema) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=columns), buffer)
    return buffer.getvalue()
