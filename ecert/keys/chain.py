"""X.509: the registry's root, a leaf for each key, and the check that a leaf speaks for its agency.

A leaf serves one role only. An agency's leaf names the agency's credit code in
organizationIdentifier (2.5.4.97) and carries EKU documentSigning (RFC 9336); the status leaf
carries the EKU that draft-ietf-oauth-status-list §10 calls id-kp-oauthStatusSigning. IANA has not
assigned its number yet, so until then an arc of our own stands in its place (ADR 0004). The registry's
own leaf, for dossiers and webhooks, has an arc of its own too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID

from ecert.errors import InputError, SignatureError
from ecert.keys.der import INTEGER, bit_string, elements, sequence
from ecert.keys.signer import Signer
from ecert.keys.suite import ES256, PublicKey, suite_of, thumbprint

MAX_CHAIN = 4
MAX_CERTIFICATE_BYTES = 8192
ROOT_YEARS, LEAF_YEARS = 20, 3
_DAY = timedelta(days=1)


class Role(StrEnum):
    """What a key is for; a key has exactly one role."""

    ROOT = "root"
    AGENCY = "agency"
    STATUS = "status"
    REGISTRY = "registry"
    LOG = "log"
    TOKEN = "token"  # noqa: S105 - a role, not a secret


_EKU = {
    Role.AGENCY: x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),
    Role.STATUS: x509.ObjectIdentifier(
        "2.25.312389949385086644748496053346198522099"
    ),  # ITU-T X.667
    Role.REGISTRY: x509.ObjectIdentifier(
        "2.25.118255766272015313837661923646897387697"
    ),  # an arc of our own (ITU-T X.667): dossiers and what webhooks tell
}


@dataclass(frozen=True, slots=True)
class VerifiedKey:
    """A public key whose chain was checked, with the time in which the whole chain is valid."""

    key: PublicKey
    suite: str
    kid: str
    not_before: int
    not_after: int


def make_root(signer: Signer, name: str, now: datetime) -> bytes:
    """Make the registry's root certificate, DER, valid 20 years."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _cut(name))])
    builder = _builder(subject, subject, signer.public_key, now, ROOT_YEARS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    return _certify(builder, signer)


def make_leaf(
    root: bytes,
    root_signer: Signer,
    key: PublicKey,
    *,
    role: Role,
    name: str,
    code: str,
    now: datetime,
) -> bytes:
    """Make the certificate of one key for one role, DER, valid 3 years.

    ``name`` and ``code`` are the organisation's: the agency's, or the registry's own.
    """
    authority = x509.load_der_x509_certificate(root)
    builder = _builder(_organisation(name, code), authority.subject, key, now, LEAF_YEARS)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    usage = _usage("digital_signature", *(("content_commitment",) if role is Role.AGENCY else ()))
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([_EKU[role]]), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(
        _supported(authority.public_key())
    )
    return _certify(builder.add_extension(identifier, critical=False), root_signer)


def _organisation(name: str, code: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _cut(name)),
            x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, code),
            x509.NameAttribute(NameOID.COMMON_NAME, _cut(name)),
        ]
    )


def _cut(name: str) -> str:
    """Cut a name to the 64 bytes that X.520 attributes hold, between characters."""
    return name.encode()[:64].decode("utf-8", "ignore")


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, now: datetime, years: int
) -> x509.CertificateBuilder:
    start = now.replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * years))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


_USAGES = frozenset(
    {"digital_signature", "content_commitment", "key_encipherment", "data_encipherment"}
    | {"key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"}
)


def _usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in names for name in _USAGES})


def _certify(builder: x509.CertificateBuilder, signer: Signer) -> bytes:
    """Sign a certificate through a Signer, which never gives its key to the builder.

    The builder signs with a throw-away key of the same suite; what it put together is then signed
    by the real one (RFC 5280 §4.1: Certificate = tbsCertificate, algorithm, signature).
    """
    draft = builder.sign(*_throwaway(signer.suite))
    return _signed(draft.tbs_certificate_bytes, draft, signer)


def _signed(
    content: bytes, draft: x509.Certificate | x509.CertificateSigningRequest, signer: Signer
) -> bytes:
    """Sign what a draft was put together from; its AlgorithmIdentifier follows the signed part."""
    (whole,) = elements(draft.public_bytes(serialization.Encoding.DER))
    _, algorithm, _ = elements(whole.content)
    return sequence(content, algorithm.whole, bit_string(sign_der(signer, content)))


def make_request(signer: Signer, name: str, code: str) -> bytes:
    """Make a certificate request (PKCS#10, PEM) for an agency that brings its own certificate."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_organisation(name, code))
    draft = _request_for(builder, signer)
    return x509.load_der_x509_csr(draft).public_bytes(serialization.Encoding.PEM)


def _request_for(builder: x509.CertificateSigningRequestBuilder, signer: Signer) -> bytes:
    """Put the signer's key into the request that a throw-away key filled in (RFC 2986 §4)."""
    key, digest = _throwaway(signer.suite)
    draft = builder.sign(key, digest)
    before, after = (
        public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        for public in (key.public_key(), signer.public_key)
    )
    return _signed(draft.tbs_certrequest_bytes.replace(before, after), draft, signer)


def _throwaway(
    suite: str,
) -> tuple[ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, hashes.SHA256 | None]:
    if suite == ES256:
        return ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()
    return ed25519.Ed25519PrivateKey.generate(), None


