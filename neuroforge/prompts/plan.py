"""What a run would take, and whether its budget is enough for anything: before any call."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from neuroforge.contracts.chat import CHARACTERS_PER_TOKEN
from neuroforge.contracts.experiments import Decoding
from neuroforge.contracts.models import EngineStats, Price
from neuroforge.contracts.optimize import OptimizeConfig, OptimizePlan
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.errors import DataError
from neuroforge.prompts.analyse import ASPECTS
from neuroforge.prompts.ask import Target
from neuroforge.prompts.improve import N_PROBES
from neuroforge.prompts.prepare import Prepared, seed_of
from neuroforge.prompts.prove import final_program
from neuroforge.prompts.purse import N_FINALISTS, Purse
from neuroforge.prompts.release import release_of_program
from neuroforge.prompts.spend import FIRST_RATES, Estimator, Rates, Spent, total
from neuroforge.prompts.suggest import N_MENDED
from neuroforge.prompts.ways import VOTES, Ways

TYPICAL_EXAMPLES = 3
"""Demonstrations of a prompt in the middle of a search."""
FEWEST_BLOCKS = 2
"""That a search must be able to ask: the seed's, and that of one other."""


@dataclass(frozen=True)
class Contestants:
    """Models as they are hosted."""

    target: Target
    n_slots: int
    others: tuple[str, ...]
    """Who analyses, writes and votes: the target and a few that are loaded."""
    price_by_model: Mapping[str, Price] = field(default_factory=dict)
    stats: EngineStats | None = None
    """Of the target: how fast it is."""
    tells_labels: bool = True
    """Whether the target's engine tells log-probabilities of labels."""


def make_purse(config: OptimizeConfig, prepared: Prepared, price: Price, beside: Callable[[], Spent] = Spent) -> Purse:
    """Return what says how far the budget goes; `beside` = what calls that measure nothing took so far."""
    return Purse(
        budget=config.budget,
        estimator=Estimator(prepared.by_id, prepared.labels, price),
        seed=prepared.seed,
        selection=tuple(item.id for item in prepared.splits["selection"]),
        test=tuple(item.id for item in prepared.splits["test"]),
        beside=beside,
        final=lambda program: final_program(program, prepared),
    )


def ways_of(config: OptimizeConfig, prepared: Prepared, target: Target) -> Ways:
    """Return what decides how the model may be asked."""
    purse = make_purse(config, prepared, target.price)
    return Ways(
        answers=prepared.answers,
        is_by_labels=bool(prepared.labels),
        is_served=config.promote,
        takes_text=target.takes_text,
        most_votes=max(n for n in VOTES if n == 1 or _affords_votes(purse, n)),
    )


def plan_run(config: OptimizeConfig, prepared: Prepared | None, contestants: Contestants) -> OptimizePlan:
    """Return the plan; without examples nothing will be measured.

    Raises:
        DataError: The budget does not take the seed and one other through a block, the selection and the test; says
            what would. Or there are neither examples nor an analysis.
    """
    n_beside = _count_beside(config, contestants.others)
    target = contestants.target.model_id
    if prepared is None:
        if not config.analyse:
            raise DataError("without examples the analysis is all that there is: give examples, or leave analyse true")
        return OptimizePlan(
            target_model=target,
            n_items={},
            is_by_labels=False,
            n_calls_max=0,
            n_test_calls=0,
            n_beside_calls_max=n_beside,
            notes=("there are no examples: nothing will be measured",),
        )
    purse = make_purse(config, prepared, contestants.target.price)
    _check_budget(config, prepared, purse)
    call = _typical_call(prepared, purse.estimator)
    seconds = _call_s(contestants, call)
    n_test = 2 * len(purse.test) * prepared.seed.n_samples
    n_calls = _count_calls(config, prepared, call, seconds, n_test)
    n_all = None if n_calls is None else n_calls + n_test
    return OptimizePlan(
        target_model=target,
        n_items={name: len(items) for name, items in prepared.splits.items()},
        is_by_labels=bool(prepared.labels),
        n_calls_max=n_calls,
        n_test_calls=n_test,
        n_beside_calls_max=n_beside,
        n_prompt_tokens=None if n_all is None else n_all * call.n_prompt_tokens,
        n_completion_tokens_max=None if n_all is None else n_all * call.n_completion_tokens,
        cost_usd_max=None if n_all is None else n_all * call.cost_usd,
        duration_s=None if n_all is None or seconds is None else n_all * seconds,
        notes=tuple(_notes(config, prepared, contestants, n_calls)),
    )


