"""The registry's own keys 密钥: opened when needed, made and certified; acts upon them are ``keys``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
    Snapshot,
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
)
from ecert.ledger.acting import Charter
from ecert.ledger.register import Roll
from ecert.model import Agency
from ecert.store import KeyRow, Store, keys

_REFRESH_SECONDS = 5.0
SIGNING = frozenset({Role.AGENCY, Role.STATUS, Role.REGISTRY})
ACTIVE, PENDING, RETIRED, COMPROMISED = "active", "pending", "retired", "compromised"


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key that was made and is yet to be registered; ``request`` for a certificate from outside."""

    row: KeyRow
    request: bytes | None = None


class KeyRing:
    """Opens the keys of one registry. Rows are in the store, private halves in the home's ``keys/``."""

    def __init__(self, store: Store, *, home: Path, unlock: Callable[[], bytes]) -> None:
        self._store, self.home, self._unlock = store, home, unlock
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

    def active_or_none(self, role: Role, agency: str | None = None) -> KeyRow | None:
        """Find the key that signs in a role, if there is one."""
        wanted = (role.value, agency, ACTIVE)
        fitting = (one for one in self.rows() if (one.role, one.agency, one.state) == wanted)
        return max(fitting, default=None, key=lambda one: (one.created_at, one.kid))

    def active(self, role: Role, agency: str | None = None) -> KeyRow:
        """Find the key that signs in a role. Raises: KeyUnavailable."""
        found = self.active_or_none(role, agency)
        if found is None:
            whose = f"agency {agency}" if agency else "registry"
            raise KeyUnavailable(f"the {whose} has no active {role.value} key")
        return found

    def signer(self, role: Role, agency: str | None = None) -> Signer:
        """Open the active key of a role. Raises: KeyUnavailable."""
        return self.open(self.active(role, agency))

    def signing_key(self, role: Role, agency: str | None = None) -> SigningKey:
        """Open the active key of a role with its chain. Raises: KeyUnavailable."""
        row = self.active(role, agency)
        if row.certificate is None:
            raise KeyUnavailable(f"the {role.value} key has no certificate yet")
        return SigningKey(self.open(row), (row.certificate, *row.chain))

    def agency_key(self, code: str) -> SigningKey:
        """Open an agency's signing key. Raises: KeyUnavailable."""
        return self.signing_key(Role.AGENCY, code)

    def registry_key(self) -> SigningKey:
        """Open the registry's own key. Raises: KeyUnavailable."""
        return self.signing_key(Role.REGISTRY)

    def key_of(self, rows: Iterable[KeyRow]) -> SigningKey:
        """Open the registry's own key among rows that are not stored yet."""
        row = next(one for one in rows if one.role == Role.REGISTRY)
        assert row.certificate is not None  # noqa: S101 - made with its certificate
        return SigningKey(self.open(row), (row.certificate, *row.chain))

    def status_key(self) -> SigningKey:
        """Open the key of the status lists. Raises: KeyUnavailable."""
        return self.signing_key(Role.STATUS)

    def log_signer(self) -> Signer:
        """Open the key of log and trail. Raises: KeyUnavailable."""
        return self.signer(Role.LOG)

    def open(self, row: KeyRow) -> Signer:
        """Open a key by its row. Raises: KeyUnavailable."""
        if row.kid not in self._signers:
            opened = open_signer(row.uri, unlock=self._unlock, root=self.home)
            if opened.kid != row.kid:
                raise KeyUnavailable("the key file does not hold the registered key")
            self._signers[row.kid] = opened
        return self._signers[row.kid]

    def make(self, suite: str) -> tuple[str, Signer]:
        """Make a private key in the home; give its address and its signer."""
        uri, signer = make_file(self.home / "keys", suite, self._unlock())
        self._signers[signer.kid] = signer
        return uri, signer

    def signs_under_root(self, agency: str) -> bool:
        """Tell whether an agency's signing key is certified by this registry's own root."""
        active, root = self.active_or_none(Role.AGENCY, agency), self.active_or_none(Role.ROOT)
        return active is not None and root is not None and active.anchor == root.certificate

    def jwks(self, agency: str | None = None) -> dict[str, Any]:
        """Give the public signing keys as a JWK set, retired ones included and marked."""
        shown = [
            _jwk(row)
            for row in self.rows()
            if row.role in SIGNING and row.state != PENDING
            if agency is None or row.agency == agency
        ]
        return {"keys": shown}

    def trusted(self, charter: Charter, roll: Roll, rows: Sequence[KeyRow]) -> TrustedRegistry:
        """Give what a verifier needs to believe this registry, of register and keys as they were read."""
        root = self.active(Role.ROOT).certificate
        if root is None:
            raise SignatureError("the root has no certificate")
        signing = [row for row in rows if row.role in SIGNING]
        return TrustedRegistry(
            base_url=charter.base,
            agencies={one.code: _trusted_agency(one, roll, signing) for one in roll.agencies},
            status_anchors=(root,),
            logs=(TrustedLog(str(log_key(charter.origin, self.log_signer()))),),
            retired={row.kid: instant(row.retired_at) for row in signing if row.retired_at},
            compromised={
                row.kid: Compromise(instant(row.compromised_since), row.compromised_log_size or 0)
                for row in signing
                if row.compromised_since is not None
            },
            as_of=Snapshot(roll.at, charter.origin, roll.size),
        )


