"""Who acts 操作人, on what grounds, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ecert._encoding import rfc3339
from ecert.model.status import Operation, Status


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts 操作人, for which agency and client, and what for: it goes into the audit trail.

    ``agency`` None is the registry's own operator. ``scopes`` None means no limit (in-process use
    is inside the operator's trust); over HTTP it is what the token grants. ``verified`` is the HMAC
    of the code that an identity provider vouches for; None: the operator is the caller's word.
    """

    operator: str
    agency: str | None = None
    client: str | None = None
    purpose: str = ""
    matter: str = ""
    scopes: frozenset[str] | None = None
    verified: str | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """Why an operation is done: reason, basis document 依据, and who did it."""

    reason: str
    basis: str
    operator: str


@dataclass(frozen=True, slots=True)
class Event:
    """One statement in a certificate's history: a signed act and its place in the log."""

    operation: Operation
    status: Status
    at: datetime
    reason: str
    basis: str
    operator: str
    log_index: int
    successor: str | None = None
    token: str = field(default="", repr=False)

    def to_json(self) -> dict[str, Any]:
        """Give the shape of an entry of ``history``."""
        return {
            "operation": self.operation.value,
            "status": self.status.value,
            "at": rfc3339(self.at),
            "reason": self.reason,
            "basis": self.basis,
            "operator": self.operator,
            "successor": self.successor,
            "log_index": self.log_index,
        }
