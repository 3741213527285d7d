"""PromptProgram -> messages: the sections in their order and style, the question, the answer cue."""

from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.prompts import Delimiter, Demonstration, PromptMessage, PromptProgram, Section
from neuroforge.prompts.show import count_shown, question_of, show_for

TITLES: dict[Section, str] = {
    "role": "Role",
    "instruction": "Task",
    "constraints": "Rules",
    "reasoning_cue": "Reasoning",
    "demonstrations": "Examples",
    "output_format": "Format",
    "answer_cue": "Answer",
}
_QUESTION = "Question"
Prompt = tuple[JsonObject, ...] | str
"""Messages, or a text that the model continues."""
INPUT = "\0input\0"
"""Stands for the question while the messages around it are made."""


def render_program(program: PromptProgram, item: DatasetItem) -> tuple[JsonObject, ...]:
    """Return the messages that ask this item, with the examples that it is shown.

    Raises:
        DataError: The input template is wrong, or names a variable that the item does not have.
    """
    messages = _render(show_for(program, item), question_of(program, item))
    if not item.messages:
        return messages
    first = 1 if messages[0]["role"] == "system" else 0
    return (*messages[:first], *item.messages, *messages[first:])


def prompt_of(program: PromptProgram, item: DatasetItem) -> Prompt:
    """Return what the model is asked: messages, or their text to continue; raises as `render_program`."""
    return _put(program, render_program(program, item))


def bare_prompt_of(program: PromptProgram, item: DatasetItem, query: str) -> Prompt:
    """Return `prompt_of` with another question, examples and all."""
    bare = DatasetItem(**{**dict(item), "query": query, "messages": ()})
    return _put(program, _render(show_for(program, item), question_of(program, bare)))


def messages_of(program: PromptProgram, question: str) -> tuple[PromptMessage, ...]:
    """Return the messages around a question that is already text, with all demonstrations as they stand."""
    style = program.style
    in_turns = style.demonstrations == "turns"
    parts = [
        _titled(TITLES[section], text, style.delimiter)
        for section in style.section_order
        if section != "answer_cue" and not (section == "demonstrations" and in_turns)
        if (text := _section_text(program, section))
    ]
    lead = "\n\n".join(parts)
    last = ask_question(program, question)
    turns = _turns(program) if in_turns else ()
    if lead and style.placement == "system":
        return (PromptMessage(role="system", content=lead), *turns, PromptMessage(role="user", content=last))
    if lead and turns:
        opened = PromptMessage(role="user", content=f"{lead}\n\n{turns[0].content}")
        return (opened, *turns[1:], PromptMessage(role="user", content=last))
    content = f"{lead}\n\n{last}" if lead else last
    return (*turns, PromptMessage(role="user", content=content))


def to_text(program: PromptProgram) -> str:
    """Return the prompt as one plain text, for people: roles as headings, the input template as it is.

    Of a pool of examples the first stand for those that a question will be shown; a note says so.
    """
    n_shown, n_pool = count_shown(program), len(program.demonstrations)
    shown = PromptProgram(**{**dict(program), "demonstrations": program.demonstrations[:n_shown], "n_nearest": None})
    parts = [f"[{one.role}]\n{one.content}" for one in messages_of(shown, program.input_template)]
    if program.n_nearest is not None:
        told = f"the {n_shown} of {n_pool} nearest to the question, most similar last"
        parts.append(f"[Examples are {told}; here the first stand for them.]")
    return "\n\n".join(parts) + "\n"


def _render(shown: PromptProgram, question: str) -> tuple[JsonObject, ...]:
    # Put in afterwards: messages of a release know one kind of line end, and a caller's text is sent as it is.
    return tuple(
        {"role": one.role, "content": one.content.replace(INPUT, question)} for one in messages_of(shown, INPUT)
    )


def _put(program: PromptProgram, messages: tuple[JsonObject, ...]) -> Prompt:
    """Without a chat template answers follow their questions, and the last question waits for its own."""
    if program.chat_template:
        return messages
    before_answer = " " if program.answer_cue else "\n"
    text = ""
    for one in messages:
        between = before_answer if one["role"] == "assistant" else "\n\n"
        text += f"{between if text else ''}{one['content']}"
    return text if program.answer_cue else f"{text}\n"


def _section_text(program: PromptProgram, section: Section) -> str:
    match section:
        case "constraints":
            rules = list(program.constraints)
            if program.verbalizer:
                words = ", ".join(f"{word} for {label}" for label, word in program.verbalizer.items())
                rules.append(f"Say {words}.")
            return "\n".join(f"- {one}" for one in rules)
        case "demonstrations":
            return "\n\n".join(show_example(program, one) for one in program.demonstrations)
        case _:
            value: str | None = getattr(program, section)
            return value or ""


def show_example(program: PromptProgram, one: Demonstration) -> str:
    """A demonstration inside a text: the question exactly as the real one will be put, then its answer."""
    shown = f"{ask_question(program, one.question, with_cue=False)}\n{_answer(program, one)}"
    return f"<example>\n{shown}\n</example>" if program.style.delimiter == "xml" else shown


def _turns(program: PromptProgram) -> tuple[PromptMessage, ...]:
    found: list[PromptMessage] = []
    for one in program.demonstrations:
        found.append(PromptMessage(role="user", content=ask_question(program, one.question)))
        found.append(PromptMessage(role="assistant", content=_answer(program, one, with_cue=False)))
    return tuple(found)


def ask_question(program: PromptProgram, question: str, with_cue: bool = True) -> str:
    """The question under its title; a bare one where nothing else could be taken for it."""
    style = program.style
    has_examples = bool(program.demonstrations) and style.demonstrations == "text"
    is_bare = style.delimiter == "blank" and not has_examples
    text = question if is_bare else _titled(_QUESTION, question, style.delimiter)
    return f"{text}\n{program.answer_cue}" if program.answer_cue and with_cue else text


def _answer(program: PromptProgram, one: Demonstration, with_cue: bool = True) -> str:
    answer = program.verbalizer.get(one.answer, one.answer)
    steps = f"{one.reasoning}\n" if program.reasoning_cue and one.reasoning else ""
    cue = f"{program.answer_cue} " if with_cue and program.answer_cue else ""
    return f"{steps}{cue}{answer}"


def _titled(title: str, text: str, delimiter: Delimiter) -> str:
    """The text under its title; where an empty line keeps sections apart only questions and examples need one."""
    match delimiter:
        case "markdown":
            return f"## {title}\n{text}"
        case "hash":
            return f"### {title}\n{text}"
        case "xml":
            tag = title.lower()
            return f"<{tag}>\n{text}\n</{tag}>"
        case "blank":
            if title == _QUESTION:
                return f"{_QUESTION}: {text}"
            return f"{title}:\n\n{text}" if title == TITLES["demonstrations"] else text
