"""What outcomes said of one model, as sums; whether it still holds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SLACK = 0.5
"""Deviations by which residuals may lean without counting: half of the shift that is to be found."""
ALARM = 14.0
"""Sum of leaning residuals that means a change: 8 met a false one in most runs of 5,000 outcomes, as beliefs that
are linear in the basis lean too. A model whose scores drop from 0.6 to 0.2 is found after about twenty outcomes."""
MOST_SURPRISE = 3.0
"""Deviations that one residual can count."""
KEPT_AFTER_CHANGE = 2.0
"""Outcomes' worth of evidence that a change leaves."""
DOUBTED_LEVEL_STD = 0.5
"""How far a model's level may have moved when another one was seen to change."""


@dataclass
class Evidence:
    """Sufficient statistics of one model, on the scale of the posterior's reference time."""

    information: Floats
    """(d, d), sum of weighted outer products of bases."""
    moment: Floats
    """(d,), sum of weighted basis times residual."""
    weight: float = 0.0
    """Sum of the weights."""
    up: float = 0.0
    down: float = 0.0
    """Leaning of the recent standardised residuals (a two-sided CUSUM)."""
    changed_at_s: float = -np.inf
    """When a change was last seen: outcomes from before say nothing of the model now."""

    @classmethod
    def empty(cls, n_basis: int) -> "Evidence":
        """Return what is known before the first outcome."""
        return cls(np.zeros((n_basis, n_basis)), np.zeros(n_basis))

    def add(self, basis: Floats, residual: float, weight: float) -> None:
        """Count an outcome; a negative weight takes it back."""
        self.information += weight * np.outer(basis, basis)
        self.moment += weight * residual * basis
        self.weight += weight

    def carried(self, n_shared: int, n_basis: int) -> "Evidence":
        """Return what the first `n_shared` columns say, in a basis of `n_basis` columns."""
        information, moment = np.zeros((n_basis, n_basis)), np.zeros(n_basis)
        information[:n_shared, :n_shared] = self.information[:n_shared, :n_shared]
        moment[:n_shared] = self.moment[:n_shared]
        return Evidence(information, moment, self.weight, self.up, self.down, self.changed_at_s)

    def multiply(self, factor: float) -> None:
        """Let everything count `factor` times."""
        self.information *= factor
        self.moment *= factor
        self.weight *= factor

    def is_surprised(self, deviations: float, weight: float) -> bool:
        """Add one standardised residual; return whether they lean so far that the model must have changed.

        An outcome of little weight leans as little: failures all count while good answers go mostly unrated, so they
        always lean to one side, which is no change.
        Source: Page's CUSUM, Biometrika 41 (1954).
        """
        step = float(np.clip(deviations, -MOST_SURPRISE, MOST_SURPRISE))
        self.up = max(0.0, self.up + weight * (step - SLACK))
        self.down = max(0.0, self.down - weight * (step + SLACK))
        return max(self.up, self.down) > ALARM

    def drop(self, at_s: float, scale: float) -> None:
        """Keep KEPT_AFTER_CHANGE outcomes' worth; `scale` turns the statistics' scale into outcomes."""
        self.multiply(min(1.0, KEPT_AFTER_CHANGE / max(self.weight * scale, KEPT_AFTER_CHANGE)))
        self.up = self.down = 0.0
        self.changed_at_s = at_s

    def doubt_level(self, precision: float) -> None:
        """Believe that the level (the basis' first entry, 1) has moved by an unknown amount of DOUBTED_LEVEL_STD.

        What tells tasks apart stays. The evidence is convolved with the shift: a rank-one step, the mean unchanged.
        `precision` turns the statistics' scale into inverse variances.
        """
        spread = precision * DOUBTED_LEVEL_STD**2
        row, level = self.information[0].copy(), self.moment[0]
        share = spread / (1.0 + spread * row[0])
        self.information -= share * np.outer(row, row)
        self.moment -= share * level * row
        self.up = self.down = 0.0
