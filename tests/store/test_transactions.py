"""One transaction from draft to log entry: a fault at any step leaves everything or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from ecert.errors import EcertError, NumberTaken
from ecert.model import Basis, Operation
from ecert.registry import IssueRequest, Registry
from tests.conftest import CLERK, WORKS

Drafts = Callable[..., dict[str, Any]]
WHY = Basis("测试", "测试依据", "王五")


class InjectedFault(Exception):
    """Not one of ours and not the database's: as if the process had gone wrong right here."""


def counts(registry: Registry) -> dict[str, int]:
    """Count every row of every table."""
    from ecert.store.tables import metadata

    with registry.store.reading() as reading:
        return {
            table.name: len(reading.connection.execute(table.select()).all())
            for table in metadata.sorted_tables
        }


def statements_of(registry: Registry, work: Callable[[], Any]) -> int:
    """Count how many statements a piece of work sends to the database."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(arguments[2])

    engine = registry.store._engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return len(seen)


def failing_at(registry: Registry, step: int, work: Callable[[], Any]) -> None:
    """Run work with a fault injected before its n-th statement."""
    left = step

    def fail(*_arguments: Any) -> None:
        nonlocal left
        if left == 0:
            raise InjectedFault
        left -= 1

    engine = registry.store._engine
    event.listen(engine, "before_cursor_execute", fail)
    try:
        with pytest.raises(InjectedFault):
            work()
    finally:
        event.remove(engine, "before_cursor_execute", fail)


def acts(registry: Registry, draft: dict[str, Any], target: str) -> dict[str, Callable[[], Any]]:
    return {
        "issue": lambda: registry.certificates.issue(WORKS, draft, by=CLERK),
        "change": lambda: registry.certificates.succeed(
            target, Operation.CHANGE, draft, basis=WHY, by=CLERK
        ),
        "suspend": lambda: registry.certificates.operate(
            target, Operation.SUSPEND, basis=WHY, by=CLERK
        ),
    }


@pytest.mark.parametrize("act", ["issue", "change", "suspend"])
def test_a_fault_at_any_statement_leaves_nothing(
    any_registry: Registry, draft_of: Drafts, act: str
) -> None:
    first = any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    spare = any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    rehearsal = acts(any_registry, draft_of(), spare.id)[act]
    steps = statements_of(any_registry, rehearsal)
    work = acts(any_registry, draft_of(), first.id)[act]
    before = counts(any_registry)
    for step in range(steps):
        failing_at(any_registry, step, work)
        assert counts(any_registry) == before, f"statement {step} of {steps}"
    any_registry.log.check()
    work()  # and afterwards it simply works
    assert any_registry.log.check().size > 2


def test_a_batch_is_one_transaction_and_each_gets_its_own_answer(
    any_registry: Registry, draft_of: Drafts
) -> None:
    before = any_registry.log.head().size
    good, bad = draft_of(), draft_of(fields={})
    taken = draft_of(number="建字第4401142026GG0000900号")
    results = any_registry.certificates.issue_many(
        [IssueRequest(WORKS, one, CLERK) for one in (good, bad, taken, taken, good)]
    )
    outcomes = [one.code if isinstance(one, EcertError) else "issued" for one in results]
    assert outcomes == ["issued", "draft_does_not_fit", "issued", NumberTaken.code, "issued"]
    assert any_registry.log.check().size == before + 3


def test_minting_skips_numbers_that_are_taken(any_registry: Registry, draft_of: Drafts) -> None:
    any_registry.certificates.issue(WORKS, draft_of(number="建字第4401142026GG0000002号"), by=CLERK)
    numbers = [
        any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record.body["number"]
        for _ in range(2)
    ]
    assert numbers == ["建字第4401142026GG0000001号", "建字第4401142026GG0000003号"]


def test_a_full_counter_is_an_error_and_others_go_on(
    any_registry: Registry, draft_of: Drafts
) -> None:
    before = any_registry.log.head().size
    slug = "construction-permit"  # two digits a day
    results = any_registry.certificates.issue_many(
        [IssueRequest(slug, draft_of(slug), CLERK)] * 100
    )
    codes = [one.code for one in results if isinstance(one, EcertError)]
    assert codes == ["counter_full"]
    assert any_registry.log.check().size == before + 99


def test_status_places_are_unique_and_not_in_order(
    any_registry: Registry, draft_of: Drafts
) -> None:
    results = any_registry.certificates.issue_many([IssueRequest(WORKS, draft_of(), CLERK)] * 200)
    places = [one.record.status_index for one in results if not isinstance(one, EcertError)]
    assert len(set(places)) == 200
    assert places != sorted(places)


def test_holders_are_found_by_code_and_stored_only_as_hmac(
    any_registry: Registry, draft_of: Drafts
) -> None:
    from ecert.registry import Query
    from ecert.store.tables import audit, holders

    record = any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    code = record.body["holders"][0]["code"]
    page = any_registry.certificates.find(Query(holder_code=code), by=CLERK)
    assert [one.id for one in page.records] == [record.id]
    assert not any_registry.certificates.find(
        Query(holder_code="91440114MA0000023U"), by=CLERK
    ).records
    with any_registry.store.reading() as reading:
        rows = [*reading.connection.execute(holders.select())]
        rows += [*reading.connection.execute(audit.select())]
    assert code not in repr(rows)
    assert record.body["holders"][0]["name"] not in repr(rows)
