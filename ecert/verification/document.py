"""Opening a document: its signature first, and only then what is inside; page and record last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ecert._encoding import b64url
from ecert.catalogue import CertificateType
from ecert.errors import DocumentError, EcertError, InputError, SignatureError
from ecert.formats._jws import verify_jws
from ecert.formats.annotation import UnverifiedCopy, parse_copy
from ecert.formats.credential import issuer_address
from ecert.formats.picture import check_image
from ecert.formats.receipt import parse_receipt
from ecert.formats.seal import UnverifiedSeal, parse_seal, seal_claims, verify_seal
from ecert.formats.unverified_credential import UnverifiedCredential, parse_credential
from ecert.keys import Trust, TrustedRegistry, VerifiedKey
from ecert.model import Validity
from ecert.pdf.compare import compare
from ecert.pdf.parts import Parts
from ecert.pdf.read import SignedDocument, UnverifiedDocument, check_signature, read_parts
from ecert.verification.exhibit import Exhibit
from ecert.verification.report import Finding, found


@dataclass(frozen=True, slots=True)
class OpenedDocument:
    """A document whose signer is trusted: the key that signed, when it says so, and what is inside."""

    signed: SignedDocument
    registry: TrustedRegistry
    key: VerifiedKey
    parts: Parts
    exhibit: Exhibit

    def copy_key(self, copy: UnverifiedCopy) -> VerifiedKey:
        """Check a copy's record: the issuer's signature, and that it speaks of this credential.

        Raises: SignatureError, InputError.
        """
        credential, said = _credential(self.exhibit), copy.copy
        certificate = credential.certificate
        signer = _responsible(self.registry, credential, said.made_at)
        key = self.registry.agency_key(signer, copy.jws.header.chain, said.made_at)
        verify_jws(copy.jws, key.key)
        if copy.issuer != issuer_address(self.registry.base_url, signer):
            raise SignatureError("the copy is another agency's")
        digest = b64url(credential.digest)
        if said.subject != certificate.id or said.credential_digest != digest:
            raise SignatureError("the copy is of another certificate")
        zone = self.registry.agencies[certificate.issuer_code].time_zone
        if Validity(said.until, said.until).seconds(zone)[1] != said.lapses_at:
            raise SignatureError("the copy's two spellings of its end disagree")
        return key

    def agreement(self, kind: CertificateType | None) -> str:
        """Give the reason of the agreement step: the code first, then the page."""
        credential, seal = _credential(self.exhibit), self.exhibit.seal
        assert seal is not None  # noqa: S101 - every document has one
        if kind is None or kind.template != credential.certificate.type.template:
            return "template_unknown"
        if not _is_signed(self, seal) or dict(seal.claims) != _claims(self.exhibit, kind):
            return "seal_differs"
        return compare(self.signed, self.parts, kind)


def _responsible(registry: TrustedRegistry, credential: UnverifiedCredential, at: int) -> str:
    """Name who signs files and copies of a certificate at a moment: its issuer, or its successor."""
    certificate = credential.certificate
    return registry.responsible(certificate.issuer_code, certificate.type.slug, at)


def _credential(inside: Exhibit) -> UnverifiedCredential:
    assert inside.credential is not None  # noqa: S101 - every document has one
    return inside.credential


def open_document(
    document: UnverifiedDocument, exhibit: Exhibit, trust: Trust
) -> OpenedDocument | Finding:
    """Open a document that a trusted agency signed; else give the finding that stops it."""
    try:
        signed = check_signature(document)
    except SignatureError:
        return found("signature", "document_signature_bad")
    known = [one for one in trust.registries if signed.agency in one.agencies]
    if not known:
        return found("signature", "signer_unknown")
    trusted = {one.base_url: key for one in known if (key := _key(signed, one)) is not None}
    if not trusted:
        return found("signature", "document_signature_bad")
    try:
        parts = read_parts(signed)
        inside = _inside(parts, exhibit)
    except DocumentError as error:
        return found("read", error.reason)
    except InputError:
        return found("read", "document_parts")
    credential = _credential(inside)
    key = trusted.get(credential.base)
    registry = trust.find(credential.base)
    if key is None or registry is None:
        return found("signature", "document_signer")
    if signed.agency != _responsible(registry, credential, signed.claimed_at):
        return found("signature", "document_signer")
    return OpenedDocument(signed, registry, key, parts, inside)


def _key(signed: SignedDocument, registry: TrustedRegistry) -> VerifiedKey | None:
    try:
        return registry.agency_key(signed.agency, signed.chain, signed.claimed_at)
    except EcertError:
        return None


def _inside(parts: Parts, exhibit: Exhibit) -> Exhibit:
    copy_receipt = parts.copy_receipt
    if parts.image is not None:
        check_image(parts.image)
    return replace(
        exhibit,
        credential=parse_credential(parts.credential),
        seal=parse_seal(parts.seal),
        receipt=parse_receipt(parts.receipt),
        copy=None if parts.copy is None else parse_copy(parts.copy),
        copy_receipt=None if copy_receipt is None else parse_receipt(copy_receipt),
    )


def _is_signed(opened: OpenedDocument, seal: UnverifiedSeal) -> bool:
    """Check the code's signature, under the chain of the record that it points to."""
    credential, copy = _credential(opened.exhibit), opened.exhibit.copy
    chain = credential.jws.header.chain if copy is None else copy.jws.header.chain
    made_at = credential.iat if copy is None else copy.copy.made_at
    try:
        signer = credential.certificate.issuer_code
        if copy is not None:
            signer = _responsible(opened.registry, credential, made_at)
        key = opened.registry.agency_key(signer, chain, made_at)
        verify_seal(seal, key.key)
    except EcertError:
        return False
    return seal.origin == opened.registry.base_url


def _claims(inside: Exhibit, kind: CertificateType) -> dict[int | str, Any]:
    """Say what the code must say, to the letter, if it is this record's."""
    credential, copy = _credential(inside), inside.copy
    status = credential.status
    return seal_claims(
        credential.certificate,
        digest=credential.digest if copy is None else copy.digest,
        status=(status.index, status.uri),
        seconds=(credential.nbf, credential.exp if copy is None else copy.copy.lapses_at),
        masks=kind.masks,
        copy=None if copy is None else copy.copy,
    )
