"""Requests that are answered by the most probable of some labels."""

from neuroforge.contracts.answers import content_of, finish_reason_of, usage_of
from neuroforge.contracts.chat import LabelLogprobs, LabelRequest, LabelScore, Usage
from neuroforge.contracts.models import ModelEndpoint
from neuroforge.contracts.routing import Chunk
from neuroforge.errors import EngineUnavailable
from neuroforge.orchestrator import labelled
from tests.fakes import FakeClock, FakeEngineClient, chat_answer, endpoint, engine_request, routing_request
from tests.unit.orchestrator.bench import Bench

LABELS = ("no", "maybe", "yes")
TOLD = Usage(n_prompt_tokens=7, n_completion_tokens=2)


class ScoringEngine(FakeEngineClient):
    """Finds the second label the most probable; it would write something else."""

    def __init__(self) -> None:
        super().__init__(chat_answer("Well, it depends."))
        self.asked: list[LabelRequest] = []
        self.errors: list[Exception] = []

    async def label_logprobs(self, endpoint: ModelEndpoint, request: LabelRequest) -> LabelLogprobs:
        self.asked.append(request)
        if self.errors:
            raise self.errors.pop(0)
        told = zip(request.labels, (-3.0, -0.5, -2.0), (1, 2, 1), strict=True)
        scores = tuple(LabelScore(label=label, logprob=logprob, n_tokens=n) for label, logprob, n in told)
        return LabelLogprobs(scores=scores, n_prompt_tokens=7)


class ScoringBench(Bench):
    def __init__(self, *models: ModelEndpoint) -> None:
        self.clock = FakeClock()
        self.scoring = self.engine = ScoringEngine()
        self._build(models, {})


async def test_the_answer_is_the_most_probable_label() -> None:
    bench = ScoringBench(endpoint("a"))
    request = engine_request(labels=LABELS)
    completed = await bench.orchestrator.complete(routing_request("a"), request)

    assert content_of(completed.body) == "maybe"
    assert (finish_reason_of(completed.body), usage_of(completed.body)) == ("stop", TOLD)
    assert bench.scoring.asked[0].prompt.messages == tuple(request.body["messages"])
    assert bench.called == [], "nothing is written"
    assert (bench.outcomes[0].n_prompt_tokens, bench.outcomes[0].n_completion_tokens) == (7, 2)
    bench.assert_balanced()


async def test_a_stream_brings_the_label_whole_then_the_end_then_usage() -> None:
    bench = ScoringBench(endpoint("a"))
    chunks = [one.body for one in await bench.collect("a", labels=LABELS) if isinstance(one, Chunk)]

    assert [content_of(one, "delta") for one in chunks] == ["maybe", None, None]
    assert [finish_reason_of(one) for one in chunks] == [None, "stop", None]
    assert usage_of(chunks[2]) == TOLD
    bench.assert_balanced()


async def test_without_labels_the_model_writes() -> None:
    bench = ScoringBench(endpoint("a"))
    completed = await bench.orchestrator.complete(routing_request("a"), engine_request())
    assert content_of(completed.body) == "Well, it depends."
    assert bench.scoring.asked == []


async def test_another_model_scores_where_the_first_is_gone() -> None:
    bench = ScoringBench(endpoint("a"), endpoint("b"))
    bench.scoring.errors = [EngineUnavailable("a: no connection", may_have_begun=False)]
    completed = await bench.orchestrator.complete(routing_request(), engine_request(labels=LABELS))
    assert content_of(completed.body) == "maybe"
    assert bench.statuses == [("a", 503), ("b", 200)]


async def test_scores_have_as_long_as_the_request() -> None:
    scoring = ScoringEngine()
    await labelled.complete(scoring, endpoint("a"), engine_request(labels=LABELS, deadline_s=7.0))
    async for _ in labelled.stream(scoring, endpoint("a"), engine_request(labels=LABELS, deadline_s=8.0)):
        pass
    assert [one.deadline_s for one in scoring.asked] == [7.0, 8.0]
