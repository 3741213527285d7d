"""The slots that say how the model is asked: words for labels, where an answer stops, sampling, voting, calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from neuroforge.contracts.experiments import Decoding
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.prompts.slots import Slot, Values, changed, choices_of, field_slot

SAMPLING = ((0.0, None), (0.7, 0.9))
"""Temperature and top_p: greedy, or as models are mostly sampled."""
VOTES = (1, 3, 5)
STOPS: tuple[tuple[str, ...], ...] = ((), ("\n",))
"""Small models go on after the answer; a label is one line."""
MOST_WORDED = 30
"""Labels that get other words: the prompt has to list them all."""
LETTER_LABELS = len(ascii_uppercase)


@dataclass(frozen=True)
class Ways:
    """What decides which ways of asking a search may choose."""

    answers: tuple[str, ...] = ()
    """All labels of a task whose answers are labels; else empty."""
    is_by_labels: bool = False
    """Whether labels' log-probabilities are scored; else replies are."""
    is_served: bool = True
    """Whether the winner is to be served by name: then it is asked once, in a chat, and generates its answer."""
    takes_text: bool = False
    """Whether the model continues a text without its chat template."""
    most_votes: int = 1
    """Answers to a question that the budget affords."""


def asking_slots(seed: PromptProgram, ways: Ways) -> tuple[Slot, ...]:
    """Return the slots that make a difference to the task."""
    slots: list[Slot] = []
    if 1 < len(ways.answers) <= MOST_WORDED and any(len(label) > 1 for label in ways.answers):
        slots.append(_verbalizer(seed, ways.answers))
    if ways.is_by_labels and not ways.is_served:
        slots.append(field_slot("calibrate", seed, (False, True), is_settled=True))
    if not ways.is_by_labels and ways.answers:
        slots.append(_stop(seed))
    if not ways.is_by_labels and not ways.is_served and ways.most_votes > 1:
        slots += [_sampling(seed), _votes(seed, [n for n in VOTES if n <= ways.most_votes])]
    if ways.takes_text and not ways.is_served:
        slots.append(field_slot("chat_template", seed, (True, False), is_settled=True))
    return tuple(slots)


def wordings_of(labels: Sequence[str]) -> tuple[dict[str, str], ...]:
    """Return verbalizers of the labels: plain words for identifiers, in lower case and with capitals, and letters.

    Left out are those that change nothing, or give two labels the same word.
    """
    plain = {label: " ".join(label.replace("_", " ").replace("-", " ").split()) for label in labels}
    found = [
        plain,
        {label: word.lower() for label, word in plain.items()},
        {label: word[:1].upper() + word[1:].lower() for label, word in plain.items()},
    ]
    if len(labels) <= LETTER_LABELS:
        found.append(dict(zip(labels, ascii_uppercase, strict=False)))
    unique: dict[tuple[str, ...], dict[str, str]] = {}
    for words in found:
        told = tuple(words.values())
        is_distinct = len({word.casefold() for word in told}) == len(told) and all(told)
        if is_distinct and told != tuple(labels):
            unique.setdefault(told, words)
    return tuple(unique.values())


def _verbalizer(seed: PromptProgram, labels: Sequence[str]) -> Slot:
    """Of an answer that is a label and nothing else; its values are pairs, which can be compared."""
    offered = [tuple(words.items()) for words in wordings_of(labels)]
    return Slot(
        "verbalizer",
        choices_of(tuple(seed.verbalizer.items()), ((), *offered)),
        lambda program: tuple(program.verbalizer.items()),
        lambda program, pairs: changed(program, verbalizer=dict(pairs)),
        _is_short,
        is_settled=True,
    )


def _stop(seed: PromptProgram) -> Slot:
    return Slot(
        "stop",
        choices_of(seed.decoding.stop, STOPS),
        lambda program: program.decoding.stop,
        lambda program, stop: _decoded(program, stop=stop),
        _is_short,
        is_settled=True,
    )


def _sampling(seed: PromptProgram) -> Slot:
    def write(program: PromptProgram, value: tuple[float, float | None]) -> PromptProgram:
        temperature, top_p = value
        n_samples = program.n_samples if temperature > 0 else 1
        name = "sampled" if temperature > 0 else "greedy"
        once = changed(program, n_samples=1)
        return changed(_decoded(once, name=name, temperature=temperature, top_p=top_p), n_samples=n_samples)

    def read(program: PromptProgram) -> tuple[float, float | None]:
        return program.decoding.temperature, program.decoding.top_p

    return Slot("sampling", choices_of(read(seed), SAMPLING), read, write, is_settled=True)


def _votes(seed: PromptProgram, offered: Sequence[int]) -> Slot:
    """Of sampled answers only: greedy ones are all the same."""

    def write(program: PromptProgram, n: int) -> PromptProgram:
        return changed(program, n_samples=n if program.decoding.temperature > 0 else 1)

    return Slot(
        "n_samples",
        choices_of(seed.n_samples, offered),
        lambda program: program.n_samples,
        write,
        lambda values: bool(values.get("sampling", SAMPLING[0])[0] > 0),
        is_settled=True,
    )


def _is_short(values: Values) -> bool:
    """Whether the answer is all that the model says."""
    return values.get("reasoning_cue") is None


def _decoded(program: PromptProgram, **changes: Any) -> PromptProgram:
    return changed(program, decoding=Decoding(**{**dict(program.decoding), **changes}))
