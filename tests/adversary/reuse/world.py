"""One project with its eight certificates, the departments around it, and what a refusal may not do."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from sqlalchemy import select

from ecert.demo import MARKET, REFORM
from ecert.errors import IdentifierError
from ecert.ids import check_credit_code
from ecert.ledger.rules import Mode
from ecert.model import Actor, Record
from ecert.registry import Registry
from ecert.reuse.sharing import new_rule
from ecert.store import tables, trees
from ecert.testing import SettableClock
from tests.api.conftest import Portal, System, Systems, enrol, jwk_of, refused
from tests.conftest import CONSTRUCTION, PLANNING
from tests.oidc.provider import ACCOUNTS, ENTERPRISE, HIGH, PERSON, Provider

MATTER = "HD-ZJ-01"  # 建筑工程施工许可证核发, of the construction bureau
FILING = "HD-ZJ-02"  # of the construction bureau too, and no rule opens anything for it
LAND = "HD-GH-02"  # of the planning bureau
CASE = "civil-defence"
BASIS = "国务院令第716号第七条"
A_CODE = ACCOUNTS[ENTERPRISE]["credit_code"]
A_NAME = ACCOUNTS[ENTERPRISE]["name"]
B_CODE = ACCOUNTS[PERSON]["resident_number"]
B_NAME = ACCOUNTS[PERSON]["name"]
NOBODY = "91440114MA0000020B"  # holds nothing at all
CLERK = Actor("王五", purpose="测试")
READ = ("certificates:read",)
READERS = {"zj": CONSTRUCTION, "gh": PLANNING, "fg": REFORM, "sc": MARKET}  # by their initials
IDP = "https://idp.example"
LICENCE = {"business-licence": ["holders.name"]}
Json = dict[str, Any]
WATCHED = (  # everything but assertions, salts of the trail, and the trail itself
    *("agencies", "clients", "client_keys", "webhooks", "matters", "sharing_rules", "usage"),
    *(
        "identity_providers",
        "grant_requests",
        "grants",
        "delegations",
        "dossiers",
        "dossier_items",
        "objections",
    ),
    *("certificates", "holders", "statements", "copies"),
)


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def un_b64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def texts(value: Any) -> Iterator[str]:
    """Give every text inside a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


@dataclass(frozen=True)
class Hall:
    """An identity provider in our own hands: what it signs has a good signature and any claims."""

    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    def jwks(self) -> Json:
        public = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "own", "use": "sig"}]}

    def claims(self, now: int, **changes: Any) -> Json:
        claims = {
            "iss": IDP,
            "aud": "online-hall",
            "sub": "somebody",
            "acr": HIGH,
            "credit_code": A_CODE,
            "iat": now,
            "exp": now + 600,
            "auth_time": now,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, now: int, **changes: Any) -> str:
        return jwt.encode(
            self.claims(now, **changes), self.key, algorithm="RS256", headers={"kid": "own"}
        )


@dataclass(frozen=True)
class Look:
    """What stood in the registry at one moment."""

    rows: Mapping[str, list[str]]
    audit: int
    log: int
    lines: int


def enrol_readers(registry: Registry) -> Systems:
    """Register one system of each of four departments."""
    return {name: enrol(registry, one.code, READ) for name, one in READERS.items()}


