"""A real server on the loopback, and departments' systems that call it with keys of their own.

The callers are independent of the product: their assertions are plain PyJWT, their requests
plain httpx. ``portal`` is the running service on a real clock, shared by the whole run; ``desk``
is a service of its own for one test, in this process, with a clock that can be set and without
the background publisher.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import logging
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import jwt
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from fastapi import FastAPI
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
from sqlalchemy import func, select

from ecert.catalogue import Catalogue
from ecert.config import Plan, Surroundings, init_registry
from ecert.model import Agency
from ecert.registry import Registry, new_rule
from ecert.store import tables, trees
from ecert.testing import SettableClock
from ecert_api import create_app
from tests.api import answers
from tests.conftest import (
    CLERK,
    CONSTRUCTION,
    EVERY_TYPE,
    PATIENCE,
    PLANNING,
    WORKS,
    copy_home,
    trail_rows,
)

RURAL = "rural-construction-planning-permit"
SITING = "project-siting-opinion"  # its validity is three years, so it can expire
PERMIT = "construction-permit"
JSON, CREDENTIAL, PROBLEM = "application/json", "application/dc+sd-jwt", "application/problem+json"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PURPOSE, MATTER, OPERATOR = "施工许可审批", "建筑工程施工许可证核发", "李四"
GROUNDS = {
    "X-Purpose": quote(PURPOSE),
    "X-Matter": quote(MATTER),
    "X-Operator": quote(OPERATOR),
}
REASONS = {"reason": "申请人申请", "basis": "穗规划资源〔2026〕1号", "operator": "赵六"}
EVERYTHING = ("certificates:issue", "certificates:operate", "certificates:read")
TIMEOUT = PATIENCE

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Send = Callable[..., httpx.Response]


AUDIT_OFFICE = Agency("11440114MA0000101H", "花都区审计局（演示）", "440114")  # reads by a rule


# -- departments' systems -----------------------------------------------------------------------


def make_key(alg: str = "ES256") -> PrivateKey:
    """Make a private key, as a department would do on its own machine."""
    if alg == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def jwk_of(key: PrivateKey) -> dict[str, Any]:
    """Write the public half of a key as a JWK."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return dict(OKPAlgorithm.to_jwk(key.public_key(), as_dict=True))
    return dict(ECAlgorithm.to_jwk(key.public_key(), as_dict=True))


