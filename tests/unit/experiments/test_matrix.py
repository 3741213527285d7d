"""Items x prompts x models x decodings x repeats -> rendered cells."""

from itertools import islice

import pytest

from neuroforge.contracts.experiment_run import ModelFacts
from neuroforge.contracts.experiments import CellRequest, Decoding, ExperimentConfig, PromptTemplate
from neuroforge.errors import RequestError
from neuroforge.experiments.matrix import ITEM_BLOCK, Matrix, make_variants
from neuroforge.experiments.variants import find_variant
from tests.unit.experiments.run_fakes import config, item, items

CHOICE = {"scorer": "choice", "labels": ("A", "B"), "choices": ("x", "y"), "references": ("A",)}


def requests(asked: ExperimentConfig, *given: object, digest: str | None = "d") -> list[CellRequest]:
    models = tuple(ModelFacts(model_id=one, digest=digest) for one in asked.models)
    blocks = Matrix(asked, models).blocks(given)  # type: ignore[arg-type]
    return [cell.request for block in blocks for cell in block]


def test_single_axes_do_not_stand_in_variant_ids() -> None:
    prompts = (PromptTemplate(name="p1"), PromptTemplate(name="p2"))
    assert [one.id for one in make_variants(config("m"))] == ["m"]
    assert [one.id for one in make_variants(config("m", prompts=prompts))] == ["m|p1", "m|p2"]
    decodings = (Decoding(name="d1"), Decoding(name="d2"))
    assert [one.id for one in make_variants(config("m", decodings=decodings))] == ["m|d1", "m|d2"]


def test_a_variant_is_found_by_its_model_where_that_is_unique() -> None:
    variants = make_variants(config("a", "b"))
    assert find_variant("a", variants).id == "a"
    several = make_variants(config("a", prompts=(PromptTemplate(name="p1"), PromptTemplate(name="p2"))))
    with pytest.raises(RequestError, match=r"'a' has several variants; name one of a\|p1, a\|p2"):
        find_variant("a", several)


def test_parameters_are_what_the_decoding_says_and_the_seed_moves_with_the_repeat() -> None:
    decoding = Decoding(temperature=0.5, top_p=0.9, stop=("\n",), seed=7)
    first, second = requests(config(decodings=(decoding,), repeats=2), item())
    assert first.parameters == {"temperature": 0.5, "seed": 7, "max_tokens": 8, "top_p": 0.9, "stop": ["\n"]}
    assert second.parameters["seed"] == 8
    assert len({first.cell.id, second.cell.id, first.cache_key, second.cache_key}) == 4


def test_choices_by_log_probability_ask_for_labels() -> None:
    [asked] = requests(config(choice_by="logprob"), item(**CHOICE))
    assert (asked.labels, asked.parameters) == (("A", "B"), {})
    [text] = requests(config(), item(**CHOICE))
    assert text.labels == ()


def test_a_conversation_and_tools_are_sent_as_they_are() -> None:
    earlier = {"role": "assistant", "content": "Ask me."}
    tool = {"type": "function", "function": {"name": "add"}}
    [asked] = requests(config(), item(messages=(earlier,), tools=(tool,)))
    assert asked.messages == (earlier, {"role": "user", "content": "Question 1?"})
    assert asked.tools == (tool,)


def test_the_same_call_has_the_same_key_whatever_the_cell_is_called() -> None:
    twice = (PromptTemplate(name="one"), PromptTemplate(name="two"))
    first, second = requests(config(prompts=twice), item())
    assert first.cache_key == second.cache_key
    assert first.cell.id != second.cell.id


def test_other_weights_are_another_cell() -> None:
    [one], [other] = requests(config(), item(), digest="a"), requests(config(), item(), digest="b")
    assert one.cell.id != other.cell.id
    assert one.cache_key != other.cache_key


def test_items_are_read_block_by_block() -> None:
    given = iter(items(10 * ITEM_BLOCK))
    blocks = Matrix(config("a", "b"), (ModelFacts(model_id="a"), ModelFacts(model_id="b"))).blocks(given)
    [first] = islice(blocks, 1)
    assert len(first) == 2 * ITEM_BLOCK
    assert [cell.request.cell.model_id for cell in first] == ["a"] * ITEM_BLOCK + ["b"] * ITEM_BLOCK
    assert next(given).id == f"q{ITEM_BLOCK}"
