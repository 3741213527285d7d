"""A request's text -> features and TaskProfile: what needs the embedder's files."""

from collections.abc import Sequence

from neuroforge.contracts.routing import RoutingRequest
from neuroforge.router.belief import Belief
from neuroforge.router.classify import TaskClassifier
from neuroforge.router.conversation import read_turns
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import extract_conversation
from neuroforge.router.lengths import OutputLengths
from neuroforge.router.predict import Asked


class Senses:
    """Embedder and classifier, which come and go together."""

    def __init__(self, embedder: StaticEmbedder, lengths: OutputLengths) -> None:
        """Takes about a tenth of a second."""
        self.embedder = embedder
        self._classifier = TaskClassifier(embedder, lengths)

    def look(self, request: RoutingRequest, belief: Belief, turns: Sequence[str] | None = None) -> Asked:
        """Describe a request; `turns` = its texts where the body is no longer there."""
        texts = read_turns(request.body) if turns is None else turns
        features = extract_conversation(texts, self.embedder)
        profile = self._classifier.classify(features, texts[-1] if texts else "", request, belief.head)
        return Asked(request, profile, features)
