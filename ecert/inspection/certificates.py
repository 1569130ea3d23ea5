"""Certificates against what was signed: the credential, its log entry, and the acts upon it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ecert._encoding import instant, parse_json, rfc3339
from ecert.catalogue import Catalogue
from ecert.errors import EcertError
from ecert.formats.receipt import commitment, log_entry
from ecert.formats.seal import parse_seal, seal_claims
from ecert.formats.statement import EVENTS
from ecert.formats.unverified_credential import UnverifiedCredential, parse_credential
from ecert.inspection.acts import CopyFile, StatementFile
from ecert.inspection.fault import Cursor, Fault, Portion
from ecert.model import Operation, Status, certificate_json
from ecert.store import Reading, inspected, trees
from ecert.store import tables as t

AT_ONCE = 200
Hide = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Standard:
    """What certificates are held against: the registry's address, its types, and how it hides codes."""

    base: str
    catalogue: Catalogue
    hide: Hide


@dataclass(frozen=True)
class CertificateFile:
    """All rows about one certificate, and what stands in the log for them."""

    row: Any
    holders: Sequence[Any]
    foundations: Sequence[Any]
    statements: Sequence[Any]
    copies: Sequence[Any]
    entries: Mapping[int, bytes]
    acts: Mapping[int, Any]
    relatives: Mapping[str, Any]
    standard: Standard

    @property
    def place(self) -> str:
        """Name the row."""
        return f"certificates/{self.row.id}"

    @cached_property
    def credential(self) -> UnverifiedCredential:
        """What was signed, taken apart. Raises: EcertError."""
        return parse_credential(self.row.credential)

    def faults(self) -> Iterator[Fault]:
        """Name all that is not as it was signed."""
        yield from self._of_log()
        try:
            read = self.credential
        except EcertError as error:
            yield Fault("certificate_changed", self.place, error.message)
            return
        yield from self._of_columns(read)
        yield from self._of_body(read)
        yield from self._of_seal(read)
        yield from self._of_indexes(read)
        yield from self._of_statements()
        for copy in self.copies:
            yield from CopyFile(copy, self.row, read, self.entries, self.standard.base).faults()
        yield from self._of_status()
        yield from self._of_relatives()

    def _of_log(self) -> Iterator[Fault]:
        row = self.row
        expected = log_entry(
            event=EVENTS[Operation.ISSUE],
            time=rfc3339(instant(row.created_at)),
            issuer=row.issuer,
            kind=row.slug,
            commitment=commitment(bytes(row.salt), _ascii(row.credential.partition("~")[0])),
        )
        if self.entries.get(row.log_index) != expected:
            yield Fault("certificate_not_logged", self.place)

    def _of_columns(self, read: UnverifiedCredential) -> Iterator[Fault]:
        one = read.certificate
        address, _, number = read.status.uri.rpartition("/")
        signed = {
            "id": one.id,
            "issuer": one.issuer_code,
            "slug": one.type.slug,
            "number": one.number,
            "project_code": one.project_code,
            "nbf": read.nbf,
            "exp": read.exp,
            "created_at": read.iat,
            "supersedes": one.supersedes,
            "status_list": int(number) if number.isdecimal() else -1,
            "status_index": read.status.index,
            "digest": read.digest,
        }
        for name, value in signed.items():
            if getattr(self.row, name) != value:
                yield Fault("certificate_changed", self.place, name)
        if read.base != self.standard.base or address != f"{self.standard.base}/status":
            yield Fault("certificate_changed", self.place, "address")
        if read.hidden:
            yield Fault("certificate_changed", self.place, "disclosures")

    def _of_body(self, read: UnverifiedCredential) -> Iterator[Fault]:
        one = read.certificate
        kind = self.standard.catalogue.get(one.type.slug, one.type.version)
        try:
            body = parse_json(bytes(self.row.body))
        except EcertError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("type"), dict):
            yield Fault("certificate_changed", self.place, "body")
            return
        name = body["type"].get("name") if kind is None else kind.name
        if body != certificate_json(one, name):
            yield Fault("certificate_changed", self.place, "body")

    def _of_seal(self, read: UnverifiedCredential) -> Iterator[Fault]:
        kind = self.standard.catalogue.get(
            read.certificate.type.slug, read.certificate.type.version
        )
        try:
            seal = parse_seal(self.row.seal)
        except EcertError as error:
            yield Fault("seal_changed", self.place, error.message)
            return
        if kind is None or seal.origin != self.standard.base.lower():
            yield from () if kind is None else [Fault("seal_changed", self.place, "address")]
            return
        expected = seal_claims(
            read.certificate,
            digest=read.digest,
            status=(read.status.index, read.status.uri),
            seconds=(read.nbf, read.exp),
            masks=kind.masks,
        )
        if dict(seal.claims) != expected:
            yield Fault("seal_changed", self.place)

    def _of_indexes(self, read: UnverifiedCredential) -> Iterator[Fault]:
        one = read.certificate
        hidden = [(at, self.standard.hide(holder.code)) for at, holder in enumerate(one.holders)]
        if hidden != [(row.position, bytes(row.code_hmac)) for row in self.holders]:
            yield Fault("holder_changed", self.place)
        if {row.rests_on for row in self.foundations} != set(one.rests_on):
            yield Fault("foundation_changed", self.place)

    def _of_statements(self) -> Iterator[Fault]:
        for row in self.statements:
            yield from StatementFile(
                row, self.row, self.entries, self.acts, self.standard.base
            ).faults()

    def _of_status(self) -> Iterator[Fault]:
        """Hold the stored status against what the statements lead to."""
        last = self.statements[-1] if self.statements else None
        successor = [row.successor for row in self.statements if row.successor is not None]
        expected = {
            "status": Status.VALID.value if last is None else last.status,
            "since": self.row.created_at if last is None else last.at,
            "changes": len(self.statements),
            "superseded_by": successor[-1] if successor else None,
        }
        for name, value in expected.items():
            if getattr(self.row, name) != value:
                yield Fault("status_changed", self.place, name)

    def _of_relatives(self) -> Iterator[Fault]:
        """Hold versions against each other: what supersedes is what was superseded."""
        before, after = self.row.supersedes, self.row.superseded_by
        if before is not None:
            found = self.relatives.get(before)
            if found is None or found.superseded_by != self.row.id:
                yield Fault("status_changed", self.place, "the version before")
        if after is not None:
            found = self.relatives.get(after)
            if found is None or found.supersedes != self.row.id:
                yield Fault("status_changed", self.place, "the version after")


