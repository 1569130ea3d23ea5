"""Who had the right to issue: every way round the register, and what each verifier says of it."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from ecert.config import Surroundings, open_registry
from ecert.errors import (
    CompetenceOverlaps,
    EcertError,
    Forbidden,
    ForkGuard,
    IssuedAfter,
    NotCompetent,
    RegisterUnsigned,
)
from ecert.formats._jws import verify_jws
from ecert.formats.receipt import verify_receipt
from ecert.formats.register import RegisterAct, parse_register
from ecert.ids import Identifier, parse_identifier
from ecert.keys import Role, Trust, parse_trust
from ecert.model import PAPER, Actor, Agency, Basis, Operation, Record, civil_date
from ecert.pdf.parts import Parts
from ecert.pdf.render import render
from ecert.pdf.sign import sign
from ecert.registry import CopyWish, IssueRequest, Query, Registry
from ecert.registry.register import Term
from ecert.store import documents
from ecert.testing import SettableClock
from tests.adversary.forge import (
    Cose,
    Sd,
    Stolen,
    b64,
    expect,
    make_bundle,
    sign_jwt,
    trust_with,
    un_b64url,
    verifier_of,
)
from tests.conftest import CLERK, CONSTRUCTION, PLANNING, WORKS, trail_rows

Drafts = Callable[..., dict[str, Any]]
LICENCE, PERMIT = "business-licence", "construction-permit"
MARKET = Agency("11440114MA0000095H", "花都区市场监督管理局（演示）", "440114")
WHY = Basis("变更", "穗规划资源批〔2026〕1号", "赵六")
BASIS = "穗花编办〔2019〕1号"
DAY = timedelta(days=1)


@pytest.fixture
def market(registry: Registry, record: Record) -> Registry:
    """A registry with a market bureau, which may issue business licences and nothing else."""
    del record
    registry.agencies.add(MARKET, by=CLERK, may_issue=[LICENCE], basis=BASIS)
    return registry


def of_market(identifier: str) -> str:
    """Write an identifier as if the market bureau had issued it, check character and all."""
    there = parse_identifier(identifier)
    return str(Identifier(there.type_code, MARKET.code, there.serial))


def forged(registry: Registry, sd: Sd, stolen: Stolen, **claims: Any) -> str:
    """The market bureau's planning permit, signed with its real key and certificate."""
    made = sd.changed(
        iss=f"{registry.base}/agencies/{MARKET.code}",
        id=of_market(sd.payload["id"]),
        issuer={"code": MARKET.code, "name": MARKET.name},
        **claims,
    )
    chain = [b64(stolen.leaf(Role.AGENCY, MARKET.code))]
    return made.with_header(x5c=chain, kid=None).signed(stolen.key(Role.AGENCY, MARKET.code))


# -- issuing ---------------------------------------------------------------------------------------------


def test_an_agency_issues_its_own_types_alone(market: Registry, draft_of: Drafts) -> None:
    market.certificates.issue(LICENCE, draft_of(LICENCE), by=CLERK, agency=MARKET.code)
    size = market.log.head().size
    with pytest.raises(NotCompetent, match="ecert agency allow"):
        market.certificates.issue(WORKS, draft_of(), by=CLERK, agency=MARKET.code)
    assert market.log.head().size == size
    (refused,) = [row for row in trail_rows(market) if row["outcome"] == "not_competent"]
    assert refused["action"] == "issue"


def test_its_client_issues_no_more_and_for_no_other(market: Registry, draft_of: Drafts) -> None:
    by = Actor("李四", MARKET.code, "client", scopes=frozenset({"certificates:issue"}))
    with pytest.raises(NotCompetent):
        market.certificates.issue(WORKS, draft_of(), by=by)
    with pytest.raises(Forbidden):
        market.certificates.issue(WORKS, draft_of(), by=by, agency=PLANNING.code)