class World:
    """The service, the real identity provider, and the systems of four departments."""

    def __init__(
        self,
        desk: Portal,
        clock: SettableClock,
        oidc: Provider,
        records: Mapping[str, Record],
        lines: io.StringIO,
    ) -> None:
        self.desk, self.clock, self.oidc = desk, clock, oidc
        self.records, self.lines = records, lines
        self.registry: Registry = desk.registry
        self.zj, self.gh, self.fg, self.sc = (desk.systems[name] for name in READERS)

    # -- calls

    def call(
        self,
        who: System | None,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Make one request with a fresh token, or with the headers given."""
        sent = dict(headers or {})
        if who is not None and "Authorization" not in sent:
            sent |= self.desk.bearer(who)
        members: Json = {} if body is None else {"json": body}
        return self.desk.send(method, path, headers=sent, **members)

    def fulfil(
        self, who: System | None = None, matter: str = MATTER, **body: Any
    ) -> httpx.Response:
        """Ask for a dossier; None leaves a member out."""
        return self.apply("dossiers", who, matter, **body)

    def checklist(
        self, who: System | None = None, matter: str = MATTER, **body: Any
    ) -> httpx.Response:
        return self.apply("checklist", who, matter, **body)

    def apply(
        self, what: str, who: System | None = None, matter: str = MATTER, **body: Any
    ) -> httpx.Response:
        headers = body.pop("headers", None)
        return self.call(
            who or self.zj, "POST", f"/v1/matters/{matter}/{what}", application(**body), headers
        )

    def given(self, who: System | None = None, matter: str = MATTER, **body: Any) -> Json:
        """Get a dossier."""
        self.registry.log.publish()  # the background publisher does not run here
        answer = self.fulfil(who, matter, **body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    # -- grants

    def request(self, who: System | None = None, matter: str = MATTER, **body: Any) -> Json:
        """Fix what a holder will be asked."""
        answer = self.call(
            who or self.zj, "POST", "/v1/grants/requests", {"matter": matter, **body}
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def sign_in(self, sub: str = ENTERPRISE, nonce: str | None = None, **more: Any) -> str:
        return self.oidc.sign_in(sub, nonce=nonce, **{"at": self.clock(), **more})

    def agree(
        self, request: Json, who: System | None = None, sub: str = ENTERPRISE, **body: Any
    ) -> httpx.Response:
        """Hand in a holder's consent: by default his sign-in for this very request."""
        if not {"id_token", "use_code"} & body.keys():
            body["id_token"] = self.sign_in(sub, request["nonce"])
        return self.call(who or self.zj, "POST", "/v1/grants", {"request": request["id"], **body})

    def grant(
        self,
        who: System | None = None,
        matter: str = MATTER,
        sub: str = ENTERPRISE,
        **body: Any,
    ) -> str:
        answer = self.agree(self.request(who, matter, **body), who, sub)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def holder(self, sub: str = ENTERPRISE) -> dict[str, str]:
        """Sign a holder in for himself."""
        return {"Authorization": f"Bearer {self.sign_in(sub)}"}

    def use_code(self, request: Json, sub: str = ENTERPRISE, **body: Any) -> Json:
        answer = self.call(
            None, "POST", "/v1/me/use-codes", {"request": request["id"], **body}, self.holder(sub)
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def delegation(self, *, sub: str = ENTERPRISE, agent: str = B_CODE, **body: Any) -> str:
        until = (self.clock().date() + timedelta(days=10)).isoformat()
        wish = {"agent_code": agent, "until": until, **body}
        answer = self.call(None, "POST", "/v1/me/delegations", wish, self.holder(sub))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["items"][0]["id"])

    # -- rules

    def rule(self, slug: str = "business-licence", **wishes: Any) -> str:
        """Add a sharing rule for the construction bureau and its permit."""
        wish = {"agency": CONSTRUCTION.code, "matter": MATTER, "legal_basis": BASIS, **wishes}
        return self.registry.rules.add(new_rule(slug, **wish), by=CLERK).id

    def only_with_consent(self) -> None:
        """Open what the construction permit asks for only to whoever has the holder's consent."""
        for slug in sorted(self.registry.matters.get(MATTER, by=CLERK).slugs):
            self.rule(slug, mode=Mode.CONDITIONAL)

    def withdraw_rules(self) -> None:
        for one in self.registry.rules.all(by=CLERK):
            self.registry.rules.end(one.id, by=CLERK)

    # -- what a refusal may not do

    def look(self) -> Look:
        """See what stands in the registry."""
        with self.registry.store.reading() as reading:
            rows = {}
            for name in WATCHED:
                columns = [c for c in tables.metadata.tables[name].c if c.name != "tries"]
                rows[name] = sorted(map(repr, reading.connection.execute(select(*columns))))
            log = trees.head(reading).size
        return Look(rows, len(self.desk.audit()), log, len(self.lines.getvalue()))

    def audit_since(self, before: Look) -> list[Json]:
        return self.desk.audit()[before.audit :]

    def refuse(
        self,
        call: Callable[[], httpx.Response],
        status: int,
        code: str,
        *,
        by: System | None = None,
        secret: str | tuple[str, ...] = (),
    ) -> httpx.Response:
        """Demand a refusal with its code that tells nothing, changes nothing, and is in the trail.

        ``by`` is whose refusal the trail must hold; ``secret`` what was entered beside.
        """
        before = self.look()
        answer = call()
        refused(answer, status, code)
        self.told_nothing(before, answer, secret)
        after = self.look()
        assert {name: after.rows[name] for name in WATCHED} == before.rows
        assert after.log == before.log
        if by is not None:
            rows = [one for one in self.audit_since(before) if one["outcome"] == code]
            assert [(one["agency"], one["client"]) for one in rows] == [(by.agency, by.id)], (
                f"the trail holds {[one['outcome'] for one in self.audit_since(before)]}"
            )
        made = {"document.make"}  # a file is drawn and kept, and not given
        rows = [one for one in self.audit_since(before) if one["action"] not in made]
        assert all(one["outcome"] != "done" for one in rows), "a row says done"
        self.registry.trail.check()
        return answer

    def told_nothing(
        self, before: Look, answer: httpx.Response, secret: str | tuple[str, ...] = ()
    ) -> None:
        """Hold answer, log lines and trail to what they may say."""
        entered = (secret,) if isinstance(secret, str) else secret
        said = answer.text + str(answer.headers)
        plain = {*self.personal(), *entered}
        for text in {*plain, *self.facts()}:
            assert text not in said, f"the answer tells {text}"
            assert ascii(text)[1:-1] not in said, "the answer tells"
        lines, trail = self.lines.getvalue()[before.lines :], repr(self.audit_since(before))
        for text in plain:
            assert text not in lines, f"a log line tells {text}"
            assert text not in trail, f"the trail tells {text}"

    def personal(self) -> set[str]:
        """Name every holder's name and code."""
        held = [one for record in self.records.values() for one in record.body["holders"]]
        return {one[name] for one in held for name in ("name", "code")} | {A_CODE, B_CODE, NOBODY}

    def facts(self) -> set[str]:
        """Name what certificates say: numbers, identifiers and values."""
        found: set[str] = set()
        for record in self.records.values():
            found |= {record.id, record.body["number"]}
            values = texts(record.body["fields"])
            found |= {one for one in values if len(one) >= 4 and not one.isascii()}
        return found

    def check(self) -> None:
        """Recompute the trail, and look for names and codes in each of its rows."""
        self.registry.trail.check()
        rows = json.dumps(self.desk.audit(), ensure_ascii=False, default=str)
        for text in self.personal():
            assert text not in rows, "the trail names somebody"

    # -- DPoP

    def proof(
        self,
        key: Any,
        method: str,
        path: str,
        token: str | None = None,
        *,
        headers: Mapping[str, Any] | None = None,
        signer: Any = None,
        **changes: Any,
    ) -> str:
        """Make a DPoP proof (RFC 9449 §4.2), with some claims changed; None leaves one out."""
        claims: Json = {
            "htm": method,
            "htu": f"{self.desk.base}{path}",
            "iat": self.desk.now(),
            "jti": secrets.token_urlsafe(16),
        }
        if token is not None:
            claims["ath"] = b64url(hashlib.sha256(token.encode()).digest())
        claims = {k: v for k, v in {**claims, **changes}.items() if v is not None}
        head = {"typ": "dpop+jwt", "jwk": jwk_of(key), **(headers or {})}
        return jwt.encode(claims, signer or key, algorithm="ES256", headers=head)

    def bound_token(self, who: System, key: Any) -> str:
        """Get an access token that is bound to a key."""
        answer = self.ask_bound_token(who, self.proof(key, "POST", "/oauth/token"))
        assert answer.status_code == 200, answer.text
        assert answer.json()["token_type"] == "DPoP"
        return str(answer.json()["access_token"])

    def ask_bound_token(self, who: System, *proofs: str) -> httpx.Response:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": who.assertion(),
        }
        headers = [("DPoP", one) for one in proofs]
        return self.desk.send("POST", "/oauth/token", data=form, headers=headers)


def application(**body: Any) -> Json:
    """Write a good application, with members changed; None leaves one out."""
    full: Json = {
        "holder_code": A_CODE,
        "case_number": "花建受〔2026〕1号",
        "operator": "李四",
        **body,
    }
    return {name: value for name, value in full.items() if value is not None}


def credit_code(stem: str) -> str:
    """Find the check character of an agency's code (GB 32100)."""
    for last in "0123456789ABCDEFGHJKLMNPQRTUWXY":
        with suppress(IdentifierError):
            return check_credit_code(stem + last)
    raise AssertionError(stem)
