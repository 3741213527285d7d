"""A request's text -> features, TaskProfile and basis: what needs the embedder's files."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.routing import RoutingRequest
from neuroforge.contracts.tasks import TASK_TYPES
from neuroforge.router.basis import ExampleBasis, FittedBasis, basis_of, with_likeness
from neuroforge.router.belief import Belief
from neuroforge.router.classify import TaskClassifier, read_learned_tasks
from neuroforge.router.clusters import ClusterBasis
from neuroforge.router.conversation import read_turns
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import FeatureMatrix, extract_conversation
from neuroforge.router.lengths import OutputLengths
from neuroforge.router.predict import Asked


class _Known(NamedTuple):
    """A fit whose basis of this request was worked out already."""

    rows: NDArray[np.floating]

    def basis(self, features: FeatureMatrix) -> NDArray[np.floating]:
        """The rows, whatever the features: they are of the same request."""
        return self.rows[: len(features)]


class Senses:
    """Embedder and classifier, which come and go together."""

    def __init__(self, embedder: StaticEmbedder, lengths: OutputLengths) -> None:
        """Takes about a twentieth of a second."""
        self.embedder = embedder
        self._classifier = TaskClassifier(embedder, lengths)
        self._examples = ExampleBasis(embedder)

    def look(self, request: RoutingRequest, belief: Belief, turns: Sequence[str] | None = None) -> Asked:
        """Describe a request; `turns` = its texts where the body is no longer there."""
        texts = read_turns(request.body) if turns is None else turns
        features = extract_conversation(texts, self.embedder)
        known: FittedBasis = self._examples
        if belief.clusters is not None:
            known = ClusterBasis(self._examples, belief.clusters)
        learned, told = None, None
        if belief.fitted is not None:
            rows, told = belief.fitted.basis(features), belief.fitted.predict(features)
            known = _Known(with_likeness(rows, told.quality))
            learned = read_learned_tasks(belief.fitted.tasks, np.asarray(rows[0], dtype=np.float64))
        profile = self._classifier.classify(features, texts[-1] if texts else "", request, learned)
        probabilities = np.array([profile.probability_by_task[task] for task in TASK_TYPES])
        return Asked(request, profile, features, basis_of(known, features, probabilities), told)

    def place(self, asked: Asked) -> NDArray[np.float64]:
        """Return (dimension,): where the request lies among others."""
        return np.asarray(self._examples.place(asked.features)[0], dtype=np.float64)
