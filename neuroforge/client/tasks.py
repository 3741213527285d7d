"""What both clients offer of tasks for one or several models."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

from neuroforge.client import calls_tasks as calls
from neuroforge.client.calls import Call, Messages
from neuroforge.contracts.tasks import Task, TaskResult

T = TypeVar("T")


class Tasking:
    """The blocking client's part. Options are OpenAI's fields, for every call of the task."""

    @abstractmethod
    def _send(self, call: Call[T], timeout_s: float | None = None) -> T: ...

    def task(self, given: Task | None = None, **fields: Any) -> TaskResult:
        """Run a task, given whole or by its fields: all of `Task`; `messages` may be one text."""
        return self._send(calls.task(given, fields))

    def parallel(self, prompts: Sequence[str], model: str = "auto", **options: Any) -> TaskResult:
        """Answer many prompts at once; the members are the answers in the prompts' order, each may have failed."""
        return self._send(calls.parallel(prompts, model, options))

    def creative(self, prompt: Messages, n: int = 3, model: str | Sequence[str] = "auto", **options: Any) -> TaskResult:
        """The best of `n` different answers, by predicted quality; `model` may be a list of those that take part."""
        return self._send(calls.of_several("creative", prompt, model, options, n))

    def consensus(
        self, prompt: Messages, n: int = 3, model: str | Sequence[str] = "auto", **options: Any
    ) -> TaskResult:
        """What most of `n` votes say; `agreement` is their share. `model` as in `creative`."""
        return self._send(calls.of_several("consensus", prompt, model, options, n))

    def cascade(self, prompt: Messages, model: str | Sequence[str] = "auto", **options: Any) -> TaskResult:
        """The cheapest model's answer, unless its samples disagree: then the next better one's, and so on.

        `model` is a policy, or a list of models from the first to the last that is asked.
        """
        return self._send(calls.of_several("cascade", prompt, model, options))


class AsyncTasking:
    """The async client's part."""

    @abstractmethod
    async def _send(self, call: Call[T], timeout_s: float | None = None) -> T: ...

    async def task(self, given: Task | None = None, **fields: Any) -> TaskResult:
        """As the blocking client."""
        return await self._send(calls.task(given, fields))

    async def parallel(self, prompts: Sequence[str], model: str = "auto", **options: Any) -> TaskResult:
        """As the blocking client."""
        return await self._send(calls.parallel(prompts, model, options))

    async def creative(
        self, prompt: Messages, n: int = 3, model: str | Sequence[str] = "auto", **options: Any
    ) -> TaskResult:
        """As the blocking client."""
        return await self._send(calls.of_several("creative", prompt, model, options, n))

    async def consensus(
        self, prompt: Messages, n: int = 3, model: str | Sequence[str] = "auto", **options: Any
    ) -> TaskResult:
        """As the blocking client."""
        return await self._send(calls.of_several("consensus", prompt, model, options, n))

    async def cascade(self, prompt: Messages, model: str | Sequence[str] = "auto", **options: Any) -> TaskResult:
        """As the blocking client."""
        return await self._send(calls.of_several("cascade", prompt, model, options))
