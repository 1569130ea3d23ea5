"""Identity providers 身份认证平台: whose sign-ins (ID tokens) the registry believes."""

from __future__ import annotations

from datetime import datetime

from ecert.errors import NotFound
from ecert.formats.id_token import Provider, check_provider
from ecert.ledger.access import SHARING
from ecert.ledger.acting import Verbs, needs
from ecert.ledger.trail import AuditEntry
from ecert.model import Actor
from ecert.reuse.sign_in import believed
from ecert.store import Transaction, providers


class Providers(Verbs):
    """Believes identity providers, and believes them no longer."""

    @needs(SHARING)
    def put(self, provider: Provider, *, by: Actor) -> Provider:
        """Believe an identity provider, or change what is known of it. Raises: InputError."""

        def work(tx: Transaction, now: datetime) -> Provider:
            check_provider(provider)
            providers.put(tx, provider.issuer, provider.to_json(), int(now.timestamp()))
            return provider

        entry = AuditEntry("provider.put", by)
        return self.desk.act(entry, work, lambda done: {"issuer": done.issuer})

    @needs(SHARING)
    def end(self, issuer: str, *, by: Actor) -> None:
        """Believe an identity provider no longer. Raises: NotFound."""

        def work(tx: Transaction, now: datetime) -> None:
            if issuer not in providers.listed(tx):
                raise NotFound("this provider is not believed")
            providers.end(tx, issuer, int(now.timestamp()))

        self.desk.act(AuditEntry("provider.end", by), work, lambda _done: {"issuer": issuer})

    @needs(SHARING)
    def all(self, *, by: Actor) -> list[Provider]:
        """List the identity providers that are believed."""
        del by
        with self.desk.store.reading() as reading:
            return list(believed(reading).values())
