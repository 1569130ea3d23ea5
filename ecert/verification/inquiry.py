"""One verification in progress: what is asked, whom to believe, and what the exhibit claims."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ecert.catalogue import Catalogue
from ecert.errors import IdentifierError
from ecert.formats.seal import EXP, IAT, NBF, STATUS, SUB, UnverifiedSeal
from ecert.formats.unverified_credential import UnverifiedCredential
from ecert.ids import ROOT, Identifier, parse_tail
from ecert.keys import Trust, TrustedAgency, TrustedRegistry
from ecert.verification.exhibit import Exhibit
from ecert.verification.report import Finding, found
from ecert.verification.status_tokens import StatusTokens

if TYPE_CHECKING:
    from ecert.verification.lookup import Lookup


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked of a verifier: whom it believes, what it knows, and about which moment.

    ``is_past`` says that somebody asked about a moment before ``now``.
    """

    trust: Trust
    catalogue: Catalogue
    tokens: StatusTokens
    now: datetime
    moment: datetime
    is_past: bool = False
    lookup: Lookup | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What an exhibit says of itself, the same for a credential and for a seal: nothing is checked yet."""

    registry: TrustedRegistry
    identifier: str
    issuer: str
    iat: int
    nbf: int
    exp: int | None
    status_uri: str
    status_index: int
    is_copy: bool = False  # the seal of an annotated copy: signed long after the issue
    slug: str | None = None  # the type, where the verifier knows it
    parsed: Identifier | None = None  # the identifier taken apart, where that was done already

    @property
    def signer(self) -> str:
        """The agency that signed: the issuer, or of a copy whoever answered for it by then."""
        if not self.is_copy or self.slug is None:
            return self.issuer
        return self.registry.responsible(self.issuer, self.slug, self.iat)

    @property
    def agency(self) -> TrustedAgency:
        """The agency whose keys the signature was checked with. Raises: KeyError before that."""
        return self.registry.agencies[self.issuer]


def claim_of(exhibit: Exhibit, trust: Trust, catalogue: Catalogue) -> Claim | Finding:
    """Find the registry that an exhibit belongs to; else the finding that stops the verification."""
    if exhibit.credential is not None:
        return _of_credential(exhibit.credential, trust)
    assert exhibit.seal is not None  # noqa: S101 - the caller looked: one of the two was read
    return _of_seal(exhibit.seal, trust, catalogue)


def _of_credential(credential: UnverifiedCredential, trust: Trust) -> Claim | Finding:
    registry = trust.find(credential.base)
    if registry is None:
        return found("signature", "registry_unknown")
    return Claim(
        registry,
        credential.certificate.id,
        credential.certificate.issuer_code,
        credential.iat,
        credential.nbf,
        credential.exp,
        credential.status.uri,
        credential.status.index,
        slug=credential.certificate.type.slug,
    )


def _of_seal(seal: UnverifiedSeal, trust: Trust, catalogue: Catalogue) -> Claim | Finding:
    claims, status = seal.claims, seal.claims[STATUS]["status_list"]
    try:
        identifier = parse_tail(claims[SUB])
    except IdentifierError:
        return found("read", "unreadable")
    registry = trust.of_address(status["uri"])
    if registry is None:
        return found("signature", "registry_unknown")
    kind = catalogue.of_code(identifier.type_code)
    return Claim(
        registry,
        f"{ROOT}.{claims[SUB]}",  # as it was read: its check character was right
        identifier.issuer_code,
        claims[IAT],
        claims[NBF],
        claims.get(EXP),
        status["uri"],
        status["idx"],
        seal.is_copy,
        None if kind is None else kind.slug,
        identifier,
    )
