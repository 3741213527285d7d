"""DSPy's two optimisers with the defaults of their documentation, stopped when the calls are used up.

Runs in the peers' environment.
"""

import sys
from collections.abc import Sequence
from typing import Any, Literal

import dspy
from dspy.utils.callback import BaseCallback

from neuroforge.contracts.datasets import DatasetItem
from tests.benchmarks.peers_budget import Job, Purse, Spent, main, score_reply

ANSWER_TOKENS, PROPOSAL_TOKENS = 32, 256
"""Of a reply in DSPy's own format, its field markers and a label; of a proposed instruction."""
N_CANDIDATES, N_TRIALS, MINIBATCH = 4, 8, 10
"""MIPROv2: as many trials as it recommends for four candidates; its `auto="light"` would take over 500 calls."""
MAX_ERRORS = 10_000
"""Replies that cannot be read count as wrong, however many; DSPy gives up after ten."""


class Best(BaseCallback):
    """Remembers which program did best on the whole validation set: what is known when the calls run out."""

    def __init__(self, n_items: int) -> None:
        self._n_items = n_items
        self._begun: dict[str, Any] = {}
        self.program: Any = None
        self._score = -1.0

    def on_evaluate_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        """Keep the program until its score is known."""
        if len(inputs.get("devset") or instance.devset) == self._n_items:
            self._begun[call_id] = inputs["program"]

    def on_evaluate_end(self, call_id: str, outputs: Any, exception: Exception | None = None) -> None:
        """The first of equals stays."""
        program = self._begun.pop(call_id, None)
        if program is not None and outputs is not None and outputs.score > self._score:
            self.program, self._score = program, outputs.score


def run(job: Job) -> tuple[dict[str, Any], list[str], int]:
    """Return the program's state, its replies to the test, and how often it was run on items."""
    models = {name: _model(job, name, ANSWER_TOKENS, temperature=0.0) for name in (job.task_model, job.test_model)}
    proposer = _model(job, job.proposer_model, PROPOSAL_TOKENS, temperature=1.0)
    failure: str | None = None
    purse, best = Purse(job.n_calls), Best(len(job.train) - job.n_train)
    dspy.configure(lm=models[job.task_model], callbacks=[best])
    items = {item.query: item for item in job.train}

    class Answer(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.predict = dspy.Predict(_signature(job))

        def forward(self, text: str) -> Any:
            purse.spend()
            return self.predict(text=text)

    def metric(example: Any, prediction: Any, trace: Any = None) -> float:
        return score_reply(items[example.text], str(prediction.label), job.labels).value or 0.0

    train = [_example(item) for item in job.train]
    sets = {"trainset": train[: job.n_train], "valset": train[job.n_train :]}
    try:
        if sys.argv[3] == "mipro":
            sizes = {"auto": None, "num_candidates": N_CANDIDATES}
            optimiser = dspy.MIPROv2(metric, prompt_model=proposer, num_threads=1, max_errors=MAX_ERRORS, **sizes)
            options = {"num_trials": N_TRIALS, "minibatch_size": MINIBATCH, "seed": job.seed + 1}  # 0 = its own
        else:
            optimiser = dspy.BootstrapFewShotWithRandomSearch(metric, num_threads=1, max_errors=MAX_ERRORS)
            options = {}
        program = optimiser.compile(Answer(), **sets, **options)
    except Spent:
        program = best.program
    except dspy.utils.exceptions.AdapterParseError as error:
        # MIPROv2 ends so when its proposer's words are no proposal: its user is left with what there was before.
        program, failure = best.program or Answer(), str(error)[:300]
    n_calls, purse.limit = purse.n_calls, None
    with dspy.context(lm=models[job.test_model], callbacks=[]):
        replies = _replies(program, job.test)
    return {"state": program.dump_state(), "failure": failure}, replies, n_calls


def _model(job: Job, name: str, max_tokens: int, temperature: float) -> Any:
    return dspy.LM(f"openai/{name}", api_base=job.url, api_key="none", max_tokens=max_tokens, temperature=temperature)


def _signature(job: Job) -> Any:
    answer: Any = Literal[job.labels] if job.labels else str
    fields = {"text": (str, dspy.InputField()), "label": (answer, dspy.OutputField())}
    return dspy.Signature(fields, job.instruction)


def _example(item: DatasetItem) -> Any:
    return dspy.Example(text=item.query, label=item.references[0]).with_inputs("text")


def _replies(program: Any, items: Sequence[DatasetItem]) -> list[str]:
    """As DSPy evaluates: a reply that cannot be read is none."""
    devset = [_example(item) for item in items]
    evaluate = dspy.Evaluate(devset=devset, metric=lambda *_: 0.0, num_threads=1, max_errors=MAX_ERRORS)
    return [str(prediction.get("label", "")) for _, prediction, _ in evaluate(program).results]


if __name__ == "__main__":
    main(run)
