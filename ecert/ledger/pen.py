"""The pen 执笔: of a registry's database and its copies, one may be written and signed for; the others only read.

A restored backup, a drill beside production, a replica or a copied home must not speak for the registry
(design §10.9). SQLite: this machine remembers which database, at which place, is the registry. PostgreSQL:
nodes remember nothing, and ask the mirrors.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from ecert.errors import EcertError, HomeError, ReadOnly
from ecert.ledger.log import Log
from ecert.ledger.notes import file_name, write_whole
from ecert.store import Reading, Store, settings
from ecert.store.settings import IDENTITY, PEN

NOBODY = "none"  # the pen of what was restored, until it is accepted
_ACCEPT = (
    "look at it with: ecert log info; if this is to be the registry from now on, run: "
    "ecert accept --size N --root HASH --reason … (docs/how-to/restore.md)"
)
_LOG = logging.getLogger("ecert")


@dataclass(frozen=True, slots=True)
class Memory:
    """What this machine remembers of a registry: which database writes, and where it lies."""

    identity: str
    place: str


class Pen:
    """Judges whether this process may write and sign, and says why not."""

    def __init__(
        self, store: Store, logs: tuple[Log, ...], state: Path, *, is_read_only: bool = False
    ) -> None:
        self._store, self._logs = store, logs
        self._file = state / f"{file_name(logs[0].origin)}.pen"
        self._is_read_only, self._is_lent = is_read_only, False
        self._allowed: object = None  # what was looked at when this process had the pen

    def check(self, reading: Reading) -> None:
        """Let nothing be written or signed by whoever has not the pen; cheap while nothing changes.

        Raises: ReadOnly, ForkGuard, HomeError.
        """
        refusal = None if self._is_lent else self.refusal(reading)
        if refusal is not None:
            raise refusal

    def refusal(self, reading: Reading) -> EcertError | None:
        """Say why this process may not write; None if it may."""
        try:
            self._store.check_file()
        except ReadOnly as error:
            return error
        told = settings.whose(reading)
        seen = (self._stamp(), told.get(IDENTITY), told.get(PEN))
        if self._allowed == seen:
            return None
        refusal = self._judge(reading, told)
        self._allowed = seen if refusal is None else None  # a mirror may come back: ask again
        return refusal

    def note(self) -> Path | None:
        """Name the file in which this machine keeps the newest note of this address, if there is one."""
        return self._logs[0].kept_note()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let this process write although it has not the pen: it is about to take it."""
        self._is_lent = True
        try:
            yield
        finally:
            self._is_lent = False

    def claim(self, reading: Reading) -> None:
        """Let this machine remember that the database it has is the registry. Raises: HomeError."""
        if self._store.place is not None:
            memory = {"identity": settings.get(reading, IDENTITY), "place": self._store.place}
            write_whole(self._file, orjson.dumps(memory).decode())
        self._allowed = None

    def _judge(self, reading: Reading, told: dict[str, str]) -> EcertError | None:
        if self._is_read_only:
            return ReadOnly("read_only is set: nothing is written or signed here")
        if told.get(PEN) == NOBODY:
            return ReadOnly(f"this was restored from a backup, and only reads; {_ACCEPT}")
        try:
            memory = self._read() if self._store.place is not None else None
            if memory is not None:
                return self._compared(memory, told.get(IDENTITY))
            return self._asked(reading)
        except EcertError as error:  # what is remembered cannot be read, or knows of more
            return error

    def _compared(self, memory: Memory, identity: str | None) -> EcertError | None:
        if memory.identity != identity:
            return ReadOnly(f"another database, {memory.place}, is the registry here; {_ACCEPT}")
        if memory.place != self._store.place:
            return ReadOnly(f"this is a copy: the registry's database is {memory.place}; {_ACCEPT}")
        return None

    def _asked(self, reading: Reading) -> EcertError | None:
        """Without a memory: this machine's own last note tells as much, else the mirrors are asked.

        Raises: ForkGuard, HomeError.
        """
        answers = [log.ask(reading) for log in self._logs]
        if not all(answers):
            if self._store.place is None and not self._logs[0].mirrors:
                return None  # PostgreSQL without mirrors: nobody is there to ask, which ready says
            return ReadOnly(f"nothing here tells that this is the newest database; {_ACCEPT}")
        if self._store.place is not None:
            self.claim(reading)
        _LOG.info("goes on: what was published is in this database")
        return None

    def _read(self) -> Memory | None:
        try:
            found = orjson.loads(self._file.read_bytes())
            return Memory(found["identity"], found["place"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise HomeError(
                f"{self._file} cannot be read; restore it, or run: ecert accept"
            ) from error

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_mtime_ns, found.st_ino
