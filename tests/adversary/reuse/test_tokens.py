"""Access tokens of departments' systems, and proofs of possession (DPoP, RFC 9449)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from jwt.algorithms import ECAlgorithm

from ecert.model import Agency
from ecert.registry import SCOPES
from tests.adversary.reuse.world import (
    CLERK,
    MATTER,
    READ,
    World,
    application,
    b64url,
    credit_code,
)
from tests.api.conftest import System, jwk_of, make_key, refused
from tests.conftest import CONSTRUCTION

PATH = f"/v1/matters/{MATTER}/dossiers"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# -- bearer tokens ---------------------------------------------------------------------------------


def test_an_expired_token(world: World) -> None:
    headers = world.desk.bearer(world.zj)
    world.clock.move(timedelta(seconds=300))
    world.refuse(lambda: world.fulfil(headers=headers), 401, "token_expired")


def test_an_expired_token_is_in_the_trail(world: World) -> None:
    """The token is ours and says whose it was: the caller is known."""
    headers = world.desk.bearer(world.zj)
    world.clock.move(timedelta(seconds=300))
    world.refuse(lambda: world.fulfil(headers=headers), 401, "token_expired", by=world.zj)


def test_a_token_expires_on_its_second(world: World) -> None:
    headers = world.desk.bearer(world.zj)
    world.clock.move(timedelta(seconds=299))
    assert world.checklist(headers=headers).status_code == 200


def test_a_token_that_was_looked_at_before_expires_too(world: World) -> None:
    headers = world.desk.bearer(world.zj)
    assert world.checklist(headers=headers).status_code == 200
    world.clock.move(timedelta(seconds=300))
    world.refuse(lambda: world.checklist(headers=headers), 401, "token_expired")


def test_a_replayed_assertion(world: World) -> None:
    assertion = world.zj.assertion()
    assert world.desk.ask_token(assertion).status_code == 200
    answer = world.refuse(lambda: world.desk.ask_token(assertion), 401, "assertion_replayed")
    assert answer.json()["error"] == "invalid_client"


def test_a_replayed_assertion_is_in_the_trail(world: World) -> None:
    assertion = world.zj.assertion()
    assert world.desk.ask_token(assertion).status_code == 200
    world.refuse(lambda: world.desk.ask_token(assertion), 401, "assertion_replayed", by=world.zj)


def test_a_token_of_a_suspended_client(world: World) -> None:
    headers = world.desk.bearer(world.zj)
    world.registry.clients.change(world.zj.id, state="suspended", by=CLERK)
    world.refuse(lambda: world.fulfil(headers=headers), 401, "unauthorised")


def test_a_suspended_client_gets_no_token(world: World) -> None:
    world.registry.clients.change(world.zj.id, state="suspended", by=CLERK)
    world.refuse(lambda: world.desk.ask_token(world.zj.assertion()), 401, "invalid_client")


def test_a_call_from_an_address_that_is_not_allowed(world: World) -> None:
    headers = world.desk.bearer(world.zj)
    world.registry.clients.change(world.zj.id, addresses=("10.1.0.0/16",), by=CLERK)
    world.refuse(lambda: world.fulfil(headers=headers), 403, "address_not_allowed")


def test_a_call_from_an_address_that_is_not_allowed_is_in_the_trail(world: World) -> None:
    headers = world.desk.bearer(world.zj)
    world.registry.clients.change(world.zj.id, addresses=("10.1.0.0/16",), by=CLERK)
    world.refuse(lambda: world.fulfil(headers=headers), 403, "address_not_allowed", by=world.zj)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_a_header_is_no_address(world: World, header: str) -> None:
    headers = {**world.desk.bearer(world.zj), header: "10.1.0.1"}
    world.registry.clients.change(world.zj.id, addresses=("10.1.0.0/16",), by=CLERK)
    world.refuse(lambda: world.fulfil(headers=headers), 403, "address_not_allowed")


def test_a_key_that_was_rotated_away(world: World) -> None:
    fresh = make_key()
    row = world.registry.clients.add_key(world.zj.id, jwk_of(fresh), by=CLERK)
    world.registry.clients.retire_key(world.zj.id, world.zj.id, by=CLERK)
    world.refuse(lambda: world.desk.ask_token(world.zj.assertion()), 401, "invalid_client")
    assert world.desk.ask_token(world.zj.assertion(key=fresh)).status_code == 200
    assert world.zj.id in row.keys, "the row from before knew both"


def test_the_key_of_another_client(world: World) -> None:
    assertion = world.zj.assertion(key=world.fg.key)
    world.refuse(lambda: world.desk.ask_token(assertion), 401, "invalid_client")


def test_a_token_of_fewer_scopes_has_no_more(world: World) -> None:
    both = world.desk.enrol(CONSTRUCTION.code, [*READ, "matters:manage"])
    headers = bearer(world.desk.token(both, scope="matters:manage"))
    world.refuse(lambda: world.fulfil(headers=headers), 403, "forbidden")


# -- DPoP --------------------------------------------------------------------------------------------


@pytest.fixture
def key() -> Any:
    return make_key()


@pytest.fixture
def bound(world: World, key: Any) -> str:
    """A token of the construction bureau's system that is bound to ``key``."""
    return world.bound_token(world.zj, key)


