"""As `calls`, for routing rules."""

from collections.abc import Sequence
from urllib.parse import urlencode

from neuroforge.client.calls import Call, as_contract, as_contracts, quoted
from neuroforge.contracts.rules import Insight, InsightRequest, RoutingRules, RulesEntry

PATH = "/admin/v1/router/rules"
_READ = as_contract(RulesEntry)


def rules() -> Call[tuple[RulesEntry, ...]]:
    """GET /admin/v1/router/rules."""
    return Call("GET", PATH, as_contracts(RulesEntry))


def propose_rules(proposed: RoutingRules) -> Call[RulesEntry]:
    """POST /admin/v1/router/rules. Only what was set is sent: the server fills in the rest, version and time."""
    body = proposed.model_dump(mode="json", exclude_unset=True, exclude={"version", "created_at_s"})
    return Call("POST", PATH, _READ, body)


def shadow_rules(proposal_id: str) -> Call[RulesEntry]:
    """POST /admin/v1/router/rules/{id}/shadow."""
    return Call("POST", f"{PATH}/{quoted(proposal_id)}/shadow", _READ)


def apply_rules(proposal_id: str, force: bool) -> Call[RulesEntry]:
    """POST /admin/v1/router/rules/{id}/apply."""
    return Call("POST", f"{PATH}/{quoted(proposal_id)}/apply{'?force=true' if force else ''}", _READ)


def rollback_rules(version: int | None) -> Call[RulesEntry]:
    """POST /admin/v1/router/rules/rollback."""
    query = "" if version is None else f"?{urlencode({'version': version})}"
    return Call("POST", f"{PATH}/rollback{query}", _READ)


def update_routing_rules(insights: Sequence[Insight], shadow: bool) -> Call[RulesEntry]:
    """POST /admin/v1/router/rules/insights."""
    wanted = InsightRequest(insights=tuple(insights), shadow=shadow)
    return Call("POST", f"{PATH}/insights", _READ, wanted.model_dump(mode="json"))
