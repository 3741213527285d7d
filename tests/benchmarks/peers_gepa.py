"""GEPA as its quick start has it: the default adapter with the field's scorer; the task's own model reflects.

Runs in the peers' environment.
"""

from typing import Any

import gepa
import openai
from gepa.adapters.default_adapter.default_adapter import EvaluationResult

from neuroforge.contracts.datasets import DatasetItem
from tests.benchmarks.peers_budget import Job, Purse, main, score_reply

REFLECTION_TOKENS = 128


def run(job: Job) -> tuple[dict[str, Any], list[str], int]:
    """Return the best system prompt, its replies to the test, and calls on items."""
    client = openai.OpenAI(base_url=job.url, api_key="none", timeout=600)

    def chat(model: str, messages: Any, **options: Any) -> str:
        body = client.chat.completions.create(model=model, messages=list(messages), **options)
        return body.choices[0].message.content or ""

    items = {item.query: item for item in job.train}
    purse, most = Purse(None), max(item.max_tokens for item in job.train)

    def judge(data: Any, response: str) -> EvaluationResult:
        purse.spend()
        value = score_reply(items[data["input"]], response, job.labels).value or 0.0
        wanted = f"The correct answer is '{data['answer']}'."
        return EvaluationResult(
            value,
            "The generated response is correct."
            if value == 1.0
            else f"The generated response is incorrect. {wanted} The response must be the answer and nothing else.",
        )

    def reflect(prompt: Any) -> str:
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        return chat(job.proposer_model, messages, max_tokens=REFLECTION_TOKENS, temperature=1.0, seed=purse.n_calls)

    found = gepa.optimize(
        seed_candidate={"system_prompt": job.instruction},
        trainset=[_example(item) for item in job.train[: job.n_train]],
        valset=[_example(item) for item in job.train[job.n_train :]],
        task_lm=lambda messages: chat(job.task_model, messages, max_tokens=most, temperature=0.0),
        evaluator=judge,
        reflection_lm=reflect,
        max_metric_calls=job.n_calls,
        seed=job.seed,
    )
    prompt = found.best_candidate["system_prompt"]
    replies = [
        chat(
            job.test_model,
            [{"role": "system", "content": prompt}, {"role": "user", "content": item.query}],
            max_tokens=most,
            temperature=0.0,
        )
        for item in job.test
    ]
    return {"system_prompt": prompt, "candidates": len(found.candidates)}, replies, purse.n_calls


def _example(item: DatasetItem) -> dict[str, Any]:
    return {"input": item.query, "additional_context": {}, "answer": item.references[0]}


if __name__ == "__main__":
    main(run)