def dpop(world: World, token: str, *proofs: str, scheme: str = "DPoP") -> httpx.Response:
    headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", one) for one in proofs)]
    world.registry.log.publish()
    return world.desk.send("POST", PATH, json=application(), headers=headers)


def demand(world: World) -> None:
    world.registry.agencies.require_dpop(CONSTRUCTION.code, requires=True, by=CLERK)


def test_a_good_proof_is_good_once(world: World, key: Any, bound: str) -> None:
    proof = world.proof(key, "POST", PATH, bound)
    assert dpop(world, bound, proof).status_code == 201
    world.refuse(lambda: dpop(world, bound, proof), 401, "dpop_proof_replayed")


def test_a_bearer_token_where_proof_is_demanded(world: World) -> None:
    token = world.desk.token(world.zj)
    demand(world)
    world.refuse(lambda: world.fulfil(headers=bearer(token)), 401, "dpop_required")


def test_a_refusal_for_want_of_proof_is_in_the_trail(world: World) -> None:
    token = world.desk.token(world.zj)
    demand(world)
    world.refuse(lambda: world.fulfil(headers=bearer(token)), 401, "dpop_required", by=world.zj)


def test_a_bearer_token_dressed_as_bound(world: World, key: Any) -> None:
    token = world.desk.token(world.zj)
    demand(world)
    proof = world.proof(key, "POST", PATH, token)
    world.refuse(lambda: dpop(world, token, proof), 401, "dpop_required")


def test_a_token_request_without_proof_where_it_is_demanded(world: World) -> None:
    demand(world)
    answer = world.refuse(
        lambda: world.desk.ask_token(world.zj.assertion()), 400, "invalid_dpop_proof"
    )
    assert answer.json()["error"] == "invalid_dpop_proof"


def test_a_bound_token_sent_as_bearer(world: World, key: Any, bound: str) -> None:
    proof = world.proof(key, "POST", PATH, bound)
    world.refuse(lambda: dpop(world, bound, proof, scheme="Bearer"), 401, "dpop_required")
    world.refuse(lambda: dpop(world, bound, scheme="Bearer"), 401, "dpop_required")


def test_a_bound_token_without_proof(world: World, bound: str) -> None:
    world.refuse(lambda: dpop(world, bound), 401, "invalid_dpop_proof")


