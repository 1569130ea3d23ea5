"""Who may 权限: every question "may this actor?" is answered here, and scopes are looked at nowhere else.

An actor without scopes (``None``) is inside the operator's trust: the command line, and programs that
open the registry themselves. Over HTTP an actor has the scopes of its token, and acts for its own agency.
What somebody may not see reads as absent, exactly as what is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ecert.errors import Forbidden, InputError, NotFound, Transferred
from ecert.ids import parse_identifier
from ecert.ledger.receptions import may_issue_for
from ecert.ledger.rules import cited, opened_whole
from ecert.ledger.successors import NOTHING_TRANSFERRED, Successors, read_successors
from ecert.model import DEFAULT_ZONE, Actor, Agency, Record, civil_date
from ecert.store import (
    GrantRow,
    Reading,
    RequestRow,
    RuleRow,
    Visibility,
    agencies,
    certificates,
    rules,
    trail,
)

ISSUE, OPERATE, READ = "certificates:issue", "certificates:operate", "certificates:read"
AUDIT, CLIENTS = "audit:read", "clients:manage"
MATTERS, SHARING = "matters:manage", "sharing:manage"
METRICS = "metrics:read"
SCOPES = frozenset({ISSUE, OPERATE, READ, AUDIT, CLIENTS, MATTERS, SHARING, METRICS})
ANYBODY = "*"  # a verb that needs no scope, only an actor
MAX_IDENTIFIER = 128


# -- scopes ------------------------------------------------------------------------------------------


def is_operator(by: Actor) -> bool:
    """Tell whether somebody is the registry's own operator, whom no scope bounds."""
    return by.scopes is None


def holds(by: Actor, scope: str) -> bool:
    """Tell whether somebody holds a scope."""
    return by.scopes is None or scope == ANYBODY or scope in by.scopes


def refusal(by: Actor, scope: str | None) -> Forbidden | None:
    """Give the refusal of a verb that needs a scope, or (None) an operator; None when it is allowed."""
    if scope is None:
        return None if is_operator(by) else Forbidden("only the registry's own operator does this")
    return None if holds(by, scope) else Forbidden(f"this needs the scope {scope}")


def check_given(by: Actor, scopes: Iterable[str]) -> None:
    """Refuse to give what one does not have. Raises: InputError."""
    if by.scopes is not None and not by.scopes >= set(scopes):
        raise InputError("nobody gives a scope that he does not have")


def narrowed(by: Actor, allowed: frozenset[str]) -> Actor:
    """Give somebody with no scopes but those that are allowed now."""
    held = by.scopes or frozenset()
    return by if held <= allowed else replace(by, scopes=held & allowed)


def holder_actor(purpose: str) -> Actor:
    """Say that a holder acts, for himself: he has no agency and no scope."""
    return Actor("holder", purpose=purpose, scopes=frozenset())


# -- agencies ----------------------------------------------------------------------------------------


def acting_agency(by: Actor) -> str:
    """Say for which agency somebody acts. Raises: InputError when that was left out."""
    if by.agency is None:
        raise InputError("say for which agency you act")
    return by.agency


def issuing_agency(known: Sequence[Agency], by: Actor, code: str | None) -> Agency:
    """Find for which agency somebody wants to issue: over HTTP his own unless he names another.

    Raises: InputError, NotFound, Forbidden.
    """
    wanted = code if is_operator(by) or code is not None else by.agency
    try:
        return pick(known, wanted)
    except NotFound:
        if is_operator(by) or wanted == by.agency:
            raise
        raise _not_for_another() from None


def _not_for_another() -> Forbidden:
    return Forbidden("a client issues for its own agency, or by a reception with issue 委托")


def require_issues_for(reading: Reading, by: Actor, agency: str, slug: str, now: datetime) -> None:
    """Refuse to issue for an agency that is neither one's own nor one's principal. Raises: Forbidden."""
    if is_operator(by) or by.agency == agency:
        return
    successors = read_successors(reading, now)
    if not may_issue_for(reading, by.agency or "", agency, slug, successors=successors, now=now):
        raise _not_for_another()


