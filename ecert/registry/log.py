"""The published log and trail 登记日志: checkpoints, proofs, tiles, and the recomputation of it all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ecert._encoding import Clock
from ecert.errors import NotPublished
from ecert.formats.merkle import Edge
from ecert.formats.receipt import Receipt
from ecert.ledger.log import Log, check_log, export_tiles, read_published
from ecert.ledger.pen import Pen
from ecert.store import Store


class PublishedLog:
    """The registry's log, as anybody may see it; publishing signs the audit trail's head too."""

    def __init__(self, store: Store, logs: tuple[Log, Log], pen: Pen, clock: Clock) -> None:
        self._store, self._pen, self._clock = store, pen, clock
        self._log, self._trail = logs

    @property
    def mirrors(self) -> int:
        """How many folders get each checkpoint before it is served."""
        return self._log.mirrors

    @property
    def origin(self) -> str:
        """The log's name in its checkpoints."""
        return self._log.origin

    def publish(self) -> str:
        """Sign checkpoints over all that is committed, of log and trail; give the log's newest.

        Raises: ForkGuard, ReadOnly.
        """
        now = self._clock()
        with self._store.reading() as reading:
            self._pen.check(reading)
        note = self._log.publish(now)
        self._trail.publish(now)
        return note

    def head(self) -> Edge:
        """Give the log's size and root."""
        return self._log.head()

    def checkpoint(self) -> str | None:
        """Give the newest published checkpoint, or None."""
        return self._log.checkpoint()

    def vkey(self) -> str:
        """Give the log's verification key (C2SP)."""
        return str(self._log.vkey())

    def receipt(self, log_index: int, *, publishes: bool = True) -> Receipt:
        """Give the receipt of a log entry; raises as ``receipts``."""
        return self.receipts([log_index], publishes=publishes)[log_index]

    def receipts(self, log_indexes: Iterable[int], *, publishes: bool = True) -> dict[int, Receipt]:
        """Give the receipts of log entries under one checkpoint, publishing if none covers them yet.

        Raises: NotFound, ForkGuard; NotPublished instead of publishing when told not to.
        """
        wanted = list(log_indexes)
        try:
            return self._log.receipts(wanted)
        except NotPublished:
            if not publishes:
                raise
        self.publish()
        return self._log.receipts(wanted)

    def check(self) -> Edge:
        """Recompute the whole log and compare it with what is stored. Raises: SignatureError."""
        with self._store.snapshot() as reading:
            return check_log(reading)

    def tile(self, level: int | None, index: int, width: int) -> bytes:
        """Give a tile of hashes, or (level None) of entries, that a published checkpoint covers.

        Raises: NotFound.
        """
        with self._store.snapshot() as reading:
            return read_published(reading, level, index, width)

    def export(self, folder: Path) -> Iterator[tuple[int, int]]:
        """Write the published log as a static tlog-tiles directory, telling progress as it goes."""
        with self._store.snapshot() as reading:
            yield from export_tiles(reading, folder)
