"""Administration over HTTP: agencies, clients and what bounds them, identity providers; all audited."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from ecert.errors import AlreadyExists, IdentifierError, NotFound
from ecert.model import Agency
from ecert.reuse.sharing import new_rule
from tests.api.conftest import (
    EVERYTHING,
    GROUNDS,
    Drafts,
    Portal,
    System,
    jwk_of,
    make_key,
    refused,
)
from tests.conftest import CLERK, CONSTRUCTION, PLANNING, WORKS
from tests.oidc.provider import ENTERPRISE, HIGH, Provider, oidc

__all__ = ["oidc"]

ADMIN = ("clients:manage", "sharing:manage", "matters:manage", "certificates:read")
TOWN, VILLAGE, STRANGER = "11440114MA0000096L", "11440114MA0000097P", "11440114MA0000098T"
HOLDER = "91440114MA00000151"
BAD_ADDRESSES = (
    "ftp://127.0.0.1/",
    "http://example.org/",
    "https://",
    "https://a b/",
    "https://user:pass@example.org/",
    "file:///etc/passwd",
    "",
)


class Office:
    """A service and its district administrator, who works with a system of the planning bureau's."""

    def __init__(self, desk: Portal) -> None:
        self.desk = desk
        self.admin = desk.enrol(PLANNING.code, ADMIN)

    def call(
        self, method: str, path: str, *, who: System | None = None, **members: Any
    ) -> httpx.Response:
        headers = {**self.desk.bearer(who or self.admin), **members.pop("headers", {})}
        return self.desk.send(method, path, headers=headers, **members)

    def good(self, method: str, path: str, status: int = 200, **members: Any) -> Any:
        answer = self.call(method, path, **members)
        assert answer.status_code == status, answer.text
        return answer.json()

    def add_agency(self, code: str, parent: str) -> Any:
        agency = Agency(code, f"示例镇（虚构）{code[-4:]}", "440114", parent)
        self.desk.registry.agencies.add(agency, by=CLERK, may_issue=[WORKS])
        listed = self.good("GET", "/v1/agencies")["items"]
        return next(one for one in listed if one["code"] == code)

    def add_client(self, agency: str = PLANNING.code, **members: Any) -> tuple[System, Any]:
        key = make_key()
        body = {
            "name": "村务系统",
            "agency": agency,
            "scopes": ["certificates:read"],
            "jwk": jwk_of(key),
            **members,
        }
        shown = self.good("POST", "/v1/clients", 201, json=body)
        scopes = frozenset(body["scopes"])
        desk = self.desk
        who = System(shown["id"], agency, scopes, key, "ES256", desk.base, desk.now)
        return who, shown

    def trail(self, action: str) -> list[dict[str, Any]]:
        return [row for row in self.desk.audit() if row["action"] == action]


@pytest.fixture
def office(desk: Portal) -> Office:
    return Office(desk)


def matter_of(agency: str) -> dict[str, Any]:
    option = {"type": WORKS, "fields": ["fields.project_name"]}
    name = {"zh": "示例事项", "en": "An example"}
    works = {"code": "works", "name": name, "owner": "project", "satisfied_by": [option]}
    return {"code": "T-1", "version": 1, "name": name, "agency": agency, "materials": [works]}


# -- agencies --------------------------------------------------------------------------------------


def test_a_village_below_a_town_below_a_district_uses_what_the_district_has(
    office: Office, a_draft: Drafts
) -> None:
    town = office.add_agency(TOWN, PLANNING.code)
    assert (town["parent"], town["requires_dpop"]) == (PLANNING.code, False)
    office.add_agency(VILLAGE, TOWN)
    listed = office.good("GET", "/v1/agencies")["items"]
    assert {one["code"]: one["parent"] for one in listed} == {
        PLANNING.code: None,
        TOWN: PLANNING.code,
        VILLAGE: TOWN,
    }
    office.good("POST", "/v1/matters", 201, json=matter_of(PLANNING.code))
    rule = {
        "type": WORKS,
        "agency": PLANNING.code,
        "legal_basis": "国务院令",
        "mode": "unconditional",
    }
    office.good("POST", "/v1/sharing-rules", 201, json=rule)
    issued = office.desk.issued(office.desk.planning, a_draft())
    office.desk.registry.log.publish()
    village, _ = office.add_client(VILLAGE)
    matters = office.good("GET", "/v1/matters", who=village)["items"]
    assert [one["code"] for one in matters] == ["T-1"]
    body = {"project_code": issued["project_code"], "case_number": "1", "operator": "村干部"}
    path = "/v1/matters/T-1/dossiers"
    found = office.good("POST", path, 201, who=village, json=body)
    assert [one["certificate"] for one in found["presentations"]] == [issued["id"]]
    seen = office.good("GET", "/v1/agencies", who=village)["items"]
    assert [one["code"] for one in seen] == [VILLAGE]