def pick(known: Sequence[Agency], code: str | None) -> Agency:
    """Find an agency; None means the only one. Raises: InputError, NotFound."""
    if code is None:
        if len(known) != 1:
            raise InputError("there is not exactly one agency: say which one")
        return known[0]
    for agency in known:
        if agency.code == code:
            return agency
    raise NotFound("this agency is not registered")


def lineage(known: Iterable[Agency], code: str) -> list[str]:
    """Name an agency and those above it, nearest first: what they may, it may."""
    return _line({one.code: one.parent for one in known}, code)


def _line(parents: Mapping[str, str | None], code: str) -> list[str]:
    found: list[str] = []
    at: str | None = code if code in parents else None
    while at is not None and at not in found:
        found.append(at)
        at = parents.get(at)
    return found


def below(known: Sequence[Agency], code: str) -> frozenset[str]:
    """Name an agency and all those below it."""
    parents = {one.code: one.parent for one in known}
    return frozenset(one for one in parents if code in _line(parents, one))


def line_of(reading: Reading, by: Actor) -> list[str]:
    """Name the agency that acts and those above it. Raises: InputError, NotFound."""
    line = lineage(agencies.listed(reading), acting_agency(by))
    if not line:
        raise NotFound("this agency is not registered")
    return line


def managed(reading: Reading, by: Actor) -> frozenset[str]:
    """Name the agencies that somebody manages: his own and those below it; an operator all."""
    known = agencies.listed(reading)
    if is_operator(by):
        return frozenset(one.code for one in known)
    return below(known, by.agency or "")


OPERATOR = "-"  # who set a limit, where that was the operator


def setter(by: Actor) -> str:
    """Name who sets a limit, as it is remembered beside it."""
    return OPERATOR if is_operator(by) else by.agency or OPERATOR


def may_lift(reading: Reading, by: Actor, set_by: str | None) -> bool:
    """Tell whether somebody may lift a limit: whoever set it, or is above him; nobody below."""
    return is_operator(by) or set_by is None or set_by in managed(reading, by)


# -- certificates ------------------------------------------------------------------------------------


def no_certificate() -> NotFound:
    """Give the one refusal of what is not there, and of what one may not see."""
    return NotFound("there is no such certificate")


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody may see 可见范围: his agency's, what it took over, and what a rule opens as a whole."""

    by: Actor
    successors: Successors = NOTHING_TRANSFERRED
    opened: Mapping[str, RuleRow] = field(default_factory=dict)

    @property
    def taken_over(self) -> frozenset[tuple[str, str]]:
        """What was transferred to his agency, though it handed it on since, as issuer and type."""
        return self.successors.once_taken_over(self.by.agency or "")

    def responsible(self, issuer: str, slug: str) -> str:
        """Name the agency that answers for what another issued."""
        return self.successors.responsible(issuer, slug)

    def basis(self, slug: str, issuer: str) -> Mapping[str, str] | None:
        """Say on what strength he sees a type of an issuer: one's own cites nothing; None: not at all."""
        if self.by.scopes is None:
            return {}
        if READ not in self.by.scopes:
            return None
        if issuer == self.by.agency or (issuer, slug) in self.taken_over:
            return {}
        rule = self.opened.get(slug)
        return None if rule is None else cited(rule)

    def sees(self, record: Record) -> bool:
        """Tell whether he may see a certificate."""
        return self.basis(record.slug, record.issuer) is not None

    def visibility(self) -> Visibility | None:
        """Say which certificates a search may find; None for all."""
        if self.by.scopes is None:
            return None
        own = self.by.agency if READ in self.by.scopes else None
        return Visibility(own, frozenset(self.opened), self.taken_over)


def sight_of(reading: Reading, by: Actor, now: datetime) -> Sight:
    """Find out what somebody may see now."""
    if by.scopes is None:
        return Sight(by)
    if READ not in by.scopes or by.agency is None:
        return Sight(by, read_successors(reading, now))
    successors = read_successors(reading, now)
    line = successors.line(lineage(agencies.listed(reading), by.agency))
    opened = opened_whole(rules.listed(reading, line), line, civil_date(now, DEFAULT_ZONE))
    return Sight(by, successors, opened)


