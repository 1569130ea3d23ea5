"""Keys: signers that give nothing away, secrets at rest, certificates, chains, and the trust file."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey

from ecert.errors import EcertError, InputError, KeyUnavailable, SignatureError
from ecert.keys import (
    EDDSA,
    ES256,
    Compromise,
    FileSigner,
    Role,
    Trust,
    TrustedAgency,
    TrustedLog,
    TrustedRegistry,
    certificate_window,
    derive,
    destroy_file,
    make_file,
    make_leaf,
    make_request,
    make_root,
    make_secret,
    make_signer,
    open_secret,
    open_signer,
    parse_jwk,
    parse_trust,
    passphrase_from,
    public_jwk,
    suite_of,
    thumbprint,
    verify,
    verify_chain,
)
from tests.conftest import need, vector

NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
CODE, NAME = "11440114MA00000928", "花都区规划和自然资源局（演示）"
OTHER_CODE = "11440114MA0000093B"
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
SECRET = bytes(range(32))
PASSPHRASE = "correct horse 电池 staple"
suites = pytest.mark.parametrize("suite", [ES256, EDDSA])


# -- signers ---------------------------------------------------------------------------------------


@suites
@pytest.mark.parametrize("export", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_signer_is_not_copied_and_not_pickled(
    suite: str, export: Callable[[object], object]
) -> None:
    with pytest.raises(KeyUnavailable):
        export(make_signer(suite))


@suites
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickle_protocol_exports_a_signer(suite: str, protocol: int) -> None:
    with pytest.raises(KeyUnavailable):
        pickle.dumps({"key": [make_signer(suite)]}, protocol)


def private_number(path: Path) -> bytes:
    """Read the private number with the plain library, to search for it."""
    key = serialization.load_pem_private_key(path.read_bytes(), SECRET.hex().encode())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.private_numbers().private_value.to_bytes(32, "big")
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    return key.private_bytes_raw()


@suites
def test_what_a_signer_shows_holds_no_secret(suite: str, tmp_path: Path) -> None:
    _, signer = make_file(tmp_path, suite, SECRET)
    secret = private_number(next(tmp_path.iterdir()))
    assert not hasattr(signer, "__dict__")
    attributes = [repr(getattr(signer, name)) for name in dir(signer)]
    shown = " ".join([repr(signer), str(signer), f"{signer}", *attributes])
    assert secret.hex() not in shown.lower()
    assert str(int.from_bytes(secret, "big")) not in shown
    assert not any(
        isinstance(getattr(signer, name), ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey)
        for name in dir(signer)
    )
    assert signer.kid in repr(signer)


@suites
def test_a_signature_holds_by_the_plain_library(suite: str) -> None:
    signer = make_signer(suite)
    signature = signer.sign(b"data")
    assert len(signature) == 64
    key = signer.public_key
    if isinstance(key, ec.EllipticCurvePublicKey):
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        key.verify(encode_dss_signature(r, s), b"data", ec.ECDSA(hashes.SHA256()))
    else:
        key.verify(signature, b"data")


@suites
def test_only_the_very_signature_over_the_very_data_holds(suite: str) -> None:
    signer, other = make_signer(suite), make_signer(suite)
    signature = signer.sign(b"data")
    verify(suite, signer.public_key, signature, b"data")
    for key, wrong, data in (
        (signer.public_key, signature, b"Data"),
        (other.public_key, signature, b"data"),
        (signer.public_key, bytes(64), b"data"),
        (signer.public_key, b"\xff" * 64, b"data"),
        (signer.public_key, signature[:63], b"data"),
        (signer.public_key, signature + b"\0", b"data"),
        (signer.public_key, b"", b"data"),
        (signer.public_key, signature[:-1] + bytes([signature[-1] ^ 1]), b"data"),
    ):
        with pytest.raises(SignatureError):
            verify(suite, key, wrong, data)


def test_a_suite_never_accepts_the_key_of_another() -> None:
    es256, eddsa = make_signer(ES256), make_signer(EDDSA)
    for suite, signer in ((EDDSA, es256), (ES256, eddsa), ("none", es256), ("HS256", eddsa)):
        with pytest.raises(SignatureError):
            verify(suite, signer.public_key, signer.sign(b"x"), b"x")


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()).public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        rsa.generate_private_key(65537, 2048).public_key(),
        b"secret",
        None,
    ],
)
def test_other_kinds_of_key_have_no_suite(key: object) -> None:
    with pytest.raises(InputError):
        suite_of(key)


# -- key files -------------------------------------------------------------------------------------


@suites
def test_a_key_file_is_private_and_opens_to_the_same_key(suite: str, tmp_path: Path) -> None:
    uri, made = make_file(tmp_path / "keys", suite, SECRET)
    path = tmp_path / "keys" / f"{made.kid}.pk8"
    assert uri == f"file:keys/{made.kid}.pk8"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes()
    opened = open_signer(uri, unlock=lambda: SECRET, root=tmp_path)
    assert opened.kid == made.kid
    verify(suite, made.public_key, opened.sign(b"x"), b"x")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o700 | 0o010])
def test_a_key_file_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    uri, made = make_file(tmp_path, ES256, SECRET)
    (tmp_path / f"{made.kid}.pk8").chmod(mode)
    with pytest.raises(KeyUnavailable, match="600"):
        open_signer(uri, unlock=lambda: SECRET, root=tmp_path.parent)


def test_a_wrong_passphrase_is_refused_without_a_secret_in_the_words(tmp_path: Path) -> None:
    uri, made = make_file(tmp_path, ES256, SECRET)
    wrong = b"\x11" * 32
    with pytest.raises(KeyUnavailable) as refused:
        open_signer(uri, unlock=lambda: wrong, root=tmp_path.parent)
    words = f"{refused.value} {refused.value.__cause__}"
    assert SECRET.hex() not in words
    assert wrong.hex() not in words
    assert made.kid in words


def test_a_damaged_or_unencrypted_or_foreign_key_file_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    locked = serialization.BestAvailableEncryption(SECRET.hex().encode())
    big = rsa.generate_private_key(65537, 2048)
    for content in (
        b"",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        key.private_bytes(*form, serialization.NoEncryption()),
        big.private_bytes(*form, locked),
        ec.generate_private_key(ec.SECP384R1()).private_bytes(*form, locked),
    ):
        path = tmp_path / "key.pk8"
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(EcertError):
            open_signer("file:key.pk8", unlock=lambda: SECRET, root=tmp_path)


@pytest.mark.parametrize("uri", ["file:missing.pk8", "pkcs11:token=x", "missing.pk8", "", "FILE:x"])
def test_a_key_that_is_not_there_is_unavailable(uri: str, tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable):
        open_signer(uri, unlock=lambda: SECRET, root=tmp_path)


def test_a_destroyed_key_is_gone(tmp_path: Path) -> None:
    uri, _ = make_file(tmp_path, ES256, SECRET)
    destroy_file(uri, tmp_path.parent)
    destroy_file(uri, tmp_path.parent)  # once more does no harm
    assert not list(tmp_path.iterdir())
    with pytest.raises(KeyUnavailable):
        open_signer(uri, unlock=lambda: SECRET, root=tmp_path.parent)


# -- the home's secret -----------------------------------------------------------------------------


def test_without_a_passphrase_the_secret_lies_private_in_the_home(tmp_path: Path) -> None:
    secret = make_secret(tmp_path, None)
    assert len(secret) == 32
    assert (tmp_path / "passphrase").stat().st_mode & 0o777 == 0o600
    assert open_secret(tmp_path, None) == secret
    (tmp_path / "passphrase").chmod(0o640)
    with pytest.raises(KeyUnavailable):
        open_secret(tmp_path, None)


def from_variable(folder: Path) -> dict[str, str]:
    del folder
    return {"ECERT_PASSPHRASE": PASSPHRASE}


def from_file(folder: Path) -> dict[str, str]:
    path = folder / "words"
    path.write_text(PASSPHRASE + "\n", "utf-8")
    path.chmod(0o600)
    return {"ECERT_PASSPHRASE_FILE": str(path)}


@pytest.mark.parametrize("environment", [from_variable, from_file])
def test_a_human_passphrase_wraps_the_secret(
    environment: Callable[[Path], dict[str, str]], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    ask = passphrase_from(environment(tmp_path))
    secret = make_secret(home, ask)
    stored = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert secret not in stored
    assert secret.hex().encode() not in stored
    assert PASSPHRASE.encode() not in stored
    assert not (home / "passphrase").exists()
    assert (home / "keys" / "secret.json").stat().st_mode & 0o777 == 0o600
    assert open_secret(home, ask) == secret
    assert open_secret(home, lambda: PASSPHRASE) == secret


def test_the_variable_wins_and_nothing_is_nothing() -> None:
    both = passphrase_from({"ECERT_PASSPHRASE": "a", "ECERT_PASSPHRASE_FILE": "/nowhere"})
    assert both is not None
    assert both() == "a"
    assert passphrase_from({}) is None


def test_a_passphrase_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    environment = from_file(tmp_path)
    (tmp_path / "words").chmod(0o644)
    ask = passphrase_from(environment)
    assert ask is not None
    with pytest.raises(KeyUnavailable):
        ask()


# Mended: ecert/keys/passphrase.py _read_passphrase lets UnicodeDecodeError out, and with it
# the passphrase's bytes (the exception quotes them).
def test_a_passphrase_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    environment = from_file(tmp_path)
    (tmp_path / "words").write_bytes(b"geheim\xff")
    ask = passphrase_from(environment)
    assert ask is not None
    with pytest.raises(KeyUnavailable):
        ask()


@pytest.mark.parametrize("wrong", ["", "correct horse", PASSPHRASE + " ", PASSPHRASE.upper()])
def test_a_wrong_human_passphrase_is_refused_without_a_secret(wrong: str, tmp_path: Path) -> None:
    secret = make_secret(tmp_path, lambda: PASSPHRASE)
    with pytest.raises(KeyUnavailable) as refused:
        open_secret(tmp_path, lambda: wrong)
    words = f"{refused.value} {refused.value.__cause__!r}"
    assert secret.hex() not in words
    assert not wrong.strip() or wrong.strip() not in words


def test_a_home_without_its_secret_or_passphrase_says_so(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable):
        open_secret(tmp_path, None)
    make_secret(tmp_path, lambda: PASSPHRASE)
    with pytest.raises(KeyUnavailable, match="ECERT_PASSPHRASE"):
        open_secret(tmp_path, None)


def test_a_secret_is_never_overwritten(tmp_path: Path) -> None:
    first = make_secret(tmp_path, None)
    with pytest.raises(KeyUnavailable):
        make_secret(tmp_path, None)
    assert open_secret(tmp_path, None) == first


@pytest.mark.parametrize("content", [b"", b"zz", b"00" * 31, b"00" * 33, b"\xff", "é".encode()])
def test_a_damaged_secret_is_refused(content: bytes, tmp_path: Path) -> None:
    make_secret(tmp_path, None)
    (tmp_path / "passphrase").write_bytes(content)
    with pytest.raises(KeyUnavailable):
        open_secret(tmp_path, None)


# Mended: ecert/keys/passphrase.py _unwrap does not expect the AttributeError of a member that
# is no text.
@pytest.mark.parametrize("member", ["salt", "nonce", "box", "n"])
@pytest.mark.parametrize("value", [None, "", "AAAA", "!", 3, [1]])
def test_a_damaged_wrapped_secret_is_refused(member: str, value: object, tmp_path: Path) -> None:
    make_secret(tmp_path, lambda: PASSPHRASE)
    path = tmp_path / "keys" / "secret.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), member: value}))
    with pytest.raises(KeyUnavailable):
        open_secret(tmp_path, lambda: PASSPHRASE)


def test_derived_keys_differ_by_purpose_and_by_secret() -> None:
    keys = {derive(secret, purpose) for secret in (SECRET, bytes(32)) for purpose in ("a", "b")}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)
    assert derive(SECRET, "a") == derive(SECRET, "a")


# -- JWK and thumbprints ---------------------------------------------------------------------------


@pytest.mark.parametrize("case", vector("jwk_thumbprint/rfc7638.json")["vectors"], ids=str)
def test_the_thumbprint_is_that_of_rfc_7638(case: dict[str, Any]) -> None:
    if case["jwk"]["kty"] == "RSA":
        with pytest.raises(InputError):
            parse_jwk(case["jwk"])
    else:
        assert thumbprint(parse_jwk(case["jwk"])) == case["thumbprint"]


@suites
def test_the_thumbprint_is_that_of_joserfc(suite: str) -> None:
    for _ in range(20):
        signer = make_signer(suite)
        jwk = public_jwk(signer.public_key)
        wide: dict[str, str | list[str]] = {**jwk}
        other = ECKey.import_key(wide) if suite == ES256 else OKPKey.import_key(wide)
        assert signer.kid == thumbprint(signer.public_key) == other.thumbprint()
        assert thumbprint(parse_jwk(jwk)) == signer.kid
        assert parse_jwk({**jwk, "kid": "x", "use": "sig", "alg": suite}) == signer.public_key


EC_JWK = public_jwk(make_signer(ES256).public_key)
OKP_JWK = public_jwk(make_signer(EDDSA).public_key)


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        [],
        "x",
        {},
        {"kty": "oct", "k": "AAAA"},
        {**EC_JWK, "d": "AAAA"},
        {**EC_JWK, "crv": "P-384"},
        {**EC_JWK, "kty": "OKP"},
        {**EC_JWK, "x": EC_JWK["y"]},
        {**EC_JWK, "x": None},
        {**EC_JWK, "x": 5},
        {**EC_JWK, "x": []},
        {**EC_JWK, "x": ""},
        {**EC_JWK, "x": "!"},
        {**EC_JWK, "x": EC_JWK["x"] + "="},
        {"kty": "EC", "crv": "P-256", "x": EC_JWK["x"]},
        {**EC_JWK, "x": "_" * 400},
        {**OKP_JWK, "crv": "X25519"},
        {**OKP_JWK, "x": "AAAA"},
        {"kty": "OKP", "crv": "Ed25519"},
        {"kty": [], "crv": {}},
    ],
    ids=lambda _: "jwk",
)
def test_what_is_no_public_key_is_refused(jwk: object) -> None:
    with pytest.raises(InputError):
        parse_jwk(jwk)


# Mended: ecert/keys/suite.py parse_jwk takes coordinates of any length; RFC 7518 §6.2.1.2 wants
# the full 32 octets, so a key has more than one spelling.
def test_a_coordinate_has_exactly_32_bytes() -> None:
    with pytest.raises(InputError):
        parse_jwk({**EC_JWK, "x": "AAAA" + EC_JWK["x"]})


# -- certificates ----------------------------------------------------------------------------------


class Authority:
    """A root with its key, from which leaves are made."""

    def __init__(self, suite: str = ES256, now: datetime = NOW) -> None:
        self.signer = make_signer(suite)
        self.root = make_root(self.signer, "zz.example.cn", now)

    def leaf(
        self,
        signer: FileSigner,
        *,
        role: Role = Role.AGENCY,
        code: str = CODE,
        name: str = NAME,
        now: datetime = NOW,
    ) -> bytes:
        return make_leaf(
            self.root, self.signer, signer.public_key, role=role, name=name, code=code, now=now
        )


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> tuple[Any, bool]:
    found = certificate.extensions.get_extension_for_class(kind)
    return found.value, found.critical


USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
    *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def usages(certificate: x509.Certificate) -> set[str]:
    usage, is_critical = extension(certificate, x509.KeyUsage)
    assert is_critical
    return {name for name in USAGES[:7] if getattr(usage, name)}


@suites
def test_the_root_may_certify_and_nothing_else(suite: str) -> None:
    authority = Authority(suite)
    root = x509.load_der_x509_certificate(authority.root)
    root.verify_directly_issued_by(root)
    assert root.version is x509.Version.v3
    constraints, is_critical = extension(root, x509.BasicConstraints)
    assert (constraints.ca, constraints.path_length, is_critical) == (True, 0, True)
    assert usages(root) == {"key_cert_sign", "crl_sign"}
    assert root.subject.rfc4514_string() == "CN=zz.example.cn"
    assert root.public_key() == authority.signer.public_key
    assert certificate_window(authority.root) == (NOW, NOW + timedelta(days=365 * 20))


@suites
@pytest.mark.parametrize("leaf_suite", [ES256, EDDSA])
def test_an_agencys_leaf_names_it_and_may_sign_documents(suite: str, leaf_suite: str) -> None:
    authority, signer = Authority(suite), make_signer(leaf_suite)
    der = authority.leaf(signer)
    leaf = x509.load_der_x509_certificate(der)
    leaf.verify_directly_issued_by(x509.load_der_x509_certificate(authority.root))

    def named(oid: x509.ObjectIdentifier) -> list[str | bytes]:
        return [attribute.value for attribute in leaf.subject.get_attributes_for_oid(oid)]

    assert named(NameOID.ORGANIZATION_NAME) == [NAME]
    assert named(x509.ObjectIdentifier("2.5.4.97")) == [CODE]
    assert named(NameOID.COUNTRY_NAME) == ["CN"]
    assert usages(leaf) == {"digital_signature", "content_commitment"}
    extended, _ = extension(leaf, x509.ExtendedKeyUsage)
    assert list(extended) == [DOCUMENT_SIGNING]
    constraints, is_critical = extension(leaf, x509.BasicConstraints)
    assert (constraints.ca, is_critical) == (False, True)
    assert leaf.public_key() == signer.public_key
    assert certificate_window(der) == (NOW, NOW + timedelta(days=365 * 3))
    assert leaf.serial_number.bit_length() > 64


def test_the_status_leaf_serves_status_alone(authority: Authority) -> None:
    leaf = x509.load_der_x509_certificate(authority.leaf(make_signer(), role=Role.STATUS))
    extended, _ = extension(leaf, x509.ExtendedKeyUsage)
    assert len(list(extended)) == 1
    assert DOCUMENT_SIGNING not in list(extended)
    assert usages(leaf) == {"digital_signature"}


def test_the_key_identifiers_link_leaf_and_root(authority: Authority) -> None:
    root = x509.load_der_x509_certificate(authority.root)
    leaf = x509.load_der_x509_certificate(authority.leaf(make_signer()))
    of_root, _ = extension(root, x509.SubjectKeyIdentifier)
    of_leaf, _ = extension(leaf, x509.AuthorityKeyIdentifier)
    assert of_leaf.key_identifier == of_root.digest


@suites
def test_openssl_accepts_the_chain_and_the_request(suite: str, tmp_path: Path) -> None:
    openssl = need("openssl")
    authority, signer = Authority(suite), make_signer()

    def pem(name: str, der: bytes) -> str:
        certificate = x509.load_der_x509_certificate(der)
        (tmp_path / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return str(tmp_path / name)

    root, leaf = pem("root.pem", authority.root), pem("leaf.pem", authority.leaf(signer))
    at = str(int(NOW.timestamp()) + 60)

    def run(*arguments: str) -> str:
        done = subprocess.run([openssl, *arguments], capture_output=True, check=False, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    strict = ("verify", "-x509_strict", "-check_ss_sig", "-attime", at, "-CAfile", root)
    assert "OK" in run(*strict, leaf)
    shown = run("x509", "-in", leaf, "-noout", "-text", "-nameopt", "utf8")
    assert "Digital Signature, Non Repudiation" in shown
    assert "1.3.6.1.5.5.7.3.36" in shown or "Document Signing" in shown
    request = tmp_path / "request.pem"
    request.write_bytes(make_request(signer, NAME, CODE))
    assert "verify OK" in run("req", "-in", str(request), "-noout", "-verify")


@suites
def test_a_request_carries_the_signers_key_and_the_agencys_name(suite: str) -> None:
    signer = make_signer(suite)
    request = x509.load_pem_x509_csr(make_request(signer, NAME, CODE))
    assert request.is_signature_valid
    assert request.public_key() == signer.public_key
    codes = request.subject.get_attributes_for_oid(x509.ObjectIdentifier("2.5.4.97"))
    assert [code.value for code in codes] == [CODE]


# Mended: ecert/keys/chain.py _organisation cuts the common name to 64 characters where the
# library counts bytes of UTF-8: ValueError for an agency with more than 21 Chinese characters.
@pytest.mark.parametrize(
    ("letter", "length"), [("A", 64), ("A", 65), ("名", 21), ("名", 22), ("名", 64), ("名", 200)]
)
def test_a_long_name_still_makes_a_certificate_that_verifies(
    letter: str, length: int, authority: Authority
) -> None:
    leaf = authority.leaf(make_signer(), name=letter * length)
    verify_chain([leaf], [authority.root], role=Role.AGENCY, code=CODE, at=NOW)


# -- chains ----------------------------------------------------------------------------------------


@suites
def test_a_good_chain_gives_the_key_and_its_window(suite: str, authority: Authority) -> None:
    signer = make_signer(suite)
    leaf = authority.leaf(signer)
    found = verify_chain([leaf], [authority.root], role=Role.AGENCY, code=CODE, at=NOW)
    assert (found.key, found.suite, found.kid) == (signer.public_key, suite, signer.kid)
    assert found.not_before == int(NOW.timestamp())
    assert found.not_after == int((NOW + timedelta(days=365 * 3)).timestamp())
    assert verify_chain([leaf], [authority.root], role=Role.AGENCY, code=None, at=NOW) == found


def test_the_anchor_may_be_one_of_several(authority: Authority) -> None:
    leaf = authority.leaf(make_signer())
    anchors = [Authority().root, authority.root]
    verify_chain([leaf], anchors, role=Role.AGENCY, code=CODE, at=NOW)


def refused_chain(
    chain: Sequence[bytes],
    anchors: Sequence[bytes],
    *,
    role: Role = Role.AGENCY,
    code: str | None = CODE,
    at: datetime = NOW,
) -> None:
    with pytest.raises((SignatureError, InputError)):
        verify_chain(chain, anchors, role=role, code=code, at=at)


def test_a_leaf_speaks_in_its_own_role_only(authority: Authority) -> None:
    agency = authority.leaf(make_signer())
    status = authority.leaf(make_signer(), role=Role.STATUS)
    refused_chain([agency], [authority.root], role=Role.STATUS)
    refused_chain([status], [authority.root], role=Role.AGENCY)
    verify_chain([status], [authority.root], role=Role.STATUS, code=None, at=NOW)


def test_a_leaf_speaks_for_its_own_agency_only(authority: Authority) -> None:
    refused_chain([authority.leaf(make_signer())], [authority.root], code=OTHER_CODE)


@pytest.mark.parametrize(
    "moment",
    [
        NOW - timedelta(seconds=1),
        NOW + timedelta(days=365 * 3, seconds=1),
        NOW + timedelta(days=365 * 30),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ],
)
def test_a_chain_is_judged_at_the_signing_time(moment: datetime, authority: Authority) -> None:
    refused_chain([authority.leaf(make_signer())], [authority.root], at=moment)


def test_the_last_second_still_counts(authority: Authority) -> None:
    last = NOW + timedelta(days=365 * 3)
    leaf = authority.leaf(make_signer())
    verify_chain([leaf], [authority.root], role=Role.AGENCY, code=CODE, at=last)


def test_an_expired_root_holds_no_leaf() -> None:
    old = Authority(now=NOW - timedelta(days=365 * 20 + 10))
    refused_chain([old.leaf(make_signer(), now=NOW - timedelta(days=1))], [old.root])


def test_a_leaf_is_no_authority(authority: Authority) -> None:
    middle = make_signer()
    between = authority.leaf(middle)
    below = make_leaf(
        between, middle, make_signer().public_key, role=Role.AGENCY, name=NAME, code=CODE, now=NOW
    )
    refused_chain([below, between], [authority.root])
    refused_chain([below], [between])


def handmade(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    signing: ec.EllipticCurvePrivateKey,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
    *,
    codes: Sequence[str] = (CODE,),
) -> bytes:
    """Make a certificate with the plain library, the way a stranger would."""
    name = [x509.NameAttribute(NameOID.COMMON_NAME, subject)]
    name += [x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, code) for code in codes]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(name))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=365))
    )
    for value, is_critical in extensions:
        builder = builder.add_extension(value, critical=is_critical)
    return builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in names for name in USAGES})


CA = [(x509.BasicConstraints(ca=True, path_length=None), True), (usage("key_cert_sign"), True)]
END = [(x509.BasicConstraints(ca=False, path_length=None), True)]
SIGNING = [
    (usage("digital_signature", "content_commitment"), True),
    (x509.ExtendedKeyUsage([DOCUMENT_SIGNING]), False),
]


class Stranger:
    """A certificate authority that is not ours, made with the plain library."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.root = handmade("R", "R", self.key, self.key, CA, codes=())

    def leaf(
        self, extensions: Sequence[tuple[x509.ExtensionType, bool]], codes: Sequence[str] = (CODE,)
    ) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        return handmade("L", "R", key, self.key, [*extensions], codes=codes)


