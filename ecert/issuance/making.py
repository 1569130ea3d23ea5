"""Making one certificate: assemble, lint and sign its credential and its seal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ecert._encoding import to_json
from ecert.formats import credential
from ecert.formats.receipt import SALT_BYTES
from ecert.formats.seal import seal_claims, sign_seal
from ecert.formats.unverified_credential import StatusRef
from ecert.ids import Identifier, make_serial, parse_identifier
from ecert.issuance.order import Work
from ecert.ledger.acting import Desk
from ecert.model import (
    Certificate,
    Record,
    Status,
    TypeRef,
    certificate_json,
    effective_status,
    gravest_first,
)


def make(desk: Desk, work: Work, now: datetime) -> None:
    """Assemble, lint and sign one certificate's credential and seal."""
    order, key = work.order, desk.keys.agency_key(work.order.agency.code)
    certificate = _certificate(desk, work, now)
    status = StatusRef(desk.charter.status_address(work.place[0]), work.place[1])
    zone = order.agency.time_zone
    prepared = credential.prepare(
        certificate,
        order.kind,
        base=desk.base,
        status=status,
        zone=zone,
        randomness=desk.randomness,
    )
    signed = credential.sign(prepared, key.signer, key.chain)
    digest = signed.digest
    seconds = certificate.validity.seconds(zone)
    claims = seal_claims(
        certificate,
        digest=digest,
        status=(status.index, status.uri),
        seconds=seconds,
        masks=order.kind.masks,
    )
    work.salt = desk.randomness(SALT_BYTES)
    work.record = Record(
        id=certificate.id,
        raw=to_json(certificate_json(certificate, order.kind.name)),
        issuer=certificate.issuer_code,
        slug=order.kind.slug,
        status=effective_status(Status.VALID, seconds[1], now.timestamp()),
        since=certificate.created_at,
        nbf=seconds[0],
        exp=seconds[1],
        changes=0,
        superseded_by=None,
        log_index=-1,
        status_list=work.place[0],
        status_index=work.place[1],
        digest=digest,
        credential=signed.text,
        seal=sign_seal(claims, key.signer, desk.base),
        warnings=(*order.draft.warnings, *_fallen(work)),
    )


def _fallen(work: Work) -> list[Mapping[str, Any]]:
    return [one.warning(work.order.draft.rests_on) for one in gravest_first(work.fallen)]


def _certificate(desk: Desk, work: Work, now: datetime) -> Certificate:
    order, draft, kind = work.order, work.order.draft, work.order.kind
    code = kind.code(desk.charter.defining_body)
    if work.previous is not None:
        before = parse_identifier(work.previous.id)
        identifier = replace(before, issuer_code=order.agency.code).bump()
    elif order.identifier is not None:
        identifier = order.identifier
    else:
        serial = make_serial(int(now.timestamp() * 1000), desk.randomness(10))
        identifier = Identifier(code, order.agency.code, serial)
    return Certificate(
        id=str(identifier),
        number=work.number,
        local_number=work.local_number,
        type=TypeRef(kind.slug, identifier.type_code, kind.version, kind.template),
        issuer_code=order.agency.code,
        issuer_name=order.agency.name,
        holders=draft.holders,
        project_code=draft.project_code,
        fields=draft.fields,
        issued_on=work.issued_on,
        validity=kind.validity(work.issued_on, draft.valid_from, draft.valid_to),
        created_at=now.replace(microsecond=0),
        supersedes=None if work.previous is None else work.previous.id,
        rests_on=draft.rests_on,
        attachments=draft.attachments,
    )
