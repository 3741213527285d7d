from pathlib import Path

import pytest

from neuroforge.contracts.tasks import TASK_TYPES, TaskType
from neuroforge.errors import DataError
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import extract_texts
from neuroforge.router.task_head import fit_task_head
from tests.unit.router.tiny import word_embedder

TEXTS = ["sort list", "sort array", "sum apples", "sum pears"]
LABELS: list[TaskType] = ["code", "code", "math", "math"]


@pytest.fixture
def embedder(tmp_path: Path) -> StaticEmbedder:
    return word_embedder(tmp_path, ["sort", "list", "array", "sum", "apples", "pears", "plums"])


def test_it_generalises_from_labelled_texts(embedder: StaticEmbedder) -> None:
    head = fit_task_head(extract_texts(TEXTS, embedder), LABELS)
    probabilities = head.probabilities(extract_texts(["sum plums", "sort plums"], embedder))
    assert [TASK_TYPES[one] for one in probabilities.argmax(axis=1)] == ["math", "code"]
    assert probabilities.sum(axis=1) == pytest.approx([1.0, 1.0])


def test_a_text_that_counts_more_wins(embedder: StaticEmbedder) -> None:
    features = extract_texts(["sort list", "sort list"], embedder)
    head = fit_task_head(features, ["code", "math"], weights=[1.0, 3.0])
    assert TASK_TYPES[int(head.probabilities(features)[0].argmax())] == "math"


def test_every_text_needs_its_label(embedder: StaticEmbedder) -> None:
    with pytest.raises(DataError, match="1 task labels for 4 texts"):
        fit_task_head(extract_texts(TEXTS, embedder), ["code"])