@dataclass(frozen=True)
class System:
    """A department's system: it keeps a private key; the registry knows the public half."""

    id: str
    agency: str
    scopes: frozenset[str]
    key: PrivateKey
    alg: str
    base: str
    now: Callable[[], int]

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Give the claims of a good assertion, with some changed; None leaves a claim out."""
        now = self.now()
        claims: dict[str, Any] = {
            "iss": self.id,
            "sub": self.id,
            "aud": self.base,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def assertion(
        self,
        *,
        headers: Mapping[str, Any] | None = None,
        key: PrivateKey | None = None,
        **changes: Any,
    ) -> str:
        """Sign a client assertion (RFC 7523) with PyJWT."""
        head = {"typ": "client-authentication+jwt", **(headers or {})}
        return jwt.encode(self.claims(**changes), key or self.key, algorithm=self.alg, headers=head)


def form(assertion: str, **changes: Any) -> dict[str, Any]:
    """Give a good token request, with some parameters changed; None leaves one out."""
    fields = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def enrol(registry: Registry, agency: str, scopes: Iterable[str], alg: str = "ES256") -> System:
    """Register one more system of an agency."""
    key = make_key(alg)
    row = registry.clients.add("审批系统", agency=agency, scopes=scopes, jwk=jwk_of(key), by=CLERK)
    return System(row.id, agency, row.allowed, key, alg, registry.base, _now_of(registry))


def _now_of(registry: Registry) -> Callable[[], int]:
    return lambda: int(registry.clock().timestamp())


Systems = Mapping[str, System]
USUAL: Mapping[str, tuple[Agency, Iterable[str]]] = {
    "planning": (PLANNING, EVERYTHING),
    "construction": (CONSTRUCTION, EVERYTHING),
    "reader": (PLANNING, ["certificates:read"]),
    "issuer": (PLANNING, ["certificates:issue"]),
    "auditor": (CONSTRUCTION, ["audit:read"]),
}


def enrol_usual(registry: Registry) -> Systems:
    """Register the systems that every portal has."""
    return {name: enrol(registry, one.code, scopes) for name, (one, scopes) in USUAL.items()}


# -- the service as its callers see it ------------------------------------------------------------


class Portal:
    """A running service: ``send`` makes one HTTP request, ``registry`` is what lies behind it.

    ``systems`` are those that its home knows already, by their names in ``USUAL``.
    """

    def __init__(self, send: Send, registry: Registry, systems: Systems | None = None) -> None:
        self._send, self.registry = send, registry
        self.base = registry.base
        known = enrol_usual(registry) if systems is None else systems
        self.systems = {name: replace(one, now=self.now) for name, one in known.items()}
        self.planning, self.construction, self.reader, self.issuer, self.auditor = (
            self.systems[name] for name in USUAL
        )

    def send(self, method: str, path: str, **members: Any) -> httpx.Response:
        """Make one request; a good answer is held to what its route declares."""
        answer = self._send(method, path, **members)
        answers.check(method, answer)
        return answer

    def now(self) -> int:
        """Tell the time by the registry's clock."""
        return _now_of(self.registry)()

    def enrol(self, agency: str, scopes: Iterable[str], alg: str = "ES256") -> System:
        """Register one more system of an agency."""
        return enrol(self.registry, agency, scopes, alg)

    @functools.cached_property
    def reuser(self) -> System:
        """A system of another agency, to which a rule opens works permits as a whole."""
        self.registry.agencies.add(AUDIT_OFFICE, by=CLERK)
        self.share(WORKS, AUDIT_OFFICE.code)
        return self.enrol(AUDIT_OFFICE.code, ["certificates:read"])

    def share(self, slug: str, agency: str) -> str:
        """Open a type as a whole to an agency, for every matter; give the rule's id."""
        rule = new_rule(slug, agency, legal_basis="国务院令第716号第七条", fields=("*",))
        return self.registry.rules.add(rule, by=CLERK).id

    @contextlib.contextmanager
    def shared(self, slug: str, agency: str) -> Iterator[None]:
        """Open a type to an agency for a while."""
        rule = self.share(slug, agency)
        yield
        self.registry.rules.end(rule, by=CLERK)

    # -- tokens

    def ask_token(self, assertion: str, **changes: Any) -> httpx.Response:
        """Ask for a token with an assertion."""
        return self.send("POST", "/oauth/token", data=form(assertion, **changes))

    def token(self, who: System, **changes: Any) -> str:
        """Get a token."""
        answer = self.ask_token(who.assertion(), **changes)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def bearer(self, who: System) -> dict[str, str]:
        """Get a token and give the header that carries it."""
        return {"Authorization": f"Bearer {self.token(who)}"}

    # -- certificates

    def issue(
        self,
        who: System,
        draft: Mapping[str, Any],
        slug: str = WORKS,
        *,
        key: str | None = None,
        **members: Any,
    ) -> httpx.Response:
        """Ask to issue a certificate."""
        headers = {**self.bearer(who), "Idempotency-Key": key or secrets.token_hex(8)}
        body = {"type": slug, "draft": draft, **members}
        return self.send("POST", "/v1/certificates", json=body, headers=headers)

    def issued(
        self, who: System, draft: Mapping[str, Any], slug: str = WORKS, **members: Any
    ) -> dict[str, Any]:
        """Issue a certificate and give what was answered."""
        answer = self.issue(who, draft, slug, **members)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def get(
        self,
        who: System,
        identifier: str,
        tail: str = "",
        *,
        grounds: Mapping[str, str] = GROUNDS,
        accept: str | None = None,
    ) -> httpx.Response:
        """Read a certificate, or its ``/receipt``, ``/history`` or ``/evidence``."""
        headers = {**self.bearer(who), **grounds, **({"Accept": accept} if accept else {})}
        return self.send("GET", f"/v1/certificates/{identifier}{tail}", headers=headers)

    def search(self, who: System, **members: Any) -> httpx.Response:
        """Search for certificates."""
        body = {"purpose": PURPOSE, "matter": MATTER, "operator": OPERATOR, **members}
        body = {name: value for name, value in body.items() if value is not None}
        headers = self.bearer(who)
        return self.send("POST", "/v1/certificates/search", json=body, headers=headers)

    def operate(
        self, who: System, identifier: str, operation: str, **members: Any
    ) -> httpx.Response:
        """Ask for an operation upon a certificate."""
        body = {"operation": operation, **REASONS, **members}
        body = {name: value for name, value in body.items() if value is not None}
        path = f"/v1/certificates/{identifier}/operations"
        return self.send("POST", path, json=body, headers=self.bearer(who))

    # -- what lies behind

    def counts(self) -> tuple[int, int]:
        """Count the certificates and the log's entries."""
        with self.registry.store.reading() as reading:
            query = select(func.count()).select_from(tables.certificates)
            return int(reading.connection.execute(query).scalar_one()), trees.head(reading).size

    def audit(self) -> list[dict[str, Any]]:
        """Read the whole audit trail from the registry itself."""
        rows: list[dict[str, Any]] = []
        while page := trail_rows(self.registry, after=len(rows) - 1, limit=1000):
            rows += page
        return rows


