"""The two Merkle trees of a registry: the log of issues and acts, and the audit trail."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Table

from ecert.store import tables as t


@dataclass(frozen=True, slots=True)
class Tree:
    """Where a tree lies: its leaves, the roots of its full tiles, its head, its signed notes."""

    leaves: Table
    nodes: Table
    head: Table
    checkpoints: Table


LOG = Tree(t.log_entries, t.log_nodes, t.log_head, t.checkpoints)
TRAIL = Tree(t.audit, t.audit_nodes, t.audit_head, t.audit_checkpoints)
