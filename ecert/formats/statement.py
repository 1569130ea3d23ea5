"""A statement 操作声明: a signed act upon a certificate, with its reason, basis and operator.

Every operation after the issue is one (``ecert-statement+jwt``, signed by the agency's key), and
every one is in the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecert._encoding import to_json
from ecert.errors import TokenError
from ecert.formats._jws import (
    STATEMENT,
    UnverifiedJws,
    parse_compact,
    seconds_claim,
    sign_jws,
    text_claim,
)
from ecert.keys import Signer
from ecert.model import Basis, Operation, Status

EVENTS = {  # the name of each operation in the log
    Operation.ISSUE: "issue",
    Operation.CHANGE: "supersede",
    Operation.RENEW: "supersede",
    Operation.REPLACE: "supersede",
    Operation.SUSPEND: "suspend",
    Operation.RESUME: "resume",
    Operation.CANCEL: "cancel",
    Operation.WITHDRAW: "withdraw",
    Operation.REVOKE: "revoke",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """What an agency did to one certificate; ``at`` in Unix seconds, ``status`` what it led to."""

    subject: str
    operation: Operation
    status: Status
    at: int
    basis: Basis
    credential_digest: str
    successor: str | None = None


def sign_statement(
    statement: Statement, signer: Signer, *, issuer: str, chain: tuple[bytes, ...]
) -> str:
    """Sign a statement; ``issuer`` is the agency's address, ``BASE/agencies/<credit code>``."""
    claims = {
        "iss": issuer,
        "sub": statement.subject,
        "iat": statement.at,
        "operation": statement.operation.value,
        "status": statement.status.value,
        "reason": statement.basis.reason,
        "basis": statement.basis.basis,
        "operator": statement.basis.operator,
        "credential_digest": statement.credential_digest,
    }
    if statement.successor is not None:
        claims["successor"] = statement.successor
    return sign_jws(to_json(claims), signer, typ=STATEMENT, chain=chain)


def parse_statement(token: str) -> tuple[UnverifiedJws, str, Statement]:
    """Take a statement apart; give the JWS, its ``iss`` and the unverified statement.

    Raises: TokenError.
    """
    jws = parse_compact(token, typ=STATEMENT)
    claims = jws.unverified_claims()
    try:
        return jws, text_claim(claims, "iss"), _to_statement(claims)
    except (KeyError, ValueError, TypeError) as error:
        raise TokenError("the statement is malformed") from error


def _to_statement(claims: Mapping[str, Any]) -> Statement:
    at, successor = seconds_claim(claims, "iat"), claims.get("successor")
    if not isinstance(successor, str | None):
        raise TypeError("a successor is a text")
    return Statement(
        subject=text_claim(claims, "sub"),
        operation=Operation(claims["operation"]),
        status=Status(claims["status"]),
        at=at,
        basis=Basis(
            text_claim(claims, "reason"),
            text_claim(claims, "basis"),
            text_claim(claims, "operator"),
        ),
        credential_digest=text_claim(claims, "credential_digest"),
        successor=successor,
    )
