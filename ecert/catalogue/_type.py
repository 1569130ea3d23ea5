"""One version of a certificate type, as its folder describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import jsonschema_rs

from ecert._encoding import b64, canonical, sha256
from ecert.catalogue._envelope import compile_draft, compile_schema
from ecert.catalogue._number import NumberPattern
from ecert.model import Validity


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
    _metadata: dict[str, tuple[bytes, str]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def draft_validator(self) -> jsonschema_rs.Draft202012Validator:
        """What checks a whole draft."""
        return compile_draft(self.schema)

    @cached_property
    def fields_validator(self) -> jsonschema_rs.Draft202012Validator:
        """What checks the fields of a certificate."""
        return compile_schema(self.schema)

    @cached_property
    def partial_validator(self) -> jsonschema_rs.Draft202012Validator:
        """What checks the fields of a presentation, some of them left out."""
        return compile_schema(_without_demands(self.schema))

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
    def rests_on_required(self) -> str | None:
        """What becomes of a draft that rests on nothing: ``warn``, ``refuse``, or None."""
        return self.definition.get("rests_on_required")

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
            if inner_schema(member, "array", "items").get("type") == "object"
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


def inner_schema(schema: Any, kind: str, keyword: str) -> Mapping[str, Any]:
    """Give a sub-schema of a schema of some kind; empty where there is none (a schema may be true)."""
    inner = schema.get(keyword) if isinstance(schema, dict) and schema.get("type") == kind else None
    return inner if isinstance(inner, dict) else {}


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
