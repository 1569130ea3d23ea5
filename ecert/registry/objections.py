"""Objections 异议: what is said to be wrong with a certificate, and what its issuer answers."""

from __future__ import annotations

from typing import Any

from ecert.errors import InputError
from ecert.ledger.access import OPERATE, READ
from ecert.ledger.acting import Desk, Verbs, needs
from ecert.ledger.successors import read_successors
from ecert.ledger.trail import AuditEntry, Trail
from ecert.model import Actor, Basis, Operation
from ecert.registry.certificates import Certificates
from ecert.reuse.objection import Complaint, answer_objection, raise_objection
from ecert.store import ObjectionRow, certificates, objections

MAX_PAGE = 100


class Objections(Verbs):
    """Takes objections of departments, and the answers of issuers."""

    def __init__(self, desk: Desk, read: Certificates) -> None:
        super().__init__(desk)
        self._certificates = read

    @needs(READ)
    def add(self, complaint: Complaint, *, by: Actor) -> ObjectionRow:
        """Report an error in a certificate that one was given, or issued. Raises: NotFound, InputError."""
        return raise_objection(self.desk, complaint, by)

    @needs(READ)
    def all(
        self,
        *,
        by: Actor,
        state: str | None = None,
        after: str = "",
        limit: int = MAX_PAGE,
        trail: Trail | None = None,
    ) -> list[ObjectionRow]:
        """List the objections that an agency has to answer or raised."""
        size = max(1, min(limit, MAX_PAGE))
        with self.desk.store.reading() as reading:
            own = None
            if by.agency is not None:
                known = read_successors(reading, self.desk.clock())
                own = known.responsibility(by.agency)
            found = objections.listed(reading, own=own, state=state, after=after, limit=size)
        (trail or self.desk.trail).write([AuditEntry("objections", by).done(given=len(found))])
        return found

    @needs(OPERATE)
    def answer(
        self,
        objection: str,
        *,
        by: Actor,
        answer: str,
        basis: Basis,
        draft: Any = None,
        is_corrected: bool = False,
    ) -> ObjectionRow:
        """Answer an objection: with a draft by a correction, a change; without by a reason.

        ``is_corrected``: the next version that is there already answers it.
        Raises: NotFound, Refused when it was answered already, and what ``operate`` raises.
        """

        def correct(certificate: str) -> str:
            if is_corrected:
                return self._successor(certificate)
            change = Operation.CHANGE
            done = self._certificates.succeed(certificate, change, draft, basis=basis, by=by)
            return done.record.id

        corrects = is_corrected or draft is not None
        return answer_objection(
            self.desk, objection, by, answer=answer, correct=correct if corrects else None
        )

    def _successor(self, certificate: str) -> str:
        with self.desk.store.reading() as reading:
            record = certificates.find(reading, certificate)
        if record is None or record.superseded_by is None:
            raise InputError("the certificate has no next version yet")
        return record.superseded_by
