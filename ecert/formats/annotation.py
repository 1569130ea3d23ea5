"""An annotated copy 加注件: a certificate lent for one purpose, to one recipient, until one day.

The copy's own record is a signed token (``ecert-copy+jwt``, agency's key); its commitment is in the
log, its digest in the copy's seal. After ``until`` it has lapsed, whatever the certificate is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ecert._encoding import sha256, to_json
from ecert.errors import InputError, TokenError
from ecert.formats._jws import (
    COPY,
    UnverifiedJws,
    parse_compact,
    seconds_claim,
    sign_jws,
    text_claim,
)
from ecert.keys import Signer
from ecert.model import is_line

EVENT = "copy"  # its name in the log
MAX_TEXT = 100  # of a recipient or a purpose: they stand in the watermark


@dataclass(frozen=True, slots=True)
class Copy:
    """What a copy says; ``made_at`` and ``lapses_at`` in Unix seconds.

    ``until`` is the last day it is good for, in the agency's time zone, and ``lapses_at`` 00:00 of
    the day after. ``credential_digest`` (base64url) names the certificate's credential.
    """

    subject: str
    recipient: str
    purpose: str
    until: date
    made_at: int
    lapses_at: int
    credential_digest: str

    def to_json(self) -> dict[str, str]:
        """Give what a report shows of a copy."""
        return {
            "recipient": self.recipient,
            "purpose": self.purpose,
            "until": self.until.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class UnverifiedCopy:
    """A copy's token taken apart; its signature has not been checked."""

    jws: UnverifiedJws
    token: str
    issuer: str
    copy: Copy

    @property
    def digest(self) -> bytes:
        """SHA-256 of the token in ASCII, 32 bytes: what the copy's seal points to."""
        return copy_digest(self.token)


def copy_digest(token: str) -> bytes:
    """Name a copy by its token: SHA-256 of its ASCII, 32 bytes."""
    return sha256(token.encode("ascii"))


def check_copy_text(name: str, value: str) -> str:
    """Check a recipient or purpose: one line of 1 to 100 characters. Raises: InputError."""
    if not is_line(value, MAX_TEXT):
        raise InputError(f"the copy's {name} is one line of 1 to {MAX_TEXT} characters")
    return value


def sign_copy(copy: Copy, signer: Signer, *, issuer: str, chain: tuple[bytes, ...]) -> str:
    """Sign a copy's token; ``issuer`` is the agency's address, ``BASE/agencies/<credit code>``."""
    claims = {
        "iss": issuer,
        "sub": copy.subject,
        "iat": copy.made_at,
        "exp": copy.lapses_at,
        "recipient": copy.recipient,
        "purpose": copy.purpose,
        "until": copy.until.isoformat(),
        "credential_digest": copy.credential_digest,
    }
    return sign_jws(to_json(claims), signer, typ=COPY, chain=chain)


def parse_copy(token: str) -> UnverifiedCopy:
    """Take a copy's token apart. Raises: TokenError."""
    jws = parse_compact(token, typ=COPY)
    claims = jws.unverified_claims()
    try:
        return UnverifiedCopy(jws, token, text_claim(claims, "iss"), _to_copy(claims))
    except (KeyError, ValueError, TypeError, InputError) as error:
        raise TokenError("the copy's token is malformed") from error


def _to_copy(claims: Mapping[str, Any]) -> Copy:
    made_at, lapses_at = seconds_claim(claims, "iat"), seconds_claim(claims, "exp")
    return Copy(
        subject=text_claim(claims, "sub"),
        recipient=check_copy_text("recipient", text_claim(claims, "recipient")),
        purpose=check_copy_text("purpose", text_claim(claims, "purpose")),
        until=date.fromisoformat(text_claim(claims, "until")),
        made_at=made_at,
        lapses_at=lapses_at,
        credential_digest=text_claim(claims, "credential_digest"),
    )
