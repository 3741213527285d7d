"""Which tests share a process."""

import re
from pathlib import Path

import pytest

from tests.two_processes import APART, unit_of

REPOSITORY = Path(__file__).parents[2]
USES_THE_SHARED_SERVER = re.compile(r"\bgateway: RunningServer|: (Async)?OpenAI\b|\broot: str")


def test_tests_of_the_shared_server_are_one_unit() -> None:
    ids = ("tests/contract/test_responses.py::test_a", "tests/cluster/test_tasks.py::test_b[1]")
    assert len({unit_of(one) for one in ids}) == 1


def test_other_tests_go_by_file() -> None:
    assert unit_of("tests/unit/test_errors.py::TestTree::test_a[x::y]") == "tests/unit/test_errors.py"
    assert unit_of("tests/e2e/test_privacy.py::test_a") == "tests/e2e/test_privacy.py"


@pytest.mark.parametrize("file", APART)
def test_a_file_that_goes_alone_is_there_and_asks_no_shared_server(file: str) -> None:
    assert not USES_THE_SHARED_SERVER.search((REPOSITORY / file).read_text())
    assert unit_of(f"{file}::test_a") == file
