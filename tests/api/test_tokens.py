"""The token endpoint: ``private_key_jwt`` in (RFC 7523), bearer tokens out (RFC 9068)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)
from joserfc.jwk import ECKey

from ecert.keys import Role
from ecert.testing import SettableClock
from tests.api.conftest import (
    ASSERTION_TYPE,
    EVERYTHING,
    GROUNDS,
    Portal,
    System,
    form,
    jwk_of,
    make_key,
    refused,
)
from tests.conftest import CLERK, CONSTRUCTION, PLANNING

ANY_PATH = "/v1/certificates/1.2.3"


def no_token(answer: httpx.Response, error: str) -> None:
    """Demand a refusal with an error of RFC 6749 §5.2, as a problem document."""
    status = 401 if error == "invalid_client" else 400
    body = refused(answer, status)
    assert body["error"] == error
    assert "access_token" not in body
    if status == 401:
        assert "www-authenticate" in answer.headers


def token_key(portal: Portal) -> ec.EllipticCurvePublicKey:
    """Give the public half of the registry's token key, from its own rows."""
    row = next(row for row in portal.registry.keys.all() if row.role == "token")
    key = load_der_public_key(row.public)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def segment(value: Any) -> str:
    """Write a JSON value as a segment of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


# -- what is given --------------------------------------------------------------------------------


def test_a_good_assertion_gets_a_bearer_token_that_nobody_may_cache(portal: Portal) -> None:
    answer = portal.ask_token(portal.planning.assertion())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert body["token_type"] == "Bearer"
    assert 0 < body["expires_in"] <= 300
    assert set(body["scope"].split()) == set(EVERYTHING)


def test_the_token_follows_rfc_9068(portal: Portal) -> None:
    who = portal.planning
    token = portal.token(who)
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "at+jwt"
    assert header["alg"] == "ES256"
    claims = jwt.decode(
        token, token_key(portal), algorithms=["ES256"], audience=portal.base, issuer=portal.base
    )
    assert claims.keys() >= {"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"}
    assert claims["sub"] == claims["client_id"] == who.id
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert set(claims["scope"].split()) == set(who.scopes)


def test_every_token_has_a_jti_of_its_own(portal: Portal) -> None:
    found = {
        jwt.decode(portal.token(portal.reader), options={"verify_signature": False})["jti"]
        for _ in range(5)
    }
    assert len(found) == 5


def test_a_scope_may_be_asked_for_alone(portal: Portal) -> None:
    answer = portal.ask_token(portal.planning.assertion(), scope="certificates:read")
    assert answer.json()["scope"] == "certificates:read"
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert claims["scope"] == "certificates:read"


def test_a_narrow_token_cannot_do_what_was_left_out(portal: Portal) -> None:
    token = portal.token(portal.planning, scope="certificates:issue")
    headers = {"Authorization": f"Bearer {token}", **GROUNDS}
    refused(portal.send("GET", ANY_PATH, headers=headers), 403, "forbidden")


def test_an_ed25519_key_serves_as_well(portal: Portal) -> None:
    who = portal.enrol(PLANNING.code, ["certificates:read"], "EdDSA")
    assert portal.ask_token(who.assertion()).status_code == 200


def test_the_client_is_named_by_its_keys_thumbprint(portal: Portal) -> None:
    who = portal.planning
    assert who.id == ECKey.import_key(jwk_of(who.key)).thumbprint()


@pytest.mark.parametrize("lifetime", [1, 60, 300])
def test_an_assertion_lives_up_to_five_minutes(desk: Portal, lifetime: int) -> None:
    assertion = desk.planning.assertion(exp=desk.now() + lifetime)
    assert desk.ask_token(assertion).status_code == 200


def test_the_token_key_is_in_no_public_set(portal: Portal) -> None:
    row = next(row for row in portal.registry.keys.all() if row.role == "token")
    for path in ("/.well-known/jwks.json", "/trust.json"):
        assert row.kid not in portal.send("GET", path).text


# -- what is refused: the assertion ---------------------------------------------------------------


def minutes(count: float) -> Callable[[System], int]:
    return lambda who: who.now() + int(count * 60)


BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "aud is a list": {"aud": lambda who: [who.base]},
    "aud is a longer list": {"aud": lambda who: [who.base, "https://other.example"]},
    "aud with a trailing slash": {"aud": lambda who: who.base + "/"},
    "aud is the token endpoint": {"aud": lambda who: who.base + "/oauth/token"},
    "aud is another registry": {"aud": "https://other.example"},
    "aud in capitals": {"aud": lambda who: who.base.upper()},
    "aud missing": {"aud": None},
    "iss is another": {"iss": "somebody"},
    "iss missing": {"iss": None},
    "sub missing": {"sub": None},
    "sub is a number": {"sub": 7},
    "sub is a list": {"sub": lambda who: [who.id]},
    "exp too far": {"exp": minutes(6)},
    "exp in a year": {"exp": minutes(525_600)},
    "exp past": {"exp": minutes(-1)},
    "exp missing": {"exp": None},
    "exp is a text": {"exp": lambda who: str(who.now() + 60)},
    "exp is a fraction": {"exp": lambda who: who.now() + 60.5},
    "exp is true": {"exp": True},
    "iat ahead": {"iat": minutes(3)},
    "nbf ahead": {"nbf": minutes(3)},
    "jti missing": {"jti": None},
    "jti empty": {"jti": ""},
    "jti is a number": {"jti": 12345678},
}


@pytest.mark.parametrize("name", BAD_CLAIMS)
def test_a_wrong_claim_is_no_authentication(portal: Portal, name: str) -> None:
    who = portal.planning
    wrong = {
        claim: value(who) if callable(value) else value for claim, value in BAD_CLAIMS[name].items()
    }
    claims = who.claims(**wrong)  # PyJWT itself refuses some of these, so it gets them as they are
    head = {"typ": "client-authentication+jwt"}
    payload = json.dumps(claims).encode()
    assertion = jwt.PyJWS().encode(payload, who.key, algorithm="ES256", headers=head)
    no_token(portal.ask_token(assertion), "invalid_client")


@pytest.mark.parametrize("seconds", [301, -31])
def test_the_bounds_of_exp_are_exact(desk: Portal, seconds: int) -> None:
    assertion = desk.planning.assertion(exp=desk.now() + seconds)
    no_token(desk.ask_token(assertion), "invalid_client")


def test_an_assertion_is_good_once(portal: Portal) -> None:
    assertion = portal.planning.assertion()
    assert portal.ask_token(assertion).status_code == 200
    no_token(portal.ask_token(assertion), "invalid_client")


def test_a_jti_is_good_once_even_when_it_is_signed_afresh(portal: Portal) -> None:
    who = portal.planning
    assert portal.ask_token(who.assertion(jti="one-of-a-kind")).status_code == 200
    again = who.assertion(jti="one-of-a-kind", exp=who.now() + 120)
    no_token(portal.ask_token(again), "invalid_client")


def test_a_jti_belongs_to_its_client(portal: Portal) -> None:
    for who in (portal.reader, portal.issuer):
        assert portal.ask_token(who.assertion(jti="shared-by-two")).status_code == 200


def test_a_jti_stays_used_as_long_as_its_assertion_would_pass(
    desk: Portal, clock: SettableClock
) -> None:
    assertion = desk.planning.assertion(exp=desk.now() + 300)
    assert desk.ask_token(assertion).status_code == 200
    for _ in range(34):
        clock.move(timedelta(seconds=10))
        no_token(desk.ask_token(assertion), "invalid_client")


def test_of_many_who_come_at_once_with_one_assertion_one_is_served(portal: Portal) -> None:
    assertion = portal.planning.assertion()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: portal.ask_token(assertion).status_code, range(8)))
    assert sorted(answers) == [200] + [401] * 7


@pytest.mark.parametrize(
    "typ", ["JWT", "at+jwt", "dc+sd-jwt", "application/client-authentication+jwt", "", 7]
)
def test_the_typ_is_pinned(portal: Portal, typ: Any) -> None:
    who = portal.planning
    head, payload = {"alg": "ES256", "typ": typ}, who.claims()
    no_token(portal.ask_token(sign_raw(who.key, head, payload)), "invalid_client")


def test_the_typ_may_not_be_missing(portal: Portal) -> None:
    who = portal.planning
    no_token(portal.ask_token(sign_raw(who.key, {"alg": "ES256"}, who.claims())), "invalid_client")


def sign_raw(key: Any, head: dict[str, Any], claims: dict[str, Any]) -> str:
    """Sign with any header whatever, which PyJWT would not write."""
    signing_input = f"{segment(head)}.{segment(claims)}"
    algorithm = jwt.get_algorithm_by_name("ES256")
    signature = algorithm.sign(signing_input.encode(), key)
    return f"{signing_input}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_alg_none_is_no_signature(portal: Portal) -> None:
    who = portal.planning
    for alg in ("none", "None", "NONE", "nOnE"):
        head = segment({"alg": alg, "typ": "client-authentication+jwt"})
        unsigned = f"{head}.{segment(who.claims())}."
        no_token(portal.ask_token(unsigned), "invalid_client")


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_the_public_key_is_no_shared_secret(portal: Portal, encoding: Encoding) -> None:
    who = portal.planning
    secret = who.key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    head = {"alg": "HS256", "typ": "client-authentication+jwt"}
    signing_input = f"{segment(head)}.{segment(who.claims())}"
    mac = hmac.digest(secret, signing_input.encode(), hashlib.sha256)
    forged = f"{signing_input}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    no_token(portal.ask_token(forged), "invalid_client")


def test_another_clients_key_is_refused(portal: Portal) -> None:
    forged = portal.planning.assertion(key=portal.construction.key)
    no_token(portal.ask_token(forged), "invalid_client")


def test_a_key_that_the_assertion_brings_along_is_not_believed(portal: Portal) -> None:
    mine = make_key()
    forged = portal.planning.assertion(key=mine, headers={"jwk": jwk_of(mine)})
    no_token(portal.ask_token(forged), "invalid_client")


def test_a_critical_extension_that_nobody_knows_is_refused(portal: Portal) -> None:
    who = portal.planning
    head = {"alg": "ES256", "typ": "client-authentication+jwt", "crit": ["exp"], "exp": 1}
    no_token(portal.ask_token(sign_raw(who.key, head, who.claims())), "invalid_client")


def test_an_unknown_client_looks_like_a_wrong_signature(portal: Portal) -> None:
    key = make_key()
    nobody = ECKey.import_key(jwk_of(key)).thumbprint()
    stranger = System(nobody, PLANNING.code, frozenset(), key, "ES256", portal.base, portal.now)
    unknown = portal.ask_token(stranger.assertion())
    wrong = portal.ask_token(portal.planning.assertion(key=key))
    no_token(unknown, "invalid_client")
    assert unknown.json() == wrong.json()


@pytest.mark.parametrize(
    "assertion", ["", "x", "a.b", "a.b.c", "....", "é.é.é", "a" * 9000, "\x00.\x00.\x00"]
)
def test_what_is_no_assertion_is_refused(portal: Portal, assertion: str) -> None:
    no_token(portal.ask_token(assertion), "invalid_client")


def test_a_tampered_payload_breaks_the_signature(portal: Portal) -> None:
    who = portal.planning
    head, _, signature = who.assertion().split(".")
    forged = f"{head}.{segment(who.claims())}.{signature}"
    no_token(portal.ask_token(forged), "invalid_client")


def test_a_refused_assertion_may_be_sent_again_once_it_is_right(portal: Portal) -> None:
    """A jti counts as used only by an assertion that was good."""
    who = portal.planning
    no_token(portal.ask_token(who.assertion(jti="tried-twice", aud="x")), "invalid_client")
    assert portal.ask_token(who.assertion(jti="tried-twice")).status_code == 200


# -- what is refused: the form --------------------------------------------------------------------


@pytest.mark.parametrize(
    "scope",
    ["audit:read", "certificates:read audit:read", "everything", "certificates:read:no-such-type"],
)
def test_a_scope_that_was_not_granted_is_refused_whole(portal: Portal, scope: str) -> None:
    no_token(portal.ask_token(portal.planning.assertion(), scope=scope), "invalid_scope")


@pytest.mark.parametrize("name", ["grant_type", "client_assertion", "scope"])
def test_a_parameter_may_not_stand_twice(portal: Portal, name: str) -> None:
    fields = form(portal.planning.assertion(), scope="certificates:read")
    fields[name] = [fields[name], fields[name]]
    no_token(portal.send("POST", "/oauth/token", data=fields), "invalid_request")


def test_another_grant_is_not_supported(portal: Portal) -> None:
    answer = portal.ask_token(portal.planning.assertion(), grant_type="password")
    no_token(answer, "unsupported_grant_type")


def test_a_missing_grant_type_is_a_malformed_request(portal: Portal) -> None:
    """RFC 6749 §5.2: a missing parameter is ``invalid_request``."""
    answer = portal.ask_token(portal.planning.assertion(), grant_type=None)
    no_token(answer, "invalid_request")


@pytest.mark.parametrize(
    "kind", [None, "", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"]
)
def test_another_kind_of_assertion_is_no_authentication(portal: Portal, kind: str | None) -> None:
    answer = portal.ask_token(portal.planning.assertion(), client_assertion_type=kind)
    no_token(answer, "invalid_client")


def test_without_an_assertion_nobody_is_authenticated(portal: Portal) -> None:
    no_token(
        portal.send("POST", "/oauth/token", data=form("", client_assertion=None)), "invalid_client"
    )


def test_a_client_id_must_be_that_of_the_assertion(portal: Portal) -> None:
    """RFC 7521 §4.2: if present, it must identify the same client."""
    who = portal.planning
    assert portal.ask_token(who.assertion(), client_id=who.id).status_code == 200
    other = portal.ask_token(who.assertion(), client_id=portal.construction.id)
    assert other.status_code in {400, 401}


def test_json_is_not_a_form(portal: Portal) -> None:
    answer = portal.send("POST", "/oauth/token", json=form(portal.planning.assertion()))
    refused(answer, 415)


def test_parameters_in_the_address_do_not_count(portal: Portal) -> None:
    """RFC 6749 §2.3.1: credentials must not stand in the address."""
    fields = form(portal.planning.assertion())
    answer = portal.send("POST", "/oauth/token", params=fields, data={"grant_type": "x"})
    assert answer.status_code in {400, 401}


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"&&&&", b"=", b"grant_type", b"a=1&" * 100, b"grant_type=%ff%fe%00"],
)
def test_a_malformed_form_is_refused(portal: Portal, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = portal.send("POST", "/oauth/token", content=body, headers=headers)
    assert refused(answer, 400)["error"] in {"invalid_request", "unsupported_grant_type"}


def test_only_post_is_answered(portal: Portal) -> None:
    answer = portal.send("GET", "/oauth/token", params={"client_assertion_type": ASSERTION_TYPE})
    refused(answer, 405)
    assert answer.headers["allow"] == "POST"


# -- using a token --------------------------------------------------------------------------------


def unauthorised(answer: httpx.Response) -> None:
    refused(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer x",
        "Bearer  two spaces",
        "Bearer a.b.c",
        "Basic dXNlcjpwYXNz",
        "Bearer " + "a" * 9000,
    ],
)
def test_without_a_good_token_nothing_is_answered(portal: Portal, header: str | None) -> None:
    headers = GROUNDS if header is None else {**GROUNDS, "Authorization": header}
    unauthorised(portal.send("GET", ANY_PATH, headers=headers))


DEPARTMENT_ROUTES = [
    ("POST", "/v1/certificates"),
    ("GET", ANY_PATH),
    ("POST", "/v1/certificates/search"),
    ("GET", ANY_PATH + "/receipt"),
    ("GET", ANY_PATH + "/history"),
    ("GET", ANY_PATH + "/evidence"),
    ("POST", ANY_PATH + "/operations"),
    ("GET", "/v1/audit"),
]


@pytest.mark.parametrize(("method", "path"), DEPARTMENT_ROUTES)
def test_every_department_route_wants_a_token(portal: Portal, method: str, path: str) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "/v1/certificates": {"type": "business-licence", "draft": {}},
        "/v1/certificates/search": {"purpose": "a", "matter": "b", "operator": "c"},
        ANY_PATH + "/operations": {
            "operation": "suspend",
            "reason": "a",
            "basis": "b",
            "operator": "c",
        },
    }
    headers = {**GROUNDS, "Idempotency-Key": "k"}
    members = {"json": bodies[path]} if method == "POST" else {}
    unauthorised(portal.send(method, path, headers=headers, **members))


def test_the_scheme_is_read_without_regard_to_case(portal: Portal) -> None:
    headers = {**GROUNDS, "Authorization": f"bearer {portal.token(portal.reader)}"}
    refused(portal.send("GET", ANY_PATH, headers=headers), 404)


def test_a_token_in_the_address_does_not_count(portal: Portal) -> None:
    params = {"access_token": portal.token(portal.reader)}
    unauthorised(portal.send("GET", ANY_PATH, params=params, headers=GROUNDS))


def test_an_assertion_is_no_token(portal: Portal) -> None:
    headers = {**GROUNDS, "Authorization": f"Bearer {portal.reader.assertion()}"}
    unauthorised(portal.send("GET", ANY_PATH, headers=headers))


def forged_tokens(portal: Portal) -> dict[str, str]:
    """Make tokens that a good one could be taken for."""
    good = portal.token(portal.reader)
    head, payload, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    kid = jwt.get_unverified_header(good)["kid"]
    more = segment({**claims, "scope": "certificates:issue"})
    none = segment({"alg": "none", "typ": "at+jwt", "kid": kid})
    return {
        "more scope": f"{head}.{more}.{signature}",
        "no signature": f"{head}.{payload}.",
        "alg none": f"{none}.{payload}.",
        "own key": sign_raw(make_key(), {"alg": "ES256", "typ": "at+jwt", "kid": kid}, claims),
        "own key of a client": sign_raw(
            portal.reader.key, {"alg": "ES256", "typ": "at+jwt", "kid": portal.reader.id}, claims
        ),
        "cut off": good[:-2],
        "something after it": good + ".x",
    }


def test_a_forged_token_is_refused(portal: Portal) -> None:
    for token in forged_tokens(portal).values():
        headers = {**GROUNDS, "Authorization": f"Bearer {token}"}
        unauthorised(portal.send("GET", ANY_PATH, headers=headers))


def test_a_signature_of_another_key_of_the_registry_makes_no_token(desk: Portal) -> None:
    """A leaf or a key serves one role: what the agency's key signs is never a token."""
    good = desk.token(desk.reader)
    row = desk.registry.keys.ring.active(Role.AGENCY, PLANNING.code)
    head = segment({"alg": "ES256", "typ": "at+jwt", "kid": row.kid})
    signing_input = f"{head}.{good.split('.')[1]}"
    signer = desk.registry.keys.ring.signer(Role.AGENCY, PLANNING.code)
    signature = base64.urlsafe_b64encode(signer.sign(signing_input.encode())).rstrip(b"=").decode()
    headers = {**GROUNDS, "Authorization": f"Bearer {signing_input}.{signature}"}
    unauthorised(desk.send("GET", ANY_PATH, headers=headers))


