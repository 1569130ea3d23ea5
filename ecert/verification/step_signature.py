"""Step 2, signature: a chain to an anchor listed for that agency, and a key that was good when it signed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ecert.errors import EcertError, SignatureError
from ecert.formats._jws import verify_jws
from ecert.formats.seal import UnverifiedSeal, verify_seal
from ecert.keys import KeyStanding, TrustedRegistry, VerifiedKey
from ecert.verification.exhibit import Exhibit
from ecert.verification.inquiry import Claim
from ecert.verification.report import Finding, found, gravest
from ecert.verification.step_log import Logged

if TYPE_CHECKING:
    from ecert.verification.document import OpenedDocument

CLOCK_SKEW_SECONDS = 300
_BY = frozenset({"signature_good", "key_compromised", "signed_later", "document_updated"})


def is_signed(finding: Finding) -> bool:
    """Tell whether the agency's signature holds, whatever else is to be said of it."""
    return finding.code in _BY


def judge_signature(
    exhibit: Exhibit,
    claim: Claim,
    *,
    now: datetime,
    logged: Logged | None,
    opened: OpenedDocument | None,
) -> tuple[Finding, VerifiedKey | None]:
    """Judge the signature of a credential or a seal and, of a document, what was signed besides.

    Gives the key that signed, where one did.
    """
    agency = claim.registry.agencies.get(claim.issuer)
    if agency is None:
        code = "trust_too_old" if is_later(claim) else "agency_unknown"
        return found("signature", code), None
    signer = claim.registry.agencies.get(claim.signer, agency)
    if exhibit.credential is None and not signer.certificates:
        return found("signature", "no_certificates"), None
    try:
        key = _signing_key(exhibit, claim)
    except EcertError:
        return found("signature", "signature_bad"), None
    own = found("signature", _judge_key(claim, key, now, logged), claim.iat)
    if opened is None:
        return own, key
    besides = (found("signature", code, claim.iat) for code in _judge_document(opened, now))
    return gravest([own, *besides]), key


def is_later(claim: Claim) -> bool:
    """Tell whether something was signed after what the trust file knows of."""
    as_of = claim.registry.as_of
    return as_of is not None and claim.iat > int(as_of.at.timestamp())


def _signing_key(exhibit: Exhibit, claim: Claim) -> VerifiedKey:
    if (credential := exhibit.credential) is not None:
        key = claim.registry.agency_key(claim.issuer, credential.jws.header.chain, claim.iat)
        verify_jws(credential.jws, key.key)
        return key
    assert exhibit.seal is not None  # noqa: S101 - one of the two was read
    return _key_of_seal(exhibit.seal, claim)


def _key_of_seal(seal: UnverifiedSeal, claim: Claim) -> VerifiedKey:
    """Try the listed certificates of the agency: a seal names no key."""
    signer = claim.registry.agencies.get(claim.signer, claim.agency)
    for chain in signer.chains():
        try:
            key = claim.registry.agency_key(signer.code, chain, claim.iat)
            verify_seal(seal, key.key)
        except EcertError:
            continue
        return key
    raise SignatureError("no listed certificate of the agency fits the seal")


def _judge_key(claim: Claim, key: VerifiedKey, now: datetime, logged: Logged | None) -> str:
    """Retired: good if signed before. Compromised: good only with a proof from before."""
    logged_at = 0 if logged is None else logged.at or 0
    latest = max(claim.iat, logged_at)  # iat is the signer's word, the log's is not
    code = _judge_moment(claim.registry, key, now, at=claim.iat, latest=latest)
    if code != "key_compromised" or logged is None:
        return code
    is_before = logged.index < claim.registry.compromised[key.kid].log_size
    return "signature_good" if is_before else "key_compromised_after"


def _judge_moment(
    registry: TrustedRegistry, key: VerifiedKey, now: datetime, *, at: int, latest: int
) -> str:
    """Judge a key that signed at a moment, and was used by ``latest`` at the latest."""
    standing = registry.standing(key, latest)
    if standing is KeyStanding.RETIRED:
        return "key_retired"
    if at > now.timestamp() + CLOCK_SKEW_SECONDS:
        return "signed_later"
    return "key_compromised" if standing is KeyStanding.COMPROMISED else "signature_good"


def _judge_document(opened: OpenedDocument, now: datetime) -> list[str]:
    """Judge what was signed besides the credential: the file, and the record of a copy."""
    document, copy, registry = opened.signed, opened.exhibit.copy, opened.registry
    at = document.claimed_at  # nothing but the signer vouches for it
    codes = ["document_updated"] if document.rest else []
    codes.append(_judge_moment(registry, opened.key, now, at=at, latest=at))
    if copy is not None:
        try:
            key = opened.copy_key(copy)
        except EcertError:
            return ["copy_bad"]
        at = copy.copy.made_at
        codes.append(_judge_moment(registry, key, now, at=at, latest=at))
    return codes
