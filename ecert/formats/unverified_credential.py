"""Reading a credential 电子凭证 strictly: what it says, before anything of it is checked (design §6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import jsonschema_rs

from ecert._encoding import instant, sha256
from ecert.catalogue import CertificateType
from ecert.errors import InputError, TokenError
from ecert.formats._jws import CREDENTIAL, UnverifiedJws, parse_compact
from ecert.formats.sdjwt import (
    MAX_DEPTH,
    Revealed,
    UnverifiedSdJwt,
    parse_sd_jwt,
    reveal,
)
from ecert.model import Attachment, Certificate, Holder, TypeRef, Validity

MAX_CREDENTIAL_BYTES = 1 << 20
_CONCEALABLE = frozenset({"holders", "fields", "attachments"})
_TEXT = {"type": "string", "minLength": 1, "maxLength": 500}
_DATE = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "format": "date"}
_INSTANT = {"type": "integer", "minimum": 0, "maximum": 253402300799}
_CLAIMS = {
    "type": "object",
    "properties": {
        "iss": _TEXT,
        "vct": _TEXT,
        "vct#integrity": _TEXT,
        "iat": _INSTANT,
        "nbf": _INSTANT,
        "exp": _INSTANT,
        "status": {
            "type": "object",
            "properties": {
                "status_list": {
                    "type": "object",
                    "properties": {"idx": {"type": "integer", "minimum": 0}, "uri": _TEXT},
                    "required": ["idx", "uri"],
                    "additionalProperties": False,
                }
            },
            "required": ["status_list"],
            "additionalProperties": False,
        },
        "id": _TEXT,
        "number": _TEXT,
        "local_number": _TEXT,
        "project_code": _TEXT,
        "type": {
            "type": "object",
            "properties": {
                "slug": _TEXT,
                "code": _TEXT,
                "version": {"type": "integer", "minimum": 1},
                "template": _TEXT,
            },
            "required": ["slug", "code", "version"],
            "additionalProperties": False,
        },
        "issuer": {
            "type": "object",
            "properties": {"code": _TEXT, "name": _TEXT},
            "required": ["code", "name"],
            "additionalProperties": False,
        },
        "issued_on": _DATE,
        "valid_from": _DATE,
        "valid_to": _DATE,
        "supersedes": _TEXT,
        "rests_on": {"type": "array", "items": _TEXT, "maxItems": 50},
        "holders": {
            "type": "array",
            "maxItems": 100,
            "items": {
                "type": "object",
                "properties": {"code_type": _TEXT, "name": _TEXT, "code": _TEXT},
                "required": ["code_type"],
                "additionalProperties": False,
            },
        },
        "fields": {"type": "object"},
        "attachments": {
            "type": "array",
            "maxItems": 200,
            "items": {
                "type": "object",
                "properties": {
                    "name": _TEXT,
                    "media_type": _TEXT,
                    "size": {"type": "integer", "minimum": 0},
                    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                },
                "required": ["media_type", "size", "sha256"],
                "additionalProperties": False,
            },
        },
    },
    "required": [
        *("iss", "vct", "vct#integrity", "iat", "nbf", "status", "id", "number", "type"),
        *("issuer", "issued_on", "valid_from", "holders", "fields"),
    ],
    "additionalProperties": False,
}
_VALIDATOR = jsonschema_rs.Draft202012Validator(_CLAIMS, validate_formats=True)


@dataclass(frozen=True, slots=True)
class StatusRef:
    """Where a certificate's status is found: the list's address and the index in it."""

    uri: str
    index: int


@dataclass(frozen=True, slots=True)
class UnverifiedCredential:
    """A credential read strictly; its signature has not been checked.

    ``hidden`` counts digests whose disclosure was not shown.
    """

    sd_jwt: UnverifiedSdJwt
    jws: UnverifiedJws
    base: str
    certificate: Certificate
    nbf: int
    exp: int | None
    iat: int
    vct: str
    integrity: str
    status: StatusRef
    revealed: Revealed

    @property
    def hidden(self) -> int:
        """How many digests stay closed."""
        return self.revealed.hidden

    @property
    def digest(self) -> bytes:
        """The credential digest, 32 bytes."""
        return sha256(self.sd_jwt.jwt.encode("ascii"))


def parse_credential(text: str) -> UnverifiedCredential:
    """Read an SD-JWT VC of ours strictly, without checking its signature.

    Raises: TokenError when anything is malformed, missing, not allowed, or contradicts itself.
    """
    if len(text) > MAX_CREDENTIAL_BYTES:
        raise TokenError("the credential is too long")
    return read_sd_jwt(parse_sd_jwt(text))


def read_sd_jwt(sd_jwt: UnverifiedSdJwt) -> UnverifiedCredential:
    """Read an SD-JWT that was taken apart, as ``parse_credential`` does. Raises: TokenError."""
    if sd_jwt.key_binding is not None:
        raise TokenError("key binding is not used here")
    jws = parse_compact(sd_jwt.jwt, typ=CREDENTIAL)
    payload = jws.unverified_claims()
    _check_clear(payload)
    revealed = reveal(payload, sd_jwt.disclosures)
    claims = revealed.claims
    if not _VALIDATOR.is_valid(claims):
        raise TokenError(_first_fault(claims))
    if not all(path[0] in _CONCEALABLE and len(path) > 1 for path, _ in revealed.places):
        raise TokenError("a claim that must be clear was disclosed")
    return _to_unverified(sd_jwt, jws, revealed)


def _check_clear(payload: Mapping[str, Any]) -> None:
    """Refuse a digest where everything must be clear: whoever withholds it could hide an expiry."""
    if "_sd" in payload:
        raise TokenError("a claim that must be clear is hidden")
    for name, value in payload.items():
        if name != "fields" and isinstance(value, (dict, list)):
            _check_branch(name, value, depth=1)


def _check_branch(name: str, value: dict[str, Any] | list[Any], *, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TokenError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, list):
        if name not in _CONCEALABLE and any(isinstance(item, (dict, list)) for item in value):
            raise TokenError("a claim that must be clear is hidden")
        if any(isinstance(item, dict) and "..." in item for item in value):
            raise TokenError("a holder or an attachment is hidden as a whole")
        return
    if name in _CONCEALABLE:
        raise TokenError("holders and attachments are lists")
    if "_sd" in value or "..." in value:
        raise TokenError("a claim that must be clear is hidden")
    for inner in value.values():
        if isinstance(inner, (dict, list)):
            _check_branch(name, inner, depth=depth + 1)


def _first_fault(claims: Any) -> str:
    error = next(_VALIDATOR.iter_errors(claims))
    place = "/".join(map(str, error.instance_path)) or "top"
    return f"the credential breaks the rule {error.kind.name} at {place}"


def _to_unverified(
    sd_jwt: UnverifiedSdJwt, jws: UnverifiedJws, revealed: Revealed
) -> UnverifiedCredential:
    claims = revealed.claims
    status = claims["status"]["status_list"]
    whole = (claims["iat"], claims["nbf"], claims.get("exp", 0), status["idx"])
    if any(type(number) is not int for number in (*whole, claims["type"]["version"])):
        raise TokenError("a whole number is written with a fraction")  # JSON Schema allows 5.0
    return UnverifiedCredential(
        sd_jwt=sd_jwt,
        jws=jws,
        base=_base_of(claims),
        certificate=_certificate_of(claims),
        nbf=claims["nbf"],
        exp=claims.get("exp"),
        iat=claims["iat"],
        vct=claims["vct"],
        integrity=claims["vct#integrity"],
        status=StatusRef(status["uri"], status["idx"]),
        revealed=revealed,
    )


def _base_of(claims: Mapping[str, Any]) -> str:
    """Find the registry's origin; issuer, type and status must all lie below it."""
    base, separator, code = claims["iss"].partition("/agencies/")
    kind = claims["type"]
    vct = f"{base}/types/{kind['slug']}/v{kind['version']}"
    uri = claims["status"]["status_list"]["uri"]
    if not separator or code != claims["issuer"]["code"] or claims["vct"] != vct:
        raise TokenError("issuer, type and address contradict each other")
    if not uri.startswith(base + "/"):
        raise TokenError("the status list lies outside the registry")
    return str(base)


