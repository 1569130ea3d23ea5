"""Checklists and dossiers 材料清单、用证卷宗: what an applicant need not bring."""

from __future__ import annotations

import base64
from typing import Any

from ecert.errors import EcertError
from ecert.ledger.access import READ
from ecert.ledger.acting import Desk, Verbs, needs
from ecert.ledger.trail import Trail
from ecert.model import Actor, Application
from ecert.registry.document_maker import DocumentMaker
from ecert.registry.log import PublishedLog
from ecert.reuse.application import draw, entry_of
from ecert.reuse.checklist import Checklist
from ecert.reuse.fulfilment import Fulfilled, fulfil


class Dossiers(Verbs):
    """Answers applications: the same access rules for a checklist as for a dossier."""

    def __init__(self, desk: Desk, log: PublishedLog, maker: DocumentMaker) -> None:
        super().__init__(desk)
        self._log, self._maker = log, maker

    @needs(READ)
    def checklist(
        self, application: Application, *, by: Actor, trail: Trail | None = None
    ) -> Checklist:
        """Say of each material that a matter asks for what the registry holds already 材料清单.

        It needs the same sharing rule or grant as a dossier, and is audited as a read.
        Raises: NotFound, GrantNotValid, ConsentOfAnother, FieldNotAllowed, InputError, QuotaExceeded.
        """
        written = trail or self.desk.trail
        try:
            checklist, entries = draw(self.desk, application, by)
        except EcertError as error:
            written.write([entry_of(self.desk, "checklist", application, by).refused(error)])
            raise
        written.write(entries)
        return checklist

    @needs(READ)
    def fulfil(
        self, application: Application, *, by: Actor, copies: bool = False
    ) -> dict[str, Any]:
        """Answer an application 用证: only the fields it needs, receipts, and a signed statement.

        Asked again for the same case it is the same dossier, checked afresh. With ``copies`` the
        annotated copies 加注件 that materials want come too, as base64 of their PDF.
        Raises: what ``checklist`` raises, IdempotencyMismatch, ForkGuard, and with copies what
        ``documents.copy`` raises.
        """
        done = fulfil(self.desk, application, by, wants_copies=copies)
        places = {one.record.id: one.record.log_index for one in done.presented}
        found = self._log.receipts(places.values())
        shown = done.to_json({name: str(found[place]) for name, place in places.items()})
        for one in shown["presentations"]:
            if one["certificate"] in done.copies:
                one["copy_pdf"] = self._copy(done, one["certificate"])
        return shown

    def _copy(self, done: Fulfilled, certificate: str) -> str:
        record = next(one.record for one in done.presented if one.record.id == certificate)
        made = self._maker.copy(done.copies[certificate], record)
        return base64.b64encode(made.data).decode()
