"""What rests on a certificate hears when it falls, at any depth, and when it is restored: on both databases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecert.errors import DraftError, NotInForce
from ecert.formats.status_list import part_of
from ecert.model import FALLEN, Basis, Operation, Record, Status
from ecert.registry import Registry
from ecert.testing import SettableClock, temporary_registry
from ecert.verification import Report
from tests.conftest import CLERK, WORKS

Drafts = Callable[..., dict[str, Any]]
WHY = Basis("核查", "穗规监〔2026〕1号", "李四")
SITING, LAND = "project-siting-opinion", "land-use-planning-permit"
PERMIT, FILING = "construction-permit", "completion-acceptance-filing"
CHAIN = (SITING, LAND, WORKS, PERMIT, FILING)
Chain = Mapping[str, Record]


def issue(registry: Registry, slug: str, draft: Mapping[str, Any]) -> Record:
    return registry.certificates.issue(slug, dict(draft), by=CLERK).record


def chain_of(registry: Registry, draft_of: Drafts) -> dict[str, Record]:
    """Issue five certificates, each resting on the one before."""
    issued: dict[str, Record] = {}
    for before, slug in zip((None, *CHAIN), CHAIN, strict=False):
        rests_on = [] if before is None else [issued[before].id]
        issued[slug] = issue(registry, slug, draft_of(slug, rests_on=rests_on))
    return issued


def act(registry: Registry, record: Record, operation: Operation) -> Record:
    return registry.certificates.operate(record.id, operation, basis=WHY, by=CLERK)


def warned(registry: Registry, record: Record) -> list[tuple[str, str]]:
    """Say of what a certificate warns when it is shown: code and status of what fell."""
    shown = registry.certificates.get(record.id, by=CLERK)
    return [(one["code"], one["status"]) for one in shown.warnings]


def said(report: Report) -> list[tuple[str, Any]]:
    return [(one["code"], one.get("status")) for one in report.warnings]


@pytest.fixture
def chain(any_registry: Registry, draft_of: Drafts) -> dict[str, Record]:
    return chain_of(any_registry, draft_of)


FELL = [("foundation_fallen", "withdrawn")]


def test_all_that_rests_on_a_withdrawn_one_is_warned(any_registry: Registry, chain: Chain) -> None:
    act(any_registry, chain[LAND], Operation.WITHDRAW)
    assert [warned(any_registry, chain[slug]) for slug in CHAIN] == [[], [], FELL, FELL, FELL]


def test_verdicts_stay_valid_and_say_it_beside(any_registry: Registry, chain: Chain) -> None:
    act(any_registry, chain[LAND], Operation.WITHDRAW)
    for slug in (WORKS, PERMIT, FILING):
        for shown in (chain[slug].credential, chain[slug].seal):
            report = any_registry.verify(shown)
            assert (report.verdict.value, said(report)) == ("valid", FELL)
    assert said(any_registry.verify(chain[SITING].seal)) == []


def test_what_fell_is_named_where_the_certificate_names_it(
    any_registry: Registry, chain: Chain
) -> None:
    act(any_registry, chain[LAND], Operation.WITHDRAW)
    shown = [any_registry.certificates.get(chain[one].id, by=CLERK) for one in (WORKS, PERMIT)]
    assert [one.warnings[0].get("id") for one in shown] == [chain[LAND].id, None]


def test_a_resumption_takes_back_only_what_it_ended(any_registry: Registry, chain: Chain) -> None:
    act(any_registry, chain[LAND], Operation.SUSPEND)
    act(any_registry, chain[WORKS], Operation.SUSPEND)
    suspended = ("foundation_fallen", "suspended")
    assert warned(any_registry, chain[PERMIT]) == [suspended, suspended]
    act(any_registry, chain[LAND], Operation.RESUME)
    assert warned(any_registry, chain[WORKS]) == []
    assert warned(any_registry, chain[PERMIT]) == [suspended]
    act(any_registry, chain[WORKS], Operation.RESUME)
    assert warned(any_registry, chain[PERMIT]) == []
    assert said(any_registry.verify(chain[PERMIT].seal)) == []


def test_what_ended_is_shown_before_what_is_suspended(any_registry: Registry, chain: Chain) -> None:
    act(any_registry, chain[LAND], Operation.SUSPEND)
    act(any_registry, chain[SITING], Operation.REVOKE)
    assert said(any_registry.verify(chain[FILING].credential)) == [("foundation_fallen", "revoked")]
    codes = [status for _, status in warned(any_registry, chain[FILING])]
    assert codes == ["revoked", "suspended"]


def test_a_suspended_one_that_ends_is_told_once(any_registry: Registry, chain: Chain) -> None:
    act(any_registry, chain[LAND], Operation.SUSPEND)
    act(any_registry, chain[LAND], Operation.CANCEL)
    assert warned(any_registry, chain[FILING]) == [("foundation_fallen", "cancelled")]


def test_a_change_or_an_expiry_alarms_nobody(
    any_registry: Registry, chain: Chain, draft_of: Drafts, clock: SettableClock
) -> None:
    draft = draft_of(LAND, rests_on=[chain[SITING].id])
    any_registry.certificates.succeed(chain[LAND].id, Operation.CHANGE, draft, basis=WHY, by=CLERK)
    clock.move(timedelta(days=40 * 366))
    assert warned(any_registry, chain[WORKS]) == warned(any_registry, chain[FILING]) == []


def test_the_newest_version_counts_for_who_rests_on_an_earlier_one(
    any_registry: Registry, chain: Chain, draft_of: Drafts
) -> None:
    draft = draft_of(LAND, rests_on=[chain[SITING].id])
    changed = any_registry.certificates.succeed(
        chain[LAND].id, Operation.CHANGE, draft, basis=WHY, by=CLERK
    ).record
    act(any_registry, changed, Operation.WITHDRAW)
    assert [warned(any_registry, chain[one]) for one in (WORKS, FILING)] == [FELL, FELL]


def test_a_version_that_rests_on_something_else_leads_nowhere(
    any_registry: Registry, chain: Chain, draft_of: Drafts
) -> None:
    other = issue(any_registry, SITING, draft_of(SITING))
    draft = draft_of(LAND, rests_on=[other.id])
    any_registry.certificates.succeed(chain[LAND].id, Operation.CHANGE, draft, basis=WHY, by=CLERK)
    act(any_registry, chain[SITING], Operation.WITHDRAW)
    assert warned(any_registry, chain[WORKS]) == []
    act(any_registry, other, Operation.REVOKE)
    assert warned(any_registry, chain[WORKS]) == [("foundation_fallen", "revoked")]


@pytest.mark.parametrize("operation", [Operation.CHANGE, Operation.RENEW, Operation.REPLACE])
def test_an_unchanged_foundation_is_not_judged_again(
    any_registry: Registry, chain: Chain, draft_of: Drafts, operation: Operation
) -> None:
    act(any_registry, chain[LAND], Operation.SUSPEND)
    draft = draft_of(WORKS, rests_on=[chain[LAND].id])
    issued = any_registry.certificates.succeed(
        chain[WORKS].id, operation, draft, basis=WHY, by=CLERK
    ).record
    suspended = [("foundation_fallen", "suspended")]
    assert [(one["code"], one["status"]) for one in issued.warnings] == suspended
    assert said(any_registry.verify(issued.credential)) == suspended
    act(any_registry, chain[LAND], Operation.RESUME)
    assert warned(any_registry, issued) == []


def test_a_new_foundation_is_judged(any_registry: Registry, chain: Chain, draft_of: Drafts) -> None:
    other = issue(any_registry, SITING, draft_of(SITING))
    act(any_registry, other, Operation.SUSPEND)
    draft = draft_of(WORKS, rests_on=[chain[LAND].id, other.id])
    with pytest.raises(NotInForce):
        any_registry.certificates.succeed(
            chain[WORKS].id, Operation.CHANGE, draft, basis=WHY, by=CLERK
        )


def test_who_rests_on_a_warned_one_is_warned_from_the_start(
    any_registry: Registry, chain: Chain, draft_of: Drafts
) -> None:
    act(any_registry, chain[LAND], Operation.WITHDRAW)
    issued = issue(any_registry, PERMIT, draft_of(PERMIT, rests_on=[chain[WORKS].id]))
    assert [one["status"] for one in issued.warnings] == ["withdrawn"]
    assert said(any_registry.verify(issued.seal)) == FELL


def test_a_next_version_that_rests_on_less_tells_who_rests_on_it(
    any_registry: Registry, chain: Chain, draft_of: Drafts
) -> None:
    shaky = issue(any_registry, LAND, draft_of(LAND, rests_on=[chain[SITING].id]))
    act(any_registry, chain[SITING], Operation.WITHDRAW)
    fresh = issue(any_registry, WORKS, draft_of(WORKS))
    permit = issue(any_registry, PERMIT, draft_of(PERMIT, rests_on=[fresh.id]))
    assert warned(any_registry, permit) == []
    draft = draft_of(WORKS, rests_on=[shaky.id])
    any_registry.certificates.succeed(fresh.id, Operation.CHANGE, draft, basis=WHY, by=CLERK)
    assert warned(any_registry, permit) == FELL


def test_before_the_day_of_the_fall_there_is_no_warning(
    any_registry: Registry, chain: Chain, clock: SettableClock
) -> None:
    before = clock()
    clock.move(timedelta(days=3))
    act(any_registry, chain[LAND], Operation.WITHDRAW)
    clock.move(timedelta(days=1))
    presented = chain[PERMIT].credential
    assert said(any_registry.verify(presented, at=before)) == []
    assert said(any_registry.verify(presented, at=clock() - timedelta(days=1))) == FELL
    since = any_registry.verify(presented).warnings[0]["since"]
    assert since.endswith("T16:00:00Z")  # 00:00 in Guangzhou: the day, not the moment


def test_a_fall_shows_in_the_list_and_its_part_at_once(
    any_registry: Registry, chain: Chain
) -> None:
    record = chain[FILING]
    uri = f"{any_registry.base}/status/{record.status_list}"
    before = any_registry.status.status_token(uri)
    act(any_registry, chain[SITING], Operation.SUSPEND)
    assert any_registry.status.status_token(uri) != before
    part = any_registry.status.token(record.status_list, part=part_of(record.status_index))
    others = any_registry.status.token(
        record.status_list, part=(part_of(record.status_index) + 1) % 16
    )
    assert part != others


def test_what_is_issued_while_a_foundation_falls_is_refused_or_warned(
    any_registry: Registry, draft_of: Drafts
) -> None:
    land = issue(any_registry, LAND, draft_of(LAND))

    def rest(_: int) -> Record | None:
        try:
            return issue(any_registry, WORKS, draft_of(WORKS, rests_on=[land.id]))
        except NotInForce:
            return None

    with ThreadPoolExecutor(6) as pool:
        issuing = [pool.submit(rest, one) for one in range(12)]
        act(any_registry, land, Operation.WITHDRAW)
        made = [one for task in issuing if (one := task.result()) is not None]
    assert all(warned(any_registry, one) == FELL for one in made)


def test_what_is_issued_while_a_foundation_is_restored_is_not_warned_for_ever(
    any_registry: Registry, chain: Chain, draft_of: Drafts
) -> None:
    act(any_registry, chain[LAND], Operation.SUSPEND)
    draft = draft_of(PERMIT, rests_on=[chain[WORKS].id])
    with ThreadPoolExecutor(6) as pool:
        issuing = [pool.submit(issue, any_registry, PERMIT, draft) for _ in range(12)]
        act(any_registry, chain[LAND], Operation.RESUME)
        made = [task.result() for task in issuing]
    assert [warned(any_registry, one) for one in made] == [[]] * 12


def test_a_graver_fall_lifts_nothing(
    any_registry: Registry, chain: Chain, draft_of: Drafts
) -> None:
    """Whoever was warned stays so until a resumption, though what he rests on was changed meanwhile."""
    other = issue(any_registry, SITING, draft_of(SITING))
    act(any_registry, chain[SITING], Operation.SUSPEND)
    any_registry.certificates.succeed(
        chain[LAND].id,
        Operation.CHANGE,
        draft_of(LAND, rests_on=[other.id]),
        basis=WHY,
        by=CLERK,
    )
    act(any_registry, chain[SITING], Operation.REVOKE)
    assert warned(any_registry, chain[WORKS]) == [("foundation_fallen", "revoked")]


# -- any history -------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["rest", "change", "suspend", "resume", "withdraw"]), st.integers(0, 99)
    ),
    min_size=1,
    max_size=14,
)


def _expected(record: Record, registry: Registry) -> set[tuple[str, str]]:
    """Work out by walking what the registry says at once: what fell, down to the root."""
    found: set[tuple[str, str]] = set()
    for foundation in record.body["rests_on"]:
        at = registry.certificates.get(foundation, by=CLERK)
        while at.superseded_by is not None:
            at = registry.certificates.get(at.superseded_by, by=CLERK)
        if at.status in FALLEN:
            found.add((at.id, at.status.value))
        found |= _expected(at, registry)
    return found


@settings(max_examples=15)
@given(steps=STEPS)
def test_any_history_warns_of_just_what_fell(steps: list[tuple[str, int]]) -> None:
    with temporary_registry() as registry:
        ranks: list[list[Record]] = [
            [issue(registry, SITING, dict(registry.catalogue.newest(SITING).example))]
        ]
        for what, number in steps:
            _step(registry, ranks, what, number)
        with registry.store.reading() as reading:
            from ecert.store import foundations

            for record in (one for rank in ranks for one in rank):
                kept = foundations.fallen(reading, [record.id]).get(record.id, [])
                told = {(one.foundation, one.status.value) for one in kept}
                assert told == _expected(record, registry)


def _step(registry: Registry, ranks: list[list[Record]], what: str, number: int) -> None:
    everything = [one for rank in ranks for one in rank]
    target = registry.certificates.get(everything[number % len(everything)].id, by=CLERK)
    operation = {
        "suspend": Operation.SUSPEND,
        "resume": Operation.RESUME,
        "withdraw": Operation.WITHDRAW,
    }.get(what)
    if what == "rest":
        after = CHAIN[(CHAIN.index(target.slug) + 1) % len(CHAIN)]
        example = registry.catalogue.newest(after).example
        is_possible = target.status is Status.VALID and after != SITING
        if is_possible:
            ranks.append([issue(registry, after, {**example, "rests_on": [target.id]})])
    elif what == "change":
        if target.status is Status.VALID:
            example = registry.catalogue.newest(target.slug).example
            kept = {**example, "rests_on": list(target.body["rests_on"])}
            done = registry.certificates.succeed(
                target.id, Operation.CHANGE, kept, basis=WHY, by=CLERK
            )
            ranks.append([done.record])
    elif operation is not None and _allows(operation, target.status):
        act(registry, target, operation)


def _allows(operation: Operation, status: Status) -> bool:
    allowed = {
        Operation.SUSPEND: {Status.VALID},
        Operation.RESUME: {Status.SUSPENDED},
        Operation.WITHDRAW: {Status.VALID, Status.SUSPENDED},
    }
    return status in allowed[operation]


# -- types that must rest on something -------------------------------------------------------------


def test_a_type_that_must_rest_on_something_says_so(
    any_registry: Registry, draft_of: Drafts, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = any_registry.catalogue.newest(WORKS)
    monkeypatch.setitem(dict_of(kind.definition), "rests_on_required", "refuse")
    with pytest.raises(DraftError) as refused:
        issue(any_registry, WORKS, draft_of(WORKS))
    assert [one.rule for one in refused.value.errors] == ["rests_on_required"]
    monkeypatch.setitem(dict_of(kind.definition), "rests_on_required", "warn")
    issued = issue(any_registry, WORKS, draft_of(WORKS))
    assert [one["code"] for one in issued.warnings] == ["rests_on_required"]


def dict_of(definition: Mapping[str, Any]) -> dict[str, Any]:
    assert isinstance(definition, dict)
    return definition
