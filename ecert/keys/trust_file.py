"""Reading a trust file 信任文件: version 2 says what each agency may issue; version 1 is still read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import jsonschema_rs

from ecert._encoding import parse_b64, parse_json, parse_rfc3339
from ecert.errors import EcertError, InputError
from ecert.keys.trust import (
    ClosedLog,
    Compromise,
    Snapshot,
    Trust,
    TrustedAgency,
    TrustedLog,
    TrustedRegistry,
)
from ecert.model import DEFAULT_ZONE, PAPER, Competence, check_time_zone

MAX_TRUST_BYTES = 8 << 20
_COUNT = {"type": "integer", "minimum": 0}
_TEXT, _TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": 1000}
_DAY = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}


def _object(required: str, **properties: Any) -> dict[str, Any]:
    """Describe an object that has these members and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def _list(items: Mapping[str, Any], most: int = 10_000) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": most}


_NAME = _object("name from", **{"name": _TEXT, "from": _DAY})
_MAY_ISSUE = _object(
    "type from",
    **{"type": _TEXT, "from": _DAY, "to": _DAY, "to_entry": _COUNT},
    only={"const": PAPER},
    successor=_TEXT,
)
_AGENCY_V1 = _object(
    "name anchors certificates", name=_TEXT, anchors=_TEXTS, certificates=_TEXTS, time_zone=_TEXT
)
_AGENCY_V2 = _object(
    "names anchors certificates may_issue",
    names={**_list(_NAME, 1000), "minItems": 1},
    anchors=_TEXTS,
    certificates=_TEXTS,
    time_zone=_TEXT,
    may_issue=_list(_MAY_ISSUE),
    closed_on=_DAY,
)
_LOG = _object(
    "vkey witnesses quorum",
    vkey=_TEXT,
    witnesses=_TEXTS,
    quorum=_COUNT,
    closed=_object(
        "size root", size=_COUNT, root={"type": "string", "pattern": "^[A-Za-z0-9+/]{43}=$"}
    ),
)
_RETIRED = _object("kid at", kid=_TEXT, at=_TEXT, destroyed={"type": "boolean"})
_COMPROMISED = _object("kid since log_size", kid=_TEXT, since=_TEXT, log_size=_COUNT)
_AS_OF = _object("at log size", at=_TEXT, log=_TEXT, size=_COUNT)


def _schema(version: int, agency: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    registry = _object(
        " ".join(["base_url agencies status_anchors logs", *more]),
        base_url={"type": "string", "pattern": "^https?://[a-z0-9.:\\[\\]-]+$"},
        agencies={"type": "object", "additionalProperties": agency},
        status_anchors=_TEXTS,
        logs=_list(_LOG, 1000),
        retired=_list(_RETIRED),
        compromised=_list(_COMPROMISED),
        require_log={"type": "boolean"},
        **more,
    )
    return _object("v registries", v={"const": version}, registries=_list(registry, 1000))


_VALIDATORS = {
    1: jsonschema_rs.Draft202012Validator(_schema(1, _AGENCY_V1)),
    2: jsonschema_rs.Draft202012Validator(_schema(2, _AGENCY_V2, as_of=_AS_OF)),
}


def parse_trust(data: bytes | str) -> Trust:
    """Read a trust file. Raises: InputError, naming the place that is wrong."""
    value = parse_json(data, max_bytes=MAX_TRUST_BYTES)
    version = value.get("v") if isinstance(value, dict) else None
    validator = _VALIDATORS[1 if version == 1 else 2]
    for error in validator.iter_errors(value):
        place = "/".join(map(str, error.instance_path)) or "top"
        raise InputError(f"trust file: {place}: {error.message}")
    return Trust(tuple(_registry(one) for one in value["registries"]))


def _registry(one: Mapping[str, Any]) -> TrustedRegistry:
    try:
        return TrustedRegistry(
            base_url=one["base_url"],
            agencies={code: _agency(code, item) for code, item in one["agencies"].items()},
            status_anchors=_ders(one["status_anchors"]),
            logs=tuple(map(_log, one["logs"])),
            retired={item["kid"]: parse_rfc3339(item["at"]) for item in one.get("retired", ())},
            compromised={
                item["kid"]: Compromise(parse_rfc3339(item["since"]), item["log_size"])
                for item in one.get("compromised", ())
            },
            require_log=one.get("require_log", False),
            as_of=_as_of(one["as_of"]) if "as_of" in one else None,
            kept=frozenset(
                item["kid"] for item in one.get("retired", ()) if item.get("destroyed") is False
            ),
        )
    except (EcertError, ValueError) as error:
        message = error.message if isinstance(error, EcertError) else str(error)
        raise InputError(f"trust file: {one['base_url']}: {message}") from error


def _log(item: Mapping[str, Any]) -> TrustedLog:
    closed = item.get("closed")
    return TrustedLog(
        item["vkey"],
        tuple(item["witnesses"]),
        item["quorum"],
        None if closed is None else ClosedLog(closed["size"], parse_b64(closed["root"])),
    )


def _as_of(item: Mapping[str, Any]) -> Snapshot:
    return Snapshot(parse_rfc3339(item["at"]), item["log"], item["size"])


def _agency(code: str, item: Mapping[str, Any]) -> TrustedAgency:
    listed = sorted((date.fromisoformat(one["from"]), one["name"]) for one in item.get("names", ()))
    held = item.get("may_issue")
    return TrustedAgency(
        code=code,
        name=listed[-1][1] if listed else item["name"],
        anchors=_ders(item["anchors"]),
        certificates=_ders(item["certificates"]),
        time_zone=check_time_zone(item.get("time_zone", DEFAULT_ZONE)),
        names=tuple(listed),
        may_issue=None if held is None else tuple(_competence(code, one) for one in held),
        closed_on=date.fromisoformat(item["closed_on"]) if "closed_on" in item else None,
    )


def _competence(code: str, item: Mapping[str, Any]) -> Competence:
    return Competence(
        agency=code,
        slug=item["type"],
        from_day=date.fromisoformat(item["from"]),
        to_day=date.fromisoformat(item["to"]) if "to" in item else None,
        only=item.get("only"),
        successor=item.get("successor"),
        to_entry=item.get("to_entry"),
    )


def _ders(texts: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(parse_b64(text) for text in texts)
