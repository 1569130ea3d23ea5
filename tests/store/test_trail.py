"""The audit trail is a Merkle tree: whoever edits, adds or removes a row is found out."""

from __future__ import annotations

import dataclasses

import pytest
from sqlalchemy import delete, insert, select, update

from ecert._encoding import canonical_plain
from ecert.errors import ForkGuard, SignatureError
from ecert.formats.merkle import Edge, append
from ecert.formats.note import log_key, verify_checkpoint
from ecert.keys import Role
from ecert.ledger.trail import audit_leaf
from ecert.registry import Registry
from ecert.store import TRAIL, trees
from ecert.store import tables as t
from ecert.store import trail as rows
from tests.conftest import CLERK

ROWS = 300  # more than a tile
VICTIM = 137


@pytest.fixture
def trail(any_registry: Registry) -> Registry:
    """A registry with a good trail that was published."""
    while any_registry.trail.head().size < ROWS:
        for _ in range(20):
            any_registry.agencies.all()
        _read_something(any_registry, 20)
    any_registry.log.publish()
    assert any_registry.trail.check().size == any_registry.trail.head().size >= ROWS
    return any_registry


def _read_something(registry: Registry, times: int) -> None:
    from ecert.ledger.trail import AuditEntry

    registry.desk.trail.write([AuditEntry("read", CLERK)] * times)


def _execute(registry: Registry, statement: object) -> None:
    registry.store.write(lambda tx: tx.connection.execute(statement))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", 1),
        ("action", "issue"),
        ("outcome", "not_found"),
        ("agency", "11440114MA00000928"),
        ("client", "somebody-else"),
        ("operator", "another clerk"),
        ("purpose", "another purpose"),
        ("matter", "another matter"),
        ("certificate", "1.2.3"),
        ("details", b'{"x":"y"}'),
        ("details", b"\xff not even text"),
        ("salt", bytes(16)),
        ("leaf", bytes(32)),
    ],
)
def test_an_edited_row_is_found(trail: Registry, column: str, value: object) -> None:
    _execute(trail, update(t.audit).where(t.audit.c.index == VICTIM).values({column: value}))
    with pytest.raises(SignatureError, match=str(VICTIM)):
        trail.trail.check()


def test_an_edited_row_with_a_leaf_to_match_is_found(trail: Registry) -> None:
    with trail.store.reading() as reading:
        ((salt, row),) = rows.salted_rows(reading, VICTIM, VICTIM + 1)
    row["operator"] = "another clerk"
    values = {"operator": row["operator"], "leaf": audit_leaf(salt, canonical_plain(row))}
    _execute(trail, update(t.audit).where(t.audit.c.index == VICTIM).values(values))
    with pytest.raises(SignatureError, match=r"tile|head"):
        trail.trail.check()


def test_a_removed_row_is_found(trail: Registry) -> None:
    _execute(trail, delete(t.audit).where(t.audit.c.index == VICTIM))
    with pytest.raises(SignatureError):
        trail.trail.check()


def test_a_row_beyond_the_head_is_found(trail: Registry) -> None:
    with trail.store.reading() as reading:
        row = dict(reading.connection.execute(select(t.audit).limit(1)).one()._asdict())
    _execute(trail, insert(t.audit).values(row | {"index": trail.trail.head().size}))
    with pytest.raises(SignatureError, match="head"):
        trail.trail.check()


def test_an_edited_tile_is_found(trail: Registry) -> None:
    _execute(trail, update(t.audit_nodes).values(hash=bytes(32)))
    with pytest.raises(SignatureError, match="tile"):
        trail.trail.check()


def test_rows_cut_off_with_the_head_wound_back_are_found_by_what_was_published(
    trail: Registry,
) -> None:
    """Whoever owns the database can make it consistent; but it was signed, here and elsewhere."""
    with trail.store.reading() as reading:
        leaves = trees.tile_hashes(reading, 0, 0, ROWS - 50, TRAIL)
    shorter = append(Edge(), leaves, lambda *_: None)
    _execute(trail, delete(t.audit).where(t.audit.c.index >= shorter.size))
    _execute(trail, update(t.audit_head).values(size=shorter.size, edge=shorter.to_bytes()))
    _execute(trail, delete(t.audit_checkpoints))  # the note of this machine is outside the database
    assert trail.trail.check() == shorter
    with pytest.raises(ForkGuard, match="entries"):
        trail.log.publish()


def test_the_trails_checkpoint_is_signed_under_a_name_of_its_own(trail: Registry) -> None:
    """Its notes must never count for the log: an entry of the trail proves no issue."""
    note = trail.trail.checkpoint()
    assert note is not None
    signer = trail.keys.ring.signer(Role.LOG)
    found = verify_checkpoint(note, log_key(trail.trail.origin, signer))
    head = trail.trail.head()
    assert (found.origin, found.size, found.root) == (trail.trail.origin, head.size, head.root)
    assert trail.trail.origin != trail.log.origin
    names = [log.vkey.partition("+")[0] for log in trail.trusted().logs]
    assert names == [trail.log.origin]
    with pytest.raises(SignatureError):
        verify_checkpoint(note, log_key(trail.log.origin, signer))


def test_the_trail_grows_with_every_act_and_commits_with_it(any_registry: Registry) -> None:
    before = any_registry.trail.head().size
    _read_something(any_registry, 1)
    assert any_registry.trail.head().size == before + 1
    assert any_registry.trail.check().size == before + 1
    assert dataclasses.is_dataclass(any_registry.trail.head())
