from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuroforge.contracts.tasks import TASK_TYPES, TaskProfile
from neuroforge.router.classify import TaskClassifier, load_seeds, read_learned_tasks
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import extract_texts
from neuroforge.router.lengths import OutputLengths
from tests.fakes import routing_request
from tests.unit.router.tiny import word_embedder

LENGTHS = OutputLengths()


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> StaticEmbedder:
    words = sorted({word.lower() for text in load_seeds()[0] for word in text.split() if word.isalpha()})
    return word_embedder(Path(tmp_path_factory.mktemp("embedder")), words, dimension=64)


@pytest.fixture(scope="module")
def classifier(embedder: StaticEmbedder) -> TaskClassifier:
    return TaskClassifier(embedder, LENGTHS)


def classify(classifier: TaskClassifier, embedder: StaticEmbedder, text: str, **request: object) -> TaskProfile:
    return classifier.classify(extract_texts([text], embedder), text, routing_request(**request), None)


def test_the_examples_cover_every_task_in_several_languages() -> None:
    texts, labels = load_seeds()
    assert {task: labels.count(task) >= 20 for task in TASK_TYPES} == dict.fromkeys(TASK_TYPES, True)
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("code", "Fix this\n```python\ndef f(x): return x\n```"),
        ("math", "Solve the equation 4x^2 - 8 = 0 for x."),
        ("translation", "Please translate into German: the cat sleeps."),
        ("translation", "Übersetze ins Englische: der Hund schläft."),
        ("summarisation", "Summarize the following report in two sentences."),
        ("summarisation", "Fasse den Bericht in zwei Sätzen zusammen."),
    ],
)
def test_plain_instructions_are_understood(
    classifier: TaskClassifier, embedder: StaticEmbedder, task: str, text: str
) -> None:
    assert classify(classifier, embedder, text).task_type == task


def test_a_demanded_schema_speaks_for_extraction(classifier: TaskClassifier, embedder: StaticEmbedder) -> None:
    plain = classify(classifier, embedder, "Anna is 34.")
    strict = classify(classifier, embedder, "Anna is 34.", requirements=frozenset({"json_schema"}))
    assert strict.probability_by_task["extraction"] > plain.probability_by_task["extraction"]
    assert strict.requirements == {"json_schema"}


def test_a_proof_is_harder_than_a_greeting(classifier: TaskClassifier, embedder: StaticEmbedder) -> None:
    hard = classify(classifier, embedder, "Prove step by step that $\\sqrt{2}$ is not rational, and explain why. " * 5)
    easy = classify(classifier, embedder, "Hello!")
    assert hard.complexity > easy.complexity + 0.2
    assert hard.n_output_tokens > easy.n_output_tokens


def test_what_a_fit_learned_shares_out_the_labelled_tasks_anew(
    classifier: TaskClassifier, embedder: StaticEmbedder
) -> None:
    text = "Hello there"
    learned = read_learned_tasks(("chat", "creative"), np.array([-0.4, 0.4, 9.0]))
    before = classify(classifier, embedder, text).probability_by_task
    after = classifier.classify(extract_texts([text], embedder), text, routing_request(), learned).probability_by_task
    both = before["chat"] + before["creative"]
    assert (after["chat"], after["creative"]) == pytest.approx((0.1 * both, 0.9 * both))
    assert after["math"] == pytest.approx(before["math"])


@pytest.mark.parametrize("tasks", [("code",), ("code", "mmlu"), ("cluster-0", "cluster-1")])
def test_tasks_of_other_names_teach_nothing(tasks: tuple[str, ...]) -> None:
    assert read_learned_tasks(tasks, np.zeros(4)) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(text=st.text(max_size=300))
def test_any_text_has_a_profile(classifier: TaskClassifier, embedder: StaticEmbedder, text: str) -> None:
    profile = classify(classifier, embedder, text)
    assert sum(profile.probability_by_task.values()) == pytest.approx(1.0)
    assert profile.probability_by_task[profile.task_type] == max(profile.probability_by_task.values())
