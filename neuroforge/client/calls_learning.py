"""As `calls`, for what is learned and kept: feedback, decisions, the router, the data."""

import base64
from pathlib import Path
from urllib.parse import urlencode

from neuroforge.client.calls import Call, as_contract, quoted
from neuroforge.contracts.outcomes import (
    DataSummary,
    ExportReport,
    ExportRequest,
    Feedback,
    FeedbackReceipt,
    FitUpload,
    OutcomeRecord,
    PurgeReport,
    RouterStatus,
)
from neuroforge.errors import DataError


def feedback(given: Feedback) -> Call[FeedbackReceipt]:
    """POST /v1/feedback."""
    body = given.model_dump(mode="json", exclude_none=True)
    return Call("POST", "/v1/feedback", as_contract(FeedbackReceipt), body)


def decision(decision_id: str) -> Call[OutcomeRecord]:
    """GET /v1/decisions/{id}."""
    return Call("GET", f"/v1/decisions/{quoted(decision_id)}", as_contract(OutcomeRecord))


def router_status() -> Call[RouterStatus]:
    """GET /admin/v1/router."""
    return Call("GET", "/admin/v1/router", as_contract(RouterStatus))


def apply_fit(upload: FitUpload) -> Call[RouterStatus]:
    """POST /admin/v1/router/fit."""
    body = upload.model_dump(mode="json", exclude_none=True)
    return Call("POST", "/admin/v1/router/fit", as_contract(RouterStatus), body)


def fit_upload(directory: Path) -> FitUpload:
    """Return the files of a router directory on this machine.

    Raises:
        DataError: It is no directory, or has no files.
    """
    if not directory.is_dir():
        raise DataError(f"{directory} is no directory; `neuroforge router fit --out DIR` makes one")
    files = sorted(one for one in directory.iterdir() if one.is_file() and not one.name.startswith("."))
    if not files:
        raise DataError(f"{directory} has no files; `neuroforge router fit --out DIR` makes a router directory")
    return FitUpload(files={one.name: base64.b64encode(one.read_bytes()).decode() for one in files})


def data_summary() -> Call[DataSummary]:
    """GET /admin/v1/data."""
    return Call("GET", "/admin/v1/data", as_contract(DataSummary))


def export_data(request: ExportRequest) -> Call[ExportReport]:
    """POST /admin/v1/data/export."""
    return Call("POST", "/admin/v1/data/export", as_contract(ExportReport), request.model_dump(mode="json"))


def purge_data(actor: str | None, before_s: float | None) -> Call[PurgeReport]:
    """DELETE /admin/v1/data."""
    wanted = {name: value for name, value in (("actor", actor), ("before_s", before_s)) if value is not None}
    path = f"/admin/v1/data?{urlencode(wanted)}" if wanted else "/admin/v1/data"
    return Call("DELETE", path, as_contract(PurgeReport))
