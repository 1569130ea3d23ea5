"""The tables. Times are Unix seconds; digests and salts are bytes; nothing here names a holder.

What a certificate says lives in ``certificates.body`` and ``.credential`` alone, so that erasing a
record is deleting its row: the log keeps only a salted commitment.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)


class Blob(LargeBinary):
    """Bytes as the drivers take and give them: both know the type, so nothing is wrapped."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        """Hand bytes over as they are."""

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """Take bytes as they come."""


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

settings = Table(
    "settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

# Six digits grew to twelve; SQLite minds no lengths, and a table that others name is not rebuilt there.
DIVISION = String(6).with_variant(String(12), "postgresql")

agencies = Table(
    "agencies",
    metadata,
    Column("code", String(18), primary_key=True),
    Column("name", Text, nullable=False),
    Column("division", DIVISION, nullable=False),
    Column("parent", ForeignKey("agencies.code")),
    Column("short_name", Text),
    Column("time_zone", String(64), nullable=False),
    Column("requires_dpop", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("closed_on", String(10)),  # the first day on which it is no more
    Column("dpop_by", String(18)),  # who demands it: an agency, or - for the operator
)

agency_versions = Table(  # what is known of an agency, each version from its first day
    "agency_versions",
    metadata,
    Column("agency", ForeignKey("agencies.code"), nullable=False),
    Column("from_day", String(10), nullable=False),
    Column("name", Text, nullable=False),
    Column("short_name", Text),
    Column("division", String(12), nullable=False),
    Column("parent", ForeignKey("agencies.code")),
    PrimaryKeyConstraint("agency", "from_day"),
)

competences = Table(  # which agency may issue which type; days are inclusive
    "competences",
    metadata,
    Column("agency", ForeignKey("agencies.code"), nullable=False),
    Column("slug", String(64), nullable=False),
    Column("from_day", String(10), nullable=False),
    Column("to_day", String(10)),
    Column("only", String(8)),
    Column("basis", Text, nullable=False),
    Column("successor", String(18)),
    Column("to_entry", BigInteger),  # how long the log was when the period was closed
    Column("register_index", BigInteger),  # of its statement in the log; none: not signed yet
    PrimaryKeyConstraint("agency", "slug", "from_day"),
)

register_statements = Table(  # signed acts upon the register, append-only
    "register_statements",
    metadata,
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("trail_index", BigInteger, nullable=False),
    Column("agency", ForeignKey("agencies.code"), nullable=False),
    Column("salt", Blob, nullable=False),
    Column("token", Text, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("kid", String(43), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("agency", ForeignKey("agencies.code")),
    Column("uri", Text, nullable=False),
    Column("public", Blob, nullable=False),  # SubjectPublicKeyInfo, DER
    Column("certificate", Blob),  # DER, without its chain
    Column("chain", Blob),  # intermediate certificates, DER after DER
    Column("anchor", Blob),  # DER
    Column("state", String(16), nullable=False),  # pending, active, retired, compromised
    Column("created_at", BigInteger, nullable=False),
    Column("retired_at", BigInteger),
    Column("compromised_since", BigInteger),
    Column("compromised_log_size", BigInteger),
    Index(None, "role", "agency"),
)

types = Table(
    "types",
    metadata,
    Column("slug", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", String(43), nullable=False),
    Column("metadata", Blob, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("slug", "version"),
)

HAS_CHANGED = text("changes > 0")  # the very words of the partial index, or it is not used

certificates = Table(
    "certificates",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("issuer", ForeignKey("agencies.code"), nullable=False),
    Column("slug", String(64), nullable=False),
    Column("number", Text, nullable=False),
    Column("project_code", String(64)),
    Column("status", String(16), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("nbf", BigInteger, nullable=False),
    Column("exp", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("changes", Integer, nullable=False),
    Column("supersedes", String(128)),
    Column("superseded_by", String(128)),
    Column("status_list", Integer, nullable=False),
    Column("status_index", Integer, nullable=False),
    Column("log_index", BigInteger, nullable=False, unique=True),
    Column("salt", Blob, nullable=False),
    Column("digest", Blob, nullable=False),
    Column("body", Blob, nullable=False),
    Column("credential", Text, nullable=False),
    Column("seal", Text, nullable=False),
    UniqueConstraint("status_list", "status_index"),
    Index(
        "uq_certificates_current_number",
        "issuer",
        "slug",
        "number",
        unique=True,
        sqlite_where=text("superseded_by IS NULL"),
        postgresql_where=text("superseded_by IS NULL"),
    ),
    Index(None, "slug", "number"),
    Index(None, "project_code"),
    Index(
        "ix_certificates_changed",
        "status_list",
        sqlite_where=HAS_CHANGED,
        postgresql_where=HAS_CHANGED,
    ),
)

holders = Table(
    "holders",
    metadata,
    Column("certificate", ForeignKey("certificates.id", ondelete="CASCADE"), nullable=False),
    Column("position", SmallInteger, nullable=False),
    Column("code_hmac", Blob, nullable=False),
    PrimaryKeyConstraint("certificate", "position"),
    Index(None, "code_hmac"),
)

foundations = Table(  # which certificates a certificate rests on
    "foundations",
    metadata,
    Column("certificate", ForeignKey("certificates.id", ondelete="CASCADE"), nullable=False),
    Column("rests_on", String(128), nullable=False),
    PrimaryKeyConstraint("certificate", "rests_on"),
    Index(None, "rests_on"),
)

fallen_foundations = Table(  # that something a certificate rests on fell, until it was restored
    "fallen_foundations",
    metadata,
    Column("certificate", ForeignKey("certificates.id", ondelete="CASCADE"), nullable=False),
    Column("foundation", String(128), nullable=False),
    Column("log_index", BigInteger, nullable=False),  # of the act by which it fell
    Column("status", String(16), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("lifted_index", BigInteger),  # of the act after which this holds no longer
    PrimaryKeyConstraint("certificate", "foundation", "log_index"),
    Index(None, "foundation"),
    Index(None, "log_index"),
    Index(None, "lifted_index"),
)

statements = Table(
    "statements",
    metadata,
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("certificate", ForeignKey("certificates.id", ondelete="CASCADE"), nullable=False),
    Column("operation", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("successor", String(128)),
    Column("salt", Blob, nullable=False),
    Column("token", Text, nullable=False),
    Column("trail_index", BigInteger),  # of its audit row; none before revision 0004
    Index(None, "certificate"),
)

counters = Table(  # the numbers: one row for each prefix of a pattern
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

status_lists = Table(
    "status_lists",
    metadata,
    Column("list", Integer, primary_key=True, autoincrement=False),
    Column("allocated", Integer, nullable=False),
    Column("warnings", BigInteger, nullable=False, server_default="0"),  # set or lifted so far
)

log_entries = Table(
    "log_entries",
    metadata,
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", Blob, nullable=False),
    Column("leaf", Blob, nullable=False),
)

log_nodes = Table(  # the root of every full tile: level 1 covers 256 leaves, level 2 65,536, …
    "log_nodes",
    metadata,
    Column("level", SmallInteger, nullable=False),
    Column("index", BigInteger, nullable=False),
    Column("hash", Blob, nullable=False),
    PrimaryKeyConstraint("level", "index"),
)

log_head = Table(
    "log_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("edge", Blob, nullable=False),
)

checkpoints = Table(  # append-only
    "checkpoints",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("published_at", BigInteger, nullable=False),
)

copies = Table(  # annotated copies: each its own signed token, logged as an act
    "copies",
    metadata,
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("certificate", ForeignKey("certificates.id", ondelete="CASCADE"), nullable=False),
    Column("recipient", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("until", String(10), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("salt", Blob, nullable=False),
    Column("token", Text, nullable=False),
    Column("seal", Text, nullable=False),
    Index(None, "certificate"),
)

documents = Table(  # the signed files: of an issue, or of a copy, by the index of its log entry
    "documents",
    metadata,
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("certificate", ForeignKey("certificates.id", ondelete="CASCADE"), nullable=False),
    Column("level", String(8), nullable=False),
    Column("digest", Blob, nullable=False),
    Column("data", Blob, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "certificate"),
)

agency_images = Table(  # a picture of its seal that an agency set up for its printed documents
    "agency_images",
    metadata,
    Column("agency", ForeignKey("agencies.code"), primary_key=True),
    Column("image", Blob, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("action", String(32), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("agency", String(18)),
    Column("client", String(64)),
    Column("operator", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("matter", Text, nullable=False),
    Column("certificate", String(128)),
    Column("details", Blob, nullable=False),
    Column("salt", Blob, nullable=False),
    Column("leaf", Blob, nullable=False),
    Index(None, "certificate"),
)

audit_nodes = Table(
    "audit_nodes",
    metadata,
    Column("level", SmallInteger, nullable=False),
    Column("index", BigInteger, nullable=False),
    Column("hash", Blob, nullable=False),
    PrimaryKeyConstraint("level", "index"),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("edge", Blob, nullable=False),
)

audit_checkpoints = Table(  # append-only
    "audit_checkpoints",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("published_at", BigInteger, nullable=False),
)

clients = Table(
    "clients",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("agency", ForeignKey("agencies.code"), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("addresses", Text, nullable=False),  # networks it may call from; empty: any
    Column("daily_quota", Integer),  # certificates a day; none: no quota
    Column("addresses_by", String(18)),  # who set them: an agency, or - for the operator
    Column("quota_by", String(18)),
    Column("state", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

client_keys = Table(  # several at once, so that a client can change its key without a gap
    "client_keys",
    metadata,
    Column("client", ForeignKey("clients.id"), nullable=False),
    Column("kid", String(43), nullable=False),
    Column("jwk", Blob, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("retired_at", BigInteger),
    PrimaryKeyConstraint("client", "kid"),
)

webhooks = Table(  # where a client is told of changes, and how far it was told
    "webhooks",
    metadata,
    Column("client", ForeignKey("clients.id"), primary_key=True),
    Column("url", Text, nullable=False),
    Column("cursor", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("last_result", Text),
)

assertions = Table(  # identifiers of client assertions that were used, until they expire
    "assertions",
    metadata,
    Column("client", String(64), nullable=False),
    Column("jti_digest", Blob, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("client", "jti_digest"),
    Index(None, "expires_at"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("client", String(64), nullable=False),
    Column("route", String(64), nullable=False),
    Column("key_digest", Blob, nullable=False),
    Column("body_digest", Blob, nullable=False),
    Column("certificate", String(128), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("client", "route", "key_digest"),
    Index(None, "created_at"),
)

checks = Table(  # comparisons of the whole store: how far each is, and what it found
    "checks",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("scope", String(16), nullable=False),
    Column("part", String(32), nullable=False),
    Column("cursor", Text, nullable=False),
    Column("found", Integer, nullable=False),
    Column("faults", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("mac", Blob, nullable=False),  # or whoever edits rows could say that all was looked at
)

# -- reuse -----------------------------------------------------------------------------------------

matters = Table(  # each version as it was added; the newest is the one in use
    "matters",
    metadata,
    Column("code", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("agency", ForeignKey("agencies.code"), nullable=False),
    Column("definition", Blob, nullable=False),
    Column("digest", Blob, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("code", "version"),
)

sharing_rules = Table(
    "sharing_rules",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("slug", String(64), nullable=False),
    Column("agency", ForeignKey("agencies.code"), nullable=False),
    Column("matter", String(64)),  # none: every matter of that agency
    Column("mode", String(16), nullable=False),
    Column("fields", Text, nullable=False),  # dotted names; empty: what the matter needs; *: all
    Column("legal_basis", Text, nullable=False),
    Column("daily_quota", Integer),
    Column("valid_from", String(10)),
    Column("valid_to", String(10)),
    Column("ended_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "agency"),
)

receptions = Table(  # who receives for whom, and may issue in its name
    "receptions",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("agency", ForeignKey("agencies.code"), nullable=False),
    Column("principal", ForeignKey("agencies.code"), nullable=False),
    Column("matter", String(64)),  # none: every matter of the principal
    Column("acts", String(32), nullable=False),
    Column("slugs", Text, nullable=False),  # what may be issued; empty: every type
    Column("basis", Text, nullable=False),
    Column("from_day", String(10), nullable=False),
    Column("to_day", String(10)),
    Column("ended_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "agency"),
)

usage = Table(  # how much of a quota a day has used
    "usage",
    metadata,
    Column("scope", String(80), nullable=False),
    Column("day", String(10), nullable=False),
    Column("used", Integer, nullable=False),
    PrimaryKeyConstraint("scope", "day"),
)

identity_providers = Table(  # whose ID tokens are believed, and for which halls
    "identity_providers",
    metadata,
    Column("issuer", String(200), primary_key=True),
    Column("settings", Blob, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
)

grant_requests = Table(
    "grant_requests",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("client", ForeignKey("clients.id")),
    Column("agency", ForeignKey("agencies.code"), nullable=False),
    Column("matter", String(64), nullable=False),
    Column("request", Blob, nullable=False),  # canonical: its digest is the nonce
    Column("nonce", String(43), nullable=False, unique=True),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("tries", Integer, nullable=False),
    Column("holder_hmac", Blob),  # who made a use code for it
    Column("delegation", String(26)),
    Column("code_digest", Blob),
    Column("short_digest", Blob),
    Column("code_expires_at", BigInteger),
)

grants = Table(
    "grants",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("request", ForeignKey("grant_requests.id"), nullable=False, unique=True),
    Column("agency", ForeignKey("agencies.code"), nullable=False),
    Column("matter", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("situation", String(64)),
    Column("fields", Blob, nullable=False),
    Column("holder_hmac", Blob, nullable=False),
    Column("way", String(16), nullable=False),
    Column("delegation", ForeignKey("delegations.id")),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Index(None, "holder_hmac"),
)

delegations = Table(  # an enterprise lets an agent act for it
    "delegations",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("principal_hmac", Blob, nullable=False),
    Column("agent_hmac", Blob, nullable=False),
    Column("matters", Text, nullable=False),  # codes; empty: all
    Column("until", String(10), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Index(None, "principal_hmac"),
    Index(None, "agent_hmac"),
)

dossiers = Table(  # what was given for one case; drawn again it stays the same dossier
    "dossiers",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("client", String(64), nullable=False),
    Column("agency", ForeignKey("agencies.code"), nullable=False),
    Column("matter", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("case_number", Text, nullable=False),
    Column("asked", Blob, nullable=False),  # digest of whom and what it was asked for
    Column("outcome", Blob, nullable=False),  # digest of what was given
    Column("holder_hmac", Blob),
    Column("project_code", String(64)),
    Column("token", Text, nullable=False),
    Column("salt", Blob, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("accepted_on", String(10)),
    Column("due_on", String(10)),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("client", "matter", "case_number"),
    Index(None, "created_at"),
)

dossier_items = Table(  # papers that were not brought, each counted once
    "dossier_items",
    metadata,
    Column("dossier", ForeignKey("dossiers.id"), nullable=False),
    Column("material", String(64), nullable=False),
    Column("slug", String(64), nullable=False),
    Column("certificate", String(128), nullable=False),
    PrimaryKeyConstraint("dossier", "material", "certificate"),
    Index(None, "certificate"),
)

objections = Table(
    "objections",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("certificate", ForeignKey("certificates.id", ondelete="CASCADE"), nullable=False),
    Column("issuer", ForeignKey("agencies.code"), nullable=False),
    Column("agency", ForeignKey("agencies.code")),  # who objects: an agency's client, or a holder
    Column("client", String(64)),
    Column("holder_hmac", Blob),
    Column("field", String(128), nullable=False),
    Column("words", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("answer", Text),
    Column("successor", String(128)),
    Column("created_at", BigInteger, nullable=False),
    Column("answered_at", BigInteger),
    Index(None, "issuer", "state"),
    Index(None, "certificate"),
    Index(None, "successor"),
)
