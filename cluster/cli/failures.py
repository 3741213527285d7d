"""An error -> one line on stderr with the remedy, and exit code 1; the traceback only with --debug."""

import sys
import traceback
from types import TracebackType
from typing import Any

import typer
from typer.core import TyperGroup

from neuroforge.errors import NeuroForgeError

REMEDY_BY_CODE = {
    "invalid_api_key": "set NEUROFORGE_API_KEY; if the last admin key is lost, make one on the "
    "server's machine: `neuroforge keys create NAME --scope admin --offline`",
    "permission_denied": "use a key with the scope `admin`, or one that may use this model: `neuroforge keys list`",
    "model_not_found": "see `neuroforge models ps` for what is served and `neuroforge models list` for the catalog",
    "asset_not_found": "see `neuroforge models list`, or add your own with `neuroforge models add`",
    "context_length_exceeded": "shorten the prompt, or raise the model's context_length in neuroforge.yaml",
    "out_of_memory": "lower context_length or parallel, or unload a model: `neuroforge models unload ID`",
    "disk_full": "free space, or remove models: `neuroforge models rm NAME`",
    "hash_mismatch": "pull again; if it happens twice, the source holds something else than what was pinned",
    "rate_limit_exceeded": "wait, or raise the key's limits",
    "model_overloaded": "wait, or give the model more replicas: `neuroforge models scale ID --max N`",
    "invalid_configuration": "check the file with `neuroforge config validate`",
}
CONNECTION_REMEDY = "start the server with `neuroforge serve`, or point NEUROFORGE_URL at a running one"


class FailingClearly(TyperGroup):
    """The root command: turns NeuroForgeError into a line and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except NeuroForgeError as error:
            if ctx.params.get("debug"):
                raise
            typer.echo(explain(error), err=True)
            raise typer.Exit(1) from error


def explain(error: NeuroForgeError) -> str:
    """Return `error: what; remedy`, with the request's id when the server gave one."""
    remedy = CONNECTION_REMEDY if "url" in error.context else REMEDY_BY_CODE.get(error.code)
    parts = [f"error: {error.message}"]
    if remedy is not None and remedy not in error.message:
        parts.append(remedy)
    if (request_id := error.context.get("request_id")) is not None:
        parts.append(f"request {request_id}")
    return "\n  ".join(parts)


def report_bug(kind: type[BaseException], _error: BaseException, trace: TracebackType | None) -> None:
    """Say where an error that nobody foresaw was raised; its text may hold a prompt, so it is left out."""
    if issubclass(kind, KeyboardInterrupt):
        return
    frames = traceback.extract_tb(trace)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    sys.stderr.write(f"error: unexpected {kind.__name__}{place}\n  run `neuroforge --debug ...` for the details\n")
