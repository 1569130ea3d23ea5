"""Examples in the interface description: one for every operation, made of each schema's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXAMPLE_ID = (
    "1.2.156.3005.2.11440114MA00000915905.11440114MA00000915.01M820CVEAENFHZTCYQG0E2KKV.001.C"
)
JSON = "application/json"
_MAX_DEPTH = 8
_STRINGS: Mapping[str, str] = {  # by the member's name: what such a text looks like
    "id": EXAMPLE_ID,
    "certificate": EXAMPLE_ID,
    "identifier": EXAMPLE_ID,
}
BY_NAME: Mapping[str, Any] = {
    "agency": "11440114MA0000093B",
    "parent": "11440114MA00000915",
    "issuer": "11440114MA00000915",
    "case_number": "2026-0017",
    "holder_code": "91440114MA00000151",
    "project_code": "2602-440114-04-01-260318",
    "operator": "李四",
    "purpose": "施工许可审批",
    "matter": "HD-ZJ-01",
    "type": "construction-permit",
    "slug": "construction-permit",
    "number": "440114202603020101",
    "reason": "停工整改",
    "basis": "穗建停〔2026〕3号",
    "legal_basis": "国务院令第716号第七条",
    "recipient": "示例银行花都支行",
    "until": "2026-12-31",
    "division": "440114",
    "zh": "建筑工程施工许可证",
    "en": "construction permit",
    "url": "https://shenpi.example.gov.cn/ecert",
    "status": "valid",
}


def give_examples(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """Give an operation's JSON body and answers an example each, where it has none."""
    bodies = [operation.get("requestBody", {})]
    bodies += [one for code, one in operation["responses"].items() if code.startswith("2")]
    for body in bodies:
        content = body.get("content", {}).get(JSON)
        if content and "example" not in content and content.get("schema"):
            content["example"] = example_of(content["schema"], schemas, "")


def example_of(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str, depth: int = 0
) -> Any:
    """Make an example that fits a schema, in words that the field uses."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, name, depth)
    for given in ("example", "default", "const"):
        if schema.get(given) is not None:
            return schema[given]
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return example_of(schema[choice][0], schemas, name, depth)
    return _of_kind(schema, schemas, name, depth)


def _of_kind(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str, depth: int) -> Any:
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return {
            member: example_of(inner, schemas, member, depth + 1)
            for member, inner in schema.get("properties", {}).items()
            if depth < _MAX_DEPTH
        }
    if kind == "array":
        if depth >= _MAX_DEPTH:
            return []
        return [example_of(schema.get("items", {}), schemas, name.removesuffix("s"), depth + 1)]
    if kind in {"integer", "number"}:
        return schema.get("minimum", 1)
    if kind == "boolean":
        return False
    return None if kind == "null" else _text(schema, name)


def _text(schema: Mapping[str, Any], name: str) -> str:
    if schema.get("format") == "date" or name.endswith("_on"):
        return "2026-03-02"
    if name.endswith("_at") or name == "at":
        return "2026-03-02T01:30:00Z"
    found = BY_NAME.get(name, _STRINGS.get(name))
    return found if isinstance(found, str) else "…"
