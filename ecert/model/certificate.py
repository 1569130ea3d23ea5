"""Certificates 证照 as frozen values: from the draft to the stored record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ecert._encoding import parse_signed_json, rfc3339, to_json
from ecert.model.calendar import Validity
from ecert.model.status import Status

CREDIT_CODE = "001"
RESIDENT_NUMBER = "111"
HOLDER_CODE_TYPES = {  # GB/T 36903 annex A, as coded in a live system (domain notes §1.4)
    "001": "统一社会信用代码",
    "099": "其他法人或其他组织有效证件代码",
    "111": "公民身份号码",
    "114": "军警证件",
    "115": "军警证件",
    "118": "军警证件",
    "119": "军警证件",
    "120": "军警证件",
    "122": "军警证件",
    "411": "外交护照",
    "412": "公务护照",
    "413": "公务普通护照",
    "414": "普通护照",
    "511": "台湾居民来往大陆通行证",
    "516": "港澳居民来往内地通行证",
    "999": "其他自然人有效证件代码",
}
ORGANISATION_CODE_TYPES = frozenset({"001", "099"})


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a certificate is made out to 持证主体; ``code_type`` as in GB/T 36903 (001, 111, …)."""

    name: str
    code: str
    code_type: str

    @property
    def is_person(self) -> bool:
        """Tell whether the holder is a natural person."""
        return self.code_type not in ORGANISATION_CODE_TYPES

    def to_json(self) -> dict[str, str]:
        """Give the shape used in drafts and certificates."""
        return {"name": self.name, "code": self.code, "code_type": self.code_type}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that belongs to the certificate 附件: name, media type, size in bytes, SHA-256 in hex."""

    name: str
    media_type: str
    size: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Give the shape used in drafts and certificates."""
        return {
            "name": self.name,
            "media_type": self.media_type,
            "size": self.size,
            "sha256": self.sha256,
        }


@dataclass(frozen=True, slots=True)
class TypeRef:
    """Which type and version a certificate has; ``template`` is the digest of its printed face."""

    slug: str
    code: str
    version: int
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft that fits its type: only ``catalogue`` makes one, after checking it whole."""

    fields: Mapping[str, Any]
    holders: tuple[Holder, ...]
    project_code: str | None = None
    number: str | None = None
    local_number: str | None = None
    issued_on: date | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    rests_on: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    warnings: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate 证照 as it is signed: everything that the credential says, nothing that changes.

    ``holders`` and ``fields`` may be partial when read back from a presentation.
    """

    id: str
    number: str
    local_number: str | None
    type: TypeRef
    issuer_code: str
    issuer_name: str
    holders: tuple[Holder, ...]
    project_code: str | None
    fields: Mapping[str, Any]
    issued_on: date
    validity: Validity
    created_at: datetime
    supersedes: str | None = None
    rests_on: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A stored certificate: what was signed, and what has happened to it since.

    ``raw`` is the signed part in the ``certificate`` shape, compact JSON; ``status`` is the
    effective one at the moment of reading; ``nbf`` and ``exp`` are Unix seconds.
    """

    id: str
    raw: bytes
    issuer: str
    slug: str
    status: Status
    since: datetime
    nbf: int
    exp: int | None
    changes: int
    superseded_by: str | None
    log_index: int
    status_list: int
    status_index: int
    digest: bytes
    credential: str
    seal: str
    warnings: tuple[Mapping[str, Any], ...] = ()

    @property
    def body(self) -> Mapping[str, Any]:
        """The signed part in the ``certificate`` shape."""
        return parse_signed_json(self.raw)

    @property
    def has_foundations(self) -> bool:
        """Tell whether it rests on others, without reading all of it."""
        return b'"rests_on":[]' not in self.raw

    def to_json(self) -> dict[str, Any]:
        """Give the ``certificate`` shape of the command line and the HTTP interface."""
        return {**self.body, **self._life()}

    def to_json_bytes(self) -> bytes:
        """Write the same as JSON, without taking the signed part apart."""
        return self.raw[:-1] + b"," + to_json(self._life())[1:]

    def _life(self) -> dict[str, Any]:
        return {
            "status": self.status.value,
            "superseded_by": self.superseded_by,
            "warnings": list(self.warnings),
            "log_index": self.log_index,
        }


def certificate_json(
    certificate: Certificate, type_name: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Give what was signed as JSON, in the order in which people read a certificate."""
    kind, validity = certificate.type, certificate.validity
    return {
        "id": certificate.id,
        "number": certificate.number,
        "local_number": certificate.local_number,
        "type": {
            "slug": kind.slug,
            "code": kind.code,
            "version": kind.version,
            "name": None if type_name is None else dict(type_name),
        },
        "issuer": {"code": certificate.issuer_code, "name": certificate.issuer_name},
        "holders": [holder.to_json() for holder in certificate.holders],
        "project_code": certificate.project_code,
        "fields": dict(certificate.fields),
        "issued_on": certificate.issued_on.isoformat(),
        "valid_from": validity.valid_from.isoformat(),
        "valid_to": None if validity.valid_to is None else validity.valid_to.isoformat(),
        "supersedes": certificate.supersedes,
        "rests_on": list(certificate.rests_on),
        "attachments": [attachment.to_json() for attachment in certificate.attachments],
        "created_at": rfc3339(certificate.created_at),
    }
