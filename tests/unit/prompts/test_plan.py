"""What a run would take."""

from collections.abc import Sequence
from typing import Any

import pytest

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import Budget, Decoding
from neuroforge.contracts.models import EngineStats, Price
from neuroforge.contracts.optimize import OptimizeConfig, OptimizePlan
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.errors import DataError
from neuroforge.prompts.ask import Target
from neuroforge.prompts.plan import Contestants, plan_run, ways_of
from neuroforge.prompts.prepare import Prepared, prepare

PRICE = Price(input_usd_per_million=1.0, output_usd_per_million=10.0)
STATS = EngineStats(slots_total=4, slots_busy=0, queued=0, ttft_s=0.2, s_per_token=0.05)


FIELDS: dict[str, Any] = {"name": "t", "prompt": "Do it.\n\n{{ query }}", "use_logprobs": False, "block_size": 10}
ITEMS = [
    DatasetItem(id=f"i{k}", dataset="d", query=f"question {k}", scorer="exact", references=(f"a{k}",), max_tokens=8)
    for k in range(80)
]


def planned(stats: EngineStats | None = STATS, **changes: Any) -> OptimizePlan:
    config = OptimizeConfig(**{**FIELDS, **changes})
    contestants = Contestants(Target("m", price=PRICE), 4, ("m", "n"), {"m": PRICE}, stats)
    return plan_run(config, prepare(config, ITEMS), contestants)


def test_calls_are_the_budgets_and_the_test_comes_on_top() -> None:
    plan = planned(budget=Budget(max_calls=300))

    assert plan.n_items == {"search": 40, "selection": 20, "test": 20}
    assert (plan.n_calls_max, plan.n_test_calls) == (300, 40)


def test_answers_are_at_most_as_long_as_they_may_be_and_cost_and_time_follow() -> None:
    plan = planned(budget=Budget(max_calls=300))

    assert plan.n_completion_tokens_max == 340 * 8
    assert plan.n_prompt_tokens is not None
    assert plan.cost_usd_max == pytest.approx((plan.n_prompt_tokens + 10 * 340 * 8) / 1e6)
    assert plan.duration_s == pytest.approx(340 * (0.2 + 8 * 0.05) / 4)


def test_of_a_target_that_has_not_answered_yet_the_time_is_unknown() -> None:
    assert planned(stats=None, budget=Budget(max_calls=300)).duration_s is None


def test_the_tightest_limit_tells_the_calls() -> None:
    assert planned(budget=Budget(max_duration=61.0)).n_calls_max == 406 - 40
    assert planned(budget=Budget(max_duration=60.0, max_calls=350)).n_calls_max == 350


def test_without_a_limit_the_calls_are_unknown_and_a_note_says_why() -> None:
    plan = planned(budget=Budget())

    assert (plan.n_calls_max, plan.n_prompt_tokens, plan.cost_usd_max) == (None, None, None)
    assert "nothing limits the calls" in plan.notes[0]


def test_generations_limit_the_calls_too() -> None:
    plan = planned(budget=Budget(), n_generations=2, population=5)

    assert plan.n_calls_max == 2 * 5 * 40 + 4 * 20


def test_calls_beside_are_findings_probes_texts_and_votes() -> None:
    assert planned().n_beside_calls_max == 2 * 3 * 2 + 3 * 2 + 3 + 2 * 3 * 2
    assert planned(proposers=("n",)).n_beside_calls_max == 2 * 3 * 2 + 3 + 2 * 3 * 2
    assert planned(proposers=()).n_beside_calls_max == 2 * 3 * 2


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (Budget(max_calls=99), "budget.max_calls is 99, .* may take 100: raise it to that or more"),
        (Budget(max_tokens=1_000), "budget.max_tokens is 1000, .* may take"),
        (Budget(max_cost_usd=0.001), "budget.max_cost_usd is 0.001, .* may take 0.0"),
    ],
)
def test_a_budget_for_nothing_is_refused_and_the_least_is_told(budget: Budget, told: str) -> None:
    with pytest.raises(DataError, match=told):
        planned(budget=budget)


def test_the_least_that_is_told_is_enough() -> None:
    assert planned(budget=Budget(max_calls=100)).n_calls_max == 100


CHOICES: dict[str, Any] = {"labels": ("A", "B"), "choices": ("x", "y")}
LETTERED = [
    DatasetItem(id=f"i{k}", dataset="d", query=f"q {k}", scorer="choice", references=("A",), **CHOICES, max_tokens=8)
    for k in range(80)
]


def planned_by_labels(
    tells_labels: bool, given: Sequence[DatasetItem] = LETTERED, **changes: Any
) -> tuple[OptimizePlan, Prepared]:
    config = OptimizeConfig(**{**FIELDS, "use_logprobs": True, **changes})
    contestants = Contestants(Target("m"), 4, ("m",), tells_labels=tells_labels)
    prepared = prepare(config, given, tells_labels)
    return plan_run(config, prepared, contestants), prepared


def test_a_target_that_tells_no_labels_is_asked_for_answers() -> None:
    plan, prepared = planned_by_labels(tells_labels=False)

    assert not plan.is_by_labels
    assert plan.notes[0] == "m tells no log-probabilities of labels: replies are scored"
    assert prepared.shared_labels == ()


def test_labels_that_all_examples_share_are_what_is_served_by_name() -> None:
    plan, prepared = planned_by_labels(tells_labels=True)

    note, left_out = plan.notes
    assert left_out.startswith("calibration and prompts without a chat template cannot be served by name: ")
    assert note == "the most probable label counts as the answer, and is the answer of what is served by name"
    assert prepared.shared_labels == ("A", "B")
    assert planned_by_labels(tells_labels=True, promote=False)[0].notes == ()


def test_labels_that_differ_prove_nothing_of_served_answers_and_the_plan_says_so() -> None:
    three = {"labels": ("A", "B", "C"), "choices": ("x", "y", "z")}
    longer = [DatasetItem(**{**dict(one), **three, "id": f"{one.id}-3"}) for one in LETTERED[:40]]
    questions = [DatasetItem(**{**dict(one), "query": f"{one.query}?"}) for one in longer]
    plan, prepared = planned_by_labels(tells_labels=True, given=[*LETTERED, *questions])

    assert "differ from example to example, so what is served by name generates its answers" in plan.notes[0]
    assert (prepared.labels, prepared.shared_labels) == (("A", "B", "C"), ())


def test_that_a_winner_could_not_be_registered_is_told_before_anything_is_asked() -> None:
    program = PromptProgram(instruction="A", n_samples=5, decoding=Decoding(temperature=1.0))
    first, note = planned(prompt=None, program=program).notes

    assert first.startswith("samples that vote and prompts without a chat template cannot be served by name: ")
    assert note.startswith("what is proven will not be registered: t: n_samples is 5")


def test_without_the_analysis_only_writers_probes_are_asked_beside() -> None:
    """Two models, three probes each."""
    assert planned(analyse=False).n_beside_calls_max == 6
    assert planned(analyse=False, proposers=("n",)).n_beside_calls_max == 0
    assert planned(proposers=("n",)).n_beside_calls_max > 0


@pytest.mark.parametrize(("max_calls", "most"), [(399, 1), (400, 3), (639, 3), (640, 5), (None, 5)])
def test_as_many_votes_are_offered_as_leave_the_search_half_of_the_calls(max_calls: int | None, most: int) -> None:
    """The seed once and three finalists on 20 items of selection."""
    config = OptimizeConfig(**{**FIELDS, "budget": Budget(max_calls=max_calls), "promote": False})

    assert ways_of(config, prepare(config, ITEMS), Target("m")).most_votes == most
