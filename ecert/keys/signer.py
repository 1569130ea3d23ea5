"""A signer signs and shows its public half; nothing can make it give the private half away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ecert.errors import KeyUnavailable
from ecert.keys.file import open_file
from ecert.keys.suite import PublicKey

Unlock = Callable[[], bytes]


class Signer(Protocol):
    """What every key device offers: a file, later a PKCS#11 token or a remote service."""

    @property
    def suite(self) -> str:
        """``ES256`` or ``EdDSA``."""

    @property
    def public_key(self) -> PublicKey:
        """The public half."""

    @property
    def kid(self) -> str:
        """The key's name: its RFC 7638 thumbprint."""

    def sign(self, data: bytes) -> bytes:
        """Sign data; 64 bytes, for ES256 the raw r and s. Raises: KeyUnavailable."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A signer with its certificate chain (DER, leaf first, without the anchor)."""

    signer: Signer
    chain: tuple[bytes, ...]


# One row a kind of device: URI scheme -> opener. A new device is one file and one row.
OPENERS: dict[str, Callable[[str, Path, Unlock], Signer]] = {"file": open_file}


def open_signer(uri: str, *, unlock: Unlock, root: Path | None = None) -> Signer:
    """Open a key by its URI, for example ``file:keys/x.pk8``.

    ``unlock`` gives the 32 bytes that the key is encrypted under, asked for only when needed;
    relative paths start at ``root``. Raises: KeyUnavailable.
    """
    scheme, _, rest = uri.partition(":")
    if scheme not in OPENERS:
        known = ", ".join(sorted(OPENERS))
        raise KeyUnavailable(f"no key device for {scheme!r}; known schemes: {known}")
    return OPENERS[scheme](rest, root or Path.cwd(), unlock)