def test_a_nearer_rule_decides(office: Office, a_draft: Drafts) -> None:
    office.add_agency(TOWN, PLANNING.code)
    office.good("POST", "/v1/matters", 201, json=matter_of(PLANNING.code))
    for agency, mode in ((PLANNING.code, "unconditional"), (TOWN, "not_shared")):
        rule = {"type": WORKS, "agency": agency, "legal_basis": "国务院令", "mode": mode}
        office.good("POST", "/v1/sharing-rules", 201, json=rule)
    project = office.desk.issued(office.desk.planning, a_draft())["project_code"]
    body = {"project_code": project, "case_number": "1", "operator": "镇干部"}
    town, _ = office.add_client(TOWN)
    refused(office.call("POST", "/v1/matters/T-1/checklist", who=town, json=body), 404)
    office.good("POST", "/v1/matters/T-1/checklist", json=body)


def test_http_registers_no_agency(office: Office) -> None:
    """Who may issue is decided by the operator, at the command line or through the library."""
    body = {"code": TOWN, "name": "镇", "division": "440114", "parent": PLANNING.code}
    for path in ("/v1/agencies", f"/v1/agencies/{TOWN}"):
        refused(office.call("POST", path, json=body), 405, "method_not_allowed")
    assert TOWN not in {one.code for one in office.desk.registry.agencies.all()}


def test_agencies_are_checked(office: Office) -> None:
    agencies = office.desk.registry.agencies
    town = Agency(TOWN, "镇", "440114", PLANNING.code)
    wrong = TOWN[:-1] + ("0" if TOWN[-1] != "0" else "1")
    for bad, error in (
        (replace(town, code=wrong), IdentifierError),
        (replace(town, parent=wrong), NotFound),
        (replace(town, division="44011"), IdentifierError),
    ):
        with pytest.raises(error):
            agencies.add(bad, by=CLERK)
    agencies.add(town, by=CLERK)
    with pytest.raises(AlreadyExists):
        agencies.add(town, by=CLERK)
    assert [row["outcome"] for row in office.trail("agency.add")][-1] == "already_exists"


def test_a_new_agency_can_issue_at_once(office: Office, a_draft: Drafts) -> None:
    office.add_agency(TOWN, PLANNING.code)
    issuing = office.desk.enrol(TOWN, EVERYTHING)
    issued = office.desk.issued(issuing, a_draft())
    assert issued["issuer"]["code"] == TOWN
    assert office.desk.registry.verify(issued["credential"]).verdict.value == "valid"


def test_an_agency_that_demands_dpop_refuses_bearer_tokens_below_it_too(office: Office) -> None:
    office.add_agency(TOWN, PLANNING.code)
    office.add_agency(VILLAGE, TOWN)
    village, _ = office.add_client(VILLAGE)
    headers = office.desk.bearer(village)
    path = f"/v1/agencies/{TOWN}"
    shown = office.good("PATCH", path, json={"requires_dpop": True})
    assert shown["requires_dpop"] is True
    answer = office.desk.send("GET", "/v1/matters", headers=headers)
    refused(answer, 401, "dpop_required")
    assert answer.headers["www-authenticate"].startswith("DPoP")
    assert office.desk.ask_token(village.assertion()).json()["error"] == "invalid_dpop_proof"
    office.good("GET", "/v1/matters")  # the district itself does not
    office.good("PATCH", path, json={"requires_dpop": False})
    assert office.desk.send("GET", "/v1/matters", headers=headers).status_code == 200
    other = f"/v1/agencies/{CONSTRUCTION.code}"
    refused(office.call("PATCH", other, json={"requires_dpop": True}), 404)
    assert len(office.trail("agency.dpop")) == 3


