"""Identity providers 身份认证平台 in the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import (
    insert,
    select,
    update,
)

from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction


def listed(reading: Reading) -> dict[str, dict[str, Any]]:
    """Give the settings of the identity providers that are believed, by issuer."""
    c = t.identity_providers.c
    query = select(c.issuer, c.settings).where(c.ended_at.is_(None)).order_by(c.created_at)
    return {row.issuer: orjson.loads(row.settings) for row in reading.connection.execute(query)}


def put(tx: Transaction, issuer: str, settings: Mapping[str, Any], at: int) -> None:
    """Believe an identity provider, or change what is known of it."""
    c = t.identity_providers.c
    tx.connection.execute(t.identity_providers.delete().where(c.issuer == issuer))
    values = {"issuer": issuer, "settings": orjson.dumps(dict(settings)), "created_at": at}
    tx.connection.execute(insert(t.identity_providers).values(**values))
    tx.wrote(t.identity_providers, issuer)


def end(tx: Transaction, issuer: str, at: int) -> None:
    """Believe an identity provider no longer."""
    where = update(t.identity_providers).where(t.identity_providers.c.issuer == issuer)
    tx.connection.execute(where.values(ended_at=at))
    tx.wrote(t.identity_providers, issuer)
