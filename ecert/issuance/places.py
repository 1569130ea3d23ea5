"""Places in the status lists 状态列表: each new certificate gets one that cannot be guessed."""

from __future__ import annotations

from datetime import datetime

from ecert.issuance.order import Work
from ecert.ledger.acting import Desk
from ecert.store import Transaction, status_lists


def take_places(tx: Transaction, desk: Desk, works: list[Work], _now: datetime) -> None:
    """Give every new certificate a place in a status list that cannot be guessed."""
    for work, (number, place) in zip(works, status_lists.allocate(tx, len(works)), strict=True):
        work.place = number, desk.secrets.place(place, number)
