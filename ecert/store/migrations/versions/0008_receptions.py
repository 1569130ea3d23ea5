"""Who receives for whom; and two things that were open and are closed now, as far as they were in use.

A client's scope ``certificates:read:<type>`` becomes ``certificates:read`` and a sharing rule for its
agency. An identity provider without ``portals`` let every hall's sign-in open a holder's own pages: its
audiences are written down as its portals.
"""

import hashlib

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

READ, OF_TYPE = "certificates:read", "certificates:read:"
BASIS = "taken over at upgrade from the scope "
_CLIENTS = sa.table(
    "clients",
    *(sa.column(name, sa.Text) for name in ("id", "agency", "scopes", "state")),
    sa.column("created_at", sa.BigInteger),
)
_RULES = sa.table(
    "sharing_rules",
    *(
        sa.column(name, sa.Text)
        for name in ("id", "slug", "agency", "mode", "fields", "legal_basis")
    ),
    sa.column("created_at", sa.BigInteger),
)
_PROVIDERS = sa.table(
    "identity_providers", sa.column("issuer", sa.String), sa.column("settings", sa.LargeBinary)
)


def upgrade() -> None:
    op.create_table(
        "receptions",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("agency", sa.String(length=18), nullable=False),
        sa.Column("principal", sa.String(length=18), nullable=False),
        sa.Column("matter", sa.String(length=64), nullable=True),
        sa.Column("acts", sa.String(length=32), nullable=False),
        sa.Column("slugs", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("from_day", sa.String(length=10), nullable=False),
        sa.Column("to_day", sa.String(length=10), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["agency"], ["agencies.code"], name=op.f("fk_receptions_agency")),
        sa.ForeignKeyConstraint(
            ["principal"], ["agencies.code"], name=op.f("fk_receptions_principal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receptions")),
    )
    op.create_index(op.f("ix_receptions_agency"), "receptions", ["agency"])
    _give_rules()
    _name_portals()


def _give_rules() -> None:
    connection, given = op.get_bind(), set()
    for row in connection.execute(sa.select(_CLIENTS).order_by(_CLIENTS.c.created_at)).all():
        scopes = set(row.scopes.split())
        of_type = {one for one in scopes if one.startswith(OF_TYPE)}
        if not of_type:
            continue
        kept = " ".join(sorted(scopes - of_type | {READ}))
        connection.execute(sa.update(_CLIENTS).where(_CLIENTS.c.id == row.id).values(scopes=kept))
        for scope in sorted(of_type):
            named = row.agency, scope.removeprefix(OF_TYPE)
            if named not in given and row.state == "active":  # what was shut off opens nothing
                given.add(named)
                connection.execute(sa.insert(_RULES).values(**_rule(*named, row.created_at)))


def _rule(agency: str, slug: str, at: int) -> dict[str, object]:
    name = hashlib.sha256(f"{agency}/{slug}".encode()).hexdigest()[:26].upper()
    return {
        "id": name,
        "slug": slug,
        "agency": agency,
        "mode": "unconditional",
        "fields": "*",
        "legal_basis": BASIS + OF_TYPE + slug,
        "created_at": at,
    }


def _name_portals() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(_PROVIDERS)).all():
        settings = orjson.loads(row.settings)
        if not settings.get("portals"):
            settings["portals"] = settings["audiences"]
            where = sa.update(_PROVIDERS).where(_PROVIDERS.c.issuer == row.issuer)
            connection.execute(where.values(settings=orjson.dumps(settings)))


def downgrade() -> None:
    op.drop_table("receptions")