def _certificate_of(claims: Mapping[str, Any]) -> Certificate:
    try:
        return _to_certificate(claims)
    except (ValueError, InputError) as error:
        raise TokenError("the credential has a date that does not exist") from error


def _to_certificate(claims: Mapping[str, Any]) -> Certificate:
    kind, end = claims["type"], claims.get("valid_to")
    return Certificate(
        id=claims["id"],
        number=claims["number"],
        local_number=claims.get("local_number"),
        type=TypeRef(kind["slug"], kind["code"], kind["version"], kind.get("template")),
        issuer_code=claims["issuer"]["code"],
        issuer_name=claims["issuer"]["name"],
        holders=tuple(
            Holder(one.get("name", ""), one.get("code", ""), one["code_type"])
            for one in claims["holders"]
        ),
        project_code=claims.get("project_code"),
        fields=claims["fields"],
        issued_on=date.fromisoformat(claims["issued_on"]),
        validity=Validity(
            date.fromisoformat(claims["valid_from"]),
            None if end is None else date.fromisoformat(end),
        ),
        created_at=instant(claims["iat"]),
        supersedes=claims.get("supersedes"),
        rests_on=tuple(claims.get("rests_on", ())),
        attachments=tuple(
            Attachment(one.get("name", ""), one["media_type"], one["size"], one["sha256"])
            for one in claims.get("attachments", ())
        ),
    )


def check_fields(certificate: Certificate, kind: CertificateType, *, is_whole: bool) -> None:
    """Check a credential's disclosed fields against their type.

    Raises: TokenError naming the first place that does not fit, never its value.
    """
    validator = kind.fields_validator if is_whole else kind.partial_validator
    if not validator.is_valid(dict(certificate.fields)):
        error = next(validator.iter_errors(dict(certificate.fields)))
        place = "/".join(map(str, error.instance_path)) or "fields"
        raise TokenError(f"{place} does not fit the type ({error.kind.name})")
