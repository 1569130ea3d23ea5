"""A withdrawn permit is seen on everything that rests on it, two steps down, wherever somebody looks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ecert.demo import CHAIN, CONSTRUCTION, MARKET, PLANNING, REFORM, issue_chain
from ecert.model import Actor, Application, Basis, Operation, Record
from ecert.registry import CopyWish, Registry, new_rule
from ecert.samples.district import chain
from ecert.testing import SettableClock
from ecert.verification import Verifier
from tests.conftest import CLERK, EVERY_TYPE

WORKS, PERMIT = "construction-works-planning-permit", "construction-permit"
FILING = "completion-acceptance-filing"
WHY = Basis("申请材料虚假", "穗规划资源撤〔2026〕1号", "赵六")
FELL = ("foundation_fallen", "withdrawn")
LEGAL = "国务院令第716号第七条"


def said(warnings: Any) -> list[tuple[str, Any]]:
    return [(one["code"], one.get("status")) for one in warnings]


@pytest.fixture
def district(make_registry: Callable[..., Registry]) -> tuple[Registry, dict[str, Record]]:
    """The district's whole chain, and its matters."""
    registry = make_registry()
    known = {one.code for one in registry.agencies.all()}
    for agency in (MARKET, REFORM, PLANNING, CONSTRUCTION):
        if agency.code not in known:
            registry.agencies.add(agency, by=CLERK, may_issue=EVERY_TYPE)
    issued = issue_chain(registry, CLERK)
    registry.matters.add(chain(), by=CLERK)
    return registry, issued


def withdraw(registry: Registry, record: Record) -> None:
    registry.certificates.operate(record.id, Operation.WITHDRAW, basis=WHY, by=CLERK)
    registry.log.publish()


def test_every_form_of_what_rests_on_it_says_so(
    district: tuple[Registry, dict[str, Record]],
) -> None:
    registry, issued = district
    documents = {
        one: registry.documents.get(issued[one].id, by=CLERK).data for one in (PERMIT, FILING)
    }
    withdraw(registry, issued[WORKS])
    outside = Verifier(
        registry.trust(), status=registry.status, catalogue=registry.catalogue, clock=registry.clock
    )
    offline = Verifier(registry.trust(), catalogue=registry.catalogue, clock=registry.clock)
    for slug in (PERMIT, FILING):
        record = issued[slug]
        bundle = registry.evidence.pack(record.id, by=CLERK)
        for shown in (record.credential, record.seal, documents[slug], bundle):
            report = outside.verify(shown)
            assert (report.verdict.value, said(report.warnings)) == ("valid", [FELL])
        assert said(offline.verify(bundle).warnings) == [FELL]  # from what the bundle brought
        kept = registry.certificates.get(record.id, by=CLERK)
        assert said(kept.warnings) == [FELL]
        lent = registry.documents.copy(
            record.id,
            CopyWish("示例银行", "贷款", registry.clock().date() + timedelta(days=9)),
            by=CLERK,
        )
        assert said(outside.verify(lent.data).warnings) == [FELL]


def test_the_checklist_and_the_dossier_say_so(
    district: tuple[Registry, dict[str, Record]],
) -> None:
    """A warned one stays usable: whoever receives it decides, and sees it."""
    registry, issued = district
    holder = issued[FILING].body["holders"][0]["code"]
    matter = next(
        one
        for one in registry.matters.all(by=CLERK)[0]
        if FILING in one.slugs and PERMIT not in one.issues
    )
    for slug in matter.slugs:
        registry.rules.add(new_rule(slug, matter.agency, legal_basis=LEGAL), by=CLERK)
    withdraw(registry, issued[WORKS])
    asked = Application(
        matter.code, "2026-1", holder_code=holder, project_code=issued[FILING].body["project_code"]
    )
    by = Actor("李四", matter.agency, "client", "审批")
    items = registry.dossiers.checklist(asked, by=by).to_json()["items"]
    (line,) = [
        one for one in items if one["certificate"] and one["certificate"]["id"] == issued[FILING].id
    ]
    assert line["state"] == "met"
    assert said(line["certificate"]["warnings"]) == [FELL]
    assert "注意：所依据的证照已被撤销" in line["sentence"]["zh"]
    dossier = registry.dossiers.fulfil(asked, by=by)
    given = {one["certificate"]: said(one["warnings"]) for one in dossier["presentations"]}
    assert given[issued[FILING].id] == [FELL]


def test_issuers_downstream_and_whoever_was_given_one_are_told(
    district: tuple[Registry, dict[str, Record]], clock: SettableClock
) -> None:
    registry, issued = district
    read = frozenset({"certificates:read"})
    clients = {}
    for agency in (PLANNING, CONSTRUCTION, MARKET):
        from ecert.keys import make_signer, public_jwk

        jwk = public_jwk(make_signer().public_key)
        row = registry.clients.add("系统", agency=agency.code, scopes=read, jwk=jwk, by=CLERK)
        clients[agency.code] = Actor("李四", agency.code, row.id, "审批", scopes=read)
    registry.rules.add(new_rule(FILING, MARKET.code, legal_basis=LEGAL, fields=("*",)), by=CLERK)
    registry.certificates.get(issued[FILING].id, by=clients[MARKET.code])
    after = registry.log.head().size - 1
    registry.certificates.operate(issued[WORKS].id, Operation.SUSPEND, basis=WHY, by=CLERK)
    registry.certificates.operate(issued[WORKS].id, Operation.RESUME, basis=WHY, by=CLERK)
    told = {}
    for code, by in clients.items():
        items, cursor = registry.changes.since(by=by, after=after)
        assert cursor == after + 2
        told[code] = [
            (one["index"] - after, one["certificate"], one["operation"], one["status"])
            for one in items
        ]
    permit, filing = issued[PERMIT].id, issued[FILING].id
    fell, restored = "foundation_fallen", "foundation_restored"
    assert told[PLANNING.code] == []
    assert told[MARKET.code] == [(1, filing, fell, None), (2, filing, restored, None)]
    ordered = sorted((permit, filing))
    assert told[CONSTRUCTION.code] == [
        *((1, one, fell, None) for one in ordered),
        *((2, one, restored, None) for one in ordered),
    ]
    first, _ = registry.changes.since(by=clients[CONSTRUCTION.code], after=after, limit=1)
    assert [one["certificate"] for one in first] == ordered  # one act is never divided
    assert first[0]["warning"]["status"] == "suspended"


def test_the_chain_is_whole(district: tuple[Registry, dict[str, Record]]) -> None:
    _, issued = district
    assert set(issued) == {slug for slug, _, _ in CHAIN}
