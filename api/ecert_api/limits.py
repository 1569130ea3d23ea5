"""How often one address may ask: a bounded memory of when each may ask again."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_ADDRESSES = 20_000
_IPV6_NETWORK = 64  # bits: what one subscriber gets


class RateLimit:
    """So many requests a minute from one address, some of them at once (GCRA).

    Each process counts for itself. ``per_minute`` 0 sets no limit.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 60 / per_minute if per_minute else 0.0
        self._burst = 30.0  # seconds' worth that may come at once
        self._clock = clock
        self._next: dict[str, float] = {}

    def wait(self, address: str) -> int:
        """Count one request; give 0, or the seconds to wait when it comes too soon."""
        if not self._interval:
            return 0
        now = self._clock()
        due = max(now, self._next.get(address, now))
        if due - now > self._burst:
            return math.ceil(due - now - self._burst)
        if len(self._next) >= MAX_ADDRESSES:
            self._forget(now)
        self._next[address] = due + self._interval
        return 0

    def _forget(self, now: float) -> None:
        """Drop the addresses that owe nothing; under a flood of others, all of them."""
        self._next = {one: due for one, due in self._next.items() if due > now}
        if len(self._next) >= MAX_ADDRESSES:
            self._next.clear()

    def check(self, request: Request) -> None:
        """Count a request by its caller's address. Raises: 429 with Retry-After."""
        seconds = self.wait(address_of(request))
        if seconds:
            detail = "too many requests from this address"
            raise HTTPException(429, detail, {"Retry-After": str(seconds)})


def address_of(request: Request) -> str:
    """Give the caller's address; of IPv6 only the network that one subscriber has."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))
