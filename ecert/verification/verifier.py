"""Verify anything presented, offline, against a trust file: the second straight line (design §4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from ecert._encoding import Clock, parse_rfc3339, utc_now
from ecert.catalogue import Catalogue, CertificateType, load_catalogue
from ecert.errors import InputError
from ecert.keys import Trust
from ecert.model import Status, end_of_day
from ecert.verification import step_log
from ecert.verification.certificate_shown import certificate_shown
from ecert.verification.competence import Proof, judge_absent
from ecert.verification.exhibit import Exhibit, read_exhibit
from ecert.verification.foundations import may_rest
from ecert.verification.inquiry import Claim, Inquiry, claim_of
from ecert.verification.lookup import Lookup, look_up
from ecert.verification.report import STEPS, Finding, Report, decide, found, gravest, warning
from ecert.verification.status_tokens import StatusSource, StatusTokens
from ecert.verification.step_log import Logged
from ecert.verification.step_signature import is_signed, judge_signature
from ecert.verification.step_status import StatusFinding, judge_status
from ecert.verification.step_time import judge_time
from ecert.verification.step_type import judge_type

if TYPE_CHECKING:
    from ecert.verification.document import OpenedDocument


class Verifier:
    """Verifies what is presented to it, keeping checked chains and status lists between calls.

    ``status`` None verifies offline. It needs no database. ``lookup`` is the registry's own store,
    where the verifier is its own service: what bears its address and is not there is invalid.
    """

    def __init__(
        self,
        trust: Trust,
        *,
        status: StatusSource | None = None,
        catalogue: Catalogue | None = None,
        clock: Clock = utc_now,
        lookup: Lookup | None = None,
    ) -> None:
        self.trust, self._clock, self._lookup = trust, clock, lookup
        self._catalogue = load_catalogue() if catalogue is None else catalogue
        self._tokens = StatusTokens(status)

    def verify(
        self,
        presented: bytes | str,
        *,
        at: datetime | date | None = None,
        receipt: str | None = None,
    ) -> Report:
        """Verify a document, a credential, a seal, a picture of one, a receipt or a bundle.

        ``at`` asks about another moment; a date means the end of that day in Asia/Shanghai.
        ``receipt`` may accompany a credential. Never raises for bad input: the report says it.
        """
        now = self._clock()
        moment = now if at is None else _moment(at)
        is_past = at is not None and moment < now
        inquiry = Inquiry(
            self.trust, self._catalogue, self._tokens, now, moment, is_past, self._lookup
        )
        return _examine(inquiry, read_exhibit(presented, receipt))


def verify(
    presented: bytes | str,
    trust: Trust,
    *,
    at: datetime | date | None = None,
    receipt: str | None = None,
    status: StatusSource | None = None,
    catalogue: Catalogue | None = None,
    clock: Clock = utc_now,
) -> Report:
    """Verify whatever is presented against a trust file, and say how each step went.

    Raises: InputError only for an ``at`` without a time zone. See :class:`Verifier`.
    """
    verifier = Verifier(trust, status=status, catalogue=catalogue, clock=clock)
    return verifier.verify(presented, at=at, receipt=receipt)


def parse_moment(text: str) -> datetime | date:
    """Read the moment that is asked about: an instant (RFC 3339), or a date. Raises: InputError."""
    try:
        return date.fromisoformat(text) if len(text) == len("2026-01-01") else parse_rfc3339(text)
    except (ValueError, InputError) as error:
        raise InputError("at is a date such as 2026-03-01, or an RFC 3339 instant") from error


def _moment(at: datetime | date) -> datetime:
    if not isinstance(at, datetime):
        return end_of_day(at)
    if at.tzinfo is None:
        raise InputError("an instant needs a time zone")
    return at


# -- the numbered steps ------------------------------------------------------------------------------


def _examine(inquiry: Inquiry, exhibit: Exhibit) -> Report:
    """Take the steps of design §4 in order; the first that stops leaves the rest ``not_reached``."""
    read = found("read", exhibit.code)  # 1 read
    if exhibit.document is not None:
        return _examine_document(inquiry, exhibit, read)
    none = found("agreement", "agreement_none")
    if exhibit.credential is None and exhibit.seal is None:
        return _report(inquiry, exhibit, [read, none, *_of_receipt(inquiry, exhibit)])
    return _examine_claim(inquiry, exhibit, [read, none])


def _examine_document(inquiry: Inquiry, exhibit: Exhibit, read: Finding) -> Report:
    from ecert.verification.document import (  # noqa: PLC0415 - slow to load, many never need it
        OpenedDocument,
        open_document,
    )

    assert exhibit.document is not None  # noqa: S101 - the caller looked
    opened = open_document(exhibit.document, exhibit, inquiry.trust)
    if isinstance(opened, OpenedDocument):
        return _examine_claim(inquiry, opened.exhibit, [read], opened)
    return _report(inquiry, exhibit, [read, opened])


def _of_receipt(inquiry: Inquiry, exhibit: Exhibit) -> list[Finding]:
    """Say what a receipt proves by itself; nothing where not even one was read."""
    if exhibit.code != "read_receipt" or exhibit.receipt is None:
        return []
    absent = {"signature": "no_signature", "type": "type_unknown", "time": "no_time"}
    findings = [found(step, code) for step, code in {**absent, "status": "no_status"}.items()]
    return [*findings, step_log.judge_alone(exhibit.receipt, inquiry.trust)]


def _examine_claim(
    inquiry: Inquiry,
    exhibit: Exhibit,
    findings: list[Finding],
    opened: OpenedDocument | None = None,
) -> Report:
    claim = claim_of(exhibit, inquiry.trust, inquiry.catalogue)
    if isinstance(claim, Finding):
        return _report(inquiry, exhibit, [*findings, claim])
    if _points_elsewhere(exhibit, claim):
        findings = [*findings, found("read", "seal_host_mismatch")]
    log, logged = step_log.judge_log(exhibit, claim)  # 5, before 2: a compromised key needs it
    signature, key = judge_signature(
        exhibit, claim, now=inquiry.now, logged=logged, opened=opened
    )  # 2
    findings = [*findings, log, signature]
    if not is_signed(signature):
        absent = judge_absent(claim)
        findings += [] if absent is None else [absent]
        return _report(inquiry, exhibit, findings, claim)
    unknown, index = look_up(inquiry.lookup, exhibit, claim)
    findings += [] if unknown is None else [gravest([unknown, log])]
    proof = Proof(key, _place(logged, index), inquiry.now)
    type_, kind = judge_type(exhibit, claim, inquiry.catalogue, proof)  # 3
    time = judge_time(exhibit, claim, inquiry.moment)  # 4
    status = judge_status(inquiry, exhibit, claim)  # 6
    findings += [type_, time, status.finding]
    if opened is not None:
        findings.append(found("agreement", opened.agreement(kind)))  # 7
    said = _Said(
        certificate_shown(exhibit, claim, kind, status),
        _status_shown(time, status),
        tuple(_warnings(exhibit, claim, kind, status)),
    )
    return _report(inquiry, exhibit, findings, claim, said)


def _warnings(
    exhibit: Exhibit, claim: Claim, kind: CertificateType | None, status: StatusFinding
) -> Iterator[Mapping[str, Any]]:
    """Say what stands beside the verdict and never changes it."""
    told = status.foundations
    if told is not None and (not told.is_unsaid or may_rest(exhibit, kind)):
        yield told.to_json()
    if claim.registry.as_of is None:
        yield warning("competence_unlisted")


def _place(logged: Logged | None, index: int | None) -> Logged | None:
    """Take the place that the receipt proves, else the one that the registry itself knows."""
    return logged if logged is not None or index is None else Logged(index, None)


def _points_elsewhere(exhibit: Exhibit, claim: Claim) -> bool:
    """Tell whether a code's address is another than that of the registry inside it."""
    seal = exhibit.seal if exhibit.credential is None else None
    return seal is not None and seal.origin not in {None, claim.registry.base_url}


