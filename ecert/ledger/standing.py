"""How certificates stand now: their effective status, and what of that which they rest on has fallen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from ecert.model import FallenFoundation, Record, effective_status, gravest_first
from ecert.store import Reading, foundations


def standing(reading: Reading, records: Iterable[Record], now: datetime) -> list[Record]:
    """Give records with the status that they have now, and warned of what they rest on."""
    given = list(records)
    resting = [one.id for one in given if one.has_foundations]
    fallen = foundations.fallen(reading, resting) if resting else {}
    return [_standing(one, fallen.get(one.id, ()), now.timestamp()) for one in given]


def _standing(record: Record, fallen: Sequence[FallenFoundation], now: float) -> Record:
    status = effective_status(record.status, record.exp, now)
    if status is record.status and not fallen:
        return record
    direct = record.body["rests_on"] if fallen else ()
    warnings = [one.warning(direct) for one in gravest_first(fallen)]
    return replace(record, status=status, warnings=(*record.warnings, *warnings))
