"""A new model placed by 50 probes: what is lost against a fit that has all its outcomes.

Two ways, on the same fits: the placement of `neuroforge.router.place`, and what `neuroforge router place` leaves in the
running router, whose online posterior takes the same number of probes as rated answers.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroforge.contracts.tasks import TASK_TYPES
from neuroforge.router.basis import basis_prior, newcomer_variances, with_likeness
from neuroforge.router.classify import seed_head
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.fit.data import OutcomeTable
from neuroforge.router.fit.model import FittedRouter
from neuroforge.router.fit.pipeline import extract_queries, fit_router
from neuroforge.router.hierarchy import Newcomers
from neuroforge.router.online import OnlinePosterior
from neuroforge.router.place import Probes, Stored, choose_probes, place_model
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.router_data import generate, load_nine

Floats = NDArray[np.float64]

MOST_LOSS = 0.01
N_FOLDS, N_DRAWS, N_POOL = 5, 4, 600
"""5 folds x 4 pools of questions = 20 draws of 50 probes a model."""


class Questions(NamedTuple):
    """Some rows, as a fit without the new model sees them."""

    others: Floats
    """(n, m - 1), predicted quality."""
    described: Floats
    """(n, d), the fit's basis."""
    tasks: Floats
    """(n, 10), the classifier's probabilities less an even share."""

    def take(self, rows: NDArray[np.intp]) -> "Questions":
        """Return these rows."""
        return Questions(self.others[rows], self.described[rows], self.tasks[rows])

    def stored(self) -> Stored:
        """As the placement sees them."""
        return Stored(self.others, self.described)

    def basis(self) -> Floats:
        """(n, d), as the running router sees them."""
        return np.hstack([np.ones((len(self.others), 1)), self.tasks, with_likeness(self.described, self.others)])


class Case(NamedTuple):
    """One model that the fit does not know."""

    fitted: FittedRouter
    known: OutcomeTable
    """Outcomes that the fit saw, with the new model's."""
    model: int
    stored: Questions
    """The same questions."""
    questions: Questions
    """Left out."""

    def others(self) -> list[int]:
        """Columns of the models that the fit knows."""
        return [index for index in range(len(self.known.model_ids)) if index != self.model]


def run(data: Path | None, embedder: StaticEmbedder) -> list[Figure]:
    """Measure; see the module docstring. Without data: generated outcomes. Each model in turn is the new one."""
    table = generate(6_000) if data is None else load_nine(data)[0]
    features = extract_queries(table.queries, embedder)
    tasks = np.asarray(seed_head(embedder).probabilities(features), dtype=np.float64) - 1.0 / len(TASK_TYPES)
    folds = np.array_split(np.random.default_rng(0).permutation(len(table)), N_FOLDS)
    n_models = len(table.model_ids)
    placed, live = np.zeros((2, n_models, N_FOLDS, N_DRAWS))
    without = np.zeros((n_models, N_FOLDS))
    for number, fold in enumerate(folds):
        rest = np.setdiff1d(np.arange(len(table)), fold)
        known, asked, test, scores = table.take(rest), features.take(rest), features.take(fold), table.scores[fold]
        full = _mean_of_best(scores, fit_router(known, asked, embedder.sha256).predict(test).quality)
        for model in range(n_models):
            others = [index for index in range(n_models) if index != model]
            names = [table.model_ids[index] for index in others]
            fitted = fit_router(known.select_models(names), asked, embedder.sha256)
            stored = Questions(fitted.predict(asked).quality, fitted.basis(asked), tasks[rest])
            questions = Questions(fitted.predict(test).quality, fitted.basis(test), tasks[fold])
            without[model, number] = full - _mean_of_best(scores[:, others], questions.others)
            case = Case(fitted, known, model, stored, questions)
            for one in range(N_DRAWS):
                pool = np.random.default_rng(100 * number + one).permutation(len(known))[:N_POOL]
                by_placement, by_router = _place(case, pool), _learn(case, pool)
                placed[model, number, one] = full - _mean_of_best(
                    scores, np.insert(questions.others, model, by_placement, axis=1)
                )
                live[model, number, one] = full - _mean_of_best(
                    scores, np.insert(questions.others, model, by_router, axis=1)
                )
    best = int(table.scores.mean(axis=0).argmax())
    return [
        at_most("cold start by 50 probes: mean loss over all models", float(placed.mean()), "score", MOST_LOSS),
        at_most("cold start by 50 probes: loss for the best model", float(placed[best].mean()), "score", MOST_LOSS),
        Figure("  its standard error", float(placed[best].std(ddof=1) / placed[best].size ** 0.5), "score"),
        Figure("cold start: largest mean loss of a model", float(placed.mean(axis=(1, 2)).max()), "score"),
        Figure("in the running router: mean loss over all models", float(live.mean()), "score"),
        Figure("in the running router: loss for the best model", float(live[best].mean()), "score"),
        Figure("  its standard error", float(live[best].std(ddof=1) / live[best].size ** 0.5), "score"),
        Figure("cold start: mean loss if the new model is never asked", float(without.mean()), "score"),
        Figure("cold start: loss if the best model is never asked", float(without[best].mean()), "score"),
    ]


def _place(case: Case, pool: NDArray[np.intp]) -> Floats:
    """Quality of the new model by its placement, (n,)."""
    rows = pool[choose_probes(case.stored.take(pool).stored())]
    scores = case.known.scores[rows]
    probes = Probes(case.stored.take(rows).stored(), scores[:, case.model], scores[:, case.others()])
    return place_model(probes).predict(case.questions.stored())[0]


def _learn(case: Case, pool: NDArray[np.intp]) -> Floats:
    """Quality of the new model by the online posterior, (n,); its name tells no size, and no other has outcomes."""
    rows = pool[choose_probes(Stored(case.stored.others[pool], case.stored.tasks[pool]))]
    taken = case.stored.take(rows)
    basis, base = taken.basis(), taken.others.mean(axis=1)
    new_id, n_basis = case.known.model_ids[case.model], basis.shape[1]
    known_ids = frozenset(case.fitted.model_ids)
    newcomers = Newcomers(known_ids, newcomer_variances(n_basis, len(known_ids)))
    posterior = OnlinePosterior(basis_prior(case.fitted, n_basis).variances, newcomers=newcomers)
    for number, row in enumerate(rows.tolist()):
        residual = float(case.known.scores[row, case.model] - base[number])
        posterior.update(new_id, basis[number], residual, at_s=float(number))
    shifts = np.array([posterior.predict((new_id,), row)[0][0] for row in case.questions.basis()], dtype=np.float64)
    return np.asarray(np.clip(case.questions.others.mean(axis=1) + shifts, 0.0, 1.0))


def _mean_of_best(scores: Floats, quality: Floats) -> float:
    return float(scores[np.arange(len(scores)), quality.argmax(axis=1)].mean())
