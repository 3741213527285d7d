"""Tokens and their log-probabilities, from llama.cpp's own routes (NextTokenModel of label_scores).

llama.cpp tells the log-probability that the chosen token had before any bias and filter: so a token is made to be the
chosen one.
"""

from collections.abc import Mapping, Sequence
from contextlib import aclosing

import orjson

from neuroforge.engines.llamacpp_http import LlamaCppHttp
from neuroforge.errors import EngineError

N_FREE_LOGPROBS = 64
"""Likely tokens whose log-probability comes with each answer about one: single-letter labels then need one call."""
N_PROBS_OF_PARTIAL_CHARACTERS = (4096, 10**7)  # the second means all: 1.5 s for 49,152 tokens
FORCING_BIAS = 1e4
"""Added to the logit of the token that must be chosen; logits are within +-100, and what is told leaves it out."""


class TokenProbe:
    """Asks one server."""

    def __init__(self, model_id: str, http: LlamaCppHttp) -> None:
        self._model_id = model_id
        self._http = http

    async def tokenize(self, text: str, *, is_continuation: bool) -> list[int]:
        """As NextTokenModel.tokenize; text that spells a special token becomes it."""
        body = {"content": text, "add_special": not is_continuation, "parse_special": True}
        return [int(token) for token in (await self._http.post("/tokenize", body))["tokens"]]

    async def next_token_logprobs(self, prefix: Sequence[int], token: int) -> Mapping[int, float]:
        """As NextTokenModel.next_token_logprobs; the caller holds a slot.

        llama.cpp reports nothing of a chosen token that ends within a character: such a one is looked up among the most
        likely tokens beside a chosen line feed, if need be among all.
        """
        found = await self._forced_logprobs(prefix, token, N_FREE_LOGPROBS)
        if token not in found:
            line_feed = (await self.tokenize("\n", is_continuation=True))[-1]
            for n_probs in N_PROBS_OF_PARTIAL_CHARACTERS:
                found = await self._forced_logprobs(prefix, line_feed, n_probs)
                if token in found:
                    break
        if token not in found:
            raise EngineError(f"{self._model_id}: no log-probability came", model_id=self._model_id)
        return found

    async def _forced_logprobs(self, prefix: Sequence[int], token: int, n_probs: int) -> dict[int, float]:
        body = {
            "prompt": list(prefix),
            "n_predict": 1,
            "n_probs": n_probs,
            "logit_bias": [[token, FORCING_BIAS]],
            "temperature": 0,
            "cache_prompt": True,
            "stream": True,
            "return_progress": True,
        }
        found: dict[int, float] = {}
        async with aclosing(self._http.stream("/completion", body)) as events:
            async for event in events:
                for chosen in orjson.loads(event).get("completion_probabilities", ()):
                    found |= {top["id"]: top["logprob"] for top in chosen["top_logprobs"]}
                    found[chosen["id"]] = chosen["logprob"]
        return found
