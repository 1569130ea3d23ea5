"""A quota bounds every way in which a certificate's content leaves, and every repeat of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from ecert.errors import QuotaExceeded
from ecert.model import Actor, Application
from ecert.registry import CopyWish, Query
from ecert.store import tables
from ecert.store.trail import SHOWN
from tests.adversary.reuse.world import A_CODE, MATTER, World, application
from tests.api.conftest import CREDENTIAL, GROUNDS, System
from tests.conftest import PLANNING, WORKS

HttpCall = Callable[[World, System], httpx.Response]
LibraryCall = Callable[[World, str, Actor], object]
COPY = {
    "recipient": "示例银行",
    "purpose": "贷款审查",
    "until": "2026-12-31",
    "matter": "贷款",
    "operator": "李四",
}
WISH = CopyWish("示例银行", "贷款审查", date(2026, 12, 31))
SEARCH = {"type": WORKS, "purpose": "审批", "matter": "许可", "operator": "李四"}


def get(tail: str = "", accept: str = "application/json") -> HttpCall:
    def call(world: World, who: System) -> httpx.Response:
        path = f"/v1/certificates/{world.records[WORKS].id}{tail}"
        return world.call(who, "GET", path, headers={**GROUNDS, "Accept": accept})

    return call


def post(path: str, body: dict[str, Any]) -> HttpCall:
    def call(world: World, who: System) -> httpx.Response:
        place = path.format(id=world.records[WORKS].id)
        return world.call(who, "POST", place, body)

    return call


# By the action that its row of the trail names: what shows a certificate, over HTTP and in the library.
OVER_HTTP: dict[str, HttpCall] = {
    "read": get(),
    "credential": get(accept=CREDENTIAL),
    "document": get(accept="application/pdf"),
    "read, found": post("/v1/certificates/search", SEARCH),
    "history": get("/history"),
    "receipt": get("/receipt", "text/plain"),
    "evidence": get("/evidence", "application/zip"),
    "copy": post("/v1/certificates/{id}/copies", COPY),
    "check": post(f"/v1/matters/{MATTER}/checklist", application()),
    "use": post(f"/v1/matters/{MATTER}/dossiers", application()),
    "use, with a copy": post(f"/v1/matters/{MATTER}/dossiers", {**application(), "copies": True}),
}
IN_THE_LIBRARY: dict[str, LibraryCall] = {
    "read": lambda w, i, by: w.registry.certificates.get(i, by=by),
    "credential": lambda w, i, by: w.registry.certificates.get(i, by=by, action="credential"),
    "qr": lambda w, i, by: w.registry.certificates.get(i, by=by, action="qr"),
    "document": lambda w, i, by: w.registry.documents.get(i, by=by),
    "read, found": lambda w, _, by: w.registry.certificates.find(Query(slug=WORKS), by=by),
    "history": lambda w, i, by: w.registry.certificates.history(i, by=by),
    "receipt": lambda w, i, by: w.registry.certificates.receipt(i, by=by),
    "present": lambda w, i, by: w.registry.certificates.present(i, ["holders.name"], by=by),
    "evidence": lambda w, i, by: w.registry.evidence.pack(i, by=by),
    "copy": lambda w, i, by: w.registry.documents.copy(i, WISH, by=by),
    "copies": lambda w, i, by: w.registry.documents.copies(i, by=by),
    "check": lambda w, _, by: w.registry.dossiers.checklist(asked(), by=by),
    "use": lambda w, _, by: w.registry.dossiers.fulfil(asked(), by=by),
}
OF_A_MATTER = {"check", "use"}


def asked() -> Application:
    return Application(MATTER, "花建受〔2026〕1号", holder_code=A_CODE)


def action(name: str) -> str:
    return name.partition(",")[0]


def of(world: World, name: str) -> System:
    """Say whose call it is: the construction bureau reuses, the planning bureau reads its own."""
    return world.zj if action(name) in OF_A_MATTER else world.gh


def limit(world: World, who: System, most: int) -> None:
    world.registry.clients.change(who.id, daily_quota=most, by=Actor("王五"))


def refuse(world: World, who: System, call: HttpCall) -> None:
    """Demand that a call is refused for its quota, with rows that say whose it was."""
    before = world.look()
    world.refuse(lambda: call(world, who), 429, "quota_exceeded")
    # A file is drawn and kept all the same; that is the registry's own act, and gives it to nobody.
    rows = [one for one in world.audit_since(before) if one["action"] != "document.make"]
    told = {(one["outcome"], one["agency"], one["client"]) for one in rows}
    assert told == {("quota_exceeded", who.agency, who.id)}


def used(world: World) -> int:
    """Say how many certificates were counted today; two clients never count in one test."""
    with world.registry.store.reading() as reading:
        counted = reading.connection.execute(select(tables.usage)).all()
    return sum(row.used for row in counted if row.scope.startswith("client:"))


def test_the_table_is_whole() -> None:
    assert {action(name) for name in (*OVER_HTTP, *IN_THE_LIBRARY)} == set(SHOWN)


@pytest.mark.parametrize("name", OVER_HTTP)
def test_over_http_nothing_is_shown_beyond_the_quota(world: World, name: str) -> None:
    who, call = of(world, name), OVER_HTTP[name]
    world.registry.log.publish()
    limit(world, who, 0)
    refuse(world, who, call)
    limit(world, who, 1000)
    assert call(world, who).is_success
    assert used(world) > 0
    limit(world, who, used(world))
    refuse(world, who, call)


@pytest.mark.parametrize("name", IN_THE_LIBRARY)
def test_in_the_library_nothing_is_shown_beyond_the_quota(world: World, name: str) -> None:
    who, call = of(world, name), IN_THE_LIBRARY[name]
    by = Actor("李四", who.agency, who.id, scopes=who.scopes)
    identifier = world.records[WORKS].id
    world.registry.log.publish()
    limit(world, who, 1000)
    call(world, identifier, by)
    limit(world, who, used(world))
    with pytest.raises(QuotaExceeded):
        call(world, identifier, by)
    refused = [row for row in world.desk.audit() if row["outcome"] == "quota_exceeded"]
    assert {(row["agency"], row["client"]) for row in refused} == {(who.agency, who.id)}
    call(world, identifier, replace(by, client=None))  # the quota is the client's, not the agency's


def test_a_rules_quota_bounds_dossiers_and_their_repeats(world: World) -> None:
    world.withdraw_rules()
    world.rule(daily_quota=2)
    for number in ("1", "1"):
        world.given(case_number=number)
    for number in ("1", "2"):
        call = world.fulfil
        world.refuse(lambda n=number, c=call: c(case_number=n), 429, "quota_exceeded", by=world.zj)  # type: ignore[misc]  # defaults bind the loop's values


def test_a_refused_copy_is_no_copy(world: World) -> None:
    """The quota is counted where the copy is written, so nothing of it may stay (finding S12)."""
    who, identifier = world.gh, world.records[WORKS].id
    limit(world, who, 0)
    before = world.look()
    world.refuse(lambda: OVER_HTTP["copy"](world, who), 429, "quota_exceeded", by=who)
    assert world.registry.documents.copies(identifier, by=Actor("王五", PLANNING.code)) == []
    assert world.look().log == before.log
