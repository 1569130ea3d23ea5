"""Each entry of the log has its row, each row its entry; and each status list as many places as were given."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ecert._encoding import parse_json
from ecert.errors import EcertError
from ecert.formats.status_list import LIST_SIZE
from ecert.inspection.fault import Cursor, Fault, Portion
from ecert.store import Reading, inspected, trees

AT_ONCE = 4096
_TABLES = {"issue": "certificates", "copy": "copies", "register": "register_statements"}
_STATEMENTS = "statements"
_FAR = 1 << 62


class EntryPart:
    """Every entry of the log, and the row that it speaks of.

    ``shuffle`` gives the n-th place of a list, as whoever allocates places does.
    """

    def __init__(self, shuffle: Callable[[int, int], int]) -> None:
        self._shuffle = shuffle

    def look(self, reading: Reading, cursor: Cursor) -> Portion:
        """Look at the next 4,096 entries."""
        start, size = int(cursor.get("next", 0)), trees.head(reading).size
        end = min(start + AT_ONCE, size)
        faults = list(_compared(reading, start, end))
        if end < size:
            return Portion(end, size, {"next": end}, tuple(faults))
        beyond = inspected.placed(reading, size, _FAR) | inspected.placed(reading, -_FAR, 0)
        faults += [
            Fault("entry_without_row", f"{table}/{place}", "beyond the log")
            for place, table in beyond.items()
        ]
        faults += [
            Fault("certificate_missing", f"{table}/{certificate}")
            for table, certificate in inspected.orphans(reading)
        ]
        return Portion(end, size, None, (*faults, *self._of_lists(reading)))

    def _of_lists(self, reading: Reading) -> Iterator[Fault]:
        for row in inspected.lists(reading):
            allocated = row.allocated if row.allocated is not None else -1
            if not (row.there or 0) <= allocated <= LIST_SIZE:
                yield Fault("list_changed", f"status_lists/{row.list}")
                continue
            given = {self._shuffle(place, row.list) for place in range(allocated)}
            if not given.issuperset(inspected.places(reading, row.list)):
                yield Fault("list_changed", f"status_lists/{row.list}", "place")


def _compared(reading: Reading, start: int, end: int) -> Iterator[Fault]:
    there = inspected.placed(reading, start, end)
    for index, entry in inspected.entries(reading, start, end).items():
        try:
            event = parse_json(entry).get("event")
        except (EcertError, AttributeError):
            event = None  # the recomputation of the tree names it
        expected = _TABLES.get(str(event), _STATEMENTS)
        if there.get(index) != expected:
            yield Fault("entry_without_row", f"log_entries/{index}", f"{event}: {expected}")
