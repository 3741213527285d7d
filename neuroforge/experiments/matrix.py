"""Items x prompts x models x decodings x repeats -> rendered cells, one after another, never all at once."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product
from typing import Any

import orjson

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.chat import CHARACTERS_PER_TOKEN
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiment_run import ModelFacts
from neuroforge.contracts.experiments import (
    Cell,
    CellRequest,
    Decoding,
    ExperimentConfig,
    PromptTemplate,
    Variant,
)
from neuroforge.datasets.template import render

ITEM_BLOCK = 128
"""Items that every variant is asked before the next: whole rows come early, prefixes still stand together."""
_NOT_IN_ID = {"task", "group", "paraphrase_of", "split", "fields"}
"""Of an item; they change neither its score nor, beyond what stands in the rendered prompt, its question."""


@dataclass(frozen=True)
class MatrixCell:
    """A cell with its place in the matrix."""

    item_index: int
    variant_index: int
    request: CellRequest


@dataclass(frozen=True)
class Matrix:
    """What the configuration asks of the models."""

    config: ExperimentConfig
    models: tuple[ModelFacts, ...]

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """In the order of models, prompts, decodings."""
        return make_variants(self.config)

    @property
    def n_cells_an_item(self) -> int:
        """Cells that each item has."""
        return len(self.variants) * self.config.repeats

    def blocks(self, items: Iterable[DatasetItem]) -> Iterator[list[MatrixCell]]:
        """Yield the cells of a block of items after another; within it, all items of a variant stand together.

        Raises:
            DataError: A template cannot be filled from an item.
        """
        axes = list(product(self.models, self.config.prompts, self.config.decodings))
        numbered = enumerate(items)
        while block := [(index, item, _content(item)) for index, item in islice(numbered, ITEM_BLOCK)]:
            rendered = {prompt.name: [render(prompt, item) for _, item, _ in block] for prompt in self.config.prompts}
            cells: list[MatrixCell] = []
            for variant_index, (model, prompt, decoding) in enumerate(axes):
                asked = _Asked(self.config, self.variants[variant_index], model, prompt, decoding)
                for repeat in range(self.config.repeats):
                    cells += [
                        MatrixCell(index, variant_index, asked.request(item, content, messages, repeat))
                        for (index, item, content), messages in zip(block, rendered[prompt.name], strict=True)
                    ]
            yield cells


def make_variants(config: ExperimentConfig) -> tuple[Variant, ...]:
    """Return model x prompt x decoding; an axis with a single value does not stand in the ids."""
    return tuple(
        Variant(
            id="|".join(
                [
                    model_id,
                    *([prompt.name] if len(config.prompts) > 1 else []),
                    *([decoding.name] if len(config.decodings) > 1 else []),
                ]
            ),
            model_id=model_id,
            prompt=prompt.name,
            decoding=decoding.name,
        )
        for model_id, prompt, decoding in product(config.models, config.prompts, config.decodings)
    )


@dataclass(frozen=True)
class _Asked:
    """One variant, ready to be asked."""

    config: ExperimentConfig
    variant: Variant
    model: ModelFacts
    prompt: PromptTemplate
    decoding: Decoding

    def request(self, item: DatasetItem, content: bytes, messages: tuple[JsonObject, ...], repeat: int) -> CellRequest:
        """Return one cell's request; building it unchecked is four times as fast, and all of it is our own."""
        labels = item.labels if self.config.choice_by == "logprob" and self._scorer_of(item) == "choice" else ()
        parameters = {} if labels else self._parameters(item, repeat)
        weights = self.model.digest or self.model.model_id
        sent = orjson.dumps([weights, messages, item.tools, parameters, labels], option=orjson.OPT_SORT_KEYS)
        name = orjson.dumps([self.model.model_id, self.prompt.name, self.decoding.name, repeat])
        cell = Cell.model_construct(
            id=_digest(content, sent, name)[:24],
            item_id=item.id,
            dataset=item.dataset,
            variant_id=self.variant.id,
            model_id=self.model.model_id,
            repeat=repeat,
        )
        return CellRequest.model_construct(
            cell=cell,
            messages=messages,
            tools=item.tools,
            parameters=parameters,
            labels=labels,
            cache_key=_digest(sent),
            n_tokens_estimate=count_characters(messages) // CHARACTERS_PER_TOKEN + parameters.get("max_tokens", 1),
        )

    def _scorer_of(self, item: DatasetItem) -> str | None:
        return self.config.scorer or item.scorer

    def _parameters(self, item: DatasetItem, repeat: int) -> JsonObject:
        given: dict[str, Any] = {
            "temperature": self.decoding.temperature,
            "seed": (self.decoding.seed + repeat) % 2**31,
            "max_tokens": self.decoding.max_tokens or item.max_tokens,
        }
        if self.decoding.top_p is not None:
            given["top_p"] = self.decoding.top_p
        if self.decoding.stop:
            given["stop"] = list(self.decoding.stop)
        return given


def count_characters(messages: Sequence[JsonObject]) -> int:
    """Return how long the messages' texts are; parts of another kind count as their JSON."""
    total = 0
    for message in messages:
        content = message.get("content")
        total += len(content) if isinstance(content, str) else len(orjson.dumps(message))
    return total


def _content(item: DatasetItem) -> bytes:
    return item.model_dump_json(exclude=_NOT_IN_ID, exclude_defaults=True).encode()


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
