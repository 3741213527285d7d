"""Label scores of the real engine against transformers on the same weights (from make_label_logprobs.py)."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from neuroforge.contracts.chat import LabelRequest, PromptText
from neuroforge.engines.llamacpp import LlamaCppEngine
from neuroforge.engines.llamacpp_params import LlamaCppConfig
from neuroforge.errors import ContextLengthExceeded, RequestError
from tests.contract.dequantise import dequantise

pytestmark = pytest.mark.asyncio(loop_scope="module")
REFERENCE = json.loads((Path(__file__).parent / "data" / "smollm2_label_logprobs.json").read_text())
TOLERANCE_NAT = 0.05


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(smollm2_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LlamaCppEngine]:
    path = dequantise(smollm2_path, tmp_path_factory.mktemp("f16") / "smollm2-f16.gguf")
    engine = LlamaCppEngine(LlamaCppConfig("smollm2-f16", path, context_length=256, parallel=2))
    yield engine
    await engine.close()
    path.unlink()


async def ask(engine: LlamaCppEngine, prompt: dict[str, Any], labels: list[str]) -> list[tuple[str, float, int]]:
    answer = await engine.label_logprobs(LabelRequest(prompt=PromptText(**prompt), labels=tuple(labels)))
    return [(score.label, score.logprob, score.n_tokens) for score in answer.scores]


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda case: str(case["scores"][0]["label"]).strip())
async def test_scores_agree_with_transformers(engine: LlamaCppEngine, case: dict[str, Any]) -> None:
    labels = [score["label"] for score in case["scores"]]
    scores = await ask(engine, case["prompt"], labels)
    assert [(label, n_tokens) for label, _, n_tokens in scores] == [
        (score["label"], score["n_tokens"]) for score in case["scores"]
    ]
    expected = [score["logprob"] for score in case["scores"]]
    assert [logprob for _, logprob, _ in scores] == pytest.approx(expected, abs=TOLERANCE_NAT)


async def test_prompt_tokens_are_those_of_the_template(engine: LlamaCppEngine) -> None:
    case = REFERENCE["cases"][-1]
    request = LabelRequest(prompt=PromptText(**case["prompt"]), labels=("x",))
    assert (await engine.label_logprobs(request)).n_prompt_tokens == case["n_prompt_tokens"]


async def test_a_label_scores_the_same_alone_and_among_others(engine: LlamaCppEngine) -> None:
    prompt = {"text": "The capital of France is"}
    among = await ask(engine, prompt, [" Paris", " xylophone", " London"])
    alone = await ask(engine, prompt, [" xylophone"])
    assert alone[0][1] == pytest.approx(among[1][1], abs=0.01)


async def test_a_label_without_tokens_is_refused(engine: LlamaCppEngine) -> None:
    with pytest.raises(RequestError, match=r"labels\[1\] has no tokens"):
        await ask(engine, {"text": "Yes or no?"}, ["yes", ""])


async def test_prompt_and_label_must_fit_the_context(engine: LlamaCppEngine) -> None:
    with pytest.raises(ContextLengthExceeded) as caught:
        await ask(engine, {"text": "word " * 255}, [" one two three four"])
    assert caught.value.context["context_length"] == 256
    assert caught.value.context["n_prompt_tokens"] > 256


async def test_prompts_longer_than_a_step_are_read_in_turn(smollm2_path: Path) -> None:
    """llama.cpp alone reads those of its first slots first: who has a later slot waits until the others pause."""
    engine = LlamaCppEngine(LlamaCppConfig("smollm2", smollm2_path, context_length=256, parallel=4))
    answered: list[int] = []

    async def go_on_asking(client: int) -> None:
        for number in range(3):
            prompt = {"text": f"{client} {number} " + "word " * 40}
            await ask(engine, prompt, [" yes", " no"])
            answered.append(client)

    await asyncio.gather(*(go_on_asking(client) for client in range(4)))
    await engine.close()
    rounds = [set(answered[start : start + 4]) for start in range(0, 12, 4)]
    assert rounds == [{0, 1, 2, 3}] * 3
