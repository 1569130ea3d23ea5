"""Every verb × every scope, asked of the library and over HTTP: the same answers, and a row for each refusal."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ecert import registry as nouns
from ecert.errors import EcertError, Forbidden
from ecert.ledger.access import ANYBODY, SCOPES
from ecert.ledger.acting import Verbs
from ecert.model import Actor
from ecert.registry import Registry
from ecert.registry.certificates import IssueRequest
from ecert_api.openapi import VERB
from tests.api.conftest import Portal, System
from tests.conftest import PLANNING, trail_rows

NOBODY = "nothing at all"
ASKED = (NOBODY, *SCOPES)
HOLDERS = {"Holders", "OwnCertificates"}  # asks for the holder's sign-in, not for scopes


def verbs(registry: Registry) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Give every public verb that names its actor, as ``Noun.verb``."""
    for noun in vars(registry).values():
        if isinstance(noun, Verbs) and type(noun).__name__ not in HOLDERS:
            for name, verb in inspect.getmembers(noun, inspect.ismethod):
                if not name.startswith("_") and "by" in inspect.signature(verb).parameters:
                    yield f"{type(noun).__name__}.{name}", verb


def expected(needed: str | None, held: str) -> bool:
    """Say by the words of the reference whether a scope is enough: its own."""
    return needed in {ANYBODY, held}


def is_refused(verb: Callable[..., Any], by: Actor) -> bool:
    """Call a verb with nothing that makes sense; tell whether it was the scope that stopped it."""
    given = {
        name: None
        for name, one in inspect.signature(verb).parameters.items()
        if one.default is inspect.Parameter.empty
    }
    try:
        verb(**{**given, "by": by})
    except Forbidden:
        return True
    except (EcertError, AttributeError, TypeError):
        return False  # it came further than the scope
    return False


def actor(held: str) -> Actor:
    scopes = frozenset() if held == NOBODY else frozenset({held})
    return Actor("李四", PLANNING.code, "client", scopes=scopes)


@pytest.fixture(scope="module")
def table(portal: Portal) -> dict[tuple[str, str], bool]:
    """What the library answers: whether a verb is refused to an actor with one scope."""
    return {
        (name, held): is_refused(verb, actor(held))
        for name, verb in verbs(portal.registry)
        for held in ASKED
    }


def needed(name: str) -> str | None:
    noun, verb = name.split(".")
    homes = [vars(module) for module in vars(nouns).values() if inspect.ismodule(module)]
    (kind,) = {home[noun] for home in homes if noun in home and issubclass(home[noun], Verbs)}
    found: str | None = getattr(kind, verb).scope
    return found


def test_the_library_refuses_by_scope(table: dict[tuple[str, str], bool]) -> None:
    assert len({name for name, _ in table}) > 50
    wrong = {
        (name, held): refused
        for (name, held), refused in table.items()
        if refused == expected(needed(name), held)
    }
    assert wrong == {}


def test_issuing_many_asks_for_the_scope_of_each(portal: Portal) -> None:
    requests = [IssueRequest("business-licence", {}, actor(held)) for held in ASKED]
    outcomes = portal.registry.certificates.issue_many(requests)
    refused = [
        held for held, one in zip(ASKED, outcomes, strict=True) if isinstance(one, Forbidden)
    ]
    assert refused == [held for held in ASKED if held != "certificates:issue"]


def test_a_refusal_in_the_library_leaves_a_row(portal: Portal) -> None:
    registry, by = portal.registry, actor(NOBODY)
    for name, verb in verbs(registry):
        if needed(name) == ANYBODY:
            continue
        before = len(trail_rows(registry, limit=10**6))
        assert is_refused(verb, by)
        (row,) = trail_rows(registry, limit=10**6)[before:]
        assert (row["outcome"], row["agency"], row["client"]) == (
            "forbidden",
            PLANNING.code,
            "client",
        ), name


def routes(portal: Portal) -> Iterator[tuple[str, str, str]]:
    """Give method, address and verb of every route that asks for a scope."""
    document = portal.send("GET", "/openapi.json").json()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if VERB in operation:
                yield method.upper(), path, operation[VERB]


@pytest.fixture(scope="module")
def callers(portal: Portal) -> dict[str, System]:
    """One client for every scope."""
    return {held: portal.enrol(PLANNING.code, [held]) for held in ASKED if held != NOBODY}


def test_over_http_the_answers_are_the_librarys(
    portal: Portal, table: dict[tuple[str, str], bool], callers: dict[str, System]
) -> None:
    seen = set()
    for method, path, verb in routes(portal):
        address = path.replace("{slug}", "x").replace("{version}", "1")
        for held, who in callers.items():
            place = address if "{" not in address else _filled(address)
            answer = portal.send(method, place, headers=portal.bearer(who))
            is_forbidden = answer.status_code == 403 and answer.json()["code"] == "forbidden"
            assert is_forbidden == table[verb, held], (method, path, held, answer.text)
        seen.add(verb)
    assert len(seen) > 30


def _filled(path: str) -> str:
    values = {
        "identifier": "1.2.156.3005.2.x",
        "code": PLANNING.code,
        "client_id": "x" * 43,
        "kid": "x",
    }
    head, *tails = path.split("{")
    for tail in tails:
        name, _, rest = tail.partition("}")
        head += values.get(name, "01KJP2N7E09BZ0XEMAWPHZ6DK0") + rest
    return head
