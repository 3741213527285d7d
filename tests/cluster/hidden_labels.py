"""A task that SmolLM2 fails at and can be helped with: the prompt hides which two words are the answers."""

from typing import Any

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.optimize import OptimizeConfig

MODEL = "smollm2-135m-instruct"
SEED = "What is this?"
LABELS = ("positive", "negative")
POSITIVE = (
    "I love this song.", "What a great day!", "The soup was delicious.", "She is very kind.", "A wonderful film.",
    "This is the best gift.", "I am so happy.", "The view was beautiful.", "He did an excellent job.",
    "We had so much fun.", "A lovely little cafe.", "The staff were friendly.", "My new phone is amazing.",
    "Our trip was perfect.", "They sang brilliantly.", "It works like a charm.", "The hotel was clean and quiet.",
    "Such a charming book!",
)  # fmt: skip
NEGATIVE = (
    "I hate this noise.", "What an awful morning!", "The steak was disgusting.", "He is very rude.",
    "A terrible play.", "This is the worst chair.", "I feel so sad.", "The weather was nasty.",
    "They did a horrible repair.", "We were bored to death.", "A dirty old bathroom.", "The waiter was unfriendly.",
    "My laptop broke at once.", "Our flight was a nightmare.", "She played badly.", "It never works.",
    "The room smelled of smoke.", "Such a dull lecture!",
)  # fmt: skip


def items() -> tuple[DatasetItem, ...]:
    """36 sentences, half of them of each label."""
    made = [
        (text, label) for pair in zip(POSITIVE, NEGATIVE, strict=True) for text, label in zip(pair, LABELS, strict=True)
    ]
    return tuple(
        DatasetItem(
            id=f"s{number}",
            dataset="own",
            query=text,
            scorer="exact",
            references=(label,),
            max_tokens=3,
            task="classification",
        )
        for number, (text, label) in enumerate(made)
    )


def task(**changes: Any) -> OptimizeConfig:
    """What a prompt wins that shows examples as turns: without them the model talks about the sentence.

    One that says always the same label is right on half of the 18 test items, where the seed is on none: p = 2 ** -9.
    """
    fields = {
        "name": "hidden",
        "program": {"instruction": SEED, "style": {"demonstrations": "turns"}},
        "target_model": MODEL,
        "items": items(),
        "split": (1 / 3, 1 / 6, 1 / 2),
        "use_logprobs": False,
        "analyse": False,
        "proposers": (),
        "budget": {"max_calls": 54},
        "population": 3,
        "block_size": 6,
        "max_demonstrations": 2,
        **changes,
    }
    return OptimizeConfig.model_validate(fields)
