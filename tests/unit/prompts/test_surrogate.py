"""What a few measurements say of programs that were never tried."""

from typing import Literal

import numpy as np
import pytest

from neuroforge.contracts.prompts import PromptCandidate, PromptProgram, PromptStyle
from neuroforge.prompts.program import program_id
from neuroforge.prompts.standing import Standing
from neuroforge.prompts.surrogate import Traits, fit_surrogate, traits_of
from tests.unit.prompts.searching import SEED, pool, space


def program(role: str | None = None, cue: str | None = None, n_shown: int = 0) -> PromptProgram:
    return PromptProgram(instruction=SEED.instruction, role=role, reasoning_cue=cue, demonstrations=pool()[:n_shown])


def traits(*programs: PromptProgram) -> list[Traits]:
    return [traits_of(space(), one) for one in programs]


def nearest(n: int, role: str | None = None, style: Literal["text", "turns"] = "turns") -> PromptProgram:
    shown = {"demonstrations": pool(), "n_nearest": n, "style": PromptStyle(demonstrations=style)}
    return PromptProgram(**{**dict(program(role)), **shown})


def fitness(known: list[Traits], levels: list[float], n_items: int = 20) -> dict[str, dict[str, float]]:
    """Every program on every item, which add .2 and take .2 in turn."""
    return {
        one.id: {f"i{k}": level + (0.2 if k % 2 else -0.2) for k in range(n_items)}
        for one, level in zip(known, levels, strict=True)
    }


def test_of_fewer_than_two_programs_nothing_is_learned() -> None:
    known = traits(program(), program("a"))

    assert fit_surrogate(known, {known[0].id: {"i0": 0.5}, known[1].id: {}}) is None


def test_what_was_measured_well_is_believed() -> None:
    known = traits(program(), program("a"), program("b"))
    surrogate = fit_surrogate(known, fitness(known, [0.3, 0.5, 0.4]))

    assert surrogate is not None
    assert surrogate.expect(known) == pytest.approx([-0.1, 0.1, 0.0], abs=0.02)


def test_who_saw_only_hard_items_is_not_blamed() -> None:
    known = traits(program(), program("a"), program("b"))
    told = fitness(known, [0.5, 0.5, 0.5])
    told[known[2].id] = {item: value for item, value in told[known[2].id].items() if value < 0.5}
    surrogate = fit_surrogate(known, told)

    assert surrogate is not None
    assert surrogate.expect(known) == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)


def test_a_part_that_helped_is_expected_to_help_elsewhere() -> None:
    known = traits(program(), program(cue="x"), program("a"), program("a", "x"), program("b"))
    surrogate = fit_surrogate(known, fitness(known, [0.3, 0.5, 0.3, 0.5, 0.3]))

    assert surrogate is not None
    without, with_cue = surrogate.expect(traits(program("b"), program("b", "x")))
    assert with_cue > without + 0.05


def test_the_number_of_examples_counts_though_they_are_others() -> None:
    known = traits(program(), program(n_shown=4), program("a"), program("a", n_shown=4))
    surrogate = fit_surrogate(known, fitness(known, [0.3, 0.5, 0.3, 0.5]))

    assert surrogate is not None
    others = PromptProgram(**{**dict(program()), "demonstrations": pool()[4:8]})
    none, four_others = surrogate.expect(traits(program("b"), others))
    assert four_others > none + 0.05


def test_draws_spread_where_nothing_is_known() -> None:
    known = traits(program(), program("a"), program("b"))
    surrogate = fit_surrogate(known, fitness(known, [0.3, 0.5, 0.4]))

    assert surrogate is not None
    stranger = PromptProgram(instruction="Other.", output_format="x", demonstrations=pool()[:8])
    draws = surrogate.draw([*known[:2], *traits(stranger)], 400, np.random.default_rng(0))
    assert draws.shape == (400, 3)
    # What all programs have in common is not known, and does not matter.
    assert (draws[:, 2] - draws[:, 0]).std() > 3 * (draws[:, 1] - draws[:, 0]).std()


