"""The two Merkle trees of a registry: the log of issues and acts, and the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Insert, Select, Table, Update, bindparam, insert, select, update

from ecert.formats.merkle import Edge, node_hash, parse_edge
from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction

TILE = 256
TILE_LEVELS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Where a tree lies: its leaves, the roots of its full tiles, its head, its signed notes."""

    leaves: Table
    nodes: Table
    head: Table
    checkpoints: Table

    # Laid out once: writing them anew for each commit costs as much as a row.
    lock: Select[Any] = field(init=False)
    insert_leaves: Insert = field(init=False)
    insert_nodes: Insert = field(init=False)
    put_head: Update = field(init=False)

    def __post_init__(self) -> None:
        put = update(self.head).values(size=bindparam("new_size"), edge=bindparam("new_edge"))
        object.__setattr__(self, "lock", select(self.head).with_for_update())
        object.__setattr__(self, "insert_leaves", insert(self.leaves))
        object.__setattr__(self, "insert_nodes", insert(self.nodes))
        object.__setattr__(self, "put_head", put)


LOG = Tree(t.log_entries, t.log_nodes, t.log_head, t.checkpoints)
TRAIL = Tree(t.audit, t.audit_nodes, t.audit_head, t.audit_checkpoints)


def head(reading: Reading, tree: Tree = LOG) -> Edge:
    """Give a tree's size and right edge."""
    row = reading.one(select(tree.head))
    return Edge() if row is None else parse_edge(row.size, bytes(row.edge))


def lock_head(tx: Transaction, tree: Tree) -> Edge:
    """Lock a tree's head and give its right edge; the log's is the last lock of all."""
    row = tx.one(tree.lock)
    return Edge() if row is None else parse_edge(row.size, bytes(row.edge))


def add_leaves(
    tx: Transaction,
    tree: Tree,
    leaves: Sequence[Mapping[str, Any]],
    nodes: Sequence[Mapping[str, Any]],
    head: Edge,
) -> None:
    """Append leaves and the roots of tiles they filled, and put the new head."""
    tx.connection.execute(tree.insert_leaves, list(leaves))
    if nodes:
        tx.connection.execute(tree.insert_nodes, list(nodes))
    values = {"new_size": head.size, "new_edge": head.to_bytes()}
    tx.connection.execute(tree.put_head, values)


def entries(reading: Reading, start: int, end: int) -> list[bytes]:
    """Give the entries from ``start`` up to but without ``end``."""
    c = t.log_entries.c
    query = select(c.entry).where(c.index >= start, c.index < end).order_by(c.index)
    return [bytes(row.entry) for row in reading.all(query)]


def tile_hashes(
    reading: Reading, level: int, start: int, end: int, tree: Tree = LOG
) -> list[bytes]:
    """Give hashes of a tile level: 0 are leaves, 1 the roots of full tiles of 256, and so on."""
    if level == 0:
        leaves = tree.leaves.c
        query = select(leaves.leaf.label("hash")).where(leaves.index >= start, leaves.index < end)
        return [bytes(row.hash) for row in reading.all(query.order_by(leaves.index))]
    nodes = tree.nodes.c
    query = select(nodes.hash).where(nodes.level == level, nodes.index >= start, nodes.index < end)
    return [bytes(row.hash) for row in reading.all(query.order_by(nodes.index))]


def reader(reading: Reading, tree: Tree = LOG) -> Callable[[int, int], bytes]:
    """Give a Merkle reader over the stored hashes; inner nodes of a tile are computed.

    A tile is read once: the reader serves one snapshot, for one proof or for several.
    """
    tiles: dict[tuple[int, int], list[bytes]] = {}

    def read(level: int, index: int) -> bytes:
        tile_level, inside = divmod(level, TILE_LEVELS)
        width = 1 << inside
        tile, start = divmod(index * width, TILE)
        if (tile_level, tile) not in tiles:
            ends = tile * TILE, (tile + 1) * TILE
            tiles[tile_level, tile] = tile_hashes(reading, tile_level, *ends, tree)
        hashes = tiles[tile_level, tile][start : start + width]
        while len(hashes) > 1:
            pairs = zip(hashes[::2], hashes[1::2], strict=True)
            hashes = [node_hash(left, right) for left, right in pairs]
        return hashes[0]

    return read


def newest_checkpoint(reading: Reading, tree: Tree = LOG) -> tuple[int, int, str] | None:
    """Give the newest published note: its number, the size it covers, its text."""
    query = select(tree.checkpoints).order_by(tree.checkpoints.c.id.desc()).limit(1)
    row = reading.one(query)
    return None if row is None else (row.id, row.size, row.note)


def add_checkpoint(
    tx: Transaction, tree: Tree, *, number: int, size: int, note: str, at: int
) -> None:
    """Append a published note; its number makes two publishers collide instead of forking."""
    values = {"id": number, "size": size, "note": note, "published_at": at}
    tx.connection.execute(insert(tree.checkpoints).values(**values))


def salt(reading: Reading, log_index: int) -> bytes | None:
    """Find the salt of a log entry, with the certificate, statement, copy or act it belongs to."""
    for table in (t.certificates, t.statements, t.copies, t.register_statements):
        row = reading.one(select(table.c.salt).where(table.c.log_index == log_index))
        if row is not None:
            return bytes(row.salt)
    return None
