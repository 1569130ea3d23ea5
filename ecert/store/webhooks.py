"""Where clients are told of changes 变动推送, in the store, and how far they were told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    insert,
    select,
    update,
)

from ecert.store import tables as t
from ecert.store.connection import Reading, Transaction


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """Where a client is told of changes; ``cursor`` is the last log index it was told of."""

    client: str
    url: str
    cursor: int
    failures: int
    next_at: int
    last_result: str | None

    def to_json(self) -> dict[str, Any]:
        """Give what people see of a webhook."""
        return {
            "client": self.client,
            "url": self.url,
            "cursor": str(self.cursor),
            "failures": self.failures,
            "last_result": self.last_result,
        }


def listed(reading: Reading, due_at: int | None = None) -> list[WebhookRow]:
    """List the webhooks; with a moment, those of active clients that may be tried by then."""
    query = select(t.webhooks).order_by(t.webhooks.c.client)
    if due_at is not None:
        query = query.join(t.clients, t.clients.c.id == t.webhooks.c.client)
        query = query.where(t.webhooks.c.next_at <= due_at, t.clients.c.state == "active")
    return [WebhookRow(*row) for row in reading.connection.execute(query)]


def put(tx: Transaction, client_id: str, url: str | None, cursor: int) -> None:
    """Set up a client's webhook, or remove it; a new one is told of what happens after ``cursor``."""
    c = t.webhooks.c
    query = select(c.cursor).where(c.client == client_id).with_for_update()
    waiting = tx.connection.execute(query).scalar_one_or_none()
    cursor = cursor if waiting is None else waiting  # what was not told yet is not lost
    tx.connection.execute(t.webhooks.delete().where(c.client == client_id))
    if url is not None:
        values = {"client": client_id, "url": url, "cursor": cursor, "failures": 0, "next_at": 0}
        tx.connection.execute(insert(t.webhooks).values(**values))
    tx.wrote(t.webhooks, client_id)


def lease(tx: Transaction, row: WebhookRow, until: int) -> bool:
    """Take a webhook for one attempt; False when another node was first."""
    c = t.webhooks.c
    query = select(c.next_at).where(c.client == row.client).with_for_update()
    found = tx.connection.execute(query).scalar_one_or_none()
    if found != row.next_at:
        return False
    tx.connection.execute(update(t.webhooks).where(c.client == row.client).values(next_at=until))
    return True


def settle(tx: Transaction, row: WebhookRow) -> None:
    """Note how an attempt ended; one for an address that was changed meanwhile counts no more."""
    c = t.webhooks.c
    where = update(t.webhooks).where(c.client == row.client, c.url == row.url)
    tx.connection.execute(
        where.values(
            cursor=row.cursor,
            failures=row.failures,
            next_at=row.next_at,
            last_result=row.last_result,
        )
    )
