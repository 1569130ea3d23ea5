"""Agencies that change 机构改革: another name, another area, and the end; certificates keep what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from ecert.errors import AlreadyExists, IdentifierError, InputError, IssuedAfter, NotCompetent
from ecert.formats.register import RegisterAct, parse_register
from ecert.keys import public_jwk
from ecert.keys.file import make_signer
from ecert.model import Agency, AgencyVersion, Record, version_of
from ecert.registry import Registry
from ecert.testing import SettableClock
from ecert.verification import Verifier
from tests.conftest import CLERK, CONSTRUCTION, PLANNING, WORKS

Drafts = Callable[..., dict[str, Any]]
BASIS = "穗花编办〔2026〕5号"
DAY = timedelta(days=1)
TODAY = date(2026, 3, 2)
NEW_NAME = "花都区自然资源局（演示）"


def renamed(registry: Registry, day: date, **members: Any) -> AgencyVersion:
    """Give a next version of the planning bureau."""
    now = version_of(registry.agencies.get(PLANNING.code), day)
    return replace(now, **{"name": NEW_NAME, **members})


def outside(registry: Registry) -> Verifier:
    return Verifier(registry.trust(), catalogue=registry.catalogue, clock=registry.clock)


def name_on(record: Record) -> str:
    return str(record.body["issuer"]["name"])


def test_certificates_keep_the_name_they_were_issued_under(
    any_registry: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    old = any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    any_registry.agencies.change(renamed(any_registry, TODAY + DAY), basis=BASIS, by=CLERK)
    same_day = any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    clock.move(DAY)
    new = any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    assert [name_on(one) for one in (old, same_day, new)] == [
        PLANNING.name,
        PLANNING.name,
        NEW_NAME,
    ]
    assert any_registry.agencies.get(PLANNING.code).name == NEW_NAME
    verifier = outside(any_registry)
    for one in (old, same_day, new):
        assert any_registry.verify(one.credential).verdict == "valid"
        assert verifier.verify(one.credential).step("type").code == "type_good"


def test_a_document_made_after_the_change_shows_the_name_of_the_issue(
    registry: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    record = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    registry.agencies.change(renamed(registry, TODAY + DAY), basis=BASIS, by=CLERK)
    clock.move(3 * DAY)
    registry.log.publish()
    report = registry.verify(registry.documents.get(record.id, by=CLERK).data)
    assert report.verdict == "valid"
    assert report.certificate is not None
    assert report.certificate["issuer"]["name"] == PLANNING.name


def test_a_change_is_signed_and_logged(registry: Registry) -> None:
    registry.agencies.change(renamed(registry, TODAY + DAY), basis=BASIS, by=CLERK)
    registry.log.publish()
    _, _, act = parse_register(registry.register.entries(limit=100)[0][-1].statement)
    assert (act.act, act.from_day, act.name) == (RegisterAct.CHANGED, TODAY + DAY, NEW_NAME)
    assert (act.short_name, act.division, act.parent) == (None, None, None)  # they stay as they are
    (shown,) = registry.trust().to_json()["registries"]
    assert shown["agencies"][PLANNING.code]["names"] == [
        {"name": PLANNING.name, "from": "2026-03-02"},
        {"name": NEW_NAME, "from": "2026-03-03"},
    ]


def test_a_name_is_not_changed_under_what_was_issued(registry: Registry, draft_of: Drafts) -> None:
    registry.certificates.issue(WORKS, draft_of(), by=CLERK)
    with pytest.raises(IssuedAfter, match="1 certificates"):
        registry.agencies.change(renamed(registry, TODAY), basis=BASIS, by=CLERK)
    short = renamed(registry, TODAY, name=PLANNING.name, short_name="花规划资源")
    assert registry.agencies.change(short, basis=BASIS, by=CLERK).short_name == "花规划资源"
    local = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record.body["local_number"]
    assert local.startswith("花规划资源")


def test_names_are_ones_own(registry: Registry) -> None:
    registry.agencies.add(replace(CONSTRUCTION, short_name="花住建"), by=CLERK)
    for members in ({"name": CONSTRUCTION.name}, {"short_name": "花住建"}):
        with pytest.raises(AlreadyExists):
            registry.agencies.change(renamed(registry, TODAY, **members), basis=BASIS, by=CLERK)
    twin = Agency("11440114MA0000095H", PLANNING.name, "440114")
    with pytest.raises(AlreadyExists, match="name"):
        registry.agencies.add(twin, by=CLERK)


def test_a_second_change_goes_on_from_the_first(
    registry: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    registry.agencies.change(renamed(registry, TODAY + DAY), basis=BASIS, by=CLERK)
    newest = registry.agencies.newest(PLANNING.code)
    assert (newest.name, newest.from_day) == (NEW_NAME, TODAY + DAY)
    later = replace(newest, from_day=TODAY + 5 * DAY, short_name="花自然资源")
    registry.agencies.change(later, basis=BASIS, by=CLERK)
    registry.log.publish()
    _, _, act = parse_register(registry.register.entries(limit=100)[0][-1].statement)
    assert (act.name, act.short_name) == (None, "花自然资源")  # what is said is what changes
    clock.move(6 * DAY)
    assert name_on(registry.certificates.issue(WORKS, draft_of(), by=CLERK).record) == NEW_NAME
    back = replace(later, from_day=TODAY + 9 * DAY, name=PLANNING.name)
    registry.agencies.change(back, basis=BASIS, by=CLERK)
    registry.log.publish()
    _, _, act = parse_register(registry.register.entries(limit=100)[0][-1].statement)
    assert act.name == PLANNING.name  # going back to an old name is said, too


def test_a_seal_shows_the_name_of_its_day(
    registry: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    old = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    registry.agencies.change(renamed(registry, TODAY + DAY), basis=BASIS, by=CLERK)
    clock.move(DAY)
    new = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    verifier = outside(registry)
    for record, name in ((old, PLANNING.name), (new, NEW_NAME)):
        shown = verifier.verify(record.seal).certificate
        assert shown is not None
        assert shown["issuer"]["name"] == name


def test_a_name_that_comes_later_is_guarded_too(registry: Registry, clock: SettableClock) -> None:
    registry.agencies.add(CONSTRUCTION, by=CLERK)
    registry.agencies.change(renamed(registry, TODAY + 9 * DAY), basis=BASIS, by=CLERK)
    theirs = registry.agencies.newest(CONSTRUCTION.code)
    for day in (TODAY + DAY, TODAY + 20 * DAY):
        taken = replace(theirs, from_day=day, name=NEW_NAME)
        with pytest.raises(AlreadyExists, match="name"):
            registry.agencies.change(taken, basis=BASIS, by=CLERK)
    with pytest.raises(AlreadyExists, match="name"):
        registry.agencies.add(Agency("11440114MA0000095H", NEW_NAME, "440114"), by=CLERK)
    with pytest.raises(AlreadyExists, match="name"):  # still the bureau's for nine days
        registry.agencies.add(Agency("11440114MA0000095H", PLANNING.name, "440114"), by=CLERK)
    clock.move(10 * DAY)
    freed = replace(theirs, from_day=TODAY + 10 * DAY, name=PLANNING.name)
    registry.agencies.change(freed, basis=BASIS, by=CLERK)


def test_an_agency_that_is_closed_one_day_guards_its_name_until_then(registry: Registry) -> None:
    registry.agencies.add(CONSTRUCTION, by=CLERK)
    registry.agencies.close(CONSTRUCTION.code, from_day=TODAY + 9 * DAY, basis=BASIS, by=CLERK)
    taken = renamed(registry, TODAY + 8 * DAY, name=CONSTRUCTION.name)
    with pytest.raises(AlreadyExists, match="name"):
        registry.agencies.change(taken, basis=BASIS, by=CLERK)
    free = renamed(registry, TODAY + 9 * DAY, name=CONSTRUCTION.name)
    registry.agencies.change(free, basis=BASIS, by=CLERK)


def test_a_parent_does_not_leave_its_children_behind(registry: Registry) -> None:
    registry.agencies.add(replace(CONSTRUCTION, parent=PLANNING.code), by=CLERK)
    away = renamed(registry, TODAY, division="440115")
    with pytest.raises(InputError, match="within"):
        registry.agencies.change(away, basis=BASIS, by=CLERK)
    registry.agencies.change(
        renamed(registry, TODAY + DAY, division="440114"), basis=BASIS, by=CLERK
    )


@pytest.mark.parametrize(
    ("division", "fits"),
    [("440114003", True), ("440114003201", True), ("440114", True), ("440113", False)],
)
def test_an_area_lies_within_the_one_above(
    registry: Registry, draft_of: Drafts, division: str, fits: bool
) -> None:
    street = Agency("11440114MA0000095H", "示例街道办（演示）", division, PLANNING.code)
    if not fits:
        with pytest.raises(InputError, match="within"):
            registry.agencies.add(street, by=CLERK)
        return
    registry.agencies.add(street, by=CLERK, may_issue=[WORKS])
    record = registry.certificates.issue(WORKS, draft_of(), by=CLERK, agency=street.code).record
    assert "440114" in record.body["number"]
    assert division not in record.body["number"] or division == "440114"  # its first six digits


@pytest.mark.parametrize("division", ["44011", "4401140", "4401140031", "x" * 9])
def test_an_area_has_6_9_or_12_digits(registry: Registry, division: str) -> None:
    with pytest.raises(IdentifierError):
        registry.agencies.add(replace(CONSTRUCTION, division=division), by=CLERK)


def test_an_agency_is_never_below_itself(registry: Registry) -> None:
    registry.agencies.add(replace(CONSTRUCTION, parent=PLANNING.code), by=CLERK)
    circle = renamed(registry, TODAY, parent=CONSTRUCTION.code)
    with pytest.raises(InputError, match="below itself"):
        registry.agencies.change(circle, basis=BASIS, by=CLERK)


def test_a_closed_agency_issues_nothing_and_its_clients_stop(
    any_registry: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    any_registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=["construction-permit"])
    jwk = public_jwk(make_signer().public_key)
    client = any_registry.clients.add(
        "系统", agency=CONSTRUCTION.code, scopes=["certificates:read"], jwk=jwk, by=CLERK
    )
    draft = draft_of("construction-permit")
    issue = any_registry.certificates.issue
    old = issue("construction-permit", draft, by=CLERK, agency=CONSTRUCTION.code).record
    with pytest.raises(InputError, match="construction-permit"):
        any_registry.agencies.close(CONSTRUCTION.code, from_day=TODAY + DAY, basis=BASIS, by=CLERK)
    any_registry.agencies.close(
        CONSTRUCTION.code,
        from_day=TODAY + DAY,
        basis=BASIS,
        by=CLERK,
        ended=["construction-permit"],
    )
    issue("construction-permit", draft, by=CLERK, agency=CONSTRUCTION.code)  # today yet
    clock.move(DAY)
    with pytest.raises(NotCompetent, match="closed"):
        issue("construction-permit", draft, by=CLERK, agency=CONSTRUCTION.code)
    assert any_registry.verify(old.credential).verdict == "valid"
    rows = {one.id: one.state for one in any_registry.clients.all(by=CLERK)}
    assert rows[client.id] == "suspended"
    any_registry.log.check()
    any_registry.trail.check()


def test_closing_makes_the_next_key_that_proves_what_was_signed_before(
    registry: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    slug = "construction-permit"
    registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=[slug])
    record = registry.certificates.issue(
        slug, draft_of(slug), by=CLERK, agency=CONSTRUCTION.code
    ).record
    registry.agencies.close(
        CONSTRUCTION.code, from_day=TODAY + DAY, basis=BASIS, by=CLERK, ended=[slug]
    )
    states = {one.state for one in registry.keys.all() if one.agency == CONSTRUCTION.code}
    assert states == {"active", "pending"}
    clock.move(DAY)
    registry.agencies.set_image(PLANNING.code, None, by=CLERK)  # any act closes what has ended
    assert all(one.to_entry is not None for one in registry.register.competences(CONSTRUCTION.code))
    clock.move(20 * DAY)
    report = outside(registry).verify(record.seal)  # a seal has no receipt: the key alone proves it
    assert report.step("type").code == "type_good"


def test_an_agency_is_closed_once_and_not_from_today(registry: Registry) -> None:
    registry.agencies.add(CONSTRUCTION, by=CLERK)
    with pytest.raises(InputError, match="tomorrow"):
        registry.agencies.close(CONSTRUCTION.code, from_day=TODAY, basis=BASIS, by=CLERK)
    registry.agencies.close(CONSTRUCTION.code, from_day=TODAY + DAY, basis=BASIS, by=CLERK)
    with pytest.raises(InputError, match="closed"):
        registry.agencies.close(CONSTRUCTION.code, from_day=TODAY + DAY, basis=BASIS, by=CLERK)
    with pytest.raises(InputError, match="closed"):
        registry.register.allow(CONSTRUCTION.code, [WORKS], basis=BASIS, by=CLERK)
