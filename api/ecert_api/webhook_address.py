"""A webhook's address: looked up at each delivery, and never inside the network outside a trial."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import Any

import httpx


class InternalAddress(Exception):
    """A webhook's host leads into the registry's own network."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a webhook is told, by the address that its host has at this moment."""

    url: httpx.URL
    host: str
    extensions: dict[str, Any]


async def find_place(url: str, *, allows_internal: bool) -> Place:
    """Resolve a webhook's host now, and go where that leads: what is looked up once more could differ.

    A trial goes wherever it is told. Raises: InternalAddress unless every address is a public one;
    OSError.
    """
    asked = httpx.URL(url)
    named, host = asked.netloc.decode("ascii"), asked.host  # raises for a name that is none
    if allows_internal:
        return Place(asked, named, {})
    port = asked.port or (443 if asked.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(one[4][0]) for one in found]
    if not all(one.is_global for one in addresses):
        raise InternalAddress
    return Place(asked.copy_with(host=str(addresses[0])), named, {"sni_hostname": host})
