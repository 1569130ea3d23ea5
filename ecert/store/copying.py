"""Copying a whole database: into one SQLite file while others write, and back into either database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from ecert.errors import HomeError
from ecert.store import tables as t
from ecert.store.engine import HEAD, writer
from ecert.store.store import Store

AT_ONCE = 1000
PAGES_AT_ONCE = 2000
Tell = Callable[[int, int], None]  # how much is done, of how much


def save(store: Store, path: Path, tell: Tell) -> None:
    """Copy a database into a new SQLite file, as of one moment; others go on writing. Raises: HomeError."""
    path.touch(mode=0o600, exist_ok=False)
    if store.backend == "sqlite":
        _save_sqlite(Path(store.place or ""), path, tell)
        return
    target = Store(f"sqlite:///{path}")
    target.set_up()
    with store.snapshot() as reading:
        copy_rows(reading.connection, target, tell)
    target.close()


def load(path: Path, store: Store, tell: Tell) -> None:
    """Copy a saved file into a database that holds no registry yet. Raises: HomeError."""
    store.set_up()
    with store.reading() as reading:
        if reading.connection.execute(select(func.count()).select_from(t.settings)).scalar():
            raise HomeError("this database holds a registry already; nothing was changed")
    source = Store(f"sqlite:///{path}")
    source.check_set_up()
    with source.snapshot() as reading:
        copy_rows(reading.connection, store, tell)
    source.close()


def _save_sqlite(source: Path, path: Path, tell: Tell) -> None:
    def told(_status: int, left: int, total: int) -> None:
        tell(total - left, total)

    try:
        with sqlite3.connect(source) as ours, sqlite3.connect(path) as theirs:
            ours.backup(theirs, pages=PAGES_AT_ONCE, progress=told)
        theirs.execute("PRAGMA journal_mode=DELETE")  # whole by itself, without a -wal beside it
        theirs.close()
        ours.close()
    except sqlite3.Error as error:
        raise HomeError(f"the database cannot be copied: {error}") from error


def check_whole(path: Path) -> None:
    """Check that a saved file is a whole database of a version that this program knows. Raises: HomeError."""
    try:
        with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as found:
            (answer,) = found.execute("PRAGMA quick_check(1)").fetchone()
            (version,) = found.execute("SELECT version_num FROM alembic_version").fetchone()
        found.close()
    except (sqlite3.Error, TypeError) as error:
        raise HomeError(f"{path.name} is no whole database: {error}") from error
    if answer != "ok":
        raise HomeError(f"{path.name} is damaged: {answer}")
    if version > HEAD:
        raise HomeError(f"{path.name} is of a newer version of ecert ({version}); restore it there")


def copy_rows(source: Connection, target: Store, tell: Tell) -> None:
    """Copy all rows of all tables, in one transaction of the target."""
    tables = t.metadata.sorted_tables
    total = sum(_count(source, table) for table in tables)
    done = 0
    with writer(target.engine).begin() as connection:
        for table in reversed(tables):  # what setting up laid out: the heads of two empty trees
            connection.execute(delete(table))
        for table in tables:
            for rows in _portions(source, table):
                _insert(connection, table, rows)
                done += len(rows)
                tell(done, total)


def _portions(source: Connection, table: Table) -> Any:
    streamed = source.execution_options(stream_results=True, yield_per=AT_ONCE)
    for some in streamed.execute(select(table)).mappings().partitions(AT_ONCE):
        yield [dict(row) for row in some]


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows; what points to a row of the same table is put in afterwards."""
    own = [key.parent.name for key in table.foreign_keys if key.column.table is table]
    connection.execute(insert(table), [row | dict.fromkeys(own) for row in rows])
    for row in rows:
        values = {name: row[name] for name in own if row[name] is not None}
        if values:
            where = [column == row[column.name] for column in table.primary_key]
            connection.execute(update(table).where(*where).values(**values))


def _count(source: Connection, table: Table) -> int:
    return int(source.execute(select(func.count()).select_from(table)).scalar_one())
