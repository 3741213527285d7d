"""Features of a conversation -> TaskProfile: which kind of task, how hard, in which language, how long to answer."""

import re
from collections.abc import Mapping
from importlib import resources
from typing import NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from neuroforge.contracts.routing import RoutingRequest
from neuroforge.contracts.tasks import TASK_TYPES, TaskProfile, TaskType
from neuroforge.errors import DataError
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import Features, extract_texts
from neuroforge.router.language import detect_language
from neuroforge.router.lengths import OutputLengths
from neuroforge.router.surface import SURFACE_NAMES
from neuroforge.router.task_head import Floats, TaskHead, fit_task_head

SEEDS = "seeds.yaml"
MIN_TASKS = 2
"""A file of a single task teaches nothing about telling tasks apart."""
CUE_FACTOR = 6.0
"""A word that names the task makes it so many times as probable."""
_CUES: Mapping[TaskType, re.Pattern[str]] = {
    "translation": re.compile(
        r"\b(?:translat(?:e|ion)|übersetz\w*|tradu(?:is|ce|zca|za|ci|zir|cción|ction)|vertaal|переведи\w*)\b|翻译|翻訳|번역",
        re.IGNORECASE,
    ),
    "summarisation": re.compile(
        r"\b(?:summar(?:y|i[sz]e)|tl;?dr|fasse\b.{0,80}\bzusammen|zusammenfass\w*|rés[uú]m\w+|resum(?:e|en|ir)|riassum\w+"
        r"|кратко изложи)\b|总结|要約|요약",
        re.IGNORECASE | re.DOTALL,
    ),
    "code": re.compile(r"```|^\s*(?:def|class|function|public|#include|import|SELECT)\b", re.MULTILINE),
}
CUE_CHARS = 400
"""Instructions stand at the beginning or the end of a prompt."""
_COMPLEXITY_BY_TASK: Mapping[TaskType, float] = {
    "code": 0.55,
    "math": 0.55,
    "reasoning": 0.6,
    "knowledge": 0.35,
    "extraction": 0.3,
    "classification": 0.2,
    "summarisation": 0.35,
    "translation": 0.3,
    "creative": 0.4,
    "chat": 0.1,
}
_COMPLEXITY = np.array([_COMPLEXITY_BY_TASK[task] for task in TASK_TYPES])
_HARD_MARKS: Mapping[str, float] = {
    "log_words": 0.08,
    "log_lines": 0.06,
    "code_marks": 0.05,
    "latex": 0.06,
    "operators": 0.04,
    "asks_to_prove": 0.15,
    "asks_for_steps": 0.1,
    "asks_why_how": 0.05,
    "negates": 0.04,
}
"""What a unit of a mark adds; chosen so that a greeting is near 0 and a page of formal text near 1."""
_HARDNESS = np.array([_HARD_MARKS.get(name, 0.0) for name in SURFACE_NAMES])


class LearnedTasks(NamedTuple):
    """A fit's probabilities of the tasks that its training file labelled, which need not be all."""

    places: NDArray[np.intp]
    """In TASK_TYPES."""
    probabilities: Floats
    """Of each place; sum to 1."""

    def refine(self, probabilities: Floats) -> Floats:
        """Share out anew, among the labelled tasks, what falls to them together; the others are as they were."""
        refined = probabilities.copy()
        refined[self.places] = self.probabilities * probabilities[self.places].sum()
        return refined


def read_learned_tasks(tasks: tuple[str, ...], fit_basis: Floats) -> LearnedTasks | None:
    """Return what a fit says; None where its training file named no tasks, or some that are not ours.

    Args:
        tasks: Names of its classes.
        fit_basis: (d,), which begins with each class's probability less an even share.
    """
    if len(tasks) < MIN_TASKS or not set(tasks) <= set(TASK_TYPES):
        return None
    places = np.array([TASK_TYPES.index(task) for task in TASK_TYPES if task in tasks], dtype=np.intp)
    order = [tasks.index(TASK_TYPES[place]) for place in places]
    probabilities = np.maximum(fit_basis[order] + 1.0 / len(tasks), 0.0)
    return LearnedTasks(places, probabilities / probabilities.sum())


class TaskClassifier:
    """Tells tasks apart, by hand-written examples and by what a fit learned from labelled outcomes."""

    def __init__(self, embedder: StaticEmbedder, lengths: OutputLengths, head: TaskHead | None = None) -> None:
        """`head` None = fitted here to the examples that ship with the package, in about a tenth of a second."""
        self._head = head or seed_head(embedder)
        self._lengths = lengths

    def classify(
        self, features: Features, text: str, request: RoutingRequest, learned: LearnedTasks | None
    ) -> TaskProfile:
        """Describe a request.

        Args:
            features: Of the whole conversation.
            text: Its last turn, capped; cues and language are read from it.
            request: For what it needs, and for its length.
            learned: What a fit on labelled outcomes says; None = there is none.
        """
        probabilities = self._head.probabilities(features)[0]
        if learned is not None:
            probabilities = learned.refine(probabilities)
        probabilities = self._follow_cues(probabilities, text, request)
        complexity = 0.5 * float(probabilities @ _COMPLEXITY) + 0.5 * min(1.0, float(features.surface[0] @ _HARDNESS))
        return TaskProfile(
            task_type=TASK_TYPES[int(probabilities.argmax())],
            probability_by_task=dict(zip(TASK_TYPES, probabilities.tolist(), strict=True)),
            complexity=min(1.0, complexity),
            language=detect_language(text),
            n_prompt_tokens=request.n_prompt_tokens_estimate,
            n_output_tokens=self._expect_tokens(probabilities, complexity),
            requirements=request.requirements,
        )

    def _follow_cues(self, probabilities: Floats, text: str, request: RoutingRequest) -> Floats:
        ends = text if len(text) <= 2 * CUE_CHARS else f"{text[:CUE_CHARS]}\n{text[-CUE_CHARS:]}"
        factors = np.ones(len(TASK_TYPES))
        for task, pattern in _CUES.items():
            if pattern.search(ends):
                factors[TASK_TYPES.index(task)] = CUE_FACTOR
        if request.requirements & {"json_schema", "json_object"}:
            factors[TASK_TYPES.index("extraction")] *= CUE_FACTOR
        weighted = probabilities * factors
        return np.asarray(weighted / weighted.sum())

    def _expect_tokens(self, probabilities: Floats, complexity: float) -> float:
        usual = sum(
            share * self._lengths.of_task(task) for share, task in zip(probabilities.tolist(), TASK_TYPES, strict=True)
        )
        return float(usual * (0.6 + 0.8 * complexity))


def seed_head(embedder: StaticEmbedder) -> TaskHead:
    """Return the classifier of the hand-written examples, in this embedder's space."""
    texts, labels = load_seeds()
    return fit_task_head(extract_texts(texts, embedder), labels)


def load_seeds() -> tuple[list[str], list[TaskType]]:
    """Return the examples and the task of each.

    Raises:
        DataError: The package's file is not what it should be.
    """
    tree = yaml.safe_load((resources.files(__package__) / SEEDS).read_text(encoding="utf-8"))
    if set(tree) != set(TASK_TYPES):
        raise DataError(f"{SEEDS}: tasks {sorted(tree)}, expected {sorted(TASK_TYPES)}")
    pairs = [(text, task) for task in TASK_TYPES for text in tree[task]]
    return [text for text, _ in pairs], [task for _, task in pairs]
