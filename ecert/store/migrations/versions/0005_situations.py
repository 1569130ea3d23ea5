"""情形 is a situation: stored matters and grants say so, and ``case`` is free for 办件.

A matter's digest stays what it was: it names the words that were added. Requests for grants that are
open end, for their nonce is the digest of the old words; a holder is asked again.
"""

from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MATTERS = sa.table(
    "matters",
    sa.column("code", sa.String),
    sa.column("version", sa.Integer),
    sa.column("definition", sa.LargeBinary),
)
_REQUESTS = sa.table(
    "grant_requests", sa.column("expires_at", sa.BigInteger), sa.column("used_at", sa.BigInteger)
)


def upgrade() -> None:
    with op.batch_alter_table("grants") as grants:
        grants.alter_column("case", new_column_name="situation")
    _rename("cases", "situations")
    op.execute(sa.update(_REQUESTS).where(_REQUESTS.c.used_at.is_(None)).values(expires_at=0))


def downgrade() -> None:
    _rename("situations", "cases")
    with op.batch_alter_table("grants") as grants:
        grants.alter_column("situation", new_column_name="case")


def _rename(before: str, after: str) -> None:
    connection = op.get_bind()
    c = _MATTERS.c
    for row in connection.execute(sa.select(c.code, c.version, c.definition)).all():
        matter = orjson.loads(row.definition)
        renamed = _renamed(matter, before, after)
        renamed["materials"] = [_renamed(one, before, after) for one in matter["materials"]]
        definition = orjson.dumps(renamed, option=orjson.OPT_SORT_KEYS)
        where = sa.update(_MATTERS).where(c.code == row.code, c.version == row.version)
        connection.execute(where.values(definition=definition))


def _renamed(value: dict[str, Any], before: str, after: str) -> dict[str, Any]:
    return {after if name == before else name: item for name, item in value.items()}
