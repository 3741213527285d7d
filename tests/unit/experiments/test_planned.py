import pytest

from neuroforge.contracts.experiments import Variant
from neuroforge.errors import RequestError
from neuroforge.experiments.planned import resolve_planned

VARIANTS = [
    Variant(id="a", model_id="a", prompt="plain", decoding="greedy"),
    Variant(id="b", model_id="b", prompt="plain", decoding="greedy"),
]


def test_a_pair_that_stands_twice_counts_once_as_it_was_first_written() -> None:
    assert resolve_planned([("b", "a"), ("a", "b")], VARIANTS) == (("b", "a"),)


def test_an_unknown_variant_is_named_with_those_there_are() -> None:
    with pytest.raises(RequestError, match="'c' is no variant of this experiment; name one of a, b"):
        resolve_planned([("a", "c")], VARIANTS)


def test_a_variant_is_not_planned_against_itself() -> None:
    with pytest.raises(RequestError, match="same variant"):
        resolve_planned([("a", "a")], VARIANTS)
