"""What a page shows, as the data its face is drawn from: the signed record and its type, no more."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

from ecert._encoding import instant
from ecert.catalogue import CertificateType
from ecert.formats.annotation import Copy, UnverifiedCopy
from ecert.formats.qr import to_svg
from ecert.formats.unverified_credential import UnverifiedCredential
from ecert.model import certificate_json
from ecert.pdf.parts import Parts

_BEIJING = timezone(timedelta(hours=8))


def page_data(
    parts: Parts,
    credential: UnverifiedCredential,
    copy: UnverifiedCopy | None,
    kind: CertificateType,
) -> dict[str, Any]:
    """Give the data of one page. Raises: SealError."""
    return {
        **_type_data(kind),
        "certificate": record_of(credential, kind),
        "issued_at": _clock_time(credential.iat),
        "host": credential.base.partition("://")[2],
        "qr": to_svg(parts.seal),
        "copy": None if copy is None else _copy_data(copy.copy),
        "has_image": parts.image is not None,
        "image": [] if parts.image is None else list(parts.image),
    }


def record_of(credential: UnverifiedCredential, kind: CertificateType) -> dict[str, Any]:
    """Give what was signed as JSON for people: the fields in the order of their type."""
    record = certificate_json(credential.certificate, kind.name)
    fields = record["fields"]
    record["fields"] = {name: fields[name] for name in kind.schema["properties"] if name in fields}
    return record


def _type_data(kind: CertificateType) -> dict[str, Any]:
    definition = kind.definition
    labels = {**definition.get("labels", {}), **definition.get("face", {})}
    return {
        "title": kind.name["zh"],
        "legal_text": definition.get("legal_text", {}).get("zh", ""),
        "labels": {path: label["zh"] for path, label in labels.items()},
        "units": {path: unit["unit"] for path, unit in definition.get("units", {}).items()},
        "personal": list(definition.get("personal", ())),
        "order": list(kind.schema["properties"]),
    }


def _clock_time(seconds: int) -> str:
    return instant(seconds).astimezone(_BEIJING).strftime("%Y-%m-%d %H:%M")


def _copy_data(copy: Copy) -> dict[str, str]:
    return {**copy.to_json(), "made_at": _clock_time(copy.made_at)}
