"""Hosted models x datasets -> journal -> outcome file: the whole labelling run behind the job and the command."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from neuroforge.contracts.datasets import Answer, DatasetItem
from neuroforge.contracts.models import ModelState, ModelStatus
from neuroforge.contracts.scores import Score, ScorerName
from neuroforge.datasets.ask import Asker, AskSettings, Contestant, Models
from neuroforge.datasets.journal import Journal
from neuroforge.datasets.label import Labeler
from neuroforge.datasets.outcomes import Summary, count_unscored, summarise, to_outcomes, write_outcomes
from neuroforge.datasets.pipeline import Assets, Dataset, Source, load_dataset
from neuroforge.datasets.progress import Progress
from neuroforge.datasets.sample import interleave, sample_stratified
from neuroforge.errors import DataError, ModelNotFound, NeuroForgeError
from neuroforge.scoring.pipeline import score_reply
from neuroforge.scoring.sandbox import Sandbox

logger = logging.getLogger(__name__)
JOURNAL = "answers.jsonl"
_NOT_HERE: tuple[ScorerName, ...] = ("judge", "embedding")


class Fleet(Models, Protocol):
    """The client, as far as it is needed."""

    def models(self) -> tuple[ModelStatus, ...]:
        """Every desired model and what became of it."""
        ...


@dataclass(frozen=True)
class LabelPlan:
    """What a labelling run is to do."""

    sources: tuple[Source, ...]
    out: Path
    """Outcome file, .parquet or .jsonl; the journal lies in the directory of the same name plus `.answers`."""
    model_ids: tuple[str, ...] = ()
    """Empty = all that the server hosts and that can chat."""
    settings: AskSettings = field(default_factory=AskSettings)
    sample_seed: int = 0
    concurrency: int | None = None
    """Calls at once; None = each model's own slots."""
    max_s: float | None = None
    """Seconds after which no further call is started; the rest is for the next run."""
    default_scorer: ScorerName | None = None
    is_strict: bool = True
    """Refuse a file with unusable rows instead of leaving them out."""
    is_rescored: bool = False
    """Judge the kept replies again, for example after a scorer changed; no model is asked for that."""

    @property
    def journal_path(self) -> Path:
        """Where answers are kept as they come."""
        return self.out.with_name(f"{self.out.name}.answers") / JOURNAL


@dataclass(frozen=True)
class LabelResult:
    """What a run came to; the outcome file holds what is scored so far."""

    progress: Progress
    n_rows: int
    summaries: list[Summary]
    unscored: dict[str, int]
    """Answers without a score by why; never counted as 0."""
    datasets: list[Dataset]


def label_fleet(
    plan: LabelPlan,
    client: Fleet,
    assets: Assets,
    sandbox: Sandbox,
    report: Callable[[Progress], None] = lambda _progress: None,
) -> LabelResult:
    """Ask what has not been answered yet, score, and write the outcome file of all answers so far.

    Raises:
        DataError: A dataset cannot be used; before the first call.
        ModelNotFound: A model that the server does not host.
        SandboxUnavailable: There is code to run, and no safe way to.
        ConflictError: Another run writes the same journal.
    """
    datasets = load_items(plan, assets)
    items = interleave([dataset.items for dataset in datasets], plan.sample_seed)
    if any(item.scorer == "code" for item in items):
        sandbox.check()
    chosen = choose_models(client.models(), plan.model_ids)
    hosted = choose_models(wake(client, chosen), [model.id for model in chosen])
    contestants = [contestant_of(model, plan.concurrency) for model in hosted]

    def score(item: DatasetItem, reply: str) -> Score:
        return score_reply(item, reply, sandbox)

    asker = Asker(client, score, plan.settings)
    cells = {asker.cell_id(item, one): (item, one.model_id) for item in items for one in contestants}
    with Journal(plan.journal_path, time.monotonic) as journal:
        if plan.is_rescored:
            rescore(journal, {cell: item for cell, (item, _) in cells.items()}, score)
        progress = Labeler(asker, journal, report).run(items, contestants, plan.max_s)
        kept = journal.answers
    answers = {
        (item.dataset, item.id, model_id): kept[cell] for cell, (item, model_id) in cells.items() if cell in kept
    }
    prices = {model.id: model.price for model in hosted}
    rows = to_outcomes(items, answers, prices)
    if rows:
        write_outcomes(rows, plan.out)
    unscored = dict(count_unscored(answers.values()))
    return LabelResult(progress, len(rows), summarise(items, answers, prices), unscored, datasets)


