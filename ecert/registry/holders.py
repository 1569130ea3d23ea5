"""What a holder does for himself 持证主体: he signs in, agrees, lets others act, reads and objects."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from ecert.errors import GrantNotValid
from ecert.formats.id_token import SignedIn
from ecert.ledger.access import holder_actor
from ecert.ledger.acting import Verbs
from ecert.ledger.trail import AuditEntry, Trail
from ecert.model import Actor
from ecert.reuse import delegation, objection
from ecert.reuse import grant as granting
from ecert.reuse.grant import MAX_ID, NO_REQUEST, UseCode
from ecert.reuse.matter import Matter, find_matter
from ecert.reuse.objection import Complaint
from ecert.reuse.sign_in import clerk, sign_in
from ecert.store import (
    GrantRow,
    ObjectionRow,
    RequestRow,
    agencies,
    changes,
    grants,
    objections,
)

MAX_PAGE = 100


class Holders(Verbs):
    """Every verb takes who signed in, and shows or changes only what is his."""

    def sign_in(self, id_token: str) -> SignedIn:
        """Say which holder signed in, for himself. Raises: IdTokenRefused."""
        return sign_in(self.desk, id_token)

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
        entry = AuditEntry(action, holder_actor(action), details=told)
        (trail or self.desk.trail).write([entry])
