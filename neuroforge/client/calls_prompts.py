"""As `calls`, for prompts that are served by name."""

from typing import Literal
from urllib.parse import urlencode

from neuroforge.client.calls import Call, as_contract, as_contracts, quoted
from neuroforge.contracts.prompt_serving import PromptDiff
from neuroforge.contracts.prompts import PromptEntry, PromptRelease

PATH = "/admin/v1/prompts"
ExportFormat = Literal["yaml", "json", "text"]
_READ = as_contract(PromptEntry)


def list_prompts(name: str | None) -> Call[tuple[PromptEntry, ...]]:
    """GET /admin/v1/prompts."""
    query = "" if name is None else f"?{urlencode({'name': name})}"
    return Call("GET", f"{PATH}{query}", as_contracts(PromptEntry))


def get_prompt(name: str, which: str | int) -> Call[PromptEntry]:
    """GET /admin/v1/prompts/{name}."""
    return Call("GET", f"{PATH}/{quoted(name)}?{urlencode({'which': which})}", _READ)


def diff_prompts(name: str, left: str | int, right: str | int) -> Call[PromptDiff]:
    """GET /admin/v1/prompts/{name}/diff."""
    query = urlencode({"left": left, "right": right})
    return Call("GET", f"{PATH}/{quoted(name)}/diff?{query}", as_contract(PromptDiff))


def export_prompt(name: str, which: str | int, form: ExportFormat) -> Call[str]:
    """GET /admin/v1/prompts/{name}/export."""
    query = urlencode({"which": which, "format": form})
    return Call("GET", f"{PATH}/{quoted(name)}/export?{query}", bytes.decode)


def promote_prompt(name: str, what: PromptRelease | int, alias: str, shadow_share: float | None) -> Call[PromptEntry]:
    """POST /admin/v1/prompts/{name}/promote; `what` is a new release or a kept version. The server checks the rest."""
    given = (
        {"version": what} if isinstance(what, int) else {"release": what.model_dump(mode="json", exclude_unset=True)}
    )
    body = {**given, "alias": alias, "shadow_share": shadow_share}
    return Call("POST", f"{PATH}/{quoted(name)}/promote", _READ, body)


def rollback_prompt(name: str, alias: str, version: int | None) -> Call[PromptEntry]:
    """POST /admin/v1/prompts/{name}/rollback."""
    query = urlencode({"alias": alias} if version is None else {"alias": alias, "version": version})
    return Call("POST", f"{PATH}/{quoted(name)}/rollback?{query}", _READ)