def sign_der(signer: Signer, data: bytes) -> bytes:
    """Sign data as X.509 and CMS want it: for ES256 the DER of r and s (RFC 3279 §2.2.3)."""
    raw = signer.sign(data)
    if signer.suite != ES256:
        return raw
    return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def leaf_thumbprint(der: bytes) -> str | None:
    """Name the key of a certificate (DER) by its RFC 7638 thumbprint; None where it has none of ours."""
    try:
        key = parse_certificate(der).public_key()
        suite_of(key)
    except (InputError, UnsupportedAlgorithm, ValueError):
        return None
    return thumbprint(key)  # type: ignore[arg-type]  # suite_of refused every other kind


def parse_certificate(der: bytes) -> x509.Certificate:
    """Read one DER certificate. Raises: InputError."""
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise InputError("the X.509 certificate is too long")
    try:
        if not _has_positive_serial(der):  # the library only warns
            raise InputError("the X.509 certificate has no positive serial number")
        return x509.load_der_x509_certificate(der)
    except (ValueError, IndexError, StopIteration, x509.InvalidVersion) as error:
        raise InputError("not an X.509 certificate") from error


def _has_positive_serial(der: bytes) -> bool:
    """Look at the serial number (RFC 5280 §4.1.2.2) before the whole certificate is read."""
    whole = next(elements(der))
    fields = elements(next(elements(whole.content)).content)  # the members of tbsCertificate
    first = next(fields)
    serial = first if first.is_universal else next(fields)  # after the version, where it is written
    content = serial.content
    return serial.tag == INTEGER and content[0] < 0x80 and any(content)


def verify_chain(
    chain: Sequence[bytes], anchors: Sequence[bytes], *, role: Role, code: str | None, at: datetime
) -> VerifiedKey:
    """Check that a leaf speaks in a role, for one organisation, under one of its anchors.

    ``chain`` is DER, leaf first, without the anchor; ``code`` is the credit code that the leaf
    must carry (None: any); ``at`` is the signing time. Raises: SignatureError, InputError.
    """
    if not 1 <= len(chain) <= MAX_CHAIN:
        raise InputError(f"a chain has 1 to {MAX_CHAIN} certificates")
    certificates = [parse_certificate(der) for der in chain]
    leaf, *between = certificates
    path = _path(leaf, between, [parse_certificate(der) for der in anchors], role, at)
    if code is not None and organisation_code(leaf) != code:
        raise SignatureError("the certificate does not belong to this agency")
    key = _supported(leaf.public_key())
    return VerifiedKey(
        key=key,
        suite=suite_of(key),
        kid=thumbprint(key),
        not_before=max(int(one.not_valid_before_utc.timestamp()) for one in path),
        not_after=min(int(one.not_valid_after_utc.timestamp()) for one in path),
    )


def _path(
    leaf: x509.Certificate,
    between: list[x509.Certificate],
    anchors: list[x509.Certificate],
    role: Role,
    at: datetime,
) -> list[x509.Certificate]:
    if leaf in anchors:
        raise SignatureError("a trust anchor must not sign documents itself")
    if not anchors:
        raise SignatureError("there is no trust anchor for this agency")
    try:
        verifier = (
            verification.PolicyBuilder()
            .store(verification.Store(anchors))
            .time(at.astimezone(UTC).replace(tzinfo=None))
            .max_chain_depth(MAX_CHAIN)
            .extension_policies(ca_policy=_CA_POLICY, ee_policy=_leaf_policy(role))
            .build_client_verifier()
        )
        return list(verifier.verify(leaf, between).chain)
    except _BAD_CHAIN as error:
        raise SignatureError("the certificate chain does not hold") from error


_BAD_CHAIN = (
    *(verification.VerificationError, UnsupportedAlgorithm, ValueError),
    *(x509.UnsupportedGeneralNameType, x509.DuplicateExtension, x509.InvalidVersion),
)


def _check_authority(
    _policy: verification.Policy, _authority: x509.Certificate, usage: x509.KeyUsage | None
) -> None:
    if usage is not None and not usage.key_cert_sign:  # RFC 5280 §6.1.4 (n)
        raise ValueError("the key usage does not allow certifying")


_CA_POLICY = (
    verification.ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, verification.Criticality.AGNOSTIC, None)
    .may_be_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _check_authority)
)


def _leaf_policy(role: Role) -> verification.ExtensionPolicy:
    agnostic = verification.Criticality.AGNOSTIC
    policy = verification.ExtensionPolicy.permit_all()
    wanted = _EKU[role]

    def check_usage(
        _policy: verification.Policy, _leaf: x509.Certificate, usage: x509.KeyUsage
    ) -> None:
        commits = usage.content_commitment or role is not Role.AGENCY
        if not usage.digital_signature or not commits or usage.key_cert_sign:
            raise ValueError("the key usage does not allow signing documents")

    def check_extended(
        _policy: verification.Policy, _leaf: x509.Certificate, usage: x509.ExtendedKeyUsage
    ) -> None:
        if list(usage) != [wanted]:
            raise ValueError("a leaf serves one role only, and this is another")

    policy = policy.require_present(x509.KeyUsage, agnostic, check_usage)
    return policy.require_present(x509.ExtendedKeyUsage, agnostic, check_extended)


def organisation_code(leaf: x509.Certificate) -> str | None:
    """Give the credit code that a certificate carries (2.5.4.97), or None."""
    found = leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_IDENTIFIER)
    return str(found[0].value) if len(found) == 1 else None


def _supported(key: object) -> PublicKey:
    suite_of(key)
    assert isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey)  # noqa: S101 - for mypy
    return key


def certificate_window(der: bytes) -> tuple[datetime, datetime]:
    """Give the validity of a certificate."""
    found = parse_certificate(der)
    return found.not_valid_before_utc, found.not_valid_after_utc
