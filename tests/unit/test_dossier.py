"""Dossier statements: an outside library reads them, and one altered word is found."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey

from ecert._encoding import LAST_SECOND, b64url, instant
from ecert.errors import InputError, SignatureError, TokenError
from ecert.formats._jws import CHANGES, DOSSIER, STATEMENT, sign_jws
from ecert.formats.dossier import (
    Dossier,
    Given,
    holder_commitment,
    parse_dossier,
    presentation_digest,
    sign_changes,
    sign_dossier,
    verify_changes,
    verify_dossier,
)
from ecert.keys import Role, SigningKey, Trust, make_signer
from tests.conftest import PLANNING
from tests.unit.conftest import BASE, Examples

CODE = "91440114MA00000151"
SALT = bytes(range(16))
MADE_AT = 1_772_415_000  # 2026-03-02, as the tests' clock stands


def dossier(**members: Any) -> Dossier:
    plain = Dossier(
        id="01KJP2N7E09BZ0XEMAWPHZ6DK0",
        revision=1,
        made_at=MADE_AT,
        agency=PLANNING.code,
        client="client",
        operator="李四",
        matter="HD-ZJ-01",
        matter_version=1,
        case_number="2026-0017",
        situation=None,
        holder=holder_commitment(SALT, CODE),
        project_code=None,
        states={"licence": "met", "plan": "missing"},
        given=(
            Given(
                material="licence",
                certificate="1.2.156",
                credential_digest=b64url(bytes(32)),
                fields=("holders.name",),
                presentation=presentation_digest("a~b~"),
                basis={"rule": "R", "legal_basis": "法"},
            ),
        ),
    )
    return replace(plain, **members)


@pytest.fixture(scope="session")
def key(examples: Examples) -> SigningKey:
    return examples.registry.keys.ring.registry_key()


def signed(key: SigningKey, one: Dossier) -> str:
    return sign_dossier(one, key, base=BASE)


class Long(jws.JWSRegistry):
    """The rules of joserfc, but for headers that hold a certificate."""

    max_header_length = 8192
    max_payload_length = 1 << 20


def outside(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check a token with joserfc under the key of its first certificate; give header and claims."""
    head = json.loads(base64.urlsafe_b64decode(token.split(".", maxsplit=1)[0] + "=="))
    leaf = x509.load_der_x509_certificate(base64.b64decode(head["x5c"][0]))
    pem = leaf.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    read = jws.deserialize_compact(token, ECKey.import_key(pem), registry=Long())
    return dict(read.headers()), json.loads(read.payload)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
givens = st.builds(
    Given, texts, texts, texts, st.lists(texts).map(tuple), texts, st.dictionaries(texts, texts)
)
dossiers = st.builds(
    Dossier,
    id=st.from_regex(r"[0-9A-Z]{26}", fullmatch=True),
    revision=st.integers(1, 10**6),
    made_at=st.integers(0, LAST_SECOND),
    agency=texts,
    client=st.none() | texts,
    operator=texts,
    matter=texts,
    matter_version=st.integers(1, 9999),
    case_number=texts,
    situation=st.none() | texts,
    holder=st.none() | texts,
    project_code=st.none() | texts,
    states=st.dictionaries(texts, texts),
    given=st.lists(givens, max_size=3).map(tuple),
)


# -- signing and reading ---------------------------------------------------------------------------------


@given(dossiers)
def test_a_statement_says_what_was_said(key: SigningKey, one: Dossier) -> None:
    jws_, issuer, read = parse_dossier(signed(key, one))
    assert (issuer, read, jws_.header.typ) == (BASE, one, DOSSIER)


