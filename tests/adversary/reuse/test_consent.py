"""Whose consent it is: ID tokens, use codes, grants and delegations that are not what they say."""

from __future__ import annotations

import hmac
import json
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ecert.formats.id_token import Provider as Settings
from tests.adversary.reuse.world import (
    A_CODE,
    B_CODE,
    CASE,
    CLERK,
    FILING,
    IDP,
    LICENCE,
    MATTER,
    Hall,
    Json,
    World,
    b64url,
    un_b64url,
)
from tests.oidc.provider import ENTERPRISE, HIGH, LOW_PERSON, PERSON, Provider


def refuse_token(world: World, request: Json, token: str) -> None:
    """Demand that an ID token opens nothing: neither a grant for this request nor a holder's page."""
    world.refuse(
        lambda: world.agree(request, id_token=token),
        403,
        "id_token_refused",
        by=world.zj,
        secret=token,
    )


def refuse_at_me(world: World, token: str) -> None:
    for path in ("certificates", "uses", "grants", "delegations", "objections"):
        status = at_me(world, path, token).status_code
        assert status in {401, 403}, "which of them is a test of its own"
        world.refuse(partial(at_me, world, path, token), status, "id_token_refused", secret=token)


def at_me(world: World, path: str, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return world.call(None, "GET", f"/v1/me/{path}", headers=headers)


def test_a_bad_sign_in_at_a_holders_page_is_a_401(world: World, strange: Provider) -> None:
    """RFC 6750 §3.1, the service's own description and its reference say 401, with a challenge."""
    token = strange.sign_in(ENTERPRISE, at=world.clock())
    answer = world.refuse(lambda: at_me(world, "uses", token), 401, "id_token_refused")
    assert answer.headers["www-authenticate"].startswith("Bearer")


# -- ID tokens of the real provider ------------------------------------------------------------------


def test_a_good_sign_in_is_a_grant(world: World) -> None:
    request = world.request()
    answer = world.agree(request)
    assert answer.status_code == 201
    assert A_CODE not in answer.text


def test_a_forged_signature(world: World) -> None:
    request = world.request()
    tokens = [world.sign_in(ENTERPRISE, request["nonce"]), world.sign_in(PERSON)]
    mixed = tokens[0].rpartition(".")[0] + "." + tokens[1].rpartition(".")[2]
    refuse_token(world, request, mixed)
    refuse_at_me(world, mixed)


def test_claims_that_were_changed(world: World) -> None:
    request = world.request()
    head, payload, signature = world.sign_in(PERSON, request["nonce"]).split(".")
    claims = json.loads(un_b64url(payload))
    claims |= {"credit_code": A_CODE}
    del claims["resident_number"]
    forged = f"{head}.{b64url(json.dumps(claims).encode())}.{signature}"
    refuse_token(world, request, forged)
    refuse_at_me(world, forged)


def test_another_provider(world: World, strange: Provider) -> None:
    request = world.request()
    refuse_token(
        world, request, strange.sign_in(ENTERPRISE, nonce=request["nonce"], at=world.clock())
    )
    refuse_at_me(world, strange.sign_in(ENTERPRISE, at=world.clock()))


def test_another_provider_that_names_the_believed_one(
    world: World, hall: Hall, strange: Provider
) -> None:
    """A provider that is believed cannot speak for another one."""
    request = world.request()
    token = hall.token(world.desk.now(), iss=world.oidc.issuer, nonce=request["nonce"])
    refuse_token(world, request, token)


def test_a_provider_that_is_believed_no_longer(world: World) -> None:
    request = world.request()
    token = world.sign_in(nonce=request["nonce"])
    world.registry.providers.end(world.oidc.issuer, by=CLERK)
    refuse_token(world, request, token)


def test_another_audience(world: World) -> None:
    request = world.request()
    refuse_token(
        world, request, world.sign_in(ENTERPRISE, request["nonce"], client_id="other-hall")
    )
    refuse_at_me(world, world.sign_in(ENTERPRISE, client_id="other-hall"))


def test_a_wrong_nonce(world: World) -> None:
    request = world.request()
    refuse_token(world, request, world.sign_in(nonce="n-0S6_WzA2Mj"))


def test_no_nonce(world: World) -> None:
    refuse_token(world, world.request(), world.sign_in())


def test_the_nonce_of_another_request(world: World) -> None:
    requests = [world.request(), world.request(fields=LICENCE)]
    refuse_token(world, requests[0], world.sign_in(nonce=requests[1]["nonce"]))


def test_a_nonce_that_is_not_ascii(world: World) -> None:
    """A provider passes on whatever nonce somebody signed in with."""
    refuse_token(world, world.request(), world.sign_in(nonce="随机数"))


def test_an_id_token_that_expired(world: World) -> None:
    request = world.request()
    token = world.sign_in(nonce=request["nonce"])
    own = world.sign_in()
    world.clock.move(timedelta(seconds=600))
    refuse_token(world, request, token)
    refuse_at_me(world, own)


def test_a_sign_in_that_is_not_sure_enough(world: World) -> None:
    request = world.request()
    refuse_token(world, request, world.sign_in(LOW_PERSON, request["nonce"]))
    refuse_at_me(world, world.sign_in(LOW_PERSON))


def test_a_sign_in_is_used_once(world: World) -> None:
    request = world.request()
    token = world.sign_in(nonce=request["nonce"])
    assert world.agree(request, id_token=token).status_code == 201
    world.refuse(
        lambda: world.agree(request, id_token=token),
        403,
        "grant_not_valid",
        by=world.zj,
        secret=token,
    )


def test_a_request_that_was_answered_takes_nobody_else(world: World) -> None:
    request = world.request()
    assert world.agree(request).status_code == 201
    token = world.sign_in(PERSON, request["nonce"])
    world.refuse(
        lambda: world.agree(request, id_token=token),
        403,
        "grant_not_valid",
        by=world.zj,
        secret=token,
    )


def test_a_request_that_expired(world: World) -> None:
    request = world.request()
    world.clock.move(timedelta(seconds=900))
    token = world.sign_in(nonce=request["nonce"])
    world.refuse(
        lambda: world.agree(request, id_token=token),
        403,
        "grant_not_valid",
        by=world.zj,
        secret=token,
    )


@pytest.mark.parametrize("used", [False, True])
def test_a_sign_in_for_a_grant_opens_nothing_else(world: World, used: bool) -> None:
    request = world.request()
    token = world.sign_in(nonce=request["nonce"])
    if used:
        assert world.agree(request, id_token=token).status_code == 201
    refuse_at_me(world, token)


def test_a_sign_in_for_a_grant_makes_no_use_code(world: World) -> None:
    request = world.request()
    headers = {"Authorization": f"Bearer {world.sign_in(nonce=request['nonce'])}"}
    body = {"request": request["id"]}
    answer = world.call(None, "POST", "/v1/me/use-codes", body, headers)
    assert answer.status_code in {401, 403}
    world.refuse(
        lambda: world.call(None, "POST", "/v1/me/use-codes", body, headers),
        answer.status_code,
        "id_token_refused",
    )


def test_an_access_token_is_no_id_token(world: World) -> None:
    token = world.desk.token(world.zj)
    refuse_at_me(world, token)
    refuse_token(world, world.request(), token)


@pytest.mark.parametrize("token", ["xyzzy", "a.b.c", "...", "é.é.é", "x" * 16_384])
def test_what_is_no_token(world: World, token: str) -> None:
    refuse_token(world, world.request(), token)


# -- ID tokens with a good signature that say the wrong thing -----------------------------------------


def test_our_own_hall_signs_well(world: World, hall: Hall) -> None:
    """What the next tests leave out one thing of."""
    request = world.request()
    token = hall.token(world.desk.now(), nonce=request["nonce"])
    assert world.agree(request, id_token=token).status_code == 201


WRONG: dict[str, Json] = {
    "both codes": {"resident_number": B_CODE},
    "no code": {"credit_code": None},
    "a code that breaks its rule": {"credit_code": A_CODE[:-1] + "2"},
    "a code in a list": {"credit_code": [A_CODE]},
    "no issuer": {"iss": None},
    "another issuer": {"iss": "https://evil.example"},
    "an issuer with a slash": {"iss": IDP + "/"},
    "no audience": {"aud": None},
    "no audience in a list": {"aud": []},
    "a second audience": {"aud": ["online-hall", "other-hall"]},
    "an audience in an object": {"aud": {"online-hall": True}},
    "authorised for another": {"azp": "other-hall"},
    "no level": {"acr": None},
    "a low level": {"acr": "urn:example:loa:1"},
    "levels in a list": {"acr": [HIGH]},
    "no exp": {"exp": None},
    "exp as text": {"exp": "9999999999"},
    "exp with a fraction": {"exp": 9999999999.5},
    "exp as truth": {"exp": True},
    "no iat": {"iat": None},
    "a nonce that is a number": {"nonce": 5},
    "a nonce in a list": {"nonce": ["x"]},
    "an empty nonce": {"nonce": ""},
    "the subject only": {"credit_code": None, "sub": A_CODE},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_token_that_says_the_wrong_thing(world: World, hall: Hall, name: str) -> None:
    request = world.request()
    claims = {"nonce": request["nonce"], **WRONG[name]}
    refuse_token(world, request, hall.token(world.desk.now(), **claims))


def test_a_level_is_one_of_the_providers(world: World, hall: Hall) -> None:
    with_other = Settings(IDP, ("online-hall",), ("urn:example:other",), hall.jwks())
    world.registry.providers.put(with_other, by=CLERK)
    request = world.request()
    refuse_token(world, request, hall.token(world.desk.now(), nonce=request["nonce"]))


@pytest.mark.parametrize("seconds", [-3601, 31])
def test_a_token_of_another_moment(world: World, hall: Hall, seconds: int) -> None:
    request = world.request()
    now = world.desk.now()
    token = hall.token(now, nonce=request["nonce"], iat=now + seconds, exp=now + 9999)
    refuse_token(world, request, token)


def test_an_id_token_without_a_signature(world: World, hall: Hall) -> None:
    request = world.request()
    payload = hall.token(world.desk.now(), nonce=request["nonce"]).split(".")[1]
    for alg in ("none", "None", "NONE"):
        head = b64url(json.dumps({"alg": alg, "kid": "own", "typ": "JWT"}).encode())
        refuse_token(world, request, f"{head}.{payload}.")


def test_an_id_token_signed_with_the_public_key_as_a_secret(world: World, hall: Hall) -> None:
    request = world.request()
    payload = hall.token(world.desk.now(), nonce=request["nonce"]).split(".")[1]
    public = hall.key.public_key()
    secrets = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(hall.jwks()["keys"][0]).encode(),
    ]
    for secret in secrets:
        head = b64url(json.dumps({"alg": "HS256", "kid": "own", "typ": "JWT"}).encode())
        signed = f"{head}.{payload}"
        mark = hmac.digest(secret, signed.encode(), "sha256")
        refuse_token(world, request, f"{signed}.{b64url(mark)}")


def test_an_id_token_that_brings_its_own_key(world: World, hall: Hall) -> None:
    import jwt

    thief = Hall()
    request = world.request()
    claims = thief.claims(world.desk.now(), nonce=request["nonce"])
    head = {"jwk": thief.jwks()["keys"][0], "kid": "own"}
    forged = jwt.encode(claims, thief.key, algorithm="RS256", headers=head)
    refuse_token(world, request, forged)


def test_an_id_token_with_an_algorithm_that_is_not_the_providers(world: World, hall: Hall) -> None:
    import jwt

    request = world.request()
    claims = hall.claims(world.desk.now(), nonce=request["nonce"])
    token = jwt.encode(claims, hall.key, algorithm="PS256", headers={"kid": "own"})
    refuse_token(world, request, token)


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt"])
def test_another_kind_of_token_of_the_provider(world: World, hall: Hall, typ: str) -> None:
    """RFC 9068 §2.1 and RFC 8725 §3.11: an access token of the provider is no sign-in."""
    import jwt

    request = world.request()
    claims = hall.claims(world.desk.now(), nonce=request["nonce"])
    token = jwt.encode(claims, hall.key, algorithm="RS256", headers={"kid": "own", "typ": typ})
    refuse_token(world, request, token)


# -- use codes -----------------------------------------------------------------------------------------


def redeem(world: World, request: Json, code: str, **more: Any) -> httpx.Response:
    return world.agree(request, use_code=code, **more)


def refuse_code(world: World, request: Json, code: str, **more: Any) -> None:
    world.refuse(
        lambda: redeem(world, request, code), 403, "use_code_refused", by=world.zj, secret=code
    )


@pytest.mark.parametrize("form", ["use_code", "short"])
def test_a_use_code_is_good_once(world: World, form: str) -> None:
    request = world.request()
    code = world.use_code(request)[form]
    assert redeem(world, request, code).status_code == 201
    world.refuse(
        lambda: redeem(world, request, code), 403, "grant_not_valid", by=world.zj, secret=code
    )


@pytest.mark.parametrize("form", ["use_code", "short"])
def test_five_wrong_codes_and_then_the_right_one(world: World, form: str) -> None:
    request = world.request()
    code = world.use_code(request)[form]
    wrong = "00000000" if code != "00000000" else "11111111"
    for _ in range(5):
        refuse_code(world, request, wrong)
    refuse_code(world, request, code)


def test_four_wrong_codes_and_then_the_right_one(world: World) -> None:
    request = world.request()
    code = world.use_code(request)["use_code"]
    for _ in range(4):
        refuse_code(world, request, "wrong-wrong-wrong-wrong")
    assert redeem(world, request, code).status_code == 201


def test_a_fresh_code_gives_no_fresh_tries(world: World) -> None:
    """Else somebody who has the holder make codes could guess for ever."""
    request = world.request()
    world.use_code(request)
    for _ in range(5):
        refuse_code(world, request, "wrong-wrong-wrong-wrong")
    refuse_code(world, request, world.use_code(request)["short"])


def test_a_code_that_was_replaced(world: World) -> None:
    request = world.request()
    old, new = (world.use_code(request) for _ in range(2))
    refuse_code(world, request, old["use_code"])
    refuse_code(world, request, old["short"])
    assert redeem(world, request, new["use_code"]).status_code == 201


def test_a_code_after_five_minutes(world: World) -> None:
    request = world.request()
    made = world.use_code(request)
    world.clock.move(timedelta(seconds=300))
    refuse_code(world, request, made["use_code"])
    refuse_code(world, request, made["short"])


def test_a_code_at_its_last_second(world: World) -> None:
    request = world.request()
    made = world.use_code(request)
    world.clock.move(timedelta(seconds=299))
    assert redeem(world, request, made["short"]).status_code == 201


def test_a_code_at_another_agency(world: World) -> None:
    request = world.request()
    code = world.use_code(request)["use_code"]
    world.refuse(
        lambda: redeem(world, request, code, who=world.fg),
        403,
        "grant_not_valid",
        by=world.fg,
        secret=code,
    )
    assert redeem(world, request, code).status_code == 201, "it was neither used nor tried"


def test_a_code_for_another_request(world: World) -> None:
    first, second = world.request(), world.request()
    code = world.use_code(first)["use_code"]
    world.use_code(second)
    refuse_code(world, second, code)


def test_a_code_for_a_request_that_has_none(world: World) -> None:
    refuse_code(world, world.request(), "12345678")


@pytest.mark.parametrize("code", ["", "1234567", "x" * 65])
def test_a_code_of_the_wrong_length(world: World, code: str) -> None:
    request = world.request()
    world.use_code(request)
    world.refuse(lambda: redeem(world, request, code), 400, "body_malformed", secret=code or ())


@pytest.mark.parametrize("cut", [1, 2, 8])
def test_a_code_cut_short(world: World, cut: int) -> None:
    request = world.request()
    code = world.use_code(request)["use_code"]
    refuse_code(world, request, code[:-cut])


def test_a_code_that_is_not_ascii(world: World) -> None:
    request = world.request()
    world.use_code(request)
    refuse_code(world, request, "用证码用证码用证码")


def test_both_kinds_of_consent_at_once(world: World) -> None:
    request = world.request()
    code = world.use_code(request)["use_code"]
    token = world.sign_in(nonce=request["nonce"])
    world.refuse(
        lambda: world.agree(request, use_code=code, id_token=token),
        400,
        "input_invalid",
        secret=(code, token),
    )


def test_no_consent_at_all(world: World) -> None:
    body = {"request": world.request()["id"]}
    world.refuse(lambda: world.call(world.zj, "POST", "/v1/grants", body), 400, "input_invalid")


def test_another_holder_does_not_take_over_a_request(world: World) -> None:
    request = world.request()
    world.use_code(request)
    headers, body = world.holder(PERSON), {"request": request["id"]}
    world.refuse(
        lambda: world.call(None, "POST", "/v1/me/use-codes", body, headers),
        403,
        "grant_not_valid",
    )


def test_a_use_code_stands_in_no_log_line_and_no_row(world: World) -> None:
    before = world.look()
    request = world.request()
    made = world.use_code(request)
    answer = redeem(world, request, made["use_code"])
    assert answer.status_code == 201
    world.told_nothing(before, answer, (made["use_code"], made["short"]))


@pytest.mark.parametrize("place", ["query", "path"])
def test_a_use_code_is_not_taken_from_an_address(world: World, place: str) -> None:
    request = world.request()
    code = world.use_code(request)["use_code"]
    path = {"query": f"/v1/grants?use_code={code}", "path": f"/v1/grants/{code}"}[place]
    before = world.look()
    answer = world.call(world.zj, "POST", path, {"request": request["id"]})
    assert answer.status_code in {400, 404, 405}
    world.told_nothing(before, answer, code)
    assert world.look().rows == before.rows


# -- grants ----------------------------------------------------------------------------------------------

WHAT = pytest.mark.parametrize("what", ["checklist", "dossiers"])


@WHAT
def test_the_consent_of_another_person(world: World, what: str) -> None:
    grant = world.grant(sub=PERSON)
    world.refuse(lambda: world.apply(what, grant=grant), 403, "consent_of_another", by=world.zj)


@WHAT
def test_consent_for_another_matter(world: World, what: str) -> None:
    grant = world.grant(matter=FILING)
    world.refuse(lambda: world.apply(what, grant=grant), 403, "consent_of_another", by=world.zj)


@WHAT
@pytest.mark.parametrize("cases", [(CASE, None), (None, CASE), (CASE, "civil-defence-elsewhere")])
def test_consent_for_another_case(
    world: World, what: str, cases: tuple[str | None, str | None]
) -> None:
    agreed, asked = cases
    grant = world.grant(situation=agreed)
    world.refuse(
        lambda: world.apply(what, grant=grant, situation=asked),
        403,
        "consent_of_another",
        by=world.zj,
    )


@WHAT
@pytest.mark.parametrize("who", ["holder", "agency"])
def test_consent_that_was_revoked(world: World, what: str, who: str) -> None:
    grant = world.grant()
    system, headers = (None, world.holder()) if who == "holder" else (world.zj, None)
    answer = world.call(system, "DELETE", f"/v1/grants/{grant}", headers=headers)
    assert answer.status_code == 200
    world.refuse(lambda: world.apply(what, grant=grant), 403, "grant_not_valid", by=world.zj)


@WHAT
def test_consent_that_expired(world: World, what: str) -> None:
    until = world.clock().date() + timedelta(days=2)
    grant = world.grant(until=until.isoformat())
    world.clock.move(timedelta(days=3))
    world.refuse(lambda: world.apply(what, grant=grant), 403, "grant_not_valid", by=world.zj)


def test_consent_ends_with_its_day_in_guangzhou(world: World) -> None:
    """Until 2026-03-04 is until 16:00 of that day in UTC."""
    grant = world.grant(until="2026-03-04")
    world.clock.move(timedelta(days=2, hours=14, minutes=29))  # 2026-03-04 15:59 UTC
    assert world.checklist(grant=grant).status_code == 200
    world.clock.move(timedelta(minutes=1))
    world.refuse(lambda: world.checklist(grant=grant), 403, "grant_not_valid", by=world.zj)


@WHAT
def test_consent_that_never_was(world: World, what: str) -> None:
    world.refuse(lambda: world.apply(what, grant="0" * 26), 403, "grant_not_valid", by=world.zj)


def test_a_holder_does_not_revoke_anothers_grant(world: World) -> None:
    grant = world.grant()
    headers = world.holder(PERSON)
    world.refuse(
        lambda: world.call(None, "DELETE", f"/v1/grants/{grant}", headers=headers),
        403,
        "grant_not_valid",
    )


def test_a_holder_sees_his_own_grants_only(world: World) -> None:
    world.grant()
    answer = world.call(None, "GET", "/v1/me/grants", headers=world.holder(PERSON))
    assert answer.json()["items"] == []


def test_a_grant_for_fewer_fields(world: World) -> None:
    world.only_with_consent()
    grant = world.grant(fields=LICENCE)
    world.refuse(lambda: world.fulfil(grant=grant), 403, "field_not_allowed", by=world.zj)


# -- delegations -------------------------------------------------------------------------------------------


def by_agent(world: World, delegation: str, sub: str = PERSON) -> Any:
    asked = world.request(delegation=delegation)
    token = world.sign_in(sub, asked["nonce"])
    return lambda: world.agree(asked, id_token=token)


def refuse_agent(world: World, call: Any) -> None:
    world.refuse(call, 403, "grant_not_valid", by=world.zj)


def test_an_agent_agrees_for_his_principal(world: World) -> None:
    answer = by_agent(world, world.delegation())()
    assert answer.status_code == 201
    shown = world.checklist(grant=answer.json()["id"])
    assert shown.status_code == 200
    world.check()


def test_a_delegation_that_was_ended(world: World) -> None:
    delegation = world.delegation()
    world.call(None, "DELETE", f"/v1/me/delegations/{delegation}", headers=world.holder())
    refuse_agent(world, by_agent(world, delegation))


def test_a_delegation_that_expired(world: World) -> None:
    delegation = world.delegation(until=world.clock().date().isoformat())
    world.clock.move(timedelta(days=1))
    refuse_agent(world, by_agent(world, delegation))


def test_a_delegation_for_another_matter(world: World) -> None:
    delegation = world.delegation(matters=[FILING])
    refuse_agent(world, by_agent(world, delegation))


def test_a_delegation_to_another_agent(world: World) -> None:
    delegation = world.delegation(agent="440114197806119981")
    refuse_agent(world, by_agent(world, delegation))


def test_a_delegation_used_by_who_gave_it(world: World) -> None:
    refuse_agent(world, by_agent(world, world.delegation(), sub=ENTERPRISE))


def test_a_delegation_that_never_was(world: World) -> None:
    refuse_agent(world, by_agent(world, "0" * 26))


def test_a_delegation_the_wrong_way_round(world: World) -> None:
    """The agent let the principal act, not the principal the agent."""
    delegation = world.delegation(sub=PERSON, agent=A_CODE)
    refuse_agent(world, by_agent(world, delegation))


def test_a_use_code_for_a_delegation_of_another(world: World) -> None:
    request, delegation = world.request(), world.delegation(agent="440114197806119981")
    headers, body = world.holder(PERSON), {"request": request["id"], "delegation": delegation}
    world.refuse(
        lambda: world.call(None, "POST", "/v1/me/use-codes", body, headers),
        403,
        "grant_not_valid",
    )


@WHAT
def test_a_grant_ends_with_the_delegation_that_it_rests_on(world: World, what: str) -> None:
    delegation = world.delegation()
    grant = by_agent(world, delegation)().json()["id"]
    world.call(None, "DELETE", f"/v1/me/delegations/{delegation}", headers=world.holder())
    world.refuse(lambda: world.apply(what, grant=grant), 403, "grant_not_valid", by=world.zj)


@WHAT
def test_a_grant_ends_with_the_last_day_of_its_delegation(world: World, what: str) -> None:
    delegation = world.delegation(until=world.clock().date().isoformat())
    grant = by_agent(world, delegation)().json()["id"]
    world.clock.move(timedelta(days=1))
    world.refuse(lambda: world.apply(what, grant=grant), 403, "grant_not_valid", by=world.zj)


def test_a_use_code_rests_on_a_delegation_that_still_holds(world: World) -> None:
    """The agent makes a code, the principal thinks better of it, the code comes too late."""
    request, delegation = world.request(), world.delegation()
    code = world.use_code(request, PERSON, delegation=delegation)["use_code"]
    world.call(None, "DELETE", f"/v1/me/delegations/{delegation}", headers=world.holder())
    world.refuse(
        lambda: redeem(world, request, code), 403, "grant_not_valid", by=world.zj, secret=code
    )


def test_a_department_does_not_choose_for_whom_an_agent_agreed(world: World) -> None:
    """For whom an agent agrees is in the request that he is shown and signs in for."""
    delegation = world.delegation()
    request, other = world.request(), world.request(delegation=delegation)
    for asked, named in ((request, ""), (other, delegation)):
        path = f"/v1/me/requests/{asked['id']}"
        shown = world.call(None, "GET", path, headers=world.holder(PERSON)).json()
        assert shown["request"]["delegation"] == named
    token = world.sign_in(PERSON, request["nonce"])
    world.refuse(
        lambda: world.agree(request, id_token=token, delegation=delegation), 400, "body_malformed"
    )
    world.refuse(lambda: world.agree(other, id_token=token), 403, "id_token_refused", by=world.zj)


def test_a_use_code_answers_for_whom_the_request_says(world: World) -> None:
    """Where a department names a delegation, no code of the agent's own answers it."""
    request = world.request(delegation=world.delegation())
    body, headers = {"request": request["id"]}, world.holder(PERSON)
    world.refuse(
        lambda: world.call(None, "POST", "/v1/me/use-codes", body, headers), 403, "grant_not_valid"
    )


def test_an_outsider_does_not_end_a_delegation(world: World) -> None:
    delegation = world.delegation(agent="440114197806119981")
    headers = world.holder(PERSON)
    world.refuse(
        lambda: world.call(None, "DELETE", f"/v1/me/delegations/{delegation}", headers=headers),
        403,
        "grant_not_valid",
    )


def test_the_matter_is_named(world: World) -> None:
    """The request shows the holder what the nonce binds, and no more."""
    request = world.request()
    assert request["request"]["matter"] == MATTER
    assert A_CODE not in json.dumps(request)
