"""Prompt and labels -> token ids, through vLLM's /tokenize and /detokenize."""

import asyncio
from dataclasses import dataclass

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import PromptText
from neuroforge.contracts.models import ModelEndpoint
from neuroforge.contracts.ports_engines import PostJson
from neuroforge.engines.vllm_labels import TokenIds
from neuroforge.errors import EngineError, RequestError

TOKENIZE_PATH = "/tokenize"
DETOKENIZE_PATH = "/detokenize"
MAX_CONCURRENT_CALLS = 8


@dataclass(frozen=True)
class TokenizedPrompt:
    """A prompt as the model sees it."""

    ids: TokenIds
    context_length: int


class VllmTokenizer:
    """The tokenizer of one running model."""

    def __init__(self, endpoint: ModelEndpoint, post: PostJson) -> None:
        self._endpoint = endpoint
        self._post = post

    async def prompt_ids(self, prompt: PromptText) -> TokenizedPrompt:
        """Return the tokens, template and special tokens included.

        Raises:
            EngineError: The answer is not what vLLM sends.
        """
        if prompt.messages is None:
            return await self._tokenize({"prompt": prompt.text})
        tools = {"tools": list(prompt.tools)} if prompt.tools else {}
        return await self._tokenize({"messages": list(prompt.messages), **tools})

    async def label_ids(self, prompt: PromptText, ids: TokenIds, labels: tuple[str, ...]) -> dict[str, TokenIds]:
        """Return the tokens of each distinct label: those by which prompt and label together continue the prompt.

        Where the two do not agree, because the label's first characters merge with the prompt's last token, it is the
        tokens of the label alone: the model is asked about the prompt that was given. Text that spells a special token
        stands for that token.

        Raises:
            RequestError: A label has no tokens.
            EngineError: The answer is not what vLLM sends.
        """
        text, has_opening = await self._text_of(prompt, ids)
        limit = asyncio.Semaphore(MAX_CONCURRENT_CALLS)

        async def tokenize(label: str) -> TokenIds:
            async with limit:
                joint = await self._tokenize({"prompt": text + label, "add_special_tokens": has_opening})
                if joint.ids[: len(ids)] == ids and len(joint.ids) > len(ids):
                    return joint.ids[len(ids) :]
                return (await self._tokenize({"prompt": label, "add_special_tokens": False})).ids

        try:
            async with asyncio.TaskGroup() as group:
                tasks = {label: group.create_task(tokenize(label)) for label in labels}
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        found = {label: task.result() for label, task in tasks.items()}
        for index, label in enumerate(labels):
            if not found[label]:
                raise RequestError(f"labels[{index}] has no tokens", param=f"labels[{index}]")
        return found

    async def _text_of(self, prompt: PromptText, ids: TokenIds) -> tuple[str, bool]:
        """Return the prompt's text, and whether opening tokens belong before it: a rendered template has its own."""
        if prompt.text is not None:
            return prompt.text, True
        answer = await self._post(DETOKENIZE_PATH, {"model": self._endpoint.served_name, "tokens": list(ids)})
        if not isinstance(answer.get("prompt"), str):
            raise unexpected_answer(self._endpoint, DETOKENIZE_PATH)
        return answer["prompt"], False

    async def _tokenize(self, body: JsonObject) -> TokenizedPrompt:
        answer = await self._post(TOKENIZE_PATH, {"model": self._endpoint.served_name, **body})
        tokens, context_length = answer.get("tokens"), answer.get("max_model_len")
        if not isinstance(tokens, list) or not isinstance(context_length, int):
            raise unexpected_answer(self._endpoint, TOKENIZE_PATH)
        return TokenizedPrompt(tuple(tokens), context_length)


def unexpected_answer(endpoint: ModelEndpoint, path: str) -> EngineError:
    """Return the error for an answer that no vLLM we know would give."""
    return EngineError(f"{endpoint.model_id}: {path} answers in an unknown form", model_id=endpoint.model_id)
