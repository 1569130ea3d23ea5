"""Signs the registry's status lists, as fresh as the store, and serves them as a status source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ecert._encoding import Clock
from ecert.errors import NotFound
from ecert.keys import SigningKey
from ecert.status import TTL, sign_details, sign_list
from ecert.store import Store


@dataclass(frozen=True, slots=True)
class _Kept:
    token: str
    fingerprint: tuple[int, int]
    signed_at: float


class StatusDesk:
    """Makes status tokens: a change shows at once, and an unchanged list is signed twice a minute."""

    def __init__(
        self, store: Store, *, base: str, key: Callable[[], SigningKey], clock: Clock
    ) -> None:
        self._store, self._base, self._key, self._clock = store, base, key, clock
        self._kept: dict[str, _Kept] = {}

    def status_token(self, uri: str) -> str | None:
        """Give the list or the details at an address of this registry; None for another address."""
        number, _, tail = uri.removeprefix(f"{self._base}/status/").partition("/")
        if not uri.startswith(f"{self._base}/status/") or not number.isdecimal():
            return None
        try:
            return self.token(int(number), is_details=tail == "details")
        except NotFound:
            return None

    def token(self, number: int, *, is_details: bool) -> str:
        """Give a signed list, or its details. Raises: NotFound."""
        uri = f"{self._base}/status/{number}" + ("/details" if is_details else "")
        now = self._clock().timestamp()
        with self._store.reading() as reading:
            fingerprint = reading.status_fingerprint(number)
            kept = self._kept.get(uri)
            is_fresh = kept is not None and 0 <= now - kept.signed_at < TTL / 2
            if kept is not None and is_fresh and kept.fingerprint == fingerprint:
                return kept.token
            if number not in reading.status_lists():
                raise NotFound("there is no such status list")
            key = self._key()
            if is_details:
                details = reading.status_details(number)
                token = sign_details(uri, details, key.signer, chain=key.chain, now=int(now))
            else:
                values = reading.status_values(number)
                token = sign_list(uri, values, key.signer, chain=key.chain, now=int(now))
        self._kept[uri] = _Kept(token, fingerprint, now)
        return token
