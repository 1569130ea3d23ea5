"""Administrators who reach beyond their own: clients, keys, scopes, agencies, matters and rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ecert._encoding import to_json
from ecert.errors import Forbidden
from ecert.model import Actor, Agency
from tests.adversary.reuse.world import (
    BASIS,
    CLERK,
    LAND,
    MATTER,
    READ,
    Hall,
    World,
    credit_code,
)
from tests.api.conftest import System, jwk_of, make_key
from tests.conftest import CONSTRUCTION, EVERY_TYPE, PLANNING

MANAGE = "clients:manage"


@pytest.fixture
def admin(world: World) -> System:
    """Manages the clients of the construction bureau, and nothing more."""
    return world.desk.enrol(CONSTRUCTION.code, [MANAGE])


def wish(**changes: Any) -> dict[str, Any]:
    return {
        "name": "新系统",
        "agency": CONSTRUCTION.code,
        "scopes": [MANAGE],
        "jwk": jwk_of(make_key()),
        **changes,
    }


def touching(client: str) -> dict[str, tuple[str, str, Any]]:
    """List everything that can be done to a client."""
    at = f"/v1/clients/{client}"
    return {
        "scopes": ("PATCH", at, {"scopes": []}),
        "addresses": ("PATCH", at, {"addresses": ["10.0.0.0/8"]}),
        "quota": ("PATCH", at, {"daily_quota": 5}),
        "no quota": ("PATCH", at, {"no_quota": True}),
        "state": ("PATCH", at, {"state": "suspended"}),
        "key": ("POST", f"{at}/keys", {"jwk": jwk_of(make_key())}),
        "retire": ("DELETE", f"{at}/keys/{client}", None),
        "webhook": ("PUT", f"{at}/webhook", {"url": "https://evil.example/"}),
    }


WAYS = pytest.mark.parametrize("way", list(touching("")))


@WAYS
def test_a_client_of_another_agency(world: World, admin: System, way: str) -> None:
    method, path, body = touching(world.gh.id)[way]
    world.refuse(lambda: world.call(admin, method, path, body), 404, "not_found")


def test_a_try_at_another_agencys_client_is_in_the_trail(world: World, admin: System) -> None:
    method, path, body = touching(world.gh.id)["key"]
    world.refuse(lambda: world.call(admin, method, path, body), 404, "not_found", by=admin)


def test_a_client_of_another_agency_looks_like_none(world: World, admin: System) -> None:
    answers = [
        world.call(admin, *touching(client)["key"]).content for client in (world.gh.id, "A" * 43)
    ]
    assert answers[0] == answers[1]


@WAYS
def test_without_the_scope_to_manage(world: World, way: str) -> None:
    method, path, body = touching(world.zj.id)[way]
    world.refuse(lambda: world.call(world.zj, method, path, body), 403, "forbidden")


def test_a_call_without_the_scope_is_in_the_trail(world: World) -> None:
    method, path, body = touching(world.zj.id)["key"]
    world.refuse(lambda: world.call(world.zj, method, path, body), 403, "forbidden", by=world.zj)


def test_only_ones_own_clients_are_listed(world: World, admin: System) -> None:
    items = world.call(admin, "GET", "/v1/clients").json()["items"]
    assert {one["agency"] for one in items} == {CONSTRUCTION.code}


# -- scopes that one lacks --------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["certificates:issue", "sharing:manage", *READ])
def test_a_new_client_with_a_scope_that_one_lacks(world: World, admin: System, scope: str) -> None:
    body = wish(scopes=[MANAGE, scope])
    world.refuse(lambda: world.call(admin, "POST", "/v1/clients", body), 400, "input_invalid")


def test_giving_a_scope_that_one_lacks_is_in_the_trail(world: World, admin: System) -> None:
    body = wish(scopes=[MANAGE, "sharing:manage"])
    world.refuse(
        lambda: world.call(admin, "POST", "/v1/clients", body), 400, "input_invalid", by=admin
    )


def test_a_scope_that_one_lacks_for_a_client_that_is_there(world: World, admin: System) -> None:
    body = {"scopes": [MANAGE, "sharing:manage"]}
    path = f"/v1/clients/{admin.id}"
    world.refuse(lambda: world.call(admin, "PATCH", path, body), 400, "input_invalid")


def test_a_key_for_a_client_that_may_more(world: World, admin: System) -> None:
    """Whoever has put his own key there is that client from then on, with all its scopes."""
    mighty = world.desk.enrol(
        CONSTRUCTION.code, ["sharing:manage", "certificates:issue", "audit:read"]
    )
    mine = make_key()
    path, body = f"/v1/clients/{mighty.id}/keys", {"jwk": jwk_of(mine)}
    world.call(admin, "POST", path, body)
    answer = world.desk.ask_token(mighty.assertion(key=mine))
    assert answer.status_code == 401, f"now he has {answer.json().get('scope')}"


def test_a_client_that_may_more_can_be_stopped(world: World, admin: System) -> None:
    """To suspend is to give no scope: whoever manages clients must be able to stop a stolen one."""
    mighty = world.desk.enrol(CONSTRUCTION.code, ["certificates:issue"])
    answer = world.call(admin, "PATCH", f"/v1/clients/{mighty.id}", {"state": "suspended"})
    assert answer.status_code == 200, answer.text


def test_a_token_with_fewer_scopes_gives_no_more_than_it_has(world: World) -> None:
    """The scopes of the token count, not those of the client behind it."""
    both = world.desk.enrol(CONSTRUCTION.code, [MANAGE, "sharing:manage"])
    headers = {"Authorization": f"Bearer {world.desk.token(both, scope=MANAGE)}"}
    body = wish(scopes=["sharing:manage"])
    world.refuse(
        lambda: world.call(None, "POST", "/v1/clients", body, headers), 400, "input_invalid"
    )


def test_a_client_for_another_agency(world: World, admin: System) -> None:
    body = wish(agency=PLANNING.code)
    world.refuse(lambda: world.call(admin, "POST", "/v1/clients", body), 404, "not_found", by=admin)


def test_the_key_of_another_client(world: World, admin: System) -> None:
    body = wish(jwk=jwk_of(world.gh.key))
    world.refuse(
        lambda: world.call(admin, "POST", "/v1/clients", body), 409, "already_exists", by=admin
    )


@pytest.mark.parametrize("address", ["10.0.0.1/8", "example.com", "10.0.0.0/33", "::1/129"])
def test_what_is_no_address(world: World, admin: System, address: str) -> None:
    body = wish(addresses=[address])
    world.refuse(lambda: world.call(admin, "POST", "/v1/clients", body), 400, "input_invalid")


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/",
        "file:///etc/passwd",
        "https://user:pw@evil.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1@evil.example/",
        "https://evil.example",
        "https://evil.example/\nX: y",
    ],
)
def test_what_is_no_address_of_a_webhook(world: World, admin: System, url: str) -> None:
    path = f"/v1/clients/{admin.id}/webhook"
    world.refuse(lambda: world.call(admin, "PUT", path, {"url": url}), 400, "body_malformed")


# -- agencies -----------------------------------------------------------------------------------------

NEW = credit_code("11440114MA0000791")


@pytest.mark.parametrize("parent", [CONSTRUCTION.code, PLANNING.code, None])
def test_no_agency_is_registered_over_http(world: World, admin: System, parent: str | None) -> None:
    """Not below oneself either: what it may issue would be given with it."""
    body = {"code": NEW, "name": "花都区示例站（演示）", "division": "440114", "parent": parent}
    answer = world.call(admin, "POST", "/v1/agencies", body)
    assert answer.status_code == 405
    assert NEW not in {one.code for one in world.registry.agencies.all()}


def test_an_administrator_registers_no_agency_in_the_library_either(
    world: World, admin: System
) -> None:
    by = Actor("李四", admin.agency, admin.id, scopes=frozenset({MANAGE}))
    with pytest.raises(Forbidden):
        world.registry.agencies.add(Agency(NEW, "花都区示例站（演示）", "440114"), by=by)
    (row,) = [one for one in world.desk.audit() if one["action"] == "agencies.add"]
    assert (row["outcome"], row["client"]) == ("forbidden", admin.id)


def test_another_agencys_demand_for_proof(world: World, admin: System) -> None:
    path = f"/v1/agencies/{PLANNING.code}"
    world.refuse(
        lambda: world.call(admin, "PATCH", path, {"requires_dpop": True}),
        404,
        "not_found",
        by=admin,
    )


def test_the_demand_of_the_agency_above_is_not_lifted_from_below(world: World) -> None:
    below = Agency(NEW, "花都区示例站（演示）", "440114", CONSTRUCTION.code)
    world.registry.agencies.add(below, by=CLERK, may_issue=EVERY_TYPE)
    world.registry.agencies.require_dpop(CONSTRUCTION.code, requires=True, by=CLERK)
    own, key = world.desk.enrol(NEW, [MANAGE]), make_key()
    token = world.bound_token(own, key)

    def patch(code: str) -> httpx.Response:
        path = f"/v1/agencies/{code}"
        proof = world.proof(key, "PATCH", path, token)
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
        return world.desk.send("PATCH", path, json={"requires_dpop": False}, headers=headers)

    world.refuse(lambda: patch(CONSTRUCTION.code), 404, "not_found", by=own)
    assert patch(NEW).status_code == 200
    assert world.registry.clients.directory.requires_dpop(NEW)


# -- matters --------------------------------------------------------------------------------------------


@pytest.fixture
def author(world: World) -> System:
    """Manages the matters of the planning bureau."""
    return world.desk.enrol(PLANNING.code, ["matters:manage", *READ])


def definition(world: World, code: str, **changes: Any) -> dict[str, Any]:
    return {**world.registry.matters.get(code, by=CLERK).to_json(), **changes}


def test_a_matter_of_another_agency(world: World, author: System) -> None:
    body = definition(world, MATTER, version=2)
    world.refuse(
        lambda: world.call(author, "POST", "/v1/matters", body), 404, "not_found", by=author
    )


def test_a_new_matter_for_another_agency(world: World, author: System) -> None:
    body = {**definition(world, MATTER), "code": "HD-ZJ-77"}
    world.refuse(
        lambda: world.call(author, "POST", "/v1/matters", body), 404, "not_found", by=author
    )


def take_over(world: World, author: System) -> Callable[[], httpx.Response]:
    body = definition(world, MATTER, version=2, agency=PLANNING.code)
    return lambda: world.call(author, "POST", "/v1/matters", body)


def test_the_code_of_another_agencys_matter(world: World, author: System) -> None:
    """A version that says the matter is now one's own takes it from the agency that it belongs to."""
    world.refuse(take_over(world, author), 409, "already_exists", by=author)


