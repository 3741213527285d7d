"""As `calls`, for experiments."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlencode

from neuroforge.client.calls import Call, as_contract, as_contracts, quoted
from neuroforge.contracts.analysis import Analysis, ExperimentComparison
from neuroforge.contracts.base import Contract, JsonObject
from neuroforge.contracts.experiment_desk import HumanLabel, LabelReceipt, LabelSheet, LabelTask, RerunRequest
from neuroforge.contracts.experiments import CostEstimate, ExperimentConfig, ExperimentStatus
from neuroforge.contracts.runs import ItemsPart, ItemsReceipt

PATH = "/admin/v1/experiments"
PART_CHARS = 1 << 20
SMALLEST_PART_CHARS = 1 << 8
_STATUS = as_contract(ExperimentStatus)


def estimate(config: ExperimentConfig) -> Call[CostEstimate]:
    """POST /admin/v1/experiments/estimate."""
    return Call("POST", f"{PATH}/estimate", as_contract(CostEstimate), _told(config))


def start(config: ExperimentConfig, key: str | None = None) -> Call[ExperimentStatus]:
    """POST /admin/v1/experiments."""
    return Call("POST", with_key(PATH, key), _STATUS, _told(config))


def with_key(path: str, key: str | None) -> str:
    """Return the path that starts a run under a key of the caller's."""
    return path if key is None else f"{path}?{urlencode({'start_key': key})}"


def status(experiment_id: str) -> Call[ExperimentStatus]:
    """GET /admin/v1/experiments/{id}."""
    return Call("GET", f"{PATH}/{quoted(experiment_id)}", _STATUS)


def list_experiments(limit: int) -> Call[tuple[ExperimentStatus, ...]]:
    """GET /admin/v1/experiments."""
    return Call("GET", f"{PATH}?{urlencode({'limit': limit})}", as_contracts(ExperimentStatus))


def act(experiment_id: str, action: str) -> Call[ExperimentStatus]:
    """POST /admin/v1/experiments/{id}/cancel, resume or rescore."""
    return Call("POST", f"{PATH}/{quoted(experiment_id)}/{action}", _STATUS)


def rerun(experiment_id: str, request: RerunRequest) -> Call[ExperimentStatus]:
    """POST /admin/v1/experiments/{id}/rerun."""
    return Call("POST", f"{PATH}/{quoted(experiment_id)}/rerun", _STATUS, _told(request))


def analysis(experiment_id: str) -> Call[Analysis]:
    """GET /admin/v1/experiments/{id}/analysis."""
    return Call("GET", f"{PATH}/{quoted(experiment_id)}/analysis", as_contract(Analysis))


def report(experiment_id: str, form: str) -> Call[bytes]:
    """GET /admin/v1/experiments/{id}/report."""
    return Call("GET", f"{PATH}/{quoted(experiment_id)}/report?{urlencode({'format': form})}", bytes)


def cells(experiment_id: str) -> Call[bytes]:
    """GET /admin/v1/experiments/{id}/cells; Parquet."""
    return Call("GET", f"{PATH}/{quoted(experiment_id)}/cells", bytes)


def outcomes(experiment_id: str) -> Call[bytes]:
    """GET /admin/v1/experiments/{id}/outcomes; Parquet."""
    return Call("GET", f"{PATH}/{quoted(experiment_id)}/outcomes", bytes)


def compare(a: str, b: str) -> Call[ExperimentComparison]:
    """POST /admin/v1/experiments/compare."""
    return Call("POST", f"{PATH}/compare", as_contract(ExperimentComparison), {"a": a, "b": b})


def export_labels(experiment_id: str, limit: int) -> Call[tuple[LabelTask, ...]]:
    """GET /admin/v1/experiments/{id}/labels."""
    path = f"{PATH}/{quoted(experiment_id)}/labels?{urlencode({'limit': limit})}"
    return Call("GET", path, as_contracts(LabelTask))


def import_labels(experiment_id: str, labels: Sequence[HumanLabel]) -> Call[LabelReceipt]:
    """POST /admin/v1/experiments/{id}/labels."""
    sheet = LabelSheet(labels=tuple(labels))
    return Call("POST", f"{PATH}/{quoted(experiment_id)}/labels", as_contract(LabelReceipt), _told(sheet))


def find_items(sha256: str) -> Call[ItemsReceipt]:
    """GET /admin/v1/experiments/items/{sha256}."""
    return Call("GET", f"{PATH}/items/{quoted(sha256)}", as_contract(ItemsReceipt))


def put_items(sha256: str, text: str, part_chars: int) -> Iterator[Call[ItemsReceipt]]:
    """PUT /admin/v1/experiments/items, once for each part."""
    parts = [text[start : start + part_chars] for start in range(0, len(text), part_chars)]
    for index, lines in enumerate(parts):
        part = ItemsPart(sha256=sha256, index=index, n_parts=len(parts), lines=lines)
        yield Call("PUT", f"{PATH}/items", as_contract(ItemsReceipt), _told(part))


def _told(message: Contract) -> JsonObject:
    """Only what was set: the server fills in the rest."""
    return message.model_dump(mode="json", exclude_unset=True)