def _notes(config: OptimizeConfig, prepared: Prepared, contestants: Contestants, n_calls: int | None) -> Iterator[str]:
    if n_calls is None:
        yield "nothing limits the calls: the search ends when no gain is expected"
    if config.use_logprobs and prepared.answers and not contestants.tells_labels:
        yield f"{contestants.target.model_id} tells no log-probabilities of labels: replies are scored"
    if not config.promote:
        return
    if prepared.shared_labels:
        yield "the most probable label counts as the answer, and is the answer of what is served by name"
    elif prepared.labels:
        yield (
            "labels are scored by their probabilities, and differ from example to example, so what is served by name "
            "generates its answers: with use_logprobs: false it is proven on those"
        )
    others = "calibration" if prepared.labels else "samples that vote"
    yield f"{others} and prompts without a chat template cannot be served by name: searched with promote: false only"
    try:
        release_of_program(prepared.seed, config.name, "proven")
    except DataError as error:
        yield f"what is proven will not be registered: {error.message}"


def _check_budget(config: OptimizeConfig, prepared: Prepared, purse: Purse) -> None:
    """Of tokens and money by the texts' length, since nothing was counted yet."""
    block = prepared.blocks[0]
    kept = purse.reserve((), FIRST_RATES)
    least = total([purse.estimator.estimate(prepared.seed, block, FIRST_RATES)] * FEWEST_BLOCKS)
    limit = purse.over(least, kept)
    if limit is None:
        return
    whole = total((least, *kept))
    given, needed, name = {
        "calls": (config.budget.max_calls, least.n_calls + kept[0].n_calls, "max_calls"),
        "tokens": (config.budget.max_tokens, whole.n_tokens, "max_tokens"),
        "money": (config.budget.max_cost_usd, whole.cost_usd, "max_cost_usd"),
    }[limit]
    raise DataError(
        f"budget.{name} is {given}, and two prompts on the first {len(block)} items, {N_FINALISTS + 1} on the "
        f"{len(purse.selection)} of the selection and two on the {len(purse.test)} of the test may take "
        f"{needed:.6g}: raise it to that or more, or give fewer examples"
    )


def _typical_call(prepared: Prepared, estimator: Estimator) -> Spent:
    """Return the means of a call in the middle of a search."""
    ids = [one for block in prepared.blocks for one in block]
    shown = prepared.seed.demonstrations or prepared.pool[:TYPICAL_EXAMPLES]
    program = PromptProgram(**{**dict(prepared.seed), "demonstrations": shown})
    found = estimator.estimate(program, ids, Rates(1.0 / CHARACTERS_PER_TOKEN, fill=1.0))
    n_prompt, n_answer = found.n_prompt_tokens // found.n_calls, found.n_completion_tokens // found.n_calls
    return Spent(1, n_prompt, n_answer, estimator.price.cost_usd(n_prompt, n_answer))


def _call_s(contestants: Contestants, call: Spent) -> float | None:
    """Return the wall time that a call adds, if all slots are busy; None where the target has not answered yet."""
    stats = contestants.stats
    if stats is None or stats.ttft_s is None or stats.s_per_token is None:
        return None
    return (stats.ttft_s + call.n_completion_tokens * stats.s_per_token) / contestants.n_slots


def _count_calls(
    config: OptimizeConfig, prepared: Prepared, call: Spent, seconds: float | None, n_test: int
) -> int | None:
    """Return the calls of search and selection that the tightest limit lets through."""
    budget, limits = config.budget, []
    if budget.max_calls is not None:
        limits.append(budget.max_calls)
    if budget.max_tokens is not None:
        limits.append(budget.max_tokens // max(1, call.n_tokens) - n_test)
    if budget.max_cost_usd is not None and call.cost_usd > 0:
        limits.append(int(budget.max_cost_usd / call.cost_usd) - n_test)
    if budget.max_duration is not None and seconds:
        limits.append(int(budget.max_duration / seconds) - n_test)
    if config.n_generations is not None:
        n_items = sum(len(block) for block in prepared.blocks)
        n_selection = (N_FINALISTS + 1) * len(prepared.splits["selection"])
        limits.append(config.n_generations * config.population * n_items + n_selection)
    return max(0, min(limits)) if limits else None


def _affords_votes(purse: Purse, n: int) -> bool:
    """Whether selection between voters would leave the search half of what calls, tokens or money there are."""
    voting = PromptProgram(**{**dict(purse.seed), "decoding": Decoding(temperature=1.0), "n_samples": n})
    selection, test = purse.reserve((voting,), FIRST_RATES)
    return purse.over(selection, (selection, test)) is None


def _count_beside(config: OptimizeConfig, others: Sequence[str]) -> int:
    """Return the calls for findings (a question and a remark on each aspect), writers' probes, texts and votes."""
    n_probes = N_PROBES * len(others) if config.proposers is None else 0
    if not config.analyse:
        return n_probes
    has_writers = config.proposers is None or bool(config.proposers)
    n_written = N_MENDED if has_writers and seed_of(config).instruction.strip() else 0
    return 2 * len(ASPECTS) * len(others) + n_probes + n_written + 2 * n_written * len(others)
