"""Numbers: minted from the counter of a prefix, skipping those that are taken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache

from ecert.catalogue import CertificateType, NumberPattern
from ecert.errors import CounterFull, NumberTaken
from ecert.issuance.order import Work, each
from ecert.ledger.acting import Desk
from ecert.ledger.successors import sharing_numbers
from ecert.store import Transaction, certificates, counters

_ROUNDS_OF_NUMBERS = 100


def mint_numbers(tx: Transaction, _desk: Desk, works: list[Work], _now: datetime) -> None:
    """Give every new certificate its number, and its local one where the type has a pattern."""
    brought: set[tuple[str, str, str]] = set()
    unnumbered: list[Work] = []
    issuers = cache(lambda agency, slug: sharing_numbers(tx, agency, slug))

    def check(work: Work) -> None:
        order = work.order
        if order.succession is not None:
            return
        work.local_number = order.draft.local_number
        if order.draft.number is None:
            unnumbered.append(work)
            return
        key = order.agency.code, order.kind.slug, order.draft.number
        if key in brought or certificates.is_number_taken(tx, issuers(*key[:2]), *key[1:]):
            raise NumberTaken("another current certificate of this type has the number")
        brought.add(key)
        work.number = order.draft.number

    each(check, works)
    for counter, group in _by_prefix(unnumbered, lambda kind: kind.number).items():
        _mint(tx, counter, group)
    local = [work for work in works if not work.order.succession and not work.local_number]
    for counter, group in _by_prefix(local, lambda kind: kind.local_number).items():
        _mint_local(tx, "local|" + counter, group)


def _by_prefix(
    works: list[Work], pattern_of: Callable[[CertificateType], NumberPattern | None]
) -> dict[str, list[Work]]:
    """Group works by the counter their number comes from: the pattern's prefix."""
    groups: dict[str, list[Work]] = {}
    for work in works:
        order, pattern = work.order, pattern_of(work.order.kind)
        if work.error is None and pattern is not None and pattern.is_usable_by(order.agency):
            counter = f"{order.kind.slug}|{pattern.prefix(order.agency, work.issued_on)}"
            groups.setdefault(counter, []).append(work)
    return groups


def _mint(tx: Transaction, counter: str, group: list[Work]) -> None:
    """Give numbers to a group that shares a prefix, skipping numbers that are taken."""
    slug, _, prefix = counter.partition("|")
    waiting = list(group)
    for _ in range(_ROUNDS_OF_NUMBERS):
        first = counters.take(tx, counter, len(waiting))
        made = [
            work.order.kind.number.make(work.order.agency, work.issued_on, first + place)
            for place, work in enumerate(waiting)
        ]
        taken = certificates.taken_numbers(
            tx, slug, [number for number in made if number is not None]
        )
        again = []
        for work, number in zip(waiting, made, strict=True):
            if number is None:
                work.error = CounterFull(f"no number is left under {prefix}")
            elif number in taken:
                again.append(work)
            else:
                work.number = number
        if not again:
            return
        waiting = again
    for work in waiting:
        work.error = CounterFull("too many numbers in a row are taken")


def _mint_local(tx: Transaction, counter: str, group: list[Work]) -> None:
    first = counters.take(tx, counter, len(group))
    for place, work in enumerate(group):
        pattern = work.order.kind.local_number
        assert pattern is not None  # noqa: S101 - grouped by it
        work.local_number = pattern.make(work.order.agency, work.issued_on, first + place)
