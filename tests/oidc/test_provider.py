"""The provider is real: its tokens come from its own flow and verify with an outside library."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet

from ecert.testing import SettableClock
from tests.oidc.provider import (
    ACCOUNTS,
    ENTERPRISE,
    HIGH,
    LOW,
    LOW_PERSON,
    PERSON,
    NotSignedIn,
    Provider,
    oidc_provider,
)


def read(provider: Provider, token: str, algorithm: str = "RS256") -> dict[str, Any]:
    """Verify a token with joserfc and the keys that the provider publishes."""
    keys = KeySet.import_key_set({"keys": provider.jwks["keys"]})
    return dict(jwt.decode(token, keys, algorithms=[algorithm]).claims)


def test_a_token_of_an_enterprise_says_who_signed_in(oidc: Provider) -> None:
    before = int(time.time())
    claims = read(oidc, oidc.sign_in(ENTERPRISE, nonce="n-0S6_WzA2Mj"))
    assert claims["iss"] == oidc.issuer
    assert claims["aud"] == oidc.client_id == "online-hall"
    assert claims["nonce"] == "n-0S6_WzA2Mj"
    assert claims["sub"] == ENTERPRISE
    assert claims["acr"] == HIGH
    assert claims["credit_code"] == ACCOUNTS[ENTERPRISE]["credit_code"]
    assert "resident_number" not in claims
    assert before <= claims["iat"] <= time.time() < claims["exp"]


@pytest.mark.parametrize(("sub", "level"), [(PERSON, HIGH), (LOW_PERSON, LOW)])
def test_a_token_of_a_person_carries_number_and_level(oidc: Provider, sub: str, level: str) -> None:
    claims = read(oidc, oidc.sign_in(sub))
    assert claims["acr"] == level
    assert claims["resident_number"] == ACCOUNTS[sub]["resident_number"]
    assert not {"credit_code", "nonce"} & claims.keys()


def test_each_nonce_gives_its_own_token(oidc: Provider) -> None:
    tokens = [oidc.sign_in(ENTERPRISE, nonce=nonce) for nonce in ("first", "second")]
    assert tokens[0] != tokens[1]
    assert [read(oidc, token)["nonce"] for token in tokens] == ["first", "second"]


def test_the_audience_is_the_client_that_asked(oidc: Provider) -> None:
    assert read(oidc, oidc.sign_in(PERSON, client_id="other-hall"))["aud"] == "other-hall"


def test_the_provider_refuses_strangers(oidc: Provider) -> None:
    with pytest.raises(NotSignedIn, match="no such account"):
        oidc.sign_in("nobody")
    with pytest.raises(NotSignedIn, match="invalid_client"):
        oidc.sign_in(PERSON, client_id="nobody")


def test_a_signature_fits_one_token_and_one_provider(oidc: Provider) -> None:
    tokens = [oidc.sign_in(sub) for sub in (ENTERPRISE, PERSON)]
    mixed = tokens[0].rpartition(".")[0] + "." + tokens[1].rpartition(".")[2]
    with pytest.raises(BadSignatureError):
        read(oidc, mixed)
    with oidc_provider(ACCOUNTS) as other:
        (key,), (foreign,) = oidc.jwks["keys"], other.jwks["keys"]
    assert "d" not in key
    assert key["kid"] != foreign["kid"]
    assert key["n"] != foreign["n"]


def test_a_provider_may_sign_with_an_elliptic_curve() -> None:
    with oidc_provider(ACCOUNTS, algorithm="ES256") as provider:
        assert read(provider, provider.sign_in(PERSON), "ES256")["sub"] == PERSON


def test_the_provider_follows_the_clock_it_is_given(oidc: Provider) -> None:
    clock = SettableClock()
    with oidc_provider(ACCOUNTS, clock=clock) as provider:
        for step in (timedelta(0), timedelta(days=9), timedelta(days=-400)):
            clock.move(step)
            assert read(provider, provider.sign_in(PERSON))["iat"] == clock().timestamp()
    moment = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert read(oidc, oidc.sign_in(PERSON, at=moment))["iat"] == moment.timestamp()
    assert abs(read(oidc, oidc.sign_in(PERSON))["iat"] - time.time()) < 60


def test_the_provider_ends_with_its_context() -> None:
    with oidc_provider(ACCOUNTS) as provider:
        assert httpx.get(provider.issuer + "/jwks", trust_env=False).json() == provider.jwks
    with pytest.raises(httpx.ConnectError):
        httpx.get(provider.issuer + "/jwks", trust_env=False)


def test_a_provider_that_cannot_start_says_why() -> None:
    unknown: Any = "RS1"
    with (
        pytest.raises(RuntimeError, match=r"KEYS.* is not a function"),
        oidc_provider(ACCOUNTS, algorithm=unknown),
    ):
        pytest.fail("it started")
