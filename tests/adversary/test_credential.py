"""A credential that was tampered with, one way a test."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID

from ecert.errors import Forbidden, InputError
from ecert.keys import Role
from ecert.model import Actor, Basis, Operation, Record
from ecert.registry import Registry
from ecert.testing import SettableClock
from tests.adversary.forge import (
    DOCUMENT_SIGNING,
    P256_ORDER,
    Sd,
    Stolen,
    Wish,
    b64,
    b64url,
    days,
    disclosure,
    disclosure_digest,
    elsewhere,
    expect,
    flip_text,
    join_jwt,
    malleate,
    malleate_jwt,
    new_key,
    raw_signature,
    sign_jwt,
    subject,
    trust_with,
    usage,
    verifier_of,
)
from tests.conftest import CLERK, PLANNING, WORKS

UNREADABLE = {"read": "unreadable", "signature": "not_reached", "status": "not_reached"}
FORGED = {"read": "read_credential", "signature": "signature_bad", "status": "not_reached"}


@pytest.fixture
def agency_key(stolen: Stolen) -> ec.EllipticCurvePrivateKey:
    return stolen.key(Role.AGENCY, PLANNING.code)


def test_the_genuine_credential_is_valid(registry: Registry, record: Record) -> None:
    report = registry.verify(record.credential)
    expect(
        report,
        "valid",
        read="read_credential",
        signature="signature_good",
        type="type_good",
        time="time_good",
        log="no_receipt",
        status="status_good",
        agreement="agreement_none",
    )
    assert report.certificate is not None
    assert report.certificate["id"] == record.id


def test_the_forger_can_make_a_valid_one_with_the_agencys_own_key(
    registry: Registry, sd: Sd, agency_key: Any
) -> None:
    """The control of all that follow: what fails below fails for its own reason only."""
    expect(elsewhere(registry).verify(sd.signed(agency_key)), "valid", signature="signature_good")


# -- algorithm and header ----------------------------------------------------------------------------


def test_algorithm_none(registry: Registry, sd: Sd) -> None:
    expect(registry.verify(sd.signed(None, "none")), "invalid", **UNREADABLE)


@pytest.mark.parametrize("spelling", ["none", "None", "NONE", "nOnE", ""])
def test_algorithm_none_in_every_spelling_with_an_empty_signature(
    registry: Registry, sd: Sd, spelling: str
) -> None:
    token = join_jwt({**sd.header, "alg": spelling}, sd.payload, b"")
    expect(registry.verify(sd.with_token(token)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("form", ["pem", "der", "point", "certificate"])
def test_hs256_with_the_public_key_as_its_secret(
    registry: Registry, sd: Sd, stolen: Stolen, agency_key: Any, form: str
) -> None:
    public = agency_key.public_key()
    secret = {
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "point": public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        "certificate": stolen.leaf(Role.AGENCY, PLANNING.code),
    }[form]
    signing_input = join_jwt({**sd.header, "alg": "HS256"}, sd.payload, b"").rstrip(".")
    signature = hmac.digest(secret, signing_input.encode(), hashlib.sha256)
    token = f"{signing_input}.{b64url(signature)}"
    expect(registry.verify(sd.with_token(token)), "invalid", **UNREADABLE)


@pytest.mark.parametrize(
    "algorithm", ["HS256", "RS256", "PS256", "ES384", "ES256K", "es256", "SM2"]
)
def test_another_algorithms_name(registry: Registry, sd: Sd, algorithm: str) -> None:
    expect(registry.verify(sd.with_header(alg=algorithm).unsigned()), "invalid", **UNREADABLE)


def test_eddsa_named_for_an_es256_signature(registry: Registry, sd: Sd) -> None:
    expect(registry.verify(sd.with_header(alg="EdDSA").unsigned()), "invalid", **FORGED)


def test_eddsa_by_a_foreign_key_under_the_agencys_chain(registry: Registry, sd: Sd) -> None:
    forged = sd.signed(ed25519.Ed25519PrivateKey.generate(), "EdDSA")
    expect(registry.verify(forged), "invalid", **FORGED)


def test_es256_by_a_foreign_key_under_the_agencys_chain(registry: Registry, sd: Sd) -> None:
    expect(registry.verify(sd.signed(new_key())), "invalid", **FORGED)


def _jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {"kty": "EC", "crv": "P-256", "x": b64url(point[1:33]), "y": b64url(point[33:])}


@pytest.mark.parametrize("keeps_chain", [False, True])
def test_the_forgers_key_brought_as_jwk(registry: Registry, sd: Sd, keeps_chain: bool) -> None:
    key = new_key()
    forged = sd.with_header(jwk=_jwk(key))
    if not keeps_chain:
        forged = forged.with_header(x5c=None)
    expect(registry.verify(forged.signed(key)), "invalid", **UNREADABLE)


@pytest.mark.parametrize(
    "members",
    [
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/chain.pem"},
        {"x5t#S256": "AAAA"},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"ALG": "none"},
        {"": "none"},
    ],
    ids=str,
)
def test_a_header_member_that_is_not_allowed_even_signed_by_the_agency(
    registry: Registry, sd: Sd, agency_key: Any, members: dict[str, Any]
) -> None:
    token = _signed_by_hand({**sd.header, **members}, json.dumps(sd.payload), agency_key)
    expect(registry.verify(sd.with_token(token)), "invalid", **UNREADABLE)


def _signed_by_hand(header: dict[str, Any], payload: str, key: ec.EllipticCurvePrivateKey) -> str:
    """Sign what PyJWT would refuse to write."""
    head = b64url(json.dumps({"alg": "ES256", **header}).encode())
    signing_input = f"{head}.{b64url(payload.encode())}"
    return f"{signing_input}.{b64url(raw_signature(key, signing_input.encode()))}"


def test_kid_in_place_of_the_chain(
    registry: Registry, sd: Sd, stolen: Stolen, agency_key: Any
) -> None:
    kid = stolen.registry.keys.ring.active(Role.AGENCY, PLANNING.code).kid
    forged = sd.with_header(x5c=None, kid=kid).signed(agency_key)
    expect(registry.verify(forged), "invalid", **FORGED)


def test_no_chain_at_all(registry: Registry, sd: Sd, agency_key: Any) -> None:
    expect(registry.verify(sd.with_header(x5c=None).signed(agency_key)), "invalid", **FORGED)


def test_an_empty_chain(registry: Registry, sd: Sd, agency_key: Any) -> None:
    expect(registry.verify(sd.with_header(x5c=[]).signed(agency_key)), "invalid", **FORGED)


@pytest.mark.parametrize("chain", ["AAAA", [1], [["AAAA"]], {"0": "AAAA"}, ["AA=A"], ["-_8="]])
def test_a_chain_that_is_no_list_of_base64(
    registry: Registry, sd: Sd, agency_key: Any, chain: Any
) -> None:
    expect(registry.verify(sd.with_header(x5c=chain).signed(agency_key)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"\x30\x03\x02\x01\x00", bytes(9000)])
def test_a_chain_of_something_else_than_certificates(
    registry: Registry, sd: Sd, agency_key: Any, der: bytes
) -> None:
    expect(registry.verify(sd.with_header(x5c=[b64(der)]).signed(agency_key)), "invalid", **FORGED)


@pytest.mark.parametrize("version", [1, 3, 5, 127])
def test_a_chain_of_a_certificate_of_no_known_version(
    registry: Registry, sd: Sd, stolen: Stolen, agency_key: Any, version: int
) -> None:
    # Mended since this test found it: x509.InvalidVersion is no ValueError, so anybody made verify
    # raise with one byte of an unverified x5c (ecert/keys/chain.py parse_certificate).
    leaf = stolen.leaf(Role.AGENCY, PLANNING.code)
    der = leaf.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01" + bytes([version]), 1)
    assert der != leaf
    expect(registry.verify(sd.with_header(x5c=[b64(der)]).signed(agency_key)), "invalid", **FORGED)


def test_a_chain_of_a_certificate_with_a_negative_serial_number(
    registry: Registry, sd: Sd, stolen: Stolen, agency_key: Any
) -> None:
    # Mended since this test found it: cryptography warns of such a certificate; the warning escapes from verify and,
    # where warnings are errors, is an exception (ecert/keys/chain.py parse_certificate).
    leaf = stolen.leaf(Role.AGENCY, PLANNING.code)
    serial = x509.load_der_x509_certificate(leaf).serial_number
    raw = serial.to_bytes((serial.bit_length() + 8) // 8, "big")
    negative = bytes([raw[0] | 0x80]) + raw[1:]
    der = leaf.replace(raw, negative, 1)
    expect(registry.verify(sd.with_header(x5c=[b64(der)]).signed(agency_key)), "invalid", **FORGED)


def _der(tag: int, content: bytes) -> bytes:
    size = len(content).to_bytes(2, "big")
    return bytes([tag, 0x82]) + size + content


def test_a_chain_of_a_certificate_whose_algorithm_has_a_null_parameter(
    registry: Registry, sd: Sd, stolen: Stolen, agency_key: Any
) -> None:
    """The library warns of it; a warning is no answer to whoever asks."""
    leaf = x509.load_der_x509_certificate(stolen.leaf(Role.AGENCY, PLANNING.code))
    plain, null = (
        bytes.fromhex("300a06082a8648ce3d040302"),
        bytes.fromhex("300c06082a8648ce3d0403020500"),
    )
    tbs = leaf.tbs_certificate_bytes[4:].replace(plain, null, 1)
    signature = b"\x03" + bytes([len(leaf.signature) + 1, 0]) + leaf.signature
    der = _der(0x30, _der(0x30, tbs) + null + signature)
    expect(registry.verify(sd.with_header(x5c=[b64(der)]).signed(agency_key)), "invalid", **FORGED)


def test_a_chain_of_a_certificate_with_a_name_that_nobody_reads(
    registry: Registry, sd: Sd, stolen: Stolen
) -> None:
    # Mended: x509.UnsupportedGeneralNameType is no ValueError (ecert/keys/chain.py _path). Low:
    # only an anchored authority can sign such a leaf, as outside authorities' tools sometimes do.
    root, key = stolen.authority(), new_key()
    strange = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x02\xa3\x00")
    leaf = (
        x509.CertificateBuilder()
        .subject_name(subject(PLANNING.code))
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(Wish(()).start)
        .not_valid_after(Wish(()).end)
        .add_extension(usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([DOCUMENT_SIGNING]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key()),
            critical=False,
        )
        .add_extension(strange, critical=False)
        .sign(root.key, hashes.SHA256())
    )
    chain = [b64(leaf.public_bytes(Encoding.DER))]
    expect(registry.verify(sd.with_header(x5c=chain).signed(key)), "invalid", **FORGED)


def test_a_chain_longer_than_any_honest_one(
    registry: Registry, sd: Sd, stolen: Stolen, agency_key: Any
) -> None:
    chain = [b64(stolen.leaf(Role.AGENCY, PLANNING.code))] * 5
    expect(registry.verify(sd.with_header(x5c=chain).signed(agency_key)), "invalid", **FORGED)


def test_an_rsa_leaf(registry: Registry, sd: Sd, stolen: Stolen) -> None:
    key = rsa.generate_private_key(65537, 2048)
    leaf = stolen.authority().certify(key.public_key(), Wish((PLANNING.code,)))
    chain = [b64(leaf.public_bytes(Encoding.DER))]
    token = sign_jwt({**sd.header, "x5c": chain}, sd.payload, key, "RS256")
    expect(registry.verify(sd.with_token(token)), "invalid", **UNREADABLE)
    forged = sd.with_header(x5c=chain).unsigned()
    expect(registry.verify(forged), "invalid", **FORGED)


@pytest.mark.parametrize(
    "typ",
    ["JWT", "vc+sd-jwt", "ecert-statement+jwt", "statuslist+jwt", "at+jwt", "DC+SD-JWT", ""],
)
def test_another_kind_of_token(registry: Registry, sd: Sd, agency_key: Any, typ: str) -> None:
    token = _signed_by_hand({**sd.header, "typ": typ}, json.dumps(sd.payload), agency_key)
    expect(registry.verify(sd.with_token(token)), "invalid", **UNREADABLE)


# -- signature ---------------------------------------------------------------------------------------


def test_a_changed_number_under_the_old_signature(registry: Registry, sd: Sd) -> None:
    forged = sd.changed(number="建字第4401142026GG9999999号").unsigned()
    expect(registry.verify(forged), "invalid", **FORGED)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("local_number", "穗规划资源建证〔2026〕9999号"),
        ("project_code", "2602-440114-04-01-999999"),
        ("valid_from", "2026-03-01"),
        ("issued_on", "2026-03-01"),
        ("rests_on", ["1.2.156.3005.2.X"]),
        ("supersedes", "1.2.156.3005.2.X"),
        ("attachments", []),
        ("status", {"status_list": {"idx": 1, "uri": "http://127.0.0.1:8000/status/0"}}),
    ],
)
def test_a_changed_claim_under_the_old_signature(
    registry: Registry, sd: Sd, claim: str, value: Any
) -> None:
    assert sd.payload.get(claim) != value
    forged = sd.changed(**{claim: value})
    forged.disclosures = [] if claim == "attachments" else forged.disclosures
    report = registry.verify(forged.unsigned())
    assert report.verdict == "invalid"
    assert report.step("signature").code in {"signature_bad", "not_reached"}


def test_the_signature_of_another_credential(registry: Registry, sd: Sd, other: Record) -> None:
    sd.signature = Sd.of(other.credential).signature
    expect(registry.verify(sd.unsigned()), "invalid", **FORGED)


def test_the_payload_of_another_credential(registry: Registry, sd: Sd, other: Record) -> None:
    theirs = Sd.of(other.credential)
    theirs.signature = sd.signature
    expect(registry.verify(theirs.unsigned()), "invalid", **FORGED)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(64),
        P256_ORDER.to_bytes(32, "big") * 2,
        bytes(32) + b"\x01".rjust(32, b"\0"),
        b"\xff" * 64,
        bytes(63),
        bytes(65),
    ],
    ids=["empty", "zeros", "order", "r=0", "ones", "short", "long"],
)
def test_a_signature_of_special_numbers(registry: Registry, sd: Sd, signature: bytes) -> None:
    sd.signature = signature
    expect(registry.verify(sd.unsigned()), "invalid", **FORGED)


def test_the_signature_in_der(registry: Registry, sd: Sd) -> None:
    numbers = (int.from_bytes(part, "big") for part in (sd.signature[:32], sd.signature[32:]))
    sd.signature = encode_dss_signature(*numbers)
    expect(registry.verify(sd.unsigned()), "invalid", **FORGED)


def test_the_signatures_last_character_spelled_otherwise(registry: Registry, sd: Sd) -> None:
    """64 bytes leave four bits over in base64url: there must be one spelling only."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = alphabet[alphabet.index(sd.jwt[-1]) + 1]
    expect(registry.verify(sd.with_token(sd.jwt[:-1] + twin)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_padding_in_a_part(registry: Registry, sd: Sd, part: int) -> None:
    parts = sd.jwt.split(".")
    parts[part] += "="
    expect(registry.verify(sd.with_token(".".join(parts))), "invalid", **UNREADABLE)


def test_a_malleated_signature_verifies_but_is_another_credential(
    registry: Registry, record: Record, sd: Sd
) -> None:
    """ES256 is malleable (design §6): the twin says the same and nothing is keyed by it.

    The credential digest covers the signature, so the receipt of the original proves nothing for
    the twin.
    """
    twin = sd.with_token(malleate_jwt(sd.jwt))
    assert twin != record.credential
    report = elsewhere(registry).verify(twin)
    expect(report, "valid", signature="signature_good", status="status_good")
    receipt = str(registry.certificates.receipt(record.id, by=CLERK))
    expect(elsewhere(registry).verify(record.credential, receipt=receipt), "valid", log="log_good")
    expect(elsewhere(registry).verify(twin, receipt=receipt), "invalid", log="log_bad")


def test_a_malleated_signature_does_not_dodge_the_revocation(
    registry: Registry, record: Record, sd: Sd
) -> None:
    registry.certificates.operate(
        record.id, Operation.REVOKE, basis=Basis("罚", "决定", "甲"), by=CLERK
    )
    twin = sd.with_token(malleate_jwt(sd.jwt))
    expect(registry.verify(twin), "invalid", signature="signature_good", status="status_revoked")


def test_malleating_twice_gives_the_original(sd: Sd) -> None:
    assert malleate(malleate(sd.signature)) == sd.signature


# -- disclosures -------------------------------------------------------------------------------------


def _decoded(text: str) -> list[Any]:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    found: list[Any] = json.loads(raw)
    return found


def test_a_disclosure_with_another_value(registry: Registry, sd: Sd) -> None:
    place, (salt, name, _) = next(
        (place, parts)
        for place, parts in enumerate(map(_decoded, sd.disclosures))
        if parts[1] == "total_floor_area"
    )
    sd.disclosures[place] = disclosure(salt, name, "999999.00")
    expect(registry.verify(sd.with_token(sd.jwt)), "invalid", **UNREADABLE)


def test_a_disclosure_with_the_same_value_in_another_spelling(registry: Registry, sd: Sd) -> None:
    salt, name, value = _decoded(sd.disclosures[0])
    sd.disclosures[0] = b64url(json.dumps([salt, name, value], indent=1).encode())
    expect(registry.verify(sd.with_token(sd.jwt)), "invalid", **UNREADABLE)


def test_one_character_of_a_disclosure(registry: Registry, sd: Sd) -> None:
    sd.disclosures[0] = flip_text(sd.disclosures[0], 3)
    expect(registry.verify(sd.with_token(sd.jwt)), "invalid", **UNREADABLE)


def test_a_disclosure_moved_from_another_credential(
    registry: Registry, sd: Sd, other: Record
) -> None:
    """The same holder and the same fields: only the salts tell them apart."""
    moved = Sd.of(other.credential).disclosures[0]
    forged = sd.with_disclosures(moved, *sd.disclosures[1:])
    expect(registry.verify(forged), "invalid", **UNREADABLE)


def test_a_disclosure_added_from_another_credential(
    registry: Registry, sd: Sd, other: Record
) -> None:
    forged = sd.with_disclosures(*sd.disclosures, Sd.of(other.credential).disclosures[0])
    expect(registry.verify(forged), "invalid", **UNREADABLE)


def test_a_repeated_disclosure(registry: Registry, sd: Sd) -> None:
    forged = sd.with_disclosures(*sd.disclosures, sd.disclosures[0])
    expect(registry.verify(forged), "invalid", **UNREADABLE)


@pytest.mark.parametrize(
    "invented",
    [
        disclosure("AAAAAAAAAAAAAAAAAAAAAA", "project_name", "别的项目"),
        disclosure("AAAAAAAAAAAAAAAAAAAAAA", "status", {"status_list": {"idx": 1, "uri": "x"}}),
        disclosure("AAAAAAAAAAAAAAAAAAAAAA", "nbf", 0),
        disclosure("AAAAAAAAAAAAAAAAAAAAAA", "element"),
        "AAAA",
        "!",
        b64url(b"[]"),
    ],
)
def test_an_invented_disclosure(registry: Registry, sd: Sd, invented: str) -> None:
    expect(registry.verify(sd.with_disclosures(*sd.disclosures, invented)), "invalid", **UNREADABLE)


def test_disclosures_in_another_order_are_fine(registry: Registry, sd: Sd) -> None:
    report = registry.verify(sd.with_disclosures(*reversed(sd.disclosures)))
    expect(report, "valid", read="read_credential", type="type_good")


def test_withheld_disclosures_are_fine_and_show_nothing(registry: Registry, sd: Sd) -> None:
    report = registry.verify(sd.with_disclosures())
    expect(report, "valid", read="read_credential", type="type_good")
    assert report.certificate is not None
    assert report.certificate["fields"] == {}


@pytest.mark.parametrize(
    "name",
    ["iss", "nbf", "exp", "vct", "vct#integrity", "status", "id", "number", "iat", "type"]
    + ["issuer", "issued_on", "valid_from", "valid_to", "supersedes", "rests_on", "project_code"],
)
def test_a_claim_that_must_be_clear_is_disclosed_by_the_agency_itself(
    registry: Registry, sd: Sd, agency_key: Any, name: str
) -> None:
    value = sd.payload.get(name, 1893456000 if name == "exp" else "2029-12-31")
    hidden = disclosure("AAAAAAAAAAAAAAAAAAAAAA", name, value)
    forged = sd.changed(**{name: None, "_sd": [disclosure_digest(hidden)]})
    forged.disclosures.append(hidden)
    expect(registry.verify(forged.signed(agency_key)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("name", ["iss", "status", "id", "nbf", "holders", "_sd", "...", "_sd_alg"])
def test_a_disclosure_over_a_claim_that_is_there_or_reserved(
    registry: Registry, sd: Sd, agency_key: Any, name: str
) -> None:
    hidden = disclosure("AAAAAAAAAAAAAAAAAAAAAA", name, sd.payload.get(name, "x"))
    forged = sd.changed(_sd=[disclosure_digest(hidden)])
    forged.disclosures.append(hidden)
    expect(registry.verify(forged.signed(agency_key)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("name", ["fields", "holders"])
def test_a_whole_branch_behind_one_disclosure(
    registry: Registry, sd: Sd, agency_key: Any, name: str
) -> None:
    hidden = disclosure("AAAAAAAAAAAAAAAAAAAAAA", name, sd.payload[name])
    forged = sd.changed(**{name: None, "_sd": [disclosure_digest(hidden)]})
    forged.disclosures.append(hidden)
    expect(registry.verify(forged.signed(agency_key)), "invalid", **UNREADABLE)


def test_an_expiry_hidden_at_the_top_cannot_be_withheld(
    registry: Registry, clock: SettableClock, sd: Sd, agency_key: Any
) -> None:
    # Mended since this test found it: an undisclosed digest at the top level is only counted. RFC 9901 and SD-JWT VC
    # forbid hiding exp; whoever withholds it turns a three-day permit into a long-term one
    # (ecert/formats/credential.py parse_credential: refuse `_sd` anywhere but in the concealable branches).
    exp = int((clock() + days(3)).timestamp())
    hidden = [disclosure("AAAAAAAAAAAAAAAAAAAAAA", "exp", exp)]
    hidden.append(disclosure("AAAAAAAAAAAAAAAAAAAAAA", "valid_to", "2026-03-04"))
    withheld = sd.changed(_sd=[disclosure_digest(one) for one in hidden]).signed(agency_key)
    clock.move(days(400))
    expect(registry.verify(withheld), "invalid", **UNREADABLE)


def test_a_status_hidden_inside_its_own_object(registry: Registry, sd: Sd, agency_key: Any) -> None:
    hidden = disclosure(
        "AAAAAAAAAAAAAAAAAAAAAA", "status_list", sd.payload["status"]["status_list"]
    )
    forged = sd.changed(status={"_sd": [disclosure_digest(hidden)]})
    forged.disclosures.append(hidden)
    expect(registry.verify(forged.signed(agency_key)), "invalid", **UNREADABLE)


def test_a_sub_claim_of_the_status_overwritten_by_disclosure(
    registry: Registry, sd: Sd, agency_key: Any
) -> None:
    hidden = disclosure("AAAAAAAAAAAAAAAAAAAAAA", "idx", 7)
    inner = {**sd.payload["status"]["status_list"], "_sd": [disclosure_digest(hidden)]}
    forged = sd.changed(status={"status_list": inner})
    forged.disclosures.append(hidden)
    expect(registry.verify(forged.signed(agency_key)), "invalid", **UNREADABLE)


def test_one_digest_in_two_places(registry: Registry, sd: Sd, agency_key: Any) -> None:
    digest = sd.payload["fields"]["_sd"][0]
    forged = sd.changed(fields={"_sd": [*sd.payload["fields"]["_sd"], digest]})
    expect(registry.verify(forged.signed(agency_key)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("algorithm", ["sha-512", "sha3-256", "md5", "SHA-256", None, 256])
def test_another_digest_algorithm(
    registry: Registry, sd: Sd, agency_key: Any, algorithm: Any
) -> None:
    sd.payload["_sd_alg"] = algorithm
    expect(registry.verify(sd.signed(agency_key)), "invalid", **UNREADABLE)


def test_a_digest_algorithm_below_the_top(registry: Registry, sd: Sd, agency_key: Any) -> None:
    forged = sd.changed(fields={**sd.payload["fields"], "_sd_alg": "sha-256"})
    expect(registry.verify(forged.signed(agency_key)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("signs_it", ["agency", "stranger"])
def test_a_key_binding_jwt_appended(
    registry: Registry, record: Record, agency_key: Any, signs_it: str
) -> None:
    key = agency_key if signs_it == "agency" else new_key()
    claims = {"iat": 1772415000, "aud": "https://bank.example", "nonce": "1", "sd_hash": "x"}
    binding = sign_jwt({"typ": "kb+jwt"}, claims, key)
    expect(registry.verify(record.credential + binding), "invalid", **UNREADABLE)


@pytest.mark.parametrize(
    "change", [lambda text: text + "~", lambda text: text.replace("~", "~~", 1)]
)
def test_an_empty_disclosure(
    registry: Registry, record: Record, change: Callable[[str], str]
) -> None:
    expect(registry.verify(change(record.credential)), "invalid", **UNREADABLE)


def test_the_last_tilde_cut_off(registry: Registry, record: Record) -> None:
    """The last disclosure then stands where a key-binding JWT would."""
    expect(registry.verify(record.credential.rstrip("~")), "invalid", **UNREADABLE)


def test_the_bare_jwt_without_a_tilde(registry: Registry, sd: Sd) -> None:
    expect(registry.verify(sd.jwt), "invalid", **UNREADABLE)


def test_more_disclosures_than_any_honest_credential(registry: Registry, sd: Sd) -> None:
    flood = [disclosure("salt", f"name{number}", 0) for number in range(5001)]
    expect(registry.verify(sd.with_disclosures(*flood)), "invalid", **UNREADABLE)


# -- kinds of token ----------------------------------------------------------------------------------


def _statement(registry: Registry, record: Record) -> str:
    registry.certificates.operate(
        record.id, Operation.SUSPEND, basis=Basis("查", "决定", "甲"), by=CLERK
    )
    (event,) = registry.certificates.history(record.id, by=CLERK)
    return event.token


def test_a_statement_presented_as_a_credential(registry: Registry, record: Record) -> None:
    token = _statement(registry, record)
    expect(registry.verify(token), "invalid", **UNREADABLE)
    expect(registry.verify(token + "~"), "invalid", **UNREADABLE)


def test_a_statement_relabelled_as_a_credential_by_the_agency(
    registry: Registry, record: Record, agency_key: Any
) -> None:
    statement = Sd.of(_statement(registry, record) + "~")
    forged = statement.with_header(typ="dc+sd-jwt").signed(agency_key)
    expect(registry.verify(forged), "invalid", **UNREADABLE)


def test_a_status_list_presented_as_a_credential(registry: Registry, record: Record) -> None:
    token = registry.status.token(record.status_list)
    expect(registry.verify(token + "~"), "invalid", **UNREADABLE)


# -- what the agency itself signs wrongly --------------------------------------------------------------


def test_another_types_address_alone(registry: Registry, sd: Sd, agency_key: Any) -> None:
    forged = sd.changed(vct=f"{registry.base}/types/construction-permit/v1")
    expect(registry.verify(forged.signed(agency_key)), "invalid", **UNREADABLE)


def test_another_types_address_and_name(registry: Registry, sd: Sd, agency_key: Any) -> None:
    """The digest of the type metadata stays the old one: two types are mixed up, and it shows."""
    slug = "construction-permit"
    forged = sd.changed(
        vct=f"{registry.base}/types/{slug}/v1", type={**sd.payload["type"], "slug": slug}
    )
    report = elsewhere(registry).verify(forged.signed(agency_key))
    expect(report, "undetermined", signature="signature_good", type="type_differs")


def test_another_types_address_name_and_metadata_digest(
    registry: Registry, sd: Sd, agency_key: Any
) -> None:
    slug = "construction-permit"
    kind = registry.catalogue.newest(slug)
    metadata = kind.metadata(registry.base)
    forged = sd.changed(
        vct=f"{registry.base}/types/{slug}/v1",
        type={**sd.payload["type"], "slug": slug},
        **{"vct#integrity": "sha256-" + b64(hashlib.sha256(metadata).digest())},
    )
    expect(registry.verify(forged.signed(agency_key)), "invalid", type="type_bad")


def test_a_type_nobody_has(registry: Registry, sd: Sd, agency_key: Any) -> None:
    forged = sd.changed(
        vct=f"{registry.base}/types/dog-licence/v1",
        type={**sd.payload["type"], "slug": "dog-licence"},
    )
    report = elsewhere(registry).verify(forged.signed(agency_key))
    expect(report, "invalid", signature="signature_good", type="not_competent")

    def allow(one: dict[str, Any]) -> None:
        right = {"type": "dog-licence", "from": "2026-01-01"}
        one["agencies"][PLANNING.code]["may_issue"].append(right)

    verifier = verifier_of(registry, trust=trust_with(registry, change=allow))
    report = verifier.verify(forged.signed(agency_key))
    expect(report, "undetermined", signature="signature_good", type="type_unknown")


def test_a_type_version_nobody_has(registry: Registry, sd: Sd, agency_key: Any) -> None:
    forged = sd.changed(
        vct=f"{registry.base}/types/{WORKS}/v2", type={**sd.payload["type"], "version": 2}
    )
    report = elsewhere(registry).verify(forged.signed(agency_key))
    expect(report, "undetermined", signature="signature_good", type="type_unknown")


def test_a_type_code_that_is_not_in_the_identifier(
    registry: Registry, sd: Sd, agency_key: Any
) -> None:
    forged = sd.changed(type={**sd.payload["type"], "code": PLANNING.code + "904"})
    expect(registry.verify(forged.signed(agency_key)), "invalid", type="identifier_bad")


@pytest.mark.parametrize("identifier", ["1.2.3", "x", "1.2.156.3005.2.A.B.C.001.0"])
def test_an_identifier_that_is_none(
    registry: Registry, sd: Sd, agency_key: Any, identifier: str
) -> None:
    report = registry.verify(sd.changed(id=identifier).signed(agency_key))
    expect(report, "invalid", type="identifier_bad")


def test_an_identifier_with_another_check_character(
    registry: Registry, record: Record, sd: Sd, agency_key: Any
) -> None:
    other = "A" if record.id[-1] != "A" else "B"
    report = registry.verify(sd.changed(id=record.id[:-1] + other).signed(agency_key))
    expect(report, "invalid", type="identifier_bad")


def test_fields_that_do_not_fit_the_type(registry: Registry, sd: Sd, agency_key: Any) -> None:
    hidden = disclosure("AAAAAAAAAAAAAAAAAAAAAA", "total_floor_area", "-1")
    forged = sd.changed(fields={"_sd": [disclosure_digest(hidden)]})
    kept = [one for one in forged.disclosures if _decoded(one)[1] in {"name", "code"}]
    forged.disclosures = [*kept, hidden]
    expect(registry.verify(forged.signed(agency_key)), "invalid", type="type_bad")


def test_a_field_that_the_type_does_not_have(registry: Registry, sd: Sd, agency_key: Any) -> None:
    forged = sd.changed(fields={**sd.payload["fields"], "bonus_floors": "3"})
    expect(registry.verify(forged.signed(agency_key)), "invalid", type="type_bad")


def test_a_top_level_claim_that_the_profile_does_not_have(
    registry: Registry, sd: Sd, agency_key: Any
) -> None:
    expect(registry.verify(sd.changed(cnf={"jwk": {}}).signed(agency_key)), "invalid", **UNREADABLE)


@pytest.mark.parametrize(
    "name",
    ["iss", "vct", "vct#integrity", "iat", "nbf", "status", "id", "number", "type", "issuer"]
    + ["issued_on", "valid_from", "holders", "fields"],
)
def test_a_missing_claim(registry: Registry, sd: Sd, agency_key: Any, name: str) -> None:
    forged = sd.changed(**{name: None})
    forged.disclosures = []
    expect(registry.verify(forged.signed(agency_key)), "invalid", **UNREADABLE)


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/status/0",
        "http://127.0.0.1:8000.evil.example/status/0",
        "http://127.0.0.1:80001/status/0",
        "http://127.0.0.1:8000@evil.example/status/0",
        "http://127.0.0.1:8000",
        "https://127.0.0.1:8000/status/0",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_status_address_outside_the_registry(
    registry: Registry, sd: Sd, agency_key: Any, uri: str
) -> None:
    forged = sd.changed(status={"status_list": {"idx": 0, "uri": uri}})
    expect(registry.verify(forged.signed(agency_key)), "invalid", **UNREADABLE)


def test_a_status_in_another_form(registry: Registry, sd: Sd, agency_key: Any) -> None:
    forged = sd.changed(status={"identifier_list": {"id": "1", "uri": f"{registry.base}/x"}})
    expect(registry.verify(forged.signed(agency_key)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("index", [-1, 1.5, "0", None, True, 2**70])
def test_a_status_index_that_is_none(
    registry: Registry, sd: Sd, agency_key: Any, index: Any
) -> None:
    uri = sd.payload["status"]["status_list"]["uri"]
    forged = sd.changed(status={"status_list": {"idx": index, "uri": uri}})
    report = registry.verify(forged.signed(agency_key))
    assert report.verdict == "invalid"
    assert report.step("read").code == "unreadable" or report.step("status").code == "status_index"


def test_a_status_index_written_with_a_fraction_of_zero(
    registry: Registry, sd: Sd, agency_key: Any
) -> None:
    # Mended since this test found it: JSON Schema calls 5.0 an integer, Python does not: TypeError in StatusList's
    # __getitem__ (formats/credential.py _CLAIMS, formats/status_list.py). The twin in iat, nbf, exp, size is
    # harmless only by luck; refuse floats when reading the claims.
    uri = sd.payload["status"]["status_list"]["uri"]
    forged = sd.changed(status={"status_list": {"idx": 5.0, "uri": uri}})
    expect(registry.verify(forged.signed(agency_key)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("delta", [-86400, -1, 1, 86400])
def test_nbf_that_disagrees_with_valid_from(
    registry: Registry, sd: Sd, agency_key: Any, delta: int
) -> None:
    forged = sd.changed(nbf=sd.payload["nbf"] + delta)
    expect(registry.verify(forged.signed(agency_key)), "invalid", time="dates_disagree")


def test_valid_from_that_disagrees_with_nbf(registry: Registry, sd: Sd, agency_key: Any) -> None:
    forged = sd.changed(valid_from="2026-02-01")
    expect(registry.verify(forged.signed(agency_key)), "invalid", time="dates_disagree")


def test_exp_without_valid_to(registry: Registry, sd: Sd, agency_key: Any) -> None:
    forged = sd.changed(exp=sd.payload["nbf"] + 86400 * 365)
    expect(registry.verify(forged.signed(agency_key)), "invalid", time="dates_disagree")


def test_valid_to_without_exp(registry: Registry, sd: Sd, agency_key: Any) -> None:
    forged = sd.changed(valid_to="2027-03-01")
    expect(registry.verify(forged.signed(agency_key)), "invalid", time="dates_disagree")


@pytest.mark.parametrize("delta", [-1, 0, 1, 86400])
def test_exp_counts_to_the_end_of_valid_to(
    registry: Registry, sd: Sd, agency_key: Any, delta: int
) -> None:
    """The day after, 00:00 in Guangzhou, and not a second beside it."""
    forged = sd.changed(valid_to="2027-03-01", exp=1803916800 + delta).signed(agency_key)
    if delta == 0:
        expect(elsewhere(registry).verify(forged), "valid", time="time_good")
    else:
        expect(elsewhere(registry).verify(forged), "invalid", time="dates_disagree")


@pytest.mark.parametrize(
    "day", ["2026-02-30", "2026-13-01", "20260302", "２０２６-03-02", "0000-01-01"]
)
def test_a_date_that_does_not_exist(registry: Registry, sd: Sd, agency_key: Any, day: str) -> None:
    report = registry.verify(sd.changed(valid_from=day).signed(agency_key))
    expect(report, "invalid", **UNREADABLE)


@pytest.mark.parametrize(
    ("name", "day"), [("valid_to", "9999-12-31"), ("valid_from", "0001-01-01")]
)
def test_the_first_and_the_last_date_there_is(
    registry: Registry, sd: Sd, agency_key: Any, name: str, day: str
) -> None:
    # Mended since this test found it: 9999-12-31 is how many systems write 长期; its day after does not exist, and
    # Validity.seconds raises OverflowError out of verify (ecert/model.py Validity.seconds).
    forged = sd.changed(**{name: day}).signed(agency_key)
    expect(registry.verify(forged), "invalid", time="dates_disagree")


def _iat(sd: Sd, moment: int, key: Any) -> str:
    return sd.changed(iat=moment).signed(key)


def test_issued_after_its_certificate_had_ended(
    registry: Registry, clock: SettableClock, sd: Sd, stolen: Stolen, agency_key: Any
) -> None:
    leaf = x509.load_der_x509_certificate(stolen.leaf(Role.AGENCY, PLANNING.code))
    end = int(leaf.not_valid_after_utc.timestamp())
    clock.move(days(30))
    registry.keys.rotate(Role.STATUS, None, by=CLERK)
    clock.now = leaf.not_valid_after_utc + timedelta(days=2)
    expect(elsewhere(registry).verify(_iat(sd, end + 1, agency_key)), "invalid", **FORGED)
    expect(
        elsewhere(registry).verify(_iat(sd, end, agency_key)), "valid", signature="signature_good"
    )


def test_issued_before_its_certificate_began(
    registry: Registry, sd: Sd, stolen: Stolen, agency_key: Any
) -> None:
    leaf = x509.load_der_x509_certificate(stolen.leaf(Role.AGENCY, PLANNING.code))
    start = int(leaf.not_valid_before_utc.timestamp())
    expect(registry.verify(_iat(sd, start - 1, agency_key)), "invalid", **FORGED)
    expect(registry.verify(_iat(sd, 0, agency_key)), "invalid", **FORGED)


def test_a_certificate_outlives_the_certificate_that_signed_it(
    registry: Registry, clock: SettableClock, record: Record
) -> None:
    """The chain is judged at signing time; the registry has a new status key by then."""
    clock.move(timedelta(days=365 * 3 - 1))
    registry.keys.rotate(Role.STATUS, None, by=CLERK)
    clock.move(days(10))
    expect(registry.verify(record.credential), "valid", signature="signature_good")


def test_duplicate_members_in_a_forged_header(registry: Registry, sd: Sd) -> None:
    head = '{"alg":"none",' + json.dumps({"alg": "ES256", **sd.header})[1:]
    token = ".".join((b64url(head.encode()), *sd.jwt.split(".")[1:]))
    expect(registry.verify(sd.with_token(token)), "invalid", **FORGED)


def test_duplicate_members_in_the_payload_leave_no_doubt_about_what_is_shown(
    registry: Registry, sd: Sd, agency_key: Any
) -> None:
    """RFC 7515 §4: refused, or the last one counts; never the first for one step and the last for another."""
    raw = '{"number":"假的",' + json.dumps(sd.payload, ensure_ascii=False)[1:]
    token = _signed_by_hand(sd.header, raw, agency_key)
    report = elsewhere(registry).verify(sd.with_token(token))
    expect(report, "valid", read="read_credential", signature="signature_good")
    assert report.certificate is not None
    assert report.certificate["number"] == sd.payload["number"]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"iss":NaN}',
        b'{"iss":"\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
    ids=["empty", "null", "list", "open", "utf16", "nan", "surrogate", "brackets", "braces"],
)
def test_a_payload_that_is_no_object(
    registry: Registry, sd: Sd, agency_key: Any, payload: bytes
) -> None:
    token = sign_jwt(sd.header, payload, agency_key)
    expect(registry.verify(sd.with_token(token)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("depth", [20, 100, 900, 1000, 1023])
def test_a_payload_nested_as_deep_as_the_reader_goes(
    registry: Registry, sd: Sd, depth: int
) -> None:
    # Mended: the walk that looks for hidden claims goes as deep as the payload, before any
    # signature was checked: RecursionError (ecert/formats/credential.py _check_branch; bound it, MAX_DEPTH).
    for opening, closing in ((b'{"a":', b"}"), (b"[", b"]"), (b'{"status":[', b"]}")):
        count = depth // len(closing)
        payload = b'{"status":' + opening * count + b"1" + closing * count + b"}"
        token = sign_jwt(sd.header, payload, new_key())
        expect(registry.verify(sd.with_token(token)), "invalid", **UNREADABLE)


def test_a_disclosure_nested_as_deep_as_the_reader_goes(
    registry: Registry, sd: Sd, agency_key: Any
) -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        hidden = b64url(f'["salt","project_name",{opening * 1000}1{closing * 1000}]'.encode())
        forged = sd.changed(fields={"_sd": [disclosure_digest(hidden)]})
        forged.disclosures = [hidden]
        expect(registry.verify(forged.signed(agency_key)), "invalid", **UNREADABLE)


def test_signed_later_than_the_clock_shows(
    registry: Registry, clock: SettableClock, sd: Sd, agency_key: Any
) -> None:
    """A few minutes are a clock that goes wrong; more cannot be checked today."""
    now = int(clock().timestamp())
    expect(
        elsewhere(registry).verify(_iat(sd, now + 300, agency_key)),
        "valid",
        signature="signature_good",
    )
    report = elsewhere(registry).verify(_iat(sd, now + 301, agency_key))
    expect(report, "undetermined", signature="signed_later", status="status_good")


def test_signed_later_than_the_clock_shows_by_a_retired_key(
    registry: Registry, clock: SettableClock, sd: Sd, agency_key: Any
) -> None:
    # Mended: the future is asked about before the retirement, so a stolen retired key gets
    # `undetermined` and its certificate shown, not `invalid` (ecert/verification/verifier.py
    # judge_key: what fails for certain goes first).
    clock.move(days(1))
    registry.keys.rotate(Role.AGENCY, PLANNING.code, by=CLERK)
    later = int((clock() + days(1)).timestamp())
    report = registry.verify(_iat(sd, later, agency_key))
    expect(report, "invalid", signature="key_retired", status="not_reached")


def test_a_credential_over_its_bound(registry: Registry, record: Record) -> None:
    expect(registry.verify(record.credential + "A" * (1 << 20)), "invalid", **UNREADABLE)


# -- whom the verifier knows ---------------------------------------------------------------------------


def test_a_registry_that_is_not_in_the_trust_file(registry: Registry, record: Record) -> None:
    trust = trust_with(registry, change=lambda one: one.update(base_url="https://other.example"))
    report = verifier_of(registry, trust=trust, status=registry.status).verify(record.credential)
    expect(report, "undetermined", read="read_credential", signature="registry_unknown")
    assert report.certificate is None


def test_an_agency_that_is_not_in_the_trust_file(registry: Registry, record: Record) -> None:
    trust = trust_with(registry, change=lambda one: one["agencies"].clear())
    report = verifier_of(registry, trust=trust, status=registry.status).verify(record.credential)
    expect(report, "invalid", signature="agency_unknown", status="not_reached")
    assert report.certificate is None


def test_an_agency_without_anchors_in_the_trust_file(registry: Registry, record: Record) -> None:
    trust = trust_with(
        registry, change=lambda one: one["agencies"][PLANNING.code]["anchors"].clear()
    )
    report = verifier_of(registry, trust=trust, status=registry.status).verify(record.credential)
    expect(report, "invalid", **FORGED)


def test_a_trust_file_with_a_time_zone_that_does_not_exist(
    registry: Registry, record: Record
) -> None:
    # Mended since this test found it: parse_trust takes any time_zone; verify then raises ZoneInfoNotFoundError
    # (ecert/keys/trust.py _agency: check it when the file is read).
    def change(one: dict[str, Any]) -> None:
        one["agencies"][PLANNING.code]["time_zone"] = "Mars/Olympus"

    with pytest.raises(InputError):
        verifier_of(registry, trust=trust_with(registry, change=change)).verify(record.credential)


def test_a_forged_credential_shows_no_certificate(registry: Registry, sd: Sd) -> None:
    report = registry.verify(sd.changed(number="假").unsigned())
    assert report.certificate is None
    assert report.status is None


def test_reports_are_the_same_for_text_and_bytes(registry: Registry, record: Record) -> None:
    text = registry.verify(record.credential)
    raw = registry.verify(record.credential.encode())
    assert text.to_json() == raw.to_json()


def test_white_space_around_it_is_fine(registry: Registry, record: Record) -> None:
    expect(registry.verify(f"\r\n {record.credential}\n\n"), "valid", read="read_credential")


def test_an_actor_without_scopes_changes_nothing_about_the_verdict(
    registry: Registry, record: Record
) -> None:
    nobody = Actor("nobody", scopes=frozenset())
    with pytest.raises(Forbidden):
        registry.certificates.get(record.id, by=nobody)
    expect(registry.verify(record.credential), "valid", status="status_good")
