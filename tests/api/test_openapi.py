"""The interface's own description, held against the running service by Schemathesis."""

from __future__ import annotations

import inspect
import json
import os
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from math import inf
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from fastapi.routing import APIRoute
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from ecert import errors
from ecert.errors import EcertError
from ecert.formats.id_token import Provider as Believed
from ecert.model import Actor, Agency
from ecert.reuse.grant import GrantWish
from ecert.reuse.objection import Complaint
from ecert.reuse.sharing import new_rule
from ecert.samples.district import chain
from ecert_api import create_app
from ecert_api.problems import PROBLEMS
from ecert_api.routes import (
    administration,
    certificates,
    changes,
    grants,
    health,
    holders,
    log,
    matters,
    oauth,
    public,
    register,
    supervision,
)
from tests.api.conftest import (
    PROBLEM,
    TIMEOUT,
    Drafts,
    Portal,
    free_port,
    jwk_of,
    make_key,
    make_registry_at,
)
from tests.conftest import CLERK, EVERY_TYPE, PLANNING, WORKS
from tests.oidc.provider import ENTERPRISE, HIGH, Provider, oidc

__all__ = ["oidc"]


@schemathesis.serializer("application/dc+sd-jwt", "application/pdf", "application/zip")
def as_it_is(context: schemathesis.SerializationContext, value: object) -> bytes | None:
    """Send what is shown to POST /verify as it is; what is no text at all has no body."""
    del context
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else None


EXAMPLES = int(os.environ.get("ECERT_EXAMPLES", "10"))  # of each route; dev.py fuzz tries more
ROUTES = sorted(
    f"{method} {route.path.replace(':path', '')}"
    for module in (
        *(certificates, oauth, public, log, register, health),
        *(matters, grants, holders, changes, administration, supervision),
    )
    for name, router in inspect.getmembers(module)
    if name in {"router", "plain", "finding", "me"}
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted((route.methods or set()) - {"HEAD"})
)
SCOPES = [
    *("certificates:issue", "certificates:operate", "certificates:read", "audit:read"),
    *("matters:manage", "clients:manage", "sharing:manage"),
]
TOWN = Agency("11440114MA0000096L", "花都区示例镇人民政府（虚构）", "440114", PLANNING.code)
# Here something that no schema can say decides whether good-looking data are accepted:
DECIDED_ELSEWHERE = {
    # whether the draft fits its type, with check digits, and whether its number is free
    "POST /v1/certificates",
    # whether the certificate is there and its status allows it, and whether a new draft fits
    "POST /v1/certificates/{identifier}/operations",
    # whether matter and operator come in the headers where they are missing in the body
    "POST /v1/certificates/{identifier}/copies",
    # whether ``until`` lies in the time that a grant may last, and names fit in ``fields``
    "POST /v1/grants/requests",
    # whether the days of the rule are in their order, and its type has the fields
    "POST /v1/sharing-rules",
    # whether the date in ``at`` is in the calendar
    "POST /verify",
    # whether the assertion was signed by a registered client's key, just now, and never used
    "POST /oauth/token",
    # whether it is a matter, which has a schema of its own, and whether its types are there
    "POST /v1/matters",
    # whether one of three members says for whom, and whether the matter has the case
    "POST /v1/matters/{code}/checklist",
    "POST /v1/matters/{code}/dossiers",
    # whether just one of two members says how the holder agreed
    "POST /v1/grants",
    # whether the day is near enough
    "POST /v1/me/delegations",
    # whether the draft fits its type, and a basis comes with it
    "POST /v1/objections/{objection_id}/answer",
    # whether the scopes and networks are any, and the key is a point of its curve
    "POST /v1/clients",
    "PATCH /v1/clients/{client_id}",
    "POST /v1/clients/{client_id}/keys",
    # whether the set holds public keys
    "POST /v1/identity-providers",
    # whether the certificate has such a field
    "POST /v1/me/certificates/{identifier}/presentations",
    # whether the one day lies before the other
    "GET /v1/supervision",
}

# Schemathesis takes application/jwt for a kind of application/json; the answer is a text.
TAKEN_FOR_JSON = {"GET /status/{number}/details/{part}"}

# Any body at all is answered by a report; bad days in ``at`` are tried in test_public.py.
TAKES_ANYTHING = {"POST /verify"}