def test_joserfc_checks_a_statement(key: SigningKey) -> None:
    header, claims = outside(signed(key, dossier()))
    assert (header["typ"], header["alg"]) == ("ecert-dossier+jwt", "ES256")
    assert header.keys() == {"typ", "alg", "x5c", "kid"}
    assert claims["iss"] == BASE
    assert claims["jti"] == "01KJP2N7E09BZ0XEMAWPHZ6DK0.1"
    assert claims["matter"] == {"code": "HD-ZJ-01", "version": 1}
    assert claims["materials"] == {"licence": "met", "plan": "missing"}
    (shown,) = claims["given"]
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"a~b~").digest()).rstrip(b"=").decode()
    assert shown["presentation_digest"] == digest
    assert CODE not in json.dumps(claims)


def test_joserfc_finds_an_altered_statement(key: SigningKey) -> None:
    head, payload, signature = signed(key, dossier()).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["case_number"] = "another"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    with pytest.raises(BadSignatureError):
        outside(f"{head}.{forged}.{signature}")


def test_the_holder_is_committed_to(key: SigningKey, examples: Examples) -> None:
    """base64url SHA-256(salt16 ‖ canonical ``{"holder": code}``), computed here by hand."""
    by_hand = hashlib.sha256(SALT + b'{"holder":"%s"}' % CODE.encode()).digest()
    committed = base64.urlsafe_b64encode(by_hand).rstrip(b"=").decode()
    token = signed(key, dossier())
    assert outside(token)[1]["holder"] == committed
    assert verify_dossier(token, examples.trust, holder=(SALT, CODE)).holder == committed
    for salt, code in ((bytes(16), CODE), (SALT, "440114197602039971")):
        with pytest.raises(SignatureError, match="another holder"):
            verify_dossier(token, examples.trust, holder=(salt, code))
    nameless = signed(key, dossier(holder=None))
    with pytest.raises(SignatureError, match="another holder"):
        verify_dossier(nameless, examples.trust, holder=(SALT, CODE))


# -- checking --------------------------------------------------------------------------------------------


def test_a_statement_is_of_exactly_these_presentations(key: SigningKey, examples: Examples) -> None:
    token = signed(key, dossier())
    assert verify_dossier(token, examples.trust) == dossier()
    assert verify_dossier(token, examples.trust, presentations=["a~b~"]) == dossier()
    for others in (["a~"], ["a~b~", "a~b~"], ["a~b~", "c~"]):
        with pytest.raises(SignatureError, match="other presentations"):
            verify_dossier(token, examples.trust, presentations=others)


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_one_altered_byte_is_found(
    key: SigningKey, examples: Examples, place: int, change: int
) -> None:
    raw = bytearray(signed(key, dossier()).encode())
    raw[place % len(raw)] ^= change
    with pytest.raises((InputError, SignatureError)):
        verify_dossier(raw.decode("latin-1"), examples.trust)


def by_agency(examples: Examples) -> SigningKey:
    return examples.registry.keys.ring.signing_key(Role.AGENCY, PLANNING.code)


def by_status(examples: Examples) -> SigningKey:
    return examples.registry.keys.ring.signing_key(Role.STATUS)


def by_nobody(examples: Examples) -> SigningKey:
    return SigningKey(make_signer(), examples.registry.keys.ring.registry_key().chain)


def without_chain(examples: Examples) -> SigningKey:
    return SigningKey(examples.registry.keys.ring.registry_key().signer, ())


def of_rubbish(examples: Examples) -> SigningKey:
    return SigningKey(examples.registry.keys.ring.registry_key().signer, (b"rubbish",))


OTHERS = [by_agency, by_status, by_nobody, without_chain, of_rubbish]


@pytest.mark.parametrize("other", OTHERS)
def test_no_other_key_signs_for_the_registry(
    examples: Examples, other: Callable[[Examples], SigningKey]
) -> None:
    """Only what the docstring names is raised: a verifier catches just that."""
    with pytest.raises((TokenError, SignatureError)):
        verify_dossier(signed(other(examples), dossier()), examples.trust)


@pytest.mark.parametrize("other", OTHERS)
def test_no_other_key_tells_of_changes(
    examples: Examples, other: Callable[[Examples], SigningKey]
) -> None:
    told = sign_changes(BASE, "client", [], other(examples), now=MADE_AT)
    with pytest.raises((TokenError, SignatureError)):
        verify_changes(told, examples.trust, client="client")


