"""What a holder does for himself 持证主体: he signs in, agrees, lets others act, reads and objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from ecert.errors import EcertError, GrantNotValid
from ecert.formats.id_token import SignedIn
from ecert.formats.presentation import present
from ecert.issuance.copies import CopyWish, PreparedCopy, check_wish, log_copies, prepare
from ecert.ledger.access import MAX_IDENTIFIER, holder_actor, no_certificate
from ecert.ledger.acting import Desk, Verbs
from ecert.ledger.standing import standing
from ecert.ledger.trail import AuditEntry, Trail, named
from ecert.model import Actor, Record
from ecert.registry.document_maker import DocumentMaker
from ecert.reuse import delegation, objection
from ecert.reuse import grant as granting
from ecert.reuse.application import OwnQuestion, draw_own
from ecert.reuse.checklist import Checklist
from ecert.reuse.grant import MAX_ID, NO_REQUEST, UseCode
from ecert.reuse.matter import Matter, find_matter
from ecert.reuse.objection import Complaint
from ecert.reuse.sign_in import clerk, require_fresh, sign_in
from ecert.store import (
    DocumentRow,
    GrantRow,
    ObjectionRow,
    Reading,
    RequestRow,
    Transaction,
    agencies,
    certificates,
    changes,
    grants,
    holders,
    objections,
)

MAX_PAGE = 100


class Holders(Verbs):
    """Every verb takes who signed in, and shows or changes only what is his."""

    def __init__(self, desk: Desk, maker: DocumentMaker) -> None:
        super().__init__(desk)
        self._maker = maker

    def sign_in(self, id_token: str) -> SignedIn:
        """Say which holder signed in, for himself. Raises: IdTokenRefused."""
        return sign_in(self.desk, id_token)

    def require_fresh(self, holder: SignedIn) -> None:
        """Refuse a holder who proved who he is too long ago. Raises: SignInAgain."""
        require_fresh(self.desk, holder)

    def clerk(self, by: Actor, id_token: str) -> Actor:
        """Say who acts, as an identity provider vouches for it 操作人身份. Raises: IdTokenRefused."""
        with self.desk.audited(AuditEntry("operator", by)):
            return clerk(self.desk, by, id_token)

    def request(
        self, request_id: str, *, holder: SignedIn, trail: Trail | None = None
    ) -> tuple[RequestRow, Matter, str]:
        """Show a holder what is asked of him: the request, its matter, and the agency's name.

        Any holder who signed in and was told the request's name. Raises: GrantNotValid.
        """
        with self.desk.store.reading() as reading:
            row = grants.request(reading, request_id) if len(request_id) <= MAX_ID else None
            now = self.desk.clock().timestamp()
            if row is None or row.used_at is not None or now >= row.expires_at:
                raise GrantNotValid(NO_REQUEST)
            agency = agencies.find(reading, row.agency)
            matter = find_matter(reading, row.matter)
        self._told(trail, "request", holder, request=row.id)
        return row, matter, "" if agency is None else agency.name

    def make_use_code(
        self, request_id: str, *, holder: SignedIn, delegation: str | None = None
    ) -> UseCode:
        """Make a one-time use code 用证码 for a request that the holder was shown. Raises: GrantNotValid."""
        by = holder_actor("use_code")
        return granting.make_use_code(self.desk, request_id, holder, by, delegation=delegation)

    def grants(
        self,
        *,
        holder: SignedIn,
        after: str = "",
        limit: int = MAX_PAGE,
        trail: Trail | None = None,
    ) -> list[GrantRow]:
        """List the grants that a holder gave."""
        own, size = self.desk.secrets.hide(holder.code), max(1, min(limit, MAX_PAGE))
        with self.desk.store.reading() as reading:
            found = grants.listed(reading, holder_hmac=own, after=after, limit=size)
        self._told(trail, "grants", holder, given=len(found))
        return found

    def revoke_grant(self, grant_id: str, *, holder: SignedIn) -> GrantRow:
        """Revoke a grant that the holder gave. Raises: GrantNotValid."""
        by = holder_actor("revoke")
        return granting.revoke_grant(self.desk, grant_id, by, holder=holder)

    def delegate(
        self, agent_code: str, *, holder: SignedIn, until: date, matters: Iterable[str] = ()
    ) -> dict[str, Any]:
        """Let an agent act for the holder 委托, in some matters or all, until a day. Raises: InputError."""
        by, listed = holder_actor("delegate"), list(matters)
        row = delegation.delegate(self.desk, holder, agent_code, matters=listed, until=until, by=by)
        return delegation.delegation_json(row, row.principal_hmac)

    def end_delegation(self, delegation_id: str, *, holder: SignedIn) -> None:
        """End a delegation that one gave or was given. Raises: GrantNotValid."""
        by = holder_actor("delegate")
        delegation.end_delegation(self.desk, delegation_id, holder, by)

    def delegations(self, *, holder: SignedIn, trail: Trail | None = None) -> list[dict[str, Any]]:
        """List the delegations that a holder gave or was given."""
        own = self.desk.secrets.hide(holder.code)
        with self.desk.store.reading() as reading:
            rows = grants.delegations(reading, own)
        self._told(trail, "delegations", holder, given=len(rows))
        return [delegation.delegation_json(row, own) for row in rows]

    def uses(
        self,
        *,
        holder: SignedIn,
        before: int | None = None,
        limit: int = MAX_PAGE,
        trail: Trail | None = None,
    ) -> list[dict[str, Any]]:
        """List who was shown a holder's certificates, for which matter, newest first."""
        own, size = self.desk.secrets.hide(holder.code), max(1, min(limit, MAX_PAGE))
        with self.desk.store.reading() as reading:
            found = changes.uses(reading, own, before, size)
        self._told(trail, "uses", holder)
        return found

    # -- the holder's own 我的证照: each needs a fresh sign-in ------------------------------------------

    def certificates(self, *, holder: SignedIn, trail: Trail | None = None) -> list[Record]:
        """List the certificates that a holder has, newest first. Raises: SignInAgain."""
        require_fresh(self.desk, holder)
        slugs = [kind.slug for kind in self.desk.catalogue]
        with self.desk.store.reading() as reading:
            held = holders.held(reading, self.desk.secrets.hide(holder.code), slugs)
            found = standing(reading, held, self.desk.clock())
        self._told(trail, "held", holder, given=len(found))
        return found

    def certificate(
        self, identifier: str, *, holder: SignedIn, trail: Trail | None = None
    ) -> Record:
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
        by, own = holder_actor("own certificates"), self.desk.secrets.hide(holder.code)
        entry = AuditEntry("held.copy", by, certificate=named(identifier))
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
        by, own = holder_actor("own certificates"), self.desk.secrets.hide(holder.code)
        told = {"holder_hmac": own.hex()}
        entry = AuditEntry(action, by, certificate=named(identifier), details=told)
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

    def object(self, complaint: Complaint, *, holder: SignedIn) -> ObjectionRow:
        """Report an error in one's own certificate 异议. Raises: NotFound, InputError."""
        by = holder_actor("objection")
        return objection.raise_objection(self.desk, complaint, by, holder=holder)

    def objections(
        self,
        *,
        holder: SignedIn,
        after: str = "",
        limit: int = MAX_PAGE,
        trail: Trail | None = None,
    ) -> list[ObjectionRow]:
        """List the objections that a holder raised."""
        own, size = self.desk.secrets.hide(holder.code), max(1, min(limit, MAX_PAGE))
        with self.desk.store.reading() as reading:
            found = objections.listed(reading, holder_hmac=own, after=after, limit=size)
        self._told(trail, "objections", holder, given=len(found))
        return found

    def _told(self, trail: Trail | None, action: str, holder: SignedIn, **details: Any) -> None:
        """Write down what a holder was shown of his own, under the HMAC of his code."""
        told = {"holder_hmac": self.desk.secrets.hide(holder.code).hex(), **details}
        entry = AuditEntry(action, holder_actor(_PURPOSES.get(action, action)), details=told)
        (trail or self.desk.trail).write([entry])


_PURPOSES = {"held": "own certificates", "held.checklist": "own certificates"}


def _find_own(reading: Reading, identifier: str, own: bytes) -> Record:
    record = certificates.find(reading, identifier) if len(identifier) <= MAX_IDENTIFIER else None
    if record is None or own not in holders.holders_of(reading, record.id):
        raise no_certificate()
    return record