def test_an_agency_may_bring_its_own_authority() -> None:
    stranger = Stranger()
    leaf = stranger.leaf([*END, *SIGNING])
    verify_chain([leaf], [stranger.root], role=Role.AGENCY, code=CODE, at=NOW)


def test_an_intermediate_authority_may_stand_between() -> None:
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    root = handmade("R", "R", keys[0], keys[0], CA, codes=())
    between = handmade("M", "R", keys[1], keys[0], CA, codes=())
    leaf = handmade("L", "M", keys[2], keys[1], [*END, *SIGNING])
    verify_chain([leaf, between], [root], role=Role.AGENCY, code=CODE, at=NOW)
    refused_chain([leaf], [root])
    refused_chain([between, leaf], [root])


@pytest.mark.parametrize(
    "extensions",
    [
        END,
        [*END, SIGNING[0]],
        [*END, SIGNING[1]],
        [*END, (usage("content_commitment"), True), SIGNING[1]],
        [*END, (usage("digital_signature"), True), SIGNING[1]],
        [
            *END,
            (usage("digital_signature", "content_commitment", "key_cert_sign"), True),
            SIGNING[1],
        ],
        [
            *END,
            SIGNING[0],
            (
                x509.ExtendedKeyUsage([DOCUMENT_SIGNING, x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]),
                False,
            ),
        ],
        [
            *END,
            SIGNING[0],
            (x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False),
        ],
        [
            *END,
            *SIGNING,
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
        ],
    ],
)
def test_a_leaf_without_the_right_profile_is_refused(
    extensions: list[tuple[x509.ExtensionType, bool]],
) -> None:
    stranger = Stranger()
    refused_chain([stranger.leaf(extensions)], [stranger.root])


