"""Handing a type over 移交: one agency's competence ends, and its successor's begins, the day after."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

from ecert.errors import CompetenceOverlaps, InputError, NotFound, NumberTaken
from ecert.ledger.register import end_competence
from ecert.ledger.successors import Successors
from ecert.model import Agency, Competence
from ecert.store import Transaction, certificates, register

MAX_NAMED = 10  # clashing numbers that a refusal lists


@dataclass(frozen=True, slots=True)
class Transfer:
    """The competence that ends, and the successor's that begins; None where it had one already."""

    ended: Competence
    begun: Competence | None
    void: tuple[Competence, ...] = ()  # of the old agency, and would have begun later


def hand_over(
    tx: Transaction, old: Agency, new: Agency, slug: str, *, from_day: date, basis: str
) -> Transfer:
    """Work out a transfer of one type, checking that nothing stands against it.

    Raises: NotFound, IssuedAfter, InputError for a circle, CompetenceOverlaps, NumberTaken.
    """
    held = register.competences(tx, agencies=[old.code, new.code])
    own = [one for one in held if one.agency == old.code]
    after = {
        (one.agency, one.slug): one.successor
        for one in register.transferred(tx)
        if one.successor is not None
    }
    _check_way(Successors(after), old, new, slug)
    last = from_day - timedelta(days=1)
    ending = end_competence(tx, old, own, slug, last)
    if ending.cut is None:
        raise NotFound(f"{old.code} holds no competence for {slug} on {last}")
    ended = replace(ending.cut, successor=new.code)
    _check_numbers(tx, Successors({**after, (old.code, slug): new.code}), old, new, slug)
    theirs = [one for one in held if (one.agency, one.slug) == (new.code, slug)]
    if any(one.covers(from_day) for one in theirs):
        return Transfer(ended, None, ending.void)
    begun = Competence(new.code, slug, from_day, basis, None, ended.only)
    if any(one.overlaps(begun) for one in theirs):
        raise CompetenceOverlaps(f"{new.code} holds {slug} from a later day on already")
    return Transfer(ended, begun, ending.void)


def _check_way(known: Successors, old: Agency, new: Agency, slug: str) -> None:
    if (old.code, slug) in known.after:
        raise InputError(f"{slug} was transferred to {known.after[old.code, slug]} already")
    if known.responsible(new.code, slug) == old.code:
        raise InputError(f"{slug} came to {old.code} from {new.code}: that would be a circle")
    if (new.code, slug) in known.after:
        raise InputError(f"{new.code} itself transferred {slug}: name who has it now")


def _check_numbers(tx: Transaction, then: Successors, old: Agency, new: Agency, slug: str) -> None:
    """Refuse a transfer that would leave one agency two current certificates of one number."""
    theirs = {issuer for issuer, kind in then.taken_over(new.code) if kind == slug}
    of_old = {issuer for issuer in theirs if then.leads_through(issuer, old.code, slug)}
    others = (theirs | {new.code}) - of_old
    if found := certificates.clashing_numbers(tx, slug, of_old, others, MAX_NAMED):
        raise NumberTaken(f"both have current certificates numbered {'、'.join(found)}")
