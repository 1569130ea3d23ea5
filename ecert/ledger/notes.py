"""Notes kept outside the database 外存检查点: this machine's memory, and mirrors on other disks."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecert._encoding import sha256
from ecert.errors import HomeError


def write_whole(path: Path, text: str) -> None:
    """Replace a file, whole or not at all, durably. Raises: HomeError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise HomeError(f"{path.name} cannot be kept in {path.parent}: {error.strerror}") from error


def file_name(origin: str) -> str:
    """Name the file of a log by its origin, without its ending."""
    return sha256(origin.encode()).hex()[:32]


class LastNote:
    """The newest note that was ever published, kept outside the home.

    A restored backup brings back an old database and an old home, but not an old copy of this
    file: that is how a fork is noticed before it is signed.
    """

    def __init__(self, folder: Path, origin: str) -> None:
        self.path = folder / f"{file_name(origin)}.note"

    def read(self) -> str | None:
        """Give the note, or None when nothing was published from here yet. Raises: HomeError."""
        try:
            return self.path.read_text("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise HomeError(f"the newest note in {self.path.parent} cannot be read") from error

    def fingerprint(self) -> tuple[int, ...] | None:
        """Give numbers that differ when the file does; None without one. Raises: HomeError."""
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise HomeError(f"the newest note in {self.path.parent} cannot be read") from error
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size

    def write(self, note: str) -> None:
        """Replace the note, whole or not at all. Raises: HomeError."""
        write_whole(self.path, note)


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Folders on other disks or machines that get each note before it is served.

    They are what a node without a memory of its own asks whether this database is the newest.
    """

    notes: Sequence[LastNote] = ()

    @classmethod
    def of(cls, folders: Sequence[str], origin: str) -> Mirrors:
        """Name the mirrors of a log by their folders."""
        return cls(tuple(LastNote(Path(one), origin) for one in folders))

    def answers(self) -> Iterator[tuple[str, str | None]]:
        """Give the note of each mirror that can be reached; None where it has none yet."""
        for one in self.notes:
            try:
                if one.path.parent.is_dir():
                    yield str(one.path), one.read()
            except HomeError:
                continue

    def write(self, note: str) -> None:
        """Give a note to all mirrors; one that takes it is enough. Raises: HomeError."""
        refusals = []
        for one in self.notes:
            if not one.path.parent.is_dir():
                refusals.append(f"{one.path.parent} is not there")
                continue
            try:
                one.write(note)
            except HomeError as error:
                refusals.append(error.message)
        if self.notes and len(refusals) == len(self.notes):
            raise HomeError(f"no mirror takes the newest note: {'; '.join(refusals)}")
