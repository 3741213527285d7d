from neuroforge.router.select import AdaptiveLoadBalancer, Weighed
from tests.fakes import endpoint


def weighed(model_id: str, expected_latency_s: float, n_in_flight: int = 0, n_chosen: int = 0) -> Weighed:
    return Weighed(endpoint(model_id), expected_latency_s, n_in_flight, n_chosen)


def select(*candidates: Weighed) -> str:
    return AdaptiveLoadBalancer().select_fastest(candidates).endpoint.model_id


def test_the_lowest_expected_latency_wins() -> None:
    assert select(weighed("a", 2.0), weighed("b", 1.0, n_in_flight=3)) == "b"


def test_ties_go_to_the_shorter_queue() -> None:
    assert select(weighed("a", 1.0, n_in_flight=1), weighed("b", 1.0, n_chosen=9)) == "b"


def test_then_to_the_one_chosen_less_often() -> None:
    assert select(weighed("a", 1.0, n_chosen=2), weighed("b", 1.0, n_chosen=1)) == "b"


def test_then_to_the_first() -> None:
    assert select(weighed("a", 1.0), weighed("b", 1.0)) == "a"