UNFIT = {  # the checks that cannot judge some routes
    "positive_data_acceptance": DECIDED_ELSEWHERE,
    "response_schema_conformance": TAKEN_FOR_JSON,
    "negative_data_rejection": TAKES_ANYTHING,
}


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, oidc: Provider) -> Iterator[Portal]:
    """Run a service for this module alone: here its agencies, clients and rules are changed at random."""
    listening = free_port()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    registry = make_registry_at(url, tmp_path_factory.mktemp("described"))
    registry.agencies.add(TOWN, by=CLERK, may_issue=EVERY_TYPE)
    registry.providers.put(
        Believed(oidc.issuer, (oidc.client_id,), (HIGH,), oidc.jwks, portals=(oidc.client_id,)),
        by=CLERK,
    )
    config = uvicorn.Config(
        create_app(registry, verify_per_minute=0), access_log=False, log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    with (
        pytest.MonkeyPatch.context() as patch,
        httpx.Client(base_url=url, timeout=TIMEOUT, trust_env=False) as http,
    ):
        # the feed's patience is over at once: thirty seconds an example would teach nothing
        patch.setattr(changes, "time", SimpleNamespace(monotonic=lambda: inf))
        http.get("/health/ready").raise_for_status()
        yield Portal(http.request, registry)
    server.should_exit = True
    thread.join()
    registry.close()


def token_for(portal: Portal, oidc: Provider, route: str) -> str:
    """Holders call with the ID token of a real provider, departments with an access token."""
    if " /v1/me/" in route:
        return oidc.sign_in(ENTERPRISE)
    return portal.token(portal.enrol(PLANNING.code, SCOPES))


def findings(portal: Portal, oidc: Provider, route: str, **parameters: str | int) -> dict[str, str]:
    """Run Schemathesis on one operation with its default checks; give what it found, once each."""
    config: dict[str, Any] = {
        "headers": {"Authorization": f"Bearer {token_for(portal, oidc, route)}"},
        "generation": {"max-examples": EXAMPLES, "deterministic": True},
        "parameters": parameters,
        "phases": {"stateful": {"enabled": False}},  # there is nothing to link in one operation
    }
    if parameters:  # a name that is given here would make bad data good again
        config["generation"]["mode"] = "positive"
    unfit = [check for check, routes in UNFIT.items() if route in routes]
    config["checks"] = {check: {"enabled": False} for check in unfit}
    schema = schemathesis.openapi.from_url(
        f"{portal.base}/openapi.json", config=SchemathesisConfig.from_dict(config)
    )
    method, path = route.split()
    found: dict[str, str] = {}
    scenarios = 0
    for event in from_schema(schema.include(path=path, method=method)).execute():
        if isinstance(event, events.FatalError):
            raise event.exception
        if isinstance(event, events.NonFatalError):
            found[f"error: {event.label}"] = repr(event.value)
        if isinstance(event, events.ScenarioFinished):
            scenarios += len(event.recorder.cases)
            nodes = [node for group in event.recorder.checks.values() for node in group]
            for node in nodes:
                if (info := node.failure_info) is not None:
                    title = f"{node.name}: {info.failure.title}"
                    found.setdefault(title, f"{info.failure.message}\n{info.code_sample[:600]}")
    assert scenarios, "nothing was tried"
    return found


@pytest.mark.parametrize("route", ROUTES)
def test_the_service_does_what_its_description_says(
    portal: Portal, oidc: Provider, route: str
) -> None:
    found = findings(portal, oidc, route)
    assert not found, "\n\n".join(f"{title}\n{text}" for title, text in found.items())


def what_is_there(portal: Portal, oidc: Provider, draft: dict[str, Any]) -> dict[str, str | int]:
    """Put one of everything into the registry, and name it as the paths do."""
    registry = portal.registry
    issued = portal.issued(portal.planning, draft)
    registry.log.publish()
    by = Actor("王五", PLANNING.code, portal.planning.id, scopes=frozenset(SCOPES))
    code = matter_here(portal)
    rule = registry.rules.add(new_rule(WORKS, TOWN.code, legal_basis="国务院令第716号"), by=CLERK)
    asked, answered = (registry.grants.request(GrantWish(code), by=by) for _ in range(2))
    signed = oidc.sign_in(ENTERPRISE, nonce=answered.nonce)
    grant = registry.grants.give(answered.id, signed, by=by)
    holder = registry.holders.sign_in(oidc.sign_in(ENTERPRISE))
    tomorrow = (registry.clock() + timedelta(days=1)).date()
    delegation = registry.holders.delegate("440114197602039971", holder=holder, until=tomorrow)
    complaint = Complaint(issued["id"], "fields.height_limit", "高度有误")
    objection = registry.objections.add(complaint, by=by)
    client = portal.enrol(TOWN.code, ["certificates:read"])
    kid = list(registry.clients.add_key(client.id, jwk_of(make_key()), by=CLERK).keys)[-1]
    return {
        "identifier": issued["id"],
        "slug": WORKS,
        "version": 1,
        "code": code,
        "number": 0,
        "part": 3,
        "path": "0/000.p/1",
        "client_id": client.id,
        "kid": kid,
        "rule_id": rule.id,
        "grant_id": grant.id,
        "request_id": asked.id,
        "delegation_id": delegation["id"],
        "objection_id": objection.id,
    }


def matter_here(portal: Portal) -> str:
    """Make sure that there is a matter of the planning bureau's."""
    one = next(each for each in json.loads(chain())["matters"] if each["code"] == "HD-GH-03")
    portal.registry.matters.add(json.dumps(one).encode(), by=CLERK)
    return str(one["code"])


AGENCIES = {  # where ``code`` is not a matter's
    "GET /.well-known/jwt-vc-issuer/agencies/{code}": PLANNING.code,
    "PATCH /v1/agencies/{code}": TOWN.code,
}


@pytest.mark.parametrize("route", [route for route in ROUTES if "{" in route])
def test_so_it_does_with_what_is_there(
    portal: Portal, oidc: Provider, a_draft: Drafts, route: str
) -> None:
    """Random names mostly find nothing, so the paths are given here."""
    names = what_is_there(portal, oidc, a_draft())
    if route in AGENCIES:
        names["code"] = AGENCIES[route]
    wanted = re.findall(r"{(\w+)}", route)
    found = findings(portal, oidc, route, **{f"path.{name}": names[name] for name in wanted})
    assert not found, "\n\n".join(f"{title}\n{text}" for title, text in found.items())


@pytest.fixture(scope="module")
def document(portal: Portal) -> dict[str, Any]:
    """The description of the interface."""
    return dict(portal.send("GET", "/openapi.json").json())


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the described operations by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def test_every_route_is_described(document: dict[str, Any]) -> None:
    described = operations(document)
    assert described.keys() == set(ROUTES)
    for operation in described.values():
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]


