from pathlib import Path

import pytest
from mlflow import MlflowClient

from neuroforge.contracts.prompts import Demonstration, NearestExamples, PromptMessage, PromptRelease
from neuroforge.contracts.rules import Estimate
from neuroforge.errors import StorageError
from neuroforge.storage.prompt_history import MlflowPrompts


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database for the module: MLflow takes seconds to make one."""
    return tmp_path_factory.mktemp("registry")


def release(name: str, text: str = "Answer: {{ query }}") -> PromptRelease:
    messages = (PromptMessage(role="system", content="Be brief."), PromptMessage(role="user", content=text))
    return PromptRelease(
        name=name,
        messages=messages,
        variables=("query",),
        models=("small",),
        reason="why",
        improvement=Estimate(mean=0.1, low=0.05, high=0.15, n=9),
        tags={"data hash: v1": "abc"},
    )


def test_a_release_is_loaded_from_mlflow_by_its_alias(home: Path) -> None:
    history = MlflowPrompts(None, home)
    address = history.record(release("sense"))
    assert history.move_alias("sense", "production", address) is None

    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}", f"sqlite:///{home / 'mlflow.db'}")
    kept = client.load_prompt("prompts:/sense@production")
    assert (address, kept.version, kept.commit_message) == ("prompts:/sense/1", 1, "why")
    assert kept.format(query="1+1?") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Answer: 1+1?"},
    ]
    assert (kept.tags["data hash_ v1"], kept.tags["models"], len(kept.tags["content_hash"])) == ("abc", "small", 64)


def test_an_alias_moves_tells_what_it_named_and_goes(home: Path) -> None:
    history = MlflowPrompts(None, home)
    first, second = history.record(release("moves")), history.record(release("moves", "Q: {{ query }}"))
    assert history.move_alias("moves", "staging", first) is None
    assert history.move_alias("moves", "staging", second) == first
    assert history.move_alias("moves", "staging", None) == second
    assert history.move_alias("moves", "staging", None) is None


def test_a_forgotten_version_is_gone(home: Path) -> None:
    history = MlflowPrompts(None, home)
    address = history.record(release("gone"))
    history.forget(address)
    with pytest.raises(StorageError, match="did not take the alias gone@production"):
        history.move_alias("gone", "production", address)


def test_examples_that_the_question_chooses_are_kept_beside_the_messages(home: Path) -> None:
    pool = tuple(Demonstration(question=f"{k} {'word ' * 200}", answer="a") for k in range(100))
    nearest = NearestExamples(question="{{ query }}", n_shown=2, pool=pool)
    MlflowPrompts(None, home).record(PromptRelease(**{**dict(release("pooled")), "nearest": nearest}))
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}", f"sqlite:///{home / 'mlflow.db'}")

    tags = client.load_prompt("prompts:/pooled/1").tags
    assert NearestExamples.model_validate_json(tags["examples.1"] + tags["examples.2"]) == nearest


def test_a_text_that_mlflow_does_not_take_is_told(home: Path) -> None:
    with pytest.raises(StorageError, match=r"did not take the prompt 'long': .*100000 characters"):
        MlflowPrompts(None, home).record(release("long", "x" * 100_001))


def test_a_server_that_is_down_is_an_error_without_its_password(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(StorageError, match=r"MLflow at 127\.0\.0\.1:9 did not take the prompt 'sense'") as caught:
        MlflowPrompts("http://user:secret@127.0.0.1:9", home).record(release("sense"))
    assert "secret" not in str(caught.value)
