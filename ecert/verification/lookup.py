"""Whether the registry itself issued what is shown 本站查询: a stolen key signs well, and is unknown here.

Only the registry's own service can say so, from its store; whoever verifies offline proves that "this
agency's key signed this", not that it was registered (design §10.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ecert.formats.seal import UnverifiedSeal
from ecert.verification.exhibit import Exhibit
from ecert.verification.inquiry import Claim
from ecert.verification.report import Finding, found


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for: a certificate, by the digest of its credential, and a copy of it.

    Digests are SHA-256, or their first 16 bytes, as a seal carries them.
    """

    identifier: str
    credential: bytes | None
    copy: bytes | None


class Lookup(Protocol):
    """What a registry knows of its own certificates."""

    @property
    def base(self) -> str:
        """The registry's address: only what bears it is looked up."""

    def find_issue(self, sought: Sought) -> int | None:
        """Give the log index of an issue, or None when this was never issued here."""

    def is_certain(self) -> bool:
        """Tell whether what is not there was never there: not so while the log would fork."""


def look_up(
    lookup: Lookup | None, exhibit: Exhibit, claim: Claim
) -> tuple[Finding | None, int | None]:
    """Ask the registry; give a finding where it knows nothing of it, and the log index where it does."""
    if lookup is None or lookup.base != claim.registry.base_url:
        return None, None
    index = lookup.find_issue(_sought(exhibit, claim))
    if index is not None:
        return None, index
    code = "unknown_here" if lookup.is_certain() else "not_looked_up"
    return found("log", code), None


def _sought(exhibit: Exhibit, claim: Claim) -> Sought:
    if (credential := exhibit.credential) is not None:
        copy = None if exhibit.copy is None else exhibit.copy.digest
        return Sought(claim.identifier, credential.digest, copy)
    assert exhibit.seal is not None  # noqa: S101 - one of the two was read
    return _of_seal(exhibit.seal, claim.identifier)


def _of_seal(seal: UnverifiedSeal, identifier: str) -> Sought:
    digest = seal.claims["c"]
    return Sought(identifier, None, digest) if seal.is_copy else Sought(identifier, digest, None)
