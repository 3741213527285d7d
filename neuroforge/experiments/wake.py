"""Models that are not loaded -> loaded, or why not; so that no cell's latency holds a load."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from neuroforge.contracts.experiment_run import ModelFacts
from neuroforge.contracts.ports_experiments import HostedModels
from neuroforge.errors import NeuroForgeError
from neuroforge.experiments.facts import facts_of

logger = logging.getLogger(__name__)
ATTEMPTS = 3
WAIT_S = 2.0


async def wake_models(
    hosted: HostedModels,
    models: Sequence[ModelFacts],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> tuple[dict[str, ModelFacts], dict[str, str]]:
    """Return the models' facts afterwards by id, and by id why a model cannot be asked.

    Raises:
        NeuroForgeError: The server itself does not answer, or refuses the key.
    """
    down: dict[str, str] = {}
    for model in models:
        if not model.is_ready and (reason := await _wake(hosted, model.model_id, sleep)) is not None:
            down[model.model_id] = reason
            logger.warning("model does not load", extra={"model_id": model.model_id, "reason": reason})
    wanted = {model.model_id: model for model in models}
    found = {status.id: facts_of(status) for status in await hosted.models() if status.id in wanted}
    return {**wanted, **found}, down


async def _wake(hosted: HostedModels, model_id: str, sleep: Callable[[float], Awaitable[None]]) -> str | None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await hosted.chat("Hi", model=model_id, max_tokens=1)
        except NeuroForgeError as error:
            if not error.retryable or attempt == ATTEMPTS:
                return error.message
            await sleep(WAIT_S * attempt)
        else:
            return None
    raise AssertionError("the last attempt returns")
