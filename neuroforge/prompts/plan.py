"""What a run would take, and how much of its budget the search may have: before any call."""

from neuroforge.contracts.prompts import OptimizeConfig, OptimizePlan
from neuroforge.errors import DataError
from neuroforge.prompts.prepare import Prepared

N_FINALISTS = 3
"""Of the elite, beside the seed, that the selection split decides between."""


def plan_run(
    config: OptimizeConfig, prepared: Prepared | None, target_model: str, writers: tuple[str, ...]
) -> OptimizePlan:
    """Return the plan; without examples nothing will be measured."""
    sizes = {} if prepared is None else {name: len(items) for name, items in prepared.splits.items()}
    return OptimizePlan(
        target_model=target_model,
        n_items=sizes,
        max_calls=config.budget.max_calls,
        n_test_calls=2 * sizes.get("test", 0),
        is_by_labels=bool(prepared and prepared.labels),
        writers=writers,
    )


def search_calls(config: OptimizeConfig, prepared: Prepared) -> int | None:
    """Return the calls that the search may make, the rest of the budget being the selection's; None = no limit.

    Raises:
        DataError: The budget does not take a few candidates through one block; says what would.
    """
    max_calls = config.budget.max_calls
    if max_calls is None:
        return None
    n_items, n_block = len(prepared.splits["selection"]), len(prepared.blocks[0])
    n_selection = (N_FINALISTS + 1) * n_items
    if max_calls - n_selection < 2 * n_block:
        raise DataError(
            f"a budget of {max_calls} calls leaves {max(0, max_calls - n_selection)} for the search, after "
            f"{n_selection} for selecting among {N_FINALISTS + 1} prompts on {n_items} items: raise budget.max_calls "
            f"to {n_selection + 4 * n_block} or more, or give fewer examples"
        )
    return max_calls - n_selection
