"""The JSON Schema of a draft around its type's ``fields``, and how all schemas are compiled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from ecert.model import HOLDER_CODE_TYPES

MAX_HOLDERS = 50
MAX_RESTS_ON = 20
MAX_ATTACHMENTS = 100
_DATE = {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_NUMBER = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"^\S(.*\S)?$"}
_HOLDER = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "code": {"type": "string", "minLength": 1, "maxLength": 64},
        "code_type": {"enum": sorted(HOLDER_CODE_TYPES)},
    },
    "required": ["name", "code", "code_type"],
    "additionalProperties": False,
}
_ATTACHMENT = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "media_type": {"type": "string", "maxLength": 100, "pattern": "^[a-z]+/[a-z0-9.+-]+$"},
        "size": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
    "required": ["name", "media_type", "size", "sha256"],
    "additionalProperties": False,
}
ENVELOPE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "fields": {"type": "object"},
        "holders": {"type": "array", "items": _HOLDER, "minItems": 1, "maxItems": MAX_HOLDERS},
        "project_code": {"type": "string", "maxLength": 64},
        "number": _NUMBER,
        "local_number": _NUMBER,
        "issued_on": _DATE,
        "valid_from": _DATE,
        "valid_to": _DATE,
        "rests_on": {
            "type": "array",
            "items": {"type": "string", "maxLength": 128},
            "maxItems": MAX_RESTS_ON,
            "uniqueItems": True,
        },
        "attachments": {"type": "array", "items": _ATTACHMENT, "maxItems": MAX_ATTACHMENTS},
    },
    "required": ["fields", "holders"],
    "additionalProperties": False,
}


def compile_schema(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Compile a JSON Schema; patterns run in linear time, whatever a type folder says.

    Raises: ValueError, jsonschema_rs.ValidationError when it is no schema.
    """
    return jsonschema_rs.Draft202012Validator(
        dict(schema),
        validate_formats=True,
        pattern_options=jsonschema_rs.RegexOptions(size_limit=1 << 20),
    )


def compile_draft(fields: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Compile the schema of whole drafts, so that one pass finds all that is wrong."""
    inner = {name: item for name, item in fields.items() if name != "$id"}
    return compile_schema({**ENVELOPE, "properties": {**ENVELOPE["properties"], "fields": inner}})
