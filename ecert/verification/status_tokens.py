"""Status lists and details as a verifier meets them: fetched, checked once, remembered by their text."""

from __future__ import annotations

from typing import Protocol

from ecert.formats.status_list import SignedDetails, SignedList, verify_details, verify_list
from ecert.keys import TrustedRegistry
from ecert.verification.exhibit import Exhibit

_MAX_KEPT = 64


class StatusSource(Protocol):
    """Where fresh status comes from: HTTP, a file, or one's own store."""

    def status_token(self, uri: str) -> str | None:
        """Give the signed list or details at an address; None when it cannot be had."""


class StatusTokens:
    """Gives status tokens that were checked; ``source`` None is offline."""

    def __init__(self, source: StatusSource | None) -> None:
        self._source = source
        self._kept: dict[str, SignedList | SignedDetails] = {}

    @property
    def is_online(self) -> bool:
        """Tell whether there is a source of fresh status."""
        return self._source is not None

    def token(self, uri: str, exhibit: Exhibit) -> str | None:
        """Find a token: a fresh one, else what the exhibit brought as offline evidence."""
        fresh = self._fetched(uri)
        return exhibit.lists.get(uri) if fresh is None else fresh

    def checked_list(self, token: str, uri: str, registry: TrustedRegistry) -> SignedList:
        """Check a status list. Raises: SignatureError, TokenError, InputError."""
        kept = self._kept.get(token)
        if not isinstance(kept, SignedList) or kept.uri != uri:
            kept = verify_list(token, uri=uri, registry=registry)
            self._keep(token, kept)
        return kept

    def checked_details(self, token: str, uri: str, registry: TrustedRegistry) -> SignedDetails:
        """Check a details token. Raises: SignatureError, TokenError, InputError."""
        kept = self._kept.get(token)
        if not isinstance(kept, SignedDetails) or kept.uri != uri:
            kept = verify_details(token, uri=uri, registry=registry)
            self._keep(token, kept)
        return kept

    def _fetched(self, uri: str) -> str | None:
        if self._source is None:
            return None
        try:
            return self._source.status_token(uri)
        except Exception:  # noqa: BLE001 - somebody else's code: if it fails, nothing was checked
            return None

    def _keep(self, token: str, checked: SignedList | SignedDetails) -> None:
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[token] = checked
