"""What was weighed -> the candidates of a Decision, so that it can be explained later."""

from neuroforge.contracts.routing import CandidateView
from neuroforge.router.filter import Verdict
from neuroforge.router.latency import LatencyEstimator
from neuroforge.router.select import Candidate, Selection


def show_candidates(
    verdicts: tuple[Verdict, ...], candidates: list[Candidate], chosen: Selection, estimator: LatencyEstimator
) -> tuple[CandidateView, ...]:
    """Return every model of the fleet, in its order: filtered before or after it was predicted, or weighed."""
    place = {one.endpoint.model_id: index for index, one in enumerate(candidates)}
    views = []
    for verdict in verdicts:
        model_id = verdict.endpoint.model_id
        index = place.get(model_id)
        if index is None:
            n_in_flight = estimator.n_in_flight(model_id)
            views.append(CandidateView(model_id=model_id, filtered=verdict.filtered, n_in_flight=n_in_flight))
            continue
        one, shares, filtered = candidates[index], chosen.propensities, chosen.filtered[index]
        views.append(
            CandidateView(
                model_id=model_id,
                filtered=filtered,
                expected_latency_s=one.prediction.latency_s,
                n_in_flight=one.n_in_flight,
                prediction=one.prediction,
                utility=chosen.terms[index],
                propensity=shares[index] if shares is not None and filtered is None else None,
            )
        )
    return tuple(views)
