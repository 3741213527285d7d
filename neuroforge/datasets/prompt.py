"""Question, choices and context -> the user message."""

from collections.abc import Sequence

from neuroforge.contracts.scores import ScorerName

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def render(
    question: str,
    scorer: ScorerName,
    context: str | None,
    labels: Sequence[str],
    choices: Sequence[str],
    preamble: str | None = None,
) -> str:
    """Return what a model is asked: context, question, choices, and a line that says what the scorer reads.

    `exact` and `normalized` add no line, since only the question can say what form its answer has.
    """
    parts = [context.strip()] if context else []
    parts.append(question.strip())
    if scorer == "choice" and tuple(labels) != tuple(choices):
        parts[-1] += "".join(f"\n{label}. {text}" for label, text in zip(labels, choices, strict=True))
    if scorer == "code":
        if preamble:
            parts.append(f"```python\n{preamble.rstrip()}\n```")
        parts.append("Reply with the whole code in one ```python block and nothing else.")
    if scorer == "choice":
        parts.append(_how_to_choose(labels, choices))
    if scorer == "numeric":
        parts.append("Answer with the number only.")
    return "\n\n".join(parts)


def _how_to_choose(labels: Sequence[str], choices: Sequence[str]) -> str:
    if tuple(labels) == tuple(choices):
        return f"Answer with {' or '.join(labels)} only."
    return "Answer with the letter of the right choice only."
