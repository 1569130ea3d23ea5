"""What an attacker holds: stolen keys, home-made certificates, tokens built without our helpers.

Everything here is made with PyJWT, cryptography and cbor2 alone, so that a mistake in the product
cannot hide itself in its own tests.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID
from jwt.api_jws import PyJWS

from ecert.formats.status_list import part_of
from ecert.keys import Role, Trust, parse_trust
from ecert.model import Record
from ecert.registry import Registry
from ecert.verification import Report, StatusSource, Verifier

Json = dict[str, Any]
EcKey = ec.EllipticCurvePrivateKey
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
STATUS_SIGNING = x509.ObjectIdentifier("2.25.312389949385086644748496053346198522099")


# -- what a report must say ------------------------------------------------------------------------


def expect(report: Report, verdict: str, **codes: str) -> None:
    """Hold a report to its verdict and to the reason code of each named step, and write it out."""
    found = {step: report.step(step).code for step in codes}
    assert (report.verdict.value, found) == (verdict, codes)
    json.dumps(report.to_json())


# -- text ------------------------------------------------------------------------------------------


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def un_b64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def disclosure(*parts: Any) -> str:
    return b64url(json.dumps(list(parts), ensure_ascii=False).encode())


def disclosure_digest(text: str) -> str:
    return b64url(hashlib.sha256(text.encode("ascii")).digest())


# -- JWS and SD-JWT --------------------------------------------------------------------------------


def raw_signature(key: EcKey, data: bytes) -> bytes:
    """Sign as JWS and COSE want it: r and s, 32 bytes each."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def malleate(signature: bytes) -> bytes:
    """Turn an ES256 signature into its twin, s -> n - s, which anyone can do."""
    s = int.from_bytes(signature[32:], "big")
    return signature[:32] + (P256_ORDER - s).to_bytes(32, "big")


def malleate_jwt(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{b64url(malleate(un_b64url(signature)))}"


def sign_jwt(
    header: Mapping[str, Any],
    payload: Mapping[str, Any] | bytes,
    key: Any,
    algorithm: str | None = "ES256",
) -> str:
    """Sign with PyJWT; the algorithm that it writes is the one it signs with."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    members = {name: value for name, value in header.items() if name != "alg"}
    return PyJWS().encode(raw, key, algorithm=algorithm, headers=members)


def join_jwt(header: Mapping[str, Any], payload: Mapping[str, Any], signature: bytes) -> str:
    """Put a JWS together whose signature need not fit."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(b64url(part) for part in parts)


@dataclass
class Sd:
    """An SD-JWT taken apart, to be changed and put together again."""

    header: Json
    payload: Json
    signature: bytes
    disclosures: list[str] = field(default_factory=list)
    jwt: str = ""

    @classmethod
    def of(cls, credential: str) -> Sd:
        token, *disclosures, tail = credential.split("~")
        assert not tail
        head, payload, signature = token.split(".")
        return cls(
            json.loads(un_b64url(head)),
            json.loads(un_b64url(payload)),
            un_b64url(signature),
            disclosures,
            token,
        )

    def changed(self, **claims: Any) -> Sd:
        """Give a copy with top-level claims changed; None takes one away."""
        made = copy.deepcopy(self)
        for name, value in claims.items():
            made.payload.pop(name, None)
            if value is not None:
                made.payload[name] = value
        return made

    def with_header(self, **members: Any) -> Sd:
        """Give a copy with header members changed; None takes one away."""
        made = copy.deepcopy(self)
        for name, value in members.items():
            made.header.pop(name, None)
            if value is not None:
                made.header[name] = value
        return made

    def signed(self, key: Any, algorithm: str | None = "ES256") -> str:
        """Sign what it says now and give the whole SD-JWT."""
        return self.with_token(sign_jwt(self.header, self.payload, key, algorithm))

    def unsigned(self) -> str:
        """Keep the old signature, whatever was changed."""
        return self.with_token(join_jwt(self.header, self.payload, self.signature))

    def with_token(self, token: str) -> str:
        return "~".join((token, *self.disclosures, ""))

    def with_disclosures(self, *disclosures: str) -> str:
        return "~".join((self.jwt, *disclosures, ""))


# -- what an insider or a thief holds ----------------------------------------------------------------


@dataclass(frozen=True)
class Stolen:
    """The keys of a registry, read from its home without the product's key code."""

    registry: Registry

    def key(self, role: Role, agency: str | None = None) -> EcKey:
        found = self._load(role, agency)
        assert isinstance(found, ec.EllipticCurvePrivateKey)
        return found

    def log_key(self) -> ed25519.Ed25519PrivateKey:
        found = self._load(Role.LOG, None)
        assert isinstance(found, ed25519.Ed25519PrivateKey)
        return found

    def _load(self, role: Role, agency: str | None) -> Any:
        home = self.registry.home
        kid = self.registry.keys.ring.active(role, agency).kid
        secret = (home / "passphrase").read_text("ascii").strip()
        return load_pem_private_key((home / "keys" / f"{kid}.pk8").read_bytes(), secret.encode())

    def leaf(self, role: Role, agency: str | None = None) -> bytes:
        certificate = self.registry.keys.ring.active(role, agency).certificate
        assert certificate is not None
        return certificate

    def header(self, role: Role, agency: str | None = None, *, typ: str) -> Json:
        return {"typ": typ, "x5c": [b64(self.leaf(role, agency))]}

    def authority(self) -> Authority:
        """Give the registry's own root, as whoever stole its key can use it."""
        root = x509.load_der_x509_certificate(self.leaf(Role.ROOT))
        return Authority(root, self.key(Role.ROOT))


# -- X.509 -----------------------------------------------------------------------------------------


def new_key() -> EcKey:
    return ec.generate_private_key(ec.SECP256R1())


def usage(*, signs: bool = True, commits: bool = True, certifies: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=commits,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certifies,
        crl_sign=certifies,
        encipher_only=False,
        decipher_only=False,
    )


def subject(*codes: str, name: str = "某局") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
            *(x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, code) for code in codes),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


