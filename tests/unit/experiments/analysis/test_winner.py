import numpy as np

from neuroforge.experiments.analysis.comparisons import compare_pairs
from neuroforge.experiments.analysis.summaries import Scope
from neuroforge.experiments.analysis.winner import find_ranks, find_winner
from tests.unit.experiments.analysis.tables import quality

ALL = np.ones(40, dtype=np.bool_)
NAN = float("nan")


def test_the_variant_that_beats_every_other_wins() -> None:
    metric = quality([1] * 40, [0] * 12 + [1] * 28, [0] * 20 + [1] * 20)
    assert find_winner(metric, ["a", "b", "c"], ALL, seed=0) == "a"


def test_a_tie_at_the_top_names_nobody() -> None:
    metric = quality([1] * 39 + [0], [1] * 38 + [0] * 2, [0] * 40)
    assert find_winner(metric, ["a", "b", "c"], ALL, seed=0) is None


def test_a_variant_without_scores_leaves_the_question_open() -> None:
    metric = quality([1] * 40, [0] * 40, [NAN] * 40)
    assert find_winner(metric, ["a", "b", "c"], ALL, seed=0) is None


def test_one_variant_wins_nothing() -> None:
    assert find_winner(quality([1] * 40), ["a"], ALL, seed=0) is None


def test_ranks_that_the_tests_tell_apart_are_exact_and_the_others_shared() -> None:
    metric = quality([1] * 39 + [0], [1] * 38 + [0] * 2, [0] * 40)
    names = ["a", "b", "c"]
    comparisons = compare_pairs(metric, names, [(Scope(), ALL)], [], seed=0)
    assert find_ranks(metric, [39 / 40, 38 / 40, 0.0], names, comparisons) == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}


def test_no_ranks_while_a_pair_is_missing() -> None:
    metric = quality([1] * 40, [0] * 40, [NAN] * 40)
    comparisons = compare_pairs(metric, ["a", "b", "c"], [(Scope(), ALL)], [], seed=0)
    assert find_ranks(metric, [1.0, 0.0, None], ["a", "b", "c"], comparisons) == {}
