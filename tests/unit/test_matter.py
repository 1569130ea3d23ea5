"""Matters: read strictly and whole, kept by version, and nobody else's to change."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecert.catalogue import Catalogue
from ecert.errors import AlreadyExists, EcertError, JsonError, MatterError, NotFound, TooLarge
from ecert.model import Actor, Agency
from ecert.registry import Registry
from ecert.reuse.matter import (
    MAX_MATTER_BYTES,
    MAX_MATTERS,
    Condition,
    Demand,
    Form,
    Matter,
    Owner,
    parse_matter,
    parse_matters,
)
from ecert.samples.district import chain
from tests.conftest import CLERK, CONSTRUCTION, EVERY_TYPE, PLANNING, WORKS, trail_rows

LICENCE = "business-licence"


def option(
    slug: str = LICENCE, *fields: str, conditions: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Write one way in which a material is satisfied."""
    written: dict[str, Any] = {"type": slug, "fields": list(fields or ("holders.name",))}
    return written if conditions is None else {**written, "conditions": conditions}


def material(code: str = "licence", *options: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Write one material."""
    name = {"zh": f"材料{code}", "en": f"material {code}"}
    satisfied = list(options or (option(),))
    plain = {"code": code, "name": name, "owner": "organisation", "satisfied_by": satisfied}
    return {**plain, **members}


def matter(code: str = "HD-T-1", *materials: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Write one matter of the planning agency."""
    plain: dict[str, Any] = {
        "code": code,
        "version": 1,
        "name": {"zh": "测试事项", "en": "a matter to test with"},
        "agency": PLANNING.code,
        "materials": list(materials or (material(),)),
    }
    return {**plain, **members}


def written(*matters: dict[str, Any]) -> bytes:
    """Write a file of matters."""
    return json.dumps({"matters": matters}, ensure_ascii=False).encode()


def faults(catalogue: Catalogue, value: Any) -> set[tuple[str, str]]:
    """Name what is wrong with a matter: pointer and rule."""
    with pytest.raises(MatterError) as refused:
        parse_matter(value, catalogue)
    return {(fault.pointer, fault.rule) for fault in refused.value.errors}


# -- reading -----------------------------------------------------------------------------------------


def test_everything_that_is_written_is_read(catalogue: Catalogue) -> None:
    conditions: list[dict[str, Any]] = [
        {"kind": "same_project"},
        {"kind": "in_force_for_days", "days": 30},
        {"kind": "field_in", "field": "fields.kind", "values": ["甲", 1, True]},
    ]
    chosen = option(LICENCE, "holders.name", "fields.kind", conditions=conditions)
    members: dict[str, Any] = {
        "owner": "project",
        "situations": ["new"],
        "may_follow_days": 20,
        "accepts_paper": False,
        "form": "copy",
    }
    value = matter(
        "HD-T-1",
        material("licence", chosen, **members),
        material("form", satisfied_by=[]),
        situations=[{"code": "new", "name": {"zh": "新办", "en": "new"}}],
        issues=[WORKS],
        promised_days=7,
    )
    read = parse_matter(value, catalogue)
    assert (read.code, read.version, read.agency) == ("HD-T-1", 1, PLANNING.code)
    assert (read.issues, read.promised_days, set(read.situations)) == ((WORKS,), 7, {"new"})
    first, second = read.materials
    assert (first.owner, first.form, first.may_follow_days) == (Owner.PROJECT, Form.COPY, 20)
    assert (first.situations, first.accepts_paper) == (frozenset({"new"}), False)
    assert first.options[0].demands == (
        Demand(Condition.SAME_PROJECT),
        Demand(Condition.IN_FORCE_FOR, days=30),
        Demand(Condition.FIELD_IN, field="fields.kind", values=("甲", 1, True)),
    )
    assert (second.options, second.accepts_paper, second.form) == ((), True, Form.ORIGINAL)
    assert (second.is_needed(None), first.is_needed(None), first.is_needed("new")) == (
        True,
        False,
        True,
    )
    assert read.slugs == {LICENCE}
    assert read.material("form") is second
    assert read.material("nothing") is None
    assert read.to_json() == value


def test_the_shipped_chain_is_read(catalogue: Catalogue) -> None:
    assert len(parse_matters(chain(), catalogue)) > 5


@pytest.mark.parametrize("name", ["code", "version", "name", "agency", "materials"])
def test_what_is_required_is_missed(catalogue: Catalogue, name: str) -> None:
    value = matter()
    del value[name]
    assert {rule for _, rule in faults(catalogue, value)} == {"required"}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"code": ""}, "/code"),
        ({"code": "a b"}, "/code"),
        ({"code": "x" * 65}, "/code"),
        ({"code": "a\n"}, "/code"),
        ({"version": 0}, "/version"),
        ({"version": 10_000}, "/version"),
        ({"version": True}, "/version"),
        ({"version": "1"}, "/version"),
        ({"version": 1.5}, "/version"),
        ({"name": {"zh": "事项"}}, "/name"),
        ({"name": {"zh": "", "en": "x"}}, "/name/zh"),
        ({"name": {"zh": "事", "en": "x" * 201}}, "/name/en"),
        ({"agency": PLANNING.code.lower()}, "/agency"),
        ({"promised_days": 0}, "/promised_days"),
        ({"issues": [WORKS, WORKS]}, "/issues"),
        ({"issues": ["../etc"]}, "/issues/0"),
        ({"materials": [material(f"m{n}") for n in range(101)]}, "/materials"),
        ({"colour": "red"}, ""),
        ({"materials": [material(owner="dog")]}, "/materials/0/owner"),
        ({"materials": [material(may_follow_days=367)]}, "/materials/0/may_follow_days"),
        ({"materials": [material(form="fax")]}, "/materials/0/form"),
        ({"materials": [material("Big")]}, "/materials/0/code"),
        (
            {"materials": [material("m", option(LICENCE, "holders"))]},
            "/materials/0/satisfied_by/0/fields/0",
        ),
        (
            {"materials": [material("m", option(LICENCE, "holders.name", "holders.name"))]},
            "/materials/0/satisfied_by/0/fields",
        ),
        (
            {"materials": [material("m", option(conditions=[{"kind": "in_force_for_days"}]))]},
            "/materials/0/satisfied_by/0/conditions/0",
        ),
        (
            {
                "materials": [
                    material("m", option(conditions=[{"kind": "same_project", "days": 1}]))
                ]
            },
            "/materials/0/satisfied_by/0/conditions/0",
        ),
    ],
)
def test_what_breaks_the_schema_is_refused_where_it_stands(
    catalogue: Catalogue, change: dict[str, Any], pointer: str
) -> None:
    assert pointer in {place for place, _ in faults(catalogue, matter(**change))}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (matter(agency=PLANNING.code[:-1] + "0"), ("/agency", "credit_code")),
        (matter("M", material("a"), material("a")), ("/materials/1/code", "unique")),
        (matter("M", material("a", situations=["new"])), ("/materials/0/situations", "situation")),
        (
            matter("M", material("a", option("no-such-type"))),
            ("/materials/0/satisfied_by/0/type", "type"),
        ),
        (
            matter("M", material("a", option(LICENCE, "fields.shoe_size"))),
            ("/materials/0/satisfied_by/0/fields/0", "field"),
        ),
        (matter(issues=["no-such-type"]), ("/issues", "type")),
        (matter(name={"zh": "两\n行", "en": "x"}), ("/name/zh", "line")),
        (
            matter("M", material("a", name={"zh": "\u202e反", "en": "x"})),
            ("/materials/0/name/zh", "line"),
        ),
        (
            matter(
                "M",
                material(
                    "a",
                    option(
                        conditions=[{"kind": "field_in", "field": "fields.kind", "values": ["甲"]}]
                    ),
                ),
            ),
            ("/materials/0/satisfied_by/0/conditions/0/field", "field"),
        ),
    ],
)
def test_what_contradicts_itself_is_refused(
    catalogue: Catalogue, value: dict[str, Any], fault: tuple[str, str]
) -> None:
    assert fault in faults(catalogue, value)


