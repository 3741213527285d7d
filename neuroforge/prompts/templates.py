"""PromptProgram -> the messages of a release as templates over the caller's variables, and the examples they show."""

import re
from collections.abc import Mapping

from neuroforge.contracts.prompts import Demonstration, NearestExamples, PromptMessage, PromptProgram
from neuroforge.prompts.render import INPUT, ask_question, messages_of, show_example

_QUESTION, _ANSWER, _REASONING = "\0question\0", "\0answer\0", "\0reasoning\0"
"""Stand for an example's texts while the messages around them are made."""
_OF_EXAMPLE = {
    _QUESTION: "{{ example.question }}",
    f"{_REASONING}\n": "{% if example.reasoning %}{{ example.reasoning }}\n{% endif %}",
    _ANSWER: "{{ example.answer }}",
}


def template_of(program: PromptProgram) -> tuple[PromptMessage, ...]:
    """Return the messages as templates: what a release holds.

    Everything but the input template, and examples that are chosen for each question, is text, so braces in it are
    put out of Jinja2's sight.
    """
    places = {INPUT: program.input_template}
    if program.n_nearest is None or not program.demonstrations:
        return tuple(
            PromptMessage(role=one.role, content=_templated(one.content, places)) for one in messages_of(program, INPUT)
        )
    framed = PromptProgram(**{**dict(program), "demonstrations": (_stand_in(program),), "n_nearest": None})
    if program.style.demonstrations == "turns":
        return tuple(_turn(framed, one, places) for one in messages_of(framed, INPUT))
    shown = show_example(framed, framed.demonstrations[0])
    one_by_one = "{% if not loop.last %}\n\n{% endif %}{% endfor %}"
    places[shown] = f"{{% for example in examples %}}{_templated(shown, _OF_EXAMPLE)}{one_by_one}"
    return tuple(
        PromptMessage(role=one.role, content=_templated(one.content, places)) for one in messages_of(framed, INPUT)
    )


def nearest_of(program: PromptProgram) -> NearestExamples | None:
    """Return the examples that are chosen for each question; None = all are shown as they stand."""
    if program.n_nearest is None or not program.demonstrations:
        return None
    pool = tuple(
        Demonstration(
            question=one.question,
            answer=program.verbalizer.get(one.answer, one.answer),
            reasoning=one.reasoning if program.reasoning_cue else None,
        )
        for one in program.demonstrations
    )
    return NearestExamples(question=program.input_template, n_shown=program.n_nearest, pool=pool)


def _stand_in(program: PromptProgram) -> Demonstration:
    has_steps = any(one.reasoning for one in program.demonstrations)
    return Demonstration(question=_QUESTION, answer=_ANSWER, reasoning=_REASONING if has_steps else None)


def _turn(framed: PromptProgram, message: PromptMessage, places: Mapping[str, str]) -> PromptMessage:
    """A turn of an example, repeated for each; what precedes the examples stands before the first of them only."""
    content = message.content
    if _QUESTION not in content and _ANSWER not in content:
        return PromptMessage(role=message.role, content=_templated(content, places))
    told = ask_question(framed, _QUESTION) if _QUESTION in content else content
    lead, own = content.removesuffix(told), _templated(told, _OF_EXAMPLE)
    if lead:
        own = f"{{% if example.is_first %}}{_raw(lead)}{{% endif %}}{own}"
    return PromptMessage(role=message.role, content=own, is_per_example=True)


def _templated(text: str, places: Mapping[str, str]) -> str:
    """The text with templates in these places, and the rest as it stands."""
    pattern = "|".join(re.escape(one) for one in places)
    return "".join(places.get(part) or _raw(part) for part in re.split(f"({pattern})", text))


def _raw(text: str) -> str:
    if "{" not in text:
        return text
    escaped = text.replace("{% endraw %}", "{% endraw %}{{ '{% endraw %}' }}{% raw %}")
    return f"{{% raw %}}{escaped}{{% endraw %}}"