@pytest.mark.parametrize("codes", [(), (CODE, CODE), (CODE, OTHER_CODE), (OTHER_CODE,)])
def test_a_leaf_names_exactly_one_organisation(codes: tuple[str, ...]) -> None:
    stranger = Stranger()
    refused_chain([stranger.leaf([*END, *SIGNING], codes)], [stranger.root])


def test_a_self_signed_leaf_is_refused(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    alone = handmade("L", "L", key, key, [*END, *SIGNING])
    refused_chain([alone], [authority.root])
    refused_chain([alone, authority.root], [authority.root])
    refused_chain([alone], [alone])


def test_an_anchor_signs_no_documents_itself(authority: Authority) -> None:
    refused_chain([authority.root], [authority.root], code=None)


def test_an_unrelated_or_missing_root_is_refused(authority: Authority) -> None:
    leaf = authority.leaf(make_signer())
    refused_chain([leaf], [Authority().root])
    refused_chain([leaf, authority.root], [Authority().root])
    refused_chain([leaf], [])


def test_a_root_that_looks_the_same_is_refused(authority: Authority) -> None:
    twin = Authority()  # the same name, another key
    assert (
        x509.load_der_x509_certificate(twin.root).subject
        == x509.load_der_x509_certificate(authority.root).subject
    )
    refused_chain([twin.leaf(make_signer())], [authority.root])


def test_a_chain_has_one_to_four_certificates(authority: Authority) -> None:
    leaf = authority.leaf(make_signer())
    refused_chain([], [authority.root])
    refused_chain([leaf, *[authority.root] * 4], [authority.root])


def test_an_agencys_key_of_another_kind_is_refused() -> None:
    stranger = Stranger()
    key = ec.generate_private_key(ec.SECP384R1())
    leaf = handmade("L", "R", key, stranger.key, [*END, *SIGNING])
    refused_chain([leaf], [stranger.root])


@pytest.mark.parametrize("der", [b"", b"x", b"\x30\x80", b"\x30" * 9000, b"\x00" * 100])
def test_what_is_no_certificate_is_refused(der: bytes, authority: Authority) -> None:
    refused_chain([der], [authority.root])
    refused_chain([authority.leaf(make_signer()), der], [authority.root])


def test_a_certificate_of_an_unknown_version_is_refused(authority: Authority) -> None:
    leaf = authority.leaf(make_signer())
    version = bytes.fromhex("a003020102")
    assert leaf.count(version) == 1
    refused_chain([leaf.replace(version, bytes.fromhex("a003020105"))], [authority.root])


FUZZED = Authority()
FUZZED_LEAF = FUZZED.leaf(make_signer())
SIGNED_PART = x509.load_der_x509_certificate(FUZZED_LEAF).tbs_certificate_bytes
VERSION = SIGNED_PART.index(bytes.fromhex("a003020102")) + 4


@pytest.mark.filterwarnings("ignore:Parsed a:UserWarning")  # odd serial numbers
@given(st.integers(0, len(SIGNED_PART) - 1), st.integers(1, 255))
@settings(max_examples=1000)
def test_a_leaf_with_any_signed_byte_changed_is_refused_in_good_order(
    place: int, change: int
) -> None:
    assume(place != VERSION)  # it has its own test above
    changed = bytearray(FUZZED_LEAF)
    changed[FUZZED_LEAF.index(SIGNED_PART) + place] ^= change
    refused_chain([bytes(changed)], [FUZZED.root])


# -- the trust file --------------------------------------------------------------------------------


def make_trust(authority: Authority) -> Trust:
    leaf = authority.leaf(make_signer())
    agency = TrustedAgency(CODE, NAME, (authority.root,), (leaf,), "Asia/Urumqi")
    registry = TrustedRegistry(
        base_url="https://zz.example.cn",
        agencies={CODE: agency, OTHER_CODE: TrustedAgency(OTHER_CODE, "住建局", (), ())},
        status_anchors=(authority.root,),
        logs=(TrustedLog("zz.example.cn/log+00000000+AQ==", ("w+00000000+BA==",), 1),),
        retired={"kid-1": NOW},
        compromised={"kid-2": Compromise(NOW, 7)},
        require_log=True,
    )
    return Trust((registry,))


def test_a_trust_file_round_trips(authority: Authority) -> None:
    trust = make_trust(authority)
    text = json.dumps(trust.to_json())
    assert parse_trust(text) == parse_trust(text.encode()) == trust
    assert parse_trust(text).to_json() == trust.to_json()


def test_a_registry_is_found_by_its_exact_address(authority: Authority) -> None:
    trust = make_trust(authority)
    assert trust.find("https://zz.example.cn") is trust.registries[0]
    assert trust.of_address("https://zz.example.cn/status/1") is trust.registries[0]
    for address in (
        "https://zz.example.cn.evil.org/x",
        "https://zz.example.cn",
        "http://zz.example.cn/x",
        "https://zz.example.cn:444/x",
        "https://zz.example.cn@evil.org/x",
        "https://ZZ.example.cn/x",
    ):
        assert trust.of_address(address) is None
    assert trust.find("https://zz.example.cn/") is None


def changed(authority: Authority, change: Callable[[dict[str, Any]], object]) -> str:
    value = make_trust(authority).to_json()
    change(value)
    return json.dumps(value)


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(v=2),
        lambda value: value.pop("registries"),
        lambda value: value.update(extra=1),
        lambda value: value["registries"][0].update(base_url="https://ZZ.example.cn"),
        lambda value: value["registries"][0].update(base_url="https://zz.example.cn/path"),
        lambda value: value["registries"][0].update(base_url="ftp://zz.example.cn"),
        lambda value: value["registries"][0].update(base_url="https://a@b"),
        lambda value: value["registries"][0].update(extra=1),
        lambda value: value["registries"][0].pop("agencies"),
        lambda value: value["registries"][0].pop("status_anchors"),
        lambda value: value["registries"][0]["agencies"][CODE].update(anchors=["!"]),
        lambda value: value["registries"][0]["agencies"][CODE].update(anchors=[1]),
        lambda value: value["registries"][0]["logs"][0].update(quorum=-1),
        lambda value: value["registries"][0]["logs"][0].pop("quorum"),
        lambda value: value["registries"][0]["retired"][0].update(at="yesterday"),
        lambda value: value["registries"][0]["retired"][0].update(at="2026-03-02"),
        lambda value: value["registries"][0]["compromised"][0].pop("log_size"),
        lambda value: value["registries"][0].update(require_log="no"),
    ],
)
def test_a_trust_file_with_a_fault_is_refused(
    change: Callable[[dict[str, Any]], object], authority: Authority
) -> None:
    with pytest.raises(InputError):
        parse_trust(changed(authority, change))


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "1", "{}", '{"v":1,"v":1,"registries":[]}', "{"]
)
def test_what_is_no_trust_file_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_trust(text)


