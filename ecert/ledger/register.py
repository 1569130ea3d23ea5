"""The register 名录: every act upon it is signed and logged, and "who may issue what" is answered here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from ecert._encoding import Randomness, instant, parse_json, parse_rfc3339, rfc3339
from ecert.catalogue import Catalogue
from ecert.errors import InputError, IssuedAfter, NotCompetent, NotFound, RegisterUnsigned
from ecert.formats.receipt import SALT_BYTES, commitment, log_entry
from ecert.formats.register import EVENT, NO_TYPE, RegisterAct, RegisterStatement, sign_register
from ecert.keys import SigningKey
from ecert.ledger.log import append_entries
from ecert.model import Agency, AgencyVersion, Competence, Record, civil_date, is_line, version_of
from ecert.model.calendar import Validity
from ecert.store import Reading, Transaction, agencies, register, trees

MAX_BASIS = 200


@dataclass(frozen=True, slots=True)
class Registrar:
    """What signs acts upon the register: the registry's key, its address, and randomness for salts."""

    key: SigningKey
    base: str
    randomness: Randomness


def enter(
    tx: Transaction, registrar: Registrar, acts: Sequence[RegisterStatement], trail_index: int
) -> list[int]:
    """Sign acts upon the register and append them to the log, the last lock; give their indexes."""
    salts = [registrar.randomness(SALT_BYTES) for _ in acts]
    tokens = [sign_register(act, registrar.key, base=registrar.base) for act in acts]
    entries = [_entry(act, *pair) for act, *pair in zip(acts, tokens, salts, strict=True)]
    first = append_entries(tx, entries)
    places = list(range(first, first + len(acts)))
    rows = [
        {
            "log_index": place,
            "trail_index": trail_index,
            "agency": act.agency,
            "salt": salt,
            "token": token,
        }
        for place, act, token, salt in zip(places, acts, tokens, salts, strict=True)
    ]
    register.add_statements(tx, rows)
    return places


def _entry(act: RegisterStatement, token: Any, salt: Any) -> bytes:
    return log_entry(
        event=EVENT,
        time=rfc3339(instant(act.at)),
        issuer=act.agency,
        kind=act.type or NO_TYPE,
        commitment=commitment(salt, token.encode("ascii")),
    )


def granted(competence: Competence, at: int) -> RegisterStatement:
    """Say that an agency was given a competence; ``at`` in Unix seconds."""
    return RegisterStatement(
        agency=competence.agency,
        act=RegisterAct.GRANTED,
        at=at,
        from_day=competence.from_day,
        to_day=competence.to_day,
        basis=competence.basis,
        type=competence.slug,
        only=competence.only,
    )


def registered(agency: Agency, at: int, day: date, basis: str) -> RegisterStatement:
    """Say that an agency was registered; ``at`` in Unix seconds."""
    return RegisterStatement(
        agency=agency.code,
        act=RegisterAct.REGISTERED,
        at=at,
        from_day=day,
        basis=basis,
        name=agency.name,
        short_name=agency.short_name,
        division=agency.division,
        parent=agency.parent,
    )


def changed(before: AgencyVersion, after: AgencyVersion, basis: str, at: int) -> RegisterStatement:
    """Say what of an agency is another from a day on; ``at`` in Unix seconds."""
    members = ("name", "short_name", "division", "parent")
    other = {
        name: getattr(after, name)
        for name in members
        if getattr(after, name) != getattr(before, name)
    }
    return RegisterStatement(after.agency, RegisterAct.CHANGED, at, after.from_day, basis, **other)


