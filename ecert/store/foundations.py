"""What a certificate rests on, in the store, and what rests on it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    select,
)

from ecert.model import Record
from ecert.store import tables as t
from ecert.store.certificates import by_ids
from ecert.store.connection import Reading

MAX_CHAIN = 500  # certificates that rest on one another


def chain_of(reading: Reading, certificate: str) -> tuple[list[Record], list[Record]]:
    """Give what a certificate rests on, step by step, and what rests on it; each once."""
    f = t.foundations.c
    below = _followed(reading, certificate, f.certificate, f.rests_on)
    above = _followed(reading, certificate, f.rests_on, f.certificate)
    return below, above


def _followed(reading: Reading, start: str, source: Any, target: Any) -> list[Record]:
    found, waiting = {start}, [start]
    while waiting and len(found) < MAX_CHAIN:
        query = select(target).where(source.in_(waiting[:MAX_CHAIN]))
        waiting = sorted(set(reading.connection.execute(query).scalars()) - found)
        found.update(waiting)
    return by_ids(reading, found - {start})