def _status_shown(time: Finding, status: StatusFinding) -> str | None:
    """Give the graver of the two: ended > superseded > expired > suspended > valid."""
    if time.code != Status.EXPIRED.value:
        return status.status
    is_graver = status.status not in {None, Status.VALID.value, Status.SUSPENDED.value}
    return status.status if is_graver else Status.EXPIRED.value


@dataclass(frozen=True, slots=True)
class _Said:
    """What a report says of a certificate whose signature holds; of any other it says nothing."""

    certificate: Mapping[str, Any] | None = None
    status: str | None = None
    warnings: tuple[Mapping[str, Any], ...] = ()


def _report(
    inquiry: Inquiry,
    exhibit: Exhibit,
    findings: list[Finding],
    claim: Claim | None = None,
    said: _Said = _Said(),
) -> Report:
    """Draw the verdict; of two findings of one step the later one stands."""
    by_step = {one.step: one for one in findings}
    steps = tuple(by_step.get(name) or found(name, "not_reached") for name in STEPS)
    requires_log = claim is not None and claim.registry.require_log
    is_document = exhibit.document is not None
    return Report(
        verdict=decide(steps, is_document=is_document, requires_log=requires_log),
        certificate=said.certificate,
        status=said.status,
        at=inquiry.moment,
        checked_at=inquiry.now,
        steps=steps,
        warnings=said.warnings,
    )
