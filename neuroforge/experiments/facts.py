"""Hosted models x configuration -> what is known of each contestant before the first call."""

import difflib
from collections.abc import Sequence

from neuroforge.contracts.experiment_run import LaneModel, ModelFacts
from neuroforge.contracts.experiments import ExperimentConfig
from neuroforge.contracts.models import ModelState, ModelStatus
from neuroforge.errors import ModelNotFound, UnsupportedParameter

UNKNOWN_SLOTS = 4
"""Calls at once to a model that tells no slots (an upstream); fewer as soon as it refuses one."""


def find_models(hosted: Sequence[ModelStatus], config: ExperimentConfig) -> tuple[ModelFacts, ...]:
    """Return the facts of the configuration's models, in its order.

    Raises:
        ModelNotFound: One is not hosted: names the nearest.
        UnsupportedParameter: One is known to be unable to chat, or to score labels where that is asked.
    """
    by_id = {model.id: model for model in hosted}
    for model_id in config.models:
        if model_id not in by_id:
            raise _unknown(model_id, sorted(by_id))
        _check_abilities(by_id[model_id], config)
    return tuple(facts_of(by_id[model_id]) for model_id in config.models)


def find_judge(hosted: Sequence[ModelStatus], config: ExperimentConfig) -> ModelFacts | None:
    """Return the facts of the configuration's judge; None = it names none.

    Raises:
        ModelNotFound: It is not hosted: names the nearest.
    """
    if config.judge is None:
        return None
    by_id = {model.id: model for model in hosted}
    if config.judge.model_id not in by_id:
        raise _unknown(config.judge.model_id, sorted(by_id), "the judge ")
    return facts_of(by_id[config.judge.model_id])


def facts_of(model: ModelStatus) -> ModelFacts:
    """Return what its status tells."""
    return ModelFacts(
        model_id=model.id,
        digest=model.digest,
        price=model.price,
        stats=model.stats,
        is_ready=model.state == ModelState.READY,
    )


def lane_model(facts: ModelFacts, concurrency: int | None, down: str | None = None) -> LaneModel:
    """Return how many calls the model gets at once: as many as asked for, else its free slots, growing to all of them.

    The gateway refuses what is too much, and then it gets fewer.
    """
    stats = facts.stats
    n_total = max(1, stats.slots_total) if stats is not None else UNKNOWN_SLOTS
    n_free = max(1, n_total - stats.slots_busy - stats.queued) if stats is not None else n_total
    return LaneModel(
        model_id=facts.model_id,
        n_slots=concurrency or n_free,
        n_slots_max=concurrency or n_total,
        price=facts.price,
        down=down,
    )


def _unknown(model_id: str, known: list[str], what: str = "") -> ModelNotFound:
    near = difflib.get_close_matches(model_id, known, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return ModelNotFound(
        f"the server does not host {what}{model_id!r}; it hosts {', '.join(known) or 'nothing'}{hint}",
        model_id=model_id,
        known=known,
    )


def _check_abilities(model: ModelStatus, config: ExperimentConfig) -> None:
    # A model that is not loaded yet tells no capabilities: its first answer will show.
    if not model.capabilities:
        return
    needed = ("chat", "label_logprobs") if config.choice_by == "logprob" else ("chat",)
    for ability in needed:
        if ability not in model.capabilities:
            raise UnsupportedParameter(
                f"{model.id!r} cannot do {ability}, which this experiment needs", model_id=model.id, param="models"
            )
