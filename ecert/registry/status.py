"""Signs the registry's status lists, as fresh as the store, and serves them as a status source."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ecert.errors import EcertError, NotFound
from ecert.formats.status_list import PARTS, TTL, details_uri, sign_details, sign_list
from ecert.keys import SigningKey
from ecert.ledger.acting import Desk
from ecert.store import Reading, status_lists

_ADDRESS = re.compile(r"/status/(0|[1-9][0-9]{0,8})(?:/details/(0|[1-9][0-9]?))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Kept:
    token: str
    fingerprint: tuple[int, int, int]
    signed_at: float


class StatusLists:
    """Makes status tokens: a change shows at once, and an unchanged list is signed twice a minute."""

    def __init__(
        self,
        desk: Desk,
        key: Callable[[], SigningKey],
        require_newest: Callable[[Reading], None],
    ) -> None:
        self._store, self._base, self._clock = desk.store, desk.base, desk.clock
        self._key, self._require_newest = key, require_newest
        self._kept: dict[str, _Kept] = {}

    def status_token(self, uri: str) -> str | None:
        """Give the list or the details at an address of this registry; None for another address."""
        found = _ADDRESS.fullmatch(uri.removeprefix(self._base))
        if found is None or not uri.startswith(self._base):
            return None
        try:
            return self.token(int(found[1]), part=None if found[2] is None else int(found[2]))
        except EcertError:  # no such list, or its key cannot be opened
            return None

    def token(self, number: int, *, part: int | None = None) -> str:
        """Give a signed list, or a part (0 to 15) of its details.

        Raises: NotFound; ReadOnly, ForkGuard where this is not the registry's newest database.
        """
        uri = f"{self._base}/status/{number}"
        if part is not None:
            uri = details_uri(uri, part)
        now = self._clock().timestamp()
        with self._store.reading() as reading:
            self._require_newest(reading)
            fingerprint = status_lists.fingerprint(reading, number)
            kept = self._kept.get(uri)
            is_fresh = kept is not None and 0 <= now - kept.signed_at < TTL / 2
            if kept is not None and is_fresh and kept.fingerprint == fingerprint:
                return kept.token
            if number not in status_lists.numbers(reading) or (part or 0) >= PARTS:
                raise NotFound("there is no such status list")
            token = self._signed(reading, uri, number, part, int(now))
        self._kept[uri] = _Kept(token, fingerprint, now)
        return token

    def _signed(self, reading: Reading, uri: str, number: int, part: int | None, now: int) -> str:
        key, warned = self._key(), status_lists.warned(reading, number, part)
        if part is None:
            values = status_lists.values(reading, number)
            return sign_list(uri, values, key.signer, chain=key.chain, now=now, warned=warned)
        details = status_lists.details(reading, number, part)
        return sign_details(uri, details, key.signer, chain=key.chain, now=now, warned=warned)
