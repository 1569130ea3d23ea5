"""Fresh status over HTTP, for verifiers away from the registry.

Only addresses below a ``base_url`` of the trust file are ever fetched, without redirects, bounded in
size and time (design §5).
"""

from types import TracebackType
from typing import Self

import httpx

from ecert.formats.status_list import MAX_LIST_BYTES
from ecert.keys import Trust

TIMEOUT_SECONDS = 5.0


class HttpStatus:
    """A status source that fetches signed status lists from the registries of a trust file."""

    def __init__(self, trust: Trust, *, transport: httpx.BaseTransport | None = None) -> None:
        self._trust = trust
        self._client = httpx.Client(
            timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False, transport=transport
        )

    def status_token(self, uri: str) -> str | None:
        """Fetch the list or the details at an address; None when it cannot be had or trusted."""
        if self._trust.of_address(uri) is None:
            return None
        try:
            with self._client.stream("GET", uri) as answer:
                if answer.status_code != httpx.codes.OK:
                    return None
                return _bounded(answer)
        except (httpx.HTTPError, UnicodeDecodeError, ValueError):
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()


def _bounded(answer: httpx.Response) -> str | None:
    data = bytearray()
    for chunk in answer.iter_bytes():
        data += chunk
        if len(data) > MAX_LIST_BYTES:
            return None
    return data.decode("ascii").strip()
