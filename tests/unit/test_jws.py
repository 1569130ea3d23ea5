"""Compact JWS: one kind, the key's own algorithm, one spelling, and nothing believed from a header."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from ecert.errors import SignatureError, TokenError
from ecert.formats._jws import (
    CREDENTIAL,
    MAX_HEADER_BYTES,
    MAX_TOKEN_BYTES,
    STATEMENT,
    STATUS_LIST,
    UnverifiedJws,
    parse_compact,
    sign_jws,
    verify_jws,
)
from ecert.keys import EDDSA, ES256, make_signer, public_jwk

SIGNER, OTHER = make_signer(ES256), make_signer(ES256)
PAYLOAD = json.dumps({"iss": "x", "n": 1}).encode()
TOKEN = sign_jws(PAYLOAD, SIGNER, typ=STATEMENT)
HEADER = {"alg": "ES256", "typ": STATEMENT}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header: Any, payload: bytes = PAYLOAD, *, signer: Any = SIGNER) -> str:
    """Sign any header with the real key: only the header is wrong."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    signing_input = f"{b64(raw)}.{b64(payload)}"
    return f"{signing_input}.{b64(signer.sign(signing_input.encode()))}"


def read(token: str) -> UnverifiedJws:
    return parse_compact(token, typ=STATEMENT)


def refused(token: str) -> None:
    with pytest.raises(TokenError):
        read(token)


# -- the round trip --------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [ES256, EDDSA])
def test_a_token_round_trips_and_pyjwt_reads_it(suite: str) -> None:
    signer = make_signer(suite)
    chain = (b"leaf", b"middle")
    token = sign_jws(PAYLOAD, signer, typ=STATEMENT, chain=chain, kid="k")
    jws = read(token)
    verify_jws(jws, signer.public_key)
    assert (jws.header.alg, jws.header.typ, jws.header.kid) == (suite, STATEMENT, "k")
    assert jws.header.chain == chain
    assert jws.payload == PAYLOAD
    assert jwt.decode(token, signer.public_key, algorithms=[suite]) == json.loads(PAYLOAD)
    header = jwt.get_unverified_header(token)
    assert [base64.b64decode(der) for der in header["x5c"]] == list(chain)
    assert header.keys() == {"alg", "typ", "kid", "x5c"}


def test_we_read_what_pyjwt_signs() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(*form, serialization.NoEncryption())
    signing = jwt.api_jws.PyJWS()
    token = signing.encode(PAYLOAD, pem, algorithm="ES256", headers={"typ": STATEMENT})
    verify_jws(read(token), key.public_key())


def test_another_key_does_not_verify() -> None:
    for key in (OTHER.public_key, make_signer(EDDSA).public_key):
        with pytest.raises(SignatureError):
            verify_jws(read(TOKEN), key)


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("ABab01-_"))
def test_a_token_with_any_changed_character_is_refused(place: int, letter: str) -> None:
    if TOKEN[place] == letter:
        return
    with pytest.raises((TokenError, SignatureError)):
        verify_jws(read(TOKEN[:place] + letter + TOKEN[place + 1 :]), SIGNER.public_key)


# -- headers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "alg",
    ["none", "None", "NONE", "", "HS256", "RS256", "PS256", "ES384", "ES256K", "es256", "Ed25519"],
)
def test_another_algorithm_is_refused(alg: str) -> None:
    refused(forged({**HEADER, "alg": alg}))


def test_a_token_without_a_signature_is_refused() -> None:
    refused(f"{b64(json.dumps({**HEADER, 'alg': 'none'}).encode())}.{b64(PAYLOAD)}.")
    unsigned = read(f"{b64(json.dumps(HEADER).encode())}.{b64(PAYLOAD)}.")
    with pytest.raises(SignatureError):
        verify_jws(unsigned, SIGNER.public_key)


def test_the_public_key_is_no_secret_of_hs256() -> None:
    pem = SIGNER.public_key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signing_input = f"{b64(json.dumps({**HEADER, 'alg': 'HS256'}).encode())}.{b64(PAYLOAD)}"
    refused(f"{signing_input}.{b64(hmac.digest(pem, signing_input.encode(), 'sha256'))}")


@pytest.mark.parametrize("alg", [None, 1, ["ES256"], {"ES256": 1}, True])
def test_an_algorithm_that_is_no_text_is_refused(alg: Any) -> None:
    refused(forged({**HEADER, "alg": alg}))


def test_the_header_must_name_the_keys_own_algorithm() -> None:
    for signer, alg in ((SIGNER, "EdDSA"), (make_signer(EDDSA), "ES256")):
        token = forged({**HEADER, "alg": alg}, signer=signer)
        with pytest.raises(SignatureError):
            verify_jws(read(token), signer.public_key)


@pytest.mark.parametrize(
    "member",
    [
        {"crit": ["b64"], "b64": False},
        {"crit": []},
        {"b64": False},
        {"jwk": public_jwk(OTHER.public_key)},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/chain"},
        {"x5t": "AAAA"},
        {"x5t#S256": "AAAA"},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"enc": "A128GCM"},
        {"unknown": 1},
    ],
    ids=lambda member: next(iter(member)),
)
def test_a_header_has_no_other_members(member: dict[str, Any]) -> None:
    refused(forged({**HEADER, **member}))


def test_a_key_in_the_header_is_not_believed() -> None:
    refused(forged({**HEADER, "jwk": public_jwk(OTHER.public_key)}, signer=OTHER))