def test_only_a_registry_that_is_trusted_counts(key: SigningKey, examples: Examples) -> None:
    token = signed(key, dossier())
    with pytest.raises(SignatureError, match="trust file"):
        verify_dossier(token, Trust(()))
    for base in (BASE + "/", BASE.upper(), "https://other.example"):
        with pytest.raises(SignatureError, match="trust file"):
            verify_dossier(sign_dossier(dossier(), key, base=base), examples.trust)


def test_a_key_that_was_retired_counts_for_what_it_signed_before(
    key: SigningKey, examples: Examples
) -> None:
    (registry,) = examples.trust.registries
    kid, token = key.signer.kid, signed(key, dossier())
    before, after = (instant(MADE_AT) + timedelta(seconds=step) for step in (0, 1))
    retired = Trust((replace(registry, retired={kid: after}),))
    assert verify_dossier(token, retired) == dossier()
    with pytest.raises(SignatureError, match="retired"):
        verify_dossier(token, Trust((replace(registry, retired={kid: before}),)))


@pytest.mark.parametrize("at", [-1, 0, 2**33, 2**40])
def test_a_statement_lies_within_its_key_s_time(
    key: SigningKey, examples: Examples, at: int
) -> None:
    with pytest.raises((TokenError, SignatureError)):
        verify_dossier(signed(key, dossier(made_at=at)), examples.trust)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": None},
        {"jti": "id"},
        {"jti": "id.x"},
        {"jti": 7},
        {"iat": None},
        {"iat": True},
        {"iat": "1"},
        {"agency": None},
        {"client": 7},
        {"matter": "HD"},
        {"matter": {"code": "HD"}},
        {"matter": {"code": "HD", "version": "x"}},
        {"case_number": 7},
        {"holder": []},
        {"materials": 7},
        {"given": {}},
        {"given": [None]},
        {"given": [{}]},
        {"given": [{"material": "m"}] * 101},
    ],
)
def test_a_statement_of_another_shape_is_refused(
    key: SigningKey, examples: Examples, change: dict[str, Any]
) -> None:
    claims = {**dossier().claims(BASE), **change}
    token = sign_jws(json.dumps(claims).encode(), key.signer, typ=DOSSIER, chain=key.chain)
    with pytest.raises(TokenError):
        verify_dossier(token, examples.trust)


@pytest.mark.parametrize("name", sorted(dossier().claims(BASE)))
def test_every_claim_is_demanded(key: SigningKey, name: str) -> None:
    claims = dossier().claims(BASE)
    del claims[name]
    token = sign_jws(json.dumps(claims).encode(), key.signer, typ=DOSSIER, chain=key.chain)
    with pytest.raises(TokenError):
        parse_dossier(token)


@pytest.mark.parametrize("typ", [STATEMENT, CHANGES, "JWT"])
def test_a_token_of_another_kind_is_no_statement(
    key: SigningKey, examples: Examples, typ: str
) -> None:
    payload = json.dumps(dossier().claims(BASE)).encode()
    with pytest.raises(TokenError):
        verify_dossier(sign_jws(payload, key.signer, typ=typ, chain=key.chain), examples.trust)


# -- changes ---------------------------------------------------------------------------------------------


def test_changes_are_told_to_one_client(key: SigningKey, examples: Examples) -> None:
    items = [{"index": 3, "certificate": "1.2.156", "status": "withdrawn"}]
    token = sign_changes(BASE, "client", items, key, now=MADE_AT)
    header, claims = outside(token)
    assert (header["typ"], claims["aud"], claims["items"]) == (CHANGES, "client", items)
    assert verify_changes(token, examples.trust, client="client") == items
    with pytest.raises(SignatureError, match="another client"):
        verify_changes(token, examples.trust, client="other")
    with pytest.raises(TokenError):
        verify_changes(signed(key, dossier()), examples.trust, client="client")
    with pytest.raises(TokenError):
        verify_dossier(token, examples.trust)
