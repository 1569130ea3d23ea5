"""Grants 授权: a holder lets one agency have certain fields, for one matter and situation, for some time.

Three ways lead to one: the holder signs in to the online hall for this very request (the nonce of
the ID token is the request's digest), or shows a use code 用证码 at the window; and an agent may do
either for a holder who let him 委托.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from ecert._encoding import b64url, canonical_plain, instant, rfc3339, sha256
from ecert.errors import (
    ConsentOfAnother,
    GrantNotValid,
    IdTokenRefused,
    InputError,
    UseCodeRefused,
)
from ecert.formats.id_token import SignedIn, verify_id_token
from ecert.formats.qr import use_code_svg
from ecert.ledger.access import may_see_grant, may_use_request
from ecert.ledger.acting import Desk
from ecert.ledger.trail import AuditEntry
from ecert.model import DEFAULT_ZONE, Actor, civil_date, end_of_day
from ecert.reuse.asking import Asking, asking_for
from ecert.reuse.delegation import check_delegation, covers
from ecert.reuse.matter import Matter
from ecert.reuse.sharing import check_asked
from ecert.reuse.sign_in import believed, require_own
from ecert.store import GrantRow, Reading, RequestRow, Transaction, grants

REQUEST_SECONDS = 900
CODE_SECONDS = 300
CODE_TRIES = 5
CODE_BYTES = 16
SHORT_DIGITS = 8
GRANT_DAYS = 30
MAX_GRANT_DAYS = 366
MAX_ID = 26
NO_REQUEST = "there is no such request, or it was used, has expired, or is another agency's"


@dataclass(frozen=True, slots=True)
class GrantWish:
    """What a grant is asked for: a matter, a situation, the fields of each material, and until when.

    ``delegation`` names the one under which an agent is to agree for a holder.
    """

    matter: str
    situation: str | None = None
    fields: Mapping[str, Sequence[str]] | None = None
    until: date | None = None
    delegation: str | None = None


@dataclass(frozen=True, slots=True)
class UseCode:
    """A code that a holder shows at the window, once; ``short`` is for reading aloud."""

    code: str
    short: str
    expires_at: int

    def to_json(self) -> dict[str, str]:
        """Give the code as JSON, with its picture (SVG) to show at the window."""
        return {
            "use_code": self.code,
            "short": self.short,
            "qr_svg": use_code_svg(self.code),
            "expires_at": rfc3339(instant(self.expires_at)),
        }


def request_json(row: RequestRow, matter: Matter | None = None) -> dict[str, Any]:
    """Give what is asked for: what a holder is shown before he agrees."""
    shown: dict[str, Any] = {
        "id": row.id,
        "nonce": row.nonce,
        "request": row.body,
        "expires_at": rfc3339(instant(row.expires_at)),
    }
    if matter is not None:
        shown["matter_name"] = dict(matter.name)
    return shown


def grant_json(row: GrantRow, now: datetime) -> dict[str, Any]:
    """Give a grant as JSON; it names no holder."""
    return {
        "id": row.id,
        "agency": row.agency,
        "matter": row.matter,
        "situation": row.situation,
        "fields": {material: list(fields) for material, fields in row.fields.items()},
        "way": row.way,
        "delegation": row.delegation,
        "created_at": rfc3339(instant(row.created_at)),
        "expires_at": rfc3339(instant(row.expires_at)),
        "revoked_at": None if row.revoked_at is None else rfc3339(instant(row.revoked_at)),
        "in_force": _in_force(row, int(now.timestamp())),
    }


def _in_force(row: GrantRow, now: int) -> bool:
    return row.revoked_at is None and now < row.expires_at


# -- asking ------------------------------------------------------------------------------------------


def request_grant(desk: Desk, wish: GrantWish, by: Actor) -> RequestRow:
    """Fix what a holder will be asked to agree to; the nonce is the digest of just that.

    Raises: NotFound for a matter that is not this agency's, FieldNotAllowed, InputError.
    """
    entry = AuditEntry("grant.request", by)
    return desk.act(entry, lambda tx, now: _request(tx, desk, wish, by, now), _named_request)


def _named_request(row: RequestRow) -> dict[str, str]:
    return {"request": row.id, "matter": row.matter}


def _named_grant(row: GrantRow) -> dict[str, str]:
    return {"grant": row.id, "request": row.request, "holder_hmac": row.holder_hmac.hex()}


def _request(tx: Transaction, desk: Desk, wish: GrantWish, by: Actor, now: datetime) -> RequestRow:
    asking = asking_for(tx, wish.matter, by, now)
    matter = asking.matter
    if wish.situation is not None and wish.situation not in matter.situations:
        raise InputError("the matter has no such situation")
    check_asked(matter, wish.fields)
    identifier = desk.new_id(now)
    body = {
        "id": identifier,
        "agency": asking.agency,
        **({} if asking.received_by is None else {"received_by": asking.received_by}),
        "matter": matter.code,
        "version": matter.version,
        "situation": wish.situation or "",
        "fields": _fields(matter, wish),
        "until": _until(wish.until, now).isoformat(),
        "delegation": wish.delegation or "",
    }
    request = canonical_plain(body)
    row = RequestRow(
        id=identifier,
        client=by.client,
        agency=asking.agency,
        matter=matter.code,
        request=request,
        nonce=b64url(sha256(request)),
        expires_at=int(now.timestamp()) + REQUEST_SECONDS,
    )
    grants.add_request(tx, row)
    return row


def _fields(matter: Matter, wish: GrantWish) -> dict[str, list[str]]:
    """Write out the fields of each material: all that the situation needs unless fewer are named."""
    if wish.fields is not None:
        return {material: sorted(set(fields)) for material, fields in wish.fields.items()}
    return {
        material.code: sorted({name for option in material.options for name in option.fields})
        for material in matter.materials
        if material.options and material.is_needed(wish.situation)
    }


def _until(until: date | None, now: datetime) -> date:
    today = civil_date(now, DEFAULT_ZONE)
    if until is None:
        return today + timedelta(days=GRANT_DAYS)
    if not today <= until <= today + timedelta(days=MAX_GRANT_DAYS):
        raise InputError(f"until lies between today and {MAX_GRANT_DAYS} days from now")
    return until


# -- giving ------------------------------------------------------------------------------------------


def grant_by_id_token(desk: Desk, request_id: str, id_token: str, by: Actor) -> GrantRow:
    """Take a holder's sign-in for a request as his agreement. It counts once.

    For whom an agent agrees is in the request, so he signs in for just that.

    Raises: GrantNotValid for the request or the delegation, IdTokenRefused.
    """

    def work(tx: Transaction, now: datetime) -> GrantRow:
        row = _open_request(tx, request_id, by, now)
        signed = verify_id_token(id_token, believed(tx), int(now.timestamp()))
        nonce = (signed.nonce or "").encode("utf-8", "replace")
        if not hmac.compare_digest(row.nonce.encode(), nonce):
            raise IdTokenRefused("the sign-in was for another request")
        require_own(signed)
        delegation = row.body["delegation"] or None
        holder = _holder(tx, desk, signed, delegation=delegation, matter=row.matter, now=now)
        way = "id_token" if delegation is None else "delegation"
        answered = replace(row, holder_hmac=holder, delegation=delegation)
        return _give(tx, desk, answered, way, now)

    return desk.act(AuditEntry("grant", by, details={"way": "id_token"}), work, _named_grant)


def make_use_code(
    desk: Desk, request_id: str, signed: SignedIn, by: Actor, *, delegation: str | None = None
) -> UseCode:
    """Make a one-time code for a request that the holder was shown.

    Raises: GrantNotValid for a request that is not open, or that another holder answers.
    """

    def work(tx: Transaction, now: datetime) -> UseCode:
        row = _open_request(tx, request_id, None, now)
        holder = _holder(tx, desk, signed, delegation=delegation, matter=row.matter, now=now)
        if row.holder_hmac is not None and row.holder_hmac != holder:
            raise GrantNotValid(NO_REQUEST)
        if (row.body["delegation"] or delegation) != delegation:
            raise GrantNotValid("the request is for another delegation")
        code, number = desk.randomness(CODE_BYTES), int.from_bytes(desk.randomness(8), "big")
        made = UseCode(
            b64url(code),
            f"{number % 10**SHORT_DIGITS:0{SHORT_DIGITS}}",
            int(now.timestamp()) + CODE_SECONDS,
        )
        grants.put_request(
            tx,
            row.id,
            holder_hmac=holder,
            delegation=delegation,
            code_digest=_code_digest(desk, row.id, made.code),
            short_digest=_code_digest(desk, row.id, made.short),
            code_expires_at=made.expires_at,
        )
        return made

    return desk.act(AuditEntry("use_code", by), work)


def grant_by_use_code(desk: Desk, request_id: str, code: str, by: Actor) -> GrantRow:
    """Redeem a use code: once, at the agency that asked, within five minutes and five tries.

    Raises: GrantNotValid for the request, UseCodeRefused.
    """

    def work(tx: Transaction, now: datetime) -> GrantRow:
        row = _open_request(tx, request_id, by, now)
        if not _code_fits(desk, row, code, now):
            grants.put_request(tx, row.id, tries=row.tries + 1)
            raise UseCodeRefused("the use code is wrong, was used, or came too late")
        check_delegation(tx, row.delegation, row.matter, now)
        return _give(tx, desk, row, "use_code", now)

    return desk.act(AuditEntry("grant", by, details={"way": "use_code"}), work, _named_grant)


def _code_fits(desk: Desk, row: RequestRow, code: str, now: datetime) -> bool:
    given = _code_digest(desk, row.id, code)
    is_long = hmac.compare_digest(given, row.code_digest or b"")
    is_short = hmac.compare_digest(given, row.short_digest or b"")
    in_time = row.code_expires_at is not None and now.timestamp() < row.code_expires_at
    return (is_long or is_short) and in_time and row.tries < CODE_TRIES


def _code_digest(desk: Desk, request_id: str, code: str) -> bytes:
    """Keep a code as a keyed digest: eight digits would be guessed from a plain one."""
    return desk.secrets.hide(f"use-code/{request_id}/{code}")


def _open_request(tx: Transaction, request_id: str, by: Actor | None, now: datetime) -> RequestRow:
    row = grants.lock_request(tx, request_id) if len(request_id) <= MAX_ID else None
    is_open = row is not None and row.used_at is None and now.timestamp() < row.expires_at
    if row is None or not is_open or not may_use_request(by, row):
        raise GrantNotValid(NO_REQUEST)
    return row


def _holder(
    tx: Transaction,
    desk: Desk,
    signed: SignedIn,
    *,
    delegation: str | None,
    matter: str,
    now: datetime,
) -> bytes:
    """Find for whom somebody who signed in answers: himself, or whoever let him act."""
    own = desk.secrets.hide(signed.code)
    if delegation is None:
        return own
    row = grants.delegation(tx, delegation) if len(delegation) <= MAX_ID else None
    if row is None or row.agent_hmac != own or not covers(row, matter, now):
        raise GrantNotValid("there is no such delegation, or it does not cover this")
    return row.principal_hmac


def _give(tx: Transaction, desk: Desk, answered: RequestRow, way: str, now: datetime) -> GrantRow:
    assert answered.holder_hmac is not None  # noqa: S101 - whoever answers is known
    body = answered.body
    grant = GrantRow(
        id=desk.new_id(now),
        request=answered.id,
        agency=answered.agency,
        matter=answered.matter,
        version=body["version"],
        situation=body["situation"] or None,
        fields=body["fields"],
        holder_hmac=answered.holder_hmac,
        way=way,
        delegation=answered.delegation,
        created_at=int(now.timestamp()),
        expires_at=int(end_of_day(date.fromisoformat(body["until"])).timestamp()) + 1,
    )
    grants.put_request(
        tx,
        answered.id,
        used_at=grant.created_at,
        holder_hmac=grant.holder_hmac,
        code_digest=None,
        short_digest=None,
    )
    grants.add(tx, grant)
    return grant


# -- using and revoking ------------------------------------------------------------------------------


def check_grant(
    reading: Reading,
    grant_id: str,
    *,
    asking: Asking,
    situation: str | None,
    holder_hmac: bytes | None,
    now: datetime,
) -> GrantRow:
    """Check that a grant allows this agency this matter and situation, for this holder, now.

    Raises: GrantNotValid (unknown, ended and another agency's look alike), ConsentOfAnother.
    """
    row = grants.find(reading, grant_id) if len(grant_id) <= MAX_ID else None
    matter = asking.matter
    if row is None or row.agency not in asking.names or not _in_force(row, int(now.timestamp())):
        raise GrantNotValid("there is no such grant, or it has ended")
    check_delegation(reading, row.delegation, row.matter, now)
    if (row.matter, row.version, row.situation) != (matter.code, matter.version, situation):
        raise ConsentOfAnother("the grant is for another matter, version of it, or situation")
    if holder_hmac is not None and not hmac.compare_digest(row.holder_hmac, holder_hmac):
        raise ConsentOfAnother("the grant was given by another holder")
    return row


def revoke_grant(
    desk: Desk, grant_id: str, by: Actor, *, holder: SignedIn | None = None
) -> GrantRow:
    """Revoke a grant: the holder at any moment, or the agency that needs it no longer.

    Raises: GrantNotValid for what is not there or not the caller's.
    """
    own = None if holder is None else desk.secrets.hide(holder.code)

    def work(tx: Transaction, now: datetime) -> GrantRow:
        row = grants.find(tx, grant_id) if len(grant_id) <= MAX_ID else None
        is_theirs = row is not None and (row.holder_hmac == own or may_see_grant(by, row))
        if row is None or not is_theirs:
            raise GrantNotValid("there is no such grant")
        grants.revoke(tx, row.id, int(now.timestamp()))
        return replace(row, revoked_at=row.revoked_at or int(now.timestamp()))

    return desk.act(AuditEntry("grant.revoke", by), work, _named_grant)