@dataclass(frozen=True)
class Wish:
    """What a home-made certificate shall say; the defaults are those of an honest agency leaf."""

    codes: tuple[str, ...]
    name: str = "某局"
    ekus: tuple[x509.ObjectIdentifier, ...] | None = (DOCUMENT_SIGNING,)
    usage: x509.KeyUsage | None = field(default_factory=usage)
    is_ca: bool = False
    start: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    end: datetime = datetime(2029, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Authority:
    """A certificate authority; anybody can make one."""

    certificate: x509.Certificate
    key: EcKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def certify(
        self, public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, wish: Wish
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject(*wish.codes, name=wish.name))
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(wish.start)
            .not_valid_after(wish.end)
            .add_extension(x509.BasicConstraints(ca=wish.is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        if wish.usage is not None:
            builder = builder.add_extension(wish.usage, critical=True)
        if wish.ekus is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(wish.ekus), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def leaf(self, *codes: str, **wishes: Any) -> tuple[EcKey, bytes]:
        """Make a key and its certificate."""
        key = new_key()
        made = self.certify(key.public_key(), replace(Wish(codes), **wishes))
        return key, made.public_bytes(Encoding.DER)

    def sub_authority(self, *codes: str) -> Authority:
        key = new_key()
        wish = Wish(codes, ekus=None, usage=usage(signs=False, commits=False, certifies=True))
        return Authority(self.certify(key.public_key(), replace(wish, is_ca=True)), key)


def make_authority(name: str = "自建根") -> Authority:
    key = new_key()
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2046, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage(signs=False, commits=False, certifies=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(made, key)


# -- COSE and the seal -------------------------------------------------------------------------------


@dataclass
class Cose:
    """A seal taken apart: prefix of its address, headers, claims, signature."""

    prefix: str
    header: Json | dict[Any, Any]
    unprotected: dict[Any, Any]
    claims: dict[Any, Any]
    signature: bytes
    tag: int = 18

    @classmethod
    def of(cls, seal: str) -> Cose:
        prefix, _, code = seal.partition("#")
        tag = cbor2.loads(un_base32(code))
        protected, unprotected, payload, signature = tag.value
        header, claims = cbor2.loads(protected), cbor2.loads(payload)
        return cls(prefix + "#", header, unprotected, claims, signature, tag.tag)

    def changed(self, **members: Any) -> Cose:
        return replace(copy.deepcopy(self), **members)

    def with_claims(self, claims: Mapping[Any, Any]) -> Cose:
        """Give a copy with claims changed; None takes one away."""
        made = {**self.claims, **claims}
        return self.changed(claims={name: one for name, one in made.items() if one is not None})

    def message(self) -> bytes:
        parts = [cbor2.dumps(self.header), self.unprotected, cbor2.dumps(self.claims)]
        return cbor2.dumps(cbor2.CBORTag(self.tag, [*parts, self.signature]))

    def text(self) -> str:
        return self.prefix + base32(self.message())

    def signed(self, key: EcKey) -> str:
        to_sign = ["Signature1", cbor2.dumps(self.header), b"", cbor2.dumps(self.claims)]
        return self.changed(signature=raw_signature(key, cbor2.dumps(to_sign))).text()


def base32(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=")


def un_base32(text: str) -> bytes:
    return base64.b32decode(text + "=" * (-len(text) % 8))


# -- trust files and status sources --------------------------------------------------------------------


def trust_with(*registries: Registry, change: Callable[[Json], object] | None = None) -> Trust:
    """Write a trust file over some registries, change it as its keeper could, and read it back."""
    shown: Json = {"v": 2, "registries": []}
    for registry in registries:
        (one,) = registry.trust().to_json()["registries"]
        shown["registries"].append(one)
    if change is not None:
        change(shown["registries"][0])
    return parse_trust(json.dumps(shown))


@dataclass(frozen=True)
class Tokens:
    """A status source that has these tokens and no others."""

    by_address: Mapping[str, str]

    def status_token(self, uri: str) -> str | None:
        return self.by_address.get(uri)


@dataclass(frozen=True)
class Failing:
    """A status source that cannot be reached."""

    error: Exception

    def status_token(self, uri: str) -> str | None:
        del uri
        raise self.error


def verifier_of(
    registry: Registry, *, trust: Trust | None = None, status: StatusSource | None = None
) -> Verifier:
    """Give an outside verifier: it has the registry's trust file, types and clock, nothing else."""
    return Verifier(
        trust or registry.trust(),
        status=status,
        catalogue=registry.catalogue,
        clock=registry.clock,
    )


def elsewhere(registry: Registry) -> Verifier:
    """Give an outside verifier with fresh status: it cannot look up what the registry issued."""
    return verifier_of(registry, status=registry.status)


def pack(files: Mapping[str, str | bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Write a ZIP."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", method) as bundle:
        for name, data in files.items():
            bundle.writestr(name, data)
    return output.getvalue()


def unpack(data: bytes) -> dict[str, str | bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def make_bundle(registry: Registry, record: Record, statements: Sequence[str]) -> bytes:
    """Put an evidence bundle together with today's genuine lists and the statements given."""
    files: dict[str, str | bytes] = {
        "credential.sd-jwt": record.credential,
        "status.jwt": registry.status.token(record.status_list),
        "status-details.jwt": registry.status.token(
            record.status_list, part=part_of(record.status_index)
        ),
    }
    for place, token in enumerate(statements):
        files[f"statements/{place:04}.jwt"] = token
    return pack(files)


def flip(data: bytes, place: int, bit: int = 1) -> bytes:
    changed = bytearray(data)
    changed[place] ^= bit
    return bytes(changed)


def flip_text(text: str, place: int) -> str:
    """Change one character of base64 or base32 to another of the same alphabet."""
    other = "B" if text[place] == "A" else "A"
    return text[:place] + other + text[place + 1 :]


def days(count: float) -> timedelta:
    return timedelta(days=count)


def in_order(items: Sequence[str], *places: int) -> list[str]:
    return [items[place] for place in places]
