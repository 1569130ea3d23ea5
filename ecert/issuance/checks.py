"""The checks of an order that need the registry: its log, the agency's right to issue, type and identifier."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ecert.catalogue import CertificateType
from ecert.errors import (
    AlreadyExists,
    DraftError,
    EcertError,
    FieldError,
    TypeChanged,
    TypeNotIssuable,
)
from ecert.issuance.order import Order, Work, each
from ecert.ledger.access import require_issues_for
from ecert.ledger.acting import Desk
from ecert.ledger.register import require_competent
from ecert.model import civil_date
from ecert.store import Transaction, agencies, certificates, register, types


def check_log(tx: Transaction, desk: Desk, works: list[Work], _now: datetime) -> None:
    """Issue nothing while the log would fork: its numbers and places may be given out already."""
    try:
        desk.log.check(tx)
    except EcertError as error:
        for work in works:
            work.error = error


def check_competent(tx: Transaction, _desk: Desk, works: list[Work], now: datetime) -> None:
    """Hold the agencies as they are, and require that each may issue the type today."""
    codes = {work.order.agency.code for work in works}
    known = agencies.hold(tx, codes)
    held = register.held(tx, codes, {work.order.kind.slug for work in works})
    competent: set[tuple[str, str]] = set()

    def check(work: Work) -> None:
        agency = known[work.order.agency.code]
        if work.order.agency != agency:
            work.order = replace(work.order, agency=agency)
        slug = work.order.kind.slug
        require_issues_for(tx, work.order.by, agency.code, slug, now)
        if (agency.code, slug) not in competent:
            require_competent(held, agency, slug, civil_date(now, agency.time_zone))
            competent.add((agency.code, slug))

    each(check, works)


def check_order(tx: Transaction, desk: Desk, works: list[Work], now: datetime) -> None:
    """Check what depends on the registry: the type's state and code, and the issue date."""
    used: set[tuple[str, int]] = set()
    brought: set[str] = set()

    def check(work: Work) -> None:
        kind = work.order.kind
        if kind.state != "published":
            raise TypeNotIssuable(f"{kind.slug} v{kind.version} is {kind.state}, not published")
        if not kind.is_confirmed and not desk.charter.allow_provisional:
            raise TypeNotIssuable(
                f"the type code of {kind.slug} is provisional; set allow_provisional, or put the "
                "confirmed code into the type's folder"
            )
        if work.issued_on > civil_date(now, work.order.agency.time_zone):
            fault = FieldError(
                "/issued_on", "future", "签发日期不得晚于今天", "this is in the future"
            )
            raise DraftError("the issue date lies in the future", errors=[fault])
        _check_identifier(tx, work.order, brought)
        if (kind.slug, kind.version) not in used:
            _use_type(tx, desk, kind, now)
            used.add((kind.slug, kind.version))

    each(check, works)


def _check_identifier(tx: Transaction, order: Order, brought: set[str]) -> None:
    """Check an identifier that is brought: it names this type and agency, and is new."""
    identifier = order.identifier
    if identifier is None:
        return
    if not order.kind.is_code(identifier.type_code) or identifier.issuer_code != order.agency.code:
        zh, en = "证照标识与类型或机构不符", "the identifier names another type or issuer"
        raise DraftError(en, errors=[FieldError("/id", "identifier_kept", zh, en)])
    if str(identifier) in brought or certificates.find(tx, str(identifier)) is not None:
        raise AlreadyExists("a certificate with this identifier is there already")
    brought.add(str(identifier))


def _use_type(tx: Transaction, desk: Desk, kind: CertificateType, now: datetime) -> None:
    digest = types.digest(tx, kind.slug, kind.version)
    if digest is None:
        metadata = kind.metadata(desk.base)
        at = int(now.timestamp())
        types.add(tx, kind.slug, kind.version, digest=kind.digest, metadata=metadata, at=at)
    elif digest != kind.digest:
        raise TypeChanged(
            f"{kind.slug} v{kind.version} was edited after it was used, or used before it had a "
            f"printed face; add v{kind.version + 1} (docs/how-to/upgrade.md)"
        )
