"""A matter 事项: what people apply for, and which materials 材料 it asks for. Matters are data.

A material says which certificate types satisfy it, under which conditions, and which fields of them
the clerk needs; nothing else leaves the registry. An input and output row per matter, as approval
systems in use keep them (domain notes §3.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from itertools import islice
from typing import Any

import jsonschema_rs

from ecert._encoding import canonical_plain, parse_json, parse_signed_json, sha256
from ecert.catalogue import Catalogue
from ecert.errors import EcertError, FieldError, MatterError, NotFound
from ecert.ids import check_credit_code
from ecert.model import is_line
from ecert.store import Reading, matters

MAX_MATTERS = 2000  # of one file
MAX_CODE = 64
MAX_FAULTS = 50
MAX_MATTER_BYTES = 32 << 20
_COMMON = frozenset({"holders.name", "holders.code", "attachments.name"})
_LISTED = frozenset({"fields", "holders", "attachments"})


class Owner(StrEnum):
    """Whose a material is: it decides by what its certificates are looked up."""

    PERSON = "person"
    ORGANISATION = "organisation"
    PROJECT = "project"


class Form(StrEnum):
    """Whether the original's data or an annotated copy 加注件 is wanted."""

    ORIGINAL = "original"
    COPY = "copy"


class Condition(StrEnum):
    """What a certificate must also fulfil to satisfy a material."""

    SAME_PROJECT = "same_project"  # its project is the one applied for
    IN_FORCE_FOR = "in_force_for_days"  # it stays in force for so many days more
    FIELD_IN = "field_in"  # one of its fields has one of some values


