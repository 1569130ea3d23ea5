"""Grants 授权: what holders have agreed to, for one agency, one matter and case, for some time."""

from __future__ import annotations

from ecert.errors import GrantNotValid
from ecert.ledger.access import ANYBODY, READ, may_see_grant
from ecert.ledger.acting import Verbs, needs
from ecert.ledger.trail import AuditEntry, Trail
from ecert.model import Actor
from ecert.reuse import grant as granting
from ecert.reuse.grant import MAX_ID, GrantWish
from ecert.store import GrantRow, RequestRow, grants

MAX_PAGE = 100


class Grants(Verbs):
    """Asks holders for grants, takes what they agree to, and shows it to whom it was given."""

    @needs(READ)
    def request(self, wish: GrantWish, *, by: Actor) -> RequestRow:
        """Fix what a holder will be asked to agree to. Raises: NotFound, FieldNotAllowed, InputError."""
        return granting.request_grant(self.desk, wish, by)

    @needs(READ)
    def give(self, request_id: str, id_token: str, *, by: Actor) -> GrantRow:
        """Take a holder's sign-in for a request as his agreement. Raises: GrantNotValid, IdTokenRefused."""
        return granting.grant_by_id_token(self.desk, request_id, id_token, by)

    @needs(READ)
    def redeem(self, request_id: str, code: str, *, by: Actor) -> GrantRow:
        """Redeem a use code at the agency that asked. Raises: GrantNotValid, UseCodeRefused."""
        return granting.grant_by_use_code(self.desk, request_id, code, by)

    @needs(ANYBODY)
    def revoke(self, grant_id: str, *, by: Actor) -> GrantRow:
        """Revoke a grant as the agency it was given to. Raises: GrantNotValid."""
        return granting.revoke_grant(self.desk, grant_id, by)

    @needs(READ)
    def all(
        self,
        *,
        by: Actor,
        after: str = "",
        limit: int = MAX_PAGE,
        trail: Trail | None = None,
    ) -> list[GrantRow]:
        """List the grants that an agency was given; an operator without agency sees all."""
        size = max(1, min(limit, MAX_PAGE))
        with self.desk.store.reading() as reading:
            found = grants.listed(reading, agency=by.agency, after=after, limit=size)
        (trail or self.desk.trail).write([AuditEntry("grants", by).done(given=len(found))])
        return found

    @needs(READ)
    def get(self, grant_id: str, *, by: Actor, trail: Trail | None = None) -> GrantRow:
        """Give a grant to the agency it was given to. Raises: GrantNotValid."""
        with self.desk.store.reading() as reading:
            row = grants.find(reading, grant_id) if len(grant_id) <= MAX_ID else None
        entry, written = AuditEntry("grant.read", by), trail or self.desk.trail
        if row is None or not may_see_grant(by, row):
            error = GrantNotValid("there is no such grant")
            written.write([entry.refused(error)])
            raise error
        written.write([entry.done(grant=row.id)])
        return row
