"""What anybody may fetch: types, keys, trust, and how the service stands."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from ecert_api.bodies._common import Bilingual, Object, Shape, WholeListing


class ListedTypeShape(Shape):
    """A certificate type in the list of them."""

    slug: str
    version: int
    state: str
    name: Bilingual
    code: str
    vct: str
    rests_on: list[str]


ListedTypes = WholeListing[ListedTypeShape]


class TypeMetadataShape(Shape):
    """SD-JWT VC Type Metadata; ``ecert`` has the whole definition."""

    vct: str
    name: str
    description: str
    display: list[dict[str, str]]
    claims: list[Object]
    ecert: Object


class JwkShape(Shape):
    """A public key (RFC 7517), with its role and state."""

    model_config = ConfigDict(extra="allow")  # what its kind needs: crv, x, y

    kty: str
    kid: str
    alg: str
    use: Literal["sig"]
    role: str
    agency: str | None
    state: str
    x5c: list[str] | None = None


class JwksShape(Shape):
    """A JWK set."""

    keys: list[JwkShape]


class IssuerMetadataShape(Shape):
    """One agency's keys (SD-JWT VC issuer metadata)."""

    issuer: str
    jwks: JwksShape


class AuthorizationServerShape(Shape):
    """The token endpoint (RFC 8414)."""

    issuer: str
    token_endpoint: str
    grant_types_supported: list[str]
    response_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    token_endpoint_auth_signing_alg_values_supported: list[str]
    scopes_supported: list[str]


class NamedShape(Shape):
    """What an agency is called from a day on."""

    name: str
    from_day: str = Field(alias="from")


class MayIssueShape(Shape):
    """A competence: which type an agency may issue, from which day to which, both included."""

    slug: str = Field(alias="type")
    from_day: str = Field(alias="from")
    to_day: str | None = Field(default=None, alias="to")
    to_entry: int | None = None
    only: Literal["paper"] | None = None
    successor: str | None = None


class TrustedAgencyShape(Shape):
    """An agency in a trust file; certificates are DER in base64."""

    names: list[NamedShape]
    anchors: list[str]
    certificates: list[str]
    time_zone: str | None = None
    may_issue: list[MayIssueShape]
    closed_on: str | None = None


class AsOfShape(Shape):
    """Of when the register in a trust file is: the log's newest entry."""

    at: str
    log: str
    size: int


class TrustedLogShape(Shape):
    """A log in a trust file."""

    vkey: str
    witnesses: list[str]
    quorum: int


class RetiredShape(Shape):
    """A key that was retired."""

    kid: str
    at: str
    destroyed: bool | None = None


class CompromisedShape(Shape):
    """A key that is in wrong hands."""

    kid: str
    since: str
    log_size: int


class TrustedRegistryShape(Shape):
    """A registry in a trust file."""

    base_url: str
    agencies: dict[str, TrustedAgencyShape]
    status_anchors: list[str]
    logs: list[TrustedLogShape]
    retired: list[RetiredShape]
    compromised: list[CompromisedShape]
    require_log: bool
    as_of: AsOfShape


class TrustShape(Shape):
    """A trust file."""

    v: Literal[2]
    registries: list[TrustedRegistryShape] = Field(min_length=1)


class LiveShape(Shape):
    """That the process runs."""

    status: Literal["live"]


class UnprovenShape(Shape):
    """A right that ended while the agency's key stayed: only receipts prove when it issued."""

    agency: str
    type: str
    to: str


class CheckShape(Shape):
    """When everything stored was last held against everything signed, and how many faults there were."""

    scope: Literal["all", "nightly"]
    finished_at: str
    found: int


class ReadyShape(Shape):
    """That the service can do its work; ``unproven`` lists rights that ended without a new key.

    ``mirrors`` is how many folders get each checkpoint: with none, PostgreSQL put back goes unnoticed.
    """

    status: Literal["ready"]
    log_size: int
    unproven: list[UnprovenShape]
    check: CheckShape | None
    mirrors: int
