"""Step 3, type: a known version, and fields that fit it."""

from __future__ import annotations

from dataclasses import replace

from ecert.catalogue import Catalogue, CertificateType
from ecert.errors import IdentifierError, InputError
from ecert.formats.unverified_credential import UnverifiedCredential, check_fields
from ecert.ids import Identifier, parse_identifier
from ecert.verification.competence import Proof, judge_competence
from ecert.verification.exhibit import Exhibit
from ecert.verification.inquiry import Claim
from ecert.verification.report import Finding, Outcome, found, gravest


def judge_type(
    exhibit: Exhibit, claim: Claim, catalogue: Catalogue, proof: Proof
) -> tuple[Finding, CertificateType | None]:
    """Judge an exhibit's type and identifier, and the right to issue it.

    Gives the type as this verifier knows it.
    """
    finding, kind = _judge_contents(exhibit, claim, catalogue)
    if exhibit.credential is not None:
        certificate = exhibit.credential.certificate
        right = judge_competence(claim, certificate.type.slug, certificate.issuer_name, proof)
    elif kind is not None:
        right = judge_competence(claim, kind.slug, None, proof)
    else:
        return finding, None
    if finding.outcome is Outcome.PASSED:
        return right, kind
    return replace(gravest([finding, right]), evidence_at=right.evidence_at), kind


def _judge_contents(
    exhibit: Exhibit, claim: Claim, catalogue: Catalogue
) -> tuple[Finding, CertificateType | None]:
    try:
        identifier = claim.parsed or parse_identifier(claim.identifier)
    except IdentifierError:
        return found("type", "identifier_bad"), None
    if (credential := exhibit.credential) is not None:
        return _of_credential(credential, identifier, catalogue)
    kind = catalogue.of_code(identifier.type_code)
    return found("type", "type_unknown" if kind is None else "type_good"), kind


def _of_credential(
    credential: UnverifiedCredential, identifier: Identifier, catalogue: Catalogue
) -> tuple[Finding, CertificateType | None]:
    certificate = credential.certificate
    named = (identifier.issuer_code, identifier.type_code)
    if named != (certificate.issuer_code, certificate.type.code):
        return found("type", "identifier_bad"), None
    kind = catalogue.get(certificate.type.slug, certificate.type.version)
    return found("type", _judge(credential, kind)), kind


def _judge(credential: UnverifiedCredential, kind: CertificateType | None) -> str:
    if kind is None:
        return "type_unknown"
    if kind.integrity(credential.base) != credential.integrity:
        return "type_differs"
    if not kind.is_code(credential.certificate.type.code):
        return "type_bad"
    try:
        check_fields(credential.certificate, kind, is_whole=not credential.hidden)
    except InputError:
        return "type_bad"
    return "type_good"
