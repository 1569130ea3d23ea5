"""Certificate ⇄ credential: the signed form of a certificate, an SD-JWT VC (design §6).

Issuing is two steps that cannot be swapped: :func:`prepare` assembles, reads its own work back
with the strict reader and compares; :func:`sign` takes only what ``prepare`` made, and only once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ecert._encoding import Randomness, b64url, sha256, to_json
from ecert.catalogue import CertificateType
from ecert.errors import TokenError
from ecert.formats._jws import CREDENTIAL, sign_jws
from ecert.formats.sdjwt import (
    Concealer,
    UnverifiedSdJwt,
)
from ecert.formats.unverified_credential import StatusRef, read_sd_jwt
from ecert.keys import Signer
from ecert.model import Certificate


@dataclass
class Prepared:
    """A credential that was assembled and read back; it can be signed once."""

    payload: bytes
    disclosures: tuple[str, ...]
    _is_used: bool = field(default=False, init=False, repr=False)

    def take(self) -> tuple[bytes, tuple[str, ...]]:
        """Hand the content to the signature, once. Raises: TokenError the second time."""
        if self._is_used:
            raise TokenError("this credential was signed already")
        self._is_used = True
        return self.payload, self.disclosures


@dataclass(frozen=True, slots=True)
class Credential:
    """A signed credential: ``text`` is the SD-JWT, ``digest`` names it for ever."""

    text: str
    jwt: str

    @property
    def digest(self) -> bytes:
        """SHA-256 of the issuer-signed JWT in ASCII, signature included, 32 bytes."""
        return sha256(self.jwt.encode("ascii"))


def prepare(
    certificate: Certificate,
    kind: CertificateType,
    *,
    base: str,
    status: StatusRef,
    zone: str,
    randomness: Randomness = os.urandom,
) -> Prepared:
    """Assemble a credential, read it back with the strict reader, and compare (lint before sign).

    Raises: TokenError when what would be signed does not read back as the certificate.
    """
    concealer = Concealer(randomness)
    claims = _claims(certificate, kind, base=base, status=status, zone=zone)
    claims |= _concealed(certificate, kind, concealer)
    prepared = Prepared(to_json(claims), tuple(concealer.disclosures))
    _lint(prepared, certificate, status)
    return prepared


def _claims(
    certificate: Certificate, kind: CertificateType, *, base: str, status: StatusRef, zone: str
) -> dict[str, Any]:
    validity = certificate.validity
    nbf, exp = validity.seconds(zone)
    ref = certificate.type
    shown = {
        "iss": issuer_address(base, certificate.issuer_code),
        "vct": kind.vct(base),
        "vct#integrity": kind.integrity(base),
        "iat": int(certificate.created_at.timestamp()),
        "nbf": nbf,
        "exp": exp,
        "status": {"status_list": {"idx": status.index, "uri": status.uri}},
        "id": certificate.id,
        "number": certificate.number,
        "local_number": certificate.local_number,
        "project_code": certificate.project_code,
        "type": _present(slug=ref.slug, code=ref.code, version=ref.version, template=ref.template),
        "issuer": {"code": certificate.issuer_code, "name": certificate.issuer_name},
        "issued_on": certificate.issued_on.isoformat(),
        "valid_from": validity.valid_from.isoformat(),
        "valid_to": validity.valid_to.isoformat() if validity.valid_to else None,
        "supersedes": certificate.supersedes,
        "rests_on": list(certificate.rests_on) or None,
        "_sd_alg": "sha-256",
    }
    return _present(**shown)


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _concealed(
    certificate: Certificate, kind: CertificateType, concealer: Concealer
) -> dict[str, Any]:
    holders = [
        {"code_type": holder.code_type}
        | concealer.members({"name": holder.name, "code": holder.code})
        for holder in certificate.holders
    ]
    fields = {
        name: _conceal_list(value, kind.lists[name], concealer) if name in kind.lists else value
        for name, value in certificate.fields.items()
    }
    claims = {"holders": holders, "fields": concealer.members(fields)}
    if certificate.attachments:
        claims["attachments"] = [
            {"media_type": one.media_type, "size": one.size, "sha256": one.sha256}
            | concealer.members({"name": one.name})
            for one in certificate.attachments
        ]
    return claims


def _conceal_list(
    value: Iterable[Mapping[str, Any]], personal: frozenset[str], concealer: Concealer
) -> list[dict[str, str]]:
    """Hide each element of a list, and inside it each personal member (RFC 9901 §4.2.6)."""
    elements = []
    for item in value:
        clear = {name: member for name, member in item.items() if name not in personal}
        hidden = {name: member for name, member in item.items() if name in personal}
        elements.append(concealer.element(clear | concealer.members(hidden) if hidden else clear))
    return elements


# The lint's stand-ins for what only the signer can give.
_DUMMY_HEADER = b64url(to_json({"alg": "ES256", "typ": CREDENTIAL}))
_DUMMY_SIGNATURE = b64url(bytes(64))


def _lint(prepared: Prepared, certificate: Certificate, status: StatusRef) -> None:
    jwt = f"{_DUMMY_HEADER}.{b64url(prepared.payload)}.{_DUMMY_SIGNATURE}"
    read = read_sd_jwt(UnverifiedSdJwt(jwt, prepared.disclosures))
    if read.certificate != certificate or read.status != status or read.hidden:
        raise TokenError("what would be signed does not read back as the certificate")


def sign(prepared: Prepared, signer: Signer, chain: tuple[bytes, ...]) -> Credential:
    """Sign a prepared credential: the only place where a credential is signed.

    ``chain`` is DER, leaf first, without the anchor.
    """
    payload, disclosures = prepared.take()
    jwt = sign_jws(payload, signer, typ=CREDENTIAL, chain=chain)
    return Credential(str(UnverifiedSdJwt(jwt, disclosures)), jwt)


def issuer_address(base: str, code: str) -> str:
    """Give the address that names an agency as an issuer (``iss``)."""
    return f"{base}/agencies/{code}"
