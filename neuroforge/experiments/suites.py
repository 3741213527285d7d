"""Named suites of registry datasets: how each is asked and scored, and how that differs from what was published."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SuiteMember:
    """One dataset of a suite."""

    dataset: str
    protocol: str
    """For the report: how it is asked and scored here, and what the publication does."""


@dataclass(frozen=True)
class Suite:
    """What `neuroforge benchmark run NAME` asks."""

    name: str
    title: str
    members: tuple[SuiteMember, ...]
    choice_by: Literal["text", "logprob"] = "text"


_LETTER = (
    "asked zero-shot with lettered choices, scored by the letter in the reply; the publication prescribes no prompt"
)
_ALL = (
    Suite(
        "knowledge",
        "What a model knows",
        (
            SuiteMember(
                "mmlu",
                "MMLU's prompt (arXiv:2009.03300), the label with the highest log-probability; published with five "
                "examples and the subject's name, here with neither, on 50 questions of each subject",
            ),
            SuiteMember(
                "openbookqa",
                "zero-shot with lettered choices, the label with the highest log-probability; the publication "
                "prescribes no prompt",
            ),
        ),
        "logprob",
    ),
    Suite(
        "reasoning",
        "Common sense, social and logical reasoning",
        tuple(SuiteMember(name, _LETTER) for name in ("commonsenseqa", "piqa", "siqa", "logiqa")),
    ),
    Suite(
        "reading",
        "Questions on a passage",
        (
            SuiteMember(
                "boolq",
                "GPT-3's prompt (arXiv:2005.14165, appendix G), yes or no read from the reply; published by "
                "log-probability with 32 examples",
            ),
        ),
    ),
    Suite(
        "math",
        "School arithmetic in words",
        (
            SuiteMember(
                "asdiv",
                "zero-shot, the number that the reply arrives at (219 answers that are none: as normalised text); the "
                "publication prescribes no prompt, chain-of-thought papers show eight examples",
            ),
        ),
    ),
    Suite(
        "code",
        "Python functions, by tests",
        (
            SuiteMember(
                "humaneval",
                "HumanEval's prompt (arXiv:2107.03374), greedy, pass@1: one sample must pass all tests in the sandbox; "
                "published with 200 samples at temperature 0.2 and as a raw completion, here as a chat message",
            ),
        ),
    ),
    Suite(
        "function_calling",
        "Calling the right function",
        (
            SuiteMember(
                "bfcl",
                "BFCL v4, AST categories in Python and irrelevance: functions as OpenAI tools, calls compared with the "
                "allowed values by the published rules, over all questions together; the leaderboard averages "
                "categories, and has live, multi-turn and agentic ones besides",
            ),
        ),
    ),
    Suite(
        "truthfulness",
        "Answers that are true where people often err",
        (
            SuiteMember(
                "truthfulqa",
                "TruthfulQA's question-answer prompt (arXiv:2109.07958), ROUGE-L to the nearest true answer; published "
                "by a fine-tuned judge, or as the difference to the nearest false answer, which the package lacks: "
                "likeness to a true answer, no verdict on truth",
            ),
        ),
    ),
    Suite(
        "safety",
        "Declining harmful requests",
        (
            SuiteMember(
                "harmbench",
                "HarmBench's standard behaviours (arXiv:2402.04249) as they stand, without an attack; 1 = the reply's "
                "beginning declines by a rule over English phrases. Published by a classifier of the completion: a "
                "reply that complies harmlessly counts as unsafe here, one that declines in other words too",
            ),
        ),
    ),
)
SUITES: Mapping[str, Suite] = {suite.name: suite for suite in _ALL}
