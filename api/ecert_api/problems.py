"""Errors as problem documents (RFC 9457): one table, error class → status and title."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route

from ecert import errors
from ecert.errors import EcertError, FieldError

MEDIA_TYPE = "application/problem+json"
METHOD_NOT_ALLOWED = 405

PROBLEMS: dict[type[EcertError], tuple[int, str]] = {
    errors.EcertError: (500, "The registry failed"),
    errors.InputError: (400, "The request is malformed"),
    errors.JsonError: (400, "The body is not acceptable JSON"),
    errors.TooLarge: (413, "The request is too large"),
    errors.IdentifierError: (422, "An identifier breaks a rule"),
    errors.DraftError: (422, "The draft does not fit its type"),
    errors.TypeFolderError: (500, "A certificate type is broken"),
    errors.TokenError: (400, "The token is malformed"),
    errors.SealError: (400, "The seal is malformed"),
    errors.ReceiptError: (400, "The receipt is malformed"),
    errors.NoteError: (400, "The note is malformed"),
    errors.DocumentError: (400, "The document is malformed"),
    errors.MatterError: (422, "The matter cannot be used"),
    errors.IdempotencyMismatch: (422, "The Idempotency-Key was used with another body"),
    errors.SignatureError: (500, "A stored signature does not hold"),
    errors.NotFound: (404, "Not found"),
    errors.Forbidden: (403, "Not allowed"),
    errors.GrantNotValid: (403, "The grant is not valid"),
    errors.ConsentOfAnother: (403, "The consent is of another"),
    errors.FieldNotAllowed: (403, "A field is not allowed"),
    errors.IdTokenRefused: (403, "The ID token is not acceptable"),
    errors.SignInAgain: (401, "Sign in again"),
    errors.UseCodeRefused: (403, "The use code is not acceptable"),
    errors.AddressNotAllowed: (403, "The address is not allowed"),
    errors.NotCompetent: (403, "The agency is not competent"),
    errors.QuotaExceeded: (429, "The quota of this day is used up"),
    errors.Refused: (409, "Refused"),
    errors.TransitionRefused: (409, "The operation is not allowed now"),
    errors.NotInForce: (409, "A certificate is not in force"),
    errors.NumberTaken: (409, "The number is taken"),
    errors.CounterFull: (409, "No number is left"),
    errors.TypeNotIssuable: (409, "The type does not issue"),
    errors.TypeChanged: (409, "The type was changed after it was used"),
    errors.AlreadyExists: (409, "It exists already"),
    errors.StillRunning: (409, "The same request is still running"),
    errors.SettingFixed: (409, "The setting is fixed"),
    errors.CompetenceOverlaps: (409, "The periods overlap"),
    errors.Transferred: (409, "Another agency acts upon it"),
    errors.IssuedAfter: (409, "Certificates were issued after"),
    errors.KeyUnavailable: (503, "A signing key is not available"),
    errors.FileError: (500, "A file cannot be used"),
    errors.HomeError: (503, "The registry is not set up"),
    errors.RenderError: (500, "The page cannot be drawn"),
    errors.TimeStampUnavailable: (503, "No time-stamp was to be had"),
    errors.ForkGuard: (503, "The log does not sign"),
    errors.ReadOnly: (503, "This database is only read"),
    errors.RegisterUnsigned: (503, "The register is not signed"),
    errors.NotPublished: (503, "Not published yet"),
    errors.StoreBusy: (503, "The database is busy"),
}
_STATUS_CODES = {
    400: "body_malformed",
    401: "unauthorised",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "media_type_unsupported",
    429: "too_many_requests",
    503: "busy",
}
_RETRY_SECONDS = "1"


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    faults: Sequence[FieldError] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """Write one problem document."""
    body: dict[str, Any] = {
        "type": f"urn:ecert:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if faults:
        body["errors"] = [fault.to_json() for fault in faults]
    return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)


def of_error(error: EcertError) -> Response:
    """Write the problem document of one of our own errors."""
    kind = next(one for one in type(error).__mro__ if one in PROBLEMS)
    status, title = PROBLEMS[kind]
    headers = {"Retry-After": _RETRY_SECONDS} if status == 503 else None
    if isinstance(error, errors.QuotaExceeded):
        headers = {"Retry-After": "3600"}
    return problem(status, error.code, title, error.message, faults=error.errors, headers=headers)


def below(error: EcertError, member: str) -> EcertError:
    """Let the pointers of an error begin at the body that was sent, not at one member of it."""
    error.errors = tuple(
        FieldError(f"/{member}{one.pointer}", one.rule, one.zh, one.en) for one in error.errors
    )
    return error


class Unauthorised(HTTPException):
    """The refusal of a call without a good token, or without the proof that belongs to it."""

    def __init__(self, detail: str, code: str = "unauthorised", challenge: str = "Bearer") -> None:
        super().__init__(401, detail, {"WWW-Authenticate": challenge})
        self.code = code


def unauthorised(detail: str, code: str = "unauthorised") -> HTTPException:
    """Make the refusal of a call without a good token."""
    return Unauthorised(detail, code)


async def _on_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, EcertError)  # noqa: S101 - registered for this class only
    return of_error(error)


def _allowed(request: Request) -> str:
    """Name the methods of an address (RFC 9110 §15.5.6): several routes may share its pattern."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    fitting = (one for one in routes if one.matches(request.scope)[0] is not Match.NONE)
    first = next(fitting, None)
    same = [one for one in routes if first is not None and one.path == first.path]
    return ", ".join(sorted({method for one in same for method in one.methods or ()}))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    if isinstance(error.__cause__, EcertError):  # the strict JSON reader, through FastAPI
        return of_error(error.__cause__)
    code = _STATUS_CODES.get(error.status_code, "refused")
    if isinstance(error, Unauthorised):
        code = error.code
    headers = dict(error.headers or {})
    if error.status_code == METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
    title = code.replace("_", " ").capitalize()
    return problem(error.status_code, code, title, str(error.detail), headers=headers)


async def _on_body(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    faults = [_fault(one) for one in error.errors()[:50]]
    detail = f"{faults[0].pointer or '/'}: {faults[0].en}" if faults else "the request is malformed"
    return problem(400, "body_malformed", "The request is malformed", detail, faults=faults)


def _fault(one: dict[str, Any]) -> FieldError:
    """Name what is wrong without repeating what was entered."""
    where, *path = one["loc"]
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    place = pointer if where == "body" else f"{where}:{pointer.removeprefix('/')}"
    return FieldError(place, str(one["type"]), "请求不符合要求", str(one["msg"])[:200])


async def _on_failure(_request: Request, _error: Exception) -> Response:
    """Answer what nobody foresaw without a word of it: it may hold what was entered."""
    return problem(500, EcertError.code, PROBLEMS[EcertError][1], "the failure was noted")


def install(app: FastAPI) -> None:
    """Make the application answer every error with a problem document."""
    app.add_exception_handler(Exception, _on_failure)
    app.add_exception_handler(EcertError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_body)
