"""The registry's log 登记日志: append inside the transaction, publish after the commit, prove for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ecert._encoding import parse_json, rfc3339
from ecert.errors import ForkGuard, NotFound, NotPublished, SignatureError
from ecert.formats.merkle import (
    Edge,
    Reader,
    append,
    consistency_path,
    inclusion_path,
    leaf_hash,
    verify_consistency,
)
from ecert.formats.note import Checkpoint, NoteKey, log_key, sign_note, verify_checkpoint
from ecert.formats.receipt import Receipt
from ecert.keys import Signer
from ecert.ledger.notes import LastNote, Mirrors
from ecert.store import LOG, TILE, TILE_LEVELS, Reading, Store, Transaction, Tree, trees


@dataclass(frozen=True, slots=True)
class Places:
    """Where notes are kept outside the database: this machine's folder, and mirrors."""

    state: Path
    mirrors: tuple[str, ...] = ()


def append_entries(tx: Transaction, entries: Sequence[bytes]) -> int:
    """Append entries to the log as the last act of a transaction; give the first one's index."""
    edge = trees.lock_head(tx, LOG)
    rows = [
        {"index": edge.size + place, "entry": entry, "leaf": leaf_hash(entry)}
        for place, entry in enumerate(entries)
    ]
    add_leaves(tx, LOG, edge, rows)
    return edge.size


