"""The two Merkle trees of a registry: the log of issues and acts, and the audit trail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Insert, Select, Table, Update, bindparam, insert, select, update

from ecert.store import tables as t


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