class KeyMaker:
    """Makes keys and certifies them under the registry's root; to register them is an act."""

    def __init__(self, ring: KeyRing, charter: Charter, clock: Clock) -> None:
        self._ring, self._host, self._clock = ring, charter.host, clock

    def make_all(self, agency: Agency | None) -> list[MadeKey]:
        """Make the keys that every registry has: root, status, log, token; and the first agency's."""
        uri, signer = self._ring.make(ES256)
        certificate = make_root(signer, f"ecert root {self._host}", self._clock())
        root = self._row(uri, signer, Role.ROOT, certificate=certificate)
        made = [MadeKey(root), self.own(Role.STATUS, root), self.own(Role.REGISTRY, root)]
        made.append(MadeKey(self._row(*self._ring.make(EDDSA), Role.LOG)))
        made.append(self.own(Role.TOKEN))
        if agency is not None:
            made.append(self.certified(agency, root=root))
        return made

    def own(self, role: Role, root: KeyRow | None = None) -> MadeKey:
        """Make a key of the registry itself; its certificate names the host."""
        if role is Role.TOKEN:  # known by its kid alone, never in a trust file
            return MadeKey(self._row(*self._ring.make(ES256), role))
        return self._certified(role, name=self._host, code=f"HOST:{self._host}", root=root)

    def certified(self, agency: Agency, *, root: KeyRow | None = None) -> MadeKey:
        """Make a signing key for an agency and certify it under the registry's root."""
        return self._certified(
            Role.AGENCY, name=agency.name, code=agency.code, agency=agency.code, root=root
        )

    def next(self, agency: Agency) -> MadeKey:
        """Make an agency's next signing key: certified, and waiting for its day."""
        made = self.certified(agency)
        return MadeKey(replace(made.row, state=PENDING))

    def pending(self, agency: Agency, suite: str = ES256) -> MadeKey:
        """Make a key whose certificate another authority will issue, with the request (PEM)."""
        uri, signer = self._ring.make(suite)
        row = self._row(uri, signer, Role.AGENCY, agency=agency.code, state=PENDING)
        return MadeKey(row, make_request(signer, agency.name, agency.code))

    def for_agency(self, agency: Agency, *, brings_certificate: bool) -> MadeKey:
        """Make an agency's key: certified here, or one that waits for its own certificate."""
        return self.pending(agency) if brings_certificate else self.certified(agency)

    @contextmanager
    def unless_undone(self, made: MadeKey) -> Iterator[None]:
        """Destroy a key that was made when what follows fails: no row names it then."""
        try:
            yield
        except BaseException:
            destroy_file(made.row.uri, self._ring.home)
            raise

    def destroy(self, row: KeyRow) -> None:
        """Destroy the private half of a key that signs no longer."""
        destroy_file(row.uri, self._ring.home)

    def _certified(
        self,
        role: Role,
        *,
        name: str,
        code: str,
        agency: str | None = None,
        root: KeyRow | None = None,
    ) -> MadeKey:
        root = root or self._ring.active(Role.ROOT)
        if root.certificate is None:
            raise KeyUnavailable("the root has no certificate")
        uri, signer = self._ring.make(ES256)
        leaf = make_leaf(
            root.certificate,
            self._ring.open(root),
            signer.public_key,
            role=role,
            name=name,
            code=code,
            now=self._clock(),
        )
        row = self._row(uri, signer, role, agency=agency, certificate=leaf, anchor=root.certificate)
        return MadeKey(row)

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


def _trusted_agency(agency: Agency, roll: Roll, signing: list[KeyRow]) -> TrustedAgency:
    own = [row for row in signing if row.agency == agency.code and row.certificate is not None]
    anchors = tuple(dict.fromkeys(row.anchor for row in own if row.anchor is not None))
    leaves = [row.certificate for row in own if row.certificate is not None]
    between = [der for row in own for der in row.chain]
    return TrustedAgency(
        code=agency.code,
        name=agency.name,
        anchors=anchors,
        certificates=tuple(dict.fromkeys([*leaves, *between])),
        time_zone=agency.time_zone,
        names=roll.names(agency.code),
        may_issue=roll.rights(agency.code),
        closed_on=agency.closed_on,
    )


def check_replaceable(role: str) -> None:
    """Refuse to replace a key that others know by its key. Raises: InputError."""
    if role not in {*(one.value for one in SIGNING), Role.TOKEN.value}:
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
