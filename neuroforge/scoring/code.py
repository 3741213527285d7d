"""Python code in a reply -> one program with the item's tests -> run in the sandbox."""

import re
import secrets

from neuroforge.contracts.datasets import CodeTests
from neuroforge.contracts.scores import Score
from neuroforge.errors import SandboxUnavailable
from neuroforge.scoring.sandbox import RunResult, Sandbox

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*([\w+.-]*)[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_PYTHON = ("", "python", "py", "python3")
_MAX_CODE_CHARS = 200_000


def score_code(reply: str, tests: CodeTests | None, sandbox: Sandbox) -> Score:
    """1 if the tests pass within the sandbox's limits, else 0 with the first reason; no partial credit.

    Not scored where there are no tests, or the sandbox cannot be used: `reason` says so.
    """
    if tests is None:
        return Score(reason="the item has no tests")
    code = extract_code(reply, tests.entry_point)
    if not code.strip():
        return Score(value=0.0, reason="no code in the reply")
    if len(code) > _MAX_CODE_CHARS:
        return Score(value=0.0, reason=f"more than {_MAX_CODE_CHARS:,} characters of code")
    token = secrets.token_hex(16)
    try:
        result = sandbox.run(build_program(code, tests, token))
    except SandboxUnavailable as error:
        return Score(reason=error.message, answer=code)
    # Exit status 0 is not enough: the code could have left before the tests.
    if result.ending == "exited" and result.exit_code == 0 and result.stdout.rstrip().endswith(token):
        return Score(value=1.0, answer=code)
    return Score(value=0.0, reason=_why(result), answer=code)


def extract_code(reply: str, entry_point: str | None) -> str:
    """Return the code of a reply: the last Python block that defines the entry point, else all blocks, else the reply.

    A block that the reply's end cut off counts as far as it goes.
    """
    blocks = [match[3] for match in _FENCE.finditer(reply) if match[2].lower() in _PYTHON]
    if not blocks:
        return reply
    if entry_point is not None:
        defining = [block for block in blocks if defines(block, entry_point)]
        if defining:
            return defining[-1]
    return "\n".join(blocks)


def defines(code: str, name: str) -> bool:
    """Whether a function, class or variable of that name is made at the top level."""
    word = re.escape(name)
    return (
        re.search(rf"^(?:(?:async\s+)?def|class)\s+{word}\b|^{word}\s*(?::[^=\n]+)?=", code, re.MULTILINE) is not None
    )


def build_program(code: str, tests: CodeTests, token: str) -> str:
    """Return preamble, code, tests, and a last line that prints the token: only a program that came to its end does.

    Code that does not define the entry point is taken to continue the preamble, as a model that completes text does.
    """
    continues = tests.entry_point is not None and not defines(code, tests.entry_point)
    joint = tests.preamble + code if continues else f"{tests.preamble}\n\n{code}"
    return f"{joint}\n\n{tests.tests}\n\nimport sys as _sys\n_sys.stdout.write('\\n{token}\\n')\n"


def _why(result: RunResult) -> str:
    if result.ending == "timeout":
        return "the time was over"
    if result.ending == "output_limit":
        return "too much output"
    last = result.stderr.strip().rsplit("\n", 1)[-1][:200]
    if result.exit_code == 0:
        return "the program ended before the tests did"
    return last or f"exit status {result.exit_code}"
