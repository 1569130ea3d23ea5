"""For whom somebody asks about a matter 受理: his own agency, or the one that his window receives for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from ecert.errors import NotFound
from ecert.ledger.access import acting_agency, is_operator, lineage
from ecert.ledger.receptions import covers, received_by
from ecert.ledger.successors import Successors, read_successors
from ecert.model import Actor
from ecert.reuse.matter import NO_MATTER, Matter, find_matter
from ecert.store import Reading, agencies


@dataclass(frozen=True, slots=True)
class Asking:
    """A matter that is somebody's to ask about, and for which agency he asks.

    Rules, quotas and grants are those of ``agency`` and the ``line`` above it; ``received_by`` is the
    window that asks for it; ``names`` are those under which a grant may have been given to it.
    """

    matter: Matter
    agency: str
    line: tuple[str, ...]
    received_by: str | None = None
    names: frozenset[str] = frozenset()


def asking_for(reading: Reading, code: str, by: Actor, now: datetime) -> Asking:
    """Find a matter, and for whom somebody may ask about it. Raises: NotFound, InputError."""
    own, known = acting_agency(by), agencies.listed(reading)
    line = tuple(lineage(known, own))
    if not line:
        raise NotFound("this agency is not registered")
    written, successors = find_matter(reading, code), read_successors(reading, now)
    matter = of_today(written, successors)
    former = {written.agency} - {matter.agency}
    if matter.agency in line:
        names = frozenset({own, *former, *successors.stands_for(own)})
        return Asking(matter, own, successors.line(line), names=names)
    rows = received_by(reading, own, successors, now)
    if not any(covers(one, code, written.agency) for one in rows):
        raise NotFound(NO_MATTER)
    principal = matter.agency
    names = frozenset({principal, *former, *successors.stands_for(principal)})
    above = successors.line(lineage(known, principal))
    return Asking(matter, principal, above, own, names)


def of_today(matter: Matter, successors: Successors) -> Matter:
    """Give a matter as its successor's, where what it results in was transferred."""
    owner = successors.owner(matter.agency, matter.issues)
    return matter if owner == matter.agency else replace(matter, agency=owner)


def may_ask(reading: Reading, by: Actor, now: datetime) -> Callable[[Matter], Matter | None]:
    """Give a judge of matters as they were written: each as it is today, or None where it is not one's."""
    successors = read_successors(reading, now)
    if by.agency is None and is_operator(by):
        return lambda matter: of_today(matter, successors)
    own = acting_agency(by)
    line = lineage(agencies.listed(reading), own)
    rows = received_by(reading, own, successors, now)

    def judge(written: Matter) -> Matter | None:
        matter = of_today(written, successors)
        is_received = any(covers(one, written.code, written.agency) for one in rows)
        return matter if matter.agency in line or is_received else None

    return judge
