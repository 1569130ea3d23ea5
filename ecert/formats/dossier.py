"""A dossier 用证卷宗: what one department was given for one case, on what strength, signed.

The statement (``ecert-dossier+jwt``, registry key) stays with the department and can be checked by
anybody later. It names no holder: a salted commitment stands in his place, and whoever knows code
and salt can open it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecert._encoding import b64url, canonical_plain, sha256, to_json
from ecert.errors import InputError, SignatureError, TokenError
from ecert.formats._jws import (
    CHANGES,
    DOSSIER,
    UnverifiedJws,
    parse_compact,
    seconds_claim,
    sign_jws,
    text_claim,
    verify_jws,
)
from ecert.formats.receipt import commitment
from ecert.keys import SigningKey, Trust

MAX_GIVEN = 100


@dataclass(frozen=True, slots=True)
class Given:
    """One certificate in a dossier: for which material, which fields of it, and on what strength.

    ``presentation`` is the SHA-256 (base64url) of the SD-JWT as it was handed over.
    """

    material: str
    certificate: str
    credential_digest: str
    fields: tuple[str, ...]
    presentation: str
    basis: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Give the shape inside the statement."""
        return {
            "material": self.material,
            "certificate": self.certificate,
            "credential_digest": self.credential_digest,
            "fields": list(self.fields),
            "presentation_digest": self.presentation,
            "basis": dict(self.basis),
        }


@dataclass(frozen=True, slots=True)
class Dossier:
    """What a dossier statement says; ``made_at`` in Unix seconds.

    ``holder`` is the commitment to the holder's code, None where only a project was named.
    """

    id: str
    revision: int
    made_at: int
    agency: str
    client: str | None
    operator: str
    matter: str
    matter_version: int
    case_number: str
    situation: str | None
    holder: str | None
    project_code: str | None
    states: Mapping[str, str]
    given: tuple[Given, ...]
    received_by: str | None = None

    def claims(self, base: str) -> dict[str, Any]:
        """Give the claims of the statement."""
        return {
            "iss": base,
            "jti": f"{self.id}.{self.revision}",
            "iat": self.made_at,
            "agency": self.agency,
            **({} if self.received_by is None else {"received_by": self.received_by}),
            "client": self.client,
            "operator": self.operator,
            "matter": {"code": self.matter, "version": self.matter_version},
            "situation": self.situation,
            "case_number": self.case_number,
            "holder": self.holder,
            "project_code": self.project_code,
            "materials": dict(self.states),
            "given": [one.to_json() for one in self.given],
        }


def holder_commitment(salt: bytes, code: str) -> str:
    """Commit to a holder's code: base64url SHA-256(salt16 ‖ canonical ``{"holder": code}``)."""
    return commitment(salt, canonical_plain({"holder": code}))


def presentation_digest(presentation: str) -> str:
    """Name a presentation as it was handed over: base64url SHA-256 of its ASCII."""
    return b64url(sha256(presentation.encode("utf-8", "replace")))  # what is not ASCII fits nothing


def asked_digest(
    *, holder_hmac: bytes | None, project_code: str | None, situation: str | None, fields: Any
) -> bytes:
    """Name by a digest for whom and what was asked; grant and days may be others next time."""
    asked = {
        "holder": None if holder_hmac is None else holder_hmac.hex(),
        "project": project_code,
        "situation": situation,
        "fields": None if fields is None else {k: sorted(v) for k, v in fields.items()},
    }
    return sha256(canonical_plain(asked))


def outcome_digest(given: Sequence[Given], states: Mapping[str, str], version: int) -> bytes:
    """Name by a digest what was given, of which version of the matter, and how all materials stood."""
    outcome = {
        "given": [one.to_json() for one in given],
        "states": dict(states),
        "version": version,
    }
    return sha256(canonical_plain(outcome))


def sign_dossier(dossier: Dossier, key: SigningKey, *, base: str) -> str:
    """Sign a dossier statement with the registry's key."""
    return sign_jws(to_json(dossier.claims(base)), key.signer, typ=DOSSIER, chain=key.chain)


