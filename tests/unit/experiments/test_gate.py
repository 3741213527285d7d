import numpy as np
import pytest

from neuroforge.contracts.analysis import JudgeReport
from neuroforge.contracts.experiments import Gate, Variant
from neuroforge.errors import RequestError
from neuroforge.experiments.analysis.metrics import Metric
from neuroforge.experiments.gate import check_gate, parse_gate

A, B = (Variant(id=one, model_id=one, prompt="plain", decoding="greedy") for one in "ab")


def quality(a: list[float], b: list[float]) -> Metric:
    values = np.array([a, b]).T
    return Metric("quality", "quality", values, np.arange(len(values)), bounds=(0.0, 1.0))


@pytest.mark.parametrize(
    ("text", "better", "reference", "margin"),
    [
        ("model_b >= model_a - 0.02", "model_b", "model_a", 0.02),
        ("model_b>=model_a", "model_b", "model_a", 0.0),
        ("qwen2.5-coder-1.5b >= smollm2-135m", "qwen2.5-coder-1.5b", "smollm2-135m", 0.0),
        ("a|steps|greedy >= a|plain|greedy - .5", "a|steps|greedy", "a|plain|greedy", 0.5),
        ("b >= a - 2 %", "b", "a", 0.02),
        ("b >= llama-3 - 1", "b", "llama-3", 1.0),
    ],
)
def test_a_gate_is_read(text: str, better: str, reference: str, margin: float) -> None:
    assert parse_gate(text) == Gate(better=better, reference=reference, margin=margin)


@pytest.mark.parametrize("text", ["", "a", "a >=", ">= b", "a > b", "a <= b", "a >= b >= c", "a == b"])
def test_what_is_no_gate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(RequestError, match="write it as"):
        parse_gate(text)


def test_a_margin_above_one_is_refused() -> None:
    with pytest.raises(RequestError, match="margin 2 is not between 0 and 1"):
        parse_gate("a >= b - 2")


def test_a_variant_is_not_compared_with_itself() -> None:
    with pytest.raises(RequestError, match="compares 'a' with itself"):
        parse_gate("a >= a - 0.1")


def test_a_model_with_several_variants_must_be_told_apart() -> None:
    variants = [Variant(id=f"a|{one}", model_id="a", prompt=one, decoding="greedy") for one in ("plain", "steps")]
    with pytest.raises(RequestError, match=r"'a' has several variants; name one of a\|plain, a\|steps"):
        check_gate(Gate(better="a", reference="a|plain"), quality([1, 1], [1, 1]), variants, seed=0)


def test_equal_scores_hold_with_a_margin_that_the_size_allows() -> None:
    same = [1.0, 0.0] * 50
    found = check_gate(Gate(better="a", reference="b", margin=0.05), quality(same, same), [A, B], seed=0)
    assert found.holds
    assert found.difference.mean == 0
    assert found.difference.n == 100


def test_few_items_prove_nothing() -> None:
    found = check_gate(Gate(better="a", reference="b", margin=0.05), quality([1, 0, 1], [1, 0, 1]), [A, B], seed=0)
    assert not found.holds
    assert "does not hold" in found.sentence


def test_a_worse_model_does_not_hold() -> None:
    found = check_gate(Gate(better="a", reference="b", margin=0.02), quality([0.0] * 40, [1.0] * 40), [A, B], seed=0)
    assert not found.holds
    assert found.difference.mean == -1


def test_without_common_items_a_gate_does_not_hold() -> None:
    nan = float("nan")
    found = check_gate(Gate(better="a", reference="b", margin=1.0), quality([1, nan], [nan, 1]), [A, B], seed=0)
    assert not found.holds
    assert "cannot be tested: 0 items have a score of both" in found.sentence


def test_a_judge_without_trust_opens_no_gate() -> None:
    judge = JudgeReport(judge_model="j", n_judged=100, is_trusted=False, note="kappa 0.1 against people")
    same = [1.0, 0.0] * 50
    found = check_gate(Gate(better="a", reference="b", margin=0.5), quality(same, same), [A, B], 0, judge)
    assert not found.holds
    assert "kappa 0.1 against people" in found.sentence