def test_a_type_stands_once_in_a_material(catalogue: Catalogue) -> None:
    """Of two the last one's conditions and fields would silently count alone."""
    lasting = [{"kind": "in_force_for_days", "days": 30}]
    value = matter("M", material("a", option(conditions=lasting), option()))
    assert faults(catalogue, value)


def test_a_condition_can_be_fulfilled(catalogue: Catalogue) -> None:
    """Of a list nothing is compared, so a condition on one would never hold."""
    never = [{"kind": "field_in", "field": "holders.name", "values": ["甲"]}]
    assert faults(catalogue, matter("M", material("a", option(conditions=never))))


def test_a_situation_stands_once(catalogue: Catalogue) -> None:
    twice = [{"code": "new", "name": {"zh": zh, "en": "new"}} for zh in ("新办", "变更")]
    assert faults(catalogue, matter(situations=twice))


def test_a_situation_is_named_in_one_line(catalogue: Catalogue) -> None:
    situations = [{"code": "new", "name": {"zh": "两\n行", "en": "new"}}]
    assert faults(catalogue, matter(situations=situations))


def test_faults_of_a_batch_say_which_matter(catalogue: Catalogue) -> None:
    with pytest.raises(MatterError) as refused:
        parse_matters(written(matter(), matter("M", version=0)), catalogue)
    assert {fault.pointer for fault in refused.value.errors} == {"/matters/1/version"}
    with pytest.raises(MatterError) as refused:
        parse_matters(written(matter(), matter("M", issues=["no-such-type"])), catalogue)
    assert {fault.pointer for fault in refused.value.errors} == {"/matters/1/issues"}


