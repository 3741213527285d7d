"""`client.prompts`: a prompt and examples -> a better prompt, if fresh items prove it; and prompts served by name."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from neuroforge.client.calls import Call
from neuroforge.client.prompt_releases import AsyncPromptReleases, PromptReleases
from neuroforge.client.prompt_runs import AsyncPromptRuns, OnProgress, PromptRuns
from neuroforge.contracts.optimize import OptimizationResult
from neuroforge.contracts.prompts import PromptProgram

if TYPE_CHECKING:
    from neuroforge.client.prompt_task import Examples


class Prompts(PromptReleases):
    """The blocking client's part."""

    def __init__(self, send: Callable[[Call[Any]], Any]) -> None:
        super().__init__(send)
        self.runs = PromptRuns(send)
        """Optimisations on the server: started, watched, stopped, read."""

    def optimize_prompt(
        self,
        prompt: str | PromptProgram,
        target_model: str | None = None,
        *,
        examples: "Examples | None" = None,
        on_progress: OnProgress | None = None,
        **options: Any,
    ) -> OptimizationResult:
        """Return a better prompt if fresh items prove it, else the original and why it stays.

        Without examples nothing is measured: `result.findings` and `result.suggestions` say what models think of the
        prompt and would write instead.

        Args:
            prompt: Says `{{ query }}` where the question goes.
            target_model: Whom it is for; None = whom `auto:best` would choose for most of the examples.
            examples: A registry dataset (`commonsenseqa:300`), a file, or rows with question and reference.
            options: The other fields of OptimizeConfig: name, metric, budget, seed, proposers, ... With a name, a
                proven prompt is served by it at once, unless `promote=False`.
        Raises:
            DataError, ModelNotFound: It cannot run; says why, and what would be allowed. Nothing was spent.
            ConflictError: It failed, was cancelled or lost its process; says how to go on.
        """
        from neuroforge.client.prompt_task import as_config

        started = self.runs.start(as_config(prompt, target_model, examples, options))
        return self.runs.outcome(self.runs.wait(started.id, on_progress).id)


class AsyncPrompts(AsyncPromptReleases):
    """The async client's part."""

    def __init__(self, send: Callable[[Call[Any]], Awaitable[Any]]) -> None:
        super().__init__(send)
        self.runs = AsyncPromptRuns(send)

    async def optimize_prompt(
        self,
        prompt: str | PromptProgram,
        target_model: str | None = None,
        *,
        examples: "Examples | None" = None,
        on_progress: OnProgress | None = None,
        **options: Any,
    ) -> OptimizationResult:
        """As the blocking client."""
        from neuroforge.client.prompt_task import as_config

        started = await self.runs.start(as_config(prompt, target_model, examples, options))
        return await self.runs.outcome((await self.runs.wait(started.id, on_progress)).id)
