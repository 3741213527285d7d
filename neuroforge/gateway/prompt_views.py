"""Entries of prompts -> the one that is meant, what differs between two, and what is exported of one."""

import difflib
from collections.abc import Sequence
from typing import Literal

import yaml

from neuroforge.contracts.prompt_serving import GIVEN_WHEN_KEPT, PRODUCTION, PromptDiff, no_alias, no_prompt, no_version
from neuroforge.contracts.prompts import Demonstration, NearestExamples, PromptEntry, PromptReference, PromptRelease

ExportFormat = Literal["yaml", "json", "text"]


class _BlockDumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that people can edit them."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_BlockDumper.add_representer(str, _BlockDumper.represent_text)


def find_entry(entries: Sequence[PromptEntry], reference: PromptReference) -> PromptEntry:
    """Return the entry that a reference means; neither alias nor version = `production`.

    Raises:
        NotFound: No such name, alias or version; lists those that exist.
    """
    mine = [one for one in entries if one.release.name == reference.name]
    if not mine:
        raise no_prompt(reference.name, (one.release.name for one in entries))
    alias, version = reference.alias or PRODUCTION, reference.version
    for one in mine:
        is_meant = alias in one.aliases if version is None else one.release.version == version
        if is_meant:
            return one
    if version is not None:
        raise no_version(reference.name, version, (one.release.version for one in mine))
    raise no_alias(reference.name, alias, (name for one in mine for name in one.aliases))


def diff_of(left: PromptRelease, right: PromptRelease) -> PromptDiff:
    """Return what the right one serves otherwise: messages, examples, labels, decoding, models."""
    old, new = text_of(left).splitlines(), text_of(right).splitlines()
    names = f"{left.name}@{left.version}", f"{right.name}@{right.version}"
    lines = tuple(difflib.unified_diff(old, new, *names, lineterm=""))
    return PromptDiff(name=left.name, left=left.version, right=right.version, lines=lines)


def export_of(release: PromptRelease, form: ExportFormat) -> str:
    """Return the release as a file that `neuroforge prompts promote` takes (yaml, json), or as text to read."""
    if form == "text":
        return text_of(release)
    if form == "json":
        return release.model_dump_json(indent=2, exclude=GIVEN_WHEN_KEPT, exclude_defaults=True) + "\n"
    content = release.model_dump(mode="json", exclude=GIVEN_WHEN_KEPT, exclude_defaults=True)
    return yaml.dump(content, Dumper=_BlockDumper, sort_keys=False, allow_unicode=True, width=100)


def text_of(release: PromptRelease) -> str:
    """Return what is served, for people: each message under its role, then examples, labels, decoding and models."""
    parts = [
        f"[{one.role}{', for each example' if one.is_per_example else ''}]\n{one.content}\n" for one in release.messages
    ]
    if release.nearest is not None:
        parts += _texts_of(release.nearest)
    if release.verbalizer:
        parts.append("[labels]\n" + "".join(f"{word}: {label}\n" for label, word in release.verbalizer.items()))
    if release.labels:
        parts.append(f"[answer: the most probable of these]\n{', '.join(release.labels)}\n")
    if release.decoding is not None:
        values = release.decoding.model_dump(mode="json", exclude={"name", "seed"}, exclude_none=True)
        shown = {name: value for name, value in values.items() if value != []}
        parts.append("[decoding]\n" + "".join(f"{name}: {value}\n" for name, value in shown.items()))
    if release.models:
        parts.append(f"[models]\n{', '.join(release.models)}\n")
    return "\n".join(parts)


def _texts_of(nearest: NearestExamples) -> list[str]:
    told = f"the {nearest.n_shown} of these {len(nearest.pool)} nearest to {nearest.question}, most similar last"
    return [f"[examples: {told}]\n", *(_text_of_example(one) for one in nearest.pool)]


def _text_of_example(one: Demonstration) -> str:
    steps = f"{one.reasoning}\n" if one.reasoning else ""
    return f"{one.question}\n{steps}=> {one.answer}\n"