def add_leaves(tx: Transaction, tree: Tree, edge: Edge, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows to a tree whose head is locked; each brings its ``leaf``."""
    nodes: list[dict[str, Any]] = []

    def completed(level: int, index: int, root: bytes) -> None:
        if level and level % TILE_LEVELS == 0:
            nodes.append({"level": level // TILE_LEVELS, "index": index, "hash": root})

    grown = append(edge, [row["leaf"] for row in rows], completed)
    trees.add_leaves(tx, tree, rows, nodes, grown)


class Log:
    """One tree that is published 登记日志: its checkpoints are signed after commits, and never a fork.

    A restored backup would give numbers, status places and log indexes out a second time; so while
    the tree is behind or beside what was published, nothing is issued, operated or signed.
    """

    def __init__(
        self,
        store: Store,
        origin: str,
        signer: Callable[[], Signer],
        places: Places,
        tree: Tree = LOG,
    ) -> None:
        self.origin = origin
        self._store, self._signer, self._tree = store, signer, tree
        self._outside = LastNote(places.state, origin)
        self._mirrors = Mirrors.of(places.mirrors, origin)
        self._seen: tuple[int, ...] | None = None

    @property
    def mirrors(self) -> int:
        """How many folders on other disks or machines get each note."""
        return len(self._mirrors.notes)

    def kept_note(self) -> Path | None:
        """Name the file of this machine's last note; None while nothing was published from here."""
        return None if self._outside.fingerprint() is None else self._outside.path

    def ask(self, reading: Reading) -> bool:
        """Tell whether somebody outside knows what was published, and this tree extends it.

        That is this machine's last note, or a mirror that can be reached. Raises: ForkGuard, HomeError.
        """
        self._check_against(reading, trees.head(reading, self._tree), None)
        return self._outside.read() is not None or any(True for _ in self._mirrors.answers())

    def check(self, reading: Reading) -> None:
        """Check that the tree extends the newest note kept outside; cheap while that is the same.

        Raises: ForkGuard, HomeError when the note cannot be read.
        """
        seen = self._outside.fingerprint()
        if seen is None or seen == self._seen:
            return
        self._check_against(reading, trees.head(reading, self._tree), None)
        self._seen = seen

    def _check_against(self, reading: Reading, head: Edge, published: str | None) -> None:
        """Check a head against the note in the database and the one outside. Raises: ForkGuard."""
        places = {"the database": published, str(self._outside.path): self._outside.read()}
        places |= dict(self._mirrors.answers())
        for place, note in places.items():
            if note is not None:
                check_extends(reading, head, self._parse(note, place), place, self._tree)

    def _parse(self, note: str, place: str) -> Checkpoint:
        try:
            return verify_checkpoint(note, self.vkey())
        except SignatureError as error:
            raise ForkGuard(
                f"the note in {place} was not signed by this log's key; find out why before "
                "removing it"
            ) from error

    def vkey(self) -> NoteKey:
        """Give the verification key (C2SP). Raises: KeyUnavailable."""
        return log_key(self.origin, self._signer())

    def publish(self, now: datetime) -> str:
        """Sign a checkpoint for all that is committed, keep it, and give the newest note.

        Any process may publish: the note's number makes two publishers collide, and the loser
        takes what the winner published. Raises: ForkGuard when the tree is behind or beside what
        was published before.
        """
        with self._store.snapshot() as reading:
            newest = trees.newest_checkpoint(reading, self._tree)
            head = trees.head(reading, self._tree)
            self._check_against(reading, head, newest[2] if newest else None)
        if newest is not None and newest[1] == head.size:
            self._outside.write(newest[2])
            return newest[2]
        text = str(Checkpoint(self.origin, head.size, head.root))
        note = sign_note(text, self.origin, self._signer())
        return self._keep(newest[0] + 1 if newest else 1, head.size, note, now)

    def _keep(self, number: int, size: int, note: str, now: datetime) -> str:
        def work(tx: Transaction) -> str:
            newest = trees.newest_checkpoint(tx, self._tree)
            if newest is not None and newest[0] >= number:
                return newest[2]  # another process was first
            at = int(now.timestamp())
            trees.add_checkpoint(tx, self._tree, number=number, size=size, note=note, at=at)
            return note

        self._mirrors.write(note)  # before anybody is served it
        kept = self._store.write(work)
        self._outside.write(kept)
        return kept

    def head(self) -> Edge:
        """Give the tree's size and root."""
        with self._store.reading() as reading:
            return trees.head(reading, self._tree)

    def checkpoint(self) -> str | None:
        """Give the newest published checkpoint, or None."""
        with self._store.reading() as reading:
            newest = trees.newest_checkpoint(reading, self._tree)
        return None if newest is None else newest[2]

    def receipts(self, indexes: Sequence[int]) -> dict[int, Receipt]:
        """Make the receipts of some entries under the newest checkpoint.

        Raises: NotFound without such an entry, NotPublished while no checkpoint covers it.
        """
        with self._store.snapshot() as reading:
            return make_receipts(reading, indexes)


def check_extends(
    reading: Reading, head: Edge, old: Checkpoint, place: str, tree: Tree = LOG
) -> None:
    """Check that the log extends an older checkpoint. Raises: ForkGuard, saying what to do."""
    advice = (
        "Nothing is signed, issued or operated until this is solved: bring back the missing entries "
        "from a newer backup or a mirror, or start a new log (see docs/how-to/restore.md)."
    )
    if old.size > head.size:
        raise ForkGuard(
            f"the log has {head.size} entries, but {place} shows that {old.size} were published. "
            + advice
        )
    if not _is_consistent(reading, head, old, tree):
        raise ForkGuard(f"the log differs from what {place} shows was published. {advice}")


def _is_consistent(reading: Reading, head: Edge, old: Checkpoint, tree: Tree) -> bool:
    reader = trees.reader(reading, tree)
    path = consistency_path(old.size, head.size, reader)
    try:
        verify_consistency(old.size, head.size, path, old.root, head.root)
    except SignatureError:
        return False
    return True


def make_receipts(reading: Reading, indexes: Iterable[int]) -> dict[int, Receipt]:
    """Make the receipts of some entries under the newest checkpoint.

    Raises: NotFound without such an entry, NotPublished while no checkpoint covers it.
    """
    newest, reader = trees.newest_checkpoint(reading), trees.reader(reading)
    return {index: _make_receipt(reading, index, newest, reader) for index in indexes}


def _make_receipt(
    reading: Reading, index: int, newest: tuple[int, int, str] | None, reader: Reader
) -> Receipt:
    salt = trees.salt(reading, index)
    if salt is None:
        raise NotFound("there is no such entry, or its record was erased")
    if newest is None or newest[1] <= index:
        raise NotPublished("no checkpoint covers this entry yet; ask again in a second")
    path = inclusion_path(index, newest[1], reader)
    entry = parse_json(trees.entries(reading, index, index + 1)[0])
    return Receipt(index, tuple(path), newest[2], salt, entry)


def check_log(reading: Reading) -> Edge:
    """Recompute the whole log from its entries and compare every stored hash with it.

    Raises: SignatureError naming the first place that differs.
    """
    return check_tree(
        reading,
        LOG,
        lambda start, end: [leaf_hash(entry) for entry in trees.entries(reading, start, end)],
    )


def check_tree(reading: Reading, tree: Tree, recompute: Callable[[int, int], list[bytes]]) -> Edge:
    """Recompute a tree from what its leaves commit to and compare every stored hash with it.

    ``recompute`` gives the leaves of a range. Raises: SignatureError naming the first place.
    """
    head, edge, start = trees.head(reading, tree), Edge(), 0
    while start < head.size:
        end = min(start + 4096, head.size)
        leaves, kept = recompute(start, end), trees.tile_hashes(reading, 0, start, end, tree)
        if len(leaves) != end - start or leaves != kept:
            wrong = (
                at for at, pair in enumerate(zip(leaves, kept, strict=False)) if len({*pair}) > 1
            )
            place = start + next(wrong, min(len(leaves), len(kept)))
            raise SignatureError(f"entry {place} of {tree.leaves.name} was changed or removed")
        edge = append(edge, leaves, _comparing(reading, tree))
        start = end
    if edge != head or len(trees.tile_hashes(reading, 0, head.size, head.size + 1, tree)) > 0:
        raise SignatureError(f"the head of {tree.leaves.name} does not fit its entries")
    return head


def _comparing(reading: Reading, tree: Tree) -> Any:
    def completed(level: int, index: int, root: bytes) -> None:
        tile_level, rest = divmod(level, TILE_LEVELS)
        if not tile_level or rest:
            return
        if trees.tile_hashes(reading, tile_level, index, index + 1, tree) != [root]:
            raise SignatureError(f"the stored tile {index} of level {tile_level} was changed")

    return completed


def size_before(reading: Reading, moment: datetime) -> int:
    """Give how many entries the log had at a moment, by the entries' own times."""
    wanted = rfc3339(moment)
    low, high = 0, trees.head(reading).size
    while low < high:
        middle = (low + high) // 2
        entry = parse_json(trees.entries(reading, middle, middle + 1)[0])
        if entry["time"] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def tile_path(index: int, width: int = TILE) -> str:
    """Write a tile's number in groups of three digits (tlog-tiles): 1234067 → x001/x234/067."""
    groups: list[str] = []
    rest = index
    while True:
        rest, group = divmod(rest, 1000)
        groups.append(f"{group:03}" if not groups else f"x{group:03}")
        if not rest:
            break
    path = "/".join(reversed(groups))
    return path if width == TILE else f"{path}.p/{width}"


def read_published(reading: Reading, level: int | None, index: int, width: int) -> bytes:
    """Give a hash tile, or (level None) a bundle of entries, of the newest published tree.

    Raises: NotFound.
    """
    newest = trees.newest_checkpoint(reading)
    size = 0 if newest is None else newest[1]
    if level is None:
        return read_bundle(reading, index, width, size)
    return read_tile(reading, level, index, width, size)


def read_tile(reading: Reading, level: int, index: int, width: int, size: int) -> bytes:
    """Give a hash tile of the tree of a published size. Raises: NotFound outside of it."""
    start = index * TILE
    if start + width > size >> (TILE_LEVELS * level):
        raise NotFound("no published checkpoint covers this tile")
    return b"".join(trees.tile_hashes(reading, level, start, start + width))


def read_bundle(reading: Reading, index: int, width: int, size: int) -> bytes:
    """Give an entry bundle: each entry after its length in two bytes. Raises: NotFound."""
    start = index * TILE
    if start + width > size:
        raise NotFound("no published checkpoint covers this bundle")
    entries = trees.entries(reading, start, start + width)
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def export_tiles(reading: Reading, folder: Path) -> Iterator[tuple[int, int]]:
    """Write the published log as a static directory (tlog-tiles); yields (tiles written, of)."""
    newest = trees.newest_checkpoint(reading)
    if newest is None:
        raise NotPublished("nothing was published yet")
    size = newest[1]
    jobs = [("tile/entries", -1, size)]
    level = 0
    while size >> (TILE_LEVELS * level):
        jobs.append((f"tile/{level}", level, size >> (TILE_LEVELS * level)))
        level += 1
    total = sum(-(-count // TILE) for _, _, count in jobs)
    done = 0
    for prefix, at_level, count in jobs:
        for index in range(-(-count // TILE)):
            width = min(TILE, count - index * TILE)
            data = (
                read_bundle(reading, index, width, size)
                if at_level < 0
                else read_tile(reading, at_level, index, width, size)
            )
            path = folder / prefix / tile_path(index, width)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            done += 1
            yield done, total
    (folder / "checkpoint").write_text(newest[2], "utf-8")
