"""Who may 权限: every question "may this actor?" is answered here, and scopes are looked at nowhere else.

An actor without scopes (``None``) is inside the operator's trust: the command line, and programs that
open the registry themselves. Over HTTP an actor has the scopes of its token, and acts for its own agency.
What somebody may not see reads as absent, exactly as what is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ecert.errors import Forbidden, InputError, NotFound
from ecert.ids import parse_identifier
from ecert.model import Actor, Agency, Record
from ecert.store import (
    GrantRow,
    ObjectionRow,
    Reading,
    RequestRow,
    Visibility,
    agencies,
    certificates,
    trail,
)

ISSUE, OPERATE, READ = "certificates:issue", "certificates:operate", "certificates:read"
AUDIT, CLIENTS = "audit:read", "clients:manage"
MATTERS, SHARING = "matters:manage", "sharing:manage"
METRICS = "metrics:read"
SCOPES = frozenset({ISSUE, OPERATE, READ, AUDIT, CLIENTS, MATTERS, SHARING, METRICS})
ANYBODY = "*"  # a verb that needs no scope, only an actor
MAX_IDENTIFIER = 128
_OF_TYPE = READ + ":"  # certificates:read:<type>, of every agency


# -- scopes ------------------------------------------------------------------------------------------


def is_operator(by: Actor) -> bool:
    """Tell whether somebody is the registry's own operator, whom no scope bounds."""
    return by.scopes is None


def holds(by: Actor, scope: str) -> bool:
    """Tell whether somebody holds a scope; to read some type is to read."""
    if by.scopes is None or scope == ANYBODY or scope in by.scopes:
        return True
    return scope == READ and any(one.startswith(_OF_TYPE) for one in by.scopes)


def refusal(by: Actor, scope: str | None) -> Forbidden | None:
    """Give the refusal of a verb that needs a scope, or (None) an operator; None when it is allowed."""
    if scope is None:
        return None if is_operator(by) else Forbidden("only the registry's own operator does this")
    if holds(by, scope):
        return None
    also = f" or {_OF_TYPE}<type>" if scope == READ else ""
    return Forbidden(f"this needs the scope {scope}{also}")


def is_scope(text: str, slugs: Iterable[str]) -> bool:
    """Tell whether a text is a scope of a registry that knows certain types."""
    is_of_type = text.startswith(_OF_TYPE) and text.removeprefix(_OF_TYPE) in set(slugs)
    return text in SCOPES or is_of_type


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


def issuing_agency(by: Actor, code: str | None) -> str | None:
    """Say for which agency somebody issues: over HTTP his own and no other. Raises: Forbidden."""
    if is_operator(by):
        return code
    if code not in {None, by.agency}:
        raise Forbidden("a client issues for its own agency only")
    return by.agency


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


def asking_line(reading: Reading, by: Actor) -> list[str] | None:
    """Name the agencies whose matters somebody may ask about; None for all."""
    return None if by.agency is None else line_of(reading, by)


# -- certificates ------------------------------------------------------------------------------------


def no_certificate() -> NotFound:
    """Give the one refusal of what is not there, and of what one may not see."""
    return NotFound("there is no such certificate")


def find_certificate(reading: Reading, by: Actor, identifier: str) -> Record:
    """Find a certificate that somebody may see. Raises: NotFound."""
    record = certificates.find(reading, identifier) if len(identifier) <= MAX_IDENTIFIER else None
    if record is None or not may_read(by, record):
        raise no_certificate()
    return record


def may_read(by: Actor, record: Record) -> bool:
    """Tell whether somebody may see a certificate: its issuer, or whoever reads its type."""
    return may_know(by, record.slug, record.issuer)


def may_know(by: Actor, slug: str, issuer: str) -> bool:
    """Tell whether somebody may know of a certificate of a type and an issuer."""
    if by.scopes is None or f"{_OF_TYPE}{slug}" in by.scopes:
        return True
    return by.agency == issuer and READ in by.scopes


def may_rest_on(by: Actor, slug: str, identifier: str) -> bool:
    """Tell whether somebody may name a certificate as a foundation: his own, or what he may know of."""
    issuer = parse_identifier(identifier).issuer_code
    return by.agency == issuer or may_know(by, slug, issuer)


def may_operate(by: Actor, issuer: str) -> bool:
    """Tell whether somebody may act upon certificates of an agency: over HTTP upon his own only."""
    return is_operator(by) or by.agency == issuer


def visibility(by: Actor) -> Visibility | None:
    """Say which certificates a search may find; None for all."""
    if by.scopes is None:
        return None
    slugs = frozenset(one.removeprefix(_OF_TYPE) for one in by.scopes if one.startswith(_OF_TYPE))
    return Visibility(by.agency if READ in by.scopes else None, slugs)


# -- grants and objections ---------------------------------------------------------------------------


def may_use_request(by: Actor | None, row: RequestRow) -> bool:
    """Tell whether somebody may use a request for a grant: the agency that asked, or its holder."""
    return by is None or row.agency == by.agency


def may_see_grant(by: Actor, row: GrantRow) -> bool:
    """Tell whether somebody may see a grant, or end it: the agency it was given to."""
    return is_operator(by) or row.agency == by.agency


def may_answer(by: Actor, row: ObjectionRow) -> bool:
    """Tell whether somebody may answer an objection: the certificate's issuer."""
    return is_operator(by) or row.issuer == by.agency


def may_object(reading: Reading, by: Actor, record: Record) -> bool:
    """Tell whether somebody may object to a certificate: its issuer, or whoever was given it."""
    if is_operator(by) or record.issuer == by.agency:
        return True
    return trail.was_given(reading, by.client or "", record.id)