def test_a_parent_is_not_competent_for_its_child(registry: Registry, draft_of: Drafts) -> None:
    registry.agencies.add(MARKET, by=CLERK)
    child = replace(CONSTRUCTION, parent=MARKET.code)
    registry.agencies.add(child, by=CLERK, may_issue=[PERMIT])
    registry.certificates.issue(PERMIT, draft_of(PERMIT), by=CLERK, agency=CONSTRUCTION.code)
    with pytest.raises(NotCompetent):
        registry.certificates.issue(PERMIT, draft_of(PERMIT), by=CLERK, agency=MARKET.code)


def test_a_brought_identifier_and_number_change_nothing(
    market: Registry, draft_of: Drafts, record: Record
) -> None:
    identifier = of_market(record.id)
    wish = draft_of(number="建字第4401142026GG0000900号")
    request = IssueRequest(WORKS, wish, CLERK, MARKET.code, identifier=identifier)
    (result,) = market.certificates.issue_many([request])
    assert isinstance(result, NotCompetent)


@pytest.mark.parametrize("operation", [Operation.CHANGE, Operation.RENEW, Operation.REPLACE])
def test_the_next_version_needs_the_right_too_and_ending_does_not(
    registry: Registry, record: Record, draft_of: Drafts, clock: SettableClock, operation: Operation
) -> None:
    registry.register.disallow(PLANNING.code, [WORKS], basis=BASIS, by=CLERK)
    registry.certificates.succeed(
        record.id, operation, draft_of(), basis=WHY, by=CLERK
    )  # today yet
    clock.move(DAY)
    (newest,) = [
        one
        for one in registry.certificates.find(Query(), by=CLERK).records
        if one.superseded_by is None
    ]
    with pytest.raises(NotCompetent):
        registry.certificates.succeed(newest.id, operation, draft_of(), basis=WHY, by=CLERK)
    for act in (Operation.SUSPEND, Operation.RESUME, Operation.REVOKE):
        registry.certificates.operate(newest.id, act, basis=WHY, by=CLERK)


