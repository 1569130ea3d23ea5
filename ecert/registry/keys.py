"""Acts upon keys 密钥: new, certified, rotated, retired, compromised; each with its row of the trail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ecert.errors import InputError
from ecert.keys import Role, verify_chain
from ecert.ledger.access import pick
from ecert.ledger.acting import Desk, Verbs, needs
from ecert.ledger.log import size_before
from ecert.ledger.trail import AuditEntry
from ecert.model import Actor, Agency
from ecert.registry.keyring import (
    ACTIVE,
    COMPROMISED,
    PENDING,
    RETIRED,
    KeyMaker,
    KeyRing,
    MadeKey,
    check_replaceable,
)
from ecert.store import KeyRow, Transaction, agencies, keys


class Keys(Verbs):
    """Makes, certifies, rotates and retires keys. Row and trail are one transaction.

    A private half is destroyed after the commit that says so, and what was left by a crash at the
    next opening.
    """

    def __init__(self, desk: Desk, ring: KeyRing, maker: KeyMaker) -> None:
        super().__init__(desk)
        self.ring, self._maker = ring, maker

    def all(self) -> list[KeyRow]:
        """List all keys that ever were: public halves, and how they stand."""
        return self.ring.rows()

    def find(self, kid: str) -> KeyRow:
        """Find a key by its name, or by an unambiguous beginning of it. Raises: InputError."""
        return _named(self.ring.rows(), kid)

    def jwks(self, agency: str | None = None) -> dict[str, Any]:
        """Give the public signing keys as a JWK set, retired ones included and marked."""
        return self.ring.jwks(agency)

    @needs(None)
    def new(self, agency: str, *, by: Actor, brings_certificate: bool = False) -> MadeKey:
        """Make a further signing key for an agency, or one that waits for its certificate.

        Raises: NotFound, KeyUnavailable.
        """
        entry = AuditEntry("key.new", by)
        with self.desk.audited(entry):
            found = self._agency(agency)
            made = self._maker.for_agency(found, brings_certificate=brings_certificate)
        with self._maker.unless_undone(made):
            self.desk.act(
                entry,
                lambda tx, _now: keys.add(tx, made.row),
                lambda _done: {"kid": made.row.kid, "agency": found.code},
            )
        self.ring.forget()
        return made

    @needs(None)
    def certify(self, agency: str, pem: bytes, *, by: Actor) -> str:
        """Take the certificate of an agency's pending key: leaf first, anchor last, PEM; give the kid.

        Raises: NotFound, InputError when it does not fit the key, SignatureError when the chain is bad.
        """

        def work(tx: Transaction, now: datetime) -> str:
            code = pick(agencies.listed(tx), agency).code
            *path, anchor = _chain(pem)
            found = verify_chain(path, [anchor], role=Role.AGENCY, code=code, at=now)
            rows = (one for one in keys.lock(tx, Role.AGENCY, code) if one.state == PENDING)
            row = next((one for one in rows if one.kid == found.kid), None)
            if row is None:
                raise InputError("the certificate is not for a pending key of this agency")
            columns = {"certificate": path[0], "chain": b"".join(path[1:]), "anchor": anchor}
            keys.put(tx, row.kid, state=ACTIVE, **columns)
            return row.kid

        entry = AuditEntry("key.certify", by)
        kid = self.desk.act(entry, work, lambda kid: {"kid": kid, "agency": agency})
        self.ring.forget()
        return kid

    @needs(None)
    def rotate(self, role: Role, agency: str | None, *, by: Actor) -> tuple[str, str | None]:
        """Make a new key in a role and retire the old one; give (new kid, old kid or None).

        However many keys of the role and agency were active, the new one alone is afterwards.
        Raises: InputError, NotFound, KeyUnavailable.
        """
        entry = AuditEntry("key.rotate", by)
        with self.desk.audited(entry):
            check_replaceable(role.value)
            found = self._agency(agency) if role is Role.AGENCY else None
            made = self._maker.own(role) if found is None else self._maker.certified(found)

        def work(tx: Transaction, now: datetime) -> list[KeyRow]:
            rows = keys.lock(tx, role, None if found is None else found.code)
            old = [one for one in rows if one.state == ACTIVE]
            self._check_ours(old)
            keys.add(tx, made.row)
            for one in old:
                keys.put(tx, one.kid, state=RETIRED, retired_at=_end_of(now))
            return old

        with self._maker.unless_undone(made):
            old = self.desk.act(entry, work, lambda old: {"new": made.row.kid, "old": _last(old)})
        self._end(old)
        return made.row.kid, _last(old)

    def _check_ours(self, old: Sequence[KeyRow]) -> None:
        root = self.ring.active(Role.ROOT).certificate
        if any(one.anchor not in {None, root} for one in old):
            raise InputError(
                "this agency brings its own certificate: make the next key with keys new --csr"
            )

    @needs(None)
    def retire(self, kid: str, *, by: Actor) -> KeyRow:
        """Retire a key: its private half is destroyed, what it signed until now stays good.

        Raises: InputError for a key that others know by its key, or that no longer signs.
        """

        def work(tx: Transaction, now: datetime) -> KeyRow:
            row = _locked(tx, kid)
            if row.state not in {ACTIVE, PENDING}:
                raise InputError(f"the key is {row.state} already")
            keys.put(tx, row.kid, state=RETIRED, retired_at=_end_of(now))
            return row

        row = self.desk.act(AuditEntry("key.retire", by), work, lambda row: {"kid": row.kid})
        self._end([row])
        return self.find(row.kid)

    @needs(None)
    def compromise(self, kid: str, since: datetime, *, by: Actor) -> KeyRow:
        """Mark a key as being in wrong hands since a moment; entries logged before stay provable.

        Said twice, the earlier moment counts: a mark is never loosened. Raises: InputError.
        """

        def work(tx: Transaction, now: datetime) -> KeyRow:
            row = _locked(tx, kid)
            if since > now:
                raise InputError("the moment lies in the future")
            moment, size = int(since.timestamp()), size_before(tx, since)
            if row.compromised_since is not None:
                moment = min(moment, row.compromised_since)
                size = min(size, row.compromised_log_size or 0)
            columns = {"compromised_since": moment, "compromised_log_size": size}
            keys.put(tx, row.kid, state=COMPROMISED, **columns)
            return row

        entry = AuditEntry("key.compromise", by)
        row = self.desk.act(entry, work, lambda row: {"kid": row.kid})
        self._end([row])
        return self.find(row.kid)

    @needs(None)
    def complete(self, *, by: Actor) -> None:
        """Finish what was begun: a key that an older home lacks, and private halves left by a crash."""
        for row in self.ring.rows():
            if row.state in {RETIRED, COMPROMISED}:
                self._maker.destroy(row)
        if self.ring.active_or_none(Role.REGISTRY) is None:
            self._make_missing(Role.REGISTRY, by)

    def _make_missing(self, role: Role, by: Actor) -> None:
        made = self._maker.own(role)

        def work(tx: Transaction, _now: datetime) -> None:
            keys.add(tx, made.row)

        with self._maker.unless_undone(made):
            entry = AuditEntry("key.new", by, details={"kid": made.row.kid, "role": role.value})
            self.desk.act(entry, work)
        self.ring.forget()

    def _agency(self, code: str | None) -> Agency:
        with self.desk.store.reading() as reading:
            return pick(agencies.listed(reading), code)

    def _end(self, old: Sequence[KeyRow]) -> None:
        for one in old:
            self._maker.destroy(one)
        self.ring.forget()


def _named(rows: Sequence[KeyRow], kid: str) -> KeyRow:
    found = [row for row in rows if row.kid.startswith(kid)] if kid else []
    if len(found) != 1:
        raise InputError("no key has this name, or more than one begins so")
    return found[0]


def _locked(tx: Transaction, kid: str) -> KeyRow:
    """Lock the keys of a key's role and agency, and give it. Raises: InputError."""
    named = _named(keys.listed(tx), kid)
    check_replaceable(named.role)
    rows = keys.lock(tx, Role(named.role), named.agency)
    return next(one for one in rows if one.kid == named.kid)


def _chain(pem: bytes) -> list[bytes]:
    try:
        chain = [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(pem)]
    except ValueError as error:
        raise InputError("not PEM certificates") from error
    if len(chain) < 2:
        raise InputError("bring the leaf certificate and its chain up to the anchor")
    return chain


def _end_of(now: datetime) -> int:
    """Give the moment of a retirement: what was signed within this second is before it."""
    return int(now.timestamp()) + 1


def _last(old: Sequence[KeyRow]) -> str | None:
    newest = max(old, default=None, key=lambda one: (one.created_at, one.kid))
    return None if newest is None else newest.kid
