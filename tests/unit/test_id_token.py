"""ID tokens, signed by joserfc: only what OpenID Connect Core §3.1.3.7 allows says who signed in."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from ecert.errors import IdTokenRefused, InputError
from ecert.formats.id_token import (
    CLOCK_SKEW_SECONDS,
    MAX_AGE_SECONDS,
    Provider,
    check_provider,
    to_provider,
    verify_id_token,
)

Key = RSAKey | ECKey | OKPKey | OctKey
ISSUER, HALL, HIGH = "https://id.example.gov.cn", "online-hall", "urn:loa:3"
NOW = 1_772_415_000
ENTERPRISE, PERSON = "91440114MA00000151", "440114197602039971"
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": HALL,
    "sub": "account",
    "iat": NOW,
    "exp": NOW + 600,
    "acr": HIGH,
    "nonce": "n-0S6",
    "credit_code": ENTERPRISE,
}


@lru_cache
def key(algorithm: str, name: str = "one") -> Key:
    """Make a key once for each algorithm and name."""
    if algorithm in {"RS256", "PS256"}:
        return RSAKey.generate_key(2048, {"kid": name})
    if algorithm == "ES256":
        return ECKey.generate_key("P-256", {"kid": name})
    return OKPKey.generate_key("Ed25519", {"kid": name})


def public(*keys: Key) -> dict[str, Any]:
    """Publish keys as a JWK set."""
    return {"keys": [dict(one.as_dict(private=False)) for one in keys]}


def provider(algorithm: str = "ES256", **members: Any) -> Provider:
    plain = Provider(ISSUER, (HALL, "window"), (HIGH,), public(key(algorithm)), algorithm)
    return replace(plain, **members)


def token(
    claims: Mapping[str, Any] | None = None,
    *,
    signer: Key | None = None,
    algorithm: str = "ES256",
    **header: Any,
) -> str:
    """Sign claims with joserfc."""
    signing = signer or key(algorithm)
    named = {"alg": algorithm, "kid": signing.kid, **header}
    shown = {name: value for name, value in named.items() if value is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # EdDSA is an old name, and still what providers say
        return jwt.encode(shown, {**(claims or CLAIMS)}, signing, algorithms=[algorithm])


def refused(text: str, *providers: Provider, now: int = NOW) -> str:
    """Give the words of a refusal."""
    believed = {one.issuer: one for one in providers or (provider(),)}
    with pytest.raises(IdTokenRefused) as found:
        verify_id_token(text, believed, now)
    return found.value.message


# -- who signed in ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_a_token_says_who_signed_in(algorithm: str) -> None:
    believed = {ISSUER: provider(algorithm)}
    found = verify_id_token(token(algorithm=algorithm), believed, NOW)
    assert (found.code, found.code_type, found.nonce) == (ENTERPRISE, "001", "n-0S6")


def test_a_person_has_a_number_and_needs_no_nonce() -> None:
    claims = {name: CLAIMS[name] for name in ("iss", "aud", "iat", "exp", "acr")}
    found = verify_id_token(token({**claims, "resident_number": PERSON}), {ISSUER: provider()}, NOW)
    assert (found.code, found.code_type, found.nonce) == (PERSON, "111", None)


def test_a_provider_may_call_a_code_something_else() -> None:
    named = provider(claims={"001": "uscc"})
    found = verify_id_token(token({**CLAIMS, "uscc": ENTERPRISE}), {ISSUER: named}, NOW)
    assert found.code == ENTERPRISE
    assert "names no holder" in refused(token(), named)


def test_each_token_is_checked_under_its_own_provider() -> None:
    other = "https://other.example"
    believed = [
        provider(),
        provider(issuer=other, keys=public(key("ES256", "two")), levels=("urn:loa:9",)),
    ]
    claims = {**CLAIMS, "iss": other, "acr": "urn:loa:9"}
    signed = token(claims, signer=key("ES256", "two"))
    assert verify_id_token(signed, {one.issuer: one for one in believed}, NOW).code == ENTERPRISE
    assert "signed this" in refused(token(claims), *believed)  # its name, the first one's key
    assert "level" in refused(token({**CLAIMS, "acr": "urn:loa:9"}), *believed)


# -- the signature ---------------------------------------------------------------------------------------


def test_nobody_else_s_signature_counts() -> None:
    assert "signed this" in refused(token(signer=key("ES256", "two")))
    assert "signed this" in refused(token(signer=key("ES256", "two"), kid="one"))
    assert "signed this" in refused(token(kid="two"))
    assert "signed this" in refused(token()[:-4] + "AAAA")
    with pytest.raises(IdTokenRefused):
        verify_id_token(token(), {}, NOW)


def test_the_algorithm_is_the_provider_s_not_the_token_s() -> None:
    assert "signed this" in refused(token(algorithm="PS256"), provider("RS256"))
    known = json.dumps(public(key("ES256"))).encode()
    secret = OctKey.import_key(known, {"kid": "one"})
    forged = jwt.encode({"alg": "HS256", "kid": "one"}, CLAIMS, secret, algorithms=["HS256"])
    assert "signed this" in refused(forged)
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    assert "signed this" in refused(f"{head}.{token().split('.')[1]}.")


def test_a_token_without_a_kid_counts_only_where_there_is_one_key() -> None:
    nameless = token(kid=None)
    assert verify_id_token(nameless, {ISSUER: provider()}, NOW).code == ENTERPRISE
    two = provider(keys=public(key("ES256"), key("ES256", "two")))
    assert "signed this" in refused(nameless, two)
    assert verify_id_token(token(), {ISSUER: two}, NOW).code == ENTERPRISE
    doubled = provider(keys=public(key("ES256"), key("ES256")))
    assert "signed this" in refused(token(), doubled)


def test_no_key_is_taken_from_the_token() -> None:
    thief = key("ES256", "two")
    head = {"alg": "ES256", "jwk": public(thief)["keys"][0]}
    forged = jwt.encode(head, CLAIMS, thief, algorithms=["ES256"])
    assert "signed this" in refused(forged)


@pytest.mark.parametrize("kind", ["at+jwt", "logout+jwt", "dpop+jwt"])
def test_a_token_of_another_kind_is_no_id_token(kind: str) -> None:
    """RFC 8725 §3.11: an access token of the same provider may carry all these claims (RFC 9068)."""
    assert refused(token(typ=kind))


def test_a_token_that_calls_itself_a_jwt_is_one() -> None:
    assert verify_id_token(token(typ="JWT"), {ISSUER: provider()}, NOW).code == ENTERPRISE


@given(st.text(max_size=200) | st.text(".", max_size=6) | st.binary(max_size=200).map(bytes.hex))
def test_whatever_is_sent_is_refused_in_words(text: str) -> None:
    assert refused(text)


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"[]",
        b"1",
        b'{"alg":"ES256","kid":[]}',
        b'{"alg":"ES256","kid":{}}',
        b'{"alg":["ES256"]}',
        b'{"alg":"ES256","b64":false,"crit":["b64"]}',
        b'{"alg":"ES256","crit":["exp"]}',
        b'{"alg":"ES256","x":' + b"[" * 9000,
        b'{"alg":"ES256","kid":"\\ud800"}',
        b"\xff",
    ],
)
def test_a_strange_header_is_refused_in_words(head: bytes) -> None:
    _, payload, signature = token().split(".")
    assert refused(f"{encoded(head)}.{payload}.{signature}")
    assert refused(f"{encoded(head)}.{payload}.{signature}", provider("RS256"))


@pytest.mark.parametrize("payload", ["[]", "1", '"text"', '{"iss": NaN}'])
def test_a_payload_that_is_no_object_is_refused(payload: str) -> None:
    from joserfc import jws

    signed = jws.serialize_compact(
        {"alg": "ES256", "kid": "one"}, payload, key("ES256"), algorithms=["ES256"]
    )
    assert refused(signed)


def test_a_token_is_only_so_long() -> None:
    assert refused(token({**CLAIMS, "more": "x" * 20_000}))


# -- the claims ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["iss", "aud", "iat", "exp", "acr", "credit_code"])
def test_what_a_token_must_say(name: str) -> None:
    assert refused(token({key: value for key, value in CLAIMS.items() if key != name}))


@pytest.mark.parametrize(
    "change",
    [
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"iss": [ISSUER]},
        {"aud": "another-hall"},
        {"aud": []},
        {"aud": [HALL, "another-hall"]},
        {"aud": {HALL: 1}},
        {"aud": [[HALL]]},
        {"azp": "another-hall"},
        {"azp": None},
        {"aud": [HALL, "window"], "azp": "x"},
        {"acr": "urn:loa:1"},
        {"acr": None},
        {"acr": [HIGH]},
        {"exp": NOW},
        {"exp": NOW - 1},
        {"exp": str(NOW + 1)},
        {"exp": True},
        {"exp": 1e12},
        {"iat": NOW + CLOCK_SKEW_SECONDS + 1},
        {"iat": NOW - MAX_AGE_SECONDS - 1},
        {"iat": True},
        {"iat": None},
        {"nonce": 7},
        {"nonce": ["n-0S6"]},
        {"resident_number": PERSON},
        {"resident_number": None},
        {"credit_code": None},
        {"credit_code": [ENTERPRISE]},
        {"credit_code": "91440114MA0000015X"},
        {"credit_code": PERSON},
        {"credit_code": ENTERPRISE + " "},
        {"credit_code": ""},
    ],
)
def test_what_a_token_must_not_say(change: dict[str, Any]) -> None:
    assert refused(token({**CLAIMS, **change}))


@pytest.mark.parametrize(
    "change",
    [
        {"aud": [HALL]},
        {"aud": [HALL, "window"]},
        {"azp": HALL},
        {"exp": NOW + 1},
        {"iat": NOW + CLOCK_SKEW_SECONDS},
        {"iat": NOW - MAX_AGE_SECONDS},
        {"nonce": ""},
    ],
)
def test_what_a_token_may_say(change: dict[str, Any]) -> None:
    found = verify_id_token(token({**CLAIMS, **change}), {ISSUER: provider()}, NOW)
    assert found.code == ENTERPRISE


# -- settings --------------------------------------------------------------------------------------------


def test_settings_are_kept_whole() -> None:
    for one in (provider(), provider("RS256", claims={"111": "number"})):
        kept = json.loads(json.dumps(one.to_json()))
        assert to_provider(one.issuer, kept).to_json() == one.to_json()
        assert check_provider(one) is one


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": ""},
        {"issuer": "two\nlines"},
        {"audiences": ()},
        {"audiences": ("",)},
        {"levels": ()},
        {"algorithm": "HS256"},
        {"algorithm": "none"},
        {"keys": {}},
        {"keys": {"keys": []}},
        {"keys": {"keys": {}}},
        {"keys": {"keys": [1]}},
        {"keys": {"keys": [{"kty": "EC"}] * 51}},
        {"keys": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}},
        {"keys": {"keys": [dict(key("ES256").as_dict(private=True))]}},
        {"claims": {"999": "other"}},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        check_provider(provider(**change))


@pytest.mark.parametrize(
    "keys",
    [
        {"keys": [{"kty": "EC", "crv": "P-256", "x": "!!", "y": "!!"}]},
        {"keys": [{"kty": "EC"}]},
        {"keys": [{}]},
        public(key("RS256")),
    ],
)
def test_keys_that_can_never_verify_are_refused_when_they_are_set(keys: dict[str, Any]) -> None:
    """Otherwise every sign-in fails later, and nobody is told why; one usable key is enough."""
    with pytest.raises(InputError):
        check_provider(provider(keys=keys))