def test_a_token_never_outlives_the_scopes_of_its_client(office: Office, a_draft: Drafts) -> None:
    issued = office.desk.issued(office.desk.planning, a_draft())
    who = office.desk.enrol(PLANNING.code, ["certificates:read", "audit:read"])
    headers = office.desk.bearer(who)
    grounds = {"X-Purpose": "t", "X-Matter": "t", "X-Operator": "t"}
    path = f"/v1/certificates/{issued['id']}"
    assert office.desk.send("GET", path, headers={**headers, **grounds}).status_code == 200
    office.good("PATCH", f"/v1/clients/{who.id}", json={"scopes": ["audit:read"]})
    refused(office.desk.send("GET", path, headers={**headers, **grounds}), 403, "forbidden")
    assert office.desk.send("GET", "/v1/audit", headers=headers).status_code == 200


# -- clients ---------------------------------------------------------------------------------------


def test_a_client_is_added_and_listed(office: Office) -> None:
    office.add_agency(TOWN, PLANNING.code)
    who, shown = office.add_client(TOWN)
    assert shown["keys"] == [shown["id"]]
    assert (shown["state"], shown["daily_quota"], shown["addresses"]) == ("active", None, [])
    listed = office.good("GET", "/v1/clients")["items"]
    assert shown in listed
    assert {one["agency"] for one in listed} == {PLANNING.code, TOWN}
    office.good("GET", "/v1/matters", who=who)
    (row,) = office.trail("client.add")[-1:]
    assert (row["client"], row["details"]["client"]) == (office.admin.id, who.id)


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"agency": CONSTRUCTION.code}, 404),
        ({"agency": STRANGER}, 404),
        ({"scopes": ["certificates:issue"]}, 400),  # nobody gives what he lacks
        ({"scopes": ["certificates:everything"]}, 400),
        ({"addresses": ["10.0.0.300"]}, 400),
        ({"addresses": ["10.0.0.1/8"]}, 400),
        ({"daily_quota": -1}, 400),
        ({"name": "一行\n两行"}, 400),
        ({"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}, 400),
    ],
)
def test_a_client_that_is_not_right_is_refused(
    office: Office, members: dict[str, Any], status: int
) -> None:
    before = len(office.good("GET", "/v1/clients")["items"])
    body = {
        "name": "村务系统",
        "agency": PLANNING.code,
        "scopes": ["certificates:read"],
        "jwk": jwk_of(make_key()),
        **members,
    }
    refused(office.call("POST", "/v1/clients", json=body), status)
    assert len(office.good("GET", "/v1/clients")["items"]) == before


def test_a_private_key_is_not_taken(office: Office) -> None:
    """Whoever sends one has given it away: he has to be told, and it must not be kept."""
    jwk = {**jwk_of(make_key()), "d": "A" * 43}
    body = {"name": "系统", "agency": PLANNING.code, "scopes": ["certificates:read"], "jwk": jwk}
    refused(office.call("POST", "/v1/clients", json=body), 400)


def test_two_keys_at_once_work_and_the_old_one_is_retired(office: Office) -> None:
    old, _ = office.add_client()
    key = make_key()
    path = f"/v1/clients/{old.id}/keys"
    shown = office.good("POST", path, 201, json={"jwk": jwk_of(key)})
    (added,) = set(shown["keys"]) - {old.id}
    new = replace(old, key=key)
    for who in (old, new):
        office.good("GET", "/v1/matters", who=who)
    refused(office.call("POST", path, json={"jwk": jwk_of(key)}), 409, "already_exists")
    left = office.good("DELETE", f"{path}/{old.id}")
    assert left["keys"] == [added]
    assert left["id"] == old.id  # its name stays
    office.good("GET", "/v1/matters", who=new)
    assert office.desk.ask_token(old.assertion()).status_code == 401
    refused(office.call("DELETE", f"{path}/{added}"), 400)  # the last one stays
    refused(office.call("DELETE", f"{path}/{old.id}"), 404)
    again = {"name": "系统", "agency": PLANNING.code, "scopes": [], "jwk": jwk_of(old.key)}
    refused(office.call("POST", "/v1/clients", json=again), 409)  # a retired key stays retired
    assert len(office.trail("client.key.add")) == 1 + 1  # one done, one refused
    assert [row["outcome"] for row in office.trail("client.key.retire")].count("done") == 1