def test_days_are_inclusive_and_the_agencys_own(
    registry: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    registry.agencies.add(CONSTRUCTION, by=CLERK)
    term = Term(
        date(2026, 3, 3), date(2026, 3, 4)
    )  # the clock shows 2026-03-02, 09:30 in Guangzhou
    registry.register.allow(CONSTRUCTION.code, [PERMIT], basis=BASIS, by=CLERK, term=term)
    outcomes = []
    for moment in ("02T15:59:59", "02T16:00:00", "04T15:59:59", "04T16:00:00"):
        clock.now = datetime.fromisoformat(f"2026-03-{moment}+00:00")
        try:
            registry.certificates.issue(
                PERMIT, draft_of(PERMIT), by=CLERK, agency=CONSTRUCTION.code
            )
            outcomes.append("issued")
        except NotCompetent as error:
            outcomes.append(error.code)
    assert outcomes == ["not_competent", "issued", "issued", "not_competent"]


def test_a_right_for_paper_alone_issues_nothing_new(registry: Registry, draft_of: Drafts) -> None:
    registry.agencies.add(CONSTRUCTION, by=CLERK)
    term = Term(only=PAPER)
    registry.register.allow(CONSTRUCTION.code, [PERMIT], basis=BASIS, by=CLERK, term=term)
    with pytest.raises(NotCompetent):
        registry.certificates.issue(PERMIT, draft_of(PERMIT), by=CLERK, agency=CONSTRUCTION.code)


def test_periods_of_one_type_do_not_overlap(registry: Registry) -> None:
    with pytest.raises(CompetenceOverlaps):
        registry.register.allow(PLANNING.code, [WORKS], basis=BASIS, by=CLERK)
    registry.register.disallow(
        PLANNING.code, [WORKS], basis=BASIS, by=CLERK, from_day=date(2026, 4, 1)
    )
    for first in (date(2026, 1, 1), date(2026, 3, 31)):
        with pytest.raises(CompetenceOverlaps):
            registry.register.allow(
                PLANNING.code, [WORKS], basis=BASIS, by=CLERK, term=Term(first, date(2026, 3, 31))
            )
    term = Term(date(2026, 4, 1))
    registry.register.allow(PLANNING.code, [WORKS], basis=BASIS, by=CLERK, term=term)


def test_what_was_issued_is_not_taken_back_by_a_day(
    registry: Registry, record: Record, clock: SettableClock
) -> None:
    del record
    clock.move(3 * DAY)
    for day in (date(2026, 3, 2), date(2026, 3, 5)):  # the day of the issue; and today
        with pytest.raises(IssuedAfter):
            registry.register.disallow(PLANNING.code, [WORKS], basis=BASIS, by=CLERK, from_day=day)


@pytest.mark.parametrize("basis", ["", "第一行\n第二行", "长" * 201])
def test_an_act_upon_the_register_has_a_basis(registry: Registry, basis: str) -> None:
    size = registry.log.head().size
    with pytest.raises(EcertError):
        registry.register.disallow(PLANNING.code, [WORKS], basis=basis, by=CLERK)
    assert registry.log.head().size == size


def test_the_register_is_the_operators_alone(registry: Registry) -> None:
    by = Actor("李四", PLANNING.code, "client", scopes=frozenset({"clients:manage"}))
    for act in (registry.register.allow, registry.register.disallow):
        with pytest.raises(Forbidden):
            act(PLANNING.code, [WORKS], basis=BASIS, by=by)
    with pytest.raises(Forbidden):
        registry.agencies.add(MARKET, by=by)


def test_two_writers_while_a_right_ends(
    any_registry: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    """Every issue is on one side of the end: whoever was late is refused, and nothing is torn."""
    any_registry.register.disallow(PLANNING.code, [WORKS], basis=BASIS, by=CLERK)

    def issue(place: int) -> str:
        if place == 10:
            clock.move(DAY)
        try:
            any_registry.certificates.issue(WORKS, draft_of(), by=CLERK)
        except NotCompetent as error:
            return error.code
        return "issued"

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(issue, range(24)))
    assert set(outcomes) <= {"issued", "not_competent"}
    assert outcomes[-1] == "not_competent"
    (ended,) = [one for one in any_registry.register.competences() if one.to_day is not None]
    assert ended.to_entry is not None
    entries = any_registry.log.check().size
    assert entries == ended.to_entry  # nothing was entered after the end


def test_rows_of_an_older_version_wait_for_the_operator(
    registry: Registry, draft_of: Drafts
) -> None:
    registry.store.write(
        lambda tx: tx.connection.exec_driver_sql("UPDATE competences SET register_index = NULL")
    )
    with pytest.raises(RegisterUnsigned, match="ecert upgrade"):
        registry.certificates.issue(WORKS, draft_of(), by=CLERK)
    signed = registry.register.sign_taken_over(by=CLERK)
    assert {one.slug for one in signed} >= {WORKS}
    registry.certificates.issue(WORKS, draft_of(), by=CLERK)
    assert registry.register.sign_taken_over(by=CLERK) == []


# -- the register's statements ---------------------------------------------------------------------------


def test_every_act_is_signed_logged_and_public(market: Registry) -> None:
    market.register.disallow(MARKET.code, [LICENCE], basis=BASIS, by=CLERK)
    market.log.publish()
    entries, following = market.register.entries(limit=100)
    assert following is None
    trusted = market.trusted()
    acts = []
    for entry in entries:
        jws, issuer, statement = parse_register(entry.statement)
        key = trusted.registry_key(jws.header.chain, statement.at)
        verify_jws(jws, key.key)
        verify_receipt(
            entry.receipt,
            signed=entry.statement.encode(),
            issuer=statement.agency,
            kind=statement.type or "-",
            logs=trusted.logs,
        )
        assert entry.receipt.entry["event"] == "register"
        assert issuer == market.base
        acts.append((statement.agency, statement.act, statement.type))
    assert acts[-3:] == [
        (MARKET.code, RegisterAct.REGISTERED, None),
        (MARKET.code, RegisterAct.GRANTED, LICENCE),
        (MARKET.code, RegisterAct.ENDED, LICENCE),
    ]


def test_the_trust_file_is_what_the_statements_lead_to(market: Registry) -> None:
    """The fold of all statements in log order, done here with nothing but the tokens."""
    market.register.disallow(MARKET.code, [LICENCE], basis=BASIS, by=CLERK)
    market.log.publish()
    folded: dict[tuple[str, str, str], str | None] = {}
    for entry in market.register.entries(limit=100)[0]:
        _, _, one = parse_register(entry.statement)
        last = None if one.to_day is None else one.to_day.isoformat()
        if one.act in {RegisterAct.GRANTED, RegisterAct.ENDED}:
            folded[one.agency, str(one.type), one.from_day.isoformat()] = last
    (shown,) = market.trust().to_json()["registries"]
    listed = {
        (code, one["type"], one["from"]): one.get("to")
        for code, agency in shown["agencies"].items()
        for one in agency["may_issue"]
    }
    assert listed == folded


def test_the_trust_file_is_of_the_newest_entry_and_the_same_bytes(
    registry: Registry, record: Record, clock: SettableClock
) -> None:
    made_at = clock.now
    clock.move(timedelta(hours=5))
    (one,) = registry.trust().registries
    assert one.as_of is not None
    assert (one.as_of.at, one.as_of.size) == (made_at, record.log_index + 1)
    assert one.as_of.log == registry.log.origin
    assert registry.trust().to_bytes() == registry.trust().to_bytes()
    assert parse_trust(registry.trust().to_bytes()).to_json() == registry.trust().to_json()


# -- verifying what was signed without the right -----------------------------------------------------------


def test_the_market_bureaus_planning_permit(market: Registry, sd: Sd, stolen: Stolen) -> None:
    made = forged(market, sd, stolen)
    offline = verifier_of(market).verify(made)
    expect(offline, "invalid", signature="signature_good", type="not_competent")
    assert offline.step("type").evidence_at is not None
    expect(market.verify(made), "invalid", type="not_competent", log="unknown_here")


def test_before_and_after_the_period(
    market: Registry, sd: Sd, stolen: Stolen, clock: SettableClock
) -> None:
    """The dates are the signer's word: the bureau had the right on two days only."""
    term = Term(date(2026, 3, 4), date(2026, 3, 5))
    market.register.allow(MARKET.code, [WORKS], basis=BASIS, by=CLERK, term=term)
    clock.move(10 * DAY)
    market.agencies.add(CONSTRUCTION, by=CLERK)  # an entry, so that the trust file is of today
    verifier = verifier_of(market)
    for shift, code in ((1, "not_competent"), (2, "competence_unproven"), (4, "not_competent")):
        made = forged(market, sd, stolen, iat=sd.payload["iat"] + shift * 86400)
        assert verifier.verify(made).step("type").code == code


def test_a_name_that_the_agency_never_had(registry: Registry, sd: Sd, stolen: Stolen) -> None:
    issuer = {"code": PLANNING.code, "name": "花都区规划局"}
    made = sd.changed(issuer=issuer).signed(stolen.key(Role.AGENCY, PLANNING.code))
    expect(verifier_of(registry).verify(made), "invalid", type="issuer_name")


def test_a_name_that_a_trust_file_is_too_old_for(
    registry: Registry, draft_of: Drafts, clock: SettableClock
) -> None:
    registry.certificates.issue(WORKS, draft_of(), by=CLERK)
    old = registry.trust()
    tomorrow = civil_date(clock.now, PLANNING.time_zone) + DAY
    renamed = replace(
        registry.agencies.newest(PLANNING.code), name="花都区自然资源局", from_day=tomorrow
    )
    registry.agencies.change(renamed, basis=BASIS, by=CLERK)
    clock.move(DAY)
    made = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    report = verifier_of(registry, trust=old).verify(made.credential)
    expect(report, "undetermined", signature="signature_good", type="trust_too_old")
    report = verifier_of(registry).verify(made.credential)
    expect(report, "undetermined", type="type_good")


def test_an_old_trust_file_cannot_say(
    registry: Registry, record: Record, clock: SettableClock, draft_of: Drafts
) -> None:
    del record
    old = registry.trust()
    clock.move(DAY)
    registry.agencies.add(MARKET, by=CLERK, may_issue=[LICENCE])
    draft = draft_of(LICENCE)
    made = registry.certificates.issue(LICENCE, draft, by=CLERK, agency=MARKET.code).record
    report = verifier_of(registry, trust=old).verify(made.credential)
    expect(report, "undetermined", signature="trust_too_old")
    registry.register.allow(MARKET.code, [PERMIT], basis=BASIS, by=CLERK)
    middle = trust_with(
        registry, change=lambda one: one["agencies"][MARKET.code]["may_issue"].clear()
    )
    clock.move(DAY)
    later = registry.certificates.issue(LICENCE, draft, by=CLERK, agency=MARKET.code).record
    report = verifier_of(registry, trust=middle).verify(later.credential)
    expect(report, "undetermined", signature="signature_good", type="trust_too_old")
    expect(
        verifier_of(registry, trust=middle).verify(made.credential), "invalid", type="not_competent"
    )


def test_a_trust_file_of_version_1_is_read_and_warns(registry: Registry, record: Record) -> None:
    report = verifier_of(registry, trust=_as_version_1(registry)).verify(record.credential)
    assert report.step("type").code == "type_good"
    assert [one["code"] for one in report.warnings] == ["competence_unlisted"]


def _as_version_1(registry: Registry) -> Trust:
    shown = registry.trust().to_json()
    for one in shown["registries"]:
        one.pop("as_of")
        for agency in one["agencies"].values():
            agency["name"] = agency.pop("names")[-1]["name"]
            agency.pop("may_issue")
    return parse_trust(json.dumps({**shown, "v": 1}))


# -- the name of the key in the header ---------------------------------------------------------------------


def test_the_header_names_the_leafs_key(registry: Registry, sd: Sd, stolen: Stolen) -> None:
    key = stolen.key(Role.AGENCY, PLANNING.code)
    assert sd.header["kid"] == registry.keys.ring.active(Role.AGENCY, PLANNING.code).kid
    verifier = verifier_of(registry)
    absent = sd.with_header(kid=None).signed(key)
    assert verifier.verify(absent).step("signature").code == "signature_good"
    for kid in (registry.keys.ring.active(Role.STATUS).kid, "", "x" * 43):
        made = sd.with_header(kid=kid).signed(key)
        expect(verifier.verify(made), "invalid", signature="signature_bad")


# -- ended periods -----------------------------------------------------------------------------------------


@pytest.fixture
def ended(registry: Registry, record: Record, clock: SettableClock) -> Registry:
    """The planning bureau's right for works ended the day after the issue, and was closed."""
    del record
    registry.log.publish()
    registry.register.disallow(PLANNING.code, [WORKS], basis=BASIS, by=CLERK)
    clock.move(2 * DAY)
    registry.trust()  # the first that writes closes it
    return registry


def test_what_was_signed_before_stays_good(ended: Registry, record: Record) -> None:
    """The key was changed at the end: it is destroyed, so nothing can be signed back into the period."""
    states = [one.state for one in ended.keys.all() if one.agency == PLANNING.code]
    assert sorted(states) == ["active", "retired"]
    for shown in (record.credential, record.seal):
        report = verifier_of(ended).verify(shown)
        expect(report, "undetermined", signature="signature_good", type="type_good")
    expect(ended.verify(record.credential), "valid", type="type_good")
    assert ended.settlement.unproven() == []


def test_without_a_new_key_the_signers_word_is_not_believed(
    registry: Registry, record: Record, clock: SettableClock, sd: Sd, stolen: Stolen
) -> None:
    """A brought certificate stays: a receipt from before the end is then the only proof."""
    key = stolen.key(Role.AGENCY, PLANNING.code)
    registry.log.publish()
    receipt = str(registry.log.receipt(record.log_index))
    registry.register.disallow(PLANNING.code, [WORKS], basis=BASIS, by=CLERK)
    pending = "DELETE FROM keys WHERE state = 'pending'"
    registry.store.write(lambda tx: tx.connection.exec_driver_sql(pending))
    registry.keys.ring.forget()
    clock.move(2 * DAY)
    verifier = verifier_of(registry)
    expect(verifier.verify(record.credential), "undetermined", type="competence_unproven")
    expect(verifier.verify(record.seal), "undetermined", type="competence_unproven")
    proved = verifier.verify(record.credential, receipt=receipt)
    expect(proved, "undetermined", type="type_good", status="offline")
    back_dated = sd.changed(iat=sd.payload["iat"] + 60).signed(key)
    expect(verifier.verify(back_dated), "undetermined", type="competence_unproven")
    expect(registry.verify(back_dated), "invalid", log="unknown_here")
    assert [one.slug for one in registry.settlement.unproven()] == [WORKS]


def test_a_period_that_goes_on_at_once_has_not_ended(
    registry: Registry, record: Record, clock: SettableClock
) -> None:
    registry.register.disallow(PLANNING.code, [WORKS], basis=BASIS, by=CLERK)
    registry.register.allow(
        PLANNING.code, [WORKS], basis=BASIS, by=CLERK, term=Term(date(2026, 3, 3))
    )
    clock.move(5 * DAY)
    expect(verifier_of(registry).verify(record.credential), "undetermined", type="type_good")
    assert all(one.to_entry is None for one in registry.register.competences())


def test_a_key_that_a_backup_may_hold_is_no_proof(ended: Registry, record: Record) -> None:
    def keep(one: dict[str, Any]) -> None:
        one["retired"][0]["destroyed"] = False

    verifier = verifier_of(ended, trust=trust_with(ended, change=keep))
    expect(verifier.verify(record.credential), "undetermined", type="competence_unproven")


def test_a_key_retired_too_late_is_no_proof(ended: Registry, record: Record) -> None:
    def late(one: dict[str, Any]) -> None:
        one["retired"][0]["at"] = "2026-03-04T16:00:01Z"  # a second into the third day

    verifier = verifier_of(ended, trust=trust_with(ended, change=late))
    expect(verifier.verify(record.credential), "undetermined", type="competence_unproven")


def test_a_copy_made_after_the_end_is_good(
    ended: Registry, record: Record, clock: SettableClock
) -> None:
    until = clock.now.astimezone(UTC).date() + 30 * DAY
    copy = ended.documents.copy(record.id, CopyWish("示例银行", "贷款", until), by=CLERK)
    expect(ended.verify(copy.data), "valid", type="type_good", agreement="agreement_good")


def test_a_restored_backup_reads_on_though_a_period_has_ended(
    registry: Registry, record: Record, draft_of: Drafts, tmp_path: Any, clock: SettableClock
) -> None:
    """Its log would fork, so nothing can be closed; the trust file and verification are had all the same."""
    registry.register.disallow(PLANNING.code, [WORKS], basis=BASIS, by=CLERK)
    registry.log.publish()
    shutil.copytree(tmp_path / "home", tmp_path / "backup")
    registry.certificates.issue(WORKS, draft_of(), by=CLERK)
    registry.log.publish()
    clock.move(2 * DAY)
    around = Surroundings(clock=clock, state=tmp_path / "state")
    restored = open_registry(tmp_path / "backup", around=around, claims=True)
    report = restored.verify(record.credential)
    assert report.step("type").code == "type_good"
    with pytest.raises((NotCompetent, ForkGuard)):
        restored.certificates.issue(WORKS, draft_of(), by=CLERK)
    restored.close()


# -- what was never issued here ------------------------------------------------------------------------------


def test_a_credential_of_a_stolen_key_is_unknown_here(
    registry: Registry, sd: Sd, stolen: Stolen
) -> None:
    made = sd.changed(number="建字第4401142026GG0000777号").signed(
        stolen.key(Role.AGENCY, PLANNING.code)
    )
    expect(registry.verify(made), "invalid", signature="signature_good", log="unknown_here")
    expect(verifier_of(registry).verify(made), "undetermined", log="no_receipt")


def test_a_seal_of_a_stolen_key_is_unknown_here(
    registry: Registry, cose: Cose, stolen: Stolen
) -> None:
    key = stolen.key(Role.AGENCY, PLANNING.code)
    made = replace(cose, claims={**cose.claims, "c": bytes(16)}).signed(key)
    expect(registry.verify(made), "invalid", signature="signature_good", log="unknown_here")


def test_a_copys_seal_of_a_stolen_key_is_unknown_here(
    registry: Registry, record: Record, cose: Cose, stolen: Stolen, clock: SettableClock
) -> None:
    until = clock.now.date() + 30 * DAY
    copy = registry.documents.copy(record.id, CopyWish("示例银行", "贷款", until), by=CLERK)
    expect(registry.verify(copy.data), "valid", log="log_good")
    with registry.store.reading() as reading:
        (row,) = documents.copies(reading, record.id)
    expect(registry.verify(row.seal), "valid", log="no_receipt")
    genuine = Cose.of(row.seal)
    lent = {**genuine.claims, "r": "另一家银行", "c": bytes(16)}
    made = replace(genuine, claims=lent).signed(stolen.key(Role.AGENCY, PLANNING.code))
    expect(registry.verify(made), "invalid", log="unknown_here")
    del cose


def test_a_copys_document_of_a_stolen_key_is_unknown_here(
    registry: Registry, record: Record, stolen: Stolen, clock: SettableClock
) -> None:
    """The thief makes a whole PDF around a genuine certificate: record, code and page agree."""
    until = clock.now.date() + 30 * DAY
    copy = registry.documents.copy(record.id, CopyWish("示例银行", "贷款", until), by=CLERK)
    with pikepdf.open(io.BytesIO(copy.data)) as pdf:
        texts = {
            name: one.get_file().read_bytes().decode() for name, one in pdf.attachments.items()
        }
    key = stolen.key(Role.AGENCY, PLANNING.code)
    head, claims, _ = texts["copy.jwt"].split(".")
    lent = {**json.loads(un_b64url(claims)), "recipient": "另一家银行"}
    token = sign_jwt(json.loads(un_b64url(head)), lent, key)
    seal = Cose.of(texts["seal.txt"])
    own = {**seal.claims, "r": "另一家银行", "c": hashlib.sha256(token.encode()).digest()[:16]}
    parts = Parts(
        record.credential,
        texts["receipt.tlog-proof"],
        replace(seal, claims=own).signed(key),
        token,
        None,
    )
    kind = registry.catalogue.newest(WORKS)
    signer = registry.keys.ring.signing_key(Role.AGENCY, PLANNING.code)
    forged_copy = sign(render(parts, kind), signer, name="某局", at=clock.now)
    good = {"signature": "signature_good", "agreement": "agreement_good"}
    expect(registry.verify(forged_copy), "invalid", log="unknown_here", **good)


def test_a_log_that_contradicts_outweighs_what_could_not_be_looked_up(
    registry: Registry, record: Record, sd: Sd, stolen: Stolen, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.log.publish()
    made = sd.changed(number="建字第4401142026GG0000778号").signed(
        stolen.key(Role.AGENCY, PLANNING.code)
    )
    receipt = str(registry.log.receipt(record.log_index))
    expect(registry.verify(made, receipt=receipt), "invalid", log="unknown_here")
    monkeypatch.setattr(type(registry.store), "is_primary", lambda _: False)
    assert registry.verify(made).step("log").code == "not_looked_up"
    expect(registry.verify(made, receipt=receipt), "invalid", log="log_bad")


def test_what_was_issued_here_is_known_in_every_form(registry: Registry, record: Record) -> None:
    registry.log.publish()
    document = registry.documents.get(record.id, by=CLERK).data
    shown = (record.credential, record.seal, document, make_bundle(registry, record, ()))
    for one in shown:
        report = registry.verify(one)
        assert report.verdict == "valid", report.to_json()
    partial = registry.certificates.present(record.id, ["fields.project_name"], by=CLERK)
    expect(registry.verify(partial), "valid")


def test_a_copied_home_is_unknown_at_the_original(
    registry: Registry, record: Record, draft_of: Drafts, tmp_path: Any, clock: SettableClock
) -> None:
    del record
    shutil.copytree(tmp_path / "home", tmp_path / "copied")
    around = Surroundings(clock=clock, state=tmp_path / "elsewhere")
    copied = open_registry(tmp_path / "copied", around=around, claims=True)
    made = copied.certificates.issue(WORKS, draft_of(), by=CLERK).record
    copied.close()
    expect(registry.verify(made.credential), "invalid", log="unknown_here")
    expect(registry.verify(made.seal), "invalid", log="unknown_here")


def test_a_restored_backup_never_says_unknown(
    registry: Registry, record: Record, draft_of: Drafts, tmp_path: Any, clock: SettableClock
) -> None:
    """It may lack what was issued since: while its log would fork it cannot say."""
    del record
    registry.log.publish()
    shutil.copytree(tmp_path / "home", tmp_path / "backup")
    made = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    registry.log.publish()
    around = Surroundings(clock=clock, state=tmp_path / "state")
    restored = open_registry(tmp_path / "backup", around=around, claims=True)
    report = restored.verify(made.credential)
    assert report.step("log").code == "not_looked_up"
    restored.close()


@pytest.mark.parametrize("way", ["a file without the right to write", "a standby"])
def test_a_copy_to_read_never_says_unknown(
    make_registry: Callable[..., Registry],
    draft_of: Drafts,
    request: pytest.FixtureRequest,
    way: str,
) -> None:
    """It may be of yesterday, and nothing about it says so: only who may write knows what there is."""
    if way == "a standby":
        registry = make_registry(request.getfixturevalue("postgres_url"))
        name = registry.store._engine.url.database
        server = request.getfixturevalue("postgres_server")
        made = stolen_key_of(registry, draft_of)
        server.psql(f"ALTER DATABASE {name} SET default_transaction_read_only = on;")
        registry.store._engine.dispose()
    else:
        registry = make_registry()
        made = stolen_key_of(registry, draft_of)
        path = Path(registry.store._engine.url.database or "")
        path.chmod(0o444)
        request.addfinalizer(functools.partial(path.chmod, 0o644))
    expect(registry.verify(made), "valid", log="not_looked_up")


def stolen_key_of(registry: Registry, draft_of: Drafts) -> str:
    """Sign a credential with the agency's real key, beside the registry."""
    record = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    sd, stolen = Sd.of(record.credential), Stolen(registry)
    return sd.changed(number="建字第4401142026GG0009999号").signed(
        stolen.key(Role.AGENCY, PLANNING.code)
    )
