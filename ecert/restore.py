"""Restoring a backup 恢复备份: into a new home, checked, and without the pen until it is accepted."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import orjson

from ecert.config import database_address, fresh_home
from ecert.errors import HomeError
from ecert.keys.passphrase import PLAIN
from ecert.ledger.pen import NOBODY
from ecert.registry.backups import DATABASE, MANIFEST, SETTINGS, file_digest, heads, untold
from ecert.store import Store, settings
from ecert.store.copying import Tell, check_whole, load
from ecert.store.settings import PEN

_DATABASE_LINE = re.compile(r"^database\s*=.*$", re.MULTILINE)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a backup's manifest, and check every file against it. Raises: HomeError."""
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
        files = dict(manifest["files"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise HomeError(
            f"{folder} holds no backup: its {MANIFEST} is missing or damaged"
        ) from error
    for name, digest in files.items():
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise HomeError(f"the backup is not whole: {name} is missing")
        if file_digest(path) != digest:
            raise HomeError(f"the backup is damaged: {name} is not what was saved")
    if DATABASE not in files or SETTINGS not in files:
        raise HomeError(f"the backup is not whole: {DATABASE} or {SETTINGS} is missing")
    return dict(manifest)


def restore_registry(
    folder: Path,
    home: Path,
    *,
    database: str | None = None,
    passphrase: Path | None = None,
    tell: Tell = untold,
) -> dict[str, Any]:
    """Restore a backup into a new home; give its manifest. Nothing that is there is touched.

    The new home only reads until ``ecert accept``. ``database`` is another address than the backup's
    own, such as an empty PostgreSQL database; ``passphrase`` the file of the old home, where it was
    a file. Raises: HomeError.
    """
    manifest = read_manifest(folder)
    check_whole(folder / DATABASE)
    with fresh_home(home) as fresh:
        _fill(fresh, folder, manifest, passphrase)
        _put_database(fresh, folder, database, tell)
    _check(home, manifest, database)
    return manifest


def _fill(fresh: Path, folder: Path, manifest: dict[str, Any], passphrase: Path | None) -> None:
    for name in manifest["files"]:
        if name == DATABASE:
            continue
        target = fresh / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy2(folder / name, target)
    (fresh / "types").mkdir(exist_ok=True)
    if passphrase is not None:
        try:
            shutil.copy2(passphrase, fresh / PLAIN)
        except OSError as error:
            raise HomeError(f"{passphrase} cannot be read: {error.strerror}") from error
        (fresh / PLAIN).chmod(0o600)


def _put_database(fresh: Path, folder: Path, database: str | None, tell: Tell) -> None:
    path = fresh / SETTINGS
    wanted = f"sqlite:///{DATABASE}" if database is None else database
    text = path.read_text("utf-8")
    line = f"database = {orjson.dumps(wanted).decode()}  # restored here"
    replaced, count = _DATABASE_LINE.subn(lambda _found: line, text)
    path.write_text(replaced if count else f"{text}{line}\n", "utf-8")
    store = Store(database_address(wanted, fresh))
    if store.place is None:
        try:
            load(folder / DATABASE, store, tell)
        except BaseException:
            store.close()
            raise
    else:
        store.close()
        shutil.copy2(folder / DATABASE, store.place)
        store = Store(database_address(wanted, fresh))
    store.check_set_up()
    store.write(lambda tx: settings.put(tx, PEN, NOBODY))
    store.close()


def _check(home: Path, manifest: dict[str, Any], database: str | None) -> None:
    """Check that what was restored is what was saved. Raises: HomeError, and the home stays to be looked at."""
    store = Store(database_address(database or f"sqlite:///{DATABASE}", home))
    with store.snapshot() as reading:
        there = heads(reading)
    store.close()
    for name, head in there.items():
        if head != manifest[name]:
            raise HomeError(f"what was restored is not what was saved: the {name} differs")