def test_a_token_ends_after_five_minutes_at_the_latest(desk: Portal, clock: SettableClock) -> None:
    for is_used_before in (True, False):
        headers = {**GROUNDS, **desk.bearer(desk.reader)}
        if is_used_before:  # a token that was checked is remembered: not beyond its end
            refused(desk.send("GET", ANY_PATH, headers=headers), 404)
        clock.move(timedelta(seconds=299))
        refused(desk.send("GET", ANY_PATH, headers=headers), 404)
        clock.move(timedelta(seconds=1))
        unauthorised(desk.send("GET", ANY_PATH, headers=headers))


def test_a_rotated_token_key_signs_no_more_but_its_tokens_run_out_by_themselves(
    desk: Portal,
) -> None:
    before = {**GROUNDS, **desk.bearer(desk.reader)}
    new, _ = desk.registry.keys.rotate(Role.TOKEN, None, by=CLERK)
    refused(desk.send("GET", ANY_PATH, headers=before), 404)
    assert jwt.get_unverified_header(desk.token(desk.reader))["kid"] == new


def test_tokens_of_a_compromised_key_are_worthless_at_once(desk: Portal) -> None:
    """Also those that the service has checked and remembered: a thief's token may say any ``exp``."""
    used, unused = ({**GROUNDS, **desk.bearer(desk.reader)} for _ in range(2))
    refused(desk.send("GET", ANY_PATH, headers=used), 404)
    _, old = desk.registry.keys.rotate(Role.TOKEN, None, by=CLERK)
    desk.registry.keys.compromise(old or "", desk.registry.clock(), by=CLERK)
    unauthorised(desk.send("GET", ANY_PATH, headers=unused))
    unauthorised(desk.send("GET", ANY_PATH, headers=used))


def test_tokens_of_two_agencies_are_told_apart(portal: Portal) -> None:
    for who, agency in ((portal.planning, PLANNING), (portal.construction, CONSTRUCTION)):
        claims = jwt.decode(portal.token(who), options={"verify_signature": False})
        assert claims["agency"] == agency.code