@dataclass(frozen=True, slots=True)
class Seen:
    """A certificate that somebody may see, and what his seeing it rests on (a rule, or nothing)."""

    record: Record
    basis: Mapping[str, str]

    @property
    def details(self) -> Mapping[str, Any]:
        """Give what the trail keeps of it."""
        return {"basis": dict(self.basis)} if self.basis else {}


def find_certificate(reading: Reading, by: Actor, identifier: str, now: datetime) -> Seen:
    """Find a certificate that somebody may see. Raises: NotFound."""
    record = certificates.find(reading, identifier) if len(identifier) <= MAX_IDENTIFIER else None
    if record is None:
        raise no_certificate()
    if is_operator(by) or (by.agency == record.issuer and holds(by, READ)):
        return Seen(record, {})
    basis = sight_of(reading, by, now).basis(record.slug, record.issuer)
    if basis is None and _issued_it(reading, by, record):
        basis = {}
    if basis is None:
        raise no_certificate()
    return Seen(record, basis)


def _issued_it(reading: Reading, by: Actor, record: Record) -> bool:
    """Tell whether somebody's agency issued a certificate in its principal's name 委托."""
    return holds(by, READ) and trail.was_issued_by(reading, by.agency or "", record.id)


def may_rest_on(sight: Sight, agency: str, slug: str, identifier: str) -> bool:
    """Tell whether somebody may name a certificate as a foundation of what an agency issues.

    His own, that agency's (also what it took over), or what he may see.
    """
    issuer = parse_identifier(identifier).issuer_code
    if issuer in {sight.by.agency, agency} or sight.basis(slug, issuer) is not None:
        return True
    return sight.responsible(issuer, slug) == agency


def acting_on(reading: Reading, by: Actor, record: Record, now: datetime) -> str:
    """Say which agency acts upon a certificate: its issuer, or whoever it was transferred to.

    Raises: NotFound for whom it does not concern; Transferred for who answered for it once.
    """
    successors = read_successors(reading, now)
    responsible = successors.responsible(record.issuer, record.slug)
    if is_operator(by) or by.agency == responsible:
        return responsible
    if successors.leads_through(record.issuer, by.agency or "", record.slug):
        raise Transferred(f"{record.slug} was transferred: agency {responsible} acts upon it now")
    raise no_certificate()


def succeeding_on(reading: Reading, by: Actor, record: Record, now: datetime) -> str:
    """Say which agency issues a certificate's next version; a delegate may do it in its name.

    Raises: as ``acting_on``.
    """
    try:
        return acting_on(reading, by, record, now)
    except (NotFound, Transferred):
        successors = read_successors(reading, now)
        principal = successors.responsible(record.issuer, record.slug)
        if may_issue_for(
            reading,
            by.agency or "",
            principal,
            record.slug,
            successors=successors,
            now=now,
            issuer=record.issuer,
        ):
            return principal
        raise


# -- grants and objections ---------------------------------------------------------------------------


def may_use_request(by: Actor | None, row: RequestRow) -> bool:
    """Tell whether somebody may use a request for a grant: whoever asked, its agency, or its holder."""
    if by is None or row.agency == by.agency:
        return True
    return by.client is not None and row.client == by.client


def may_see_grant(by: Actor, row: GrantRow) -> bool:
    """Tell whether somebody may see a grant, or end it: the agency it was given to."""
    return is_operator(by) or row.agency == by.agency


def may_answer(by: Actor, responsible: str) -> bool:
    """Tell whether somebody may answer an objection: the agency that answers for the certificate."""
    return is_operator(by) or responsible == by.agency


def may_object(reading: Reading, by: Actor, record: Record) -> bool:
    """Tell whether somebody may object to a certificate: its issuer, or whoever was given it."""
    if is_operator(by) or record.issuer == by.agency:
        return True
    return trail.was_given(reading, by.client or "", record.id)