@pytest.mark.parametrize(
    "kid", ["../../../dev/null", "' OR 1=1 --", OTHER.kid, "", "k\u0000"], ids=lambda _: "kid"
)
def test_a_kid_chooses_no_key(kid: str) -> None:
    jws = read(forged({**HEADER, "kid": kid}, signer=OTHER))
    with pytest.raises(SignatureError):
        verify_jws(jws, SIGNER.public_key)


@pytest.mark.parametrize("kid", [1, True, [], {}, ["k"], 1.5])
def test_a_kid_that_is_no_text_is_refused(kid: Any) -> None:
    refused(forged({**HEADER, "kid": kid}))


@pytest.mark.parametrize(
    "typ",
    [
        None,
        "",
        "JWT",
        STATEMENT.upper(),
        f"application/{STATEMENT}",
        STATEMENT + " ",
        1,
        [STATEMENT],
    ],
)
def test_a_token_of_another_kind_is_refused(typ: Any) -> None:
    refused(forged({**HEADER, "typ": typ}))


def test_a_token_without_a_kind_is_refused() -> None:
    refused(forged({"alg": "ES256"}))


@pytest.mark.parametrize("typ", [CREDENTIAL, STATUS_LIST, "at+jwt", "ecert-status-details+jwt"])
def test_the_kinds_are_never_mistaken_for_each_other(typ: str) -> None:
    refused(sign_jws(PAYLOAD, SIGNER, typ=typ))
    with pytest.raises(TokenError):
        parse_compact(TOKEN, typ=typ)


@pytest.mark.parametrize(
    "x5c",
    ["AAAA", [1], [["AAAA"]], ["!"], ["AA"], ["AB=="], ["-_-_"], {"0": "AAAA"}, None, ["A A="]],
)
def test_a_malformed_chain_is_refused(x5c: Any) -> None:
    refused(forged({**HEADER, "x5c": x5c}))


@pytest.mark.parametrize(
    "header", [b"", b"[]", b'"x"', b"null", b"{", b'{"alg":"ES256",}', b"\xff", b"{}x", b"[" * 5000]
)
def test_a_header_that_is_no_object_is_refused(header: bytes) -> None:
    refused(forged(header))


# -- one spelling ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        TOKEN + ".",
        "." + TOKEN,
        TOKEN + ".x",
        TOKEN.replace(".", "..", 1),
        TOKEN.rpartition(".")[0],
        TOKEN.partition(".")[2],
        TOKEN + "=",
        TOKEN + "\n",
        " " + TOKEN,
        TOKEN.replace(".", " .", 1),
        TOKEN + "é",
        TOKEN + "\ud800",
        TOKEN + "\x00",
        TOKEN + "~",
        json.dumps({"payload": "x", "protected": "y", "signature": "z"}),
    ],
    ids=lambda _: "token",
)
def test_another_shape_is_refused(token: str) -> None:
    refused(token)


def test_padding_and_the_other_alphabet_are_refused() -> None:
    head, payload, signature = TOKEN.split(".")
    refused(f"{head}=.{payload}.{signature}")
    refused(f"{head}.{payload}==.{signature}")
    refused(f"{head}.{payload}.{signature}==")
    data = base64.b64encode(b"\xfb\xff\xfe").decode()
    assert "+" in data
    refused(f"{head}.{data}.{signature}")
    refused(f"{head}.{payload}.{data}")


def test_a_signature_has_one_spelling() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for bit in (1, 2, 4, 8):
        refused(TOKEN[:-1] + alphabet[alphabet.index(TOKEN[-1]) ^ bit])


@pytest.mark.parametrize("payload", [b'{"a":1}', b'{"ab":12}', b'{"abc":1}'])
def test_a_payload_with_left_over_bits_does_not_verify(payload: bytes) -> None:
    head, body, signature = forged(HEADER, payload).split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = body[:-1] + alphabet[alphabet.index(body[-1]) ^ 1]
    with pytest.raises((TokenError, SignatureError)):
        verify_jws(read(f"{head}.{other}.{signature}"), SIGNER.public_key)


def test_a_header_with_left_over_bits_is_refused() -> None:
    header = json.dumps(HEADER).encode()
    header += b" " * ((2 - len(header)) % 3)  # so that two bits are left over
    head, body, signature = forged(header).split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    read(f"{head}.{body}.{signature}")
    refused(f"{head[:-1]}{alphabet[alphabet.index(head[-1]) ^ 1]}.{body}.{signature}")


def test_tokens_and_headers_are_bounded() -> None:
    refused("a" * (MAX_TOKEN_BYTES + 1))
    refused(forged({**HEADER, "kid": "k" * MAX_HEADER_BYTES}))


# -- payloads --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"1", b'"x"', b"null", b"{", b'{"a":NaN}', b"\xff"]
)
def test_a_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    jws = read(forged(HEADER, payload))
    with pytest.raises(TokenError):
        jws.unverified_claims()


@given(st.text(max_size=200) | st.text(alphabet="abAB01.-_=", max_size=200))
def test_any_text_is_a_token_error(text: str) -> None:
    refused(text)


@given(st.binary(max_size=80), st.binary(max_size=40), st.binary(max_size=80))
def test_any_bytes_in_the_three_parts_are_a_token_error(
    head: bytes, payload: bytes, signature: bytes
) -> None:
    refused(f"{b64(head)}.{b64(payload)}.{b64(signature)}")
