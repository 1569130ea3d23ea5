"""Step 6, status: a fresh signed list says it of today, and only signed statements say it of a past day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from ecert._encoding import b64url
from ecert.errors import EcertError, InputError, SignatureError
from ecert.formats._jws import verify_jws
from ecert.formats.credential import issuer_address
from ecert.formats.statement import Statement, parse_statement
from ecert.formats.status_list import (
    ENDED,
    SUPERSEDED,
    SUSPENDED,
    VALID,
    Detail,
    SignedDetails,
    details_uri,
    part_of,
)
from ecert.keys import VerifiedKey
from ecert.model import TRANSITIONS, Status
from ecert.verification.exhibit import Exhibit
from ecert.verification.foundations import FoundationWarning, judge_foundations
from ecert.verification.inquiry import Claim, Inquiry
from ecert.verification.report import Finding, Outcome, found

_REST_OF_A_DAY = timedelta(days=1)  # a date means the end of that day, so today lies ahead
_VALUE_CODES = {ENDED: "ended", SUSPENDED: "suspended", SUPERSEDED: "superseded"}


@dataclass(frozen=True, slots=True)
class StatusFinding:
    """What the status step found, with the details that the registry signed of it, if any.

    ``foundations`` is what is warned of beside it.
    """

    finding: Finding
    detail: Detail | None = None
    foundations: FoundationWarning | None = None

    @property
    def status(self) -> str | None:
        """The status as people read it; None when none was found."""
        if self.finding.code == "status_good":
            return Status.VALID.value
        if self.finding.outcome is not Outcome.FAILED or self.finding.code == "status_index":
            return None
        return self.finding.code.removeprefix("status_")

    @property
    def since(self) -> int | None:
        """Since when it is no longer valid (Unix seconds)."""
        is_good = self.detail is None or self.finding.code == "status_good"
        return None if is_good or self.detail is None else self.detail.since


def judge_status(inquiry: Inquiry, exhibit: Exhibit, claim: Claim) -> StatusFinding:
    """Judge the status of a certificate at the moment that is asked about."""
    token = inquiry.tokens.token(claim.status_uri, exhibit)
    if token is None:
        return _found("status_unreachable" if inquiry.tokens.is_online else "offline")
    try:
        signed = inquiry.tokens.checked_list(token, claim.status_uri, claim.registry)
    except EcertError:
        return _found("status_unusable")
    try:
        value = signed.statuses[claim.status_index]
        is_warned = None if signed.warned is None else bool(signed.warned[claim.status_index])
    except InputError:
        return _found("status_index", signed.issued_at)
    if inquiry.is_past and inquiry.moment.timestamp() < signed.issued_at:
        return _judge_past(inquiry, exhibit, claim, is_warned)
    if inquiry.moment - inquiry.now > _REST_OF_A_DAY:
        return _found("status_future", signed.issued_at)
    if inquiry.now.timestamp() >= signed.expires_at:
        return _found("status_stale", signed.issued_at)
    is_noted = value != VALID or is_warned  # the details of what is not, nobody needs to fetch
    told = _details(inquiry, exhibit, claim) if is_noted else None
    warned = judge_foundations(is_warned, told, claim.status_index, inquiry.moment)
    if value == VALID:
        return _found("status_good", signed.issued_at, foundations=warned)
    detail = None if told is None else told.details.get(claim.status_index)
    code = f"status_{_name_of(value, detail)}"
    return _found(code, signed.issued_at, detail, foundations=warned)


def _found(
    code: str,
    evidence: int | None = None,
    detail: Detail | None = None,
    *,
    foundations: FoundationWarning | None = None,
) -> StatusFinding:
    return StatusFinding(found("status", code, evidence), detail, foundations)


def _name_of(value: int, detail: Detail | None) -> str:
    if detail is not None and detail.status is not Status.VALID:
        return detail.status.value
    return _VALUE_CODES.get(value, "ended")


def _details(inquiry: Inquiry, exhibit: Exhibit, claim: Claim) -> SignedDetails | None:
    """Give the details of the part in which this place is; None without a good token."""
    uri = details_uri(claim.status_uri, part_of(claim.status_index))
    token = inquiry.tokens.token(uri, exhibit)
    if token is None:
        return None
    try:
        return inquiry.tokens.checked_details(token, uri, claim.registry)
    except EcertError:
        return None


def _judge_past(
    inquiry: Inquiry, exhibit: Exhibit, claim: Claim, is_warned: bool | None
) -> StatusFinding:
    """Judge a past moment: only signed acts prove it, and only if none of them is missing.

    The details token counts the acts. None at all, or one whose moment it names, is an
    answer by itself; more need the statements, all of them (ADR 0003).
    """
    told, moment = _details(inquiry, exhibit, claim), inquiry.moment.timestamp()
    if told is None:
        return _found("status_history")
    if told.issued_at < moment:
        return _found("status_history", told.issued_at)
    warned = judge_foundations(is_warned, told, claim.status_index, inquiry.moment)
    detail = told.details.get(claim.status_index)
    if detail is None:
        return _found("status_good", told.issued_at, foundations=warned)
    if detail.changes == 1:
        status: Status | None = Status.VALID if moment < detail.since else detail.status
    else:
        status = _replay(_statements(exhibit, claim), detail, moment)
    if status is None:
        return _found("status_history", told.issued_at)
    code = "good" if status is Status.VALID else status.value
    return _found(f"status_{code}", told.issued_at, detail, foundations=warned)


def _replay(acts: Sequence[Statement], detail: Detail, moment: float) -> Status | None:
    """Find the status at a moment from statements; None unless all are there and follow one another."""
    if not acts or len(acts) != detail.changes or acts[-1].status is not detail.status:
        return None
    status = reached = Status.VALID
    for act in acts:
        allowed, result = TRANSITIONS.get(act.operation, (frozenset(), None))
        if reached not in allowed or act.status is not result:
            return None
        reached = act.status
        status = reached if act.at <= moment else status
    return status


def _statements(exhibit: Exhibit, claim: Claim) -> Sequence[Statement]:
    """Give the statements that the exhibit brought, in their order; none if one of them is bad."""
    # ES256 is malleable: one act may come under two signatures, so the signed part tells apart.
    distinct = {token.rpartition(".")[0]: token for token in exhibit.statements}
    try:
        acts = [_verified(token, exhibit, claim) for token in distinct.values()]
    except EcertError:
        return ()
    return sorted(acts, key=lambda act: act.at)


def _signing_key(claim: Claim, issuer: str, chain: tuple[bytes, ...], at: int) -> VerifiedKey:
    """Find the key of whoever answered for the certificate at that moment: its agency, or its successor.

    Where that was closed and nobody took over, it is the registry itself. Raises: SignatureError.
    """
    registry, slug = claim.registry, claim.slug or ""
    code = registry.responsible(claim.issuer, slug, at)
    agency = registry.agencies.get(code)
    if agency is not None and agency.is_closed(at):
        if issuer != registry.base_url:
            raise SignatureError("the agency was closed: only the registry speaks for it")
        return registry.registry_key(chain, at)
    if issuer != issuer_address(registry.base_url, code):
        raise SignatureError("the statement is another agency's")
    return registry.agency_key(code, chain, at)


def _verified(token: str, exhibit: Exhibit, claim: Claim) -> Statement:
    jws, issuer, statement = parse_statement(token)
    key = _signing_key(claim, issuer, jws.header.chain, statement.at)
    verify_jws(jws, key.key)
    claim.registry.require_good(key, statement.at)
    credential = exhibit.credential
    digest = b64url(credential.digest) if credential else statement.credential_digest
    if statement.subject != claim.identifier or statement.credential_digest != digest:
        raise SignatureError("the statement speaks of another certificate")
    return statement
