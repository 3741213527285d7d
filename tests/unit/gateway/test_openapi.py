from typing import Any

from tests.unit.gateway.fakes import Gateway


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(one) for one in node.values()))
    if isinstance(node, list):
        return set().union(*(references(one) for one in node))
    return set()


async def document() -> dict[str, Any]:
    async with Gateway().running() as client:
        found: dict[str, Any] = (await client.get("/openapi.json")).json()
    return found


async def test_every_route_is_documented_with_the_envelope_and_no_422() -> None:
    paths = (await document())["paths"]
    assert {"/v1/chat/completions", "/v1/responses", "/v1/models", "/admin/v1/keys", "/readyz"} <= set(paths)
    for operations in paths.values():
        for operation in operations.values():
            assert "422" not in operation["responses"]
            schema = operation["responses"]["503"]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Error"}


async def test_every_reference_leads_somewhere() -> None:
    found = await document()
    names = {f"#/components/schemas/{name}" for name in found["components"]["schemas"]}
    assert references(found) <= names


async def test_bodies_refuse_unknown_fields_in_the_schema_too() -> None:
    schemas = (await document())["components"]["schemas"]
    assert schemas["ChatRequest"]["additionalProperties"] is False
    assert schemas["ChatRequest"]["required"] == ["model"]  # a prompt may stand for the messages
