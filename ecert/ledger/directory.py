"""Who may call 名录: clients and agencies as they are now, read afresh every few seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ecert.ledger.access import below
from ecert.store import ClientRow, Store, agencies, clients

_REFRESH_SECONDS = 5.0


class Directory:
    """Remembers clients for a few seconds: every call asks for them, and they seldom change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: dict[str, ClientRow] = {}
        self._dpop: frozenset[str] = frozenset()
        self._has_quotas = False
        self._read_at = float("-inf")

    def clients(self) -> Mapping[str, ClientRow]:
        """Give all clients by identifier; other processes' changes show within seconds."""
        if time.monotonic() - self._read_at > _REFRESH_SECONDS:
            self._read()
        return self._rows

    def _read(self) -> None:
        with self._store.reading() as reading:
            self._rows = {one.id: one for one in clients.listed(reading)}
            known = agencies.listed(reading)
        self._has_quotas = any(one.daily_quota is not None for one in self._rows.values())
        demanding = [one.code for one in known if one.requires_dpop]
        self._dpop = frozenset().union(*(below(known, code) for code in demanding))
        self._read_at = time.monotonic()

    def find(self, client: str) -> ClientRow | None:
        """Find a client by its identifier, or None; one that is new is looked for afresh."""
        if client not in self.clients():
            self.forget()
        return self.clients().get(client)

    def fresh(self, client: str) -> ClientRow | None:
        """Find a client as it is at this moment, or None."""
        with self._store.reading() as reading:
            return clients.find(reading, client)

    def requires_dpop(self, agency: str) -> bool:
        """Tell whether an agency, or one above it, wants its clients' calls bound to a key."""
        self.clients()
        return agency in self._dpop

    def quota(self, client: str) -> int | None:
        """Give how many certificates a day a client may be shown; None for no quota."""
        row = self.clients().get(client)
        return None if row is None else row.daily_quota

    def has_quotas(self) -> bool:
        """Tell whether any client has a quota."""
        self.clients()
        return self._has_quotas

    def forget(self) -> None:
        """Read everything afresh next time."""
        self._read_at = float("-inf")
