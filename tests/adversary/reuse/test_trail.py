"""What leaves: only the fields asked for, nobody's name in the trail, and no echo of what was entered."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from ecert.model import Record
from tests.adversary.reuse.world import (
    A_CODE,
    A_NAME,
    B_CODE,
    CLERK,
    FILING,
    LICENCE,
    MATTER,
    NOBODY,
    Json,
    World,
    texts,
    un_b64url,
)
from tests.api.conftest import System
from tests.conftest import CONSTRUCTION, WORKS
from tests.oidc.provider import PERSON

# -- the fewest facts ----------------------------------------------------------------------------------


def disclosed(credential: str) -> list[tuple[str, Any]]:
    """Decode every disclosure of an SD-JWT (RFC 9901 §4.2): name and value, or value alone."""
    _, *parts, tail = credential.split("~")
    assert not tail, "no key binding, nothing behind the last tilde"
    found = []
    for part in parts:
        values = json.loads(un_b64url(part))
        assert len(values) in {2, 3}
        found.append(("" if len(values) == 2 else values[1], values[-1]))
    return found


def expected(record: Record, names: list[str]) -> list[tuple[str, Any]]:
    """Work out from the record itself what may leave for these fields."""
    found: list[tuple[str, Any]] = []
    for name in names:
        place, _, member = name.partition(".")
        if place == "holders":
            found += [(member, one[member]) for one in record.body["holders"]]
        elif member in record.body["fields"]:
            found.append((member, record.body["fields"][member]))
    return found


def needed(world: World, fields: dict[str, list[str]] | None = None) -> dict[str, list[str]]:
    """Read from the matter as it was shipped what each material needs."""
    matter = world.registry.matters.get(MATTER, by=CLERK).to_json()
    asked = fields or {}
    return {
        one["code"]: asked.get(one["code"], one["satisfied_by"][0]["fields"])
        for one in matter["materials"]
        if one["satisfied_by"]
    }


def hold_to(world: World, shown: Json, wanted: dict[str, list[str]]) -> None:
    """Hold a dossier to exactly these fields, byte by byte."""
    assert {one["material"] for one in shown["presentations"]} == wanted.keys()
    by_id = {one.id: one for one in world.records.values()}
    allowed: set[str] = set()
    for one in shown["presentations"]:
        record = by_id[one["certificate"]]
        pairs = expected(record, wanted[one["material"]])
        assert sorted(map(repr, disclosed(one["credential"]))) == sorted(map(repr, pairs))
        allowed |= {text for _, value in pairs for text in texts([value])}
    said = everything(shown)
    for record in by_id.values():
        values = [record.body["fields"], record.body["holders"], record.body["attachments"]]
        for text in texts(values):
            is_part = any(text in one for one in allowed)
            if len(text) >= 4 and not is_part and not text.isascii():
                assert not any(text in one for one in said), f"{text} left"
    for code in (A_CODE, B_CODE):
        assert not any(code in one for one in said)


def everything(shown: Json) -> list[str]:
    """Decode every byte of a dossier: credentials, disclosures, statement, receipts, and the rest."""
    said = [json.dumps({**shown, "presentations": []}, ensure_ascii=False)]
    for one in shown["presentations"]:
        said.append(json.dumps({**one, "credential": ""}, ensure_ascii=False))
        jws, *parts, _ = one["credential"].split("~")
        said += [json.dumps(json.loads(un_b64url(part)), ensure_ascii=False) for part in parts]
        said += [decoded(part) for part in jws.split(".")[:2]]
    said += [decoded(part) for part in shown["statement"].split(".")[:2]]
    return said


def decoded(part: str) -> str:
    found = json.loads(un_b64url(part))
    found.pop("x5c", None)  # the agency's own name stands in its certificate
    return json.dumps(found, ensure_ascii=False)


def test_a_dossier_holds_just_what_the_matter_needs(world: World) -> None:
    hold_to(world, world.given(), needed(world))


def test_a_dossier_holds_just_what_was_asked_for(world: World) -> None:
    fields = {
        "business-licence": ["fields.kind"],
        "project-approval": ["fields.project_name"],
        "land-use-planning-permit": ["holders.name"],
        "works-planning-permit": [],
    }
    hold_to(world, world.given(fields=fields), fields)


def test_a_dossier_holds_just_what_the_holder_agreed_to(world: World) -> None:
    world.only_with_consent()
    shown = world.given(grant=world.grant(fields=LICENCE), fields=LICENCE)
    hold_to(world, shown, LICENCE)


def test_a_dossier_holds_just_what_the_rule_opens(world: World) -> None:
    world.withdraw_rules()
    world.rule(fields=["holders.name"])
    hold_to(world, world.given(fields=LICENCE), LICENCE)


def test_a_checklist_says_nothing_of_what_certificates_say(world: World) -> None:
    said = world.checklist().text
    for record in world.records.values():
        for text in texts([record.body["fields"], record.body["holders"]]):
            assert len(text) < 4 or text.isascii() or text not in said
    assert A_CODE not in said


def test_the_statement_names_no_holder_and_can_be_opened(world: World) -> None:
    from ecert.formats.dossier import holder_commitment

    shown = world.given()
    claims = decoded(shown["statement"].split(".")[1])
    assert A_CODE not in claims
    assert A_NAME not in claims
    assert json.loads(claims)["holder"] == holder_commitment(un_b64url(shown["salt"]), A_CODE)


def test_a_statement_for_a_grant_alone_is_for_its_holder(world: World) -> None:
    """The department named no code, but the dossier is of one holder: the statement must say so."""
    shown = world.given(holder_code=None, grant=world.grant())
    assert shown["presentations"]
    assert json.loads(decoded(shown["statement"].split(".")[1]))["holder"] is not None


# -- the trail ---------------------------------------------------------------------------------------------


def test_the_trail_holds_after_a_long_day_and_names_nobody(world: World) -> None:
    """Everything at once: good calls, refusals, grants, use codes, delegations, readings by holders."""
    world.given()
    world.checklist()
    grant = world.grant()
    world.given(case_number="2", grant=grant)
    request = world.request()
    world.agree(request, use_code=world.use_code(request)["short"])
    world.agree(world.request(), id_token="not-a-token", use_code="12345678")
    delegation = world.delegation()
    asked = world.request(delegation=delegation)
    world.agree(asked, id_token=world.sign_in(PERSON, asked["nonce"]))
    for path in ("uses", "certificates", "grants", "delegations", "objections"):
        assert world.call(None, "GET", f"/v1/me/{path}", headers=world.holder()).status_code == 200
    complaint = {
        "certificate": world.records[WORKS].id,
        "field": "fields.height_limit",
        "words": f"{A_NAME}（{A_CODE}）的高度有误",
    }
    assert (
        world.call(None, "POST", "/v1/me/objections", complaint, world.holder()).status_code == 201
    )
    for who in (world.gh, world.fg, world.sc):
        world.fulfil(who)
        world.checklist(who, FILING, grant=grant)
    world.fulfil(holder_code=B_CODE)
    world.fulfil(fields={"business-licence": ["holders.code"]})
    world.call(world.zj, "DELETE", f"/v1/grants/{grant}")
    world.clock.move(timedelta(days=1))
    world.fulfil(grant=grant)
    assert len(world.desk.audit()) > 40
    world.check()


def anywhere(world: World, code: str) -> dict[str, Callable[[], httpx.Response]]:
    """List the places where somebody could put a holder's code by mistake."""
    call, zj = world.call, world.zj
    keeper: System = world.desk.enrol(
        CONSTRUCTION.code, ["sharing:manage", "clients:manage", "matters:manage"]
    )
    holder = world.holder()
    until = (world.clock().date() + timedelta(days=3)).isoformat()
    request = world.request()

    def post(who: System | None, path: str, body: Json) -> Callable[[], httpx.Response]:
        return lambda: call(who, "POST", path, body, None if who else holder)

    def touch(method: str, path: str, body: Json | None = None) -> Callable[[], httpx.Response]:
        return lambda: call(keeper, method, path, body)

    return {
        "matter of a checklist": lambda: world.checklist(matter=code),
        "matter of a dossier": lambda: world.fulfil(matter=code),
        "matter": lambda: call(zj, "GET", f"/v1/matters/{code}"),
        "graph": lambda: call(zj, "GET", f"/v1/matters/{code}/graph"),
        "matter of a request": post(zj, "/v1/grants/requests", {"matter": code}),
        "situation of a request": post(
            zj, "/v1/grants/requests", {"matter": MATTER, "situation": code}
        ),
        "situation of a checklist": lambda: world.checklist(situation=code),
        "situation of a dossier": lambda: world.fulfil(situation=code),
        "grant of a checklist": lambda: world.checklist(grant=code.rjust(26, "0")),
        "grant of a dossier": lambda: world.fulfil(grant=code.rjust(26, "0")),
        "malformed grant": lambda: world.fulfil(grant=code),
        "grant": lambda: call(zj, "GET", f"/v1/grants/{code}"),
        "revoked grant": lambda: call(zj, "DELETE", f"/v1/grants/{code}"),
        "grant that a holder revokes": lambda: call(
            None, "DELETE", f"/v1/grants/{code}", headers=holder
        ),
        "use code": lambda: world.agree(request, use_code=code),
        "ID token": lambda: world.agree(request, id_token=code),
        "request": post(zj, "/v1/grants", {"request": code.rjust(26, "0"), "use_code": "12345678"}),
        "delegation": post(
            zj, "/v1/grants/requests", {"matter": MATTER, "delegation": code.rjust(26, "0")}
        ),
        "request of a use code": post(None, "/v1/me/use-codes", {"request": code.rjust(26, "0")}),
        "matter of a delegation": post(
            None, "/v1/me/delegations", {"agent_code": A_CODE, "until": until, "matters": [code]}
        ),
        "ended delegation": lambda: call(
            None, "DELETE", f"/v1/me/delegations/{code}", headers=holder
        ),
        "request looked at": lambda: call(None, "GET", f"/v1/me/requests/{code}", headers=holder),
        "project": lambda: world.fulfil(holder_code=None, project_code=code),
        "holder": lambda: world.fulfil(holder_code=code),
        "material": lambda: world.fulfil(fields={code.lower(): ["holders.name"]}),
        "field": lambda: world.fulfil(fields={"business-licence": [f"x{code.lower()}"]}),
        "certificate of an objection": post(
            zj, f"/v1/certificates/{code}/objections", {"field": "x", "words": "y"}
        ),
        "certificate of a holder's objection": post(
            None, "/v1/me/objections", {"certificate": code, "field": "x", "words": "y"}
        ),
        "field of a holder's objection": post(
            None,
            "/v1/me/objections",
            {"certificate": world.records[WORKS].id, "field": code, "words": "y"},
        ),
        "answered objection": touch(
            "POST", f"/v1/objections/{code}/answer", {"answer": "x", "operator": "y"}
        ),
        "client": touch("PATCH", f"/v1/clients/{code}", {"state": "suspended"}),
        "key": touch("DELETE", f"/v1/clients/{zj.id}/keys/{code}"),
        "scope": touch("PATCH", f"/v1/clients/{keeper.id}", {"scopes": [code]}),
        "address": touch("PATCH", f"/v1/clients/{keeper.id}", {"addresses": [code]}),
        "rule": touch("DELETE", f"/v1/sharing-rules/{code}"),
        "agency": touch("PATCH", f"/v1/agencies/{code}", {"requires_dpop": True}),
        "matter of a rule": touch(
            "POST",
            "/v1/sharing-rules",
            {
                "type": WORKS,
                "agency": CONSTRUCTION.code,
                "matter": code,
                "mode": "unconditional",
                "legal_basis": "x",
            },
        ),
        "query": lambda: call(zj, "GET", f"/v1/grants?after={code}&limit=x"),
    }