def refused(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """Demand a refusal as a problem document (RFC 9457) and give it."""
    assert answer.status_code == status, repr(answer.content[:300])
    assert answer.headers["content-type"] == PROBLEM
    body = dict(answer.json())
    assert {"type", "title", "status", "code", "detail"} <= body.keys()
    assert body["status"] == status
    assert all(isinstance(body[name], str) for name in ("type", "title", "code", "detail"))
    for fault in body.get("errors", ()):
        assert fault.keys() == {"pointer", "rule", "message"}
        assert fault["message"].keys() == {"zh", "en"}
    if code is not None:
        assert body["code"] == code
    return body


# -- fixtures -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def log_lines() -> Iterator[io.StringIO]:
    """Everything that the service logs, tracebacks included, at the most talkative level."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    names = ("", "ecert", "uvicorn", "uvicorn.error", "fastapi")
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addHandler(handler)
    for logger in loggers[1:]:
        logger.setLevel(logging.DEBUG)
    yield written
    for logger in loggers:
        logger.removeHandler(handler)


def free_port() -> socket.socket:
    """Listen on a free port of the loopback."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    return listening


def make_registry_at(url: str, folder: Path, *, clock: SettableClock | None = None) -> Registry:
    """Make a registry with two agencies, whose address is ``url``."""
    state = folder / "state"
    around = Surroundings(state=state, clock=clock) if clock else Surroundings(state=state)
    registry = init_registry(folder / "home", Plan(url, PLANNING, trial=True), around=around)
    registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=EVERY_TYPE)
    return registry


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory, log_lines: io.StringIO) -> Iterator[Portal]:
    """Run the service with uvicorn on a free port, for the whole run."""
    assert log_lines is not None  # it listens before the server speaks
    listening = free_port()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    registry = make_registry_at(url, tmp_path_factory.mktemp("portal"))
    # as ecert_api.server runs it, but that the log goes to our handler
    config = uvicorn.Config(
        create_app(registry, verify_per_minute=0), access_log=False, log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    with httpx.Client(base_url=url, timeout=TIMEOUT, trust_env=False) as http:
        http.get("/health/ready").raise_for_status()  # the socket listens already: this waits
        yield Portal(http.request, registry)
    server.should_exit = True
    thread.join()
    registry.close()


class InProcess:
    """Calls an application in this process, without a server and without its lifespan."""

    def __init__(self, app: FastAPI, base: str) -> None:
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url=base)

    def send(self, method: str, path: str, **members: Any) -> httpx.Response:
        """Make one request."""
        return self._runner.run(self._http.request(method, path, **members))

    def close(self) -> None:
        """Close the client and the loop."""
        self._runner.run(self._http.aclose())
        self._runner.close()


@pytest.fixture
def open_desk() -> Iterator[Callable[..., Portal]]:
    """Open services in this process; they are closed at the end of the test."""
    opened: list[tuple[InProcess, FastAPI]] = []

    def open_one(registry: Registry, systems: Systems | None = None) -> Portal:
        app = create_app(registry, verify_per_minute=0)
        caller = InProcess(app, registry.base)
        opened.append((caller, app))
        return Portal(caller.send, registry, systems)

    yield open_one
    for caller, app in opened:
        caller.close()
        app.state.service.writer.shutdown()


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Systems]:
    """The home of a registry with two agencies and their systems, copied for each test."""
    folder = tmp_path_factory.mktemp("furnished")
    registry = make_registry_at("http://127.0.0.1:8000", folder, clock=SettableClock())
    systems = enrol_usual(registry)
    registry.close()
    return folder / "home", systems


@pytest.fixture
def desk(
    open_desk: Callable[..., Portal],
    furnished: tuple[Path, Systems],
    tmp_path: Path,
    clock: SettableClock,
) -> Iterator[Portal]:
    """Give a service of one's own, whose clock stands still and which publishes nothing by itself."""
    home, systems = furnished
    registry = copy_home(home, tmp_path, clock)
    yield open_desk(registry, systems)
    registry.close()


Drafts = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def a_draft(catalogue: Catalogue, draft_of: Drafts) -> Drafts:
    """Give the example draft of a type, with members changed; the type may be left out."""
    assert catalogue.newest(WORKS).state == "published"
    return draft_of
