"""How our own llama.cpp application departs from OpenAI's wire: three routes that speak our contracts."""

from typing import TypeVar

from pydantic import ValidationError

from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.chat import LabelLogprobs, LabelRequest, PromptText, TokenCount
from neuroforge.contracts.models import EngineStats, ModelEndpoint
from neuroforge.contracts.ports_engines import GetText, PostJson
from neuroforge.errors import EngineError

COUNT_TOKENS_PATH = "/v1/count_tokens"
LABEL_LOGPROBS_PATH = "/v1/label_logprobs"
STATS_PATH = "/stats"

C = TypeVar("C", bound=Contract)


class LlamaCppDialect:
    """EngineDialect of neuroforge.engines.llamacpp."""

    async def count_tokens(self, endpoint: ModelEndpoint, prompt: PromptText, post: PostJson) -> TokenCount:
        """As EngineClient.count_tokens."""
        return _parsed(TokenCount, endpoint, await post(COUNT_TOKENS_PATH, _json(prompt)))

    async def label_logprobs(self, endpoint: ModelEndpoint, request: LabelRequest, post: PostJson) -> LabelLogprobs:
        """As EngineClient.label_logprobs."""
        return _parsed(LabelLogprobs, endpoint, await post(LABEL_LOGPROBS_PATH, _json(request)))

    async def stats(self, endpoint: ModelEndpoint, get_text: GetText) -> EngineStats:
        """As EngineClient.stats."""
        try:
            return EngineStats.model_validate_json(await get_text(STATS_PATH))
        except ValidationError as error:
            raise _not_ours(endpoint, error) from error


def _json(contract: Contract) -> JsonObject:
    return contract.model_dump(mode="json", exclude_none=True)


def _parsed(kind: type[C], endpoint: ModelEndpoint, body: JsonObject) -> C:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise _not_ours(endpoint, error) from error


def _not_ours(endpoint: ModelEndpoint, error: ValidationError) -> EngineError:
    what = f"{endpoint.model_id}: the answer is not a {error.title}"
    return EngineError(what, model_id=endpoint.model_id)