def rescore(
    journal: Journal, item_by_cell: Mapping[str, DatasetItem], score: Callable[[DatasetItem, str], Score]
) -> int:
    """Judge every kept reply again; return how many scores changed. The older judgement stays in the journal's file."""
    n_changed = 0
    for cell, answer in journal.answers.items():
        if cell not in item_by_cell or answer.reply is None:
            continue
        found = score(item_by_cell[cell], answer.reply)
        if found != answer.score:
            journal.append(Answer.model_validate({**answer.model_dump(), "score": found}))
            n_changed += 1
    return n_changed


def load_items(plan: LabelPlan, assets: Assets) -> list[Dataset]:
    """Return each source's items, sampled where the plan says how many.

    Raises:
        DataError: As `load_dataset`; a source stands twice; an item that only a judge or an embedder could score.
    """
    names = [source.name for source in plan.sources]
    if len(set(names)) != len(names):
        raise DataError(f"a dataset stands twice: {', '.join(names)}")
    found = []
    for source in plan.sources:
        dataset = load_dataset(source.name, assets, plan.default_scorer, plan.is_strict)
        if source.n is not None:
            items = sample_stratified(dataset.items, source.n, plan.sample_seed)
            dataset = Dataset(dataset.name, items, dataset.problems)
        _check_labelable(dataset)
        found.append(dataset)
    return found


def _check_labelable(dataset: Dataset) -> None:
    """What needs more than the reply to be scored would leave every outcome without a score."""
    for item in dataset.items:
        if item.scorer in _NOT_HERE:
            raise DataError(
                f"{dataset.name}, {item.id!r}: scorer {item.scorer!r} cannot label a fleet; give a reference and "
                "another scorer, or run an experiment"
            )


def choose_models(hosted: Sequence[ModelStatus], wanted: Sequence[str]) -> list[ModelStatus]:
    """Return the models in the order wanted; without a wish all that can chat.

    Raises:
        ModelNotFound: One is not hosted, or none can chat.
    """
    by_id = {model.id: model for model in hosted}
    known = sorted(by_id)
    for model_id in wanted:
        if model_id not in by_id:
            raise ModelNotFound(
                f"the server does not host {model_id!r}; it hosts {', '.join(known) or 'nothing'}",
                model_id=model_id,
                known=known,
            )
    # A model that is not loaded yet tells no capabilities: its first answer will show.
    chosen = [by_id[one] for one in wanted] or [
        model for model in hosted if not model.capabilities or "chat" in model.capabilities
    ]
    if not chosen:
        raise ModelNotFound("the server hosts no model that can chat", known=known)
    return chosen


def wake(client: Fleet, chosen: Sequence[ModelStatus]) -> tuple[ModelStatus, ...]:
    """Have the models loaded, and return what the server then says of all: slots are known only of loaded ones.

    Without it the first answer's latency would hold the loading. A model that does not load fails later, cell by cell.
    """
    for model in chosen:
        if model.state != ModelState.READY:
            try:
                client.chat("Hi", model=model.id, max_tokens=1)
            except NeuroForgeError as error:
                logger.warning("model does not load", extra={"model_id": model.id, "error_code": error.code})
    return client.models()


def contestant_of(model: ModelStatus, concurrency: int | None) -> Contestant:
    """Return the model as it is asked; `concurrency` None = its own slots."""
    slots = model.stats.slots_total if model.stats is not None else 1
    return Contestant(model.id, model.digest, max(1, concurrency or slots))
