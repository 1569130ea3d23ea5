"""The holder's own 我的证照: he opens, shows and lends what is his, and asks before he applies (design §10.5).

Each needs a sign-in of a few minutes ago. Another's certificate reads as absent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from ecert.errors import EcertError
from ecert.formats.id_token import SignedIn
from ecert.formats.presentation import present
from ecert.issuance.copies import CopyWish, PreparedCopy, check_wish, log_copies, prepare
from ecert.ledger.access import MAX_IDENTIFIER, holder_actor, no_certificate
from ecert.ledger.acting import Desk, Verbs
from ecert.ledger.standing import standing
from ecert.ledger.trail import AuditEntry, Trail, named
from ecert.model import Record
from ecert.registry.document_maker import DocumentMaker
from ecert.reuse.application import OwnQuestion, draw_own
from ecert.reuse.checklist import Checklist
from ecert.reuse.sign_in import require_fresh
from ecert.store import DocumentRow, Reading, Transaction, certificates, holders

_BY = holder_actor("own certificates")


class OwnCertificates(Verbs):
    """Every verb takes who signed in, and shows only what is his."""

    def __init__(self, desk: Desk, maker: DocumentMaker) -> None:
        super().__init__(desk)
        self._maker = maker

    def require_fresh(self, holder: SignedIn) -> None:
        """Refuse a holder who proved who he is too long ago. Raises: SignInAgain."""
        require_fresh(self.desk, holder)

    def all(self, *, holder: SignedIn, trail: Trail | None = None) -> list[Record]:
        """List the certificates that a holder has, newest first. Raises: SignInAgain."""
        require_fresh(self.desk, holder)
        slugs = [kind.slug for kind in self.desk.catalogue]
        with self.desk.store.reading() as reading:
            held = holders.held(reading, self.desk.secrets.hide(holder.code), slugs)
            found = standing(reading, held, self.desk.clock())
        self._told(trail, "held", holder, given=len(found))
        return found

    def get(self, identifier: str, *, holder: SignedIn, trail: Trail | None = None) -> Record:
        """Open one of a holder's own certificates. Raises: NotFound, SignInAgain."""
        return self._own("held.read", identifier, holder, trail)

    def document(
        self,
        identifier: str,
        *,
        holder: SignedIn,
        trail: Trail | None = None,
        publishes: bool = False,
    ) -> DocumentRow:
        """Give the signed PDF of one of a holder's own certificates, made now if it never was.

        Raises: NotFound, SignInAgain, and what ``documents.get`` raises.
        """
        record = self._own("held.document", identifier, holder, trail)
        return self._maker.original(record, publishes=publishes)

    def present(
        self,
        identifier: str,
        disclose: Iterable[str],
        *,
        holder: SignedIn,
        trail: Trail | None = None,
    ) -> str:
        """Give a holder his credential with only the values that he chose 出示.

        Raises: NotFound, SignInAgain, InputError for a name that is not in it.
        """
        record = self._own("held.present", identifier, holder, trail)
        return present(record.credential, disclose)

    def copy(self, identifier: str, wish: CopyWish, *, holder: SignedIn) -> DocumentRow:
        """Lend one's own certificate 加注件: to one recipient, for one purpose, until one day.

        Raises: NotFound, SignInAgain, NotInForce, Refused, InputError, and what ``document`` raises.
        """
        own = self.desk.secrets.hide(holder.code)
        entry = AuditEntry("held.copy", _BY, certificate=named(identifier))
        entry = replace(entry, details={"holder_hmac": own.hex()})
        with self.desk.audited(entry):
            require_fresh(self.desk, holder)
            check_wish(wish)

        def work(tx: Transaction, now: datetime) -> PreparedCopy:
            return prepare(tx, self.desk, _find_own(tx, identifier, own).id, wish, now)

        def log(tx: Transaction, prepared: PreparedCopy, _index: int) -> PreparedCopy:
            return replace(prepared, there=log_copies(tx, [prepared])[0])

        lent = self.desk.act(entry, work, log=log)
        assert lent.there is not None  # noqa: S101 - it was logged
        return self._maker.copy(lent.there, lent.record)

    def checklist(
        self, question: OwnQuestion, *, holder: SignedIn, trail: Trail | None = None
    ) -> Checklist:
        """Tell a holder before he applies what a matter asks for, and what he holds of it already.

        Raises: NotFound, SignInAgain, InputError.
        """
        require_fresh(self.desk, holder)
        now = self.desk.clock()
        with self.desk.store.reading() as reading:
            drawn = draw_own(reading, question, self.desk.secrets.hide(holder.code), now)
        self._told(trail, "held.checklist", holder, matter=drawn.matter.code)
        return drawn

    def _own(self, action: str, identifier: str, holder: SignedIn, trail: Trail | None) -> Record:
        """Find a certificate of the holder's own, and write down that he saw it; another's is not there."""
        own = self.desk.secrets.hide(holder.code)
        told = {"holder_hmac": own.hex()}
        entry = AuditEntry(action, _BY, certificate=named(identifier), details=told)
        written = trail or self.desk.trail
        try:
            require_fresh(self.desk, holder)
            with self.desk.store.reading() as reading:
                found = _find_own(reading, identifier, own)
                (record,) = standing(reading, [found], self.desk.clock())
        except EcertError as error:
            written.write([entry.refused(error)])
            raise
        written.write([entry])
        return record

    def _told(self, trail: Trail | None, action: str, holder: SignedIn, **details: Any) -> None:
        told = {"holder_hmac": self.desk.secrets.hide(holder.code).hex(), **details}
        (trail or self.desk.trail).write([AuditEntry(action, _BY, details=told)])


def _find_own(reading: Reading, identifier: str, own: bytes) -> Record:
    record = certificates.find(reading, identifier) if len(identifier) <= MAX_IDENTIFIER else None
    if record is None or own not in holders.holders_of(reading, record.id):
        raise no_certificate()
    return record
