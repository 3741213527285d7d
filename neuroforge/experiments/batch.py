"""Requests -> batches: one model each, shared beginnings side by side, about equally large."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import orjson

from neuroforge.contracts.experiments import CellBatch, CellRequest


class IntelligentRequestBatcher:
    """Groups what can go together, so that an engine finds the beginning of a prompt still in its prefix cache."""

    def __init__(self, max_requests: int = 64, max_tokens: int = 65_536) -> None:
        """Args:
        max_requests: Of a batch.
        max_tokens: Estimated, prompts and answers together; a request that is larger stands alone.
        """
        self._max_requests = max_requests
        self._max_tokens = max_tokens

    def batch_requests_intelligently(self, requests: Sequence[CellRequest]) -> list[CellBatch]:
        """Return every request once; models in the order in which they came first.

        Within a model, chats, chats with tools and label scores are apart, and requests are in the order of their
        text: neighbours share the longest beginning that any order can give them.
        """
        order = {model: place for place, model in enumerate(dict.fromkeys(one.cell.model_id for one in requests))}
        keyed = sorted(
            ((order[one.cell.model_id], *_kind(one), _text(one)), place) for place, one in enumerate(requests)
        )
        ordered = [requests[place] for _, place in keyed]
        batches = []
        for (model_id, *_), members in groupby(ordered, key=lambda one: (one.cell.model_id, *_kind(one))):
            for part in self._split(list(members)):
                total = sum(one.n_tokens_estimate for one in part)
                batches.append(
                    CellBatch.model_construct(model_id=model_id, requests=tuple(part), n_tokens_estimate=total)
                )
        return batches

    def _split(self, members: list[CellRequest]) -> Iterator[list[CellRequest]]:
        """Cut where neither limit is passed, and no batch is much smaller than the others."""
        total = sum(one.n_tokens_estimate for one in members)
        n_parts = max(-(-len(members) // self._max_requests), -(-total // self._max_tokens), 1)
        most = -(-len(members) // n_parts)
        part: list[CellRequest] = []
        n_tokens = 0
        for one in members:
            if part and (len(part) >= most or n_tokens + one.n_tokens_estimate > self._max_tokens):
                yield part
                part, n_tokens = [], 0
            part.append(one)
            n_tokens += one.n_tokens_estimate
        yield part


def _kind(request: CellRequest) -> tuple[bool, bytes]:
    """What must not be mixed: a tool list stands before the messages in most chat templates."""
    return bool(request.labels), orjson.dumps(request.tools, option=orjson.OPT_SORT_KEYS)


def _text(request: CellRequest) -> bytes:
    return orjson.dumps(request.messages)
