"""Warnings 失效警示 against the statements: what fell is said of all that rests on it, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ecert._encoding import instant
from ecert.inspection.fault import Cursor, Fault, Portion
from ecert.model import FALLEN, SUCCESSIONS, Validity, civil_date
from ecert.store import Reading, agencies, foundations, inspected

AT_ONCE = 100
_FALLEN = frozenset(one.value for one in FALLEN)
_SUCCESSIONS = frozenset(one.value for one in SUCCESSIONS)


@dataclass(frozen=True, slots=True)
class FoundationFile:
    """One certificate that fell, or is said to have: its status, the acts upon it, and who was warned."""

    identifier: str
    status: str | None  # None: there is no such certificate
    acts: Sequence[Any]  # its statements but for successions, oldest first
    warnings: Sequence[Any]
    resting: frozenset[str]  # what rests on it now
    once_resting: frozenset[str]
    zones: frozenset[str]
    said: Mapping[int, int]  # how many the trail says were warned, by the act's place in the log

    def faults(self) -> Iterator[Fault]:
        """Name warnings that nothing calls for, and those that are missing."""
        following = {one.log_index: after for one, after in pairwise([*self.acts, None]) if one}
        known = {one.log_index: one for one in self.acts if one.status in _FALLEN}
        for row in self.warnings:
            act = known.get(row.log_index)
            if act is None or row.certificate not in self.once_resting:
                yield self._fault(row.certificate)
                continue
            after = following[row.log_index]
            lifted = None if after is None else after.log_index
            if (row.status, row.lifted_index) != (act.status, lifted) or not self._is_day(row, act):
                yield self._fault(row.certificate)
        warned = {row.certificate for row in self.warnings if row.lifted_index is None}
        if self.status in _FALLEN:
            yield from map(self._fault, sorted(self.resting - warned))
        for act in known.values():
            told = sum(row.log_index == act.log_index for row in self.warnings)
            if told < self.said.get(act.log_index, 0):
                yield self._fault(f"{told} of {self.said[act.log_index]}")

    def _is_day(self, row: Any, act: Any) -> bool:
        """Tell whether the warning begins with the day of the act, where its agency is."""
        days = ((zone, civil_date(instant(act.at), zone)) for zone in self.zones)
        return any(Validity(day, None).seconds(zone)[0] == row.since for zone, day in days)

    def _fault(self, certificate: str) -> Fault:
        return Fault("warning_changed", f"fallen_foundations/{certificate}/{self.identifier}")


class WarningPart:
    """Every certificate that fell, and every warning there is, by the foundation."""

    def look(self, reading: Reading, cursor: Cursor) -> Portion:
        """Look at the next 100 foundations."""
        after = str(cursor.get("after", ""))
        found = inspected.fallen_ones(reading, after, AT_ONCE)
        done = int(cursor.get("done", 0)) + len(found)
        if not found:
            return Portion(done, done, None)
        zones = frozenset(one.time_zone for one in agencies.listed(reading))
        faults = [one for name in found for one in self._file(reading, name, zones).faults()]
        return Portion(done, done, {"after": found[-1], "done": done}, tuple(faults))

    def _file(self, reading: Reading, name: str, zones: frozenset[str]) -> FoundationFile:
        row = inspected.named(reading, [name]).get(name)
        status = None if row is None else row.status
        acts = [
            one
            for one in inspected.statements_of(reading, name)
            if one.operation not in _SUCCESSIONS
        ]
        return FoundationFile(
            identifier=name,
            status=status,
            acts=acts,
            warnings=inspected.warnings_by(reading, name),
            resting=foundations.dependents(reading, name) if status in _FALLEN else frozenset(),
            once_resting=foundations.dependents(reading, name, ever=True),
            zones=zones,
            said=inspected.warned_by(reading, acts),
        )
