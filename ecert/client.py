"""Calling a registry over HTTP: the typed client of departments, and fresh status for verifiers.

Only addresses that begin with a ``base_url`` of the trust file are ever fetched, without
redirects, bounded in size and time (design §5).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from ecert._encoding import b64url, parse_b64url, sha256, to_json, utc_now
from ecert.errors import SignatureError
from ecert.formats._jws import CLIENT_ASSERTION, DPOP_PROOF, sign_jws
from ecert.formats.dossier import Dossier, presentation_digest, verify_dossier
from ecert.formats.status_list import MAX_LIST_BYTES
from ecert.keys import Signer, Trust, public_jwk
from ecert.reuse.application import Application
from ecert.verification import Report, Verdict, Verifier

TIMEOUT_SECONDS = 5.0
CALL_SECONDS = 30.0
WAIT_SECONDS = 25
ATTEMPTS = 5
MAX_WAIT_SECONDS = 10.0
_EARLY_SECONDS = 30  # a token is renewed this long before it ends
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_AGAIN = frozenset({502, 503, 504})


class HttpStatus:
    """A status source that fetches signed status lists from the registries of a trust file."""

    def __init__(self, trust: Trust, *, transport: httpx.BaseTransport | None = None) -> None:
        self._trust = trust
        self._client = httpx.Client(
            timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False, transport=transport
        )

    def status_token(self, uri: str) -> str | None:
        """Fetch the list or the details at an address; None when it cannot be had or trusted."""
        if self._trust.of_address(uri) is None:
            return None
        try:
            with self._client.stream("GET", uri) as answer:
                if answer.status_code != httpx.codes.OK:
                    return None
                return _bounded(answer)
        except (httpx.HTTPError, UnicodeDecodeError, ValueError):
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()


def _bounded(answer: httpx.Response) -> str | None:
    data = bytearray()
    for chunk in answer.iter_bytes():
        data += chunk
        if len(data) > MAX_LIST_BYTES:
            return None
    return data.decode("ascii").strip()


# -- the departments' client -----------------------------------------------------------------------


class Problem(Exception):
    """The registry refused a call: ``code`` is stable, ``detail`` is for people."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(body.get("code", "unknown"))
        self.detail = str(body.get("detail", ""))
        self.errors = body.get("errors", [])
        super().__init__(f"{status} {self.code}: {self.detail}")


@dataclass(frozen=True, slots=True)
class Grounds:
    """On what grounds something is read: purpose, matter, and who in the department."""

    purpose: str
    matter: str
    operator: str

    def headers(self) -> dict[str, str]:
        """Give the headers of a read, percent-encoded."""
        return {
            "X-Purpose": quote(self.purpose),
            "X-Matter": quote(self.matter),
            "X-Operator": quote(self.operator),
        }


@dataclass(frozen=True, slots=True)
class ReceivedDossier:
    """A dossier that was received and checked: its statement, and a report of each certificate.

    Materials are those that the statement names; an invalid certificate is in ``reports`` alone.
    ``body`` is the whole answer: keep it, it proves later what was given.
    """

    statement: Dossier
    reports: Mapping[str, Report]
    body: Mapping[str, Any]

    @property
    def certificates(self) -> dict[str, Mapping[str, Any]]:
        """What was disclosed, by material; what is invalid is left out."""
        return {
            material: report.certificate
            for material, report in self.reports.items()
            if report.certificate is not None and report.verdict is not Verdict.INVALID
        }


