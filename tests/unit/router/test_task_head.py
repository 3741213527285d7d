from pathlib import Path

import numpy as np
import pytest

from neuroforge.contracts.tasks import TASK_TYPES, TaskType
from neuroforge.errors import DataError
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import extract_texts
from neuroforge.router.task_head import TaskHead, fit_task_head
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


def test_arrays_bring_it_back(embedder: StaticEmbedder) -> None:
    features = extract_texts(TEXTS, embedder)
    head = fit_task_head(features, LABELS)
    again = TaskHead.from_arrays(head.to_arrays())
    np.testing.assert_array_equal(again.probabilities(features), head.probabilities(features))


def test_a_missing_array_is_named(embedder: StaticEmbedder) -> None:
    arrays = fit_task_head(extract_texts(TEXTS, embedder), LABELS).to_arrays()
    del arrays["bias"]
    with pytest.raises(DataError, match="bias"):
        TaskHead.from_arrays(arrays)


def test_a_head_of_other_tasks_is_refused(embedder: StaticEmbedder) -> None:
    arrays = fit_task_head(extract_texts(TEXTS, embedder), LABELS).to_arrays()
    with pytest.raises(DataError, match="shape"):
        TaskHead.from_arrays({**arrays, "weights": arrays["weights"][:, :3], "bias": arrays["bias"][:3]})


def test_every_text_needs_its_label(embedder: StaticEmbedder) -> None:
    with pytest.raises(DataError, match="1 task labels for 4 texts"):
        fit_task_head(extract_texts(TEXTS, embedder), ["code"])
