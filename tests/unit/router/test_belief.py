import pytest

from neuroforge.contracts.rules import RoutingRules
from neuroforge.errors import DataError
from neuroforge.router.belief import Fitted, build_belief
from tests.unit.router.test_predict import FakeFitted
from tests.unit.router.weighing import learner_snapshot, posterior


def load(data: bytes) -> Fitted:
    if data != b"good":
        raise DataError("not a router")
    return FakeFitted()


def test_a_snapshot_brings_fit_posteriors_and_rules() -> None:
    rules = RoutingRules(version=5)
    online = posterior([("a", 0.1)]).to_bytes()
    made = build_belief(learner_snapshot(version=9, fit_id="f", fit=b"good", rules=rules, online=online), None, load)
    assert (made.version, made.fit_id, made.rules.rules.version) == (9, "f", 5)
    assert made.fitted is not None
    assert made.online is not None
    assert made.online.model_ids == ("a",)


def test_a_fit_that_did_not_change_is_kept() -> None:
    first = build_belief(learner_snapshot(fit_id="f", fit=b"good"), None, load)
    second = build_belief(learner_snapshot(version=2, fit_id="f"), first, load)
    assert second.fitted is first.fitted


def test_a_fit_that_was_taken_back_is_gone() -> None:
    first = build_belief(learner_snapshot(fit_id="f", fit=b"good"), None, load)
    assert build_belief(learner_snapshot(version=2), first, load).fitted is None


def test_a_fit_that_is_named_but_missing_is_an_error() -> None:
    with pytest.raises(DataError, match="without bringing it"):
        build_belief(learner_snapshot(fit_id="f"), None, load)


@pytest.mark.parametrize("broken", [{"fit_id": "f", "fit": b"bad"}, {"online": b"bad"}])
def test_what_cannot_be_read_is_an_error(broken: dict[str, object]) -> None:
    with pytest.raises(DataError):
        build_belief(learner_snapshot(**broken), None, load)
