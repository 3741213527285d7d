"""What a model of structures makes of measured structures."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroforge.prompts.structure_model import (
    NONE,
    TASK_VARIANCE,
    Rows,
    StructureModel,
    Variances,
    fit_structure_model,
    slot_kernels,
)

SIZES = (4, 3, 2, 5)
WORTH = (np.array([0.0, 0.2, 0.0, 0.05]), np.array([0.0, -0.1, 0.1]), np.zeros(2), np.zeros(5))


def truth(codes: Any) -> Any:
    return 0.4 + sum(worth[codes[:, place]] for place, worth in enumerate(WORTH))


def measured(n: int, seed: int, task: int = 0, sign: float = 1.0, n_items: int = 10) -> Rows:
    """Shares of right answers on blocks of ten whose difficulties differ by .05."""
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(size, size=n) for size in SIZES], axis=1)
    blocks = np.arange(n) // 8
    chance = 0.4 + sign * (truth(codes) - 0.4) + 0.05 * rng.standard_normal(n // 8 + 1)[blocks]
    means = rng.binomial(n_items, np.clip(chance, 0.0, 1.0)) / n_items
    return Rows(codes, np.full(n, task), blocks + 1000 * task, means, np.full(n, float(n_items)))


def joined(*all_rows: Rows) -> Rows:
    fields = ("codes", "tasks", "blocks", "means", "n_items")
    return Rows(*(np.concatenate([getattr(one, name) for one in all_rows]) for name in fields))


def everything() -> Any:
    return np.stack(np.meshgrid(*(np.arange(size) for size in SIZES), indexing="ij"), axis=-1).reshape(-1, 4)


def likeness(found: StructureModel) -> float:
    """Correlation of what is expected of all structures with the truth."""
    return float(np.corrcoef(found.mean(everything()), truth(everything()))[0, 1])


@given(st.integers(2, 9))
def test_a_slots_kernel_sums_to_zero_over_its_choices_and_is_one_on_the_same(size: int) -> None:
    codes = np.arange(size)[:, None]
    kernel = slot_kernels(codes, codes, (size,))[0]

    assert kernel.sum(axis=0) == pytest.approx(np.zeros(size), abs=1e-12)
    assert np.diag(kernel).tolist() == [1.0] * size


def test_a_slot_without_a_code_says_nothing() -> None:
    assert slot_kernels(np.array([[NONE]]), np.array([[0]]), (3,)).tolist() == [[[0.0]]]


def test_one_row_moves_the_other_choice_by_what_they_share() -> None:
    """One slot of two choices, variance .04; the row 0.9 on choice 0, of variance .04 + .25 (task) + .01 + .1."""
    rows = Rows(np.array([[0]]), np.array([0]), np.array([0]), np.array([0.9]), np.array([1.0]))
    variances = Variances(np.array([0.04]), 0.0, 0.0, 0.01, 0.1, 0.5)
    inverse = np.array([[1.0 / 0.4]])
    found = StructureModel((2,), rows, variances, inverse[0] * 0.4, inverse)

    mean, covariance = found.predict(np.array([[0], [1]]))

    assert TASK_VARIANCE == 0.25
    assert mean == pytest.approx([0.5 + 0.29, 0.5 + 0.21])
    assert np.diag(covariance) == pytest.approx([0.29 - 0.29**2 / 0.4, 0.29 - 0.21**2 / 0.4])


def test_without_rows_all_structures_are_alike() -> None:
    found = fit_structure_model(joined(measured(0, 0)), SIZES)

    assert set(found.mean(everything())) == {0.5}


def test_what_was_not_tried_is_told_from_its_parts() -> None:
    found = fit_structure_model(measured(60, 1), SIZES)
    favourite = everything()[[int(np.argmax(found.mean(everything())))]]

    assert likeness(found) > 0.85
    assert truth(favourite)[0] > truth(everything()).max() - 0.06


def test_slots_that_matter_vary_more() -> None:
    found = fit_structure_model(measured(120, 2), SIZES).variances

    assert set(found.slots.argsort()[::-1][:2].tolist()) == {0, 1}


@settings(max_examples=20)
@given(st.permutations(range(24)))
def test_the_order_of_rows_changes_nothing(order: list[int]) -> None:
    rows = measured(24, 3)
    mixed = Rows(*(getattr(rows, name)[order] for name in ("codes", "tasks", "blocks", "means", "n_items")))

    assert fit_structure_model(mixed, SIZES).mean(everything()) == pytest.approx(
        fit_structure_model(rows, SIZES).mean(everything()), abs=1e-9
    )


class TestEarlierTasks:
    def test_what_helped_there_is_expected_to_help_here(self) -> None:
        alone = fit_structure_model(measured(8, 4), SIZES)
        helped = fit_structure_model(joined(measured(8, 4), measured(60, 5, 1), measured(60, 6, 2)), SIZES)

        assert likeness(helped) > 0.9 > 0.6 > likeness(alone)
        assert helped.variances.kinship == 0.95

    def test_tasks_that_are_the_other_way_round_are_hardly_followed(self) -> None:
        found = fit_structure_model(joined(measured(40, 4), measured(60, 5, 1, sign=-1.0)), SIZES)

        assert found.variances.kinship == 0.2
        assert likeness(found) > 0.7
