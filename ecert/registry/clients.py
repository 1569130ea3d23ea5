"""Clients 接入系统 of agencies: their keys, scopes, addresses and quotas."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ecert.errors import AlreadyExists, Forbidden, InputError, NotFound
from ecert.keys import parse_jwk, thumbprint
from ecert.ledger.access import (
    CLIENTS,
    SCOPES,
    check_given,
    managed,
    may_lift,
    setter,
)
from ecert.ledger.acting import Desk, Verbs, needs
from ecert.ledger.directory import Directory
from ecert.ledger.trail import AuditEntry
from ecert.model import Actor, is_line
from ecert.store import ClientRow, Transaction, clients

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ACTIVE, SUSPENDED = "active", "suspended"
MAX_NAME = 100
MAX_KEYS = 10
MAX_ADDRESSES = 50


class Clients(Verbs):
    """Registers departments' systems and changes what they may do; every change is audited."""

    def __init__(self, desk: Desk, directory: Directory) -> None:
        super().__init__(desk)
        self.directory = directory

    @needs(CLIENTS)
    def all(self, *, by: Actor) -> list[ClientRow]:
        """List the clients of the agencies that somebody manages, oldest first."""
        with self.desk.store.reading() as reading:
            mine = managed(reading, by)
            return [one for one in clients.listed(reading) if one.agency in mine]

    def get(self, client_id: str) -> ClientRow | None:
        """Find a client by its identifier as it is now, or None."""
        return self.directory.fresh(client_id)

    @needs(CLIENTS)
    def add(
        self,
        name: str,
        *,
        agency: str,
        scopes: Iterable[str],
        jwk: Mapping[str, Any],
        by: Actor,
        addresses: Iterable[str] = (),
        daily_quota: int | None = None,
    ) -> ClientRow:
        """Register a client by its public key; the key's thumbprint is the client's name for ever.

        What a client registers is bounded as it is itself: its addresses and its quota at most.
        Raises: InputError for an unknown scope, key or address, NotFound for the agency, Forbidden.
        """
        granted, networks = frozenset(scopes), tuple(addresses)

        def work(tx: Transaction, now: datetime) -> ClientRow:
            kid = thumbprint(parse_jwk(dict(jwk)))
            row = ClientRow(
                id=kid,
                name=name,
                agency=agency,
                allowed=granted,
                keys={kid: dict(jwk)},
                addresses=networks,
                daily_quota=daily_quota,
            )
            self._check(row)
            check_given(by, row.allowed)
            if row.agency not in managed(tx, by):
                raise NotFound("this agency is not registered")
            row = _bounded(row, clients.find(tx, by.client or ""), by)
            if clients.has_key(tx, kid):
                raise AlreadyExists("a client with this key is registered already")
            clients.add(tx, row, int(now.timestamp()))
            return row

        return self._act("client.add", by, work)

    @needs(CLIENTS)
    def change(self, client_id: str, *, by: Actor, **changes: Any) -> ClientRow:
        """Change a client's scopes, addresses, quota or state.

        A limit that a superior set may be tightened from below, never lifted.
        Raises: NotFound, InputError, Forbidden.
        """
        if "scopes" in changes:
            changes["allowed"] = changes.pop("scopes")

        def work(tx: Transaction, _now: datetime) -> ClientRow:
            old = own_client(tx, client_id, by)
            row = replace(old, **changes)
            self._check(row)
            check_given(by, row.allowed - old.allowed)
            row = _set_by(row, old, by, lambda who: may_lift(tx, by, who))
            clients.put(tx, row)
            return row

        changed = sorted("scopes" if one == "allowed" else one for one in changes)
        return self._act("client.change", by, work, changed=changed)

    @needs(CLIENTS)
    def add_key(self, client_id: str, jwk: Mapping[str, Any], *, by: Actor) -> ClientRow:
        """Give a client one more key, so that it can change over without a gap.

        Raises: NotFound, InputError, AlreadyExists.
        """
        kid = thumbprint(parse_jwk(dict(jwk)))

        def work(tx: Transaction, now: datetime) -> ClientRow:
            row = own_client(tx, client_id, by)
            check_given(by, row.allowed)  # whoever has the key has the client's scopes
            if len(row.keys) >= MAX_KEYS:
                raise InputError(f"a client has at most {MAX_KEYS} keys at once")
            if clients.has_key(tx, kid):
                raise AlreadyExists("this key is registered already")
            clients.add_key(tx, row.id, kid, jwk, int(now.timestamp()))
            return replace(row, keys={**row.keys, kid: dict(jwk)})

        return self._act("client.key.add", by, work, kid=kid)

    @needs(CLIENTS)
    def retire_key(self, client_id: str, kid: str, *, by: Actor) -> ClientRow:
        """Take a key from a client; a last one cannot be taken, suspend the client instead.

        Raises: NotFound, InputError.
        """

        def work(tx: Transaction, now: datetime) -> ClientRow:
            row = own_client(tx, client_id, by)
            if kid not in row.keys:
                raise NotFound("the client has no such key")
            if len(row.keys) == 1:
                raise InputError("this is the client's last key: add another first, or suspend it")
            clients.retire_key(tx, row.id, kid, int(now.timestamp()))
            return replace(row, keys={name: key for name, key in row.keys.items() if name != kid})

        return self._act("client.key.retire", by, work)

    def _act(
        self,
        action: str,
        by: Actor,
        work: Callable[[Transaction, datetime], ClientRow],
        **details: Any,
    ) -> ClientRow:
        """Change a client in one transaction; what is not there, or not one's own, is not named."""
        row = self.desk.act(AuditEntry(action, by), work, lambda row: {**told_of(row), **details})
        self.directory.forget()
        return row

    def _check(self, row: ClientRow) -> None:
        if not is_line(row.name, MAX_NAME):
            raise InputError(f"a client's name is one line of at most {MAX_NAME} characters")
        if not row.allowed <= SCOPES:
            known = ", ".join(sorted(SCOPES))
            raise InputError(
                f"unknown scope; known: {known}. Another agency's certificates are opened by a sharing "
                "rule: ecert sharing add TYPE --agency CODE --field '*' --basis 国务院令第716号第七条"
            )
        if row.state not in {ACTIVE, SUSPENDED}:
            raise InputError(f"a client is {ACTIVE} or {SUSPENDED}")
        if row.daily_quota is not None and not 0 <= row.daily_quota <= 10**9:
            raise InputError("a quota is a number of certificates a day")
        if len(row.addresses) > MAX_ADDRESSES:
            raise InputError(f"at most {MAX_ADDRESSES} addresses")
        for address in row.addresses:
            _check_address(address)


