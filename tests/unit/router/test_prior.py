"""What a model's name, its tags and the rules say before any outcome."""

import pytest

from neuroforge.contracts.models import EngineKind, ModelEndpoint, ModelState
from neuroforge.contracts.rules import QualityPrior
from neuroforge.contracts.tasks import TaskType
from neuroforge.router.prior import (
    UNKNOWN_QUALITY,
    KnownModels,
    benchmark_score,
    parameter_count,
    prior_beside,
    prior_quality,
)


def endpoint(model_id: str, *tags: str) -> ModelEndpoint:
    return ModelEndpoint(
        model_id=model_id,
        engine=EngineKind.LLAMACPP,
        base_url="http://127.0.0.1:1/v1",
        served_name=model_id,
        context_length=4096,
        capabilities=frozenset({"chat"}),
        state=ModelState.READY,
        tags=tags,
    )


class Rules:
    def prior(self, model_id: str, task: TaskType | None) -> QualityPrior | None:
        return QualityPrior(model_id=model_id, quality=0.7, strength=80) if model_id == "ruled" else None


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("smollm2-135m-instruct", 135e6),
        ("Qwen2.5-Coder-0.5B", 0.5e9),
        ("llama-3.3-nemotron-super-49b-v1", 49e9),
        ("mixtral-8x7b", 56e9),
        ("mistral-7b-instruct-v0.3", 7e9),
    ],
)
def test_a_size_in_the_name_is_read(name: str, size: float) -> None:
    assert parameter_count(name) == pytest.approx(size)


@pytest.mark.parametrize("name", ["gpt-4", "model-b", "web1", "llama3", "abc7bx"])
def test_a_name_without_a_size_has_none(name: str) -> None:
    assert parameter_count(name) is None


def test_the_first_name_with_a_size_counts() -> None:
    assert parameter_count("mine", "7b", "1b") == 7e9


@pytest.mark.parametrize(("tag", "score"), [("quality:0.62", 0.62), ("mmlu:62", 0.62), ("Benchmark=55.5", 0.555)])
def test_a_score_in_a_tag_is_read(tag: str, score: float) -> None:
    assert benchmark_score(("fast", tag)) == pytest.approx(score)


def test_a_score_over_100_is_no_score() -> None:
    assert benchmark_score(("mmlu:620",)) is None


def test_a_rule_comes_before_the_name() -> None:
    assert prior_quality(endpoint("ruled"), "math", Rules()).mean == 0.7


def test_a_rule_of_80_outcomes_is_as_sure_as_80_outcomes() -> None:
    assert prior_quality(endpoint("ruled"), "math", Rules()).std == pytest.approx(0.05)


def test_a_benchmark_comes_before_the_size() -> None:
    assert prior_quality(endpoint("a-7b", "quality:0.9"), None, None).mean == 0.9


def test_a_larger_model_is_believed_to_be_better() -> None:
    means = [prior_quality(endpoint(f"m-{size}"), None, None).mean for size in ("135m", "0.5b", "1.5b", "7b", "70b")]
    assert means == sorted(means)
    assert means[0] == pytest.approx(0.223, abs=0.001)


def test_beside_known_models_it_is_as_much_better_as_its_size_says() -> None:
    known = KnownModels(("m-7b", "n-7b"), quality=0.3)
    same, larger, mute = (prior_beside(endpoint(name), None, None, known).mean for name in ("o-7b", "o-70b", "o"))
    assert same == pytest.approx(0.3)
    assert larger == pytest.approx(0.3 + 0.18)
    assert mute == pytest.approx(0.3 + UNKNOWN_QUALITY - prior_quality(endpoint("m-7b"), None, None).mean)


def test_beside_known_models_a_rule_means_what_it_says() -> None:
    assert prior_beside(endpoint("ruled"), "math", Rules(), KnownModels(("m-7b",), 0.2)).mean == 0.7


def test_a_model_that_tells_nothing_is_guessed() -> None:
    assert prior_quality(endpoint("mystery"), None, Rules()).mean == UNKNOWN_QUALITY
