"""Webhooks 变动推送: where clients are told of changes, and how far they were told."""

from __future__ import annotations

import re
from datetime import datetime

from ecert.errors import InputError
from ecert.ledger.access import CLIENTS, READ, check_given
from ecert.ledger.acting import Verbs, needs
from ecert.ledger.trail import AuditEntry
from ecert.model import Actor
from ecert.registry.clients import own_client, told_of
from ecert.store import ClientRow, Transaction, WebhookRow, trees, webhooks

_LOOPBACK = r"http://(localhost|127\.0\.0\.1)"
WEBHOOK_URL = rf"^(https://[A-Za-z0-9.-]{{1,253}}|{_LOOPBACK})(:[0-9]{{1,5}})?/[!-~]{{0,300}}$"


class Webhooks(Verbs):
    """Sets webhooks up, and keeps what the service says of its attempts."""

    @needs(CLIENTS)
    def put(self, client_id: str, url: str | None, *, by: Actor) -> ClientRow:
        """Tell a client of changes at this address from now on, or no longer (None).

        With another address it is told there what it was not told yet. Only who may read what the
        client reads says where it is told. Raises: NotFound, InputError for an address that is
        neither https nor loopback; loopback is for a trial alone.
        """

        def work(tx: Transaction, _now: datetime) -> ClientRow:
            row = own_client(tx, client_id, by)
            check_given(by, (one for one in row.allowed if one.startswith(READ)))
            if url is not None and url.startswith("http://") and not self.desk.charter.is_trial:
                raise InputError("outside a trial the address begins with https://")
            if url is not None and not re.fullmatch(WEBHOOK_URL, url):
                raise InputError("the address begins with https:// (http:// only on loopback)")
            webhooks.put(tx, row.id, url, trees.head(tx).size - 1)
            return row

        return self.desk.act(AuditEntry("client.webhook", by), work, told_of)

    def all(self, due_at: int | None = None) -> list[WebhookRow]:
        """List the webhooks; with a moment, those of active clients that may be tried by then."""
        with self.desk.store.reading() as reading:
            return webhooks.listed(reading, due_at)

    def waiting(self) -> int:
        """Count the webhooks whose last attempt was not heard."""
        return sum(row.failures > 0 for row in self.all())

    def lease(self, row: WebhookRow, until: int) -> bool:
        """Take a webhook for one attempt; False when another node was first."""
        return self.desk.store.write(lambda tx: webhooks.lease(tx, row, until))

    def settle(self, row: WebhookRow) -> None:
        """Note how an attempt ended."""
        self.desk.store.write(lambda tx: webhooks.settle(tx, row))
