"""PromptProgram or OptimizationResult -> PromptRelease; and whether a release can be served as it is."""

import json
from collections.abc import Sequence

from neuroforge.contracts.optimize import OptimizationResult
from neuroforge.contracts.prompt_serving import EXAMPLE, EXAMPLES, content_hash_of
from neuroforge.contracts.prompts import NearestExamples, PromptMessage, PromptProgram, PromptRelease
from neuroforge.datasets.template import fill_in, names_in
from neuroforge.errors import DataError, RequestError
from neuroforge.prompts.templates import nearest_of, template_of

_GIVEN_LATER = ("version", "tracked_as", "created_at_s")
_LONGEST_REASON = 500
_SERVED = "messages, examples, labels and words for them, variables and decoding"


def release_of_program(
    program: PromptProgram, name: str, reason: str, models: Sequence[str] = (), labels: Sequence[str] = ()
) -> PromptRelease:
    """Return what serves this program by name.

    Args:
        models: Those that it was proven on; empty = any model may answer.
        labels: Whose probabilities it was proven by; empty = by what a model writes.
    Raises:
        DataError: It asks several times, calibrates or does without a chat template: a release is asked once, in a
            chat. Or its input template is none.
    """
    if program.calibrate:
        raise DataError(
            f"{name}: calibrate is true, but what is served by name is asked once, not again without the question: "
            f"measure it with calibrate: false"
        )
    if program.n_samples > 1:
        raise DataError(
            f"{name}: n_samples is {program.n_samples}, but what is served by name is asked once: measure it with "
            f"n_samples: 1"
        )
    if not program.chat_template:
        raise DataError(f"{name}: chat_template is false, but what is served by name answers chats: measure it with it")
    messages, nearest = template_of(program), nearest_of(program)
    return PromptRelease(
        name=name,
        messages=messages,
        nearest=nearest,
        verbalizer=program.verbalizer,
        labels=tuple(labels),
        variables=variables_of(messages, nearest),
        decoding=None if labels else program.decoding,
        models=tuple(models),
        reason=reason[:_LONGEST_REASON],
    )


def release_of_result(result: OptimizationResult, name: str | None = None) -> PromptRelease:
    """Return what serves a run's prompt by name, with the evidence: what it proved, else the winner that it did not.

    Args:
        name: None = the result's own.
    Raises:
        DataError: As `release_of_program`.
    """
    program, reason = result.optimized, result.sentence
    if not result.is_promoted:
        program, reason = result.winner, "by force: the winner of a run that proved nothing"
    models = (result.plan.target_model,)  # whom it was measured on
    release = release_of_program(program, name or result.name, reason, models, result.labels)
    lineage = [{"id": one.id, "operator": one.operator, "parents": one.parents} for one in result.lineage]
    tags = {
        "data_hash": result.data_sha256,
        "scores": json.dumps(result.scores) if result.scores else None,
        "p_value": None if result.p_value is None else f"{result.p_value:.6g}",
        "lineage": json.dumps(lineage) if lineage else None,
    }
    told = {
        "evidence": f"optimization:{result.id}",
        "improvement": result.improvement,
        "tags": {key: value for key, value in tags.items() if value is not None},
    }
    return PromptRelease(**{**dict(release), **told})


def check_release(release: PromptRelease, name: str) -> PromptRelease:
    """Return the release with the variables that its messages need.

    Raises:
        RequestError: It says what others give, it is called otherwise, a message is no template, or the variables or
            the hash that it brings are not those of its messages.
    """
    if release.name != name:
        raise RequestError(f"the path says {name!r}, but the release's name is {release.name!r}", param="release.name")
    for field in _GIVEN_LATER:
        if getattr(release, field):
            raise RequestError(f"{field} is given when a release is promoted: leave it out", param=f"release.{field}")
    for param, template in _templates_of(release):
        try:
            if not names_in(template):
                fill_in(template, {}, "without variables")
        except DataError as error:
            raise RequestError(error.message, param=f"release.{param}") from error
    needed = variables_of(release.messages, release.nearest)
    if release.variables and tuple(sorted(release.variables)) != needed:
        raise RequestError(
            f"variables are {', '.join(release.variables)}, but the messages need {', '.join(needed) or 'none'}; "
            f"leave them out",
            param="release.variables",
        )
    whole = PromptRelease(**{**dict(release), "variables": needed})
    if release.content_hash not in ("", content_hash_of(whole)):
        raise RequestError(f"content_hash is not that of {_SERVED}", param="release.content_hash")
    return whole


def variables_of(messages: Sequence[PromptMessage], nearest: NearestExamples | None) -> tuple[str, ...]:
    """Return the names that callers must give, sorted. Raises DataError: a message is no template."""
    found: set[str] = set()
    for message in messages:
        names = names_in(message.content)
        if nearest is not None:
            names -= {EXAMPLES, EXAMPLE} if message.is_per_example else {EXAMPLES}
        found |= names
    if nearest is not None:
        found |= names_in(nearest.question)
    return tuple(sorted(found))


def _templates_of(release: PromptRelease) -> list[tuple[str, str]]:
    """Each with the field where it stands."""
    found = [(f"messages[{place}].content", one.content) for place, one in enumerate(release.messages)]
    return found if release.nearest is None else [*found, ("nearest.question", release.nearest.question)]
