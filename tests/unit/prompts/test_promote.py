"""The winner takes the seed's place only when fresh items prove it."""

import numpy as np
import pytest

from neuroforge.prompts.promote import judge_winner


def scores(values: list[float | None]) -> dict[str, float | None]:
    return {f"i{place}": value for place, value in enumerate(values)}


def test_a_winner_that_is_better_on_fresh_items_is_promoted() -> None:
    found = judge_winner(
        scores([1.0] * 30 + [0.0] * 10), scores([1.0] * 20 + [0.0] * 20), {}, 0.05, np.random.default_rng(0)
    )

    assert found.is_promoted
    assert found.improvement is not None
    assert found.improvement.mean == pytest.approx(0.25)
    assert found.p_value == pytest.approx(0.5**10)
    assert "0.750 against 0.500 on 40 fresh items" in found.sentence


@pytest.mark.parametrize(
    ("winner", "seed"),
    [
        ([1.0] * 12 + [0.0] * 8, [1.0] * 10 + [0.0] * 10),  # 2 wins, 0 losses
        ([0.0] * 20, [1.0] * 20),
        ([1.0] * 20, [1.0] * 20),
    ],
)
def test_else_the_seed_stays(winner: list[float | None], seed: list[float | None]) -> None:
    found = judge_winner(scores(winner), scores(seed), {}, 0.05, np.random.default_rng(0))

    assert not found.is_promoted
    assert "the seed stays" in found.sentence


def test_an_item_without_a_score_of_the_seed_is_left_out_and_one_of_the_winner_counts_against_it() -> None:
    found = judge_winner(
        scores([1.0, None, 1.0, 1.0, None]), scores([0.0, 1.0, None, 0.0, None]), {}, 0.05, np.random.default_rng(0)
    )

    assert (found.n_items, found.winner_score, found.seed_score) == (3, pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert "on 3 fresh items (1 without a score counted as 0)" in found.sentence


def test_a_winner_that_answers_only_what_is_easy_proves_nothing() -> None:
    """Right on all 20 that it answers, where the seed is right on 12; no answer to 10 on which the seed is right."""
    winner, seed = scores([1.0] * 20 + [None] * 10), scores([1.0] * 12 + [0.0] * 8 + [1.0] * 10)

    assert not judge_winner(winner, seed, {}, 0.05, np.random.default_rng(0)).is_promoted
    answered = {name: value for name, value in winner.items() if value is not None}
    assert judge_winner(answered, seed, {}, 0.05, np.random.default_rng(0)).is_promoted, "what was left out decides"


@pytest.mark.parametrize(("winner", "seed"), [([None, None], [1.0, 1.0]), ([1.0, 1.0], [None, None])])
def test_without_scores_nothing_is_shown(winner: list[float | None], seed: list[float | None]) -> None:
    found = judge_winner(scores(winner), scores(seed), {}, 0.05, np.random.default_rng(0))

    assert (found.is_promoted, found.improvement, found.n_items) == (False, None, 0)


def test_the_interval_stays_on_the_scale_of_differences() -> None:
    found = judge_winner(scores([0.9] * 12), scores([0.1] * 12), {}, 0.05, np.random.default_rng(0))

    assert found.improvement is not None
    assert found.improvement.high <= 1.0


def test_items_that_share_a_passage_count_as_one() -> None:
    """Nine wins that hang together prove what one would."""
    wins = scores([1.0] * 9 + [0.0] * 9)
    groups = {f"i{place}": "same" if place < 9 else f"g{place}" for place in range(18)}

    alone = judge_winner(wins, scores([0.0] * 18), {}, 0.05, np.random.default_rng(0))
    together = judge_winner(wins, scores([0.0] * 18), groups, 0.05, np.random.default_rng(0))

    assert alone.is_promoted
    assert not together.is_promoted


def test_a_prompt_that_is_no_better_is_seldom_promoted() -> None:
    """Two prompts of one quality, 500 times: at most 5 % promote, but for chance (3 standard errors)."""
    rng = np.random.default_rng(1)
    n_promoted = 0
    for _ in range(500):
        easy = rng.random(60) < 0.5
        one, other = (np.where(rng.random(60) < 0.3, rng.random(60) < 0.5, easy).astype(float) for _ in range(2))
        n_promoted += judge_winner(scores(list(one)), scores(list(other)), {}, 0.05, rng).is_promoted

    assert n_promoted / 500 <= 0.05 + 3 * (0.05 * 0.95 / 500) ** 0.5
