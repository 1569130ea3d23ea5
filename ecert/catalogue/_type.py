"""One version of a certificate type, as its folder describes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import jsonschema_rs

from ecert._encoding import b64, b64url, canonical, parse_json, sha256
from ecert.catalogue._envelope import compile_draft, compile_schema
from ecert.errors import EcertError, TypeFolderError
from ecert.model import Agency, Validity

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
_SERIAL = re.compile(r"\{serial(?::(\d+))?\}")


@dataclass(frozen=True, slots=True)
class NumberPattern:
    """How a type's printed number is made 编号规则: a template with one serial, and what is accepted."""

    template: str
    pattern: re.Pattern[str] | None
    strict: bool

    def prefix(self, agency: Agency, issued_on: date) -> str:
        """Give the part before the serial: the counter belongs to it."""
        return _parts(self.template, agency, issued_on)[0]

    def make(self, agency: Agency, issued_on: date, serial: int) -> str | None:
        """Write a number; None when the serial no longer fits the width."""
        head, width, tail = _parts(self.template, agency, issued_on)
        digits = str(serial).zfill(width)
        return None if width and len(digits) > width else head + digits + tail

    def is_usable_by(self, agency: Agency) -> bool:
        """Tell whether the agency has all that the template names (its short name may be missing)."""
        return "{short_name}" not in self.template or agency.short_name is not None

    def fits(self, number: str) -> bool:
        """Tell whether a number that an agency brings has an accepted form."""
        return self.pattern is None or bool(self.pattern.fullmatch(number))


@lru_cache(maxsize=4096)
def _parts(template: str, agency: Agency, issued_on: date) -> tuple[str, int, str]:
    """Fill a template in around its serial: what stands before, the width, what stands after."""
    head, width, tail = _SERIAL.split(template)
    return _fill(head, agency, issued_on), int(width or 0), _fill(tail, agency, issued_on)


def _fill(text: str, agency: Agency, issued_on: date) -> str:
    return (
        text.replace("{division}", agency.division)
        .replace("{year}", f"{issued_on.year:04}")
        .replace("{date}", issued_on.strftime("%Y%m%d"))
        .replace("{short_name}", agency.short_name or "")
    )