def parse_dossier(token: str) -> tuple[UnverifiedJws, str, Dossier]:
    """Take a dossier statement apart; give the JWS, its ``iss`` and what it says, unverified.

    Raises: TokenError.
    """
    jws = parse_compact(token, typ=DOSSIER)
    claims = jws.unverified_claims()
    try:
        return jws, text_claim(claims, "iss"), _to_dossier(claims)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TokenError("the dossier statement is malformed") from error


def verify_dossier(
    token: str,
    trust: Trust,
    *,
    presentations: Sequence[str] | None = None,
    holder: tuple[bytes, str] | None = None,
) -> Dossier:
    """Check a dossier statement: its signature, and that it speaks of exactly these presentations.

    ``presentations`` None leaves those out. ``holder`` is the salt and code that open its
    commitment. Whether the certificates are good is for ``verify`` to say of each presentation.
    Raises: TokenError, SignatureError.
    """
    jws, issuer, dossier = parse_dossier(token)
    _verify_registry(jws, issuer, dossier.made_at, trust)
    if presentations is not None:
        handed_over = sorted(presentation_digest(one) for one in presentations)
        if handed_over != sorted(one.presentation for one in dossier.given):
            raise SignatureError("the statement is of other presentations")
    if holder is not None and not hmac.compare_digest(
        holder_commitment(*holder), dossier.holder or ""
    ):
        raise SignatureError("the statement is for another holder")
    return dossier


def sign_changes(
    base: str, client: str, items: Sequence[Mapping[str, Any]], key: SigningKey, *, now: int
) -> str:
    """Sign what a webhook tells a client (``ecert-changes+jwt``, registry key)."""
    claims = {"iss": base, "aud": client, "iat": now, "items": [dict(one) for one in items]}
    return sign_jws(to_json(claims), key.signer, typ=CHANGES, chain=key.chain)


def verify_changes(token: str, trust: Trust, *, client: str) -> Sequence[Mapping[str, Any]]:
    """Check what a webhook told, and that it was told to this client; give the changes.

    Raises: TokenError, SignatureError.
    """
    jws = parse_compact(token, typ=CHANGES)
    claims = jws.unverified_claims()
    issuer, at, items = claims.get("iss"), claims.get("iat"), claims.get("items")
    if not isinstance(issuer, str) or type(at) is not int or not isinstance(items, list):
        raise TokenError("the changes are malformed")
    _verify_registry(jws, issuer, at, trust)
    if claims.get("aud") != client:
        raise SignatureError("these changes were told to another client")
    return items


def _verify_registry(jws: UnverifiedJws, issuer: str, at: int, trust: Trust) -> None:
    registry = trust.find(issuer)
    if registry is None:
        raise SignatureError("the registry is not in the trust file")
    try:
        key = registry.registry_key(jws.header.chain, at)
        verify_jws(jws, key.key)
    except InputError as error:
        raise SignatureError("the statement's chain is malformed") from error
    registry.require_good(key, at)


def _to_dossier(claims: Mapping[str, Any]) -> Dossier:
    identifier, _, revision = text_claim(claims, "jti").partition(".")
    given = claims["given"]
    if not isinstance(given, list) or len(given) > MAX_GIVEN:
        raise TypeError("given is a list")
    return Dossier(
        id=identifier,
        revision=int(revision),
        made_at=seconds_claim(claims, "iat"),
        agency=text_claim(claims, "agency"),
        client=_optional(claims, "client"),
        operator=text_claim(claims, "operator"),
        matter=text_claim(claims["matter"], "code"),
        matter_version=int(claims["matter"]["version"]),
        case_number=text_claim(claims, "case_number"),
        situation=_optional(claims, "situation"),
        holder=_optional(claims, "holder"),
        project_code=_optional(claims, "project_code"),
        states=dict(claims["materials"]),
        given=tuple(_to_given(one) for one in given),
        received_by=text_claim(claims, "received_by") if "received_by" in claims else None,
    )


def _to_given(one: Mapping[str, Any]) -> Given:
    return Given(
        material=text_claim(one, "material"),
        certificate=text_claim(one, "certificate"),
        credential_digest=text_claim(one, "credential_digest"),
        fields=tuple(map(str, one["fields"])),
        presentation=text_claim(one, "presentation_digest"),
        basis=dict(one["basis"]),
    )


def _optional(claims: Mapping[str, Any], name: str) -> str | None:
    return None if claims[name] is None else text_claim(claims, name)
