"""Finished answers -> how long the next one will be: by task, and by model within the task."""

from collections.abc import Mapping
from dataclasses import dataclass

from neuroforge.contracts.tasks import TaskType

PRIOR_BY_TASK: Mapping[TaskType, float] = {
    "code": 250.0,
    "math": 200.0,
    "reasoning": 220.0,
    "knowledge": 120.0,
    "extraction": 60.0,
    "classification": 10.0,
    "summarisation": 120.0,
    "translation": 60.0,
    "creative": 350.0,
    "chat": 80.0,
}
"""Tokens of an instruct model's usual answer, before any was seen here."""
TASK_STRENGTH, MODEL_STRENGTH = 5.0, 5.0
"""In answers: as if so many of the expected length had been seen."""
WINDOW = 50
"""The last so many answers count: a moving average whose newest weighs 1/50, once there are that many."""


@dataclass
class _Mean:
    value: float = 0.0
    n: int = 0

    def add(self, observation: float) -> None:
        self.n = min(self.n + 1, WINDOW)
        self.value += (observation - self.value) / self.n

    def shrunk(self, expected: float, strength: float) -> float:
        return (self.n * self.value + strength * expected) / (self.n + strength)


_NONE = _Mean()


class OutputLengths:
    """Expected tokens of an answer; O(1) each way."""

    def __init__(self) -> None:
        self._by_task: dict[TaskType, _Mean] = {}
        self._by_model: dict[tuple[str, TaskType], _Mean] = {}

    def learn(self, model_id: str, task: TaskType, n_tokens: int) -> None:
        """Take one answer in."""
        self._by_task.setdefault(task, _Mean()).add(n_tokens)
        self._by_model.setdefault((model_id, task), _Mean()).add(n_tokens)

    def of_task(self, task: TaskType) -> float:
        """Return the usual length of answers to this task."""
        return self._by_task.get(task, _NONE).shrunk(PRIOR_BY_TASK[task], TASK_STRENGTH)

    def of_model(self, model_id: str, task: TaskType, expected: float) -> float:
        """Return what this model makes of a request whose answer is expected to be so long."""
        usual = self.of_task(task)
        own = self._by_model.get((model_id, task), _NONE).shrunk(usual, MODEL_STRENGTH)
        return expected * own / usual if usual > 0 else own
