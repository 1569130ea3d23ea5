"""The typed client of departments: it checks all that it receives against the trust file."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from ecert._encoding import parse_b64url
from ecert.client.http_status import HttpStatus
from ecert.client.session import Session
from ecert.errors import SignatureError
from ecert.formats.dossier import Dossier, presentation_digest, verify_dossier
from ecert.keys import Signer, Trust
from ecert.model import Application
from ecert.verification import Report, Verdict, Verifier

WAIT_SECONDS = 25


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
        self._session = Session(base, client_id, signer, dpop=dpop, transport=transport)
        self._status = HttpStatus(trust, transport=transport)
        self._verifier = Verifier(trust, status=self._status)

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
        self._session.close()
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
        return self._session.json("POST", "/v1/certificates", json=body, headers=headers)

    def fetch(self, identifier: str, grounds: Grounds) -> Report:
        """Fetch a certificate's credential and verify it. Raises: Problem, SignatureError."""
        headers = {**grounds.headers(), "Accept": "application/dc+sd-jwt"}
        answer = self._session.call("GET", f"/v1/certificates/{identifier}", headers=headers)
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
            page = self._session.json("POST", "/v1/certificates/search", json=body)
            yield from page["items"]
            if page["next"] is None:
                return
            body["cursor"] = page["next"]

    # -- reuse ---------------------------------------------------------------------------------------

    def matters(self) -> Iterator[dict[str, Any]]:
        """List the matters of one's agency and those above it."""
        after = ""
        while True:
            page = self._session.json("GET", "/v1/matters", params={"after": after})
            yield from page["items"]
            if page["next"] is None:
                return
            after = page["next"]

    def checklist(self, application: Application, *, operator: str) -> dict[str, Any]:
        """Ask what the registry holds already for an application. Raises: Problem."""
        address = f"/v1/matters/{quote(application.matter, safe='')}/checklist"
        return self._session.json("POST", address, json=_body(application, operator))

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
        received = self.check(
            self._session.json("POST", address, json=body), application.holder_code
        )
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
        return self._session.json("POST", "/v1/grants/requests", json=body)

    def grant(
        self, request: str, *, id_token: str | None = None, use_code: str | None = None
    ) -> dict[str, Any]:
        """Turn a holder's ID token or use code into a grant. Raises: Problem."""
        given = {"request": request, "id_token": id_token, "use_code": use_code}
        body = {name: value for name, value in given.items() if value is not None}
        return self._session.json("POST", "/v1/grants", json=body, once=True)

    def changes(self, after: int = -1, *, wait: int = 0) -> Iterator[dict[str, Any]]:
        """List what was done since to certificates one was given; keep the last ``index``.

        With ``wait`` (seconds) the first call is held open until there is something.
        """
        while True:
            params = {"after": after, "wait": min(wait, WAIT_SECONDS)}
            page = self._session.json("GET", "/v1/changes", params=params)
            yield from page["items"]
            if not page["items"]:
                return
            after, wait = int(page["next"]), 0

    def object(self, identifier: str, field: str, words: str) -> dict[str, Any]:
        """Report an error in a certificate one was given. Raises: Problem."""
        body = {"field": field, "words": words}
        address = f"/v1/certificates/{identifier}/objections"
        return self._session.json("POST", address, json=body, once=True)


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