def test_a_client_calls_only_from_its_addresses(office: Office) -> None:
    who, _ = office.add_client(addresses=["10.1.0.0/16"])
    refused(office.desk.ask_token(who.assertion()), 401, "address_not_allowed")
    path = f"/v1/clients/{who.id}"
    shown = office.good("PATCH", path, json={"addresses": ["127.0.0.0/8", "::1"]})
    assert shown["addresses"] == ["127.0.0.0/8", "::1"]
    office.good("GET", "/v1/matters", who=who)
    headers = office.desk.bearer(who)
    office.good("PATCH", path, json={"addresses": ["10.1.0.0/16"]})
    refused(office.desk.send("GET", "/v1/matters", headers=headers), 403, "address_not_allowed")
    office.good("PATCH", path, json={"addresses": []})
    office.good("GET", "/v1/matters", who=who)


def test_a_quota_bounds_what_a_client_is_shown_a_day(office: Office, a_draft: Drafts) -> None:
    issued = office.desk.issued(office.desk.planning, a_draft())
    who, _ = office.add_client(daily_quota=1)
    assert office.desk.get(who, issued["id"]).status_code == 200
    refused(office.desk.get(who, issued["id"]), 429, "quota_exceeded")
    path = f"/v1/clients/{who.id}"
    assert office.good("PATCH", path, json={"daily_quota": 2})["daily_quota"] == 2
    assert office.desk.get(who, issued["id"]).status_code == 200
    refused(office.desk.get(who, issued["id"]), 429)
    assert office.good("PATCH", path, json={"no_quota": True})["daily_quota"] is None
    assert office.desk.get(who, issued["id"]).status_code == 200
    outcomes = [row["outcome"] for row in office.trail("read") if row["client"] == who.id]
    assert outcomes == ["done", "quota_exceeded", "done", "quota_exceeded", "done"]


def test_a_search_counts_against_the_quota(office: Office, a_draft: Drafts) -> None:
    for _ in range(3):
        office.desk.issued(office.desk.planning, a_draft())
    who, _ = office.add_client(daily_quota=2)
    refused(office.desk.search(who, type=WORKS), 429)
    assert office.desk.search(who, type=WORKS, limit=1).status_code in {200, 429}


def test_a_suspended_client_is_refused_at_once_and_may_come_back(office: Office) -> None:
    who, _ = office.add_client()
    headers = office.desk.bearer(who)
    path = f"/v1/clients/{who.id}"
    assert office.good("PATCH", path, json={"state": "suspended"})["state"] == "suspended"
    refused(office.desk.send("GET", "/v1/matters", headers=headers), 401)
    assert office.desk.ask_token(who.assertion()).status_code == 401
    office.good("PATCH", path, json={"state": "active"})
    assert office.desk.send("GET", "/v1/matters", headers=headers).status_code == 200
    told = [row["details"]["changed"] for row in office.trail("client.change")]
    assert told == [["state"], ["state"]]


@pytest.mark.parametrize(
    "change", [{"state": "suspended"}, {"daily_quota": 1}, {"addresses": ["10.0.0.1"]}], ids=str
)
def test_an_administrator_bounds_a_client_that_has_scopes_he_lacks(
    office: Office, change: dict[str, Any]
) -> None:
    """He may not *give* such a scope; to stop a system that went astray he need not have it."""
    stray = office.desk.issuer
    assert not stray.scopes & set(ADMIN)
    office.good("PATCH", f"/v1/clients/{stray.id}", json=change)


def test_scopes_are_changed_but_none_is_given_that_one_lacks(office: Office) -> None:
    who, _ = office.add_client()
    path = f"/v1/clients/{who.id}"
    shown = office.good("PATCH", path, json={"scopes": ["matters:manage"]})
    assert shown["scopes"] == ["matters:manage"]
    refused(office.call("PATCH", path, json={"scopes": ["certificates:issue"]}), 400)
    refused(office.call("PATCH", path, json={"nonsense": 1}), 400)


