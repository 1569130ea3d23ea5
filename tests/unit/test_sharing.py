"""Sharing rules: the nearest decides, nothing is shared by default, and no field slips through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecert.errors import FieldNotAllowed, NotFound
from ecert.ledger.access import below, lineage
from ecert.ledger.rules import Mode, nearest_rule
from ecert.model import Agency
from ecert.reuse.matter import Condition, Demand, Material, Matter, Option, Owner
from ecert.reuse.sharing import Access, Permissions, permit, rule_json
from ecert.store import GrantRow, RuleRow

TODAY = date(2026, 3, 2)
LINE = ("village", "town", "district")
FIELDS = ("fields.kind", "fields.use", "holders.name")


def rule(name: str = "R", **members: Any) -> RuleRow:
    """Make a rule that opens licences to the town for every matter."""
    plain = RuleRow(
        id=name,
        slug="licence",
        agency="town",
        matter=None,
        mode=Mode.UNCONDITIONAL.value,
        fields=(),
        legal_basis="法",
        daily_quota=None,
        valid_from=None,
        valid_to=None,
        ended_at=None,
        created_at=0,
    )
    return replace(plain, **members)


def grant(**fields: Sequence[str]) -> GrantRow:
    """Make a grant for some materials."""
    return GrantRow(
        id="G",
        request="Q",
        agency="town",
        matter="M",
        version=1,
        situation=None,
        fields=fields,
        holder_hmac=b"h",
        way="id_token",
        delegation=None,
        created_at=0,
        expires_at=1,
    )


def matter(*options: Option) -> Matter:
    """Make a matter whose one material asks for all fields of a licence."""
    names = {"zh": "料", "en": "m"}
    chosen = options or (Option("licence", FIELDS),)
    material = Material("m", names, Owner.ORGANISATION, chosen)
    return Matter("M", 1, names, "town", (), {}, (material,), None, {})


def permitted(
    *rules: RuleRow,
    given_by: GrantRow | None = None,
    asked: dict[str, Sequence[str]] | None = None,
    one: Matter | None = None,
) -> Permissions:
    return permit(one or matter(), Access(rules, LINE, given_by, TODAY), asked)


# -- the nearest rule ------------------------------------------------------------------------------------


NEAREST_FIRST = [
    rule("own, this matter", agency="village", matter="M"),
    rule("above, this matter", agency="town", matter="M"),
    rule("far above, this matter", agency="district", matter="M"),
    rule("own, all matters", agency="village"),
    rule("above, all matters", agency="town"),
    rule("far above, all matters", agency="district"),
]


@pytest.mark.parametrize("place", range(len(NEAREST_FIRST)))
def test_the_matter_comes_before_the_tier(place: int) -> None:
    farther = [
        replace(one, mode=Mode.NOT_SHARED.value, created_at=9) for one in NEAREST_FIRST[place + 1 :]
    ]
    rules = [*farther, NEAREST_FIRST[place]]
    for listed in (rules, rules[::-1]):
        assert nearest_rule(listed, "licence", "M", LINE, TODAY) == NEAREST_FIRST[place]


@pytest.mark.parametrize(
    "other",
    [
        {"slug": "permit"},
        {"agency": "neighbour"},
        {"matter": "N"},
        {"valid_from": "2026-03-03"},
        {"valid_to": "2026-03-01"},
    ],
)
def test_a_rule_for_something_else_does_not_count(other: dict[str, Any]) -> None:
    assert nearest_rule([rule(**other)], "licence", "M", LINE, TODAY) is None


def test_of_equally_near_ones_the_stricter_counts_then_the_newer() -> None:
    modes = (Mode.UNCONDITIONAL, Mode.CONDITIONAL, Mode.NOT_SHARED)
    rules = [rule(mode, mode=mode.value, created_at=9 - n) for n, mode in enumerate(modes)]
    for count in (1, 2, 3):
        found = nearest_rule(rules[:count], "licence", "M", LINE, TODAY)
        assert found is not None
        assert found.mode == modes[count - 1]
    newer = [rule("a", created_at=1), rule("b", created_at=2), rule("c", created_at=2)]
    for listed in (newer, newer[::-1]):
        found = nearest_rule(listed, "licence", "M", LINE, TODAY)
        assert found is not None
        assert found.id == "c"


@given(st.none() | st.integers(-3, 3), st.none() | st.integers(-3, 3))
def test_both_ends_of_a_rule_s_time_are_included(first: int | None, last: int | None) -> None:
    def day(number: int | None) -> str | None:
        return None if number is None else str(TODAY + timedelta(days=number))

    one = rule(valid_from=day(first), valid_to=day(last))
    counts = (first is None or first <= 0) and (last is None or last >= 0)
    assert (nearest_rule([one], "licence", "M", LINE, TODAY) is not None) == counts


rules = st.builds(
    lambda name, agency, matter_code, mode, fields, at: rule(
        name, agency=agency, matter=matter_code, mode=mode.value, fields=fields, created_at=at
    ),
    st.text("ABC", min_size=1, max_size=3),
    st.sampled_from(LINE),
    st.sampled_from([None, "M"]),
    st.sampled_from(Mode),
    st.sets(st.sampled_from(FIELDS)).map(lambda names: tuple(sorted(names))),
    st.integers(0, 5),
)
grants = st.none() | st.builds(
    lambda names: grant(m=sorted(names)), st.sets(st.sampled_from(FIELDS))
)
wishes = st.none() | st.builds(
    lambda names: {"m": sorted(names)}, st.sets(st.sampled_from(FIELDS), min_size=1)
)


def opened(
    listed: Sequence[RuleRow], given_by: GrantRow | None, asked: dict[str, Sequence[str]] | None
) -> set[str]:
    """Name the fields that may be had; none where it is refused."""
    try:
        found = permitted(*listed, given_by=given_by, asked=asked)
    except (NotFound, FieldNotAllowed):
        return set()
    return set(found["m", "licence"].fields)


@given(st.lists(rules, max_size=4), grants, wishes)
def test_nothing_is_opened_that_neither_rule_nor_grant_opens(
    listed: list[RuleRow], given_by: GrantRow | None, asked: dict[str, Sequence[str]] | None
) -> None:
    found = opened(listed, given_by, asked)
    nearest = nearest_rule(listed, "licence", "M", LINE, TODAY)
    allowed = set(FIELDS if nearest is None else nearest.fields or FIELDS)
    if nearest is None or nearest.mode == Mode.CONDITIONAL:
        allowed &= set() if given_by is None else set(given_by.fields["m"])
    elif nearest.mode == Mode.NOT_SHARED:
        allowed = set()
    wanted = set(FIELDS if asked is None else asked["m"])
    assert found <= allowed & wanted
    assert found == (wanted if wanted <= allowed else set())


@given(st.lists(rules, max_size=4), rules, st.sampled_from(Mode), grants)
def test_a_stricter_rule_as_near_never_opens_more(
    listed: list[RuleRow], one: RuleRow, mode: Mode, given_by: GrantRow | None
) -> None:
    strictness = list(Mode)
    if strictness.index(mode) <= strictness.index(Mode(one.mode)):
        return
    stricter = replace(one, id=one.id + "-", mode=mode.value, created_at=one.created_at + 1)
    before = opened([*listed, one], given_by, None)
    assert opened([*listed, one, stricter], given_by, None) <= before


@given(st.lists(rules, max_size=4), rules, wishes)
def test_what_is_not_shared_is_not_shared_whatever_the_holder_says(
    listed: list[RuleRow], one: RuleRow, asked: dict[str, Sequence[str]] | None
) -> None:
    never = replace(one, agency=LINE[0], matter="M", mode=Mode.NOT_SHARED.value)
    assert opened([*listed, never], grant(m=FIELDS), asked) == set()


# -- permission ------------------------------------------------------------------------------------------


def test_the_basis_is_what_opened_it() -> None:
    (by_rule,) = permitted(rule()).values()
    assert by_rule.to_json() == {"rule": "R", "legal_basis": "法"}
    (by_grant,) = permitted(given_by=grant(m=FIELDS)).values()
    assert by_grant.to_json() == {"grant": "G"}
    conditional = rule(mode=Mode.CONDITIONAL.value)
    (by_both,) = permitted(conditional, given_by=grant(m=FIELDS)).values()
    assert by_both.to_json() == {"rule": "R", "legal_basis": "法", "grant": "G"}
    (of_the_rule,) = permitted(rule(), given_by=grant(m=FIELDS)).values()
    assert of_the_rule.to_json() == {"rule": "R", "legal_basis": "法"}


def test_without_anything_opened_there_is_no_matter() -> None:
    for listed in ((), (rule(mode=Mode.CONDITIONAL.value),), (rule(mode=Mode.NOT_SHARED.value),)):
        with pytest.raises(NotFound) as refused:
            permitted(*listed)
        assert refused.value.message == "there is no such matter, or nothing of it is yours to ask"
    with pytest.raises(NotFound):
        permitted(given_by=grant(other=FIELDS))


@pytest.mark.parametrize(
    "asked", [{"m": ["fields.salary"]}, {"m": [*FIELDS, "x.y"]}, {"unknown": ["holders.name"]}]
)
def test_nobody_asks_for_more_than_the_matter_needs(asked: dict[str, Sequence[str]]) -> None:
    with pytest.raises(FieldNotAllowed):
        permitted(rule(), asked=asked)


def test_fewer_fields_may_be_asked_for() -> None:
    narrow = rule(fields=("holders.name",))
    with pytest.raises(FieldNotAllowed):
        permitted(narrow)
    (found,) = permitted(narrow, asked={"m": ["holders.name"]}).values()
    assert found.fields == ("holders.name",)


def test_a_condition_looks_only_at_a_field_that_is_allowed() -> None:
    """Whether it is met tells what the field says, to somebody who may not have the field."""
    demand = Demand(Condition.FIELD_IN, field="fields.kind", values=("甲",))
    one = matter(Option("licence", FIELDS, (demand,)))
    narrow = rule(fields=("holders.name",))
    with pytest.raises((FieldNotAllowed, NotFound)):
        permitted(narrow, one=one, asked={"m": ["holders.name"]})
    with pytest.raises((FieldNotAllowed, NotFound)):
        permitted(given_by=grant(m=["holders.name"]), one=one, asked={"m": ["holders.name"]})


def test_a_type_that_needs_consent_does_not_hold_up_the_others() -> None:
    """Without a grant it is simply not there; what is open stays open."""
    names = {"zh": "料", "en": "m"}
    materials = tuple(
        Material(slug, names, Owner.ORGANISATION, (Option(slug, FIELDS),))
        for slug in ("licence", "permit")
    )
    one = replace(matter(), materials=materials)
    consent = rule(mode=Mode.CONDITIONAL.value, fields=("holders.name",))
    found = permitted(consent, rule("P", slug="permit"), one=one)
    assert set(found) == {("permit", "permit")}


def test_a_rule_is_shown_as_it_was_written() -> None:
    shown = rule_json(rule(created_at=1772415000, ended_at=1772415001, daily_quota=3))
    assert shown["created_at"] == "2026-03-02T01:30:00Z"
    assert shown["ended_at"] == "2026-03-02T01:30:01Z"
    assert (shown["type"], shown["mode"], shown["daily_quota"]) == ("licence", "unconditional", 3)


# -- tiers -----------------------------------------------------------------------------------------------


def agency(code: str, parent: str | None) -> Agency:
    return Agency(code, code, "440114", parent)


TREE = [
    agency("district", None),
    agency("town", "district"),
    agency("village", "town"),
    agency("other", "district"),
]


def test_an_agency_and_those_above_it() -> None:
    assert lineage(TREE, "village") == ["village", "town", "district"]
    assert lineage(TREE, "district") == ["district"]
    assert lineage(TREE, "nowhere") == []
    assert lineage([], "village") == []


def test_an_agency_and_those_below_it() -> None:
    assert below(TREE, "district") == {"district", "town", "village", "other"}
    assert below(TREE, "town") == {"town", "village"}
    assert below(TREE, "nowhere") == frozenset()


trees = st.dictionaries(st.sampled_from("abcdef"), st.none() | st.sampled_from("abcdefz")).map(
    lambda found: [agency(code, parent) for code, parent in found.items()]
)


@given(trees, st.sampled_from("abcdefz"))
def test_tiers_end_also_in_a_circle(tree: list[Agency], code: str) -> None:
    line = lineage(tree, code)
    known = {one.code: one.parent for one in tree}
    assert len(set(line)) == len(line)
    assert line[:1] == ([code] if code in known else [])
    for above, one in zip(line[1:], line, strict=False):
        assert known[one] == above
    assert below(tree, code) == {one for one in known if code in lineage(tree, one)}
