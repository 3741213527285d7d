"""How a model may be asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.contracts.experiments import Decoding
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.prompts.designs import draw_design
from neuroforge.prompts.operators import OPERATORS, Breeding, breed
from neuroforge.prompts.space import PromptSpace, build_space
from neuroforge.prompts.structure_model import NONE
from neuroforge.prompts.structures import structures_of
from neuroforge.prompts.ways import Ways, wordings_of
from tests.unit.prompts.searching import SEED, items, pool

LABELS = ("card_lost", "top-up")
FREE = Ways(LABELS, is_served=False, most_votes=5)


def space(ways: Ways, seed: PromptProgram = SEED) -> PromptSpace:
    return build_space(seed, items(), 8, pool(), ways)


def offered(ways: Ways) -> set[str]:
    return {slot.name for slot in space(ways).slots} - {slot.name for slot in build_space(SEED, items(), 8).slots}


@pytest.mark.parametrize(
    ("ways", "names"),
    [
        (Ways(), set()),
        (Ways(is_served=False, most_votes=5), {"sampling", "n_samples"}),
        (Ways(is_served=False), set()),
        (Ways(LABELS), {"verbalizer", "stop"}),
        (Ways(("A", "B")), {"stop"}),
        (Ways(tuple(f"label {k}" for k in range(31))), {"stop"}),
        (Ways(LABELS, is_by_labels=True), {"verbalizer"}),
        (Ways(LABELS, is_by_labels=True, is_served=False, most_votes=5), {"verbalizer", "calibrate"}),
        (Ways(takes_text=True), set()),
        (Ways(is_served=False, takes_text=True, most_votes=5), {"sampling", "n_samples", "chat_template"}),
        (Ways(LABELS, is_served=False, most_votes=5), {"verbalizer", "stop", "sampling", "n_samples"}),
    ],
)
def test_only_ways_that_the_task_and_serving_allow_are_searched(ways: Ways, names: set[str]) -> None:
    assert offered(ways) == names


def test_labels_are_said_in_plain_words_in_either_case_or_by_letters() -> None:
    assert wordings_of(("card_lost", "Top-up")) == (
        {"card_lost": "card lost", "Top-up": "Top up"},
        {"card_lost": "card lost", "Top-up": "top up"},
        {"card_lost": "Card lost", "Top-up": "Top up"},
        {"card_lost": "A", "Top-up": "B"},
    )


def test_words_that_change_nothing_or_mean_two_labels_are_not_offered() -> None:
    assert wordings_of(("yes", "no")) == ({"yes": "Yes", "no": "No"}, {"yes": "A", "no": "B"})
    assert wordings_of(("a-b", "a_b")) == ({"a-b": "A", "a_b": "B"},)
    assert all("A" not in one.values() for one in wordings_of([f"l{k}" for k in range(27)]))


def test_votes_need_sampling_and_go_with_it() -> None:
    wide = space(FREE)
    sampling, votes = wide.slot("sampling"), wide.slot("n_samples")

    assert not votes.is_active(wide.read(SEED))
    assert votes.write(SEED, 3).n_samples == 1
    sampled = votes.write(sampling.write(SEED, (0.7, 0.9)), 3)
    assert (sampled.n_samples, sampled.decoding.temperature, sampled.decoding.top_p) == (3, 0.7, 0.9)
    assert votes.is_active(wide.read(sampled))
    assert sampling.write(sampled, (0.0, None)).n_samples == 1


def test_what_the_seed_has_comes_first() -> None:
    seed = PromptProgram(decoding=Decoding(temperature=0.3, stop=("END",)), verbalizer={"card_lost": "L"}, n_samples=2)
    wide = space(FREE, seed)

    assert wide.slot("sampling").choices[0] == (0.3, None)
    assert wide.slot("stop").choices == (("END",), (), ("\n",))
    assert wide.slot("verbalizer").choices[:2] == ((("card_lost", "L"),), ())
    assert wide.slot("n_samples").choices == (2, 1, 3, 5)


@given(name=st.sampled_from(sorted(OPERATORS)), seed=st.integers(0, 2**32 - 1))
def test_children_are_programs_whatever_is_combined(name: str, seed: int) -> None:
    wide = space(FREE)
    parents = (
        wide.write(SEED, {"sampling": (0.7, 0.9), "n_samples": 5, "verbalizer": (("card_lost", "A"),)}),
        SEED,
        wide.write(SEED, {"reasoning_cue": "Think step by step.", "stop": ("\n",)}),
    )
    child = breed(name, parents, Breeding(wide, pool(), 8, parents), np.random.default_rng(seed))

    assert child is None or child.n_samples == 1 or child.decoding.temperature > 0


WIDE = structures_of(space(FREE), SEED, pool(), (), np.random.default_rng(0))


@given(st.tuples(*(st.integers(0, size - 1) for size in WIDE.sizes)))
def test_a_structure_is_one_program_and_back(raw: tuple[int, ...]) -> None:
    codes = WIDE.settle(np.array(raw))
    names = [slot.name for slot in WIDE.slots]

    assert WIDE.encode(WIDE.decode(codes)).tolist() == codes.tolist()
    if WIDE.decode(codes).reasoning_cue:
        assert codes[names.index("stop")] == codes[names.index("verbalizer")] == NONE


def test_drawn_designs_mostly_ask_as_the_seed_does() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_design(SEED, space(FREE), (), 0, rng) for _ in range(200)]

    assert sum(bool(one.verbalizer) for one in drawn) / 200 == pytest.approx(0.25 * 3 / 4, abs=0.07)
    assert sum(one.decoding.stop == ("\n",) for one in drawn) / 200 == pytest.approx(0.25 / 2, abs=0.06)