def test_a_token_loses_a_scope_that_was_taken_from_its_client(office: Office) -> None:
    """It may run out by itself within five minutes; no new one has the scope."""
    who, _ = office.add_client(scopes=["matters:manage", "certificates:read"])
    office.good("PATCH", f"/v1/clients/{who.id}", json={"scopes": ["certificates:read"]})
    assert office.desk.ask_token(who.assertion(), scope="matters:manage").status_code == 400
    body = matter_of(PLANNING.code)
    refused(office.call("POST", "/v1/matters", who=who, json=body), 403)


def test_clients_of_other_agencies_are_not_there(office: Office) -> None:
    path = f"/v1/clients/{office.desk.construction.id}"
    missing = "/v1/clients/" + "x" * 43
    for where in (path, missing):
        refused(office.call("PATCH", where, json={"state": "suspended"}), 404)
        refused(office.call("POST", f"{where}/keys", json={"jwk": jwk_of(make_key())}), 404)
        refused(office.call("DELETE", f"{where}/keys/x"), 404)
        refused(office.call("PUT", f"{where}/webhook", json={"url": None}), 404)
    for method, where in (("GET", "/v1/clients"), ("PATCH", missing)):
        refused(office.call(method, where, who=office.desk.reader, json={}), 403)


# -- webhooks --------------------------------------------------------------------------------------


def test_a_webhook_is_set_changed_and_removed(office: Office) -> None:
    who, _ = office.add_client()
    path, webhooks = f"/v1/clients/{who.id}/webhook", office.desk.registry.webhooks
    for url in ("https://approval.example.gov.cn/ecert", "http://127.0.0.1:8080/told"):
        office.good("PUT", path, json={"url": url})
        (row,) = webhooks.all()
        assert (row.client, row.url, row.failures) == (who.id, url, 0)
    office.good("PUT", path, json={"url": None})
    assert webhooks.all() == []
    assert [row["outcome"] for row in office.trail("client.webhook")] == ["done"] * 3


@pytest.mark.parametrize("url", BAD_ADDRESSES)
def test_a_webhook_goes_to_a_proper_address_only(office: Office, url: str) -> None:
    who, _ = office.add_client()
    refused(office.call("PUT", f"/v1/clients/{who.id}/webhook", json={"url": url}), 400)
    assert office.desk.registry.webhooks.all() == []


# -- sharing rules ---------------------------------------------------------------------------------


def test_a_rule_is_added_listed_and_ended(office: Office) -> None:
    office.good("POST", "/v1/matters", 201, json=matter_of(PLANNING.code))
    body = {
        "type": WORKS,
        "agency": PLANNING.code,
        "matter": "T-1",
        "mode": "conditional",
        "fields": ["fields.project_name"],
        "legal_basis": "国务院令第716号第七条",
        "daily_quota": 100,
        "valid_from": "2026-01-01",
        "valid_to": "2026-12-31",
    }
    made = office.good("POST", "/v1/sharing-rules", 201, json=body)
    assert {name: made[name] for name in body} == body
    assert office.good("GET", "/v1/sharing-rules")["items"] == [made]
    (ended,) = office.good("DELETE", f"/v1/sharing-rules/{made['id']}")["items"]
    assert ended["ended_at"] is not None
    assert office.good("GET", "/v1/sharing-rules")["items"] == [ended]
    refused(office.call("DELETE", "/v1/sharing-rules/x"), 404)
    refused(office.call("GET", "/v1/sharing-rules", who=office.desk.reader), 403)
    assert office.trail("rule.add")[0]["details"]["rule"] == made["id"]
    assert office.trail("rule.end")[0]["details"]["rule"] == made["id"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"type": "no-such-type"}, 404),
        ({"agency": STRANGER}, 404),
        ({"matter": "T-0"}, 404),
        ({"fields": ["fields.nonsense"]}, 400),
        ({"mode": "sometimes"}, 400),
        ({"legal_basis": ""}, 400),
        ({"valid_from": "2026-12-31", "valid_to": "2026-01-01"}, 400),
        ({"valid_from": "yesterday"}, 400),
    ],
    ids=str,
)
def test_a_rule_that_is_not_right_is_refused(
    office: Office, change: dict[str, Any], status: int
) -> None:
    body = {"type": WORKS, "agency": PLANNING.code, "legal_basis": "法", "mode": "unconditional"}
    refused(office.call("POST", "/v1/sharing-rules", json={**body, **change}), status)
    assert office.desk.registry.rules.all(by=CLERK) == []


