"""A type's folder: read, checked that its files agree, and assembled into a type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import jsonschema_rs

from ecert._encoding import b64url, canonical, parse_json, sha256
from ecert.catalogue._envelope import compile_schema
from ecert.catalogue._number import SERIAL, NumberPattern
from ecert.catalogue._type import CertificateType, inner_schema
from ecert.errors import EcertError, TypeFolderError

_TEXT = {
    "type": "object",
    "properties": {
        "zh": {"type": "string", "minLength": 1},
        "en": {"type": "string", "minLength": 1},
    },
    "required": ["zh", "en"],
    "additionalProperties": False,
}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}
_SLUG = {"type": "string", "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$", "maxLength": 64}
_NUMBER = {
    "type": "object",
    "properties": {
        "template": {"type": "string", "pattern": r"\{serial(:[1-9][0-9]?)?\}"},
        "pattern": {"type": "string"},
        "strict": {"type": "boolean"},
        "confirmed": {"type": "boolean"},
        "source": {"type": "string"},
    },
    "required": ["template"],
    "additionalProperties": False,
}
_TYPE_SCHEMA = {
    "type": "object",
    "properties": {
        "slug": _SLUG,
        "version": {"type": "integer", "minimum": 1, "maximum": 9999},
        "state": {"enum": ["draft", "published", "deprecated"]},
        "name": _TEXT,
        "code": {
            "type": "object",
            "properties": {
                "confirmed": {"type": "boolean"},
                "value": {"type": "string", "pattern": "^[0-9A-Z]{18}[0-9]{3}$"},
                "suffix": {"type": "string", "pattern": "^9[0-9]{2}$"},
                "note": _TEXT,
            },
            "required": ["confirmed"],
            "oneOf": [{"required": ["value"]}, {"required": ["suffix"]}],
            "additionalProperties": False,
        },
        "issuing_level": {"enum": ["national", "province", "city", "district", "town"]},
        "holder_kinds": {
            "type": "array",
            "items": {"enum": ["organisation", "person"]},
            "minItems": 1,
            "uniqueItems": True,
        },
        "validity": {
            "type": "object",
            "properties": {
                "rule": {"enum": ["open", "years"]},
                "value": {"type": "integer", "minimum": 1, "maximum": 99},
            },
            "required": ["rule"],
            "additionalProperties": False,
        },
        "number": _NUMBER,
        "local_number": _NUMBER,
        "rests_on": {"type": "array", "items": _SLUG, "uniqueItems": True},
        "rests_on_required": {"enum": ["warn", "refuse"]},
        "personal": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "withheld": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "seal": {
            "type": "object",
            "properties": {
                "mask": {"type": "array", "items": {"enum": ["holder_name", "project_name"]}}
            },
            "required": ["mask"],
            "additionalProperties": False,
        },
        "units": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {"unit": {"type": "string"}, "scale": {"type": "integer"}},
                "required": ["unit", "scale"],
                "additionalProperties": False,
            },
        },
        "labels": _TEXTS,
        "face": _TEXTS,
        "legal_text": _TEXT,
    },
    "required": ["slug", "version", "state", "name", "code", "holder_kinds", "validity", "number"],
    "dependentRequired": {"rests_on_required": ["rests_on"]},
    "additionalProperties": False,
}
_TYPE_VALIDATOR = jsonschema_rs.Draft202012Validator(_TYPE_SCHEMA)
_COMMON = frozenset(
    {"number", "local_number", "issuer", "issued_on", "valid_from", "valid_to", "project_code"}
    | {"attachments", "holders", "rests_on", "supersedes", "status", "id"}
)
_FRAME = re.compile(r'^#import "/frame/v[1-9][0-9]*\.typ": \*$', re.MULTILINE)
# What could bring in something that the face's digest does not cover.
_REACHING_OUT = re.compile(r"\b(import|include|eval|plugin|read|json|csv|toml|yaml|xml|cbor)\b")


def load_type(folder: Traversable | Path) -> CertificateType:
    """Read one ``<slug>/v<n>`` folder and check that its files agree.

    Raises: TypeFolderError, naming the file and the contradiction.
    """
    definition = _read(folder, "type.json")
    schema, example = _read(folder, "schema.json"), _read(folder, "example.json")
    problems = [
        f"type.json: {'/'.join(map(str, error.instance_path)) or 'top'}: {error.message}"
        for error in _TYPE_VALIDATOR.iter_errors(definition)
    ]
    problems = problems or _schema_problems(definition, schema)
    problems = problems or _path_problems(definition, schema)
    if problems:
        raise TypeFolderError(f"{folder}: " + "; ".join(problems[:20]))
    return _assemble(definition, schema, example, _read_face(folder))


def _read(folder: Traversable | Path, name: str) -> dict[str, Any]:
    try:
        value = parse_json((folder / name).read_bytes())
    except OSError as error:
        raise TypeFolderError(f"{folder}: {name} is missing") from error
    except EcertError as error:
        raise TypeFolderError(f"{folder}: {name}: {error.message}") from error
    if not isinstance(value, dict):
        raise TypeFolderError(f"{folder}: {name} is not an object")
    return value


def _read_face(folder: Traversable | Path) -> str:
    """Read the printed face; the general one serves a type without its own."""
    place = folder / "face.typ"
    if not place.is_file():
        place = files("ecert") / "catalogue" / "face.typ"
    try:
        face = place.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TypeFolderError(f"{folder}: face.typ cannot be read") from error
    if found := _REACHING_OUT.search(_FRAME.sub("", face)):
        word = found[0]
        raise TypeFolderError(f"{folder}: face.typ: only a frame may be imported, no {word!r}")
    return face


def _schema_problems(definition: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    problems = []
    wanted = f"urn:ecert:type:{definition['slug']}:{definition['version']}"
    if schema.get("$id") != wanted:
        problems.append(f"schema.json: $id should be {wanted}")
    if schema.get("type") != "object" or schema.get("additionalProperties") is not False:
        problems.append("schema.json: fields must be a closed object")
    try:
        compile_schema(schema)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        problems.append(f"schema.json: {str(error).splitlines()[0]}")
    if not isinstance(schema.get("properties"), dict) or not schema["properties"]:
        return [*problems, "schema.json: fields need properties"]
    common = sorted(_COMMON & schema["properties"].keys())
    if common:
        problems.append(f"schema.json: {', '.join(common)} belong to the common record")
    for part in ("number", "local_number"):
        problems += _number_problems(part, definition.get(part))
    if definition["validity"]["rule"] == "years" and "value" not in definition["validity"]:
        problems.append("type.json: validity of years needs a value")
    return problems


def _number_problems(part: str, number: Mapping[str, Any] | None) -> list[str]:
    if number is None:
        return []
    if len(SERIAL.findall(number["template"])) != 1:
        return [f"type.json: {part}: the template needs one serial"]
    rest = re.sub(r"\{(division|year|date|short_name|serial(:\d+)?)\}", "", number["template"])
    if "{" in rest or "}" in rest:
        return [f"type.json: {part}: unknown placeholder in {number['template']}"]
    try:
        re.compile(number.get("pattern", ""))
    except re.error as error:
        return [f"type.json: {part}: pattern: {error}"]
    return []


def _path_problems(definition: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    known = set(_paths(schema))
    return [
        f"type.json: {part}: {path} is not a member of fields"
        for part in ("personal", "withheld", "units", "labels")
        for path in definition.get(part, ())
        if path not in known
    ]


def _paths(schema: Mapping[str, Any], head: str = "") -> list[str]:
    found: list[str] = []
    for name, member in schema.get("properties", {}).items():
        found.append(head + name)
        found += _paths(inner_schema(member, "array", "items"), f"{head}{name}[].")
        if isinstance(member, dict) and member.get("type") == "object":
            found += _paths(member, f"{head}{name}.")
    return found


def _assemble(
    definition: dict[str, Any],
    schema: dict[str, Any],
    example: dict[str, Any],
    face: str,
) -> CertificateType:
    template = b64url(sha256(face.encode()))
    fixed = {name: value for name, value in definition.items() if name != "state"}
    digest = sha256(canonical({"type": fixed, "schema": schema, "template": template}))
    return CertificateType(
        slug=definition["slug"],
        version=definition["version"],
        state=definition["state"],
        name=definition["name"],
        definition=definition,
        schema=schema,
        example=example,
        number=_number(definition["number"]),
        local_number=_number(definition["local_number"]) if "local_number" in definition else None,
        face=face,
        template=template,
        digest=b64url(digest),
    )


def _number(part: Mapping[str, Any]) -> NumberPattern:
    pattern = re.compile(part["pattern"]) if "pattern" in part else None
    return NumberPattern(part["template"], pattern, bool(part.get("strict", False)))
