"""Opening the database: SQLite as the embedded default, PostgreSQL for many nodes."""

from __future__ import annotations

from functools import cache
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from ecert.errors import HomeError
from ecert.store.tables import audit_head, log_head, metadata

BUSY_MILLISECONDS = 15_000
HEAD = "0009"  # the newest migration
_WRITER = "ecert_writer"


def open_engine(url: str) -> Engine:
    """Open ``sqlite:///PATH`` or ``postgresql://…`` (through psycopg 3). Raises: HomeError."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise HomeError("the database address is malformed") from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(url)
    if backend == "postgresql":
        address = parsed.set(drivername="postgresql+psycopg")
        return create_engine(address, pool_pre_ping=True, hide_parameters=True)
    raise HomeError(f"unsupported database {backend!r}: use sqlite or postgresql")


def _open_sqlite(url: str) -> Engine:
    engine = create_engine(
        url,
        connect_args={"check_same_thread": False},
        hide_parameters=True,
        max_overflow=-1,  # each thread that reads keeps a connection
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # a lost commit would fork the log
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITER):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def writer(engine: Engine) -> Engine:
    """Give the engine whose transactions take SQLite's write lock at once."""
    return engine.execution_options(**{_WRITER: True})


def reader(engine: Engine) -> Engine:
    """Give the engine whose statements each see the newest state, without a transaction."""
    if engine.dialect.name == "sqlite":  # no BEGIN is autocommit there
        return engine
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def lay_out(engine: Engine) -> None:
    """Lay out the tables of an empty database as they are now; bring an older one up to date."""
    with writer(engine).begin() as connection:
        if inspect(connection).has_table("alembic_version"):
            _upgrade(connection)
            return
        metadata.create_all(connection, checkfirst=False)
        for head in (log_head, audit_head):  # both trees begin empty
            connection.execute(insert(head).values(id=1, size=0, edge=b""))
        MigrationContext.configure(connection).stamp(_migrations(), HEAD)


def migrate(engine: Engine) -> None:
    """Bring the database to the present schema (Alembic), all or nothing."""
    with writer(engine).begin() as connection:
        _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@cache
def _migrations() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "ecert.store:migrations")
    return config


def is_migrated(engine: Engine) -> bool:
    """Tell whether the database was ever set up."""
    return inspect(engine).has_table("certificates")


def is_newest(engine: Engine) -> bool:
    """Tell whether the tables are those of this version."""
    with engine.connect() as connection:
        return (
            connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == HEAD
        )