def test_an_agency_counts_only_under_its_own_anchors(authority: Authority) -> None:
    other = Authority()
    at = int(NOW.timestamp())
    registry = TrustedRegistry(
        base_url="https://zz.example.cn",
        agencies={
            CODE: TrustedAgency(CODE, NAME, (authority.root,), ()),
            OTHER_CODE: TrustedAgency(OTHER_CODE, NAME, (other.root,), ()),
        },
        status_anchors=(authority.root,),
    )
    signer = make_signer()
    good = authority.leaf(signer)
    for _ in range(2):  # the second time from memory
        assert registry.agency_key(CODE, [good], at).kid == signer.kid
        with pytest.raises(SignatureError):
            registry.agency_key(OTHER_CODE, [other.leaf(signer, code=CODE)], at)
        with pytest.raises(SignatureError):
            registry.agency_key(CODE, [other.leaf(signer)], at)
        with pytest.raises(SignatureError):
            registry.agency_key("91440114MA00000151", [good], at)
        with pytest.raises(SignatureError):
            registry.status_key([good], at)
        with pytest.raises(SignatureError):
            registry.agency_key(CODE, [good], at - 1)
        with pytest.raises(SignatureError):
            registry.agency_key(CODE, [good], at + 4 * 365 * 86400)


@pytest.mark.parametrize("at", [-(2**63), 2**63, 10**20])
def test_a_signing_time_that_does_not_exist_is_refused(at: int, authority: Authority) -> None:
    registry = make_trust(authority).registries[0]
    with pytest.raises(EcertError):
        registry.agency_key(CODE, [authority.leaf(make_signer())], at)


def test_two_registries_are_equal_by_content(authority: Authority) -> None:
    registry = make_trust(authority).registries[0]
    assert replace(registry) == registry


def test_the_umask_does_not_open_a_key_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        _, made = make_file(tmp_path / "k", ES256, SECRET)
    finally:
        os.umask(before)
    assert (tmp_path / "k" / f"{made.kid}.pk8").stat().st_mode & 0o777 == 0o600
