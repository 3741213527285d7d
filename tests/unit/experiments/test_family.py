import pytest

from neuroforge.contracts.experiments import DatasetSource, ExperimentConfig, Judge
from neuroforge.errors import ConfigError
from neuroforge.experiments.family import check_judge, family_of, relatives_of_judge
from tests.unit.datasets.fakes import status


def config(judge: str, *models: str, allow: bool = False) -> ExperimentConfig:
    named = Judge(model_id=judge, allow_same_family=allow)
    return ExperimentConfig(name="study", models=models, datasets=(DatasetSource(name="quiz"),), judge=named)


@pytest.mark.parametrize(
    ("model_id", "family"),
    [
        ("smollm2-135m-instruct", "smollm"),
        ("qwen2.5-coder-0.5b-instruct", "qwen"),
        ("Qwen/Qwen3-4B", "qwen"),
        ("tinyllama-1.1b-chat", "llama"),
        ("meta-llama/Llama-3.3-70B", "llama"),
        ("mixtral-8x7b", "mistral"),
        ("gpt-4o", "gpt"),
        ("42", "42"),
    ],
)
def test_a_family_is_the_first_word_of_the_id(model_id: str, family: str) -> None:
    assert family_of(model_id) == family


def test_a_tag_goes_before_the_id() -> None:
    assert family_of("my-tune", ("fast", "family:Qwen")) == "qwen"


def test_a_judge_of_a_contestants_family_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'qwen2\.5-1\.5b' is of the family 'qwen', as is qwen3-4b: models favour"):
        check_judge(config("qwen2.5-1.5b", "smollm2", "qwen3-4b"))
    check_judge(config("gemma-3", "smollm2", "qwen3-4b"))


def test_it_may_be_allowed_and_is_still_known() -> None:
    allowed = config("qwen2.5-1.5b", "smollm2", "qwen3-4b", allow=True)
    check_judge(allowed)
    assert relatives_of_judge(allowed, {}) == ("qwen3-4b",)


def test_tags_of_hosted_models_count() -> None:
    hosted = [status("alpha", tags=("family:x",)), status("beta", tags=("family:x",))]
    check_judge(config("alpha", "beta"))
    with pytest.raises(ConfigError, match="family 'x'"):
        check_judge(config("alpha", "beta"), hosted)


def test_pairs_need_two_variants() -> None:
    alone = config("gemma-3", "qwen3-4b")
    pairwise = ExperimentConfig(**{**dict(alone), "judge": Judge(model_id="gemma-3", mode="pairwise")})
    with pytest.raises(ConfigError, match="pairs need at least two"):
        check_judge(pairwise)
