"""Reuse: matters, sharing rules, grants, dossiers, objections; clients hold several keys."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delegations",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("principal_hmac", sa.LargeBinary(), nullable=False),
        sa.Column("agent_hmac", sa.LargeBinary(), nullable=False),
        sa.Column("matters", sa.Text(), nullable=False),
        sa.Column("until", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delegations")),
    )
    with op.batch_alter_table("delegations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delegations_agent_hmac"), ["agent_hmac"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_delegations_principal_hmac"), ["principal_hmac"], unique=False
        )

    op.create_table(
        "identity_providers",
        sa.Column("issuer", sa.String(length=200), nullable=False),
        sa.Column("settings", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("issuer", name=op.f("pk_identity_providers")),
    )
    op.create_table(
        "usage",
        sa.Column("scope", sa.String(length=80), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "day", name=op.f("pk_usage")),
    )
    op.create_table(
        "dossiers",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("agency", sa.String(length=18), nullable=False),
        sa.Column("matter", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("case_number", sa.Text(), nullable=False),
        sa.Column("asked", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.LargeBinary(), nullable=False),
        sa.Column("holder_hmac", sa.LargeBinary(), nullable=True),
        sa.Column("project_code", sa.String(length=64), nullable=True),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("accepted_on", sa.String(length=10), nullable=True),
        sa.Column("due_on", sa.String(length=10), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["agency"], ["agencies.code"], name=op.f("fk_dossiers_agency")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dossiers")),
        sa.UniqueConstraint(
            "client", "matter", "case_number", name=op.f("uq_dossiers_client_matter_case_number")
        ),
    )
    with op.batch_alter_table("dossiers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dossiers_created_at"), ["created_at"], unique=False)

    op.create_table(
        "matters",
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("agency", sa.String(length=18), nullable=False),
        sa.Column("definition", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["agency"], ["agencies.code"], name=op.f("fk_matters_agency")),
        sa.PrimaryKeyConstraint("code", "version", name=op.f("pk_matters")),
    )
    op.create_table(
        "sharing_rules",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("agency", sa.String(length=18), nullable=False),
        sa.Column("matter", sa.String(length=64), nullable=True),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("daily_quota", sa.Integer(), nullable=True),
        sa.Column("valid_from", sa.String(length=10), nullable=True),
        sa.Column("valid_to", sa.String(length=10), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agency"], ["agencies.code"], name=op.f("fk_sharing_rules_agency")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sharing_rules")),
    )
    with op.batch_alter_table("sharing_rules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sharing_rules_agency"), ["agency"], unique=False)

    op.create_table(
        "client_keys",
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("kid", sa.String(length=43), nullable=False),
        sa.Column("jwk", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["client"], ["clients.id"], name=op.f("fk_client_keys_client")),
        sa.PrimaryKeyConstraint("client", "kid", name=op.f("pk_client_keys")),
    )
    op.create_table(
        "dossier_items",
        sa.Column("dossier", sa.String(length=26), nullable=False),
        sa.Column("material", sa.String(length=64), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["dossier"], ["dossiers.id"], name=op.f("fk_dossier_items_dossier")
        ),
        sa.PrimaryKeyConstraint(
            "dossier", "material", "certificate", name=op.f("pk_dossier_items")
        ),
    )
    with op.batch_alter_table("dossier_items", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_dossier_items_certificate"), ["certificate"], unique=False
        )

    op.create_table(
        "grant_requests",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=True),
        sa.Column("agency", sa.String(length=18), nullable=False),
        sa.Column("matter", sa.String(length=64), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.String(length=43), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("holder_hmac", sa.LargeBinary(), nullable=True),
        sa.Column("delegation", sa.String(length=26), nullable=True),
        sa.Column("code_digest", sa.LargeBinary(), nullable=True),
        sa.Column("short_digest", sa.LargeBinary(), nullable=True),
        sa.Column("code_expires_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["agency"], ["agencies.code"], name=op.f("fk_grant_requests_agency")
        ),
        sa.ForeignKeyConstraint(["client"], ["clients.id"], name=op.f("fk_grant_requests_client")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grant_requests")),
        sa.UniqueConstraint("nonce", name=op.f("uq_grant_requests_nonce")),
    )
    op.create_table(
        "objections",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("certificate", sa.String(length=128), nullable=False),
        sa.Column("issuer", sa.String(length=18), nullable=False),
        sa.Column("agency", sa.String(length=18), nullable=True),
        sa.Column("client", sa.String(length=64), nullable=True),
        sa.Column("holder_hmac", sa.LargeBinary(), nullable=True),
        sa.Column("field", sa.String(length=128), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("successor", sa.String(length=128), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["agency"], ["agencies.code"], name=op.f("fk_objections_agency")),
        sa.ForeignKeyConstraint(
            ["certificate"],
            ["certificates.id"],
            name=op.f("fk_objections_certificate"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["issuer"], ["agencies.code"], name=op.f("fk_objections_issuer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objections")),
    )
    with op.batch_alter_table("objections", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_objections_certificate"), ["certificate"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_objections_issuer_objections_state"), ["issuer", "state"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_objections_successor"), ["successor"], unique=False)

    op.create_table(
        "webhooks",
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("last_result", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["client"], ["clients.id"], name=op.f("fk_webhooks_client")),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "grants",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("request", sa.String(length=26), nullable=False),
        sa.Column("agency", sa.String(length=18), nullable=False),
        sa.Column("matter", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("case", sa.String(length=64), nullable=True),
        sa.Column("fields", sa.LargeBinary(), nullable=False),
        sa.Column("holder_hmac", sa.LargeBinary(), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("delegation", sa.String(length=26), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["agency"], ["agencies.code"], name=op.f("fk_grants_agency")),
        sa.ForeignKeyConstraint(
            ["delegation"], ["delegations.id"], name=op.f("fk_grants_delegation")
        ),
        sa.ForeignKeyConstraint(["request"], ["grant_requests.id"], name=op.f("fk_grants_request")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
        sa.UniqueConstraint("request", name=op.f("uq_grants_request")),
    )
    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_grants_holder_hmac"), ["holder_hmac"], unique=False)
    _bound_clients()


def _bound_clients() -> None:
    """Give clients bounds of their own, and move their keys into a table of their own."""
    op.add_column("statements", sa.Column("trail_index", sa.BigInteger(), nullable=True))
    # plain ALTER TABLE: a table that others refer to cannot be copied and dropped
    no = sa.false()
    op.add_column(
        "agencies", sa.Column("requires_dpop", sa.Boolean(), nullable=False, server_default=no)
    )
    op.add_column("clients", sa.Column("addresses", sa.Text(), nullable=False, server_default=""))
    op.add_column("clients", sa.Column("daily_quota", sa.Integer(), nullable=True))
    op.execute(
        "INSERT INTO client_keys (client, kid, jwk, created_at) "
        "SELECT id, id, jwk, created_at FROM clients"
    )
    op.execute("ALTER TABLE clients DROP COLUMN jwk")
