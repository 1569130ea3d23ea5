"""Acting 办理: one transaction, one row of the trail, and refusals that are kept."""

from __future__ import annotations

import functools
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from ecert._encoding import Clock, Randomness
from ecert.catalogue import Catalogue
from ecert.errors import EcertError, QuotaExceeded
from ecert.formats.credential import issuer_address
from ecert.formats.status_list import shuffle
from ecert.ids import make_serial
from ecert.keys import SigningKey, derive
from ecert.ledger.access import refusal as refusal_of
from ecert.ledger.log import Log
from ecert.ledger.trail import AuditEntry, AuditTrail
from ecert.store import Store, Transaction

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Charter:
    """What a registry is by its settings: its address, its log's name, and on what terms it issues."""

    base: str
    origin: str
    is_trial: bool = False
    allow_provisional: bool = False
    defining_body: str = ""
    sign_in_minutes: int = 15  # how old a holder's sign-in may be for his own certificates

    @property
    def host(self) -> str:
        """The address without its scheme."""
        return self.base.partition("://")[2]

    @property
    def trail_origin(self) -> str:
        """The audit trail's name in its own checkpoints: never one of the logs that prove issues."""
        host, _, name = self.origin.rpartition("/")
        return f"{host}/audit{name.removeprefix('log')}"

    def agency_address(self, code: str) -> str:
        """Give the address under which an agency signs."""
        return issuer_address(self.base, code)

    def status_address(self, number: int) -> str:
        """Give the address of a status list."""
        return f"{self.base}/status/{number}"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Keys that hide: holders' codes, and the order of places in a status list; and one that marks."""

    holder: bytes
    status: bytes
    check: bytes

    @classmethod
    def of(cls, secret: bytes) -> Secrets:
        """Derive them from the registry's secret."""
        names = ("holder/v1", "status-index/v1", "check/v1")
        return cls(*(derive(secret, name) for name in names))

    def place(self, count: int, number: int) -> int:
        """Give the n-th place of a status list: an index that cannot be guessed."""
        return shuffle(count, self.status, number)

    def mark(self, data: bytes) -> bytes:
        """Give the HMAC by which the registry knows what it noted of its own checks."""
        return hmac.digest(self.check, data, sha256)

    def hide(self, code: str) -> bytes:
        """Give the HMAC under which a code is kept and found."""
        return hmac.digest(self.holder, code.encode(), sha256)


class SigningKeys(Protocol):
    """Where the keys are that sign."""

    def agency_key(self, code: str) -> SigningKey:
        """Open an agency's signing key. Raises: KeyUnavailable."""

    def registry_key(self) -> SigningKey:
        """Open the registry's own key. Raises: KeyUnavailable."""


@dataclass
class Agenda:
    """What the calendar brings 到期: done before anything else is written; nothing until it is set."""

    come_due: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Desk:
    """What every act of a registry works with 工作台."""

    store: Store
    charter: Charter
    catalogue: Catalogue
    keys: SigningKeys
    secrets: Secrets
    log: Log
    trail: AuditTrail
    clock: Clock
    randomness: Randomness
    agenda: Agenda = field(default_factory=Agenda)

    @property
    def base(self) -> str:
        """The registry's address."""
        return self.charter.base

    def new_id(self, now: datetime) -> str:
        """Make an identifier: 26 characters, in the order of time."""
        return make_serial(int(now.timestamp() * 1000), self.randomness(10))

    def act(
        self,
        entry: AuditEntry,
        work: Callable[[Transaction, datetime], T],
        names: Callable[[T], Mapping[str, Any]] = lambda _result: {},
        *,
        more: Callable[[T], Sequence[AuditEntry]] = lambda _result: (),
        log: Callable[[Transaction, T, int], T] | None = None,
    ) -> T:
        """Do something in one transaction and audit it; a refusal is audited too.

        ``names`` says what of the result goes into its row, ``more`` which rows follow. ``log``
        appends to the log, whose head is the last lock: it is told the row's index, and nothing is
        done while the log would fork. What has come due by the calendar is done first. What the work
        wrote before it refused stays, so it writes then only what a refusal needs.
        Raises: what the work raises, when its audit row is durable; QuotaExceeded.
        """
        self.agenda.come_due()
        now = self.clock()
        refused: list[EcertError] = []

        def run(tx: Transaction) -> T | None:
            refused.clear()
            try:
                if log is not None:
                    self.log.check(tx)
                result = work(tx, now)
            except EcertError as error:
                refused.append(error)
                self.trail.append(tx, [entry.refused(error)], now)
                return None
            rows = [entry.done(**names(result)), *more(result)]
            index = self.trail.reserve(tx, rows, now)
            if log is not None:
                result = log(tx, result, index)
            self.trail.enter(tx, rows, now)
            return result

        try:
            result = self.store.write(run)
        except QuotaExceeded as error:  # found when the rows were counted: nothing of it stays
            self.trail.write([entry.refused(error)])
            raise
        if refused:
            raise refused[0]
        return cast("T", result)

    @contextmanager
    def audited(self, entry: AuditEntry) -> Iterator[None]:
        """Write down a refusal of what is decided before any transaction; it is raised again."""
        try:
            yield
        except EcertError as error:
            self.trail.write([entry.refused(error)])
            raise


class Verbs:
    """The verbs of one noun: each is a method that says by whom it is called."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk


def needs(scope: str | None) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a verb be called only by who holds a scope (None: by the registry's own operator).

    The verb names its actor ``by``; a refusal is in the trail before it is raised.
    """

    def decorate(verb: Callable[P, T]) -> Callable[P, T]:
        name = verb.__qualname__.lower()

        @functools.wraps(verb)
        def guarded(*args: P.args, **members: P.kwargs) -> T:
            actor = cast("Any", members["by"])
            error = refusal_of(actor, scope)
            if error is not None:
                trail = members.get("trail") or cast("Verbs", args[0]).desk.trail
                cast("Any", trail).write([AuditEntry(name, actor).refused(error)])
                raise error
            return verb(*args, **members)

        guarded.scope = scope  # type: ignore[attr-defined]  # what the service asks before it reads a body
        return guarded

    return decorate
