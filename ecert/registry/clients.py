"""Clients 接入系统 of agencies: their keys, scopes, addresses, quotas, and where they are told of changes."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ecert.audit import AuditEntry
from ecert.errors import AlreadyExists, InputError, NotFound
from ecert.keys import parse_jwk, thumbprint
from ecert.model import Actor, is_line
from ecert.reuse.desk import ReuseDesk
from ecert.reuse.sharing import below
from ecert.store import (
    ClientRow,
    Reading,
    Transaction,
    WebhookRow,
    agencies,
    clients,
    trees,
    webhooks,
)

READ_OWN = "certificates:read"
SCOPES = frozenset(
    {"certificates:issue", "certificates:operate", READ_OWN, "audit:read"}
    | {"clients:manage", "matters:manage", "sharing:manage"}
)
ACTIVE, SUSPENDED = "active", "suspended"
MAX_NAME = 100
MAX_KEYS = 10
MAX_ADDRESSES = 50
_REFRESH_SECONDS = 5.0
_LOOPBACK = r"http://(localhost|127\.0\.0\.1)"
WEBHOOK_URL = rf"^(https://[A-Za-z0-9.-]{{1,253}}|{_LOOPBACK})(:[0-9]{{1,5}})?/[!-~]{{0,300}}$"


@dataclass(frozen=True, slots=True)
class ClientWish:
    """What a new client is to be: its name, agency, scopes, and what bounds it."""

    name: str
    agency: str
    scopes: frozenset[str]
    addresses: tuple[str, ...] = ()
    daily_quota: int | None = None


class ClientDesk:
    """Registers departments' systems and changes what they may do; every change is audited."""

    def __init__(self, desk: ReuseDesk) -> None:
        self._desk = desk
        self._rows: dict[str, ClientRow] = {}
        self._dpop: frozenset[str] = frozenset()
        self._has_quotas = False
        self._read_at = float("-inf")

    # -- reading -----------------------------------------------------------------------------------

    def rows(self) -> Mapping[str, ClientRow]:
        """Give all clients by identifier; other processes' changes show within seconds."""
        if time.monotonic() - self._read_at > _REFRESH_SECONDS:
            with self._desk.store.reading() as reading:
                self._rows = {one.id: one for one in clients.listed(reading)}
                self._has_quotas = any(one.daily_quota is not None for one in self._rows.values())
                known = agencies.listed(reading)
            demanding = [one.code for one in known if one.requires_dpop]
            self._dpop = frozenset().union(*(below(known, code) for code in demanding))
            self._read_at = time.monotonic()
        return self._rows

    def find(self, client_id: str) -> ClientRow | None:
        """Find a client by its identifier, or None; one that is new is looked for afresh."""
        if client_id not in self.rows():
            self.forget()
        return self.rows().get(client_id)

    def fresh(self, client_id: str) -> ClientRow | None:
        """Find a client as it is at this moment, or None."""
        with self._desk.store.reading() as reading:
            return clients.find(reading, client_id)

    def requires_dpop(self, agency: str) -> bool:
        """Tell whether an agency, or one above it, wants its clients' calls bound to a key."""
        self.rows()
        return agency in self._dpop

    def quota(self, client_id: str) -> int | None:
        """Give how many certificates a day a client may be shown; None for no quota."""
        row = self.rows().get(client_id)
        return None if row is None else row.daily_quota

    def has_quotas(self) -> bool:
        """Tell whether any client has a quota."""
        self.rows()
        return self._has_quotas

    def forget(self) -> None:
        """Read the rows afresh next time."""
        self._read_at = float("-inf")

    # -- changing ----------------------------------------------------------------------------------

    def add(self, wish: ClientWish, jwk: Mapping[str, Any], *, by: Actor) -> ClientRow:
        """Register a client by its public key; the key's thumbprint is the client's name for ever.

        Raises: InputError for an unknown scope, key or address, NotFound for the agency.
        """
        kid = thumbprint(parse_jwk(dict(jwk)))
        row = ClientRow(
            id=kid,
            name=wish.name,
            agency=wish.agency,
            scopes=wish.scopes,
            keys={kid: dict(jwk)},
            addresses=wish.addresses,
            daily_quota=wish.daily_quota,
        )

        def work(tx: Transaction, now: datetime) -> ClientRow:
            self._check(row)
            self._check_given(row.scopes, by)
            self._check_agency(tx, row.agency, by)
            if clients.has_key(tx, kid):
                raise AlreadyExists("a client with this key is registered already")
            clients.add(tx, row, int(now.timestamp()))
            return row

        return self._act("client.add", by, work)

    def change(self, client_id: str, *, by: Actor, **changes: Any) -> ClientRow:
        """Change a client's scopes, addresses, quota or state. Raises: NotFound, InputError."""

        def work(tx: Transaction, _now: datetime) -> ClientRow:
            old = self._own(tx, client_id, by)
            row = replace(old, **changes)
            self._check(row)
            self._check_given(row.scopes - old.scopes, by)
            clients.put(tx, row)
            return row

        return self._act("client.change", by, work, changed=sorted(changes))

    def add_key(self, client_id: str, jwk: Mapping[str, Any], *, by: Actor) -> str:
        """Give a client one more key, so that it can change over without a gap; give its kid.

        Raises: NotFound, InputError, AlreadyExists.
        """
        kid = thumbprint(parse_jwk(dict(jwk)))

        def work(tx: Transaction, now: datetime) -> ClientRow:
            row = self._own(tx, client_id, by)
            self._check_given(row.scopes, by)  # whoever has the key has the client's scopes
            if len(row.keys) >= MAX_KEYS:
                raise InputError(f"a client has at most {MAX_KEYS} keys at once")
            if clients.has_key(tx, kid):
                raise AlreadyExists("this key is registered already")
            clients.add_key(tx, row.id, kid, jwk, int(now.timestamp()))
            return row

        self._act("client.key.add", by, work, kid=kid)
        return kid

    def retire_key(self, client_id: str, kid: str, *, by: Actor) -> None:
        """Take a key from a client; a last one cannot be taken, suspend the client instead.

        Raises: NotFound, InputError.
        """

        def work(tx: Transaction, now: datetime) -> ClientRow:
            row = self._own(tx, client_id, by)
            if kid not in row.keys:
                raise NotFound("the client has no such key")
            if len(row.keys) == 1:
                raise InputError("this is the client's last key: add another first, or suspend it")
            clients.retire_key(tx, row.id, kid, int(now.timestamp()))
            return row

        self._act("client.key.retire", by, work)

    def put_webhook(self, client_id: str, url: str | None, *, by: Actor) -> None:
        """Tell a client of changes at this address from now on, or no longer (None).

        With another address it is told there what it was not told yet. Raises: NotFound, InputError
        for an address that is neither https nor loopback.
        """

        def work(tx: Transaction, _now: datetime) -> ClientRow:
            row = self._own(tx, client_id, by)
            if url is not None and not re.fullmatch(WEBHOOK_URL, url):
                raise InputError("the address begins with https:// (http:// only on loopback)")
            webhooks.put(tx, row.id, url, trees.head(tx).size - 1)
            return row

        self._act("client.webhook", by, work)

    def webhooks(self, due_at: int | None = None) -> list[WebhookRow]:
        """List the webhooks; with a moment, those of active clients that may be tried by then."""
        with self._desk.store.reading() as reading:
            return webhooks.listed(reading, due_at)

    def lease(self, row: WebhookRow, until: int) -> bool:
        """Take a webhook for one attempt; False when another node was first."""
        return self._desk.store.write(lambda tx: webhooks.lease(tx, row, until))

    def settle(self, row: WebhookRow) -> None:
        """Note how an attempt ended."""
        self._desk.store.write(lambda tx: webhooks.settle(tx, row))

    def require_dpop(self, agency: str, *, requires: bool, by: Actor) -> None:
        """Demand that an agency's clients, and those below it, bind their calls to a key (DPoP).

        Raises: NotFound.
        """

        def work(tx: Transaction, _now: datetime) -> None:
            self._check_agency(tx, agency, by)
            agencies.put_requires_dpop(tx, agency, requires=requires)

        told = {"agency": agency, "dpop": "required" if requires else "optional"}
        self._desk.act(AuditEntry("agency.dpop", by), work, lambda _done: told)
        self.forget()

    # -- checks ------------------------------------------------------------------------------------

    def _act(
        self,
        action: str,
        by: Actor,
        work: Callable[[Transaction, datetime], ClientRow],
        **details: Any,
    ) -> ClientRow:
        """Change a client in one transaction; what is not there, or not one's own, is not named."""

        def told(row: ClientRow) -> dict[str, Any]:
            named = {"client": row.id, "agency": row.agency, "scopes": sorted(row.scopes)}
            return {**named, **details}

        row = self._desk.act(AuditEntry(action, by), work, told)
        self.forget()
        return row

    def _own(self, tx: Transaction, client_id: str, by: Actor) -> ClientRow:
        """Lock a client of one's own agency or of one below it; others' read as absent."""
        row = clients.lock(tx, client_id)
        if row is None or row.agency not in self._reached(tx, by):
            raise NotFound("there is no such client")
        return row

    @staticmethod
    def _reached(reading: Reading, by: Actor) -> frozenset[str]:
        """Name whose clients somebody manages: over HTTP his own agency's and those below it."""
        known = agencies.listed(reading)
        if by.scopes is None:
            return frozenset(one.code for one in known)
        return below(known, by.agency or "")

    def _check_agency(self, reading: Reading, agency: str, by: Actor) -> None:
        if agency not in self._reached(reading, by):
            raise NotFound("this agency is not registered")

    @staticmethod
    def _check_given(scopes: Iterable[str], by: Actor) -> None:
        if not all(map(by.may, scopes)):
            raise InputError("nobody gives a scope that he does not have")

    def _check(self, row: ClientRow) -> None:
        if not is_line(row.name, MAX_NAME):
            raise InputError(f"a client's name is one line of at most {MAX_NAME} characters")
        for scope in row.scopes:
            self._check_scope(scope)
        if row.state not in {ACTIVE, SUSPENDED}:
            raise InputError(f"a client is {ACTIVE} or {SUSPENDED}")
        if row.daily_quota is not None and not 0 <= row.daily_quota <= 10**9:
            raise InputError("a quota is a number of certificates a day")
        if len(row.addresses) > MAX_ADDRESSES:
            raise InputError(f"at most {MAX_ADDRESSES} addresses")
        for address in row.addresses:
            _check_address(address)

    def _check_scope(self, scope: str) -> None:
        slug = scope.removeprefix(READ_OWN + ":")
        known = {kind.slug for kind in self._desk.catalogue}
        if scope not in SCOPES and not (scope.startswith(READ_OWN + ":") and slug in known):
            raise InputError(
                f"unknown scope; known: {', '.join(sorted(SCOPES))}, {READ_OWN}:<type>"
            )


def _check_address(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise InputError(
            "an address is one of IPv4 or IPv6, or a network such as 10.1.0.0/16"
        ) from error


def is_allowed_from(row: ClientRow, address: str) -> bool:
    """Tell whether a client may call from an address; without a list it may from any."""
    if not row.addresses:
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    networks = map(ipaddress.ip_network, row.addresses)
    return any(one.version == found.version and found in one for one in networks)
