"""Acts upon certificates against what was signed: statements 操作声明 and annotated copies 加注件."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ecert._encoding import b64url, instant, rfc3339
from ecert.errors import EcertError
from ecert.formats.annotation import EVENT, UnverifiedCopy, copy_digest, parse_copy
from ecert.formats.receipt import commitment, log_entry
from ecert.formats.seal import DIGEST_BYTES, RECIPIENT, STATUS, SUB, parse_seal, shorten
from ecert.formats.statement import EVENTS, Statement, parse_statement
from ecert.formats.unverified_credential import UnverifiedCredential
from ecert.inspection.fault import Fault
from ecert.issuance.signing import REGISTRY_ITSELF
from ecert.model import SUCCESSIONS, Operation


def signer_of(issuer: str, base: str) -> str:
    """Name who signed, as the log does: an agency's code, or ``-`` for the registry itself."""
    return REGISTRY_ITSELF if issuer == base else issuer.removeprefix(f"{base}/agencies/")


@dataclass(frozen=True, slots=True)
class StatementFile:
    """A statement's row, the certificate it is about, and what log and trail have of it."""

    row: Any
    certificate: Any
    entries: Mapping[int, bytes]
    acts: Mapping[int, Any]
    base: str

    @property
    def place(self) -> str:
        """Name the row."""
        return f"statements/{self.row.log_index}"

    def faults(self) -> Iterator[Fault]:
        """Name all that is not as it was signed."""
        try:
            _, issuer, signed = parse_statement(self.row.token)
        except EcertError as error:
            yield Fault("statement_changed", self.place, error.message)
            return
        if self.entries.get(self.row.log_index) != self._entry(issuer, signed):
            yield Fault("statement_not_logged", self.place)
        for name, value in self._signed(signed).items():
            if getattr(self.row, name) != value:
                yield Fault("statement_changed", self.place, name)
        if signed.credential_digest != b64url(bytes(self.certificate.digest)):
            yield Fault("statement_changed", self.place, "credential_digest")
        if not self._is_told(signed):
            yield Fault("statement_changed", self.place, "trail_index")

    def _entry(self, issuer: str, signed: Statement) -> bytes:
        return log_entry(
            event=EVENTS[signed.operation],
            time=rfc3339(instant(signed.at)),
            issuer=signer_of(issuer, self.base),
            kind=self.certificate.slug,
            commitment=commitment(bytes(self.row.salt), self.row.token.encode()),
            ref=self.certificate.log_index,
        )

    def _signed(self, signed: Statement) -> dict[str, Any]:
        return {
            "certificate": signed.subject,
            "operation": signed.operation.value,
            "status": signed.status.value,
            "at": signed.at,
            "reason": signed.basis.reason,
            "basis": signed.basis.basis,
            "operator": signed.basis.operator,
            "successor": signed.successor,
        }

    def _is_told(self, signed: Statement) -> bool:
        """Tell whether the trail has the act; of a batch of successions it names the first row."""
        if self.row.trail_index is None:  # of an older version
            return True
        act = self.acts.get(self.row.trail_index)
        if act is None or act.outcome != "done":
            return False
        if signed.operation in SUCCESSIONS:
            return act.action in {*SUCCESSIONS, Operation.ISSUE}
        return (act.action, act.certificate) == (signed.operation.value, signed.subject)


@dataclass(frozen=True, slots=True)
class CopyFile:
    """An annotated copy's row, its certificate, and what the log has of it."""

    row: Any
    certificate: Any
    credential: UnverifiedCredential
    entries: Mapping[int, bytes]
    base: str

    @property
    def place(self) -> str:
        """Name the row."""
        return f"copies/{self.row.log_index}"

    def faults(self) -> Iterator[Fault]:
        """Name all that is not as it was signed."""
        try:
            read = parse_copy(self.row.token)
        except EcertError as error:
            yield Fault("copy_changed", self.place, error.message)
            return
        if self.entries.get(self.row.log_index) != self._entry(read):
            yield Fault("copy_not_logged", self.place)
        for name, value in self._signed(read).items():
            if getattr(self.row, name) != value:
                yield Fault("copy_changed", self.place, name)
        yield from self._of_seal(read)

    def _entry(self, read: UnverifiedCopy) -> bytes:
        return log_entry(
            event=EVENT,
            time=rfc3339(instant(read.copy.made_at)),
            issuer=signer_of(read.issuer, self.base),
            kind=self.certificate.slug,
            commitment=commitment(bytes(self.row.salt), self.row.token.encode()),
            ref=self.certificate.log_index,
        )

    def _signed(self, read: UnverifiedCopy) -> dict[str, Any]:
        return {
            "certificate": read.copy.subject,
            "recipient": read.copy.recipient,
            "purpose": read.copy.purpose,
            "until": read.copy.until.isoformat(),
            "made_at": read.copy.made_at,
        }

    def _of_seal(self, read: UnverifiedCopy) -> Iterator[Fault]:
        try:
            claims = parse_seal(self.row.seal).claims
        except EcertError as error:
            yield Fault("seal_changed", self.place, error.message)
            return
        status = self.credential.status
        expected: dict[int | str, Any] = {
            SUB: self.certificate.id.split(".", 5)[5],
            STATUS: {"status_list": {"idx": status.index, "uri": status.uri}},
            RECIPIENT: shorten(read.copy.recipient),
            "c": copy_digest(self.row.token)[:DIGEST_BYTES],
        }
        if any(claims.get(name) != value for name, value in expected.items()):
            yield Fault("seal_changed", self.place)
