"""The audit trail becomes a Merkle tree: what is in it already is its beginning."""

import sqlalchemy as sa
from alembic import op

from ecert.formats.merkle import Edge, append

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TILE_LEVELS = 8
_ROWS = 4096


def upgrade() -> None:
    op.create_table(
        "audit_nodes",
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "index", name=op.f("pk_audit_nodes")),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_checkpoints")),
    )
    with op.batch_alter_table("audit_head", schema=None) as batch_op:
        batch_op.add_column(sa.Column("edge", sa.LargeBinary(), nullable=False, server_default=""))
    with op.batch_alter_table("audit_head", schema=None) as batch_op:
        batch_op.alter_column("edge", server_default=None)
    _grow()


def _grow() -> None:
    """Build the tree of the rows that are there."""
    connection = op.get_bind()
    audit = sa.table("audit", sa.column("index"), sa.column("leaf", sa.LargeBinary))
    nodes = sa.table(
        "audit_nodes", sa.column("level"), sa.column("index"), sa.column("hash", sa.LargeBinary)
    )
    edge = Edge()

    def completed(level: int, index: int, root: bytes) -> None:
        if level and level % _TILE_LEVELS == 0:
            row = {"level": level // _TILE_LEVELS, "index": index, "hash": root}
            connection.execute(sa.insert(nodes).values(**row))

    while True:
        query = sa.select(audit.c.leaf).where(audit.c.index >= edge.size)
        found = connection.execute(query.order_by(audit.c.index).limit(_ROWS)).scalars().all()
        if not found:
            break
        edge = append(edge, [bytes(leaf) for leaf in found], completed)
    head = sa.table("audit_head", sa.column("size"), sa.column("edge", sa.LargeBinary))
    connection.execute(sa.update(head).values(size=edge.size, edge=edge.to_bytes()))