class RegistryClient:
    """A department's system: fetches tokens, proves its key, retries, pages, and verifies.

    ``trust`` is the registry's trust file, obtained out of band; ``signer`` the client's key.
    With ``dpop`` (a key of its own) every call is bound to it (RFC 9449). Not for several threads.
    """

    def __init__(
        self,
        base: str,
        client_id: str,
        signer: Signer,
        trust: Trust,
        *,
        dpop: Signer | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if trust.find(base) is None:
            raise SignatureError("the registry is not in the trust file")
        self.base, self.client_id, self.trust = base, client_id, trust
        self._signer, self._dpop = signer, dpop
        self._http = httpx.Client(
            base_url=base, timeout=CALL_SECONDS, trust_env=False, transport=transport
        )
        self._status = HttpStatus(trust, transport=transport)
        self._verifier = Verifier(trust, status=self._status)
        self._token = ""
        self._token_ends = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._status.__exit__(None, None, None)

    # -- certificates --------------------------------------------------------------------------------

    def issue(
        self, slug: str, draft: Mapping[str, Any], *, key: str | None = None
    ) -> dict[str, Any]:
        """Issue a certificate; repeated under one Idempotency-Key until there is an answer.

        Raises: Problem.
        """
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        body = {"type": slug, "draft": dict(draft)}
        return self._json("POST", "/v1/certificates", json=body, headers=headers)

    def fetch(self, identifier: str, grounds: Grounds) -> Report:
        """Fetch a certificate's credential and verify it. Raises: Problem, SignatureError."""
        headers = {**grounds.headers(), "Accept": "application/dc+sd-jwt"}
        answer = self._call("GET", f"/v1/certificates/{identifier}", headers=headers)
        report = self._verified(answer.text)
        if report.certificate is None or report.certificate["id"] != identifier:
            raise SignatureError("the registry sent another certificate")
        return report

    def search(self, grounds: Grounds, **wanted: Any) -> Iterator[dict[str, Any]]:
        """Find certificates by holder_code, project_code, type, number or status, page by page."""
        body: dict[str, Any] = {
            "purpose": grounds.purpose,
            "matter": grounds.matter,
            "operator": grounds.operator,
            **wanted,
        }
        while True:
            page = self._json("POST", "/v1/certificates/search", json=body)
            yield from page["items"]
            if page["next"] is None:
                return
            body["cursor"] = page["next"]

    # -- reuse ---------------------------------------------------------------------------------------

    def matters(self) -> Iterator[dict[str, Any]]:
        """List the matters of one's agency and those above it."""
        after = ""
        while True:
            page = self._json("GET", "/v1/matters", params={"after": after})
            yield from page["items"]
            if page["next"] is None:
                return
            after = page["next"]

    def checklist(self, application: Application, *, operator: str) -> dict[str, Any]:
        """Ask what the registry holds already for an application. Raises: Problem."""
        address = f"/v1/matters/{quote(application.matter, safe='')}/checklist"
        return self._json("POST", address, json=_body(application, operator))

    def dossier(
        self, application: Application, *, operator: str, copies: bool = False
    ) -> ReceivedDossier:
        """Fetch a dossier and check it whole: statement, presentations, receipts, status.

        With ``copies`` the body has annotated copies where the matter wants them.

        Asked again for the same case it is the same dossier. Raises: Problem, SignatureError.
        """
        address = f"/v1/matters/{quote(application.matter, safe='')}/dossiers"
        body = _body(application, operator)
        for name in ("accepted_on", "due_on"):
            if (day := getattr(application, name)) is not None:
                body[name] = day.isoformat()
        if copies:
            body["copies"] = True
        received = self.check(self._json("POST", address, json=body), application.holder_code)
        self._check_answers(received.statement, application)
        return received

    def _check_answers(self, statement: Dossier, application: Application) -> None:
        """Demand that a dossier answers what was asked, and was given to this client."""
        asked = (application.matter, application.case_number, application.situation, self.client_id)
        given = (statement.matter, statement.case_number, statement.situation, statement.client)
        if asked != given or application.project_code != statement.project_code:
            raise SignatureError("the registry answered another request")

    def check(self, answer: Mapping[str, Any], holder_code: str | None = None) -> ReceivedDossier:
        """Check a dossier as it was answered, now or years later. Raises: SignatureError."""
        shown = answer["presentations"]
        opened = None
        if holder_code is not None:
            opened = (parse_b64url(answer["salt"]), holder_code)
        statement = verify_dossier(
            answer["statement"],
            self.trust,
            presentations=[one["credential"] for one in shown],
            holder=opened,
        )
        receipts = {presentation_digest(one["credential"]): one for one in shown}
        reports = {}
        for given in statement.given:
            one = receipts[given.presentation]
            if one["material"] != given.material:
                raise SignatureError("the registry sent a presentation under another name")
            reports[given.material] = self._verified(one["credential"], one["receipt"])
        return ReceivedDossier(statement, reports, answer)

    def _verified(self, credential: str, receipt: str | None = None) -> Report:
        report = self._verifier.verify(credential, receipt=receipt)
        steps = {step.step: step for step in report.steps}
        if report.verdict is Verdict.INVALID and steps["signature"].outcome.value != "passed":
            raise SignatureError("what the registry sent is not signed by its agency")
        return report

    def request_grant(
        self,
        matter: str,
        *,
        situation: str | None = None,
        fields: Mapping[str, Sequence[str]] | None = None,
        delegation: str | None = None,
    ) -> dict[str, Any]:
        """Ask for a holder's grant; his sign-in must carry the ``nonce``. Raises: Problem."""
        wanted = {
            "matter": matter,
            "situation": situation,
            "fields": fields,
            "delegation": delegation,
        }
        body = {name: value for name, value in wanted.items() if value is not None}
        return self._json("POST", "/v1/grants/requests", json=body)

    def grant(
        self, request: str, *, id_token: str | None = None, use_code: str | None = None
    ) -> dict[str, Any]:
        """Turn a holder's ID token or use code into a grant. Raises: Problem."""
        given = {"request": request, "id_token": id_token, "use_code": use_code}
        body = {name: value for name, value in given.items() if value is not None}
        return self._json("POST", "/v1/grants", json=body, once=True)

    def changes(self, after: int = -1, *, wait: int = 0) -> Iterator[dict[str, Any]]:
        """List what was done since to certificates one was given; keep the last ``index``.

        With ``wait`` (seconds) the first call is held open until there is something.
        """
        while True:
            params = {"after": after, "wait": min(wait, WAIT_SECONDS)}
            page = self._json("GET", "/v1/changes", params=params)
            yield from page["items"]
            if not page["items"]:
                return
            after, wait = int(page["next"]), 0

    def object(self, identifier: str, field: str, words: str) -> dict[str, Any]:
        """Report an error in a certificate one was given. Raises: Problem."""
        body = {"field": field, "words": words}
        address = f"/v1/certificates/{identifier}/objections"
        return self._json("POST", address, json=body, once=True)

    # -- calling ---------------------------------------------------------------------------------------

    def _json(self, method: str, address: str, **members: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._call(method, address, **members).json()
        return found

    def _call(
        self, method: str, address: str, *, once: bool = False, **members: Any
    ) -> httpx.Response:
        """Call until there is an answer; what may not be done twice is sent once. Raises: Problem.

        A 401 did nothing, so even then a fresh token is tried.
        """
        headers = dict(members.pop("headers", {}))

        def send() -> httpx.Response:
            authorised = {**headers, **self._authorised(method, address)}
            return self._http.request(method, address, headers=authorised, **members)

        answer = self._patiently(send, attempts=1 if once else ATTEMPTS)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._token_ends = 0.0  # a token key may have been rotated
            answer = self._patiently(send, attempts=1 if once else ATTEMPTS)
        return _checked(answer)

    @staticmethod
    def _patiently(send: Callable[[], httpx.Response], *, attempts: int) -> httpx.Response:
        """Send again what got no answer, or one that says: later."""
        for attempt in range(attempts):
            is_last = attempt == attempts - 1
            try:
                answer = send()
            except httpx.TransportError:
                if is_last:
                    raise
                time.sleep(0.2 * 2**attempt)
                continue
            if answer.status_code not in _AGAIN or is_last:
                return answer
            time.sleep(_wait_of(answer))
        raise AssertionError("there is at least one attempt")

    def _authorised(self, method: str, address: str) -> dict[str, str]:
        token = self._fresh_token()
        if self._dpop is None:
            return {"Authorization": f"Bearer {token}"}
        proof = self._proof(method, address, token)
        return {"Authorization": f"DPoP {token}", "DPoP": proof}

    def _fresh_token(self) -> str:
        if time.monotonic() >= self._token_ends:
            answer = _checked(self._patiently(self._ask_token, attempts=ATTEMPTS)).json()
            self._token = str(answer["access_token"])
            self._token_ends = time.monotonic() + answer["expires_in"] - _EARLY_SECONDS
        return self._token

    def _ask_token(self) -> httpx.Response:
        """Ask for a token; assertion and proof are fresh each time, for they serve once."""
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(),
        }
        proof = {} if self._dpop is None else {"DPoP": self._proof("POST", "/oauth/token")}
        return self._http.post("/oauth/token", data=form, headers=proof)

    def _assertion(self) -> str:
        now = int(utc_now().timestamp())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.base,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
        }
        return sign_jws(to_json(claims), self._signer, typ=CLIENT_ASSERTION)

    def _proof(self, method: str, address: str, token: str | None = None) -> str:
        assert self._dpop is not None  # noqa: S101 - asked for only where there is a key
        claims: dict[str, Any] = {
            "htm": method,
            "htu": self.base + address.partition("?")[0],
            "iat": int(utc_now().timestamp()),
            "jti": secrets.token_urlsafe(16),
        }
        if token is not None:
            claims["ath"] = b64url(sha256(token.encode()))
        key = public_jwk(self._dpop.public_key)
        return sign_jws(to_json(claims), self._dpop, typ=DPOP_PROOF, jwk=key)


def _body(application: Application, operator: str) -> dict[str, Any]:
    wanted = {
        "holder_code": application.holder_code,
        "project_code": application.project_code,
        "case_number": application.case_number,
        "situation": application.situation,
        "grant": application.grant,
        "fields": application.fields,
        "operator": operator,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _wait_of(answer: httpx.Response) -> float:
    """Say how long to wait, in seconds; a date or nonsense in Retry-After counts as one second."""
    wanted = answer.headers.get("Retry-After", "1")
    return min(float(wanted), MAX_WAIT_SECONDS) if wanted.isdigit() else 1.0


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        body = answer.json()
    except ValueError:
        body = {}
    raise Problem(answer.status_code, body if isinstance(body, dict) else {})