def _bounded(row: ClientRow, maker: ClientRow | None, by: Actor) -> ClientRow:
    """Bound a new client as the one that makes it is bounded. Raises: Forbidden."""
    if maker is not None:
        row = replace(
            row,
            addresses=row.addresses or maker.addresses,
            daily_quota=maker.daily_quota if row.daily_quota is None else row.daily_quota,
        )
        if _is_looser(row, maker):
            raise Forbidden(
                "what a client registers may call from no more, and read no more, than it"
            )
    return replace(
        row,
        addresses_by=setter(by) if row.addresses else None,
        quota_by=setter(by) if row.daily_quota is not None else None,
    )


def _set_by(
    row: ClientRow, old: ClientRow, by: Actor, may: Callable[[str | None], bool]
) -> ClientRow:
    """Remember who set which limit. Raises: Forbidden when one of a superior would be lifted."""
    who = {"addresses": old.addresses_by, "quota": old.quota_by}
    lifted = {
        "addresses": _has_more_addresses(row, old),
        "quota": _has_more_quota(row, old),
    }
    for name, one in who.items():
        if lifted[name] and not may(one):
            raise Forbidden(f"a superior set this client's {name}: nobody below lifts it")
    changed = {
        "addresses": row.addresses != old.addresses,
        "quota": row.daily_quota != old.daily_quota,
    }
    now = {name: setter(by) if changed[name] and may(one) else one for name, one in who.items()}
    return replace(row, addresses_by=now["addresses"], quota_by=now["quota"])


def _is_looser(row: ClientRow, bound: ClientRow) -> bool:
    return _has_more_addresses(row, bound) or _has_more_quota(row, bound)


def _has_more_quota(row: ClientRow, bound: ClientRow) -> bool:
    if bound.daily_quota is None:
        return False
    return row.daily_quota is None or row.daily_quota > bound.daily_quota


def _has_more_addresses(row: ClientRow, bound: ClientRow) -> bool:
    if not bound.addresses:
        return False
    known = [ipaddress.ip_network(one) for one in bound.addresses]
    wanted = [ipaddress.ip_network(one) for one in row.addresses]
    return not wanted or not all(any(_lies_in(one, net) for net in known) for one in wanted)


def _lies_in(one: _Network, other: _Network) -> bool:
    return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]  # of one version


def told_of(row: ClientRow) -> dict[str, Any]:
    """Say what the trail keeps of a client."""
    return {"client": row.id, "agency": row.agency, "scopes": sorted(row.allowed)}


def own_client(tx: Transaction, client_id: str, by: Actor) -> ClientRow:
    """Lock a client of an agency that somebody manages. Raises: NotFound, also for others'."""
    row = clients.lock(tx, client_id)
    if row is None or row.agency not in managed(tx, by):
        raise NotFound("there is no such client")
    return row


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