def test_another_agency_cannot_take_a_matter_away(world: World, author: System) -> None:
    take_over(world, author)()
    assert world.checklist().status_code == 200
    world.refuse(lambda: world.checklist(author), 404, "not_found", by=author)


def test_a_rule_for_a_matter_serves_only_the_agency_that_it_was_made_for(world: World) -> None:
    """A rule opens one bureau's matter through the agency above; its neighbour takes the code."""
    above, first, second = (credit_code(f"11440114MA00007{place}1") for place in range(3))
    world.registry.agencies.add(
        Agency(above, "示例区人民政府", "440114"), by=CLERK, may_issue=EVERY_TYPE
    )
    for code in (first, second):
        world.registry.agencies.add(
            Agency(code, f"示例局{code[-4:]}", "440114", above), by=CLERK, may_issue=EVERY_TYPE
        )
    body = {**definition(world, MATTER), "code": "HD-X-01", "agency": first}
    world.registry.matters.add(to_json(body), by=CLERK)
    world.rule(agency=above, matter="HD-X-01")
    thief = world.desk.enrol(second, ["matters:manage", *READ])
    assert world.checklist(thief, "HD-X-01").status_code == 404
    world.call(thief, "POST", "/v1/matters", {**body, "agency": second, "version": 2})
    answer = world.checklist(thief, "HD-X-01")
    assert answer.status_code == 404, "what was opened for the one is the other's now"