CLAIMS: dict[str, dict[str, Any]] = {
    "another path": {"htu": "http://127.0.0.1:8000/v1/matters/HD-ZJ-02/dossiers"},
    "another host": {"htu": f"https://evil.example{PATH}"},
    "no path": {"htu": "http://127.0.0.1:8000"},
    "a longer path": {"htu": f"http://127.0.0.1:8000{PATH}/"},
    "a list of paths": {"htu": [f"http://127.0.0.1:8000{PATH}"]},
    "no htu": {"htu": None},
    "another method": {"htm": "GET"},
    "a method in small letters": {"htm": "post"},
    "no htm": {"htm": None},
    "another token's hash": {"ath": b64url(hashlib.sha256(b"other").digest())},
    "no hash of the token": {"ath": None},
    "a hash with padding": {"ath": base64.urlsafe_b64encode(b"\0" * 32).decode()},
    "no jti": {"jti": None},
    "a short jti": {"jti": "1234567"},
    "a long jti": {"jti": "x" * 257},
    "a number as jti": {"jti": 123456789},
    "no iat": {"iat": None},
    "iat as text": {"iat": "1772415000"},
    "iat as truth": {"iat": True},
    "iat with a fraction": {"iat": 1772415000.5},
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_proof_that_says_something_else(world: World, key: Any, bound: str, name: str) -> None:
    proof = world.proof(key, "POST", PATH, bound, **CLAIMS[name])
    world.refuse(lambda: dpop(world, bound, proof), 401, "invalid_dpop_proof")


@pytest.mark.parametrize("seconds", [-61, -3600, 61, 3600])
def test_a_proof_of_another_moment(world: World, key: Any, bound: str, seconds: int) -> None:
    proof = world.proof(key, "POST", PATH, bound, iat=world.desk.now() + seconds)
    world.refuse(lambda: dpop(world, bound, proof), 401, "invalid_dpop_proof")


def test_a_proof_made_for_another_token(world: World, key: Any, bound: str) -> None:
    other = world.bound_token(world.zj, key)
    proof = world.proof(key, "POST", PATH, other)
    world.refuse(lambda: dpop(world, bound, proof), 401, "invalid_dpop_proof")


def test_a_proof_by_another_key(world: World, bound: str) -> None:
    proof = world.proof(make_key(), "POST", PATH, bound)
    world.refuse(lambda: dpop(world, bound, proof), 401, "invalid_dpop_proof")


def test_a_proof_whose_header_names_the_right_key(world: World, key: Any, bound: str) -> None:
    proof = world.proof(key, "POST", PATH, bound, signer=make_key())
    world.refuse(lambda: dpop(world, bound, proof), 401, "invalid_dpop_proof")


def test_two_proofs(world: World, key: Any, bound: str) -> None:
    proofs = [world.proof(key, "POST", PATH, bound) for _ in range(2)]
    world.refuse(lambda: dpop(world, bound, *proofs), 401, "invalid_dpop_proof")


def test_two_proofs_in_one_header(world: World, key: Any, bound: str) -> None:
    both = ",".join(world.proof(key, "POST", PATH, bound) for _ in range(2))
    world.refuse(lambda: dpop(world, bound, both), 401, "invalid_dpop_proof")


def test_two_proofs_for_a_token(world: World, key: Any) -> None:
    """RFC 9449 §4.3 (1): there is not more than one DPoP header field."""
    proofs = [world.proof(key, "POST", "/oauth/token") for _ in range(2)]
    world.refuse(lambda: world.ask_bound_token(world.zj, *proofs), 400, "invalid_dpop_proof")


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "client-authentication+jwt", "DPOP+JWT", ""])
def test_a_proof_of_another_kind(world: World, key: Any, bound: str, typ: str) -> None:
    proof = world.proof(key, "POST", PATH, bound, headers={"typ": typ})
    world.refuse(lambda: dpop(world, bound, proof), 401, "invalid_dpop_proof")


def resigned(proof: str, alg: str, sign: Callable[[bytes], bytes]) -> str:
    """Write another algorithm into a proof's header, and sign it as that."""
    head, payload, _ = proof.split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    head = b64url(json.dumps({**header, "alg": alg}).encode())
    signed = f"{head}.{payload}"
    return f"{signed}.{b64url(sign(signed.encode()))}"


@pytest.mark.parametrize("alg", ["none", "None", ""])
def test_a_proof_without_a_signature(world: World, key: Any, bound: str, alg: str) -> None:
    proof = resigned(world.proof(key, "POST", PATH, bound), alg, lambda _data: b"")
    world.refuse(lambda: dpop(world, bound, proof), 401, "invalid_dpop_proof")


def test_a_proof_signed_with_the_public_key_as_a_secret(world: World, key: Any, bound: str) -> None:
    public = json.dumps(jwk_of(key)).encode()
    proof = resigned(
        world.proof(key, "POST", PATH, bound),
        "HS256",
        lambda data: hmac.digest(public, data, "sha256"),
    )
    world.refuse(lambda: dpop(world, bound, proof), 401, "invalid_dpop_proof")


def test_a_private_key_in_the_header(world: World, key: Any, bound: str) -> None:
    private = dict(ECAlgorithm.to_jwk(key, as_dict=True))
    assert "d" in private
    proof = world.proof(key, "POST", PATH, bound, headers={"jwk": private})
    world.refuse(lambda: dpop(world, bound, proof), 401, "invalid_dpop_proof", secret=private["d"])


