"""The registry's own keys: made, certified, opened when needed, rotated, retired."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from ecert._encoding import Clock, b64, instant
from ecert.errors import InputError, KeyUnavailable, SignatureError
from ecert.formats.note import log_key
from ecert.keys import (
    EDDSA,
    ES256,
    Compromise,
    PublicKey,
    Role,
    Signer,
    SigningKey,
    TrustedAgency,
    TrustedLog,
    TrustedRegistry,
    destroy_file,
    make_file,
    make_leaf,
    make_request,
    make_root,
    open_signer,
    public_jwk,
    suite_of,
    verify_chain,
)
from ecert.model import Agency
from ecert.store import KeyRow, Store, keys

_REFRESH_SECONDS = 5.0
_SIGNING = frozenset({Role.AGENCY, Role.STATUS, Role.REGISTRY})
ACTIVE, PENDING, RETIRED, COMPROMISED = "active", "pending", "retired", "compromised"


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key that was made and is yet to be registered; ``request`` for a certificate from outside."""

    row: KeyRow
    request: bytes | None = None


class KeyRing:
    """All keys of one registry. Rows are in the store, private halves in the home's ``keys/``."""

    def __init__(
        self, store: Store, *, home: Path, unlock: Callable[[], bytes], host: str, clock: Clock
    ) -> None:
        self._store, self._home, self._unlock = store, home, unlock
        self._host, self._clock = host, clock
        self._signers: dict[str, Signer] = {}
        self._rows: list[KeyRow] = []
        self._read_at = float("-inf")

    def rows(self) -> list[KeyRow]:
        """List all keys that ever were; other processes' changes show within seconds."""
        if time.monotonic() - self._read_at > _REFRESH_SECONDS:
            with self._store.reading() as reading:
                self._rows = keys.listed(reading)
            self._read_at = time.monotonic()
        return self._rows

    def forget(self) -> None:
        """Read the rows afresh next time, and drop what was opened."""
        self._read_at = float("-inf")
        self._signers.clear()

    # -- opening ---------------------------------------------------------------------------------

    def active(self, role: Role, agency: str | None = None) -> KeyRow:
        """Find the key that signs in a role. Raises: KeyUnavailable."""
        for row in reversed(self.rows()):
            if (row.role, row.agency, row.state) == (role.value, agency, ACTIVE):
                return row
        whose = f"agency {agency}" if agency else "registry"
        raise KeyUnavailable(f"the {whose} has no active {role.value} key")

    def signer(self, role: Role, agency: str | None = None) -> Signer:
        """Open the active key of a role. Raises: KeyUnavailable."""
        return self._open(self.active(role, agency))

    def registry_key(self) -> SigningKey:
        """Open the registry's own key; a home of an earlier version gets it now."""
        if self._active_or_none(Role.REGISTRY, None) is None:
            self.add(self._own(Role.REGISTRY))
        return self.signing_key(Role.REGISTRY)

    def signing_key(self, role: Role, agency: str | None = None) -> SigningKey:
        """Open the active key of a role with its chain. Raises: KeyUnavailable."""
        row = self.active(role, agency)
        if row.certificate is None:
            raise KeyUnavailable(f"the {role.value} key has no certificate yet")
        return SigningKey(self._open(row), (row.certificate, *row.chain))

    def _open(self, row: KeyRow) -> Signer:
        if row.kid not in self._signers:
            opened = open_signer(row.uri, unlock=self._unlock, root=self._home)
            if opened.kid != row.kid:
                raise KeyUnavailable("the key file does not hold the registered key")
            self._signers[row.kid] = opened
        return self._signers[row.kid]

    # -- making ------------------------------------------------------------------------------------

    def make_all(self, agency: Agency | None) -> list[MadeKey]:
        """Make the keys that every registry has: root, status, log, token; and the first agency's."""
        uri, signer = self._make_key(ES256)
        certificate = make_root(signer, f"ecert root {self._host}", self._clock())
        root = self._row(uri, signer, Role.ROOT, certificate=certificate)
        self._signers[root.kid] = signer
        made = [MadeKey(root), self._own(Role.STATUS, root), self._own(Role.REGISTRY, root)]
        made.append(MadeKey(self._row(*self._make_key(EDDSA), Role.LOG)))
        made.append(self._own(Role.TOKEN))
        if agency is not None:
            made.append(self.make_certified(agency, root=root))
        return made

    def _own(self, role: Role, root: KeyRow | None = None) -> MadeKey:
        """Make a key of the registry itself; its certificate names the host."""
        if role is Role.TOKEN:  # known by its kid alone, never in a trust file
            return MadeKey(self._row(*self._make_key(ES256), role))
        return self._certified(role, name=self._host, code=f"HOST:{self._host}", root=root)

    def make_certified(self, agency: Agency, *, root: KeyRow | None = None) -> MadeKey:
        """Make a signing key for an agency and certify it under the registry's root."""
        return self._certified(
            Role.AGENCY, name=agency.name, code=agency.code, agency=agency.code, root=root
        )

    def make_pending(self, agency: Agency, suite: str = ES256) -> MadeKey:
        """Make a key whose certificate another authority will issue, with the request (PEM)."""
        uri, signer = self._make_key(suite)
        row = self._row(uri, signer, Role.AGENCY, agency=agency.code, state=PENDING)
        return MadeKey(row, make_request(signer, agency.name, agency.code))

    def add(self, made: MadeKey) -> str:
        """Register a key that was made; give its kid."""
        self._store.write(lambda tx: keys.add(tx, made.row))
        self.forget()
        return made.row.kid

    def certify_pending(self, agency: Agency, pem: bytes) -> str:
        """Take the certificate of a pending key: leaf first, anchor last, PEM; give the kid.

        Raises: InputError when it does not fit the key, SignatureError when the chain is bad.
        """
        try:
            chain = [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(pem)]
        except ValueError as error:
            raise InputError("not PEM certificates") from error
        if len(chain) < 2:
            raise InputError("bring the leaf certificate and its chain up to the anchor")
        *path, anchor = chain
        now = self._clock()
        found = verify_chain(path, [anchor], role=Role.AGENCY, code=agency.code, at=now)
        row = next(
            (one for one in self.rows() if one.kid == found.kid and one.state == PENDING), None
        )
        if row is None or row.agency != agency.code:
            raise InputError("the certificate is not for a pending key of this agency")
        columns = {"certificate": path[0], "chain": b"".join(path[1:]), "anchor": anchor}
        self._store.write(lambda tx: keys.put(tx, row.kid, state=ACTIVE, **columns))
        self.forget()
        return row.kid

    def _certified(
        self,
        role: Role,
        *,
        name: str,
        code: str,
        agency: str | None = None,
        root: KeyRow | None = None,
    ) -> MadeKey:
        root = root or self.active(Role.ROOT)
        if root.certificate is None:
            raise KeyUnavailable("the root has no certificate")
        uri, signer = self._make_key(ES256)
        leaf = make_leaf(
            root.certificate,
            self._open(root),
            signer.public_key,
            role=role,
            name=name,
            code=code,
            now=self._clock(),
        )
        row = self._row(uri, signer, role, agency=agency, certificate=leaf, anchor=root.certificate)
        return MadeKey(row)

    def _make_key(self, suite: str) -> tuple[str, Signer]:
        return make_file(self._home / "keys", suite, self._unlock())

    def _row(
        self,
        uri: str,
        signer: Signer,
        role: Role,
        *,
        agency: str | None = None,
        certificate: bytes | None = None,
        anchor: bytes | None = None,
        state: str = ACTIVE,
    ) -> KeyRow:
        return KeyRow(
            kid=signer.kid,
            role=role.value,
            agency=agency,
            uri=uri,
            public=signer.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            certificate=certificate,
            chain=(),
            anchor=anchor,
            state=state,
            created_at=int(self._clock().timestamp()),
            retired_at=None,
            compromised_since=None,
            compromised_log_size=None,
        )

    # -- retiring ------------------------------------------------------------------------------------

    def rotate(self, role: Role, agency: Agency | None) -> tuple[str, str | None]:
        """Make a new key in a role and retire the old one; give (new kid, old kid or None)."""
        _check_replaceable(role.value)
        code = agency.code if agency else None
        old = self._active_or_none(role, code)
        if old is not None and old.anchor not in {None, self.active(Role.ROOT).certificate}:
            raise InputError(
                "this agency brings its own certificate: make the next key with keys new --csr"
            )
        kid = self.add(self._own(role) if agency is None else self.make_certified(agency))
        if old is not None:
            self.retire(old.kid)
        return kid, None if old is None else old.kid

    def _active_or_none(self, role: Role, agency: str | None) -> KeyRow | None:
        try:
            return self.active(role, agency)
        except KeyUnavailable:
            return None

    def retire(self, kid: str) -> None:
        """Retire a key: its private half is destroyed, what it signed until now stays good.

        Raises: InputError for a key that others know by its key, or that no longer signs.
        """
        row = self.find(kid)
        _check_replaceable(row.role)
        if row.state not in {ACTIVE, PENDING}:
            raise InputError(f"the key is {row.state} already")
        at = int(self._clock().timestamp()) + 1  # what was signed within this second is before
        self._store.write(lambda tx: keys.put(tx, row.kid, state=RETIRED, retired_at=at))
        destroy_file(row.uri, self._home)
        self.forget()

    def compromise(self, kid: str, since: datetime, log_size: int) -> None:
        """Mark a key as being in wrong hands: only what the log held before still passes.

        Said twice, the earlier moment counts: a mark is never loosened. Raises: InputError.
        """
        row = self.find(kid)
        _check_replaceable(row.role)
        if since > self._clock():
            raise InputError("the moment lies in the future")
        moment = int(since.timestamp())
        if row.compromised_since is not None:
            moment = min(moment, row.compromised_since)
            log_size = min(log_size, row.compromised_log_size or 0)
        columns = {"compromised_since": moment, "compromised_log_size": log_size}
        self._store.write(lambda tx: keys.put(tx, row.kid, state=COMPROMISED, **columns))
        destroy_file(row.uri, self._home)
        self.forget()

    def find(self, kid: str) -> KeyRow:
        """Find a key by its name, or by an unambiguous beginning of it. Raises: InputError."""
        found = [row for row in self.rows() if row.kid.startswith(kid)] if kid else []
        if len(found) != 1:
            raise InputError("no key has this name, or more than one begins so")
        return found[0]

    # -- showing --------------------------------------------------------------------------------------

    def log_vkey(self, origin: str) -> str:
        """Give the log's verification key (C2SP)."""
        return str(log_key(origin, self.signer(Role.LOG)))

    def jwks(self, agency: str | None = None) -> dict[str, Any]:
        """Give the public signing keys as a JWK set, retired ones included and marked."""
        shown = [
            _jwk(row)
            for row in self.rows()
            if row.role in _SIGNING and row.state != PENDING
            if agency is None or row.agency == agency
        ]
        return {"keys": shown}

    def trusted(self, base: str, origin: str, agencies: list[Agency]) -> TrustedRegistry:
        """Give what a verifier needs to believe this registry."""
        root = self.active(Role.ROOT).certificate
        if root is None:
            raise SignatureError("the root has no certificate")
        signing = [row for row in self.rows() if row.role in _SIGNING]
        return TrustedRegistry(
            base_url=base,
            agencies={one.code: self._trusted_agency(one, signing) for one in agencies},
            status_anchors=(root,),
            logs=(TrustedLog(self.log_vkey(origin)),),
            retired={row.kid: instant(row.retired_at) for row in signing if row.retired_at},
            compromised={
                row.kid: Compromise(instant(row.compromised_since), row.compromised_log_size or 0)
                for row in signing
                if row.compromised_since is not None
            },
        )

    def _trusted_agency(self, agency: Agency, signing: list[KeyRow]) -> TrustedAgency:
        own = [row for row in signing if row.agency == agency.code and row.certificate is not None]
        anchors = tuple(dict.fromkeys(row.anchor for row in own if row.anchor is not None))
        leaves = [row.certificate for row in own if row.certificate is not None]
        between = [der for row in own for der in row.chain]
        listed = tuple(dict.fromkeys([*leaves, *between]))
        return TrustedAgency(agency.code, agency.name, anchors, listed, agency.time_zone)


def _check_replaceable(role: str) -> None:
    if role not in {*(one.value for one in _SIGNING), Role.TOKEN.value}:
        raise InputError(f"a {role} key cannot be replaced: others know it by its key")


def public_key_of(row: KeyRow) -> PublicKey:
    """Give the public key of a row."""
    key = load_der_public_key(row.public)
    suite_of(key)
    return key  # type: ignore[return-value]  # suite_of refused every other kind


def _jwk(row: KeyRow) -> dict[str, Any]:
    key = public_key_of(row)
    shown: dict[str, Any] = {
        **public_jwk(key),
        "kid": row.kid,
        "alg": suite_of(key),
        "use": "sig",
        "role": row.role,
        "agency": row.agency,
        "state": row.state,
    }
    if row.certificate is not None:
        shown["x5c"] = [b64(der) for der in (row.certificate, *row.chain)]
    return shown