class CertificatePart:
    """Every certificate with all that belongs to it, in the order of the log."""

    def __init__(self, standard: Standard) -> None:
        self._standard = standard

    def look(self, reading: Reading, cursor: Cursor) -> Portion:
        """Look at the next 200 certificates."""
        rows = inspected.certificates(reading, int(cursor.get("next", -(1 << 62))), AT_ONCE)
        total = trees.head(reading).size
        if not rows:
            return Portion(total, total, None)
        faults = tuple(one for file in self._files(reading, rows) for one in file.faults())
        after = rows[-1].log_index + 1
        return Portion(min(after, total), total, {"next": after}, faults)

    def _files(self, reading: Reading, rows: Sequence[Any]) -> Iterator[CertificateFile]:
        identifiers = [row.id for row in rows]
        tables = (t.holders, t.foundations, t.statements, t.copies)
        holders, foundations, statements, copies = (
            inspected.of_certificates(reading, table, identifiers) for table in tables
        )
        logged = [one for some in (statements, copies) for each in some.values() for one in each]
        places = [row.log_index for row in (*rows, *logged)]
        entries = inspected.entries_at(reading, places)
        told = [one.trail_index for each in statements.values() for one in each]
        acts = inspected.acts_of(reading, [one for one in told if one is not None])
        kin = [one for row in rows for one in (row.supersedes, row.superseded_by) if one]
        relatives = inspected.named(reading, kin)
        for row in rows:
            yield CertificateFile(
                row=row,
                holders=holders[row.id],
                foundations=foundations[row.id],
                statements=statements[row.id],
                copies=copies[row.id],
                entries=entries,
                acts=acts,
                relatives=relatives,
                standard=self._standard,
            )


def _ascii(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
