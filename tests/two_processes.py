"""Which tests run beside which under `pytest -n 2`: those of the shared server in one process, the others by file.

The shared server (fixture `gateway`) is the session's, so a session more would start it again. Its tests are the
longest unit, so it starts first: Ray's agents take jobs on a port of which a machine has one, and jobs are submitted to
this server and to no other.
"""

from collections.abc import Sequence

from xdist.scheduler import LoadScopeScheduling

SHARED = ("tests/contract/", "tests/cluster/", "tests/e2e/test_experiment_workflow.py")
"""Folders and files whose tests ask the shared server, but for those that are `APART`."""
APART = (
    "tests/cluster/test_serve_deploy.py",
    "tests/cluster/test_two_nodes.py",
    "tests/contract/test_assets_registry.py",
    "tests/contract/test_datasets_registry.py",
    "tests/contract/test_experiment_killed.py",
    "tests/contract/test_label_logprobs.py",
    "tests/contract/test_llamacpp_engine.py",
    "tests/contract/test_llamacpp_life.py",
    "tests/contract/test_offline.py",
    "tests/contract/test_openai_http.py",
    "tests/contract/test_optimize_killed.py",
    "tests/contract/test_sandbox.py",
    "tests/contract/test_scorers.py",
)
"""Files of these folders that start what they need themselves. One that is missing here only runs later."""


def unit_of(test_id: str, apart: Sequence[str] = APART) -> str:
    """Return the unit of work that a test belongs to: one process runs all of it, in the order of collection."""
    file = test_id.partition("::")[0]
    return "the shared server" if file.startswith(SHARED) and file not in apart else file


class SharedServerScheduling(LoadScopeScheduling):
    """xdist's scheduling by unit of work, the one with the most tests first."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
