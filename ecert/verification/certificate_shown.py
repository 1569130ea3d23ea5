"""What was signed and shown, as a report tells it to people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ecert._encoding import instant, rfc3339
from ecert.catalogue import CertificateType
from ecert.formats.seal import RECIPIENT, UnverifiedSeal
from ecert.formats.unverified_credential import UnverifiedCredential
from ecert.model import certificate_json, civil_date
from ecert.verification.exhibit import Exhibit
from ecert.verification.inquiry import Claim
from ecert.verification.step_status import StatusFinding


def certificate_shown(
    exhibit: Exhibit, claim: Claim, kind: CertificateType | None, status: StatusFinding | None
) -> Mapping[str, Any]:
    """Give the certificate of an exhibit whose signature holds, as JSON."""
    if exhibit.credential is not None:
        shown = _of_credential(exhibit.credential, exhibit, kind)
    else:
        assert exhibit.seal is not None  # noqa: S101 - one of the two was read
        shown = _of_seal(exhibit.seal, claim, None if kind is None else kind.name)
    detail = None if status is None else status.detail
    since = None if status is None or status.since is None else rfc3339(instant(status.since))
    successor = None if detail is None else detail.successor
    return {**shown, "superseded_by": successor, "status_since": since}


def _of_credential(
    credential: UnverifiedCredential, exhibit: Exhibit, kind: CertificateType | None
) -> dict[str, Any]:
    shown = certificate_json(credential.certificate, None if kind is None else kind.name)
    if kind is not None:  # digests are sorted, so fields arrive shuffled
        fields, names = shown["fields"], kind.schema["properties"]
        shown["fields"] = {name: fields[name] for name in names if name in fields}
    if exhibit.copy is not None:
        shown["copy"] = exhibit.copy.copy.to_json()
    return shown


def _of_seal(seal: UnverifiedSeal, claim: Claim, name: Mapping[str, str] | None) -> dict[str, Any]:
    claims, agency = seal.claims, claim.agency
    zone = agency.time_zone
    end = None if claim.exp is None else instant(claim.exp) - timedelta(days=1)
    last = None if end is None else civil_date(end, zone).isoformat()
    issued_on = civil_date(instant(claim.iat), zone)
    copy = {"recipient": claims[RECIPIENT], "until": last} if seal.is_copy else None
    return {
        "id": claim.identifier,
        "number": claims["n"],
        "type": {"name": None if name is None else dict(name)},
        "issuer": {"code": agency.code, "name": agency.name_on(issued_on) or agency.name},
        "holder_name": claims["h"],
        "project_name": claims.get("p"),
        "valid_from": civil_date(instant(claim.nbf), zone).isoformat(),
        "valid_to": last if copy is None else None,
        "created_at": rfc3339(instant(claim.iat)),
        **({"credential_digest": claims["c"].hex()} if copy is None else {"copy": copy}),
    }
