"""Succession 承继: a type goes to another agency, which acts upon what there is; everything verifies offline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from ecert.errors import (
    Forbidden,
    InputError,
    IssuedAfter,
    NotCompetent,
    NotFound,
    NumberTaken,
    Transferred,
)
from ecert.formats.register import RegisterAct, parse_register
from ecert.formats.statement import parse_statement
from ecert.ids import parse_identifier
from ecert.keys import make_signer, public_jwk
from ecert.model import Actor, Agency, Basis, Operation, Record
from ecert.registry import Complaint, CopyWish, Idempotency, Query, Registry
from ecert.registry.receptions import ReceptionWish
from ecert.registry.register import Term
from ecert.store import documents, statements
from ecert.testing import SettableClock
from ecert.verification import Report, Verifier
from tests.conftest import CLERK, CONSTRUCTION, PLANNING, WORKS

Drafts = Callable[..., dict[str, Any]]
BASIS = "穗花编办〔2026〕6号"
WHY = Basis("撤销许可", "穗规撤〔2026〕1号", "赵六")
DAY = timedelta(days=1)
TODAY = date(2026, 3, 2)
FIRST = TODAY + DAY
PERMIT, SITING = "construction-permit", "project-siting-opinion"
HEIR = Agency("11440114MA0000094E", "花都区自然资源局（演示）", "440114", short_name="花自然资源")
SCOPES = frozenset({"certificates:issue", "certificates:operate", "certificates:read"})


def client(agency: Agency) -> Actor:
    return Actor("李四", agency.code, f"client of {agency.code}", "审批", scopes=SCOPES)


def issue(registry: Registry, draft: dict[str, Any], slug: str = WORKS, **members: Any) -> Record:
    agency = members.pop("agency", PLANNING).code
    return registry.certificates.issue(slug, draft, by=CLERK, agency=agency, **members).record


def transfer(
    registry: Registry, *slugs: str, to: Agency = HEIR, of: Agency = PLANNING, day: date = FIRST
) -> None:
    registry.register.transfer(
        of.code, slugs or (WORKS,), to=to.code, from_day=day, basis=BASIS, by=CLERK
    )


def outside(registry: Registry) -> Verifier:
    """A verifier with the trust file and public status, and no store."""
    return Verifier(
        registry.trust(), status=registry.status, catalogue=registry.catalogue, clock=registry.clock
    )


def codes(report: Report) -> tuple[str, str, str]:
    return report.verdict.value, report.step("signature").code, report.step("status").code


@pytest.fixture
def heir(any_registry: Registry) -> Registry:
    """A registry with a second agency that may issue nothing yet."""
    any_registry.agencies.add(HEIR, by=CLERK)
    return any_registry


def test_from_its_day_on_the_successor_issues_and_the_old_agency_keeps_the_rest(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    transfer(heir)
    issue(heir, draft_of())
    with pytest.raises(NotCompetent):
        issue(heir, draft_of(), agency=HEIR)
    clock.move(DAY)
    new = issue(heir, draft_of(), agency=HEIR)
    assert new.issuer == HEIR.code
    with pytest.raises(NotCompetent):
        issue(heir, draft_of())
    kept = issue(heir, draft_of(PERMIT), PERMIT)
    for one in (new, kept):
        assert codes(outside(heir).verify(one.credential)) == (
            "valid",
            "signature_good",
            "status_good",
        )


def test_the_successor_withdraws_and_every_form_says_so(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    record = issue(heir, draft_of())
    wish = CopyWish("示例银行", "贷款", TODAY + 20 * DAY)
    heir.log.publish()
    document = heir.documents.get(record.id, by=CLERK).data
    copy = heir.documents.copy(record.id, wish, by=CLERK).data
    transfer(heir)
    clock.move(DAY)
    heir.certificates.operate(record.id, Operation.WITHDRAW, basis=WHY, by=client(HEIR))
    heir.log.publish()
    bundle = heir.evidence.pack(record.id, by=CLERK)
    with heir.store.reading() as reading:
        (lent,) = documents.copies(reading, record.id)
    for shown in (record.credential, record.seal, document, copy, lent.seal, bundle):
        for verifier in (outside(heir), heir):
            report = verifier.verify(shown)
            assert codes(report) == ("invalid", "signature_good", "status_withdrawn")


def test_a_statement_is_the_successors_with_its_own_entry(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    record = issue(heir, draft_of())
    heir.certificates.operate(record.id, Operation.SUSPEND, basis=WHY, by=client(PLANNING))
    transfer(heir)
    clock.move(2 * DAY)
    heir.certificates.operate(record.id, Operation.RESUME, basis=WHY, by=client(HEIR))
    heir.certificates.operate(record.id, Operation.WITHDRAW, basis=WHY, by=CLERK)
    with heir.store.reading() as reading:
        acts = statements.history(reading, record.id)
    signers = [parse_statement(one.token)[1].rpartition("/")[2] for one in acts]
    assert signers == [PLANNING.code, HEIR.code, HEIR.code]
    heir.log.publish()
    receipt = heir.log.receipt(acts[-1].log_index)
    assert (receipt.entry["issuer"], receipt.entry["ref"]) == (HEIR.code, record.log_index)
    bundle = heir.evidence.pack(record.id, by=CLERK)
    past = clock() - timedelta(hours=36)  # suspended by the old agency, not resumed yet
    clock.move(DAY)
    assert outside(heir).verify(bundle, at=past).step("status").code == "status_suspended"


def test_who_may_act_changes_at_midnight(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    record = issue(heir, draft_of())
    transfer(heir)
    with pytest.raises(NotFound):
        heir.certificates.operate(record.id, Operation.SUSPEND, basis=WHY, by=client(HEIR))
    heir.certificates.operate(record.id, Operation.SUSPEND, basis=WHY, by=client(PLANNING))
    clock.move(DAY)
    with pytest.raises(Transferred, match=HEIR.code):
        heir.certificates.operate(record.id, Operation.RESUME, basis=WHY, by=client(PLANNING))
    with pytest.raises(NotFound):
        heir.certificates.operate(record.id, Operation.RESUME, basis=WHY, by=client(CONSTRUCTION))
    heir.certificates.operate(record.id, Operation.RESUME, basis=WHY, by=client(HEIR))


@pytest.mark.parametrize("operation", [Operation.CHANGE, Operation.RENEW, Operation.REPLACE])
def test_the_next_version_is_the_successors(
    heir: Registry, draft_of: Drafts, clock: SettableClock, operation: Operation
) -> None:
    record = issue(heir, draft_of())
    transfer(heir)
    clock.move(DAY)
    draft = draft_of()
    done = heir.certificates.succeed(record.id, operation, draft, basis=WHY, by=client(HEIR)).record
    old, new = parse_identifier(record.id), parse_identifier(done.id)
    assert (new.type_code, new.serial, new.version) == (old.type_code, old.serial, old.version + 1)
    assert (new.issuer_code, done.issuer) == (HEIR.code, HEIR.code)
    assert done.body["number"] == record.body["number"]
    assert done.body["supersedes"] == record.id
    verifier = outside(heir)
    assert codes(verifier.verify(done.credential)) == ("valid", "signature_good", "status_good")
    before = verifier.verify(record.credential)
    assert codes(before) == ("invalid", "signature_good", "status_superseded")
    assert before.certificate is not None
    assert before.certificate["superseded_by"] == done.id


def test_documents_and_copies_made_later_are_the_successors(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    record = issue(heir, draft_of())
    transfer(heir)
    clock.move(3 * DAY)
    heir.log.publish()
    document = heir.documents.get(record.id, by=client(HEIR)).data
    wish = CopyWish("示例银行", "贷款", TODAY + 20 * DAY)
    copy = heir.documents.copy(record.id, wish, by=client(HEIR)).data
    with heir.store.reading() as reading:
        (lent,) = documents.copies(reading, record.id)
    for shown in (document, copy, lent.seal):
        report = outside(heir).verify(shown)
        assert codes(report) == ("valid", "signature_good", "status_good")
        assert report.certificate is not None
        assert report.certificate["issuer"]["name"] == PLANNING.name
        assert heir.verify(shown).verdict == "valid"


def test_the_successor_sees_what_it_took_over(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    record, other = issue(heir, draft_of()), issue(heir, draft_of(SITING), SITING)
    transfer(heir)
    by = client(HEIR)
    assert heir.certificates.find(Query(), by=by).records == ()
    clock.move(DAY)
    assert [one.id for one in heir.certificates.find(Query(), by=by).records] == [record.id]
    assert heir.certificates.get(record.id, by=by).id == record.id
    with pytest.raises(NotFound):
        heir.certificates.get(other.id, by=by)
    assert heir.certificates.get(record.id, by=client(PLANNING)).id == record.id


def test_it_is_signed_logged_and_in_the_trust_file(heir: Registry) -> None:
    transfer(heir)
    heir.log.publish()
    _, _, act = parse_register(heir.register.entries(limit=100)[0][-1].statement)
    assert (act.act, act.agency, act.successor) == (
        RegisterAct.TRANSFERRED,
        PLANNING.code,
        HEIR.code,
    )
    assert (act.type, act.from_day, act.basis) == (WORKS, FIRST, BASIS)
    (shown,) = heir.trust().to_json()["registries"]
    (old,) = [one for one in shown["agencies"][PLANNING.code]["may_issue"] if one["type"] == WORKS]
    assert (old["to"], old["successor"]) == ("2026-03-02", HEIR.code)
    assert shown["agencies"][HEIR.code]["may_issue"] == [{"type": WORKS, "from": "2026-03-03"}]


def test_it_goes_on_from_agency_to_agency_and_never_round(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    heir.agencies.add(CONSTRUCTION, by=CLERK)
    record = issue(heir, draft_of())
    transfer(heir)
    with pytest.raises(InputError, match="circle"):
        transfer(heir, of=HEIR, to=PLANNING, day=FIRST + 2 * DAY)
    with pytest.raises(InputError, match="already"):
        transfer(heir, to=CONSTRUCTION)
    transfer(heir, of=HEIR, to=CONSTRUCTION, day=FIRST + 2 * DAY)
    clock.move(3 * DAY)
    with pytest.raises(Transferred, match=CONSTRUCTION.code):
        heir.certificates.operate(record.id, Operation.SUSPEND, basis=WHY, by=client(PLANNING))
    with pytest.raises(Transferred, match=CONSTRUCTION.code):  # who answered for it on its way
        heir.certificates.operate(record.id, Operation.SUSPEND, basis=WHY, by=client(HEIR))
    assert heir.certificates.get(record.id, by=client(HEIR)).id == record.id
    heir.certificates.operate(record.id, Operation.SUSPEND, basis=WHY, by=client(CONSTRUCTION))
    report = outside(heir).verify(heir.evidence.pack(record.id, by=CLERK, publishes=True))
    assert report.step("status").code == "status_suspended"
    with pytest.raises(InputError, match="transferred"):
        heir.register.allow(PLANNING.code, [WORKS], basis=BASIS, by=CLERK)


def test_a_transfer_begins_tomorrow_at_the_earliest(heir: Registry) -> None:
    for day in (TODAY, TODAY - DAY):
        with pytest.raises(IssuedAfter):
            transfer(heir, day=day)
    with pytest.raises(NotFound):
        transfer(heir, to=CONSTRUCTION)


def test_numbers_that_both_carry_are_listed(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    heir.register.allow(HEIR.code, [WORKS], basis=BASIS, by=CLERK)
    number = "建字第4401142026GG0000077号"
    for agency in (PLANNING, HEIR):
        issue(heir, draft_of(number=number), agency=agency)
    size = heir.log.head().size
    with pytest.raises(NumberTaken, match="0000077"):
        transfer(heir)
    assert heir.log.head().size == size


def test_a_number_of_the_predecessor_is_taken_for_the_successor(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    number = "建字第4401142026GG0000077号"
    issue(heir, draft_of(number=number))
    transfer(heir)
    clock.move(DAY)
    with pytest.raises(NumberTaken):
        issue(heir, draft_of(number=number), agency=HEIR)


def test_a_merger_closes_the_old_agency(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    record = issue(heir, draft_of())
    slugs = [one.slug for one in heir.register.competences(PLANNING.code)]
    with pytest.raises(InputError, match="--ended"):
        heir.agencies.close(PLANNING.code, from_day=FIRST, basis=BASIS, by=CLERK)
    transfer(heir, *slugs)
    heir.agencies.close(PLANNING.code, from_day=FIRST, basis=BASIS, by=CLERK)
    clock.move(DAY)
    heir.certificates.operate(record.id, Operation.WITHDRAW, basis=WHY, by=client(HEIR))
    assert codes(outside(heir).verify(record.seal)) == (
        "invalid",
        "signature_good",
        "status_withdrawn",
    )


def test_where_nobody_took_over_the_registry_itself_speaks(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    record = issue(heir, draft_of())
    slugs = [one.slug for one in heir.register.competences(PLANNING.code)]
    heir.agencies.close(PLANNING.code, from_day=FIRST, basis=BASIS, ended=slugs, by=CLERK)
    clock.move(DAY)
    for operation in (Operation.SUSPEND, Operation.RESUME):
        heir.certificates.operate(record.id, operation, basis=WHY, by=CLERK)
        clock.move(DAY)
    with heir.store.reading() as reading:
        issuers = {parse_statement(one.token)[1] for one in statements.history(reading, record.id)}
    assert issuers == {heir.base}
    heir.log.publish()
    bundle = heir.evidence.pack(record.id, by=CLERK)
    between = clock() - timedelta(hours=36)
    assert outside(heir).verify(bundle, at=between).step("status").code == "status_suspended"


def test_a_competence_that_the_successor_has_goes_on(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    heir.register.allow(HEIR.code, [WORKS], basis=BASIS, by=CLERK)
    own = issue(heir, draft_of(), agency=HEIR)
    transfer(heir)
    clock.move(2 * DAY)
    new = issue(heir, draft_of(), agency=HEIR)
    held = [one for one in heir.register.competences(HEIR.code) if one.slug == WORKS]
    assert [(one.from_day, one.to_day) for one in held] == [(TODAY, None)]
    for one in (own, new):
        assert outside(heir).verify(one.credential).verdict == "valid"


def test_a_division_that_the_successor_has_may_be_another(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    other = replace(CONSTRUCTION, division="440113")
    heir.agencies.add(other, by=CLERK)
    record = issue(heir, draft_of())
    transfer(heir, to=other)
    clock.move(DAY)
    done = heir.certificates.succeed(
        record.id, Operation.CHANGE, draft_of(), basis=WHY, by=CLERK
    ).record
    assert done.body["number"] == record.body["number"]
    assert "440113" in issue(heir, draft_of(), agency=other).body["number"]


# -- what a review found ------------------------------------------------------------------------------


def test_a_period_that_would_begin_later_is_handed_over_too(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    """Yearly periods: the next one follows at once, and would have gone on with the old agency."""
    third = replace(CONSTRUCTION, code="11440114MA0000112M", name="示例局（演示）")
    heir.agencies.add(third, by=CLERK)
    basis, allow = BASIS, heir.register.allow
    for first, last in ((TODAY, TODAY), (FIRST, TODAY + 30 * DAY), (TODAY + 31 * DAY, None)):
        allow(third.code, [WORKS], basis=basis, term=Term(first, last), by=CLERK)
    record = issue(heir, draft_of(), agency=third)
    transfer(heir, of=third)
    held = [one for one in heir.register.competences(third.code) if one.slug == WORKS]
    assert [(one.from_day, one.to_day, one.successor) for one in held] == [
        (TODAY, TODAY, HEIR.code)
    ]
    clock.move(DAY)
    with pytest.raises(NotCompetent):
        issue(heir, draft_of(), agency=third)
    heir.certificates.operate(record.id, Operation.WITHDRAW, basis=WHY, by=client(HEIR))
    heir.log.publish()
    acts = [parse_register(one.statement)[2] for one in heir.register.entries(limit=100)[0]]
    last_ones = [(one.act, one.from_day, one.to_day) for one in acts[-3:]]
    assert last_ones == [
        (RegisterAct.TRANSFERRED, FIRST, None),
        (RegisterAct.ENDED, FIRST, TODAY),
        (RegisterAct.ENDED, TODAY + 31 * DAY, TODAY + 30 * DAY),
    ]


def test_an_end_ends_what_would_begin_later_too(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    for first, last in ((TODAY, TODAY), (FIRST, None)):
        heir.register.allow(HEIR.code, [WORKS], basis=BASIS, term=Term(first, last), by=CLERK)
    heir.register.disallow(HEIR.code, [WORKS], basis=BASIS, by=CLERK)
    clock.move(DAY)
    with pytest.raises(NotCompetent):
        issue(heir, draft_of(), agency=HEIR)
    heir.register.allow(HEIR.code, [WORKS], basis=BASIS, by=CLERK)
    assert outside(heir).verify(issue(heir, draft_of(), agency=HEIR).seal).verdict == "valid"


def test_numbers_stay_apart_from_when_the_transfer_is_registered(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    heir.register.allow(HEIR.code, [WORKS], basis=BASIS, by=CLERK)
    transfer(heir)
    number = "建字第4401142026GG0000077号"
    record = issue(heir, draft_of(number=number))
    with pytest.raises(NumberTaken):
        issue(heir, draft_of(number=number), agency=HEIR)
    clock.move(DAY)
    done = heir.certificates.succeed(
        record.id, Operation.REPLACE, draft_of(), basis=WHY, by=client(HEIR)
    )
    assert done.record.body["number"] == number


def test_an_agency_is_not_closed_before_what_it_hands_over_is(heir: Registry) -> None:
    transfer(heir, day=FIRST + 5 * DAY)
    slugs = [one.slug for one in heir.register.competences(PLANNING.code)]
    with pytest.raises(InputError, match="close it then"):
        heir.agencies.close(PLANNING.code, from_day=FIRST, basis=BASIS, ended=slugs, by=CLERK)
    with pytest.raises(InputError, match="nothing else ends it"):
        heir.register.disallow(PLANNING.code, [WORKS], basis=BASIS, by=CLERK)


def test_the_old_agency_may_be_its_successors_delegate(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    record = issue(heir, draft_of())
    transfer(heir)
    wish = ReceptionWish(PLANNING.code, HEIR.code, BASIS, acts=("receive", "issue"))
    reception = heir.receptions.add(wish, by=CLERK)
    clock.move(DAY)
    by = client(PLANNING)
    done = heir.certificates.succeed(record.id, Operation.REPLACE, draft_of(), basis=WHY, by=by)
    assert done.record.issuer == HEIR.code
    with pytest.raises(Transferred):
        heir.certificates.operate(record.id, Operation.SUSPEND, basis=WHY, by=by)
    key = Idempotency(by.client or "", "x", b"k" * 32, b"b" * 32)
    made = heir.certificates.issue(WORKS, draft_of(), by=by, agency=HEIR.code, idempotency=key)
    assert made.record.issuer == HEIR.code
    heir.receptions.end(reception.id, by=CLERK)
    with pytest.raises(Forbidden):  # asked again, the right is looked at afresh
        heir.certificates.issue(WORKS, draft_of(), by=by, agency=HEIR.code, idempotency=key)


def test_a_delegate_of_the_old_agency_acts_upon_what_that_one_issued(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    heir.agencies.add(CONSTRUCTION, by=CLERK)
    heir.register.allow(HEIR.code, [WORKS], basis=BASIS, by=CLERK)
    heir.receptions.add(
        ReceptionWish(CONSTRUCTION.code, PLANNING.code, BASIS, acts=("receive", "issue")), by=CLERK
    )
    old, own = issue(heir, draft_of()), issue(heir, draft_of(), agency=HEIR)
    transfer(heir)
    clock.move(DAY)
    by, replace_ = client(CONSTRUCTION), Operation.REPLACE
    heir.certificates.succeed(old.id, replace_, draft_of(), basis=WHY, by=by)
    with pytest.raises(NotFound):
        heir.certificates.succeed(own.id, replace_, draft_of(), basis=WHY, by=by)


def test_the_successor_is_told_and_the_old_agency_is_not(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    below = issue(heir, draft_of(SITING), SITING)
    record = issue(heir, draft_of(rests_on=[below.id]))
    rows = {}
    for agency in (PLANNING, HEIR):
        jwk = public_jwk(make_signer().public_key)
        rows[agency.code] = heir.clients.add(
            "系统", agency=agency.code, scopes=["certificates:read"], jwk=jwk, by=CLERK
        )
    transfer(heir)
    clock.move(DAY)
    heir.certificates.operate(below.id, Operation.SUSPEND, basis=WHY, by=CLERK)
    told = {}
    for code, row in rows.items():
        by = Actor("李四", code, row.id, scopes=row.allowed)
        told[code] = [one["certificate"] for one in heir.changes.since(by=by)[0]]
    assert told == {PLANNING.code: [], HEIR.code: [record.id]}
    complaint = Complaint(record.id, "number", "不对")
    heir.objections.add(complaint, by=CLERK)
    for code, count in ((PLANNING.code, 0), (HEIR.code, 1)):
        by = Actor("李四", code, rows[code].id, scopes=rows[code].allowed)
        assert len(heir.objections.all(by=by)) == count


def test_a_principals_delegate_rests_on_what_the_principal_took_over(
    heir: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    heir.agencies.add(CONSTRUCTION, by=CLERK)
    below = issue(heir, draft_of(SITING), SITING)
    transfer(heir, SITING, WORKS)
    heir.receptions.add(
        ReceptionWish(CONSTRUCTION.code, HEIR.code, BASIS, acts=("receive", "issue")), by=CLERK
    )
    clock.move(DAY)
    draft = draft_of(rests_on=[below.id])
    made = heir.certificates.issue(WORKS, draft, by=client(CONSTRUCTION), agency=HEIR.code).record
    assert made.body["rests_on"] == [below.id]