@dataclass(frozen=True)
class CertificateType:
    """One version of a certificate type 证照类型.

    ``schema`` is the JSON Schema of a draft's ``fields``; ``face`` the typst source of the printed
    form, the general one where the folder has none, and ``template`` its digest; ``digest`` covers
    everything that may not change once it was used.
    """

    slug: str
    version: int
    state: str
    name: Mapping[str, str]
    definition: Mapping[str, Any]
    schema: Mapping[str, Any]
    example: Mapping[str, Any]
    number: NumberPattern
    local_number: NumberPattern | None
    face: str = field(repr=False)
    template: str
    digest: str
    draft_validator: jsonschema_rs.Draft202012Validator = field(repr=False, compare=False)
    fields_validator: jsonschema_rs.Draft202012Validator = field(repr=False, compare=False)
    partial_validator: jsonschema_rs.Draft202012Validator = field(repr=False, compare=False)
    _metadata: dict[str, tuple[bytes, str]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def is_confirmed(self) -> bool:
        """Tell whether the type code is known to be the official one."""
        return bool(self.definition["code"]["confirmed"])

    def code(self, defining_body: str) -> str:
        """Give the 21-character type code; a provisional one is the local body's own + 9xx."""
        code = self.definition["code"]
        return str(code.get("value") or defining_body + code["suffix"])

    def is_code(self, code: str) -> bool:
        """Tell whether a credential's type code can be this type's."""
        own = self.definition["code"]
        return bool(code == own["value"] if "value" in own else code[18:] == own["suffix"])

    @property
    def holder_kinds(self) -> frozenset[str]:
        """Who may hold it: ``organisation``, ``person``."""
        return frozenset(self.definition["holder_kinds"])

    @property
    def may_rest_on(self) -> frozenset[str]:
        """The slugs of the types that a certificate of this type may rest on."""
        return frozenset(self.definition.get("rests_on", ()))

    @property
    def withheld(self) -> frozenset[str]:
        """The members of ``fields`` that no document carries, such as ``parties[].leader_id``."""
        return frozenset(self.definition.get("withheld", ()))

    @property
    def masks(self) -> frozenset[str]:
        """Which names the seal masks: ``holder_name``, ``project_name``."""
        return frozenset(self.definition.get("seal", {}).get("mask", ()))

    @property
    def lists(self) -> Mapping[str, frozenset[str]]:
        """The list-of-objects members of ``fields``, each with its personal members."""
        return self._lists

    def __post_init__(self) -> None:
        personal = [path.split("[].") for path in self.definition.get("personal", ())]
        found = {
            name: frozenset(path[1] for path in personal if path[0] == name and len(path) == 2)
            for name, member in self.schema["properties"].items()
            if _inside(member, "array", "items").get("type") == "object"
        }
        object.__setattr__(self, "_lists", found)

    _lists: Mapping[str, frozenset[str]] = field(init=False, repr=False, compare=False)

    def validity(self, issued_on: date, start: date | None, end: date | None) -> Validity:
        """Apply the validity rule to a draft's dates."""
        first = start or issued_on
        rule = self.definition["validity"]
        if end is None and rule["rule"] == "years":
            end = _years_later(first, rule["value"]) - timedelta(days=1)
        return Validity(first, end)

    def vct(self, base: str) -> str:
        """Give the address that names this type and version in a credential."""
        return f"{base}/types/{self.slug}/v{self.version}"

    def metadata(self, base: str) -> bytes:
        """Give the SD-JWT VC Type Metadata served at ``vct``: canonical JSON that never changes."""
        return self._described(base)[0]

    def integrity(self, base: str) -> str:
        """Give ``vct#integrity``: ``sha256-`` and the base64 digest of the metadata (W3C SRI)."""
        return self._described(base)[1]

    def _described(self, base: str) -> tuple[bytes, str]:
        if base not in self._metadata:
            document = canonical(self._metadata_of(base))
            self._metadata[base] = document, "sha256-" + b64(sha256(document))
        return self._metadata[base]

    def _metadata_of(self, base: str) -> dict[str, Any]:
        fixed = {name: value for name, value in self.definition.items() if name != "state"}
        labels = self.definition.get("labels", {})
        return {
            "vct": self.vct(base),
            "name": self.name["zh"],
            "description": self.name["en"],
            "display": [
                {"locale": "zh-CN", "name": self.name["zh"]},
                {"locale": "en", "name": self.name["en"]},
            ],
            "claims": [_claim(name, labels.get(name)) for name in self.schema["properties"]],
            "ecert": {"type": fixed, "schema": self.schema, "template": self.template},
        }


def _claim(name: str, label: Mapping[str, str] | None) -> dict[str, Any]:
    claim: dict[str, Any] = {"path": ["fields", name], "sd": "always"}
    if label is not None:
        claim["display"] = [
            {"locale": "zh-CN", "label": label["zh"]},
            {"locale": "en", "label": label["en"]},
        ]
    return claim


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, month=3, day=1)


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
    if len(_SERIAL.findall(number["template"])) != 1:
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
        found += _paths(_inside(member, "array", "items"), f"{head}{name}[].")
        if isinstance(member, dict) and member.get("type") == "object":
            found += _paths(member, f"{head}{name}.")
    return found


def _inside(schema: Any, kind: str, keyword: str) -> Mapping[str, Any]:
    """Give a sub-schema of a schema of some kind; empty where there is none (a schema may be true)."""
    inner = schema.get(keyword) if isinstance(schema, dict) and schema.get("type") == kind else None
    return inner if isinstance(inner, dict) else {}


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
        draft_validator=compile_draft(schema),
        fields_validator=compile_schema(schema),
        partial_validator=compile_schema(_without_demands(schema)),
    )


def _number(part: Mapping[str, Any]) -> NumberPattern:
    pattern = re.compile(part["pattern"]) if "pattern" in part else None
    return NumberPattern(part["template"], pattern, bool(part.get("strict", False)))


def _without_demands(schema: Any) -> Any:
    """Drop what an honest partial presentation cannot meet: required members and least counts."""
    if isinstance(schema, list):
        return [_without_demands(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    dropped = {"required", "minItems", "minProperties"}
    kept = {name: _without_demands(item) for name, item in schema.items() if name not in dropped}
    if isinstance(fields := schema.get("properties"), dict):  # names of fields, not keywords
        kept["properties"] = {name: _without_demands(item) for name, item in fields.items()}
    return kept