def expected_gain(n_alike: int) -> float:
    """What is expected of leaving examples out, when so many programs without got two of four items that as many with
    eight missed."""
    roles = [None, *"abcdefg"][:n_alike]
    shown, bare = (traits(*(program(role, n_shown=n) for role in roles)) for n in (8, 0))
    luck = {"i0": 0.0, "i1": 1.0, "i2": 0.0, "i3": 1.0}
    told = {one.id: dict.fromkeys(luck, 0.0) for one in shown} | {one.id: luck for one in bare}
    surrogate = fit_surrogate([*shown, *bare], told)
    assert surrogate is not None
    with_examples, without = surrogate.expect(traits(program("new", n_shown=8), program("new")))
    return float(without - with_examples)


def test_luck_on_a_block_counts_little_more_for_eight_programs_that_are_alike_than_for_two() -> None:
    assert 0 < expected_gain(8) < 1.3 * expected_gain(2)


def test_one_slot_may_matter_more_than_all_others_together() -> None:
    known = traits(program(), program(cue="x"), program("a"), program("a", "x"), program("b"), program("b", "x"))
    surrogate = fit_surrogate(known, fitness(known, [0.2, 0.8, 0.2, 0.8, 0.2, 0.8]))

    assert surrogate is not None
    without, with_cue = surrogate.expect(traits(program("c"), program("c", "x")))
    assert with_cue - without > 0.45


def test_how_likely_one_is_better_than_another() -> None:
    known = traits(program(), program("a"), program("b"))
    surrogate = fit_surrogate(known, fitness(known, [0.3, 0.5, 0.4]))

    assert surrogate is not None
    worst, best, _ = known
    assert surrogate.p_better(best, worst) > 0.95
    assert surrogate.p_better(worst, best) == pytest.approx(1 - surrogate.p_better(best, worst))
    assert surrogate.p_better(best, best) == 0.5


def test_nearest_examples_as_turns_are_expected_to_help_and_more_of_them_more() -> None:
    known = traits(program(), program("a"))
    told = fitness(known, [0.5, 0.5])
    asked = traits(program("b"), nearest(1), nearest(8), nearest(8, style="text"))

    expected = fit_surrogate(known, told)
    of_these_items = fit_surrogate(known, told, is_informed=False)

    assert expected is not None
    assert of_these_items is not None
    assert expected.expect(asked) == pytest.approx([0.0, 0.1, 0.19, 0.0])
    assert of_these_items.expect(asked) == pytest.approx([0.0] * 4)
    draws = expected.draw(asked, 400, np.random.default_rng(0))
    assert 0.05 < (draws[:, 1] - draws[:, 0]).std() < 0.3, "a belief, which data may change"


def test_measurements_soon_count_more_than_what_is_known_of_other_tasks() -> None:
    roles = [None, "a", "b"]
    known = traits(*(program(one) for one in roles), *(nearest(8, one) for one in roles))
    surrogate = fit_surrogate(known, fitness(known, [0.5] * 3 + [0.2] * 3))

    assert surrogate is not None
    bare, shown = surrogate.expect(traits(program("c"), nearest(8, "c")))
    assert bare - shown > 0.2
    assert surrogate.p_better(known[0], known[3]) > 0.95


def test_who_is_likely_better_is_told_by_the_tasks_own_items() -> None:
    bare, shown = (PromptCandidate(id=program_id(one), program=one, operator="seed") for one in (program(), nearest(8)))
    alike = {f"i{k}": 0.5 + 0.1 * (k % 2) for k in range(20)}
    standing = Standing(space(), (bare, shown), ())

    found = standing.p_better(shown.id, bare.id, {bare.id: alike, shown.id: alike})

    assert found == pytest.approx(0.5)
    assert standing.ranked((bare.id, shown.id), {bare.id: alike, shown.id: alike})[0] == shown.id


def test_a_way_of_showing_examples_is_learned_from_all_that_show_so() -> None:
    known = traits(program(), program(n_shown=4), nearest(2, "a", "text"), nearest(4, "b", "text"))
    surrogate = fit_surrogate(known, fitness(known, [0.3, 0.3, 0.6, 0.6]))

    assert surrogate is not None
    bare, other = surrogate.expect(traits(program("c"), nearest(1, "c", "text")))
    assert other > bare + 0.1
