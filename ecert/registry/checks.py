"""Checks 核对: everything the store says against everything that was signed, logged and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from ecert._encoding import canonical_plain, instant, rfc3339
from ecert.errors import EcertError, HomeError, ReadOnly, StoreBusy
from ecert.formats.merkle import leaf_hash
from ecert.inspection.administration import AdministrationPart, is_told
from ecert.inspection.certificates import CertificatePart, Standard
from ecert.inspection.entries import EntryPart
from ecert.inspection.fault import Cursor, Fault, Part, Portion
from ecert.inspection.register import RegisterPart
from ecert.inspection.signatures import SHARES, SignaturePart
from ecert.inspection.trees import TreePart
from ecert.inspection.warnings import WarningPart
from ecert.ledger.acting import Desk, Verbs, needs
from ecert.ledger.log import Log
from ecert.ledger.trail import AuditEntry, audit_leaf
from ecert.model import DEFAULT_ZONE, Actor, civil_date
from ecert.store import (
    LOG,
    TRAIL,
    CheckRow,
    Reading,
    Transaction,
    administration,
    checks,
    inspected,
    settings,
)
from ecert.store import trail as trail_rows
from ecert.store.inspected import ADOPT

ALL, NIGHTLY = "all", "nightly"
MAX_KEPT = 1000  # faults that are kept in full; all are counted
RESUMABLE_SECONDS = 7 * 86400
SAVED_EVERY = 10  # portions
UNSEEN_SECONDS = 600
Tell = Callable[[str, int, int], None]
Makers = dict[str, Callable[[], Part]]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found: when it began and ended, and the faults; ``found`` counts those not kept too."""

    scope: str
    started_at: datetime
    finished_at: datetime
    found: int
    faults: tuple[Mapping[str, Any], ...]

    @property
    def is_good(self) -> bool:
        """Tell whether nothing was found."""
        return self.found == 0

    def to_json(self) -> dict[str, Any]:
        """Give the result as JSON."""
        return {
            "good": self.is_good,
            "scope": self.scope,
            "started_at": rfc3339(self.started_at),
            "finished_at": rfc3339(self.finished_at),
            "found": self.found,
            "faults": list(self.faults),
        }


