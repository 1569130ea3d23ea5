"""Examples in the interface description: one for every operation, made of each schema's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXAMPLE_ID = (
    "1.2.156.3005.2.11440114MA00000915905.11440114MA00000915.01M820CVEAENFHZTCYQG0E2KKV.001.C"
)
JSON = "application/json"
_MAX_DEPTH = 12
_ULID, _THUMBPRINT = "01KJP2N7E09BZ0XEMAWPHZ6DK0", "9HJf7_I-vXK2ZdH1Hc0Tn2Uq7dJ8k0y5c1yQkV0Gm3E"
_BY_PATTERN: Mapping[str, str] = {  # what has no better name below
    "^[0-9A-Z]{26}$": _ULID,
    "^[0-9A-Z]{18}$": "11440114MA0000093B",
    "^[0-9]{1,18}$": "57",
    "^[a-z0-9][a-z0-9_-]{0,63}$": "civil-defence",
    r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,2}$": "holders.name",
    "^(fields|holders|attachments)(\\.[a-z][a-z0-9_]*){1,2}$": "holders.name",
}
_MEDIA: Mapping[str, str] = {  # of bodies that are not JSON: how one begins
    "application/dc+sd-jwt": "eyJhbGciOiJFUzI1NiIsInR5cCI6ImRjK3NkLWp3dCJ9…~WyJ…~",
    "application/statuslist+jwt": "eyJhbGciOiJFUzI1NiIsInR5cCI6InN0YXR1c2xpc3Qrand0In0…",
    "application/jwt": "eyJhbGciOiJFUzI1NiIsInR5cCI6ImVjZXJ0LXN0YXR1cy1kZXRhaWxzK2p3dCJ9…",
    "application/pdf": "%PDF-1.7 …",
    "application/zip": "PK…",
    "application/octet-stream": "(32 bytes for each hash)",
    "image/png": "PNG …",
    "image/jpeg": "JPEG …",
    "image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 240">…</svg>',
    "text/csv": "day,papers_not_brought\n2026-03-02,4\n",
    "text/html": "<!doctype html>…",
    "text/plain": "c2sp.org/tlog-proof@v1\n…",
    "application/x-www-form-urlencoded": "grant_type=client_credentials&client_assertion=eyJ…"
    "&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}
_PARAMETERS: Mapping[str, str | int] = {
    "identifier": EXAMPLE_ID,
    "code": "HD-ZJ-01",
    "slug": "construction-permit",
    "version": 1,
    "number": 0,
    "path": "0/000",
    "client_id": _THUMBPRINT,
    "kid": _THUMBPRINT,
    "issuer": "https://id.example.gov.cn",
}
BY_NAME: Mapping[str, str] = {
    "id": EXAMPLE_ID,
    "certificate": EXAMPLE_ID,
    "identifier": EXAMPLE_ID,
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
    "use_code": "27182818",
    "division": "440114",
    "zh": "建筑工程施工许可证",
    "en": "construction permit",
    "url": "https://shenpi.example.gov.cn/ecert",
    "status": "valid",
}


def give_examples(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """Give an operation's parameters, body and answers an example each, where they have none."""
    for parameter in operation.get("parameters", ()):
        if parameter["required"] and "example" not in parameter:
            parameter["example"] = _of_parameter(parameter)
    bodies = [operation.get("requestBody", {})]
    bodies += [one for code, one in operation["responses"].items() if code.startswith("2")]
    for body in bodies:
        for kind, content in body.get("content", {}).items():
            if "example" not in content and "examples" not in content:
                content["example"] = _MEDIA.get(kind) or example_of(
                    content.get("schema", {}), schemas, ""
                )


def _of_parameter(parameter: Mapping[str, Any]) -> str | int:
    if parameter["schema"].get("pattern") == "^[0-9A-Z]{18}$":
        return BY_NAME["agency"]
    return _PARAMETERS.get(parameter["name"], _ULID)


def example_of(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str, depth: int = 0
) -> Any:
    """Make an example that fits a schema, in words that the field uses."""
    if "$ref" in schema:
        return example_of(_resolved(schema, schemas), schemas, name, depth)
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


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schemas[schema["$ref"].rpartition("/")[2]]
    return found


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
    by_pattern = _BY_PATTERN.get(schema.get("pattern", ""))
    return by_pattern or BY_NAME.get(name) or "…"
