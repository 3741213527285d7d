"""A model of structures -> what each choice is worth and which share of the variance each slot has, with intervals."""

import json
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from neuroforge.contracts.prompt_worth import ChoiceWorth, PairWorth, SlotWorth
from neuroforge.contracts.rules import Estimate
from neuroforge.prompts.structure_model import Floats, Ints, StructureModel, slot_kernels
from neuroforge.prompts.structures import StructureSpace
from neuroforge.prompts.variance_components import root_of
from neuroforge.statistics.interval import normal_quantile

N_DRAWS = 400
LONGEST_VALUE = 80
"""Characters of a choice that are told."""
N_PAIRS = 5
"""Interactions that are told."""


@dataclass(frozen=True)
class _Part:
    """Cells of one slot, or of one pair of slots, of the joint vector of all parts."""

    slots: tuple[int, ...]
    start: int
    shape: tuple[int, ...]

    @property
    def cells(self) -> slice:
        return slice(self.start, self.start + int(np.prod(self.shape)))


def attribute(
    model: StructureModel, space: StructureSpace, chosen: Ints, rng: np.random.Generator
) -> tuple[tuple[SlotWorth, ...], tuple[PairWorth, ...]]:
    """Return slots and the strongest pairs by their share of the variance, largest first.

    Shares are of the variance over structures drawn uniformly from the space; a slot counts as far as it makes a
    difference in them. Slots' and all pairs' shares sum to 1 in each draw.

    Args:
        chosen: (n_slots,), codes of the structure that was found.
    """
    parts = _parts(model.sizes)
    mean, covariance = _posterior(model, parts)
    drawn = mean + rng.standard_normal((N_DRAWS, len(mean))) @ root_of(covariance).T
    weights = [_activity(space, part.slots) for part in parts]
    variances: Floats = np.array(
        [weight * (drawn[:, part.cells] ** 2).mean(axis=1) for weight, part in zip(weights, parts, strict=True)]
    )
    shares = [_estimate(one, model) for one in variances / np.maximum(variances.sum(axis=0), 1e-300)]
    n_own = int((model.rows.tasks == 0).sum())
    slots, pairs = [], []
    for part, share in zip(parts, shares, strict=True):
        names = [space.slots[index].name for index in part.slots]
        if len(names) == 1:
            worth = _worths(space, part, chosen, mean[part.cells], covariance[part.cells, part.cells], n_own)
            slots.append(SlotWorth(slot=names[0], share=share, choices=worth))
        else:
            pairs.append(PairWorth(slots=(names[0], names[1]), share=share))
    by_share = lambda one: -one.share.mean  # noqa: E731
    return tuple(sorted(slots, key=by_share)), tuple(sorted(pairs, key=by_share)[:N_PAIRS])


def _parts(sizes: tuple[int, ...]) -> list[_Part]:
    """Slots, then pairs; of a single choice nothing depends."""
    found: list[_Part] = []
    start = 0
    free = [index for index, size in enumerate(sizes) if size > 1]
    for slots in [*((one,) for one in free), *combinations(free, 2)]:
        shape = tuple(sizes[one] for one in slots)
        found.append(_Part(slots, start, shape))
        start += int(np.prod(shape))
    return found


def _posterior(model: StructureModel, parts: list[_Part]) -> tuple[Floats, Floats]:
    """Joint mean and covariance of all cells."""
    n_cells = parts[-1].cells.stop if parts else 0
    rows, variances = model.rows, model.variances
    # Row v of a slot's table is choice v against every row; NONE elsewhere does not matter, as slots are taken singly.
    levels = np.repeat(np.arange(max(model.sizes))[:, None], len(model.sizes), axis=1)
    across_all = slot_kernels(levels, rows.codes, model.sizes)
    among_all = slot_kernels(levels, levels, model.sizes)
    n_pairs = max(1, len(model.sizes) * (len(model.sizes) - 1) // 2)
    prior, across = np.zeros((n_cells, n_cells)), np.zeros((n_cells, len(rows.means)))
    for part in parts:
        one = part.slots[0]
        table, own = across_all[one, : part.shape[0]], among_all[one, : part.shape[0], : part.shape[0]]
        scale = variances.slots[one]
        if len(part.slots) == 2:
            other, scale = part.slots[1], variances.pairs / n_pairs
            size = part.shape[1]
            table = (table[:, None, :] * across_all[other, None, :size]).reshape(-1, len(rows.means))
            own = np.asarray(np.kron(own, among_all[other, :size, :size]), dtype=np.float64)
        across[part.cells] = scale * table * model.reach
        prior[part.cells, part.cells] = scale * own
    return across @ model.alpha, prior - across @ model.inverse @ across.T


def _activity(space: StructureSpace, slots: tuple[int, ...]) -> float:
    """Share of structures in which all of these make a difference."""
    return float(space.is_active[:, list(slots)].all(axis=1).mean())


def _worths(
    space: StructureSpace, part: _Part, chosen: Ints, mean: Floats, covariance: Floats, n: int
) -> tuple[ChoiceWorth, ...]:
    """Each choice against the seed's own, which comes first."""
    slot = space.slots[part.slots[0]]
    found = []
    for code, value in enumerate(slot.choices):
        gain = float(mean[code] - mean[0])
        variance = float(covariance[code, code] + covariance[0, 0] - 2.0 * covariance[code, 0])
        reach = normal_quantile(0.95) * max(0.0, variance) ** 0.5 if code else 0.0
        effect = Estimate(mean=gain, low=gain - reach, high=gain + reach, n=n)
        is_chosen = int(chosen[part.slots[0]]) == code
        found.append(ChoiceWorth(value=_text_of(value), effect=effect, is_chosen=is_chosen))
    return tuple(found)


def _text_of(value: Any) -> str:
    """A choice as people read it."""
    if value in (None, (), ""):
        return "none"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _estimate(shares: Floats, model: StructureModel) -> Estimate:
    low, high = np.quantile(shares, (0.025, 0.975))
    mean = float(np.clip(shares.mean(), low, high))
    return Estimate(mean=mean, low=float(low), high=float(high), n=int((model.rows.tasks == 0).sum()))
