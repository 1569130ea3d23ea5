"""The table of operations, enforced; successions; what rests on what (design §6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecert.errors import NotFound, NotInForce, NumberTaken, TransitionRefused
from ecert.model import TRANSITIONS, Actor, Basis, Operation, Status, check_transition
from ecert.registry import Registry
from ecert.store import trees
from ecert.testing import SettableClock, temporary_registry
from tests.conftest import CLERK, WORKS, trail_rows

Drafts = Callable[..., dict[str, Any]]
WHY = Basis("测试理由", "测试依据〔2026〕1号", "王五")
LAND = "land-use-planning-permit"
TABLE = {  # written out again from design §6, so that the code's table has an oracle
    "change": ("valid", "superseded"),
    "replace": ("valid", "superseded"),
    "renew": ("valid expired", "superseded"),
    "suspend": ("valid", "suspended"),
    "resume": ("suspended", "valid"),
    "cancel": ("valid suspended expired", "cancelled"),
    "withdraw": ("valid suspended expired", "withdrawn"),
    "revoke": ("valid suspended expired", "revoked"),
}


@pytest.mark.parametrize("operation", sorted(TABLE))
@pytest.mark.parametrize("status", list(Status))
def test_the_table_is_the_designs(operation: str, status: Status) -> None:
    allowed, result = TABLE[operation]
    if status.value in allowed.split():
        assert check_transition(Operation(operation), status, None) == result
        return
    with pytest.raises(TransitionRefused) as refusal:
        check_transition(Operation(operation), status, "the successor")
    assert status.value in refusal.value.message
    assert "the successor" in refusal.value.message


def test_every_operation_but_issue_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(Operation) - {Operation.ISSUE}


def bring_to(registry: Registry, status: Status, draft: dict[str, Any]) -> str:
    """Issue a certificate and bring it to a status."""
    if status is Status.EXPIRED:
        draft = {**draft, "issued_on": "2025-01-01", "valid_to": "2025-12-31"}
    identifier = registry.certificates.issue(WORKS, draft, by=CLERK).record.id
    steps = {
        Status.SUSPENDED: Operation.SUSPEND,
        Status.CANCELLED: Operation.CANCEL,
        Status.WITHDRAWN: Operation.WITHDRAW,
        Status.REVOKED: Operation.REVOKE,
    }
    if status in steps:
        registry.certificates.operate(identifier, steps[status], basis=WHY, by=CLERK)
    if status is Status.SUPERSEDED:
        registry.certificates.succeed(identifier, Operation.CHANGE, draft, basis=WHY, by=CLERK)
    assert registry.certificates.get(identifier, by=CLERK).status is status
    return identifier


@pytest.mark.parametrize("operation", sorted(TABLE))
def test_each_operation_from_each_status(
    registry: Registry, draft_of: Drafts, operation: str
) -> None:
    allowed, result = TABLE[operation]
    for status in Status:
        identifier = bring_to(registry, status, draft_of())
        draft = draft_of() if result == "superseded" else None
        act = Operation(operation)
        if status.value not in allowed.split():
            with pytest.raises(TransitionRefused):
                registry.certificates.operate(identifier, act, basis=WHY, by=CLERK, draft=draft)
            assert registry.certificates.get(identifier, by=CLERK).status is status
            continue
        registry.certificates.operate(identifier, act, basis=WHY, by=CLERK, draft=draft)
        assert registry.certificates.get(identifier, by=CLERK).status == result
    registry.log.check()


def test_a_change_is_the_next_version_and_supersedes_at_once(
    any_registry: Registry, draft_of: Drafts
) -> None:
    old = any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    new = any_registry.certificates.succeed(
        old.id, Operation.CHANGE, draft_of(), basis=WHY, by=CLERK
    ).record
    assert new.body["number"] == old.body["number"]
    assert new.body["local_number"] == old.body["local_number"]
    assert new.id.split(".")[-2] == "002"
    assert new.body["supersedes"] == old.id
    shown = any_registry.certificates.get(old.id, by=CLERK)
    assert (shown.status, shown.superseded_by) == (Status.SUPERSEDED, new.id)
    (event,) = any_registry.certificates.history(old.id, by=CLERK)
    assert (event.operation, event.successor, event.reason) == ("change", new.id, "测试理由")
    report = any_registry.verify(old.credential)
    assert (report.verdict, report.status) == ("invalid", "superseded")
    assert report.certificate is not None
    assert report.certificate["superseded_by"] == new.id
    with pytest.raises(TransitionRefused, match=r"\.002\."):
        any_registry.certificates.operate(old.id, Operation.REVOKE, basis=WHY, by=CLERK)


def test_a_change_is_two_log_entries_the_second_with_a_ref(
    registry: Registry, draft_of: Drafts
) -> None:
    import json

    registry.certificates.issue(LAND, draft_of(LAND), by=CLERK)
    old = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    registry.certificates.succeed(old.id, Operation.CHANGE, draft_of(), basis=WHY, by=CLERK)
    with registry.store.reading() as reading:
        issue, supersede = [
            json.loads(one) for one in trees.entries(reading, old.log_index + 1, old.log_index + 3)
        ]
    assert issue["event"] == "issue"
    assert "ref" not in issue
    assert (supersede["event"], supersede["ref"]) == ("supersede", old.log_index)
    assert set(supersede) == {"v", "event", "time", "issuer", "type", "commitment", "ref"}


def test_an_expired_permit_can_be_renewed_but_not_changed(
    registry: Registry, draft_of: Drafts
) -> None:
    expired = draft_of(issued_on="2025-01-01", valid_to="2025-12-31")
    old = registry.certificates.issue(WORKS, expired, by=CLERK).record
    with pytest.raises(TransitionRefused, match="renew"):
        registry.certificates.succeed(old.id, Operation.CHANGE, draft_of(), basis=WHY, by=CLERK)
    new = registry.certificates.succeed(
        old.id, Operation.RENEW, draft_of(), basis=WHY, by=CLERK
    ).record
    assert new.status is Status.VALID


def test_expiry_is_computed_at_the_agencys_midnight(
    registry: Registry, clock: SettableClock, draft_of: Drafts
) -> None:
    record = registry.certificates.issue(WORKS, draft_of(valid_to="2026-03-02"), by=CLERK).record
    clock.now = clock.now.replace(hour=15, minute=59, second=59)  # 23:59:59 in Guangzhou
    assert registry.certificates.get(record.id, by=CLERK).status is Status.VALID
    assert registry.verify(record.credential).verdict == "valid"
    clock.move(timedelta(seconds=1))
    assert registry.certificates.get(record.id, by=CLERK).status is Status.EXPIRED
    report = registry.verify(record.credential)
    assert (report.verdict, report.status) == ("invalid", "expired")


def test_a_permit_needs_what_it_rests_on_to_be_in_force(
    any_registry: Registry, draft_of: Drafts
) -> None:
    land = any_registry.certificates.issue(LAND, draft_of(LAND), by=CLERK).record
    resting = draft_of(rests_on=[land.id])
    works = any_registry.certificates.issue(WORKS, resting, by=CLERK).record
    assert works.warnings == ()
    any_registry.certificates.operate(land.id, Operation.SUSPEND, basis=WHY, by=CLERK)
    size = any_registry.log.head().size
    with pytest.raises(NotInForce, match="suspended"):
        any_registry.certificates.issue(WORKS, resting, by=CLERK)
    assert any_registry.log.head().size == size
    shown = any_registry.certificates.get(works.id, by=CLERK)
    assert shown.status is Status.VALID
    assert [warning["id"] for warning in shown.warnings] == [land.id]
    any_registry.certificates.operate(land.id, Operation.RESUME, basis=WHY, by=CLERK)
    assert any_registry.certificates.get(works.id, by=CLERK).warnings == ()


def test_a_number_is_unique_among_current_versions_of_an_issuer_and_type(
    registry: Registry, draft_of: Drafts
) -> None:
    number = "建字第4401142026GG0000500号"
    first = registry.certificates.issue(WORKS, draft_of(number=number), by=CLERK).record
    with pytest.raises(NumberTaken):
        registry.certificates.issue(WORKS, draft_of(number=number), by=CLERK)
    registry.certificates.succeed(first.id, Operation.REPLACE, draft_of(), basis=WHY, by=CLERK)
    with pytest.raises(NumberTaken):
        registry.certificates.issue(WORKS, draft_of(number=number), by=CLERK)


def test_an_unusual_number_is_a_warning(registry: Registry, draft_of: Drafts) -> None:
    record = registry.certificates.issue(WORKS, draft_of(number="2026-0659"), by=CLERK).record
    assert [warning["code"] for warning in record.warnings] == ["number_pattern"]


def test_an_agency_acts_on_its_own_certificates_only(registry: Registry, draft_of: Drafts) -> None:
    record = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    other = Actor("李四", agency="11440114MA0000093B", scopes=frozenset({"certificates:operate"}))
    with pytest.raises(NotFound) as theirs:
        registry.certificates.operate(record.id, Operation.REVOKE, basis=WHY, by=other)
    with pytest.raises(NotFound) as absent:
        registry.certificates.operate(record.id[:-1] + "X", Operation.REVOKE, basis=WHY, by=other)
    assert theirs.value.message == absent.value.message
    assert registry.certificates.get(record.id, by=CLERK).status is Status.VALID


def test_refusals_are_in_the_audit_trail(registry: Registry, draft_of: Drafts) -> None:
    record = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    with pytest.raises(TransitionRefused):
        registry.certificates.operate(record.id, Operation.RESUME, basis=WHY, by=CLERK)
    last = trail_rows(registry)[-1]
    assert (last["action"], last["outcome"]) == ("resume", "transition_refused")
    assert last["certificate"] == record.id


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["suspend", "resume", "change", "revoke", "renew"]), max_size=6))
def test_any_history_verifies_as_it_shows(operations: list[str]) -> None:
    """Whatever is done, the verifier, the register and the evidence bundle say the same."""
    with temporary_registry() as registry:
        draft = dict(registry.catalogue.newest(WORKS).example)
        current = registry.certificates.issue(WORKS, draft, by=CLERK).record
        moments = []
        for name in operations:
            registry.clock.move(timedelta(days=1))  # type: ignore[attr-defined]  # ours is settable
            needs_draft = TABLE[name][1] == "superseded"
            try:
                registry.certificates.operate(
                    current.id,
                    Operation(name),
                    basis=WHY,
                    by=CLERK,
                    draft=draft if needs_draft else None,
                )
            except TransitionRefused:
                continue
            shown = registry.certificates.get(current.id, by=CLERK)
            moments.append((registry.clock(), shown.status))
        report = registry.verify(current.credential)
        shown = registry.certificates.get(current.id, by=CLERK)
        assert (report.status, report.verdict == "valid") == (shown.status, shown.status == "valid")
        bundle = registry.evidence.pack(current.id, by=CLERK)
        for moment, status in moments:
            past = registry.verifier(is_offline=True).verify(bundle, at=moment)
            assert past.status == status
        assert date.fromisoformat(shown.body["issued_on"]).year == 2026
