import pytest

from neuroforge.contracts.datasets import CodeTests
from neuroforge.errors import SandboxUnavailable
from neuroforge.scoring.code import build_program, defines, extract_code, score_code
from neuroforge.scoring.sandbox import RunResult, Sandbox

TESTS = CodeTests(tests="assert add(1, 2) == 3", entry_point="add", preamble="def add(a, b):\n")


class FakeSandbox(Sandbox):
    """Answers with one result; `echo` prints the program's last string, as a program that came to its end does."""

    def __init__(self, result: RunResult | None = None, echo: bool = False) -> None:
        super().__init__()
        self._result = result
        self._echo = echo
        self.programs: list[str] = []

    def run(self, program: str) -> RunResult:
        self.programs.append(program)
        if self._echo:
            return ended(stdout=program.rsplit("'", 2)[1].replace("\\n", "\n"))
        if self._result is None:
            raise SandboxUnavailable("no namespaces here")
        return self._result


def ended(exit_code: int = 0, stdout: str = "", stderr: str = "") -> RunResult:
    return RunResult("exited", exit_code, stdout, stderr, 0.1)


def test_a_program_that_comes_to_its_end_scores_1() -> None:
    assert score_code("def add(a, b): return a + b", TESTS, FakeSandbox(echo=True)).value == 1.0


def test_leaving_with_status_0_before_the_tests_scores_0() -> None:
    score = score_code("raise SystemExit", TESTS, FakeSandbox(ended()))
    assert (score.value, score.reason) == (0.0, "the program ended before the tests did")


def test_the_error_of_a_failed_test_is_told() -> None:
    score = score_code("def add(a, b): return 0", TESTS, FakeSandbox(ended(1, stderr="Traceback\nAssertionError\n")))
    assert (score.value, score.reason) == (0.0, "AssertionError")


@pytest.mark.parametrize(("ending", "reason"), [("timeout", "the time was over"), ("output_limit", "too much output")])
def test_a_program_that_was_stopped_scores_0(ending: str, reason: str) -> None:
    score = score_code("while True: pass", TESTS, FakeSandbox(RunResult(ending, None, "", "", 1.0)))  # type: ignore[arg-type]
    assert (score.value, score.reason) == (0.0, reason)


def test_without_a_sandbox_nothing_is_scored() -> None:
    score = score_code("def add(a, b): return a + b", TESTS, FakeSandbox())
    assert (score.value, score.reason) == (None, "no namespaces here")


def test_without_tests_nothing_is_scored() -> None:
    assert score_code("x = 1", None, FakeSandbox(ended())).value is None


def test_an_empty_reply_is_wrong_and_is_not_run() -> None:
    sandbox = FakeSandbox(ended())
    assert score_code("```python\n\n```", TESTS, sandbox).value == 0.0
    assert sandbox.programs == []


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Here:\n```python\ndef add(): 1\n```\nDone.", "def add(): 1\n"),
        ("```\ndef add(): 1\n```", "def add(): 1\n"),
        ("~~~py\ndef add(): 1\n~~~", "def add(): 1\n"),
        ("```python\ndef add(): 1", "def add(): 1"),
        ("```bash\npip install x\n```\n```python\ndef add(): 1\n```", "def add(): 1\n"),
        ("```python\nadd(1)\n```\n```python\ndef add(): 1\n```", "def add(): 1\n"),
        ("```python\ndef add(): 0\n```\nBetter:\n```python\ndef add(): 1\n```", "def add(): 1\n"),
        ("def add(): 1", "def add(): 1"),
    ],
)
def test_the_code_of_a_reply_is_found(reply: str, expected: str) -> None:
    assert extract_code(reply, "add") == expected


def test_a_bare_body_continues_the_preamble() -> None:
    assert build_program("    return a + b\n", TESTS, "t").startswith("def add(a, b):\n    return a + b\n")


@pytest.mark.parametrize("code", ["def add(x): 1", "async def add(): 1", "class add: 1", "add = 1", "add: int = 1"])
def test_a_definition_is_seen(code: str) -> None:
    assert defines(code, "add")


@pytest.mark.parametrize("code", ["def added(x): 1", "  def add(): 1", "add(1)", "x.add = 1", "# def add"])
def test_what_is_no_definition_is_not(code: str) -> None:
    assert not defines(code, "add")
