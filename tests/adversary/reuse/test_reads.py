"""Nothing of a certificate or a holder is read without a row of the trail."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from ecert.formats.id_token import SignedIn
from ecert.ledger.acting import Verbs
from ecert.model import Actor, Application, Basis, Operation
from ecert.registry import DeferredTrail, GrantWish, OwnQuestion, Query, Registry
from tests.adversary.reuse.world import A_CODE, LAND, MATTER, World
from tests.conftest import WORKS

OWNER = SignedIn(A_CODE, "001", None)
Read = Callable[..., Any]
PERSONAL = re.compile(
    r"\b(Issued|Record|Found|Event|Receipt|Graph|Checklist|DocumentRow|GrantRow|RequestRow|ObjectionRow|dict)\b"
)


def clerk(world: World) -> Actor:
    return Actor("李四", world.zj.agency, world.zj.id)


def fresh(world: World) -> SignedIn:
    return replace(OWNER, signed_in_at=world.desk.now())


def reads(world: World) -> dict[str, Read]:
    """Every read that takes a trail, each of something that is there."""
    r, by, identifier = world.registry, clerk(world), world.records[WORKS].id
    own = Actor("赵六", world.gh.agency, world.gh.id)
    asked = Application(MATTER, "1", holder_code=A_CODE)
    return {
        "Certificates.get": lambda t: r.certificates.get(identifier, by=own, trail=t),
        "Certificates.find": lambda t: r.certificates.find(Query(slug=WORKS), by=own, trail=t),
        "Certificates.history": lambda t: r.certificates.history(identifier, by=own, trail=t),
        "Certificates.receipt": lambda t: r.certificates.receipt(identifier, by=own, trail=t),
        "Certificates.present": lambda t: r.certificates.present(identifier, [], by=own, trail=t),
        "Certificates.graph": lambda t: r.certificates.graph(identifier, by=own, trail=t),
        "Documents.get": lambda t: r.documents.get(identifier, by=own, trail=t),
        "Documents.copies": lambda t: r.documents.copies(identifier, by=own, trail=t),
        "Evidence.pack": lambda t: r.evidence.pack(identifier, by=own, trail=t),
        "Dossiers.checklist": lambda t: r.dossiers.checklist(asked, by=by, trail=t),
        "Matters.graph": lambda t: r.matters.graph(
            LAND,
            by=Actor("赵六", world.gh.agency),
            project_code="2601-440114-04-01-100001",
            trail=t,
        ),
        "Changes.since": lambda t: r.changes.since(by=by, trail=t),
        "Grants.all": lambda t: r.grants.all(by=by, trail=t),
        "Grants.get": lambda t: r.grants.get(world.grant(), by=by, trail=t),
        "Objections.all": lambda t: r.objections.all(by=by, trail=t),
        "Supervision.figures": lambda t: r.supervision.figures(by=Actor("王五"), trail=t),
        "AuditedTrail.rows": lambda t: r.trail.rows(by=Actor("王五"), trail=t),
        "Holders.request": lambda t: r.holders.request(
            r.grants.request(GrantWish(MATTER), by=by).id, holder=OWNER, trail=t
        ),
        "Holders.grants": lambda t: r.holders.grants(holder=OWNER, trail=t),
        "Holders.delegations": lambda t: r.holders.delegations(holder=OWNER, trail=t),
        "Holders.uses": lambda t: r.holders.uses(holder=OWNER, trail=t),
        "OwnCertificates.all": lambda t: r.own.all(holder=fresh(world), trail=t),
        "OwnCertificates.get": lambda t: r.own.get(identifier, holder=fresh(world), trail=t),
        "OwnCertificates.document": lambda t: r.own.document(
            identifier, holder=fresh(world), trail=t, publishes=True
        ),
        "OwnCertificates.present": lambda t: r.own.present(
            identifier, [], holder=fresh(world), trail=t
        ),
        "OwnCertificates.checklist": lambda t: r.own.checklist(
            OwnQuestion(MATTER), holder=fresh(world), trail=t
        ),
        "Holders.objections": lambda t: r.holders.objections(holder=OWNER, trail=t),
    }


def verbs(registry: Registry) -> Iterator[tuple[str, Callable[..., Any]]]:
    for noun in vars(registry).values():
        if isinstance(noun, Verbs):
            for name, verb in inspect.getmembers(noun, inspect.ismethod):
                if not name.startswith("_"):
                    yield f"{type(noun).__name__}.{name}", verb


def test_the_table_is_whole(world: World) -> None:
    taking = {
        name
        for name, verb in verbs(world.registry)
        if "trail" in inspect.signature(verb).parameters
    }
    assert taking == set(reads(world))


ACTS = {  # one transaction with their row: design §10
    *("Certificates.issue", "Certificates.issue_many", "Certificates.operate"),
    *("Certificates.succeed", "Documents.copy", "Documents.build", "Dossiers.fulfil"),
    *("Grants.request", "Grants.give", "Grants.redeem", "Grants.revoke", "Objections.add"),
    *("Objections.answer", "Holders.revoke_grant", "Holders.delegate", "Holders.object"),
    "OwnCertificates.copy",
}
OF_THE_SERVICE = {
    "Changes.waiting"
}  # a webhook's own list: what it sends is signed, and heard or not


def test_no_verb_gives_a_record_without_a_trail(world: World) -> None:
    giving = {
        name
        for name, verb in verbs(world.registry)
        if PERSONAL.search(str(inspect.signature(verb).return_annotation))
        and "trail" not in inspect.signature(verb).parameters
    }
    keys_and_addresses = {"Keys.jwks"}
    assert giving - keys_and_addresses == ACTS | OF_THE_SERVICE


NAMES = [
    *("Certificates.get", "Certificates.find", "Certificates.history", "Certificates.receipt"),
    *("Certificates.present", "Certificates.graph", "Documents.get", "Documents.copies"),
    *("Evidence.pack", "Dossiers.checklist", "Matters.graph", "Changes.since", "Grants.all"),
    *("Grants.get", "Objections.all", "Supervision.figures", "AuditedTrail.rows"),
    *("Holders.request", "Holders.grants", "Holders.delegations", "Holders.uses"),
    *("OwnCertificates.all", "OwnCertificates.get", "OwnCertificates.document"),
    *("OwnCertificates.present", "OwnCertificates.checklist", "Holders.objections"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_read_writes_its_row_at_once_or_into_the_trail_it_was_given(
    world: World, name: str
) -> None:
    world.registry.log.publish()
    if name == "Changes.since":
        world.given()
        why = Basis("申请材料虚假", "穗规划资源撤〔2026〕1号", "赵六")
        works, act = world.records[WORKS].id, Operation.WITHDRAW
        world.registry.certificates.operate(works, act, basis=why, by=Actor("王五"))
    read, deferred = reads(world)[name], DeferredTrail()
    read(deferred)
    assert deferred.entries
    before = len(world.desk.audit())
    read(None)
    rows = world.desk.audit()[before:]
    assert [row["action"] for row in rows][-len(deferred.entries) :] == [
        one.action for one in deferred.entries
    ]
    assert A_CODE not in repr(rows)