BAD_KEYS: dict[str, Any] = {
    "nothing": None,
    "a text": "x",
    "a list": [],
    "a number": 5,
    "no members": {},
    "a symmetric key": {"kty": "oct", "k": "c2VjcmV0"},
    "not on the curve": {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
    "numbers": {"kty": "EC", "crv": "P-256", "x": 1, "y": 2},
    "another curve": {"kty": "EC", "crv": "secp256k1", "x": "A" * 43, "y": "A" * 43},
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_a_header_without_a_usable_key(world: World, key: Any, bound: str, name: str) -> None:
    proof = world.proof(key, "POST", PATH, bound, headers={"jwk": BAD_KEYS[name]})
    world.refuse(lambda: dpop(world, bound, proof), 401, "invalid_dpop_proof")


@pytest.mark.parametrize("name", ["kid", "x5c", "crit", "jku"])
def test_a_header_with_members_of_others(world: World, key: Any, bound: str, name: str) -> None:
    value: Any = ["exp"] if name in {"crit", "x5c"} else "https://evil.example/keys"
    proof = resigned_header(world.proof(key, "POST", PATH, bound), key, {name: value})
    world.refuse(lambda: dpop(world, bound, proof), 401, "invalid_dpop_proof")


def resigned_header(proof: str, key: Any, more: dict[str, Any]) -> str:
    """Add members to a proof's header and sign it well."""
    head, payload, _ = proof.split(".")
    header = {**json.loads(base64.urlsafe_b64decode(head + "==")), **more}
    signed = f"{b64url(json.dumps(header).encode())}.{payload}"
    algorithm = ECAlgorithm(ECAlgorithm.SHA256)
    return f"{signed}.{b64url(algorithm.sign(signed.encode(), key))}"


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "....", "é", "x" * 9000])
def test_a_proof_that_is_none(world: World, bound: str, text: str) -> None:
    def call() -> httpx.Response:
        headers = [(b"Authorization", f"DPoP {bound}".encode()), (b"DPoP", text.encode("latin-1"))]
        return world.desk.send("POST", PATH, json=application(), headers=headers)

    world.refuse(call, 401, "invalid_dpop_proof")


def test_a_refused_proof_is_in_the_trail(world: World, bound: str) -> None:
    """The token is good and says whose it is; that a thief holds it is what operators must see."""
    proof = world.proof(make_key(), "POST", PATH, bound)
    world.refuse(lambda: dpop(world, bound, proof), 401, "invalid_dpop_proof", by=world.zj)


def test_a_proof_for_a_token_serves_no_call(world: World, key: Any, bound: str) -> None:
    proof = world.proof(key, "POST", "/oauth/token")
    assert world.ask_bound_token(world.zj, proof).status_code == 200
    world.refuse(lambda: dpop(world, bound, proof), 401, "invalid_dpop_proof")


def test_a_replayed_proof_gets_no_token(world: World, key: Any) -> None:
    proof = world.proof(key, "POST", "/oauth/token")
    assert world.ask_bound_token(world.zj, proof).status_code == 200
    answer = world.refuse(
        lambda: world.ask_bound_token(world.zj, proof), 400, "dpop_proof_replayed"
    )
    assert "access_token" not in answer.json()


@pytest.mark.parametrize("text", ["", "nonsense"])
def test_a_bad_proof_does_not_give_a_bearer_token(world: World, text: str) -> None:
    world.refuse(lambda: world.ask_bound_token(world.zj, text), 400, "invalid_dpop_proof")


def test_an_agency_above_demands_for_those_below(world: World) -> None:
    """The demand is inherited: a registered sub-agency cannot do without."""
    code = credit_code("11440114MA0000096")
    station = Agency(code, "花都区示例站", "440114", CONSTRUCTION.code)
    world.registry.agencies.add(station, by=CLERK)
    below: System = world.desk.enrol(code, sorted({*READ} & {*SCOPES}))
    token = world.desk.token(below)
    demand(world)
    world.refuse(
        lambda: world.call(None, "GET", "/v1/matters", headers=bearer(token)), 401, "dpop_required"
    )


def test_an_id_token_is_no_access_token(world: World) -> None:
    headers = bearer(world.sign_in())
    world.refuse(lambda: world.fulfil(headers=headers), 401, "unauthorised")


def test_an_access_token_with_another_signature(world: World) -> None:
    token = world.desk.token(world.zj)
    claims = jwt.decode(token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(token)["kid"]
    forged = jwt.encode(
        {**claims, "agency": CONSTRUCTION.code},
        make_key(),
        algorithm="ES256",
        headers={"typ": "at+jwt", "kid": kid},
    )
    answer = world.refuse(lambda: world.fulfil(headers=bearer(forged)), 401, "unauthorised")
    refused(answer, 401)
