"""The online posterior with the fit whose basis it looks at, and how both outlive a process: docs/decisions/105."""

import hashlib
import logging
from bisect import bisect_right
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.ports import Clock
from neuroforge.errors import DataError
from neuroforge.router.basis import N_SHARED
from neuroforge.router.clusters import PREFIX
from neuroforge.router.online import OnlinePosterior
from neuroforge.storage.learner_state import AppliedFit, Lesson, SavedState
from neuroforge.storage.outcomes import OutcomeStore

logger = logging.getLogger(__name__)

PriorOf = Callable[[bytes | None], NDArray[np.float64]]
"""A fit's or Clusters' bytes, or None for neither -> variances of the coefficients, (d,). Raises DataError: the bytes
are of no use."""
NO_FIT = ""
SAVE_EVERY_S = 1.0
VERSION_GAP = 1000
"""More snapshots than are published between two saves: a version never names two states, not even after a crash."""


def is_fitless(fit_id: str) -> bool:
    """Whether this names examples or Clusters, not a fit."""
    return fit_id == NO_FIT or fit_id.startswith(PREFIX)


class Lessons:
    """What was learned. Not safe for use by several threads at once."""

    def __init__(self, store: OutcomeStore, clock: Clock, prior_of: PriorOf, half_life_s: float) -> None:
        """`clock` is Unix time. Reads the saved state and applies what was learned after it was saved."""
        self._store = store
        self._clock = clock
        self._prior_of = prior_of
        self._half_life_s = half_life_s
        self._applied: list[AppliedFit] = [AppliedFit(NO_FIT, 0), *store.applied_fits()]
        self._is_dirty = False
        self._saved_at_s = clock()
        saved = store.load_state()
        self.version = 1 if saved is None else saved.version + VERSION_GAP
        self.n_dropped = 0 if saved is None else saved.n_dropped
        self._redo_seq = 0 if saved is None else saved.redo_seq
        self.fit_id, self.fit, prior = self._restore_fit()
        self.posterior = self._restore_posterior(saved, prior)
        self.save()  # now, so that no later start begins at the same version

    def fit_of(self, version: int) -> str:
        """Return the id of the fit that snapshots of this version carry."""
        place = bisect_right(self._applied, version, key=lambda one: one.first_version) - 1
        return self._applied[max(place, 0)].fit_id

    def knows(self, fit_id: str) -> bool:
        """Whether what was decided by this fit can be learned now: bases without a fit have a part in common."""
        return fit_id == self.fit_id or (is_fitless(fit_id) and is_fitless(self.fit_id))

    def can_take(self, fit_id: str, basis: bytes | None, base_quality: float | None) -> bool:
        """Whether an outcome with this basis can be learned now."""
        if basis is None or base_quality is None or not self.knows(fit_id):
            return False
        return fit_id != self.fit_id or len(basis) == 4 * len(self.posterior.prior_variances)

    def take(self, lessons: Iterable[Lesson], redo_seq: int) -> None:
        """Learn what stands in the redo log up to this number."""
        for lesson in lessons:
            self._update(lesson)
            self._is_dirty = True
        self._redo_seq = max(self._redo_seq, redo_seq)

    def apply(self, content: bytes) -> bool:
        """Put a fit into force with an empty posterior, on disk first; on any error nothing has changed.

        The next version carries it: publish it now.

        Returns:
            Whether it is another than before.
        Raises:
            DataError: It cannot be used; says why.
        """
        fit_id = hashlib.sha256(content).hexdigest()
        if fit_id == self.fit_id:
            return False
        self._replace(fit_id, content, self._empty(self._prior_of(content), fit_id), False)
        return True

    def adopt(self, content: bytes) -> bool:
        """Learn in terms of these Clusters from the next version on, unless there are some, or a fit.

        What was learned of tasks is carried over. Publish the next version now.

        Returns:
            Whether they were adopted.
        Raises:
            DataError: They cannot be used; nothing has changed.
        """
        if self.fit_id != NO_FIT:
            return False
        fit_id = PREFIX + hashlib.sha256(content).hexdigest()
        self._replace(fit_id, content, self.posterior.carried(self._prior_of(content), fit_id, N_SHARED), True)
        return True

    def forget(self) -> None:
        """Make the posterior from what is still kept: after a purge nothing else shall stand in it.

        Clusters are means of what was purged: they go too. Publish the next version now.
        """
        if self.fit_id.startswith(PREFIX):
            self._replace(NO_FIT, None, self._empty(self._prior_of(None), NO_FIT), True)
        self._relearn()

    def _relearn(self) -> None:
        self.posterior = self._empty(self.posterior.prior_variances, self.fit_id)
        for lesson in self._store.standing_lessons(self._known_ids()):
            if self.can_take(lesson.fit_id, lesson.basis, 0.0):
                self._update(lesson)
        self.save()

    def _known_ids(self) -> set[str]:
        return {one.fit_id for one in self._applied if self.knows(one.fit_id)}

    def save_when_due(self) -> None:
        """Save if something was learned and the last time is long enough ago."""
        if self._is_dirty and self._clock() - self._saved_at_s >= SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Write the posterior and shorten the redo log."""
        now_s = self._clock()
        state = SavedState(self.version, self.posterior.to_bytes(), self._redo_seq, self.n_dropped)
        self._store.save_state(state, now_s)
        self._is_dirty, self._saved_at_s = False, now_s

    def note_dropped(self, n: int) -> None:
        """Count outcomes that a replica lost."""
        self.n_dropped += n
        self._is_dirty = self._is_dirty or n > 0

    def _restore_fit(self) -> tuple[str, bytes | None, NDArray[np.float64]]:
        content = self._store.fit_content()
        if content is None:
            return NO_FIT, None, self._prior_of(None)
        try:
            return self._applied[-1].fit_id, content, self._prior_of(content)
        except DataError as error:
            # Another embedder was configured since: decide without the fit rather than not at all.
            logger.warning("the applied fit cannot be used any more", extra={"reason": error.message})
            self._applied.append(AppliedFit(NO_FIT, self.version))
            return NO_FIT, None, self._prior_of(None)

    def _restore_posterior(self, saved: SavedState | None, prior: NDArray[np.float64]) -> OnlinePosterior:
        self.posterior = self._empty(prior, self.fit_id)
        if saved is None:
            return self.posterior
        found: OnlinePosterior | None = None
        try:
            found = OnlinePosterior.from_bytes(saved.online) if saved.online else None  # empty after a purge
        except DataError as error:
            logger.warning("the saved posterior cannot be read; learning anew", extra={"reason": error.message})
        lessons, last_seq = self._store.missed_lessons(self._redo_seq, self._known_ids())
        if found is None or found.basis_id != self.fit_id or found.prior_variances.shape != prior.shape:
            self._redo_seq = last_seq  # the redo log tells of outcomes that stand in the store: not to be learned twice
            self._relearn()
            return self.posterior
        # Configuration and defaults may have changed since; the evidence stands.
        found.prior_variances, found.half_life_s = prior, self._half_life_s
        self.posterior = found
        self.take((one for one in lessons if self.can_take(one.fit_id, one.basis, 0.0)), last_seq)
        return self.posterior

    def _update(self, lesson: Lesson) -> None:
        basis = np.frombuffer(lesson.basis, dtype=np.float32).astype(np.float64)
        if lesson.fit_id != self.fit_id:
            shared = basis[:N_SHARED]
            basis = np.zeros(len(self.posterior.prior_variances))
            basis[: len(shared)] = shared
        self.posterior.update(lesson.model_id, basis, lesson.residual, at_s=lesson.at_s, weight=lesson.weight)

    def _replace(self, fit_id: str, content: bytes | None, posterior: OnlinePosterior, keeps_lessons: bool) -> None:
        """On disk first; on any error nothing has changed."""
        applied = AppliedFit(fit_id, self.version + 1)
        now_s = self._clock()
        state = SavedState(applied.first_version, posterior.to_bytes(), self._redo_seq, self.n_dropped)
        self._store.save_fit(applied, content, state, now_s, keeps_lessons)
        self._applied.append(applied)
        self.fit_id, self.fit, self.posterior = fit_id, content, posterior
        self._is_dirty, self._saved_at_s = False, now_s

    def _empty(self, prior: NDArray[np.float64], fit_id: str) -> OnlinePosterior:
        return OnlinePosterior(prior, self._half_life_s, fit_id)