def test_a_batch_with_one_matter_of_another_agency_adds_nothing(
    world: World, author: System
) -> None:
    own = {**definition(world, LAND), "code": "HD-GH-77"}
    body = {"matters": [own, definition(world, MATTER, version=2)]}
    world.refuse(
        lambda: world.call(author, "POST", "/v1/matters", body), 404, "not_found", by=author
    )


def test_a_version_in_other_words(world: World, author: System) -> None:
    body = definition(world, LAND, promised_days=1)
    world.refuse(
        lambda: world.call(author, "POST", "/v1/matters", body), 409, "already_exists", by=author
    )


def test_matters_without_the_scope(world: World) -> None:
    body = definition(world, LAND, version=2)
    world.refuse(lambda: world.call(world.gh, "POST", "/v1/matters", body), 403, "forbidden")


def test_another_agencys_matter_is_not_shown(world: World, author: System) -> None:
    world.refuse(lambda: world.call(author, "GET", f"/v1/matters/{MATTER}"), 404, "not_found")
    listed = world.call(author, "GET", "/v1/matters").json()["items"]
    assert {one["agency"] for one in listed} == {PLANNING.code}


# -- sharing rules and providers ---------------------------------------------------------------------------


def rule(**changes: Any) -> dict[str, Any]:
    return {
        "type": "business-licence",
        "agency": CONSTRUCTION.code,
        "mode": "unconditional",
        "legal_basis": BASIS,
        **changes,
    }


