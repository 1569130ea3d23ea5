"""A statement 操作声明 on its way into the log: signed by its agency, with its entry and its row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ecert._encoding import instant, rfc3339
from ecert.formats.receipt import SALT_BYTES, commitment, log_entry
from ecert.formats.statement import EVENTS, Statement, sign_statement
from ecert.ledger.acting import Desk
from ecert.model import Record

REGISTRY_ITSELF = "-"  # signs where an agency was closed and nobody took over


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A signed act upon a certificate; ``salt`` opens the log's commitment to it."""

    record: Record
    statement: Statement
    token: str
    salt: bytes
    signer: str  # an agency, or - for the registry itself

    def entry(self) -> bytes:
        """Give its log entry; it refers to the issue."""
        return log_entry(
            event=EVENTS[self.statement.operation],
            time=rfc3339(instant(self.statement.at)),
            issuer=self.signer,
            kind=self.record.slug,
            commitment=commitment(self.salt, self.token.encode("ascii")),
            ref=self.record.log_index,
        )

    def columns(self, log_index: int, trail_index: int) -> dict[str, Any]:
        """Give its row, with its places in the log and in the trail."""
        statement = self.statement
        return {
            "log_index": log_index,
            "trail_index": trail_index,
            "certificate": statement.subject,
            "operation": statement.operation.value,
            "status": statement.status.value,
            "at": statement.at,
            "reason": statement.basis.reason,
            "basis": statement.basis.basis,
            "operator": statement.basis.operator,
            "successor": statement.successor,
            "salt": self.salt,
            "token": self.token,
        }


def sign(desk: Desk, record: Record, statement: Statement, signer: str) -> SignedStatement:
    """Sign a statement with the key of the agency that acts, or the registry's. Raises: KeyUnavailable."""
    if signer == REGISTRY_ITSELF:
        key, issuer = desk.keys.registry_key(), desk.base
    else:
        key, issuer = desk.keys.agency_key(signer), desk.charter.agency_address(signer)
    token = sign_statement(statement, key.signer, issuer=issuer, chain=key.chain)
    return SignedStatement(record, statement, token, desk.randomness(SALT_BYTES), signer)
