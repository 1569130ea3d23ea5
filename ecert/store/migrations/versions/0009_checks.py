"""Comparisons of the whole store: how far each is, and what it found; and which database this is."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "checks",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("part", sa.String(length=32), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("faults", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checks")),
    )
    settings = sa.table("settings", sa.column("name", sa.Text), sa.column("value", sa.Text))
    known = set(op.get_bind().execute(sa.select(settings.c.name)).scalars())
    if known and "identity" not in known:  # nothing is known where there is no registry yet
        op.execute(settings.insert().values(name="identity", value=secrets.token_hex(16)))


def downgrade() -> None:
    op.drop_table("checks")
