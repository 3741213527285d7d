"""Task -> which models take part, best first, with what the router expects of them."""

from typing import NamedTuple

from neuroforge.contracts.routing import Prediction, RoutingRequest
from neuroforge.contracts.tasks import Task
from neuroforge.errors import ModelNotFound
from neuroforge.orchestrator.adapt import Adaptation

EQUAL_QUALITY = 0.15
"""A model whose predicted quality is so much below the best one's takes no part unless the caller names it."""


class Contestant(NamedTuple):
    """One model that may take part."""

    model_id: str
    prediction: Prediction | None
    """None while the router has learned nothing, or has only one model to choose from."""

    @property
    def weight(self) -> float:
        """Of its vote: the predicted quality, 1 where none is predicted."""
        return 1.0 if self.prediction is None else max(self.prediction.quality, 0.01)


def pick_contestants(task: Task, caller: RoutingRequest, adaptation: Adaptation) -> tuple[Contestant, ...]:
    """Return the models in the order in which they are asked, at least one.

    Those that the caller names, in that order; else the one model that `task.model` names; else the router's choice
    first and then the others that may answer, by utility.
    Raises:
        ModelNotFound: A named one is not in the fleet. Else as Router.decide.
    """
    if task.models is not None:
        _check_known(task.models, caller, adaptation)
    elif caller.policy == "explicit":
        return (Contestant(caller.model_id or task.model, None),)
    by_policy = caller if caller.policy != "explicit" else RoutingRequest(**{**dict(caller), "policy": "auto"})
    decision = adaptation.decide(by_policy)
    prediction_by_model = {one.model_id: one.prediction for one in decision.candidates}
    if task.models is not None:
        named = [prediction_by_model.get(name) for name in task.models]
        # Where the router predicts only some (one is not loaded, say), the others' weight of 1 would outvote them.
        known = named if None not in named else [None] * len(named)
        return tuple(Contestant(name, one) for name, one in zip(task.models, known, strict=True))
    open_ones = [one for one in decision.candidates if one.filtered is None and one.model_id != decision.model_id]
    open_ones.sort(key=lambda one: (-(one.utility.total if one.utility else 0.0), one.expected_latency_s or 0.0))
    names = [decision.model_id, *(one.model_id for one in open_ones)]
    return tuple(Contestant(name, prediction_by_model.get(name)) for name in names)


def among_equals(contestants: tuple[Contestant, ...], n: int) -> tuple[Contestant, ...]:
    """Return the first `n` whose predicted quality comes near the best one's."""
    best = max((one.prediction.quality for one in contestants if one.prediction is not None), default=0.0)
    near = [one for one in contestants if one.prediction is None or one.prediction.quality >= best - EQUAL_QUALITY]
    return tuple(near[:n])


def _check_known(names: tuple[str, ...], caller: RoutingRequest, adaptation: Adaptation) -> None:
    snapshot = adaptation.fleet.snapshot
    allowed = caller.allowed_models
    for name in names:
        if snapshot.find(name) is None:
            known = sorted(one.model_id for one in snapshot.models if allowed is None or one.model_id in allowed)
            raise ModelNotFound(
                f"models: {name!r} does not exist; known: {', '.join(known) or 'none'}", param="models", model_id=name
            )
