"""The home's secret: 32 random bytes that all private keys are encrypted under.

A human passphrase never encrypts a key itself; it only unwraps the 32 bytes (scrypt, AES-GCM).
Without one the bytes lie beside the keys, which protects against a copied ``keys/`` folder and
against nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ecert._encoding import Randomness, b64url, parse_b64url
from ecert.errors import InputError, KeyUnavailable
from ecert.keys.file import check_private, write_private

PLAIN = "passphrase"
WRAPPED = "keys/secret.json"
VARIABLE, FILE_VARIABLE = "ECERT_PASSPHRASE", "ECERT_PASSPHRASE_FILE"
_COST = {"n": 1 << 16, "r": 8, "p": 1}
_ASSOCIATED = b"ecert secret v1"

AskPassphrase = Callable[[], str]


def passphrase_from(environment: Mapping[str, str]) -> AskPassphrase | None:
    """Find the operator's passphrase in the environment, or in the file it names; None without."""
    if VARIABLE in environment:
        return lambda: environment[VARIABLE]
    if FILE_VARIABLE in environment:
        return lambda: _read_passphrase(Path(environment[FILE_VARIABLE]))
    return None


def _read_passphrase(path: Path) -> str:
    check_private(path)
    try:
        return path.read_text("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise KeyUnavailable("the passphrase file is not UTF-8") from None  # it quotes the bytes


def make_secret(
    home: Path, ask: AskPassphrase | None, randomness: Randomness = os.urandom
) -> bytes:
    """Make the home's secret and store it, wrapped if there is a passphrase; return it."""
    secret = randomness(32)
    if ask is None:
        write_private(home / PLAIN, secret.hex().encode() + b"\n")
    else:
        write_private(home / WRAPPED, _wrap(secret, ask(), randomness))
    return secret


def open_secret(home: Path, ask: AskPassphrase | None) -> bytes:
    """Read the home's secret.

    Raises: KeyUnavailable when it is missing, readable by others, or the passphrase is wrong.
    """
    if (home / PLAIN).is_file():
        if ask is not None:  # the operator would believe that it protects something
            raise KeyUnavailable("a passphrase is configured, but this home was made without one")
        check_private(home / PLAIN)
        return _parse_plain((home / PLAIN).read_bytes())
    if not (home / WRAPPED).is_file():
        raise KeyUnavailable("the home has neither a passphrase file nor a wrapped secret")
    if ask is None:
        raise KeyUnavailable(f"the keys need a passphrase: set {VARIABLE} or {FILE_VARIABLE}")
    check_private(home / WRAPPED)
    return _unwrap((home / WRAPPED).read_bytes(), ask())


def _parse_plain(data: bytes) -> bytes:
    try:
        secret = bytes.fromhex(data.decode("ascii").strip())
    except ValueError as error:
        raise KeyUnavailable("the passphrase file is damaged") from error
    if len(secret) != 32:
        raise KeyUnavailable("the passphrase file is damaged")
    return secret


def _wrap(secret: bytes, passphrase: str, randomness: Randomness) -> bytes:
    salt, nonce = randomness(16), randomness(12)
    box = AESGCM(_stretch(passphrase, salt, **_COST)).encrypt(nonce, secret, _ASSOCIATED)
    parts = {"salt": b64url(salt), "nonce": b64url(nonce), "box": b64url(box)}
    return orjson.dumps({"v": 1, "kdf": "scrypt", **_COST, **parts})


def _unwrap(data: bytes, passphrase: str) -> bytes:
    try:
        parts = orjson.loads(data)
        salt, nonce, box = (parse_b64url(parts[name]) for name in ("salt", "nonce", "box"))
        key = _stretch(passphrase, salt, n=parts["n"], r=parts["r"], p=parts["p"])
        return AESGCM(key).decrypt(nonce, box, _ASSOCIATED)
    except InvalidTag as error:
        raise KeyUnavailable("the passphrase is wrong") from error
    except (ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        raise KeyUnavailable("the wrapped secret is damaged") from error


def _stretch(passphrase: str, salt: bytes, *, n: int, r: int, p: int) -> bytes:
    if not passphrase:
        raise KeyUnavailable("the passphrase is empty")
    return Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase.encode("utf-8"))


def derive(secret: bytes, purpose: str) -> bytes:
    """Derive a 32-byte key for one purpose (HKDF-SHA256, RFC 5869): holder index, status index."""
    return HKDF(hashes.SHA256(), 32, None, b"ecert/" + purpose.encode()).derive(secret)
