"""Rows of administration 管理记录 against the trail: each says what the newest act upon it wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from zlib import crc32

import orjson

from ecert.inspection.fault import Cursor, Fault, Portion
from ecert.ledger.trail import WRITTEN
from ecert.store import TRAIL, Reading, administration, inspected, trees

AT_ONCE = 4096
SLICE = 200_000  # rows whose digests are held in memory at once
_MARK = f'"{WRITTEN}"'.encode()


class AdministrationPart:
    """The whole trail, read for what it says was written, and then every row there is.

    So that memory stays flat the rows are taken in slices, and the trail is read once for each.
    """

    def __init__(self) -> None:
        self._told: dict[str, str | None] = {}
        self._seen = (-1, -1)  # which slice is held, and how far of the trail it was read

    def look(self, reading: Reading, cursor: Cursor) -> Portion:
        """Read the next 4,096 rows of the trail; at its end compare all rows of the slice."""
        size = trees.head(reading, TRAIL).size
        slices = int(cursor.get("of", 0)) or administration.count(reading) // SLICE + 1
        number, start = int(cursor.get("slice", 0)), int(cursor.get("next", 0))
        if self._seen != (number, start):
            self._told, start = {}, 0  # a check that goes on begins this slice again
        end = min(start + AT_ONCE, size)
        self._read(reading, start, end, number, slices)
        self._seen = number, end
        done, total = number * size + end, slices * size
        if end < size:
            return Portion(done, total, {"of": slices, "slice": number, "next": end})
        faults = tuple(self._compared(reading, number, slices))
        following = {"of": slices, "slice": number + 1, "next": 0}
        return Portion(done, total, following if number + 1 < slices else None, faults)

    def _read(self, reading: Reading, start: int, end: int, number: int, slices: int) -> None:
        for row in inspected.trail_rows(reading, start, end):
            for name, digest in _written(bytes(row.details)).items():
                if _slice(name, slices) == number:
                    self._told[name] = digest

    def _compared(self, reading: Reading, number: int, slices: int) -> Iterator[Fault]:
        told, untold = self._told, list[Fault]()
        there = set()
        for name, digest in administration.every(reading):
            if _slice(name, slices) != number:
                continue
            there.add(name)
            if name not in told:
                untold.append(Fault("row_added", name))
            elif told[name] != digest:
                yield Fault("row_added" if told[name] is None else "row_changed", name)
        for name, known in told.items():
            if known is not None and name not in there:
                yield Fault("row_removed", name)
        if untold and not is_told(reading):
            yield Fault("rows_unadopted", f"{untold[0].place} …", f"{len(untold)}")
        else:
            yield from untold


def _written(details: bytes) -> Mapping[str, str | None]:
    """Give what a row of the trail says was written; nothing where it is damaged, which its tree says."""
    if _MARK not in details:
        return {}
    try:
        found = orjson.loads(details).get(WRITTEN)
    except (orjson.JSONDecodeError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def is_told(reading: Reading) -> bool:
    """Tell whether the trail speaks of every row: from its first row on, or since an upgrade."""
    first = inspected.trail_rows(reading, 0, 1)
    return bool(first and _MARK in bytes(first[0].details)) or inspected.is_adopted(reading)


def _slice(name: str, slices: int) -> int:
    return crc32(name.encode()) % slices
