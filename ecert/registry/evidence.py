"""The evidence bundle 证据包: everything that proves a certificate, in one ZIP, verifiable offline."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping

from ecert.formats.status_list import part_of
from ecert.ledger.access import READ
from ecert.ledger.acting import Desk, Verbs, needs
from ecert.ledger.trail import Trail
from ecert.model import Actor
from ecert.registry.certificates import Certificates
from ecert.registry.log import PublishedLog
from ecert.registry.status import StatusLists
from ecert.store import statements
from ecert.verification import CREDENTIAL_FILE, DETAILS_FILE, LIST_FILE, RECEIPT_FILE, STATEMENTS

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same evidence gives the same file
_README = """证据包 / Evidence bundle

credential.sd-jwt      电子凭证 / the signed credential (SD-JWT VC)
receipt.tlog-proof     存证回执 / the proof that it is in the log
status.jwt             状态列表 / the signed status list
status-details.jwt     状态明细 / what changed, when, and the successor
statements/            操作声明与回执 / every later act, signed, with its receipt
seal.txt               签章码 / the text of the QR code

核验 / verify: ecert verify evidence.zip --trust trust.json
"""


class Evidence(Verbs):
    """Packs all that proves a certificate."""

    def __init__(
        self, desk: Desk, read: Certificates, log: PublishedLog, status: StatusLists
    ) -> None:
        super().__init__(desk)
        self._certificates, self._log, self._status = read, log, status

    @needs(READ)
    def pack(
        self, identifier: str, *, by: Actor, trail: Trail | None = None, publishes: bool = True
    ) -> bytes:
        """Give everything that proves a certificate, as a ZIP that verifies offline.

        Raises: NotFound, ForkGuard; NotPublished instead of publishing when told not to.
        """
        record = self._certificates.get(identifier, by=by, action="evidence", trail=trail)
        with self.desk.store.reading() as reading:
            acts = statements.history(reading, record.id)
        places = [record.log_index, *(act.log_index for act in acts)]
        proofs = self._log.receipts(places, publishes=publishes)
        number = record.status_list
        return bundle(
            credential=record.credential,
            receipt=str(proofs[record.log_index]),
            seal=record.seal,
            lists=(
                self._status.token(number),
                self._status.token(number, part=part_of(record.status_index)),
            ),
            statements=[(act.token, str(proofs[act.log_index])) for act in acts],
        )


def bundle(
    *,
    credential: str,
    receipt: str,
    seal: str,
    lists: tuple[str, str],
    statements: Iterable[tuple[str, str]],
) -> bytes:
    """Pack a bundle; ``lists`` are the status list and its details, ``statements`` token and receipt."""
    files = {
        "README.txt": _README,
        CREDENTIAL_FILE: credential,
        RECEIPT_FILE: receipt,
        LIST_FILE: lists[0],
        DETAILS_FILE: lists[1],
        "seal.txt": seal,
    }
    for place, (token, proof) in enumerate(statements, start=1):
        files[f"{STATEMENTS}{place:04}.jwt"] = token
        files[f"{STATEMENTS}{place:04}.tlog-proof"] = proof
    return _zip(files)


def _zip(files: Mapping[str, str]) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in files.items():
            member = zipfile.ZipInfo(name, _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(member, text)
    return output.getvalue()