@pytest.mark.parametrize("scopes", [[MANAGE], ["matters:manage"], [*READ], ["audit:read"]])
def test_rules_without_their_scope(world: World, scopes: list[str]) -> None:
    who = world.desk.enrol(CONSTRUCTION.code, scopes)
    (own, *_) = world.registry.rules.all(by=CLERK)
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/v1/sharing-rules", rule()),
        ("GET", "/v1/sharing-rules", None),
        ("DELETE", f"/v1/sharing-rules/{own.id}", None),
        ("GET", "/v1/identity-providers", None),
        ("POST", "/v1/identity-providers", provider()),
    ]
    for method, path, body in calls:
        world.refuse(
            lambda method=method, path=path, body=body: world.call(  # type: ignore[misc]  # no default types
                who, method, path, body
            ),
            403,
            "forbidden",
        )


def provider(**changes: Any) -> dict[str, Any]:
    return {
        "issuer": "https://evil.example",
        "audiences": ["online-hall"],
        "levels": ["high"],
        "keys": Hall().jwks(),
        **changes,
    }


BAD_RULES: dict[str, tuple[dict[str, Any], int, str]] = {
    "an unknown type": ({"type": "no-such-type"}, 404, "not_found"),
    "an unknown agency": ({"agency": "11440114MA0000099X"}, 404, "not_found"),
    "an unknown matter": ({"matter": "HD-XX-99"}, 404, "not_found"),
    "an unknown field": ({"fields": ["fields.nothing"]}, 400, "input_invalid"),
    "an unknown mode": ({"mode": "open"}, 400, "body_malformed"),
    "no legal basis": ({"legal_basis": ""}, 400, "body_malformed"),
}


@pytest.mark.parametrize("name", BAD_RULES)
def test_a_rule_that_makes_no_sense(world: World, name: str) -> None:
    changes, status, code = BAD_RULES[name]
    keeper = world.desk.enrol(PLANNING.code, ["sharing:manage"])
    world.refuse(
        lambda: world.call(keeper, "POST", "/v1/sharing-rules", rule(**changes)), status, code
    )


BAD_PROVIDERS: dict[str, dict[str, Any]] = {
    "a symmetric key": {"keys": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}},
    "a private key": {"keys": {"keys": [{"kty": "RSA", "d": "x", "n": "x", "e": "AQAB"}]}},
    "no keys": {"keys": {"keys": []}},
    "no key set": {"keys": {}},
    "a symmetric algorithm": {"algorithm": "HS256"},
    "no algorithm": {"algorithm": "none"},
    "no audience": {"audiences": []},
    "no level": {"levels": []},
    "no address": {"issuer": "evil.example.without.scheme"},
}


@pytest.mark.parametrize("name", BAD_PROVIDERS)
def test_a_provider_that_nobody_can_believe(world: World, name: str) -> None:
    keeper = world.desk.enrol(PLANNING.code, ["sharing:manage"])
    body = provider(**BAD_PROVIDERS[name])
    answer = world.call(keeper, "POST", "/v1/identity-providers", body)
    code = answer.json().get("code")
    assert code in {"input_invalid", "body_malformed"}
    world.refuse(lambda: world.call(keeper, "POST", "/v1/identity-providers", body), 400, code)
