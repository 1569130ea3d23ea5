"""The interface description (OpenAPI): pieces that several routes share, and the whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ecert.registry import ANYBODY
from ecert_api.bodies._common import ProblemShape
from ecert_api.examples import EXAMPLE_ID, give_examples
from ecert_api.problems import MEDIA_TYPE

SCOPE = "x-ecert-scope"  # in a route's own words; the description says it as security
VERB = "x-ecert-verb"  # what the route does, as the library calls it: ``Certificates.get``

_TITLES = {
    400: "Malformed, or a purpose is missing.",
    401: "No token, or not a good one.",
    403: "The token lacks the scope.",
    404: "Absent, or not yours to see.",
    406: "No such representation.",
    409: "Refused: the operation is not allowed now, the number is taken, or still running.",
    413: "Too large.",
    415: "Another media type is needed.",
    422: "It does not fit its type, or the Idempotency-Key was used with another body.",
    429: "Too many requests, or the quota of this day is used up: wait as long as Retry-After says.",
    503: "Not published yet, or the database is busy: ask again.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the refusals of a route."""
    return {
        status: {
            "description": _TITLES[status],
            "model": ProblemShape,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemShape"}}},
        }
        for status in statuses
    }


def idempotency_key() -> dict[str, Any]:
    """Describe the header that makes an issue repeatable."""
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "Any text that names this request; the same again gives the same answer.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[!-~]([ -~]*[!-~])?$",
        },
        "example": "2026-03-02-0001",
    }


def needing(verb: Callable[..., Any], **extra: Any) -> dict[str, Any]:
    """Say of a route which verb of the registry it calls: it asks for that verb's scope first."""
    return {SCOPE: scope_of(verb), VERB: verb.__qualname__, **extra}


def scope_of(verb: Callable[..., Any]) -> str:
    """Give the scope that a verb of the registry needs: the service asks for no other."""
    found: str = verb.scope  # type: ignore[attr-defined]  # set where the verb is defined
    return found


def describe(app: FastAPI, base: str) -> dict[str, Any]:
    """Give the interface description, with what the framework cannot know put right.

    Every refusal is a problem document and nothing else; what lies under ``/v1`` needs a token.
    """
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        servers=[{"url": base, "description": "This registry"}],
        contact={"name": "The operator of this registry", "url": base},
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        tags=TAGS,
    )
    parts = document["components"]
    parts["securitySchemes"] = _security(base)
    for path, item in document["paths"].items():
        for operation in item.values():
            _only_problems(operation["responses"])
            scope = operation.pop(SCOPE, None)
            operation["security"] = _secured(path, scope)
            give_examples(operation, parts["schemas"])
    for name in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(name, None)
    app.openapi_schema = document
    return document


def _security(base: str) -> dict[str, Any]:
    flow = {"tokenUrl": f"{base}/oauth/token", "scopes": dict(SCOPE_WORDS)}
    return {
        "department": {
            "type": "oauth2",
            "description": "A department's system: private_key_jwt, a token of five minutes.",
            "flows": {"clientCredentials": flow},
        },
        "holder": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A holder: an ID token of an identity provider that is believed.",
        },
    }


def _secured(path: str, scope: str | None) -> list[dict[str, list[str]]]:
    """Say who may call: nobody is asked for anything outside of /v1."""
    if path.startswith("/v1/me/"):
        return [{"holder": []}]
    if not path.startswith("/v1/") and scope is None:
        return []
    return [{"department": [] if scope in {None, ANYBODY} else [str(scope)]}]


SCOPE_WORDS = {
    "certificates:issue": "issue certificates of the own agency",
    "certificates:operate": "act upon certificates of the own agency",
    "certificates:read": "read certificates of the own agency; matters, grants and dossiers",
    "audit:read": "read the audit trail and the supervisors' figures",
    "clients:manage": "manage clients of the own agency and of those below it",
    "matters:manage": "manage matters of the own agency and of those below it",
    "sharing:manage": "manage sharing rules and identity providers",
    "metrics:read": "read the service's metrics",
}
TAGS = [
    {"name": "certificates", "description": "Issue, operate, find and read 证照."},
    {"name": "reuse", "description": "Matters, checklists and dossiers 用证."},
    {"name": "grants", "description": "What holders agree to 授权."},
    {"name": "holders", "description": "What a holder does for himself 持证主体."},
    {"name": "changes", "description": "What happened since 变动, and objections 异议."},
    {"name": "administration", "description": "Agencies, clients, rules, providers 管理."},
    {"name": "supervision", "description": "Sums and the audit trail 电子监察."},
    {"name": "tokens", "description": "Access tokens 访问令牌."},
    {"name": "public", "description": "Types, keys, trust, status, verification: for anybody."},
    {"name": "log", "description": "The Merkle log 登记日志 (C2SP tlog-tiles)."},
    {"name": "health", "description": "How the service stands."},
]


def _only_problems(responses: dict[str, Any]) -> None:
    """Leave the refusals that we declared, each as a problem document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemShape"}}}
    for status in [status for status in responses if int(status) >= 400]:
        if responses[status].get("description") == _TITLES.get(int(status)):
            responses[status]["content"] = content
        else:  # the framework's own 422: ours is 400
            del responses[status]


def grounds() -> list[dict[str, Any]]:
    """Describe the headers that every read needs."""
    words = {
        "X-Purpose": ("What for 用途", "%E6%96%BD%E5%B7%A5%E8%AE%B8%E5%8F%AF%E5%AE%A1%E6%89%B9"),
        "X-Matter": ("For which matter 事项", "%E5%BB%BA%E7%AD%91%E5%B7%A5%E7%A8%8B"),
        "X-Operator": ("Who, in the department 经办人", "%E6%9D%8E%E5%9B%9B"),
    }
    return [
        {
            "name": name,
            "in": "header",
            "required": True,
            "description": f"{text}; percent-encoded UTF-8 of one line of at most 200 characters. "
            "The pattern shows common ones; any other line is taken too.",
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
                "pattern": "^([A-Za-z0-9_.~-]|%E[5-8](%[89AB][0-9A-F]){2})+$",
            },
            "example": example,
        }
        for name, (text, example) in words.items()
    ]


def identifier_path(name: str = "identifier") -> dict[str, Any]:
    """Describe a certificate's identifier in a path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        "example": EXAMPLE_ID,
    }


def text_answer(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """Describe an answer that is not JSON."""
    content = {media_type: {"schema": {"type": "string"}}}
    return {200: {"description": description, "content": content}}
