"""The holder's own 我的证照: he opens, shows and lends what is his; of another's he learns nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from ecert.errors import SignInAgain
from ecert.formats.id_token import Provider as Believed
from ecert.formats.id_token import SignedIn
from ecert.model import Operation, Record
from ecert.registry import CopyWish, OwnQuestion
from ecert.testing import SettableClock
from tests.api.conftest import refused
from tests.api.test_reuse_routes import (
    HOLDER,
    MATTER,
    PERSONAL,
    PROJECT,
    RURAL,
    Town,
    oidc,
    sign_in,
    town,
)
from tests.conftest import CLERK, WORKS, trail_rows
from tests.oidc.provider import ENTERPRISE, HIGH, PERSON, Provider

__all__ = ["oidc", "sign_in", "town"]

SignIn = Callable[..., str]
COPY = {"purpose": "办理贷款", "recipient": "示例银行花都支行", "until": "2026-03-20"}


@pytest.fixture
def works(town: Town) -> Record:
    return town.issue(WORKS)


@pytest.fixture
def house(town: Town) -> Record:
    holder = {"name": "江虚子", "code": PERSONAL, "code_type": "111"}
    return town.issue(RURAL, holders=[holder])


def path(record: Record, more: str = "") -> str:
    return f"/v1/me/certificates/{record.id}{more}"


def test_a_holder_opens_his_own_in_each_form(town: Town, works: Record, sign_in: SignIn) -> None:
    town.registry.log.publish()
    token = sign_in()
    (listed,) = town.me(token, "GET", "/v1/me/certificates").json()["items"]
    assert listed["id"] == works.id
    shown = town.me(token, "GET", path(works))
    assert shown.json()["number"] == works.body["number"]
    credential = town.desk.send(
        "GET",
        path(works),
        headers={"Authorization": f"Bearer {token}", "Accept": "application/dc+sd-jwt"},
    )
    assert credential.text == works.credential
    pdf = town.desk.send(
        "GET",
        path(works),
        headers={"Authorization": f"Bearer {token}", "Accept": "application/pdf"},
    )
    assert pdf.content.startswith(b"%PDF-")
    assert town.registry.verify(pdf.content).verdict == "valid"
    assert shown.headers["cache-control"] == "no-store"


def test_he_shows_only_what_he_chose(town: Town, works: Record, sign_in: SignIn) -> None:
    body = {"fields": ["holders.name", "fields.project_name"]}
    made = town.me(sign_in(), "POST", path(works, "/presentations"), json=body)
    assert made.status_code == 201
    report = town.registry.verify(made.json()["credential"])
    assert report.verdict == "valid"
    assert report.certificate is not None
    assert report.certificate["fields"].keys() == {"project_name"}
    assert HOLDER not in str(report.certificate)
    body = {"fields": ["fields.no_such_field"]}
    refused(town.me(sign_in(), "POST", path(works, "/presentations"), json=body), 400)


def test_he_lends_his_own_licence(town: Town, works: Record, sign_in: SignIn) -> None:
    made = town.me(sign_in(), "POST", path(works, "/copies"), json=COPY)
    assert made.status_code == 201, made.text
    report = town.registry.verify(made.content)
    assert report.verdict == "valid"
    assert report.certificate is not None
    assert report.certificate["copy"]["recipient"] == COPY["recipient"]
    again = town.me(sign_in(), "POST", path(works, "/copies"), json=COPY)
    assert again.content == made.content
    town.operate(works, Operation.SUSPEND)
    refused(town.me(sign_in(), "POST", path(works, "/copies"), json=COPY), 409, "not_in_force")


def test_he_sees_before_he_applies_what_he_need_not_bring(
    town: Town, works: Record, sign_in: SignIn
) -> None:
    """No rule and no grant is needed: it is his own."""
    body = {"matter": MATTER, "project_code": PROJECT}
    found = town.me(sign_in(), "POST", "/v1/me/checklists", json=body).json()
    met = [one["certificate"]["id"] for one in found["items"] if one["state"] == "met"]
    assert met == [works.id]
    other = town.me(sign_in(PERSON), "POST", "/v1/me/checklists", json=body).json()
    assert other["summary"]["met"] == 0
    assert works.id not in str(other)
    refused(town.me(sign_in(), "POST", "/v1/me/checklists", json={"matter": "NONE"}), 404)
    wrong = {**body, "situation": "no-such-one"}
    refused(town.me(sign_in(), "POST", "/v1/me/checklists", json=wrong), 400)


def test_all_of_it_is_in_the_trail_under_his_hmac(
    town: Town, works: Record, sign_in: SignIn
) -> None:
    before = len(trail_rows(town.registry))
    town.me(sign_in(), "GET", path(works))
    town.me(sign_in(), "POST", path(works, "/copies"), json=COPY)
    rows = trail_rows(town.registry)[before:]
    rows = [
        row for row in rows if row["action"] != "document.make"
    ]  # nobody's act but the registry's
    assert [row["action"] for row in rows] == ["held.read", "held.copy"]
    hmac = town.registry.desk.secrets.hide(HOLDER).hex()
    assert {row["details"]["holder_hmac"] for row in rows} == {hmac}
    assert HOLDER not in str(rows)


# -- holder against holder ---------------------------------------------------------------------------

EVERY_ROUTE: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("POST", "/presentations", {"fields": ["holders.name"]}),
    ("POST", "/copies", COPY),
]


@pytest.mark.parametrize("call", EVERY_ROUTE, ids=lambda one: f"{one[0]} {one[1]}")
def test_of_anothers_certificate_he_learns_nothing(
    town: Town, works: Record, house: Record, sign_in: SignIn, call: tuple[str, str, Any]
) -> None:
    method, more, body = call
    members = {} if body is None else {"json": body}
    for account, own, other in ((ENTERPRISE, works, house), (PERSON, house, works)):
        token = sign_in(account)
        absent = own.id[:-6] + "000000"
        hidden = town.me(token, method, path(other, more), **members)
        missing = town.me(token, method, f"/v1/me/certificates/{absent}{more}", **members)
        refused(hidden, 404, "not_found")
        assert hidden.content == missing.content
        assert town.me(token, method, path(own, more), **members).status_code in {200, 201}


def test_no_list_shows_anything_of_another(
    town: Town, works: Record, house: Record, sign_in: SignIn
) -> None:
    for account, own, other in ((ENTERPRISE, works, house), (PERSON, house, works)):
        token = sign_in(account)
        for place in ("certificates", "uses", "grants", "delegations", "objections"):
            answer = town.me(token, "GET", f"/v1/me/{place}")
            assert answer.status_code == 200
            assert other.id not in answer.text
        assert own.id in town.me(token, "GET", "/v1/me/certificates").text
        body = {"certificate": other.id, "field": "number", "words": "不对"}
        refused(town.me(token, "POST", "/v1/me/objections", json=body), 404)


# -- who may open them -------------------------------------------------------------------------------


def test_an_older_sign_in_is_not_fresh_enough(
    town: Town, works: Record, sign_in: SignIn, clock: SettableClock
) -> None:
    stricter = replace(town.registry.charter, sign_in_minutes=5)
    object.__setattr__(town.registry.desk, "charter", stricter)  # as a setting would
    token = sign_in()
    clock.move(timedelta(minutes=5))
    assert town.me(token, "GET", path(works)).status_code == 200
    clock.move(timedelta(seconds=1))
    for method, place, body in (
        ("GET", path(works), None),
        ("GET", "/v1/me/certificates", None),
        ("POST", path(works, "/presentations"), {"fields": ["holders.name"]}),
        ("POST", path(works, "/copies"), COPY),
        ("POST", "/v1/me/checklists", {"matter": MATTER}),
    ):
        members = {} if body is None else {"json": body}
        refused(town.me(token, method, place, **members), 401, "sign_in_again")
    assert town.me(token, "GET", "/v1/me/uses").status_code == 200


@pytest.mark.parametrize("seconds", [0, 15 * 60])
def test_a_quarter_of_an_hour_is_the_rule(town: Town, works: Record, seconds: int) -> None:
    at = int(town.registry.clock().timestamp()) - seconds
    holder = SignedIn(HOLDER, "001", None, signed_in_at=at)
    assert [one.id for one in town.registry.own.all(holder=holder)] == [works.id]


@pytest.mark.parametrize("seconds", [15 * 60 + 1, -31, None])
def test_what_is_older_or_unknown_opens_nothing(
    town: Town, works: Record, seconds: int | None
) -> None:
    now = int(town.registry.clock().timestamp())
    at = None if seconds is None else now - seconds
    holder = SignedIn(HOLDER, "001", None, signed_in_at=at)
    own = town.registry.own
    for call in (
        lambda: own.all(holder=holder),
        lambda: own.get(works.id, holder=holder),
        lambda: own.document(works.id, holder=holder),
        lambda: own.present(works.id, [], holder=holder),
        lambda: own.copy(works.id, CopyWish("甲", "乙", date(2026, 3, 9)), holder=holder),
        lambda: own.checklist(OwnQuestion(MATTER), holder=holder),
    ):
        with pytest.raises(SignInAgain):
            call()


def test_a_hall_that_is_no_portal_opens_nothing(
    town: Town, works: Record, oidc: Provider, clock: SettableClock
) -> None:
    closed = Believed(oidc.issuer, (oidc.client_id,), (HIGH,), oidc.jwks)
    town.registry.providers.put(closed, by=CLERK)
    token = oidc.sign_in(ENTERPRISE, at=clock.now)
    for place in ("certificates", "uses", "grants", "delegations", "objections"):
        refused(town.me(token, "GET", f"/v1/me/{place}"), 401, "id_token_refused")
    refused(town.me(token, "GET", path(works)), 401, "id_token_refused")


# -- a clerk whom a provider vouches for -----------------------------------------------------------------


def test_a_clerks_identity_is_vouched_for(town: Town, works: Record, sign_in: SignIn) -> None:
    desk = town.desk
    token = sign_in(PERSON)
    grounds = {"X-Purpose": "x", "X-Matter": "y", "X-Operator": "z"}
    headers = {**desk.bearer(desk.planning), **grounds}
    desk.send("GET", f"/v1/certificates/{works.id}", headers=headers)
    desk.send("GET", f"/v1/certificates/{works.id}", headers={**headers, "X-Operator-Token": token})
    body = {**WHY, "operation": "suspend", "operator": "李四", "operator_token": token}
    path_ = f"/v1/certificates/{works.id}/operations"
    assert town.call(desk.planning, "POST", path_, json=body).status_code == 200
    rows = [row for row in trail_rows(town.registry) if row["certificate"] == works.id][-3:]
    said = [row["details"].get("operator_verified", False) for row in rows]
    assert said == [False, True, True]
    hmac = town.registry.desk.secrets.hide(PERSONAL).hex()
    assert rows[-1]["details"]["operator_hmac"] == hmac
    assert PERSONAL not in str(rows)


WHY = {"reason": "核查", "basis": "穗规监〔2026〕1号"}


def test_a_clerk_that_nobody_vouches_for_is_refused(
    town: Town, works: Record, sign_in: SignIn, clock: SettableClock
) -> None:
    desk = town.desk
    body = {**WHY, "operation": "suspend", "operator": "李四", "operator_token": "a.b.c"}
    path_ = f"/v1/certificates/{works.id}/operations"
    refused(town.call(desk.planning, "POST", path_, json=body), 403, "id_token_refused")
    old = sign_in(PERSON)
    clock.move(timedelta(hours=2))
    body["operator_token"] = old
    refused(town.call(desk.planning, "POST", path_, json=body), 403, "id_token_refused")
    assert desk.get(desk.planning, works.id).json()["status"] == "valid"
    outcomes = [row["outcome"] for row in trail_rows(town.registry) if row["action"] == "operator"]
    assert outcomes == ["id_token_refused"] * 2