def closed(agency: str, from_day: date, basis: str, at: int) -> RegisterStatement:
    """Say that an agency is no more from a day on; ``at`` in Unix seconds."""
    return RegisterStatement(agency, RegisterAct.CLOSED, at, from_day, basis)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An agency that is registered, with the types that it may issue from that day on, and why."""

    agency: Agency
    may_issue: Sequence[str]
    basis: str


def enter_agency(
    tx: Transaction, registrar: Registrar, newcomer: Newcomer, now: datetime, trail_index: int
) -> None:
    """Enter an agency that was just added, and its competences, in the log and in the register."""
    agency, at = newcomer.agency, int(now.timestamp())
    day = civil_date(now, agency.time_zone)
    agencies.put_version(tx, version_of(agency, day))
    slugs = dict.fromkeys(newcomer.may_issue)
    wanted = [Competence(agency.code, slug, day, newcomer.basis) for slug in slugs]
    acts = [registered(agency, at, day, newcomer.basis), *(granted(one, at) for one in wanted)]
    _, *places = enter(tx, registrar, acts, trail_index)
    for one, place in zip(wanted, places, strict=True):
        register.add(tx, replace(one, register_index=place))


def check_basis(basis: str) -> None:
    """Check the document that an act upon the register rests on. Raises: InputError."""
    if not is_line(basis, MAX_BASIS):
        raise InputError(
            f"basis is required: one line of at most {MAX_BASIS} characters, such as 穗编办〔2019〕1号"
        )


def check_types(catalogue: Catalogue, slugs: Iterable[str]) -> None:
    """Check that types are known. Raises: NotFound."""
    for slug in slugs:
        catalogue.newest(slug)


@dataclass(frozen=True, slots=True)
class Roll:
    """The register as it is at one moment, read with the log: agencies, their names, what they may issue.

    ``size`` is how long the log is, ``at`` the time of its newest entry.
    """

    agencies: tuple[Agency, ...]
    versions: tuple[AgencyVersion, ...]
    competences: tuple[Competence, ...]
    size: int
    at: datetime

    def names(self, code: str) -> tuple[tuple[date, str], ...]:
        """Give the names of an agency, each from its first day."""
        named: list[tuple[date, str]] = []
        for one in self.versions:
            if one.agency == code and (not named or named[-1][1] != one.name):
                named.append((one.from_day, one.name))
        return tuple(named)

    def rights(self, code: str) -> tuple[Competence, ...]:
        """Give the competences of an agency as a trust file shows them: without basis and place."""
        held = (one for one in self.competences if one.agency == code)
        return tuple(replace(one, basis="", register_index=None) for one in held)


def read_roll(reading: Reading, founded_at: datetime) -> Roll:
    """Read the register; the reading is a snapshot. An empty log is as old as the registry."""
    size = trees.head(reading).size
    at = founded_at
    if size:
        (newest,) = trees.entries(reading, size - 1, size)
        at = parse_rfc3339(parse_json(newest)["time"])
    return Roll(
        agencies=tuple(agencies.listed(reading)),
        versions=tuple(agencies.versions(reading)),
        competences=tuple(register.competences(reading)),
        size=size,
        at=at,
    )


def without_competence(reading: Reading, records: Sequence[Record]) -> frozenset[str]:
    """Name the certificates that their agency had no right to issue on the day it did."""
    issuers = {one.issuer for one in records}
    if not issuers:
        return frozenset()
    held = register.competences(reading, agencies=issuers)
    zones = {one.code: one.time_zone for one in agencies.listed(reading)}
    return frozenset(one.id for one in records if not _was_competent(one, held, zones))


def _was_competent(record: Record, held: Iterable[Competence], zones: Mapping[str, str]) -> bool:
    day = civil_date(parse_rfc3339(record.body["created_at"]), zones[record.issuer])
    named = (record.issuer, record.slug)
    return any((one.agency, one.slug) == named and one.covers(day) for one in held)


def require_competent(held: Iterable[Competence], agency: Agency, slug: str, day: date) -> None:
    """Check that an agency may issue a type on a day (design §10.1).

    Raises: NotCompetent, RegisterUnsigned.
    """
    if agency.is_closed(day):
        raise NotCompetent(f"agency {agency.code} was closed on {agency.closed_on}")
    own = [one for one in held if (one.agency, one.slug) == (agency.code, slug)]
    for one in own:
        if one.successor is not None and one.is_due(day):
            raise NotCompetent(f"{slug} was transferred to agency {one.successor}")
    fitting = [one for one in own if one.only is None and one.covers(day)]
    if not fitting:
        raise NotCompetent(
            f"agency {agency.code} has no competence for {slug} on {day}; the operator gives it with: "
            f"ecert agency allow {agency.code} {slug} --basis 穗编办〔2019〕1号"
        )
    if all(one.register_index is None for one in fitting):
        raise RegisterUnsigned(
            "competences were taken over from an older version and are not signed yet; "
            "the operator signs them with: ecert upgrade"
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """What an end makes of an agency's periods of a type: one is cut, later ones never begin."""

    cut: Competence | None
    void: tuple[Competence, ...]

    def acts(self, basis: str, at: int) -> list[RegisterStatement]:
        """Say each of it; ``at`` in Unix seconds."""
        ended = (*(() if self.cut is None else (self.cut,)), *self.void)
        return [period_ended(one, basis, at) for one in ended]

    def put(self, tx: Transaction) -> None:
        """Let it be so in the store."""
        if self.cut is not None:
            register.put(tx, self.cut)
        for one in self.void:
            register.remove(tx, one)


def end_competence(
    tx: Transaction, agency: Agency, held: Sequence[Competence], slug: str, last: date
) -> Ending:
    """End an agency's right to issue a type with a last day: also what would begin later.

    Raises: NotFound, IssuedAfter.
    """
    after = last + timedelta(days=1)
    own = [one for one in held if (one.agency, one.slug) == (agency.code, slug)]
    cut = next((replace(one, to_day=last) for one in own if one.covers(last)), None)
    later = [one for one in own if one.from_day > last]
    if cut is None and not later:
        raise NotFound(f"{agency.code} holds no competence for {slug} on {last}")
    start, _ = Validity(after, None).seconds(agency.time_zone)
    if count := register.issued_since(tx, agency.code, slug, start):
        raise IssuedAfter(
            f"{count} certificates of {slug} were issued by {agency.code} on {after} or later: withdraw "
            "what was wrongly granted one by one, or name a later day"
        )
    never = (replace(one, to_day=one.from_day - timedelta(days=1)) for one in later)
    return Ending(cut, tuple(never))


def transferred(ended: Competence, from_day: date, basis: str, at: int) -> RegisterStatement:
    """Say that a type is its successor's from a day on; ``at`` in Unix seconds."""
    return RegisterStatement(
        agency=ended.agency,
        act=RegisterAct.TRANSFERRED,
        at=at,
        from_day=from_day,
        basis=basis,
        type=ended.slug,
        only=ended.only,
        successor=ended.successor,
    )


def period_ended(one: Competence, basis: str, at: int) -> RegisterStatement:
    """Say that a competence ends on its last day; ``at`` in Unix seconds."""
    return RegisterStatement(
        agency=one.agency,
        act=RegisterAct.ENDED,
        at=at,
        from_day=one.from_day,
        to_day=one.to_day,
        basis=basis,
        type=one.slug,
    )
