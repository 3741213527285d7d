"""Client and configuration -> who is asked -> PromptEngineeringCore -> result: what command and job have in common."""

import asyncio
import difflib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import DatasetSource
from neuroforge.contracts.models import Capability, ModelState, ModelStatus
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig, OptimizePlan
from neuroforge.contracts.prompt_progress import OptimizeProgress
from neuroforge.contracts.routing import Decision
from neuroforge.contracts.scores import Score, ScorerName
from neuroforge.datasets.items_file import parse_items
from neuroforge.datasets.pipeline import Assets, as_published, load_dataset
from neuroforge.datasets.sample import sample_stratified
from neuroforge.datasets.split import select_split
from neuroforge.errors import DataError, ModelNotFound
from neuroforge.prompts.ask import Target, TargetModels
from neuroforge.prompts.deliver import Outlets
from neuroforge.prompts.pipeline import PromptEngineeringCore, ScoreReply
from neuroforge.prompts.plan import Contestants
from neuroforge.prompts.search import SearchDriver, search
from neuroforge.scoring.pipeline import score_reply
from neuroforge.scoring.sandbox import Sandbox

N_ADVISERS = 4
"""Models that analyse, write and vote, the target among them: each takes some seconds to minutes of its own."""
N_ROUTED = 20
"""Examples that are put to `auto:best` to find the target where none is named."""


class Fleet(TargetModels, Protocol):
    """The async client, as far as it is needed."""

    async def models(self) -> tuple[ModelStatus, ...]:
        """Every desired model and what became of it."""
        ...

    async def route(self, messages: Any, model: str = "auto", **options: Any) -> Decision:
        """Who would answer."""
        ...


class Uploads(Protocol):
    """Items that callers sent."""

    def read(self, digest: str) -> bytes:
        """What was sent under that SHA-256. Raises NotFound: nothing was."""
        ...


@dataclass(frozen=True)
class OptimizationRun:
    """What a run needs beside its configuration."""

    client: Fleet
    assets: Assets
    sandbox: Sandbox
    directory: Path
    attempts: Path
    """File that remembers the tests of all runs: in the home, wherever runs lie."""
    on_progress: Callable[[OptimizeProgress], None] = lambda _progress: None
    drive: SearchDriver = search
    uploads: Uploads | None = None
    """Where a configuration may name items that were sent before; None = nowhere."""
    outlets: Outlets = field(default_factory=Outlets)


async def run_optimization(config: OptimizeConfig, run: OptimizationRun) -> OptimizationResult:
    """Optimise, or go on with what the directory holds.

    Raises:
        DataError, ConflictError: As `PromptEngineeringCore.optimize_prompt`.
        ModelNotFound: The target is not hosted; SandboxUnavailable: there is code to run, and no safe way to.
    """
    core, items = await _prepare(config, run)
    return await core.optimize_prompt(config, items, run.directory)


async def plan_optimization(config: OptimizeConfig, run: OptimizationRun) -> OptimizePlan:
    """Return what it would take. No model is called; raises as `run_optimization`."""
    core, items = await _prepare(config, run)
    return core.plan(config, items, run.directory)


async def _prepare(
    config: OptimizeConfig, run: OptimizationRun
) -> tuple[PromptEngineeringCore, tuple[DatasetItem, ...]]:
    items = load_items(config, run.assets, run.uploads)
    if any(item.scorer == "code" for item in items):
        run.sandbox.check()
    contestants = await find_contestants(config, run.client, items)
    core = PromptEngineeringCore(
        run.client,
        reply_scorer(run.sandbox),
        contestants,
        run.on_progress,
        run.drive,
        run.outlets,
        attempts=run.attempts,
    )
    return core, items


def reply_scorer(sandbox: Sandbox) -> ScoreReply:
    """Return what judges a reply by its item's own scorer, in a thread."""

    async def score(item: DatasetItem, reply: str) -> Score:
        return await asyncio.to_thread(score_reply, item, reply, sandbox)

    return score


def load_items(config: OptimizeConfig, assets: Assets, uploads: Uploads | None = None) -> tuple[DatasetItem, ...]:
    """Return the examples; none where the configuration names none.

    Raises:
        DataError: As `load_dataset`, or there is nowhere that uploads could be. NotFound: They were never sent.
    """
    source = config.dataset
    if source is None:
        return config.items
    items = select_split(_read(source, config.metric, assets, uploads), source.split, source.name)
    if source.n is None:
        return tuple(items)
    seed = config.seed if source.seed is None else source.seed
    return sample_stratified(items, source.n, seed)


def _read(
    source: DatasetSource, metric: ScorerName | None, assets: Assets, uploads: Uploads | None
) -> Sequence[DatasetItem]:
    if source.uploaded is None:
        read = load_dataset(source.name, assets, metric)
        return (as_published(read) if source.form == "published" else read).items
    if uploads is None:
        raise DataError(f"dataset {source.name!r} names an upload: only a server has those; name a file instead")
    return parse_items(uploads.read(source.uploaded), source.name)


async def find_contestants(config: OptimizeConfig, client: Fleet, items: Sequence[DatasetItem]) -> Contestants:
    """Return the target, and who else is asked for advice: models that can chat and are loaded, a few of them.

    Loading others, each for an opinion, would take longer than the search and push loaded ones out.

    Raises:
        ModelNotFound: The target, or a proposer, is not hosted, or nothing that can chat is.
        DataError: Neither a target nor examples by which to find one.
    """
    hosted = {model.id: model for model in await client.models()}
    known = sorted(hosted)
    for model_id in (config.target_model, *(config.proposers or ())):
        if model_id is not None and model_id not in hosted:
            near = difflib.get_close_matches(model_id, known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            told = f"the server does not host {model_id!r}; it hosts {', '.join(known) or 'nothing'}{hint}"
            raise ModelNotFound(told, model_id=model_id, known=known)
    chatting = tuple(one.id for one in hosted.values() if not one.capabilities or "chat" in one.capabilities)
    if not chatting:
        raise ModelNotFound("the server hosts no model that can chat", known=known)
    target = hosted[config.target_model or await _best_for(client, items, chatting)]
    n_slots = 1 if target.stats is None else max(1, target.stats.slots_total)
    return Contestants(
        target=Target(target.id, target.digest, price=target.price, takes_text=_can(target, "completion")),
        n_slots=n_slots,
        others=_advisers(target.id, config.proposers or (), [one for one in hosted.values() if one.id in chatting]),
        price_by_model={model.id: model.price for model in hosted.values()},
        stats=target.stats,
        tells_labels=_can(target, "label_logprobs"),
    )


def _can(model: ModelStatus, capability: Capability) -> bool:
    """Of a model that was not loaded yet nobody knows."""
    return not model.capabilities or capability in model.capabilities


def _advisers(target_id: str, proposers: Sequence[str], chatting: Sequence[ModelStatus]) -> tuple[str, ...]:
    """The target, whom the configuration names, then who is loaded, in the fleet's order."""
    named = dict.fromkeys((target_id, *proposers))
    loaded = [one.id for one in chatting if one.state is ModelState.READY and one.id not in named]
    return (*named, *loaded)[: max(N_ADVISERS, len(named))]


async def _best_for(client: Fleet, items: Sequence[DatasetItem], chatting: Sequence[str]) -> str:
    if len(chatting) == 1:
        return chatting[0]
    if not items:
        raise DataError(f"name target_model (one of {', '.join(chatting)}), or give examples by which to choose one")
    decisions = [await client.route(item.query, model="auto:best") for item in items[:N_ROUTED]]
    return Counter(one.model_id for one in decisions).most_common(1)[0][0]
