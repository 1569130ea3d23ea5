"""What costs most: every signature again, and every signed file, of all certificates or of one in 28."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ecert._encoding import sha256
from ecert.errors import EcertError
from ecert.formats._jws import UnverifiedJws, verify_jws
from ecert.formats.annotation import parse_copy
from ecert.formats.register import parse_register
from ecert.formats.statement import parse_statement
from ecert.inspection.acts import signer_of
from ecert.inspection.fault import Cursor, Fault, Portion
from ecert.issuance.signing import REGISTRY_ITSELF
from ecert.keys import TrustedRegistry
from ecert.store import Reading, inspected, trees
from ecert.store import tables as t
from ecert.verification import Verifier
from ecert.verification.report import Outcome, Report

AT_ONCE = 20
SHARES = 28  # a nightly check looks at one of so many certificates, each night at others
_DECISIVE = ("read", "signature", "type", "agreement")


@dataclass(frozen=True, slots=True)
class SignaturePart:
    """The signatures of credentials, seals, statements and copies, and the files, of a share of all.

    ``share`` None: of all; else of those whose log index leaves this rest when divided by 28.
    """

    verifier: Verifier
    trusted: TrustedRegistry
    share: int | None = None

    @property
    def _rest(self) -> tuple[int, int] | None:
        return None if self.share is None else (SHARES, self.share % SHARES)

    def look(self, reading: Reading, cursor: Cursor) -> Portion:
        """Look at the next 20 certificates of the share."""
        start = int(cursor.get("next", -(1 << 62)))
        rows = inspected.certificates(reading, start, AT_ONCE, self._rest)
        total = trees.head(reading).size
        if not rows:
            faults = tuple(self._of_register(reading))
            return Portion(total, total, None, faults)
        ids = [row.id for row in rows]
        acts = inspected.of_certificates(reading, t.statements, ids)
        copies = inspected.of_certificates(reading, t.copies, ids)
        documents = inspected.of_certificates(reading, t.documents, ids)
        found: list[Fault] = []
        for row in rows:
            found += self._of_certificate(row)
            found += [one for act in acts[row.id] for one in self._of_statement(act)]
            found += [one for copy in copies[row.id] for one in self._of_copy(copy)]
            found += [one for file in documents[row.id] for one in self._of_document(reading, file)]
        after = rows[-1].log_index + 1
        return Portion(min(after, total), total, {"next": after}, tuple(found))

    def _of_certificate(self, row: Any) -> Iterator[Fault]:
        for what in ("credential", "seal"):
            if failed := _failed(self.verifier.verify(getattr(row, what))):
                yield Fault("signature_bad", f"certificates/{row.id}", f"{what}: {failed}")

    def _of_statement(self, row: Any) -> Iterator[Fault]:
        try:
            jws, issuer, signed = parse_statement(row.token)
            self._verify(jws, issuer, signed.at)
        except EcertError as error:
            yield Fault("signature_bad", f"statements/{row.log_index}", error.message)

    def _of_copy(self, row: Any) -> Iterator[Fault]:
        try:
            read = parse_copy(row.token)
            self._verify(read.jws, read.issuer, read.copy.made_at)
        except EcertError as error:
            yield Fault("signature_bad", f"copies/{row.log_index}", error.message)
        if failed := _failed(self.verifier.verify(row.seal)):
            yield Fault("signature_bad", f"copies/{row.log_index}", f"seal: {failed}")

    def _of_document(self, reading: Reading, row: Any) -> Iterator[Fault]:
        place = f"documents/{row.log_index}"
        data = inspected.document_data(reading, row.log_index)
        if data is None:
            yield Fault("document_missing", place)
        elif sha256(data) != bytes(row.digest):
            yield Fault("document_changed", place, "digest")
        elif failed := _failed(self.verifier.verify(data)):
            yield Fault("document_changed", place, failed)

    def _of_register(self, reading: Reading) -> Iterator[Fault]:
        for row in inspected.register_statements(reading):
            try:
                jws, issuer, signed = parse_register(row.token)
                if issuer == self.trusted.base_url:
                    self._verify(jws, issuer, signed.at)
            except EcertError as error:
                yield Fault("signature_bad", f"register_statements/{row.log_index}", error.message)

    def _verify(self, jws: UnverifiedJws, issuer: str, at: int) -> None:
        """Check a signature under the key of whom it names. Raises: EcertError."""
        code, chain = signer_of(issuer, self.trusted.base_url), jws.header.chain
        if code == REGISTRY_ITSELF:
            key = self.trusted.registry_key(chain, at)
        else:
            key = self.trusted.agency_key(code, chain, at)
        verify_jws(jws, key.key)


def _failed(report: Report) -> str | None:
    """Give the code of the first step that failed for what was signed, not for what happened since."""
    failed = (
        one.code for one in report.steps if one.step in _DECISIVE and one.outcome is Outcome.FAILED
    )
    return next(failed, None)
