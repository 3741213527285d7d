"""Requests -> batches."""

import random

from neuroforge.contracts.experiments import Cell, CellRequest
from neuroforge.experiments.batch import IntelligentRequestBatcher


def request(number: int, model: str = "a", text: str = "Hi", n_tokens: int = 10, **changes: object) -> CellRequest:
    cell = Cell(id=f"c{number}", item_id="q", dataset="d", variant_id=model, model_id=model)
    values = {
        "cell": cell,
        "messages": ({"role": "user", "content": text},),
        "parameters": {},
        "cache_key": str(number),
        "n_tokens_estimate": n_tokens,
    }
    return CellRequest.model_validate({**values, **changes})


def ids(batches: list[object]) -> list[list[str]]:
    return [[one.cell.id for one in batch.requests] for batch in batches]  # type: ignore[attr-defined]


def test_each_batch_is_of_one_model_in_the_order_in_which_models_came() -> None:
    batches = IntelligentRequestBatcher().batch_requests_intelligently(
        [request(1, "b"), request(2, "a"), request(3, "b")]
    )
    assert [batch.model_id for batch in batches] == ["b", "a"]
    assert ids(list(batches)) == [["c1", "c3"], ["c2"]]


def test_prompts_that_begin_alike_stand_together() -> None:
    passages = ["The cat sat.", "A dog ran."]
    given = [request(n, text=f"{passages[n % 2]} Question {n}?") for n in range(6)]
    random.Random(1).shuffle(given)
    [batch] = IntelligentRequestBatcher().batch_requests_intelligently(given)
    beginnings = [one.messages[0]["content"][:5] for one in batch.requests]
    assert beginnings == ["A dog"] * 3 + ["The c"] * 3


def test_kinds_of_call_are_not_mixed() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    given = [request(1, labels=("A", "B")), request(2), request(3, tools=(tool,)), request(4)]
    batches = IntelligentRequestBatcher().batch_requests_intelligently(given)
    assert sorted(map(sorted, ids(list(batches)))) == [["c1"], ["c2", "c4"], ["c3"]]


def test_sizes_are_balanced_below_the_limit() -> None:
    given = [request(n, text=f"{n:03d}") for n in range(70)]
    batches = IntelligentRequestBatcher(max_requests=64).batch_requests_intelligently(given)
    assert [len(batch.requests) for batch in batches] == [35, 35]


def test_the_token_budget_splits_and_a_larger_request_stands_alone() -> None:
    given = [request(n, text=str(n), n_tokens=n_tokens) for n, n_tokens in enumerate([40, 40, 40, 500, 40])]
    batches = IntelligentRequestBatcher(max_tokens=100).batch_requests_intelligently(given)
    assert [batch.n_tokens_estimate for batch in batches] == [40, 40, 40, 500, 40]
    pairs = IntelligentRequestBatcher(max_tokens=100).batch_requests_intelligently(given[:2])
    assert [batch.n_tokens_estimate for batch in pairs] == [80]


def test_nothing_gives_nothing() -> None:
    assert IntelligentRequestBatcher().batch_requests_intelligently([]) == []