def test_one_file_has_so_many_matters_and_bytes(catalogue: Catalogue) -> None:
    many = [matter(f"M-{number}") for number in range(MAX_MATTERS)]
    assert len(parse_matters(written(*many), catalogue)) == MAX_MATTERS
    with pytest.raises(MatterError, match="at most"):
        parse_matters(written(*many, matter()), catalogue)
    with pytest.raises(TooLarge):
        parse_matters(b" " * MAX_MATTER_BYTES + b"{}", catalogue)
    with pytest.raises(MatterError, match="list"):
        parse_matters(b'{"matters": {}}', catalogue)
    assert parse_matters(b'{"matters": []}', catalogue) == []


def test_a_version_stands_once_in_a_file(catalogue: Catalogue) -> None:
    with pytest.raises(MatterError, match="twice"):
        parse_matters(written(matter(), matter()), catalogue)
    read = parse_matters(written(matter(), matter(version=2)), catalogue)
    assert [one.version for one in read] == [1, 2]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b"\xff\xfe",
        b'{"code": "a", "code": "b"}',
        b'{"version": NaN}',
        b'{"version": 1e999}',
        b'{"version": ' + b"9" * 5000 + b"}",
        b'{"name": "\\ud800"}',
    ],
)
def test_only_strict_json_is_read(catalogue: Catalogue, data: bytes) -> None:
    with pytest.raises(JsonError):
        parse_matters(data, catalogue)


def test_json_is_read_only_so_deep(catalogue: Catalogue) -> None:
    with pytest.raises(EcertError, match="deep"):
        parse_matters(b"[" * 100_000, catalogue)


@pytest.mark.parametrize("data", [b"[]", b"null", b"1", b'"matters"', b'{"matters": [1]}', b"{}"])
def test_what_is_no_matter_is_refused(catalogue: Catalogue, data: bytes) -> None:
    with pytest.raises(MatterError):
        parse_matters(data, catalogue)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.data())
def test_whatever_is_put_in_is_read_or_refused(catalogue: Catalogue, data: st.DataObject) -> None:
    """No other exception ever: a department's mistake is never our fault."""
    value = matter("M", material("a", option(conditions=[{"kind": "same_project"}])))
    place: Any = value
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(list(keys)))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(json_values)
            break
        place = place[key]
    with suppress(MatterError):
        assert isinstance(parse_matter(value, catalogue), Matter)


# -- keeping -----------------------------------------------------------------------------------------


def test_the_same_words_again_change_nothing(registry: Registry) -> None:
    ((first, new),) = registry.matters.add(written(matter()), by=CLERK)
    assert new
    other_order = json.dumps(dict(reversed(matter().items())), indent=3, ensure_ascii=True)
    ((second, new),) = registry.matters.add(other_order.encode(), by=CLERK)
    assert not new
    assert first.digest == second.digest
    assert registry.matters.get("HD-T-1", by=CLERK) == first


