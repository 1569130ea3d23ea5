"""The register: versions and competences of agencies, and signed statements about them.

Each agency gets the types that it has issued, from the day of its first issue. These rows are not
signed: ``ecert upgrade`` signs them with the registry's key, and until then nothing is issued.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BASIS = "taken over at upgrade"
_AGENCIES = sa.table(
    "agencies",
    sa.column("code", sa.String),
    sa.column("name", sa.Text),
    sa.column("short_name", sa.Text),
    sa.column("division", sa.String),
    sa.column("parent", sa.String),
    sa.column("time_zone", sa.String),
    sa.column("created_at", sa.BigInteger),
)
_CERTIFICATES = sa.table(
    "certificates",
    sa.column("issuer", sa.String),
    sa.column("slug", sa.String),
    sa.column("created_at", sa.BigInteger),
)


def upgrade() -> None:
    op.add_column("agencies", sa.Column("closed_on", sa.String(length=10), nullable=True))
    op.add_column("agencies", sa.Column("dpop_by", sa.String(length=18), nullable=True))
    for name in ("addresses_by", "quota_by"):  # what was set before, any administrator may change
        op.add_column("clients", sa.Column(name, sa.String(length=18), nullable=True))
    if op.get_bind().dialect.name != "sqlite":  # which minds no lengths
        op.alter_column(
            "agencies", "division", existing_type=sa.String(length=6), type_=sa.String(length=12)
        )
    versions = op.create_table(
        "agency_versions",
        sa.Column("agency", sa.String(length=18), nullable=False),
        sa.Column("from_day", sa.String(length=10), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("short_name", sa.Text(), nullable=True),
        sa.Column("division", sa.String(length=12), nullable=False),
        sa.Column("parent", sa.String(length=18), nullable=True),
        sa.ForeignKeyConstraint(
            ["agency"], ["agencies.code"], name=op.f("fk_agency_versions_agency")
        ),
        sa.ForeignKeyConstraint(
            ["parent"], ["agencies.code"], name=op.f("fk_agency_versions_parent")
        ),
        sa.PrimaryKeyConstraint("agency", "from_day", name=op.f("pk_agency_versions")),
    )
    competences = op.create_table(
        "competences",
        sa.Column("agency", sa.String(length=18), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("from_day", sa.String(length=10), nullable=False),
        sa.Column("to_day", sa.String(length=10), nullable=True),
        sa.Column("only", sa.String(length=8), nullable=True),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("successor", sa.String(length=18), nullable=True),
        sa.Column("to_entry", sa.BigInteger(), nullable=True),
        sa.Column("register_index", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["agency"], ["agencies.code"], name=op.f("fk_competences_agency")),
        sa.PrimaryKeyConstraint("agency", "slug", "from_day", name=op.f("pk_competences")),
    )
    op.create_table(
        "register_statements",
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("trail_index", sa.BigInteger(), nullable=False),
        sa.Column("agency", sa.String(length=18), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agency"], ["agencies.code"], name=op.f("fk_register_statements_agency")
        ),
        sa.PrimaryKeyConstraint("log_index", name=op.f("pk_register_statements")),
    )
    zones = _begin(versions)
    _take_over(competences, zones)


def _begin(versions: sa.Table) -> dict[str, str]:
    """Give each agency its present name from its first day: an earlier one was never kept."""
    connection, zones = op.get_bind(), {}
    for row in connection.execute(sa.select(_AGENCIES)).all():
        zones[row.code] = row.time_zone
        known = {name: getattr(row, name) for name in ("name", "short_name", "division", "parent")}
        day = _day(row.created_at, row.time_zone)
        connection.execute(sa.insert(versions).values(agency=row.code, from_day=day, **known))
    return zones


def _take_over(competences: sa.Table, zones: dict[str, str]) -> None:
    connection, c = op.get_bind(), _CERTIFICATES.c
    first = sa.func.min(c.created_at).label("first")
    query = sa.select(c.issuer, c.slug, first).group_by(c.issuer, c.slug)
    for row in connection.execute(query).all():
        day = _day(row.first, zones[row.issuer])
        values = {"agency": row.issuer, "slug": row.slug, "from_day": day, "basis": BASIS}
        connection.execute(sa.insert(competences).values(**values))


def _day(seconds: int, zone: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone(ZoneInfo(zone)).date().isoformat()


def downgrade() -> None:
    op.drop_table("register_statements")
    op.drop_table("competences")
    op.drop_table("agency_versions")
    for name in ("addresses_by", "quota_by"):
        op.drop_column("clients", name)
    op.drop_column("agencies", "dpop_by")
    op.drop_column("agencies", "closed_on")
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column(
            "agencies", "division", existing_type=sa.String(length=12), type_=sa.String(length=6)
        )
