"""Keys in files: PKCS#8, encrypted under the home's 32 random bytes, mode 0600."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ecert.errors import KeyUnavailable
from ecert.keys.suite import EDDSA, ES256, PublicKey, suite_of, thumbprint

_ECDSA = ec.ECDSA(hashes.SHA256())
_PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class FileSigner:
    """A signer whose key was read from a file. It can be neither printed, copied nor pickled."""

    __slots__ = ("_sign", "kid", "public_key", "suite")

    def __init__(self, key: _PrivateKey) -> None:
        self.public_key: PublicKey = key.public_key()
        self.suite = suite_of(self.public_key)
        self.kid = thumbprint(self.public_key)
        self._sign = _signing(key)

    def sign(self, data: bytes) -> bytes:
        """Sign data; 64 bytes."""
        return self._sign(data)

    def __repr__(self) -> str:
        return f"<FileSigner {self.suite} {self.kid}>"

    def __reduce__(self) -> NoReturn:
        raise KeyUnavailable("a signer cannot be exported")

    def __copy__(self) -> NoReturn:
        raise KeyUnavailable("a signer cannot be exported")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise KeyUnavailable("a signer cannot be exported")


def _signing(key: _PrivateKey) -> Callable[[bytes], bytes]:
    """Close over the key, so that no attribute of the signer holds it."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, _ECDSA))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def make_signer(suite: str = ES256) -> FileSigner:
    """Make a key that lives only in memory: for tests and throw-away use."""
    return FileSigner(_generate(suite))


def _generate(suite: str) -> _PrivateKey:
    if suite == EDDSA:
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def make_file(folder: Path, suite: str, secret: bytes) -> tuple[str, FileSigner]:
    """Make a key, write it encrypted and durable as ``<kid>.pk8``, and give its URI and signer."""
    key = _generate(suite)
    signer = FileSigner(key)
    data = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(secret.hex().encode()),
    )
    write_private(folder / f"{signer.kid}.pk8", data)
    return f"file:{folder.name}/{signer.kid}.pk8", signer


def write_private(path: Path, data: bytes) -> None:
    """Write a file only its owner may read (0600), once, flushed to disk.

    Raises: KeyUnavailable when the file exists already.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise KeyUnavailable(f"{path.name} exists already and is never overwritten") from error
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def check_private(path: Path) -> None:
    """Refuse a secret file that others may read. Raises: KeyUnavailable."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise KeyUnavailable(f"{path.name} is not there") from error
    if os.name == "posix" and mode & 0o077:
        raise KeyUnavailable(f"{path.name} may be read by others; run: chmod 600 {path.name}")


def open_file(path: str, root: Path, unlock: Callable[[], bytes]) -> FileSigner:
    """Open ``file:<path>``, relative to ``root``. Raises: KeyUnavailable, never quoting a secret."""
    place = root / path
    check_private(place)
    try:
        key = serialization.load_pem_private_key(place.read_bytes(), unlock().hex().encode())
    except (ValueError, TypeError) as error:
        message = f"{place.name} cannot be opened: wrong passphrase, or damaged"
        raise KeyUnavailable(message) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise KeyUnavailable(f"{place.name} holds a key of an unsupported kind")
    return FileSigner(key)


def destroy_file(uri: str, root: Path) -> None:
    """Destroy a private key: overwrite the file, then remove it (retirement)."""
    place = root / uri.removeprefix("file:")
    if not place.is_file():
        return
    with place.open("r+b") as file:
        file.write(os.urandom(place.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    place.unlink()
