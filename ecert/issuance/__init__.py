"""Issuing 签发: from a draft to a signed, stored and logged certificate, in one transaction.

``issue_many`` is the primitive and ``issue`` a batch of one. One order's fault never fails its
neighbours; nothing leaves the process before the commit.
"""

from __future__ import annotations

from collections.abc import Sequence

from ecert.errors import EcertError
from ecert.issuance.checks import check_competent, check_log, check_order
from ecert.issuance.foundations import check_foundations
from ecert.issuance.making import make
from ecert.issuance.numbers import mint_numbers
from ecert.issuance.order import (
    Idempotency,
    Issued,
    Order,
    Succession,
    Work,
    each,
    issued_on_of,
    made,
)
from ecert.issuance.places import take_places
from ecert.issuance.replay import replay
from ecert.issuance.succession import take_over
from ecert.issuance.writing import write
from ecert.ledger.acting import Desk
from ecert.store import Transaction

__all__ = ["Idempotency", "Issued", "Order", "Succession", "issue", "issue_many"]

# Every lock is taken in this order, everywhere; audit head and log head follow in ``write``.
_STEPS = (
    *(replay, check_log, check_competent, check_order),
    *(check_foundations, mint_numbers, take_over, take_places),
)


def issue_many(desk: Desk, orders: Sequence[Order]) -> list[Issued | EcertError]:
    """Issue certificates in one transaction; give each its result or its refusal.

    Refused orders change nothing but the audit trail. Raises: StoreBusy, KeyUnavailable.
    """
    return desk.store.write(lambda tx: _issue(tx, desk, orders)) if orders else []


def issue(desk: Desk, order: Order) -> Issued:
    """Issue one certificate. Raises: the refusal."""
    (result,) = issue_many(desk, [order])
    if isinstance(result, EcertError):
        raise result
    return result


def _issue(tx: Transaction, desk: Desk, orders: Sequence[Order]) -> list[Issued | EcertError]:
    now = desk.clock()
    works = [Work(order, issued_on_of(order, now)) for order in orders]
    for step in _STEPS:
        step(tx, desk, _waiting(works), now)
    waiting = _waiting(works)
    each(lambda work: make(desk, work, now), waiting)
    fresh = [work for work in waiting if work.error is None]
    write(tx, desk, works, fresh, now)
    return [work.error or Issued(made(work), work.is_replay) for work in works]


def _waiting(works: Sequence[Work]) -> list[Work]:
    """Give the works that were neither refused nor found to be done already."""
    return [work for work in works if work.error is None and work.record is None]