PLACES = [
    *("matter of a checklist", "matter of a dossier", "matter", "graph", "matter of a request"),
    *(
        "situation of a request",
        "situation of a checklist",
        "situation of a dossier",
        "grant of a checklist",
    ),
    *("grant of a dossier", "malformed grant", "grant", "revoked grant"),
    *("grant that a holder revokes", "use code", "ID token", "request", "delegation"),
    *("request of a use code", "matter of a delegation", "ended delegation", "request looked at"),
    *("project", "holder", "material", "field", "certificate of an objection"),
    *("certificate of a holder's objection", "field of a holder's objection"),
    *("answered objection", "client", "key", "scope", "address", "rule", "agency"),
    *("matter of a rule", "query"),
]


@pytest.mark.parametrize("code", [B_CODE, NOBODY])
@pytest.mark.parametrize("place", PLACES)
def test_a_holders_code_in_the_wrong_place(world: World, place: str, code: str) -> None:
    """It comes into no row of the trail and into no log line."""
    calls = anywhere(world, code)
    assert set(PLACES) == calls.keys()
    before = len(world.lines.getvalue())
    assert calls[place]().status_code < 500
    for told in (code, code.lower()):
        assert told not in world.lines.getvalue()[before:]
        assert told not in json.dumps(world.desk.audit(), default=str), "the trail tells"
    world.registry.trail.check()


