"""As `calls`, for prompts that are optimised on the server."""

from urllib.parse import urlencode

from neuroforge.client.calls import Call, as_contract, as_contracts, quoted
from neuroforge.client.calls_experiments import with_key
from neuroforge.contracts.base import JsonObject
from neuroforge.contracts.optimize import OptimizationResult, OptimizeConfig, OptimizePlan
from neuroforge.contracts.prompt_runs import PromptRunStatus

PATH = "/admin/v1/prompt-runs"
_STATUS = as_contract(PromptRunStatus)


def plan(config: OptimizeConfig) -> Call[OptimizePlan]:
    """POST /admin/v1/prompt-runs/plan."""
    return Call("POST", f"{PATH}/plan", as_contract(OptimizePlan), _told(config))


def start(config: OptimizeConfig, key: str | None = None) -> Call[PromptRunStatus]:
    """POST /admin/v1/prompt-runs."""
    return Call("POST", with_key(PATH, key), _STATUS, _told(config))


def status(run_id: str) -> Call[PromptRunStatus]:
    """GET /admin/v1/prompt-runs/{id}."""
    return Call("GET", f"{PATH}/{quoted(run_id)}", _STATUS)


def list_runs(limit: int) -> Call[tuple[PromptRunStatus, ...]]:
    """GET /admin/v1/prompt-runs."""
    return Call("GET", f"{PATH}?{urlencode({'limit': limit})}", as_contracts(PromptRunStatus))


def act(run_id: str, action: str) -> Call[PromptRunStatus]:
    """POST /admin/v1/prompt-runs/{id}/cancel or resume."""
    return Call("POST", f"{PATH}/{quoted(run_id)}/{action}", _STATUS)


def result(run_id: str) -> Call[OptimizationResult]:
    """GET /admin/v1/prompt-runs/{id}/result."""
    return Call("GET", f"{PATH}/{quoted(run_id)}/result", as_contract(OptimizationResult))


def file(run_id: str, name: str) -> Call[bytes]:
    """GET /admin/v1/prompt-runs/{id}/report (HTML), candidates or evaluations (Parquet)."""
    return Call("GET", f"{PATH}/{quoted(run_id)}/{name}", bytes)


def _told(config: OptimizeConfig) -> JsonObject:
    """Only what was set: the server fills in the rest."""
    return config.model_dump(mode="json", exclude_unset=True)
