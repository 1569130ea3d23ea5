"""The register 名录 against its own signed statements: what they lead to is what the rows say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from ecert._encoding import instant, rfc3339
from ecert.errors import EcertError
from ecert.formats.receipt import commitment, log_entry
from ecert.formats.register import (
    EVENT,
    NO_TYPE,
    RegisterAct,
    RegisterStatement,
    parse_register,
)
from ecert.inspection.fault import Cursor, Fault, Portion
from ecert.model import Competence
from ecert.store import Reading, agencies, inspected, register

DAY = timedelta(days=1)
_ACTS = frozenset({"agency", "competence", "register", "registry"})
_NAMED = ("name", "short_name", "division", "parent")


@dataclass
class Folded:
    """What statements, taken in the order of the log, lead to."""

    competences: dict[tuple[str, str, date], Competence] = field(default_factory=dict)
    versions: dict[tuple[str, date], dict[str, str]] = field(default_factory=dict)
    closed: dict[str, date] = field(default_factory=dict)

    def take(self, one: RegisterStatement, index: int) -> None:
        """Take one more statement, which the log has at an index."""
        match one.act:
            case RegisterAct.REGISTERED | RegisterAct.CHANGED:
                said = {name: value for name in _NAMED if (value := getattr(one, name)) is not None}
                self.versions[one.agency, one.from_day] = said
            case RegisterAct.CLOSED:
                self.closed[one.agency] = one.from_day
            case RegisterAct.GRANTED:
                self._grant(one, index)
            case RegisterAct.ENDED:
                self._end(one)
            case RegisterAct.TRANSFERRED:
                self._transfer(one, index)

    def _grant(self, one: RegisterStatement, index: int) -> None:
        key = one.agency, one.type or "", one.from_day
        before = self.competences.get(key)  # said again, for the address was changed
        self.competences[key] = Competence(
            agency=one.agency,
            slug=one.type or "",
            from_day=one.from_day,
            basis=one.basis,
            to_day=one.to_day,
            only=one.only,
            successor=None if before is None else before.successor,
            register_index=index,
        )

    def _end(self, one: RegisterStatement) -> None:
        key = one.agency, one.type or "", one.from_day
        found = self.competences.get(key)
        if found is None:
            return
        self.competences[key] = replace(found, to_day=one.to_day)
        if one.to_day is not None and one.to_day < one.from_day:
            del self.competences[key]  # it never began

    def _transfer(self, one: RegisterStatement, index: int) -> None:
        last = one.from_day - DAY
        held = list(self.competences.items())
        for key, found in held:
            if key[:2] == (one.agency, one.type) and found.covers(last):
                self.competences[key] = replace(found, to_day=last, successor=one.successor)
        theirs = [found for key, found in held if key[:2] == (one.successor, one.type)]
        if one.successor and not any(found.covers(one.from_day) for found in theirs):
            begun = Competence(
                one.successor, one.type or "", one.from_day, one.basis, None, one.only
            )
            self.competences[begun.agency, begun.slug, begun.from_day] = replace(
                begun, register_index=index
            )


class RegisterPart:
    """All statements upon the register, and the rows that they lead to, in one go: there are few."""

    def __init__(self, base: str) -> None:
        self._base = base

    def look(self, reading: Reading, _cursor: Cursor) -> Portion:
        """Fold all statements and compare."""
        rows = inspected.register_statements(reading)
        entries = inspected.entries_at(reading, [row.log_index for row in rows])
        acts = inspected.acts_of(reading, [row.trail_index for row in rows])
        folded, faults = Folded(), list[Fault]()
        for row in rows:
            faults += self._take(row, entries.get(row.log_index), folded)
            if not _is_told(acts.get(row.trail_index)):
                faults.append(Fault("register_changed", _place(row), "trail_index"))
        faults += [*_of_competences(reading, folded), *_of_agencies(reading, folded)]
        return Portion(len(rows), len(rows), None, tuple(faults))

    def _take(self, row: Any, entry: bytes | None, folded: Folded) -> Iterator[Fault]:
        place = _place(row)
        try:
            _, issuer, one = parse_register(row.token)
        except EcertError as error:
            yield Fault("register_changed", place, error.message)
            return
        expected = log_entry(
            event=EVENT,
            time=rfc3339(instant(one.at)),
            issuer=one.agency,
            kind=one.type or NO_TYPE,
            commitment=commitment(bytes(row.salt), row.token.encode()),
        )
        if entry != expected:
            yield Fault("register_not_logged", place)
        if row.agency != one.agency:
            yield Fault("register_changed", place, "agency")
        if issuer == self._base:  # under an earlier address nothing was published
            folded.take(one, row.log_index)


def _place(row: Any) -> str:
    return f"register_statements/{row.log_index}"


def _is_told(act: Any) -> bool:
    """Tell whether a row of the trail is an act upon the register that was done."""
    return act is not None and act.outcome == "done" and act.action.partition(".")[0] in _ACTS


def _of_competences(reading: Reading, folded: Folded) -> Iterator[Fault]:
    expected = dict(folded.competences)
    for one in register.competences(reading):
        place = f"competences/{one.agency}/{one.slug}/{one.from_day}"
        if one.register_index is None:
            continue  # taken over from an older version, and not signed yet
        signed = expected.pop((one.agency, one.slug, one.from_day), None)
        if signed is None or replace(one, to_entry=None) != signed:
            yield Fault("register_changed", place)
    for agency, slug, day in expected:
        yield Fault("register_changed", f"competences/{agency}/{slug}/{day}", "missing")


def _of_agencies(reading: Reading, folded: Folded) -> Iterator[Fault]:
    versions = {(one.agency, one.from_day): one for one in agencies.versions(reading)}
    for (agency, day), said in folded.versions.items():
        found = versions.get((agency, day))
        if found is None or any(getattr(found, name) != value for name, value in said.items()):
            yield Fault("register_changed", f"agency_versions/{agency}/{day}")
    for one in agencies.listed(reading):
        if one.closed_on != folded.closed.get(one.code):
            yield Fault("register_changed", f"agencies/{one.code}", "closed_on")