ECHOED = [one for one in PLACES if one not in {"matter of a delegation", "project"}]


@pytest.mark.parametrize("place", ECHOED)
def test_no_answer_repeats_what_was_entered(world: World, place: str) -> None:
    answer = anywhere(world, B_CODE)[place]()
    if answer.status_code >= 400:
        assert B_CODE not in answer.text + str(answer.headers)


def test_a_revoked_grant_is_in_the_trail_by_its_name_only(world: World) -> None:
    grant = world.grant()
    before = world.look()
    assert world.call(world.zj, "DELETE", f"/v1/grants/{grant}").status_code == 200
    (row,) = world.audit_since(before)
    assert (row["action"], row["outcome"]) == ("grant.revoke", "done")
    world.check()


def test_what_was_given_is_in_the_trail_before_it_left(world: World) -> None:
    before = world.look()
    shown = world.given()
    rows = world.audit_since(before)
    used = {one["certificate"] for one in rows if one["action"] == "use"}
    assert used == {one["certificate"] for one in shown["presentations"]}
    assert {one["outcome"] for one in rows} == {"done"}


def test_a_holder_sees_who_was_shown_what(world: World) -> None:
    world.given()
    items = world.call(None, "GET", "/v1/me/uses", headers=world.holder()).json()["items"]
    items = [one for one in items if one["agency"] is not None]  # the registry itself looked, too
    assert {one["agency"]["code"] for one in items} == {CONSTRUCTION.code}
    licence = next(one for one in items if one["certificate"]["type"] == "business-licence")
    assert licence["fields"] == ["holders.name", "fields.kind"]
    nothing = world.call(None, "GET", "/v1/me/uses", headers=world.holder(PERSON)).json()["items"]
    assert [one for one in nothing if one["agency"] is not None] == []


def test_a_holders_own_reading_is_traced_to_him(world: World) -> None:
    """Both pages of a holder say by his HMAC whose they were: else a stolen sign-in is never found."""
    before = world.look()
    for path in ("uses", "certificates"):
        world.call(None, "GET", f"/v1/me/{path}", headers=world.holder())
    marks = [
        json.loads(row["details"]) if isinstance(row["details"], str) else row["details"]
        for row in world.audit_since(before)
    ]
    assert all("holder_hmac" in one for one in marks)
