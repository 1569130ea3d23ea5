"""What fell of that which certificates rest on is kept beside them, at any depth.

For certificates that are suspended or ended now it is worked out once; an earlier version computed it
when somebody looked, and only for what a certificate names itself.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

FALLEN = ("suspended", "cancelled", "withdrawn", "revoked")
_AT_ONCE = 1000
_C = sa.table(
    "certificates",
    *(
        sa.column(name, sa.String)
        for name in ("id", "issuer", "status", "supersedes", "superseded_by")
    ),
    sa.column("since", sa.BigInteger),
)
_F = sa.table("foundations", sa.column("certificate", sa.String), sa.column("rests_on", sa.String))
_S = sa.table(
    "statements", sa.column("certificate", sa.String), sa.column("log_index", sa.BigInteger)
)
_A = sa.table("agencies", sa.column("code", sa.String), sa.column("time_zone", sa.String))


def upgrade() -> None:
    op.add_column(
        "status_lists", sa.Column("warnings", sa.BigInteger(), server_default="0", nullable=False)
    )
    table = op.create_table(
        "fallen_foundations",
        sa.Column("certificate", sa.String(length=128), nullable=False),
        sa.Column("foundation", sa.String(length=128), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("lifted_index", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["certificate"],
            ["certificates.id"],
            name=op.f("fk_fallen_foundations_certificate"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "certificate", "foundation", "log_index", name=op.f("pk_fallen_foundations")
        ),
    )
    for name in ("foundation", "log_index", "lifted_index"):
        op.create_index(op.f(f"ix_fallen_foundations_{name}"), "fallen_foundations", [name])
    _work_out(table)


def _work_out(table: sa.Table) -> None:
    connection, c = op.get_bind(), _C.c
    zones = {row.code: row.time_zone for row in connection.execute(sa.select(_A))}
    placed = sa.select(sa.func.max(_S.c.log_index)).where(_S.c.certificate == c.id)
    query = sa.select(c.id, c.issuer, c.status, c.since, placed.scalar_subquery().label("place"))
    for row in connection.execute(query.where(c.status.in_(FALLEN))).all():
        rows = [
            {
                "certificate": certificate,
                "foundation": row.id,
                "log_index": row.place,
                "status": row.status,
                "since": _midnight(row.since, zones[row.issuer]),
            }
            for certificate in sorted(_dependents(connection, row.id))
        ]
        if rows:
            connection.execute(sa.insert(table), rows)


def _dependents(connection: sa.Connection, certificate: str) -> set[str]:
    """Name all that rests on a certificate or an earlier version of it, at any depth."""
    found: set[str] = set()
    waiting = {certificate}
    while waiting:
        above: dict[str, str | None] = {}
        for some in _portions(_with_earlier(connection, waiting)):
            query = sa.select(_F.c.certificate, _C.c.superseded_by)
            query = query.select_from(_F.join(_C, _C.c.id == _F.c.certificate))
            for row in connection.execute(query.where(_F.c.rests_on.in_(some))):
                above[row.certificate] = row.superseded_by
        fresh = above.keys() - found
        found |= fresh
        waiting = {one for one in fresh if above[one] is None}
    return found - {certificate}


def _with_earlier(connection: sa.Connection, certificates: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = set(certificates)
    while waiting:
        found |= waiting
        before: set[str] = set()
        for some in _portions(waiting):
            query = sa.select(_C.c.supersedes).where(_C.c.id.in_(some))
            before.update(one for one in connection.execute(query).scalars() if one is not None)
        waiting = before - found
    return found


def _portions(identifiers: Iterable[str]) -> list[list[str]]:
    ordered = sorted(identifiers)
    return [ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE)]


def _midnight(seconds: int, zone: str) -> int:
    day = datetime.fromtimestamp(seconds, UTC).astimezone(ZoneInfo(zone)).date()
    return int(datetime.combine(day, time(), ZoneInfo(zone)).timestamp())


def downgrade() -> None:
    op.drop_table("fallen_foundations")
    op.drop_column("status_lists", "warnings")
