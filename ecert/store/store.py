"""The store 证照库: reads by what the domain asks for, and writes in one transaction each."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
)

from ecert.errors import HomeError, InputError, ReadOnly, StoreBusy
from ecert.store.connection import Reading, Transaction
from ecert.store.engine import (
    is_migrated,
    is_newest,
    lay_out,
    migrate,
    open_engine,
    reader,
    writer,
)

T = TypeVar("T")
_ATTEMPTS = 6
# Serialisation failure, deadlock, unique violation: another writer was first; start over.
_RETRIED = frozenset({"40001", "40P01", "23505"})
_BUSY = re.compile(r"locked|busy", re.IGNORECASE)
_BROKEN = re.compile(r"disk is full|readonly|unable to open|disk I/O error", re.IGNORECASE)


class Store:
    """One database, opened. Share it between threads; every call takes its own connection."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._writer = writer(self._engine)
        self._reader = reader(self._engine)
        self._local = threading.local()
        self._kept: list[Reading] = []
        path = self._engine.url.database if self.backend == "sqlite" else None
        self._path = None if not path else str(Path(path).resolve())
        self._file = self._stamp()
        self.guard: Callable[[Transaction], None] = lambda _tx: None  # asked before each write

    @property
    def engine(self) -> Engine:
        """The connections, for who copies a whole database."""
        return self._engine

    @property
    def place(self) -> str | None:
        """Where the database's file lies; None where a server has it."""
        return self._path

    def check_file(self) -> None:
        """Refuse to go on with a file that is not the home's any more. Raises: ReadOnly."""
        now = self._stamp()
        if self._file is None:
            self._file = now
        elif now != self._file:
            raise ReadOnly(
                "the database file was removed or exchanged while it was open: nothing is written; "
                "put it back, or start the service anew"
            )

    def _stamp(self) -> tuple[int, int] | None:
        """Name the file by what the system knows it by; None where there is none."""
        if self._path is None:
            return None
        try:
            found = os.stat(self._path)  # noqa: PTH116 - before each write, and half the time
        except OSError:
            return None
        return found.st_dev, found.st_ino

    @property
    def backend(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    def is_primary(self) -> bool:
        """Tell whether this database may be written: a copy to read knows only what it was told."""
        if self.backend == "sqlite":
            path = Path(self._engine.url.database or "")
            return all(_may_write(one) for one in (path, path.parent))
        query = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool"
        with _translated(), self._reader.connect() as connection:
            return not connection.exec_driver_sql(query).scalar()

    def set_up(self) -> None:
        """Lay out the tables, or migrate older ones. Raises: StoreBusy, HomeError."""
        with _translated():
            lay_out(self._engine)

    def check_set_up(self) -> None:
        """Refuse a database that was never set up, and bring an older one up to date.

        Raises: HomeError, StoreBusy.
        """
        with _translated():
            if not is_migrated(self._engine):
                raise HomeError("the database holds no registry; run: ecert init")
            if not is_newest(self._engine):
                self._migrate()

    def _migrate(self) -> None:
        """Bring the tables up to date; when another process does the same, one of them is enough."""
        try:
            migrate(self._engine)
        except DBAPIError:
            if not is_newest(self._engine):
                raise

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Read; every statement sees what is committed at that moment."""
        with _translated():
            if self.backend == "sqlite":
                yield self._own_reading()
                return
            with self._reader.connect() as connection:
                yield Reading(connection)

    def _own_reading(self) -> Reading:
        """Give this thread's connection, kept open: opening one costs as much as a query."""
        found: Reading | None = getattr(self._local, "reading", None)
        if found is None:
            found = self._local.reading = Reading(self._reader.connect())
            self._kept.append(found)
        return found

    @contextmanager
    def snapshot(self) -> Iterator[Reading]:
        """Read several things that belong together, as of one moment."""
        with _translated(), self._snapshot() as connection:
            yield Reading(connection)

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        if self.backend == "sqlite":
            with self._engine.connect() as connection:
                connection.exec_driver_sql("BEGIN")
                try:
                    yield connection
                finally:
                    connection.exec_driver_sql("ROLLBACK")
            return
        engine = self._engine.execution_options(isolation_level="REPEATABLE READ")
        with engine.connect() as connection:
            yield connection

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run work in one transaction and commit it; everything or nothing.

        When another writer was first the work is run again from the start, so it must keep its
        effects inside the transaction. Raises: StoreBusy, and whatever the work raises.
        """
        with _translated():
            for attempt in range(_ATTEMPTS):
                try:
                    with self._writer.begin() as connection:
                        tx = Transaction(connection)
                        self.guard(tx)
                        return work(tx)
                except DBAPIError as error:
                    if attempt == _ATTEMPTS - 1 or not _is_retried(error):
                        raise
        raise StoreBusy("other writers kept coming first; nothing was changed")

    def close(self) -> None:
        """Give back all connections."""
        for reading in self._kept:
            reading.connection.close()
        self._kept.clear()
        self._local = threading.local()
        self._engine.dispose()


def _may_write(path: Path) -> bool:
    """Tell whether a file or folder is there to be written; for the superuser, too, its mode says so."""
    return os.access(path, os.W_OK) and bool(path.stat().st_mode & 0o222)


def _is_retried(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    return state in _RETRIED or (state is None and isinstance(error, IntegrityError))


@contextmanager
def _translated() -> Iterator[None]:
    """Turn a database's own errors into ours, without its statement or its values."""
    try:
        yield
    except OperationalError as error:
        if _BUSY.search(str(error.orig)):
            raise StoreBusy("the database is busy; nothing was changed") from None
        if found := _BROKEN.search(str(error.orig)):
            raise HomeError(
                f"the database cannot be used: {found[0]}; nothing was changed"
            ) from None
        raise StoreBusy("the database cannot be reached; nothing was changed") from None
    except IntegrityError:
        raise StoreBusy("another writer was first, several times; nothing was changed") from None
    except (DataError, OverflowError):
        raise InputError("a value cannot be stored; nothing was changed") from None
    except DatabaseError as error:
        if isinstance(error, ProgrammingError):
            raise  # ours to mend, not the operator's
        raise HomeError("the database file is damaged; restore a backup") from None
