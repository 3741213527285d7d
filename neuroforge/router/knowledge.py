"""What a replica decides by: embedder and newest snapshot -> Belief; and a sample of its traffic for the next one."""

from collections.abc import Callable
from dataclasses import replace

from neuroforge.contracts.outcomes import LearnerSnapshot
from neuroforge.contracts.routing import RoutingRequest
from neuroforge.errors import DataError
from neuroforge.router.belief import Belief, Fitted, build_belief
from neuroforge.router.clusters import TrafficSample
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.lengths import OutputLengths
from neuroforge.router.predict import Asked
from neuroforge.router.rules import RulesView
from neuroforge.router.senses import Senses

LoadFitted = Callable[[bytes, str], Fitted]
"""(bytes, hash of the embedder) -> fit. Raises DataError."""


class Knowledge:
    """Changed by one thread, read by others: what is in force is always one whole snapshot's."""

    def __init__(self, load_fitted: LoadFitted, lengths: OutputLengths, has_sample: bool) -> None:
        """Args:
        lengths: Of answers, as this replica sees them.
        has_sample: Whether places of requests may be kept until kinds are found in them.
        """
        self.senses: Senses | None = None
        """None = requests cannot be described yet."""
        self.belief: Belief | None = None
        """None = nothing was learned yet."""
        self._load_fitted = load_fitted
        self._lengths = lengths
        self._pending: LearnerSnapshot | None = None
        self._sample = TrafficSample() if has_sample else None

    @property
    def has_embedder(self) -> bool:
        """Whether requests can be described."""
        return self.senses is not None

    @property
    def known(self) -> tuple[int, str]:
        """Version and fit id of the newest snapshot taken; (0, "") before the first."""
        newest = self._pending or self.belief
        return (0, "") if newest is None else (newest.version, newest.fit_id)

    def equip(self, embedder: StaticEmbedder) -> None:
        """Take the embedder, and the snapshot that waited for it. Takes a while: not in the event loop.

        Raises:
            DataError: As `take`.
        """
        self.senses = Senses(embedder, self._lengths)
        if (pending := self._pending) is not None:
            self.take(pending)

    def take(self, snapshot: LearnerSnapshot) -> None:
        """Decide by this snapshot from now on. Takes milliseconds: not in the event loop.

        Before the embedder is there only the snapshot's rules are followed.
        Raises:
            DataError: It cannot be used; the one before stays in force, but for the rules, which are the new ones.
        """
        senses = self.senses
        if senses is None:
            self._pending = _with_fit_of(self._pending, snapshot)
            self.belief = Belief(
                snapshot.version,
                RulesView(snapshot.rules),
                best_single=snapshot.best_single,
                live_tests=snapshot.live_tests,
            )
            return
        embedder_hash = senses.embedder.sha256
        try:
            belief = build_belief(snapshot, self.belief, lambda data: self._load_fitted(data, embedder_hash))
            _check_basis(belief, senses)
        except DataError:
            kept = self.belief or Belief(0, RulesView(snapshot.rules))
            self.belief = replace(kept, rules=RulesView(snapshot.rules), live_tests=snapshot.live_tests)
            raise
        self.belief = belief
        self._pending = None

    def sample(self, asked: Asked, belief: Belief, senses: Senses) -> None:
        """See a request, as long as no fit knows of kinds."""
        if self._sample is not None and not belief.fit_id:
            self._sample.see(senses.place(asked))

    def take_sample(self) -> tuple[TrafficSample, str] | None:
        """Return a full sample of the traffic with the embedder's hash, once; None while there is none, or no need."""
        if self._sample is None or not self._sample.is_full or self.senses is None:
            return None
        taken, self._sample = self._sample, TrafficSample()
        is_needed = self.belief is not None and not self.belief.fit_id
        return (taken, self.senses.embedder.sha256) if is_needed else None


def _check_basis(belief: Belief, senses: Senses) -> None:
    if belief.clusters is not None and belief.clusters.embedder_sha256 != senses.embedder.sha256:
        raise DataError(f"snapshot {belief.version}: its kinds of requests were found with another embedder")
    n_basis = len(senses.look(RoutingRequest(request_id="", policy="auto"), belief).basis)
    n_learned = n_basis if belief.online is None else len(belief.online.prior_variances)
    if n_learned != n_basis:
        raise DataError(
            f"snapshot {belief.version}: posteriors of {n_learned} coefficients, requests are described by {n_basis}"
        )


def _with_fit_of(previous: LearnerSnapshot | None, snapshot: LearnerSnapshot) -> LearnerSnapshot:
    """The newer one, with the fit that the older one brought: it travels only once."""
    if previous is None or snapshot.fit is not None or snapshot.fit_id != previous.fit_id:
        return snapshot
    return LearnerSnapshot(**{**dict(snapshot), "fit": previous.fit})
