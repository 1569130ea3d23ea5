"""The nouns of the registry as frozen values: holder, agency, draft, certificate, status, actor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from ecert._encoding import parse_signed_json, rfc3339, to_json
from ecert.errors import InputError, TransitionRefused

DEFAULT_ZONE = "Asia/Shanghai"
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


class Status(StrEnum):
    """What a certificate is at a moment; ``expired`` is computed, never stored."""

    VALID = "valid"  # 有效
    SUSPENDED = "suspended"  # 暂扣
    SUPERSEDED = "superseded"  # 已被新版本取代
    CANCELLED = "cancelled"  # 注销
    WITHDRAWN = "withdrawn"  # 撤销
    REVOKED = "revoked"  # 吊销
    EXPIRED = "expired"  # 过期


ENDED = frozenset({Status.CANCELLED, Status.WITHDRAWN, Status.REVOKED})


class Operation(StrEnum):
    """An act upon a certificate."""

    ISSUE = "issue"  # 签发
    CHANGE = "change"  # 变更
    RENEW = "renew"  # 延续
    REPLACE = "replace"  # 补发
    SUSPEND = "suspend"  # 暂扣
    RESUME = "resume"  # 恢复（暂扣发还）
    CANCEL = "cancel"  # 注销
    WITHDRAW = "withdraw"  # 撤销
    REVOKE = "revoke"  # 吊销


_ENDABLE = frozenset({Status.VALID, Status.SUSPENDED, Status.EXPIRED})
TRANSITIONS: Mapping[Operation, tuple[frozenset[Status], Status]] = {  # allowed from, leads to
    Operation.CHANGE: (frozenset({Status.VALID}), Status.SUPERSEDED),
    Operation.REPLACE: (frozenset({Status.VALID}), Status.SUPERSEDED),
    Operation.RENEW: (frozenset({Status.VALID, Status.EXPIRED}), Status.SUPERSEDED),
    Operation.SUSPEND: (frozenset({Status.VALID}), Status.SUSPENDED),
    Operation.RESUME: (frozenset({Status.SUSPENDED}), Status.VALID),
    Operation.CANCEL: (_ENDABLE, Status.CANCELLED),
    Operation.WITHDRAW: (_ENDABLE, Status.WITHDRAWN),
    Operation.REVOKE: (_ENDABLE, Status.REVOKED),
}
SUCCESSIONS = frozenset({Operation.CHANGE, Operation.RENEW, Operation.REPLACE})


def check_transition(operation: Operation, status: Status, successor: str | None) -> Status:
    """Look an operation up in the table of design §6; give the status that it leads to.

    Raises: TransitionRefused, naming what is allowed from here, and the successor if there is one.
    """
    allowed, result = TRANSITIONS[operation]
    if status in allowed:
        return result
    possible = [one.value for one, (sources, _) in TRANSITIONS.items() if status in sources]
    message = f"cannot {operation.value}: it is {status.value}; allowed: {', '.join(possible) or 'nothing'}"
    if successor is not None:
        message += f"; its successor is {successor}"
    raise TransitionRefused(message)


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
class Agency:
    """A department that issues or uses certificates 机构; ``code`` is its credit code.

    ``parent`` is the agency above it (district, street or town, village); with ``requires_dpop``
    the calls of its systems, and of those below it, prove possession of a key (RFC 9449).
    """

    code: str
    name: str
    division: str
    parent: str | None = None
    short_name: str | None = None
    time_zone: str = DEFAULT_ZONE
    requires_dpop: bool = False

    def to_json(self) -> dict[str, Any]:
        """Give every member as JSON."""
        return {
            "code": self.code,
            "name": self.name,
            "division": self.division,
            "parent": self.parent,
            "short_name": self.short_name,
            "time_zone": self.time_zone,
            "requires_dpop": self.requires_dpop,
        }


@dataclass(frozen=True, slots=True)
class Validity:
    """From which civil date to which, both included; ``valid_to`` None means long-term 长期."""

    valid_from: date
    valid_to: date | None

    def seconds(self, zone: str) -> tuple[int, int | None]:
        """Give ``nbf`` and ``exp``: 00:00 of the first day, and of the day after the last.

        Raises: InputError at the ends of the calendar, where there is no such day.
        """
        try:
            end = None if self.valid_to is None else self.valid_to + timedelta(days=1)
            return _midnight(self.valid_from, zone), None if end is None else _midnight(end, zone)
        except (OverflowError, ValueError) as error:
            raise InputError("the validity reaches beyond the calendar") from error


def _midnight(day: date, zone: str) -> int:
    return int(datetime.combine(day, time(), ZoneInfo(zone)).timestamp())


def check_time_zone(name: str) -> str:
    """Check the name of a time zone (IANA). Raises: InputError."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InputError("there is no such time zone") from error
    return name


def civil_date(moment: datetime, zone: str) -> date:
    """Give the calendar date of an instant in a time zone."""
    return moment.astimezone(ZoneInfo(zone)).date()


def end_of_day(day: date, zone: str = DEFAULT_ZONE) -> datetime:
    """Give the last second of a civil date: what ``--at 2026-03-01`` means."""
    return datetime.combine(day, time(23, 59, 59), ZoneInfo(zone))


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


def effective_status(stored: Status, exp: int | None, now: float) -> Status:
    """Compute what is shown: ended > superseded > expired > suspended > valid (design §6)."""
    if stored in {Status.VALID, Status.SUSPENDED} and exp is not None and now >= exp:
        return Status.EXPIRED
    return stored


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


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts 操作人, for which agency and client, and what for: it goes into the audit trail.

    ``agency`` None is the registry's own operator. ``scopes`` None means no limit (in-process use
    is inside the operator's trust); over HTTP it is what the token grants.
    """

    operator: str
    agency: str | None = None
    client: str | None = None
    purpose: str = ""
    matter: str = ""
    scopes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """Why an operation is done: reason, basis document 依据, and who did it."""

    reason: str
    basis: str
    operator: str


@dataclass(frozen=True, slots=True)
class Event:
    """One statement in a certificate's history: a signed act and its place in the log."""

    operation: Operation
    status: Status
    at: datetime
    reason: str
    basis: str
    operator: str
    log_index: int
    successor: str | None = None
    token: str = field(default="", repr=False)

    def to_json(self) -> dict[str, Any]:
        """Give the shape of an entry of ``history``."""
        return {
            "operation": self.operation.value,
            "status": self.status.value,
            "at": rfc3339(self.at),
            "reason": self.reason,
            "basis": self.basis,
            "operator": self.operator,
            "successor": self.successor,
            "log_index": self.log_index,
        }


# A line of words: no controls, nothing that turns the direction of writing, no leading space.
LINE = r"^[^\s\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069][^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
_LINE = re.compile(LINE)


def is_line(text: str, most: int) -> bool:
    """Tell whether a text is one line of words, of at most so many characters."""
    return len(text) <= most and _LINE.fullmatch(text) is not None


def mask_name(name: str) -> str:
    """Mask a personal name: the first character stays, the rest are stars (陈小明 → 陈**)."""
    return name[:1] + "*" * (len(name) - 1)
