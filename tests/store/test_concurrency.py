"""Many writers at once, in threads and in processes: one log, no gaps, no doubles."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ecert.errors import NumberTaken, TransitionRefused
from ecert.model import Basis, Operation
from ecert.registry import Registry
from tests.conftest import CLERK, WORKS

Drafts = Callable[..., dict[str, Any]]
WHY = Basis("测试", "测试依据", "王五")


def test_concurrent_issues_get_distinct_numbers_and_places(
    any_registry: Registry, draft_of: Drafts
) -> None:
    before = any_registry.log.head().size
    with ThreadPoolExecutor(8) as pool:
        records = list(
            pool.map(
                lambda _: any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record,
                range(40),
            )
        )
    assert len({record.body["number"] for record in records}) == 40
    assert len({record.status_index for record in records}) == 40
    assert {record.log_index for record in records} == set(range(before, before + 40))
    assert any_registry.log.check().size == before + 40


def test_only_one_of_many_takes_a_brought_number(any_registry: Registry, draft_of: Drafts) -> None:
    def bring(_: int) -> str:
        try:
            any_registry.certificates.issue(
                WORKS, draft_of(number="建字第4401142026GG0000077号"), by=CLERK
            )
        except NumberTaken:
            return "taken"
        return "issued"

    with ThreadPoolExecutor(6) as pool:
        outcomes = sorted(pool.map(bring, range(6)))
    assert outcomes == ["issued"] + ["taken"] * 5


def test_only_one_of_many_changes_a_certificate(any_registry: Registry, draft_of: Drafts) -> None:
    record = any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record

    def change(_: int) -> str:
        try:
            any_registry.certificates.succeed(
                record.id, Operation.CHANGE, draft_of(), basis=WHY, by=CLERK
            )
        except TransitionRefused:
            return "refused"
        return "changed"

    with ThreadPoolExecutor(6) as pool:
        outcomes = sorted(pool.map(change, range(6)))
    assert outcomes == ["changed"] + ["refused"] * 5
    any_registry.log.check()
