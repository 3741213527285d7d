"""Outcomes -> per model a Bayesian linear correction of its predicted quality, discounted in time."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from neuroforge.errors import DataError

Floats = NDArray[np.float64]

FORMAT = "neuroforge.online.1"
NOISE_VARIANCE = 0.15
"""Of one score around its expectation; scores of 0 and 1 have up to 0.25."""
MAX_AGE_HALF_LIVES = 20.0
"""Older evidence weighs below a millionth: the scale is moved along before it overflows."""


@dataclass
class _Evidence:
    """Sufficient statistics of one model, on the scale of the posterior's reference time."""

    precision: Floats
    """(d, d), sum of weighted outer products."""
    moment: Floats
    """(d,), sum of weighted basis times residual."""
    weight: float = 0.0


@dataclass
class _Belief:
    """What the evidence says."""

    mean: Floats
    covariance: Floats


@dataclass
class OnlinePosterior:
    """Gaussian posteriors over coefficients of a basis: quality of a model = its base + basis @ coefficients.

    Updates are O(d^2), commute, and can be taken back by the same update with negative weight. Not safe for use by
    several threads at once.
    """

    prior_variances: Floats
    """(d,), of the coefficients before any outcome."""
    half_life_s: float | None = None
    """Evidence that is so much older than the newest counts half; None = all counts alike."""
    basis_id: str = ""
    """Which fit made the basis; evidence of another one is of no use."""
    _evidence: dict[str, _Evidence] = field(default_factory=dict, repr=False)
    _beliefs: dict[str, _Belief] = field(default_factory=dict, repr=False)
    _reference_s: float | None = None
    _newest_s: float = 0.0

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Models with evidence, in order of their first outcome."""
        return tuple(self._evidence)

    def n_outcomes(self, model_id: str) -> float:
        """Return how many outcomes are behind a model, discounted; 0 for an unknown one."""
        known = self._evidence.get(model_id)
        return max(known.weight * self._scale(self._newest_s, -1.0), 0.0) if known else 0.0

    def update(self, model_id: str, basis: Floats, residual: float, *, at_s: float, weight: float = 1.0) -> None:
        """Learn one outcome: `residual` = score - base.

        Args:
            model_id: A new one starts from the prior.
            basis: (d,), as it was when the request was decided.
            residual: -1..1.
            at_s: Unix time of the outcome; may be older than the last one.
            weight: Negative takes an earlier update with these values back.
        Raises:
            DataError: The basis has another length, or a value is not finite.
        """
        if basis.shape != self.prior_variances.shape:
            raise DataError(
                f"{model_id}: basis of shape {basis.shape}, this posterior's is {self.prior_variances.shape}"
            )
        if not (np.isfinite(basis).all() and np.isfinite(residual) and np.isfinite(weight)):
            raise DataError(f"{model_id}: basis, residual and weight must be finite")
        n_basis = len(basis)
        known = self._evidence.setdefault(model_id, _Evidence(np.zeros((n_basis, n_basis)), np.zeros(n_basis)))
        scaled = weight * self._scale(at_s, 1.0)
        known.precision += scaled * np.outer(basis, basis)
        known.moment += scaled * residual * basis
        known.weight += scaled
        if at_s > self._newest_s:
            self._newest_s = at_s
            if self.half_life_s is not None:
                self._beliefs.clear()
        self._beliefs.pop(model_id, None)

    def predict(self, model_ids: Sequence[str], basis: Floats) -> tuple[Floats, Floats]:
        """Return mean and deviation of each model's correction, (m,) each; of an unknown model the prior's."""
        mean = np.zeros(len(model_ids))
        variance = np.full(len(model_ids), float(self.prior_variances @ basis**2))
        for index, model_id in enumerate(model_ids):
            if model_id in self._evidence:
                belief = self._belief(model_id)
                mean[index] = belief.mean @ basis
                variance[index] = basis @ belief.covariance @ basis
        return mean, np.sqrt(variance)

    def forget(self, model_id: str) -> None:
        """Drop what was learned of a model (another one has its name now)."""
        self._evidence.pop(model_id, None)
        self._beliefs.pop(model_id, None)

    def to_bytes(self) -> bytes:
        """Return everything as safetensors."""
        tensors: dict[str, NDArray[np.generic]] = {"prior_variances": self.prior_variances}
        for index, known in enumerate(self._evidence.values()):
            tensors[f"{index}.precision"], tensors[f"{index}.moment"] = known.precision, known.moment
        head = {
            "format": FORMAT,
            "basis_id": self.basis_id,
            "half_life_s": self.half_life_s,
            "reference_s": self._reference_s,
            "newest_s": self._newest_s,
            "weights": {model_id: known.weight for model_id, known in self._evidence.items()},
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
            made = cls(tensors["prior_variances"], head["half_life_s"], head["basis_id"])
            for index, (model_id, weight) in enumerate(head["weights"].items()):
                made._evidence[model_id] = _Evidence(tensors[f"{index}.precision"], tensors[f"{index}.moment"], weight)
            made._reference_s, made._newest_s = head["reference_s"], head["newest_s"]
        except (SafetensorError, KeyError, ValueError) as error:
            raise DataError(f"not the bytes of an online posterior: {error}") from error
        return made

    def _belief(self, model_id: str) -> _Belief:
        if (belief := self._beliefs.get(model_id)) is None:
            known = self._evidence[model_id]
            scale = self._scale(self._newest_s, -1.0) / NOISE_VARIANCE
            precision = np.diag(1.0 / self.prior_variances) + scale * known.precision
            covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
            belief = self._beliefs[model_id] = _Belief(covariance @ (scale * known.moment), covariance)
        return belief

    def _scale(self, at_s: float, sign: float) -> float:
        if self.half_life_s is None:
            return 1.0
        if self._reference_s is None:
            self._reference_s = at_s
        age = (at_s - self._reference_s) / self.half_life_s
        if age > MAX_AGE_HALF_LIVES:
            factor = 0.5**age
            for known in self._evidence.values():
                known.precision *= factor
                known.moment *= factor
                known.weight *= factor
            self._reference_s, age = at_s, 0.0
        return float(2.0 ** (sign * age))
