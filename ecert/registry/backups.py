"""Backups 备份: a whole copy while the service runs, and who speaks for the registry afterwards."""

from __future__ import annotations

import shutil
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from ecert import __version__
from ecert._encoding import b64, rfc3339
from ecert.errors import HomeError, InputError
from ecert.ledger.acting import Desk, Verbs, needs
from ecert.ledger.log import Log
from ecert.ledger.pen import Pen
from ecert.ledger.trail import AuditEntry
from ecert.model import Actor, is_line
from ecert.store import LOG, TRAIL, Reading, Store, Transaction, settings, trees
from ecert.store.copying import Tell, save
from ecert.store.settings import IDENTITY, PEN

MANIFEST, DATABASE = "manifest.json", "ecert.db"
SETTINGS, FOLDERS = "settings.toml", ("keys", "types")
MAX_REASON = 200
Manifest = dict[str, Any]


def untold(_done: int, _total: int) -> None:
    """Hear of progress, and do nothing."""


class Backups(Verbs):
    """Makes backups, and lets a copy take the pen 执笔: from then on it is the registry."""

    def __init__(self, desk: Desk, home: Path, logs: tuple[Log, Log], pen: Pen) -> None:
        super().__init__(desk)
        self._home, self._logs, self._pen = home, logs, pen

    @needs(None)
    def make(self, folder: Path, *, by: Actor, tell: Tell = untold) -> Manifest:
        """Copy database, keys, types, settings and newest notes into a new folder; give the manifest.

        Whoever writes meanwhile goes on. The passphrase is not in it. A backup of PostgreSQL is one
        SQLite file, too. Raises: HomeError when the folder is not empty or cannot be written.
        """
        if folder.exists() and any(folder.iterdir()):
            raise HomeError(f"{folder} is not empty; nothing was changed")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._copy_files(folder)  # before the database, and again after it: keys come and go
            save(self.desk.store, folder / DATABASE, tell)
            self._copy_files(folder)
            manifest = self._manifest(folder)
            (folder / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise HomeError(f"{folder} cannot be written: {error.strerror}") from error
        told = {"size": str(manifest["log"]["size"]), "root": manifest["log"]["root"]}
        self.desk.trail.write([AuditEntry("backup", by).done(**told)])
        return manifest

    def _copy_files(self, folder: Path) -> None:
        shutil.copy2(self._home / SETTINGS, folder / SETTINGS)
        for name in FOLDERS:
            if (self._home / name).is_dir():
                shutil.copytree(self._home / name, folder / name, dirs_exist_ok=True)

    def _manifest(self, folder: Path) -> dict[str, Any]:
        copied = Store(f"sqlite:///{folder / DATABASE}")
        with copied.snapshot() as reading:
            told = heads(reading)
            identity = settings.get(reading, IDENTITY)
        copied.close()
        for left in folder.glob(f"{DATABASE}-*"):
            left.unlink()
        names = sorted(one for one in folder.rglob("*") if one.is_file() and one.name != MANIFEST)
        return {
            "v": 1,
            "made_at": rfc3339(self.desk.clock()),
            "ecert": __version__,
            "base_url": self.desk.base,
            "origin": self.desk.charter.origin,
            "identity": identity,
            **told,
            "notes": {log.origin: log.checkpoint() for log in self._logs},
            "files": {str(one.relative_to(folder)): file_digest(one) for one in names},
        }

    @needs(None)
    def accept(self, size: int, root: str, *, reason: str, by: Actor) -> None:
        """Let this database be the registry from now on: what the copies of it write counts no more.

        ``size`` and ``root`` (base64) are those of the log here, so that nobody accepts another.
        Raises: InputError; ForkGuard while a mirror, or this machine's note, knows of more.
        """
        entry = AuditEntry("pen.accept", by, details={"size": str(size), "root": root[:64]})
        if not is_line(reason, MAX_REASON):
            raise InputError(f"reason is one line of at most {MAX_REASON} characters")
        with self.desk.store.snapshot() as reading:
            head = trees.head(reading, LOG)
            if (size, root) != (head.size, b64(head.root)):
                raise InputError(
                    f"the log here has {head.size} entries and the root {b64(head.root)}: "
                    "give what `ecert log info` shows, once you have looked at it"
                )
            for log in self._logs:
                log.ask(reading)

        def work(tx: Transaction, _now: datetime) -> None:
            if settings.get(tx, PEN) is not None:
                settings.remove(tx, PEN)

        with self._pen.lent():
            self.desk.act(entry, work, lambda _done: {"reason": reason})
            with self.desk.store.reading() as reading:
                self._pen.claim(reading)


def heads(reading: Reading) -> dict[str, dict[str, Any]]:
    """Give size and root of log and trail, as a manifest tells them."""
    found = {"log": trees.head(reading, LOG), "audit": trees.head(reading, TRAIL)}
    return {name: {"size": head.size, "root": b64(head.root)} for name, head in found.items()}


def file_digest(path: Path) -> str:
    """Give SHA-256 of a file in hex."""
    found = sha256()
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            found.update(data)
    return found.hexdigest()
