"""Outcomes -> per model a Bayesian linear correction of its predicted quality, discounted, watched for changes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from neuroforge.errors import DataError
from neuroforge.router.evidence import Evidence
from neuroforge.router.hierarchy import Hierarchy, Newcomers

Floats = NDArray[np.float64]

FORMAT = "neuroforge.online.2"
NOISE_VARIANCE = 0.18
"""Of one score around its expectation; scores of 0 and 1 have up to 0.25."""
MAX_AGE_HALF_LIVES = 20.0
"""Older evidence weighs below a millionth: the scale is moved along before it overflows."""
MAX_UNSEEN = 64
"""Outcomes of a model that may pass before its residuals are compared with a newer belief."""


@dataclass
class OnlinePosterior:
    """Gaussian posteriors over coefficients of a basis: quality of a model = its base + basis @ coefficients.

    Models share a common part, so that what was learned of all is the first guess for one (hierarchy.py). Updates are
    O(d^2), commute, and are taken back by the same update with negative weight; beliefs follow when they are asked for.
    When a model's residuals lean to one side for too long, its evidence is dropped and the level of all others is
    doubted (evidence.py). The basis' first entry must be 1. Not safe for use by several threads at once.
    """

    prior_variances: Floats
    """(d,), of what one model's coefficients add to the common ones, before any outcome."""
    half_life_s: float | None = None
    """Evidence that is so much older than the newest counts half; None = all counts alike."""
    basis_id: str = ""
    """Which fit made the basis; evidence of another one is of no use."""
    newcomers: Newcomers | None = None
    """Which models the fit does not know; not kept, as whoever decides knows the fit."""
    n_changes: int = 0
    """Changes seen so far, of any model."""
    _evidence: dict[str, Evidence] = field(default_factory=dict, repr=False)
    _hierarchy: Hierarchy | None = field(default=None, repr=False)
    _dirty: dict[str, int] = field(default_factory=dict, repr=False)
    """Outcomes since a model's belief was made."""
    _made_at_scale: float = 1.0
    _reference_s: float | None = None
    _newest_s: float = -np.inf

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Models with evidence, in order of their first outcome."""
        return tuple(self._evidence)

    def n_outcomes(self, model_id: str) -> float:
        """Return how many outcomes are behind a model, discounted; 0 for an unknown one."""
        known = self._evidence.get(model_id)
        return max(known.weight * self._discount(), 0.0) if known else 0.0

    def update(self, model_id: str, basis: Floats, residual: float, *, at_s: float, weight: float = 1.0) -> None:
        """Learn one outcome: `residual` = score - base.

        What is older than the model's last change is left out, whether it comes or is taken back.

        Args:
            model_id: A new one starts from what all share.
            basis: (d,), as it was when the request was decided.
            residual: -1..1.
            at_s: Unix time of the outcome; may be older than the last one.
            weight: Negative takes an earlier update with these values back.
        Raises:
            DataError: The basis has another length, or a value is not finite.
        """
        if basis.shape != self.prior_variances.shape:
            raise DataError(
                f"{model_id}: basis of shape {basis.shape}; this posterior's is {self.prior_variances.shape}"
            )
        if not (np.isfinite(basis).all() and np.isfinite([residual, weight, at_s]).all()):
            raise DataError(f"{model_id}: basis, residual, weight and time must be finite")
        known = self._evidence.setdefault(model_id, Evidence.empty(len(basis)))
        if at_s <= known.changed_at_s:
            return
        is_news = weight > 0 and at_s >= self._newest_s
        mean, std = self._expect(model_id, basis) if is_news else (0.0, 0.0)
        self._newest_s = max(self._newest_s, at_s)
        known.add(basis, residual, weight * self._growth(at_s))
        self._dirty[model_id] = self._dirty.get(model_id, 0) + 1
        deviations = (residual - mean) / float(np.hypot(std, NOISE_VARIANCE**0.5))
        if is_news and known.is_surprised(deviations, weight):
            self._change(model_id, at_s)

    def predict(self, model_ids: Sequence[str], basis: Floats) -> tuple[Floats, Floats]:
        """Return mean and deviation of each model's correction, (m,) each; of an unknown model what all share.

        The deviation is of what sets the model apart, which is what a choice among models is about.
        """
        mean, variance = self._refresh().predict(model_ids, basis)
        return mean, np.sqrt(variance)

    def forget(self, model_id: str) -> None:
        """Drop what was learned of a model (another one has its name now)."""
        self._evidence.pop(model_id, None)
        self._dirty.pop(model_id, None)
        self._hierarchy = None

    def carried(self, prior_variances: Floats, basis_id: str, n_shared: int) -> "OnlinePosterior":
        """Return what was learned in terms of another basis that begins with the same `n_shared` columns.

        What was learned along the other columns is dropped: their part is taken for noise.
        """
        made = OnlinePosterior(prior_variances, self.half_life_s, basis_id, n_changes=self.n_changes)
        made._reference_s, made._newest_s = self._reference_s, self._newest_s
        made._evidence = {
            model_id: known.carried(n_shared, len(prior_variances)) for model_id, known in self._evidence.items()
        }
        return made

    def to_bytes(self) -> bytes:
        """Return everything as safetensors."""
        tensors: dict[str, NDArray[np.generic]] = {"prior_variances": self.prior_variances}
        models = {}
        for index, (model_id, known) in enumerate(self._evidence.items()):
            tensors[f"{index}.information"], tensors[f"{index}.moment"] = known.information, known.moment
            changed_at_s = known.changed_at_s if np.isfinite(known.changed_at_s) else None
            models[model_id] = [known.weight, known.up, known.down, changed_at_s]
        head = {
            "format": FORMAT,
            "basis_id": self.basis_id,
            "half_life_s": self.half_life_s,
            "n_changes": self.n_changes,
            "reference_s": self._reference_s,
            "newest_s": self._newest_s if self._evidence and np.isfinite(self._newest_s) else None,
            "models": models,
        }
        tensors["head"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
        return bytes(save(tensors))

    @classmethod
    def from_bytes(cls, data: bytes) -> "OnlinePosterior":
        """Return what `to_bytes` wrote.

        Raises:
            DataError: Not such bytes, or of another version.
        """
        try:
            tensors = load(data)
            head = json.loads(tensors["head"].tobytes())
            if head["format"] != FORMAT:
                raise DataError(f"online posterior of format {head['format']!r}; this version reads {FORMAT!r}")
            made = cls(tensors["prior_variances"], head["half_life_s"], head["basis_id"], n_changes=head["n_changes"])
            for index, (model_id, (weight, up, down, changed_at_s)) in enumerate(head["models"].items()):
                since = -np.inf if changed_at_s is None else changed_at_s
                arrays = (tensors[f"{index}.information"], tensors[f"{index}.moment"])
                made._evidence[model_id] = Evidence(*arrays, weight, up, down, since)
            made._reference_s = head["reference_s"]
            made._newest_s = -np.inf if head["newest_s"] is None else head["newest_s"]
        except (SafetensorError, KeyError, ValueError, TypeError) as error:
            raise DataError(f"not the bytes of an online posterior: {error}") from error
        return made

    def _change(self, model_id: str, at_s: float) -> None:
        """Start the model anew from what all share; the others keep what tells tasks apart, their level is doubted."""
        self.n_changes += 1
        discount = self._discount()
        for other_id, known in self._evidence.items():
            if other_id == model_id:
                known.drop(at_s, discount)
            else:
                known.doubt_level(discount / NOISE_VARIANCE)
        self._hierarchy = None

    def _expect(self, model_id: str, basis: Floats) -> tuple[float, float]:
        """What a decision of about now expected: beliefs may lag by MAX_UNSEEN outcomes."""
        is_old = self._dirty.get(model_id, 0) >= MAX_UNSEEN
        hierarchy = self._refresh() if is_old or self._hierarchy is None else self._hierarchy
        mean, variance = hierarchy.predict((model_id,), basis)
        return float(mean[0]), float(variance[0]) ** 0.5

    def _refresh(self) -> Hierarchy:
        """Make beliefs of all evidence."""
        discount = self._discount()
        is_stale = discount != self._made_at_scale
        if self._hierarchy is None or is_stale or len(self._hierarchy.variances) != len(self.prior_variances):
            self._hierarchy = Hierarchy(self.prior_variances, self.newcomers)
            self._dirty = dict.fromkeys(self._evidence, 1)
            self._made_at_scale = discount
        if self._dirty:
            scale = self._made_at_scale / NOISE_VARIANCE
            for model_id in self._dirty:
                known = self._evidence[model_id]
                self._hierarchy.put(model_id, scale * known.information, scale * known.moment)
            self._hierarchy.combine()
            self._dirty.clear()
        return self._hierarchy

    def _discount(self) -> float:
        """What evidence on the statistics' scale counts now."""
        if self.half_life_s is None or self._reference_s is None:
            return 1.0
        return float(0.5 ** ((self._newest_s - self._reference_s) / self.half_life_s))

    def _growth(self, at_s: float) -> float:
        """What an outcome of this time counts on the statistics' scale; moves the scale along where it must."""
        if self.half_life_s is None:
            return 1.0
        if self._reference_s is None:
            self._reference_s = at_s
        age = (self._newest_s - self._reference_s) / self.half_life_s
        if age > MAX_AGE_HALF_LIVES:
            for known in self._evidence.values():
                known.multiply(0.5**age)
            self._reference_s, self._hierarchy = self._newest_s, None
        return float(2.0 ** ((at_s - self._reference_s) / self.half_life_s))