def test_every_refusal_is_described_as_a_problem_document(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert response["content"].keys() == {PROBLEM}, (name, status)


def test_what_needs_a_token_says_so(document: dict[str, Any]) -> None:
    schemes = document["components"].get("securitySchemes", {})
    assert {scheme["type"] for scheme in schemes.values()} & {"http", "oauth2"}
    for name, operation in operations(document).items():
        assert bool(operation.get("security")) == (" /v1/" in name or name == "GET /metrics"), name


def test_the_description_is_valid_openapi(document: dict[str, Any]) -> None:
    """Held to the OpenAPI specification's own schema, by somebody else's reader."""
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert document["servers"]
    assert document["info"]["contact"]["url"]
    assert document["info"]["license"]["identifier"] == "Apache-2.0"


def test_parameters_are_named_once(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        named = [(one["in"], one["name"]) for one in operation.get("parameters", ())]
        assert len(named) == len(set(named)), name


def media(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the JSON bodies of an operation: what is sent, and its good answers."""
    for kind, one in operation.get("requestBody", {}).get("content", {}).items():
        yield f"body {kind}", one
    for status, answer in operation["responses"].items():
        for kind, one in answer.get("content", {}).items():
            if int(status) < 300:
                yield f"{status} {kind}", one


def test_every_operation_has_examples_that_fit_its_schemas(document: dict[str, Any]) -> None:
    parts = {"components": document["components"]}
    for name, operation in operations(document).items():
        for what, one in media(operation):
            assert "example" in one or "examples" in one, (name, what)
            if what.endswith("/json"):
                schema = {**one["schema"], **parts}
                Draft202012Validator(schema, validate_formats=True).validate(one["example"])
        for parameter in operation.get("parameters", ()):
            if parameter["required"]:
                assert "example" in parameter, (name, parameter["name"])


def test_the_idempotency_key_is_described(document: dict[str, Any]) -> None:
    parameters = operations(document)["POST /v1/certificates"].get("parameters", [])
    found = [one for one in parameters if one["name"].lower() == "idempotency-key"]
    assert [(one["in"], one["required"]) for one in found] == [("header", True)]


def error_classes() -> set[type[EcertError]]:
    """Find all classes of the error tree."""
    members = inspect.getmembers(errors, inspect.isclass)
    return {kind for _, kind in members if issubclass(kind, EcertError)}


def test_every_error_class_has_a_row_in_the_table_of_problems() -> None:
    assert PROBLEMS.keys() == error_classes()


def test_every_error_class_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in error_classes()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


def test_the_statuses_are_those_of_the_contract() -> None:
    allowed = {400, 401, 403, 404, 406, 409, 413, 415, 422, 429, 500, 503}
    assert {status for status, _ in PROBLEMS.values()} <= allowed