@dataclass(frozen=True, slots=True)
class Demand:
    """One condition on a certificate; ``days`` or ``field`` and ``values`` as its kind needs."""

    kind: Condition
    days: int = 0
    field: str = ""
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """One type that satisfies a material, the fields of it that are needed, and on what conditions."""

    slug: str
    fields: tuple[str, ...]
    demands: tuple[Demand, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """One thing that a matter asks for 申请材料.

    ``situations`` empty: always needed; otherwise only in those situations 情形. ``may_follow_days``: it may
    be handed in so many days later 容缺. ``accepts_paper``: the applicant may still bring paper.
    """

    code: str
    name: Mapping[str, str]
    owner: Owner
    options: tuple[Option, ...]
    situations: frozenset[str] = frozenset()
    may_follow_days: int | None = None
    accepts_paper: bool = True
    form: Form = Form.ORIGINAL

    def is_needed(self, situation: str | None) -> bool:
        """Tell whether the material is asked for in a situation."""
        return not self.situations or situation in self.situations


@dataclass(frozen=True, slots=True)
class Matter:
    """One version of a matter; ``definition`` is its JSON, ``issues`` the types it results in."""

    code: str
    version: int
    name: Mapping[str, str]
    agency: str
    issues: tuple[str, ...]
    situations: Mapping[str, Mapping[str, str]]
    materials: tuple[Material, ...]
    promised_days: int | None
    definition: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def slugs(self) -> frozenset[str]:
        """Every type that satisfies some material."""
        return frozenset(option.slug for one in self.materials for option in one.options)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical definition: a version that was added never changes."""
        return sha256(canonical_plain(dict(self.definition)))

    def material(self, code: str) -> Material | None:
        """Find a material by its code."""
        return next((one for one in self.materials if one.code == code), None)

    def to_json(self) -> dict[str, Any]:
        """Give the matter as it was written."""
        return dict(self.definition)


def matter_schema() -> dict[str, Any]:
    """Give the JSON Schema of a matter (2020-12)."""
    data = files("ecert.reuse").joinpath("matter.schema.json").read_bytes()
    schema: dict[str, Any] = parse_json(data)
    return schema


@lru_cache(maxsize=1)
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(matter_schema())


def parse_matters(data: bytes, catalogue: Catalogue) -> list[Matter]:
    """Read a file of one matter, or of ``{"matters": […]}``, checking each whole.

    Raises: MatterError with everything that is wrong, JsonError, TooLarge.
    """
    value = parse_json(data, max_bytes=MAX_MATTER_BYTES)
    is_batch = isinstance(value, dict) and value.keys() == {"matters"}
    items = value["matters"] if is_batch else [value]
    if not isinstance(items, list) or len(items) > MAX_MATTERS:
        raise MatterError(f"matters is a list of at most {MAX_MATTERS}")
    parsed = [
        parse_matter(item, catalogue, at=f"/matters/{place}" if is_batch else "")
        for place, item in enumerate(items)
    ]
    seen = [(one.code, one.version) for one in parsed]
    if len(set(seen)) != len(seen):
        raise MatterError("a matter's version stands twice in the file")
    return parsed


def parse_matter(value: Any, catalogue: Catalogue | None, *, at: str = "") -> Matter:
    """Read one matter; with a catalogue, check that its types and fields exist.

    Raises: MatterError, its pointers beginning at ``at``.
    """
    faults = [
        FieldError(
            at + "".join(f"/{part}" for part in error.instance_path),
            str(error.kind.name),
            "不符合事项的结构",
            str(error.kind.name),
        )
        for error in islice(_validator().iter_errors(value), MAX_FAULTS)
    ]
    _refuse(faults)
    matter = _matter(value)
    _refuse(list(_contradictions(matter, catalogue, at)))
    return matter


NO_MATTER = "there is no such matter, or nothing of it is yours to ask"


def find_matter(reading: Reading, code: str, version: int | None = None) -> Matter:
    """Find a matter in the store, its newest version unless told. Raises: NotFound."""
    found = None
    if len(code) <= MAX_CODE:
        found = (
            matters.newest(reading, code)
            if version is None
            else matters.version(reading, code, version)
        )
    if found is None:
        raise NotFound(NO_MATTER)
    return read_matter(found)


@lru_cache(maxsize=2000)  # a stored definition never changes, and a checklist reads it each time
def read_matter(definition: bytes) -> Matter:
    """Read a definition as it was stored."""
    return parse_matter(parse_signed_json(definition), None)


def _refuse(faults: list[FieldError]) -> None:
    if faults:
        first = faults[0]
        raise MatterError(
            f"the matter cannot be used: {first.pointer or '/'}: {first.en}",
            errors=faults[:MAX_FAULTS],
        )


def _matter(value: Mapping[str, Any]) -> Matter:
    return Matter(
        code=value["code"],
        version=value["version"],
        name=value["name"],
        agency=value["agency"],
        issues=tuple(value.get("issues", ())),
        situations={one["code"]: one["name"] for one in value.get("situations", ())},
        materials=tuple(map(_material, value["materials"])),
        promised_days=value.get("promised_days"),
        definition=value,
    )


def _material(value: Mapping[str, Any]) -> Material:
    return Material(
        code=value["code"],
        name=value["name"],
        owner=Owner(value["owner"]),
        options=tuple(map(_option, value["satisfied_by"])),
        situations=frozenset(value.get("situations", ())),
        may_follow_days=value.get("may_follow_days"),
        accepts_paper=value.get("accepts_paper", True),
        form=Form(value.get("form", Form.ORIGINAL)),
    )


def _option(value: Mapping[str, Any]) -> Option:
    return Option(
        slug=value["type"],
        fields=tuple(value["fields"]),
        demands=tuple(map(_demand, value.get("conditions", ()))),
    )


def _demand(value: Mapping[str, Any]) -> Demand:
    return Demand(
        Condition(value["kind"]),
        days=value.get("days", 0),
        field=value.get("field", ""),
        values=tuple(value.get("values", ())),
    )


# -- what the schema cannot say ---------------------------------------------------------------------


def _contradictions(matter: Matter, catalogue: Catalogue | None, at: str) -> Iterator[FieldError]:
    try:
        check_credit_code(matter.agency)
    except EcertError as error:
        yield FieldError(f"{at}/agency", "credit_code", "机构代码有误", error.message)
    yield from _material_faults(matter, catalogue, at)
    if len(matter.situations) != len(matter.definition.get("situations", ())):
        yield FieldError(f"{at}/situations", "unique", "情形编码重复", "a situation stands twice")
    for slug in matter.issues:
        if catalogue is not None and slug not in _slugs(catalogue):
            yield FieldError(f"{at}/issues", "type", "没有这个证照类型", "no such type")
    for where, text in _texts(matter, at):
        if not is_line(text, 200):
            yield FieldError(where, "line", "应为一行文字", "one line of at most 200 characters")


def _material_faults(matter: Matter, catalogue: Catalogue | None, at: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for place, material in enumerate(matter.materials):
        here = f"{at}/materials/{place}"
        if material.code in seen:
            yield FieldError(f"{here}/code", "unique", "材料编码重复", "the code stands twice")
        seen.add(material.code)
        slugs = [option.slug for option in material.options]
        if len(set(slugs)) != len(slugs):
            words = "a type stands twice in one material"
            yield FieldError(f"{here}/satisfied_by", "unique", "证照类型重复", words)
        if unknown := material.situations - matter.situations.keys():
            words = f"no such situation: {', '.join(sorted(unknown))}"
            yield FieldError(f"{here}/situations", "situation", "没有这种情形", words)
        for number, option in enumerate(material.options):
            yield from _option_faults(option, catalogue, f"{here}/satisfied_by/{number}")


def _texts(matter: Matter, at: str) -> Iterator[tuple[str, str]]:
    for language, text in matter.name.items():
        yield f"{at}/name/{language}", text
    for code, name in matter.situations.items():
        for language, text in name.items():
            yield f"{at}/situations/{code}/name/{language}", text
    for place, material in enumerate(matter.materials):
        for language, text in material.name.items():
            yield f"{at}/materials/{place}/name/{language}", text


def _slugs(catalogue: Catalogue) -> set[str]:
    return {kind.slug for kind in catalogue}


def _option_faults(option: Option, catalogue: Catalogue | None, here: str) -> Iterator[FieldError]:
    if catalogue is None:
        return
    if option.slug not in _slugs(catalogue):
        yield FieldError(f"{here}/type", "type", "没有这个证照类型", "no such type")
        return
    known = field_names(catalogue, option.slug)
    for place, name in enumerate(option.fields):
        if name not in known:
            words = f"the type {option.slug} has no field {name}"
            yield FieldError(f"{here}/fields/{place}", "field", "该类型没有这个字段", words)
    lists = catalogue.newest(option.slug).lists
    for place, demand in enumerate(option.demands):
        where = f"{here}/conditions/{place}/field"
        if demand.kind is not Condition.FIELD_IN:
            continue
        if demand.field not in option.fields:
            words = "a condition looks only at a field that is needed anyway"
            yield FieldError(where, "field", "条件只能针对所需字段", words)
        head, _, rest = demand.field.partition(".")
        if head != "fields" or rest.partition(".")[0] in lists:
            words = "a condition cannot look into a list"
            yield FieldError(where, "list", "条件不能针对列表", words)


def field_names(catalogue: Catalogue, slug: str) -> frozenset[str]:
    """Name all that can be disclosed of a type's newest version: ``fields.land_use``, ``holders.name``.

    Raises: NotFound for an unknown type.
    """
    kind = catalogue.newest(slug)
    names = {f"fields.{name}" for name in kind.schema["properties"]}
    inner = {
        f"fields.{name}.{member}" for name, personal in kind.lists.items() for member in personal
    }
    return frozenset(names | inner | _COMMON)