def test_other_words_under_the_same_version_change_nothing_at_all(registry: Registry) -> None:
    registry.matters.add(written(matter()), by=CLERK)
    other = matter(name={"zh": "别的", "en": "another"})
    with pytest.raises(AlreadyExists, match="HD-T-1"):
        registry.matters.add(written(matter("NEW-1"), other, matter("NEW-2")), by=CLERK)
    with pytest.raises(NotFound):
        registry.matters.get("NEW-1", by=CLERK)
    assert registry.matters.get("HD-T-1", by=CLERK).name["zh"] == "测试事项"
    assert trail_rows(registry, limit=1000)[-1]["outcome"] == "already_exists"


def test_a_matter_needs_an_agency_or_nothing_is_added(registry: Registry) -> None:
    unknown = matter("NEW-2", agency=CONSTRUCTION.code)
    with pytest.raises(NotFound, match="NEW-2"):
        registry.matters.add(written(matter("NEW-1"), unknown), by=CLERK)
    assert registry.matters.all(by=CLERK) == ([], None)


def test_the_newest_version_counts_and_older_ones_stay(registry: Registry) -> None:
    newer = matter(version=10, name={"zh": "新", "en": "new"})
    for one in (newer, matter(version=2)):
        registry.matters.add(written(one), by=CLERK)
    assert registry.matters.get("HD-T-1", by=CLERK).version == 10
    assert registry.matters.get("HD-T-1", by=CLERK, version=2).version == 2
    listed, cursor = registry.matters.all(by=CLERK)
    assert ([one.version for one in listed], cursor) == ([10], None)
    with pytest.raises(NotFound):
        registry.matters.get("HD-T-1", by=CLERK, version=3)


def test_matters_are_listed_in_pages(any_registry: Registry) -> None:
    codes = ["A-1", "B-1", "a-1", "b-1"]
    any_registry.matters.add(written(*map(matter, codes)), by=CLERK)
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page, cursor = any_registry.matters.all(by=CLERK, after=cursor, limit=1)
        found += [one.code for one in page]
    assert sorted(found) == sorted(codes)
    assert len(found) == len(codes)


def manager(agency: str) -> Actor:
    """Let a client manage the matters of its agency."""
    return Actor("系统", agency, "client", scopes=frozenset({"matters:manage"}))


@pytest.fixture
def two(registry: Registry) -> Registry:
    registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=EVERY_TYPE)
    return registry


def test_a_client_adds_matters_of_its_own_agency_and_those_below(two: Registry) -> None:
    below = Agency("11440114MA0000094E", "花都区示例站（演示）", "440114", CONSTRUCTION.code)
    two.agencies.add(below, by=CLERK, may_issue=EVERY_TYPE)
    by = manager(CONSTRUCTION.code)
    two.matters.add(written(matter(agency=CONSTRUCTION.code)), by=by)
    two.matters.add(written(matter("B", agency=below.code)), by=by)
    with pytest.raises(NotFound):
        two.matters.add(written(matter("C")), by=by)
    with pytest.raises(NotFound):
        two.matters.add(written(matter("D", agency=CONSTRUCTION.code)), by=manager("x"))


def test_nobody_takes_over_the_code_of_anothers_matter(two: Registry) -> None:
    """Sharing rules name matters by code: a newer version is whoever's it says it is."""
    two.matters.add(written(matter()), by=CLERK)
    taken = matter(version=2, agency=CONSTRUCTION.code)
    with pytest.raises(EcertError):
        two.matters.add(written(taken), by=manager(CONSTRUCTION.code))
    assert two.matters.get("HD-T-1", by=CLERK).agency == PLANNING.code


Show = Callable[[Registry, Actor], Any]


@pytest.mark.parametrize(
    "show",
    [
        lambda registry, by: registry.matters.get("HD-T-1", by=by),
        lambda registry, by: registry.matters.get("HD-T-1", by=by, version=1),
        lambda registry, by: registry.matters.graph("HD-T-1", by=by),
    ],
    ids=["newest", "version", "graph"],
)
def test_a_matter_that_is_not_ones_own_looks_like_none(two: Registry, show: Show) -> None:
    two.matters.add(written(matter()), by=CLERK)
    with pytest.raises(NotFound):
        show(two, manager(CONSTRUCTION.code))