class Checks(Verbs):
    """Runs checks, goes on with those that were cut short, and remembers what the last one found."""

    def __init__(
        self, desk: Desk, trail: Log, signatures: Callable[[int | None], SignaturePart]
    ) -> None:
        super().__init__(desk)
        self._trail, self._signatures = trail, signatures

    @needs(None)
    def run(
        self,
        *,
        by: Actor,
        scope: str = ALL,
        afresh: bool = False,
        tell: Tell = lambda _part, _done, _total: None,
    ) -> Checked:
        """Compare everything with everything, portion by portion; ``tell`` hears how far it is.

        ``scope`` nightly looks at the signatures and files of one certificate in 28, each day at
        others. A check that was cut short within a week goes on where it was, unless ``afresh``.
        What ``tell`` raises cuts it short. Raises: StoreBusy, HomeError.
        """
        row = self._begun(scope, afresh=afresh)
        parts = self.parts(scope, row.started_at)
        names = list(parts)
        for name in names[names.index(row.part) :]:
            row = row.moved(name, row.cursor if name == row.part else {})
            self._keep(row)
            row = self._look(name, parts[name], row, tell)
        return self._finish(row, by)

    @needs(None)
    def adopt(self, *, by: Actor) -> int:
        """Tell the trail of all rows of administration as they are, after an upgrade; gives how many.

        Nothing is told where the trail speaks of every row already.
        """
        with self.desk.store.snapshot() as reading:
            pages = [] if is_told(reading) else list(administration.keys(reading))
        for page in pages:

            def work(tx: Transaction, _now: datetime, page: list[Any] = page) -> None:
                tx.written.update(page)

            self.desk.act(AuditEntry("rows.tell", by), work)
        told = sum(map(len, pages))
        if pages:
            self.desk.trail.write([AuditEntry(ADOPT, by).done(count=str(told))])
        return told

    def newest(self, scope: str | None = None) -> Checked | None:
        """Give what the last check found, of a scope or of any; None before the first."""
        with self.desk.store.reading() as reading:
            row = checks.newest(reading, self.desk.secrets.mark, scope, is_finished=True)
        return None if row is None else _checked(row)

    def is_due(self) -> bool:
        """Tell whether the nightly check is due: after two at night, on each day but the first.

        Not while another process is at it, which is seen every few seconds.
        """
        now = self.desk.clock()
        with self.desk.store.reading() as reading:
            last = checks.newest(reading, self.desk.secrets.mark, is_finished=True)
            running = checks.newest(reading, self.desk.secrets.mark, NIGHTLY, is_finished=False)
            founded = int(settings.get(reading, "founded_at") or 0)
        if running is not None and now.timestamp() - running.seen_at < UNSEEN_SECONDS:
            return False
        before = founded if last is None else last.started_at
        return _night(instant(before)) < _night(now)

    def _begun(self, scope: str, *, afresh: bool) -> CheckRow:
        """Take up a check that was cut short, or begin one."""
        now = self.desk.clock()
        seconds = int(now.timestamp())
        with self.desk.store.reading() as reading:
            found = checks.newest(reading, self.desk.secrets.mark, scope, is_finished=False)
        if found is not None and not afresh and seconds - found.started_at < RESUMABLE_SECONDS:
            return found
        row = CheckRow(self.desk.new_id(now), scope, "log", {}, 0, (), seconds, seconds)
        with suppress(ReadOnly):
            self.desk.store.write(
                lambda tx: checks.put(tx, row, self.desk.secrets.mark, is_new=True)
            )
        return row

    def parts(self, scope: str = ALL, started_at: int = 0) -> Makers:
        """Give the parts in their order; each is made when its turn comes, for making it may fail."""
        desk = self.desk
        standard = Standard(desk.base, desk.catalogue, desk.secrets.hide)
        share = None if scope == ALL else started_at // 86400 % SHARES
        return {
            "log": lambda: TreePart(LOG, _log_leaves, desk.log.vkey()),
            "trail": lambda: TreePart(TRAIL, _trail_leaves, self._trail.vkey()),
            "entries": lambda: EntryPart(desk.secrets.place),
            "certificates": lambda: CertificatePart(standard),
            "warnings": WarningPart,
            "register": lambda: RegisterPart(desk.base),
            "administration": AdministrationPart,
            "signatures": lambda: self._signatures(share),
        }

    def _look(self, name: str, make: Callable[[], Part], row: CheckRow, tell: Tell) -> CheckRow:
        """Look at all portions of a part; rows that cannot be read are a fault, and the next part comes."""
        try:
            for number, portion in enumerate(self._portions(make(), row.cursor), start=1):
                row = _with(row, portion)
                tell(name, portion.done, portion.total)
                if number % SAVED_EVERY == 0:
                    self._keep(row)
        except (StoreBusy, HomeError):
            raise
        except (EcertError, ValueError, TypeError, LookupError) as error:
            words = error.message if isinstance(error, EcertError) else type(error).__name__
            row = _with(row, Portion(0, 0, None, (Fault("unreadable", name, words),)))
        return row

    def _portions(self, part: Part, cursor: Cursor | None) -> Iterator[Portion]:
        while cursor is not None:
            with self.desk.store.snapshot() as reading:
                portion = part.look(reading, cursor)
            yield portion
            cursor = portion.cursor

    def _keep(self, row: CheckRow) -> None:
        seen = replace(row, seen_at=int(self.desk.clock().timestamp()))
        with suppress(ReadOnly):  # a copy is checked too, from beginning to end
            self.desk.store.write(lambda tx: checks.put(tx, seen, self.desk.secrets.mark))

    def _finish(self, row: CheckRow, by: Actor) -> Checked:
        now = int(self.desk.clock().timestamp())
        done = replace(row, part="log", cursor={}, seen_at=now, finished_at=now)
        told = {"scope": row.scope, "found": str(row.found)}

        def work(tx: Transaction) -> None:
            checks.put(tx, done, self.desk.secrets.mark)
            # Past the quotas, which are counted by rows that may be the very ones that cannot be read.
            self.desk.trail.enter(tx, [AuditEntry("check", by).done(**told)], instant(now))

        with suppress(ReadOnly):
            self.desk.store.write(work)
        return _checked(done)


def _night(moment: datetime) -> date:
    """Name the night that a moment belongs to: it begins at two."""
    return civil_date(moment - timedelta(hours=2), DEFAULT_ZONE)


def _checked(row: CheckRow) -> Checked:
    ended = row.seen_at if row.finished_at is None else row.finished_at
    return Checked(row.scope, instant(row.started_at), instant(ended), row.found, row.faults)


def _with(row: CheckRow, portion: Portion) -> CheckRow:
    room = max(0, MAX_KEPT - len(row.faults))
    kept = tuple(fault.to_json() for fault in portion.faults[:room])
    found, faults = row.found + len(portion.faults), (*row.faults, *kept)
    cursor = row.cursor if portion.cursor is None else dict(portion.cursor)
    return replace(row, cursor=cursor, found=found, faults=faults)


def _log_leaves(reading: Reading, start: int, end: int) -> dict[int, bytes]:
    entries = inspected.entries(reading, start, end)
    return {index: leaf_hash(entry) for index, entry in entries.items()}


def _trail_leaves(reading: Reading, start: int, end: int) -> dict[int, bytes]:
    rows = trail_rows.salted_rows(reading, start, end)
    return {shown["index"]: audit_leaf(salt, canonical_plain(shown)) for salt, shown in rows}
