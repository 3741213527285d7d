"""A small model in this process, as the optimiser's `Models`: no cluster, no gateway, the engine that is served."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from neuroforge.assets.store import AssetStore
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import LabelLogprobs, LabelRequest, PromptText
from neuroforge.engines.llamacpp import LlamaCppEngine
from neuroforge.engines.llamacpp_params import LlamaCppConfig
from neuroforge.prompts.ask import Target
from tests.contract.dequantise import widen

CONTEXT_LENGTH = 8192
WIDENED = Path(".neuroforge") / "widened"
_QUICK = {"n_batch": 512, "n_ubatch": 512}
"""Nobody waits in between and nothing is cancelled."""


@dataclass
class LocalModel:
    """`TargetModels` over one engine with one slot, so that the items of one candidate find its prompt in the cache."""

    engine: LlamaCppEngine
    target: Target

    async def chat(self, messages: Any, model: str, **options: Any) -> JsonObject:
        """Return the whole answer; what is for the gateway is left out."""
        options.pop("neuroforge", None)
        return await self.engine.complete("chat/completions", {"model": model, "messages": messages, **options})

    async def completion(self, prompt: str, model: str, **options: Any) -> JsonObject:
        """As chat, of a text."""
        options.pop("neuroforge", None)
        return await self.engine.complete("completions", {"model": model, "prompt": prompt, **options})

    async def label_logprobs(self, prompt: Any, labels: Sequence[str], model: str) -> LabelLogprobs:
        """Return one score a label."""
        assert model == self.target.model_id
        asked = PromptText(text=prompt) if isinstance(prompt, str) else PromptText(messages=tuple(prompt))
        return await self.engine.label_logprobs(LabelRequest(prompt=asked, labels=tuple(labels)))


@asynccontextmanager
async def local_model(store: AssetStore, model_id: str, threads: int = 1) -> AsyncIterator[LocalModel]:
    """Load the model, which is fetched if it is not there, and unload it at the end.

    Its 4-bit weights are computed in 8 bits: the same weights, 1.8 times as many prompt tokens a second.
    """
    path = await asyncio.to_thread(_widened, await asyncio.to_thread(store.ensure, model_id))
    config = LlamaCppConfig(
        model_id=model_id,
        model_path=path,
        context_length=CONTEXT_LENGTH,
        parallel=1,
        threads=threads,
        options=_QUICK,
    )
    engine = LlamaCppEngine(config)
    try:
        yield LocalModel(engine, Target(model_id, f"{store.entry(model_id).files[0].sha256}, Q8_0"))
    finally:
        await engine.close()


def _widened(path: Path) -> Path:
    WIDENED.mkdir(parents=True, exist_ok=True)
    target = WIDENED / path.name
    with FileLock(target.with_suffix(".lock")):
        if not target.is_file():
            widen(path, target.with_suffix(".part")).rename(target)
    return target