# -- identity providers ------------------------------------------------------------------------------


def test_a_provider_is_believed_from_when_it_was_set_up(office: Office, oidc: Provider) -> None:
    def holder() -> httpx.Response:
        token = oidc.sign_in(ENTERPRISE, at=office.desk.registry.clock())
        headers = {"Authorization": f"Bearer {token}"}
        return office.desk.send("GET", "/v1/me/uses", headers=headers)

    assert holder().status_code in {401, 403}
    body = {
        "issuer": oidc.issuer,
        "audiences": [oidc.client_id],
        "levels": [HIGH],
        "keys": oidc.jwks,
        "portals": [oidc.client_id],
    }
    (shown,) = office.good("POST", "/v1/identity-providers", 201, json=body)["items"]
    assert (shown["issuer"], shown["algorithm"]) == (oidc.issuer, "RS256")
    assert shown["claims"] == {"001": "credit_code", "111": "resident_number"}
    assert office.good("GET", "/v1/identity-providers")["items"] == [shown]
    assert holder().status_code == 200
    office.good("POST", "/v1/identity-providers", 201, json={**body, "portals": []})
    assert holder().status_code in {401, 403}
    rows = office.trail("provider.put")
    assert [row["details"]["issuer"] for row in rows] == [oidc.issuer] * 2


@pytest.mark.parametrize(
    "change",
    [
        {"keys": {}},
        {"keys": {"keys": [{"kty": "oct", "k": "AAAA"}]}},
        {"keys": {"keys": [{"kty": "EC", "d": "AAAA"}]}},
        {"keys": {"keys": [{"kty": "nonsense"}]}},
        {"algorithm": "none"},
        {"algorithm": "HS256"},
        {"claims": {"002": "x"}},
        {"levels": []},
        {"issuer": "javascript:alert(1)"},
    ],
    ids=str,
)
def test_a_provider_that_is_not_right_is_refused(
    office: Office, oidc: Provider, change: dict[str, Any]
) -> None:
    body = {
        "issuer": oidc.issuer,
        "audiences": [oidc.client_id],
        "levels": [HIGH],
        "keys": oidc.jwks,
        **change,
    }
    refused(office.call("POST", "/v1/identity-providers", json=body), 400)
    assert office.desk.registry.providers.all(by=CLERK) == []


# -- all of it ---------------------------------------------------------------------------------------


def test_a_refused_change_is_in_the_trail_too(office: Office) -> None:
    before = len(office.desk.audit())
    body = {"scopes": ["certificates:issue"]}
    who, _ = office.add_client()
    refused(office.call("PATCH", f"/v1/clients/{who.id}", json=body), 400)
    path = f"/v1/clients/{office.desk.construction.id}"
    refused(office.call("PATCH", path, json={"state": "suspended"}), 404)
    rows = office.desk.audit()[before:]
    outcomes = [row["outcome"] for row in rows if row["action"] == "client.change"]
    assert outcomes == ["input_invalid", "not_found"]


def test_the_trail_holds_no_keys_and_checks_out(office: Office) -> None:
    office.add_client()
    rule = new_rule(WORKS, PLANNING.code, legal_basis="法")
    office.desk.registry.rules.add(rule, by=CLERK)
    office.desk.registry.trail.check()
    assert '"crv"' not in json.dumps(office.desk.audit(), default=str)


def test_reading_needs_grounds_still(office: Office, a_draft: Drafts) -> None:
    issued = office.desk.issued(office.desk.planning, a_draft())
    path = f"/v1/certificates/{issued['id']}"
    refused(office.call("GET", path), 400)
    office.good("GET", path, headers=GROUNDS)
