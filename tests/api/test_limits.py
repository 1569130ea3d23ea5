"""How often one address may ask ``POST /verify``, and what the service does when too many ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from starlette.requests import Request

from ecert.registry import Registry
from ecert_api import create_app
from ecert_api.context import MAX_CHECKING, Service
from ecert_api.limits import MAX_ADDRESSES, RateLimit, address_of
from tests.api.conftest import Drafts
from tests.api.conftest import InProcess as _InProcess
from tests.conftest import CLERK, WORKS


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(st.integers(1, 600), st.lists(st.floats(0, 120), max_size=60))
def test_no_pattern_of_asking_gets_more_than_the_rate_and_the_burst(
    per_minute: int, pauses: list[float]
) -> None:
    clock = Clock()
    limit, granted, start = RateLimit(per_minute, clock), 0, clock.now
    for pause in pauses:
        clock.now += pause
        granted += limit.wait("a") == 0
    allowed = (clock.now - start + 30) * per_minute / 60 + 1
    assert granted <= allowed + 1


def test_waiting_as_long_as_told_is_enough() -> None:
    clock = Clock()
    limit = RateLimit(60, clock)
    waits = [limit.wait("a") for _ in range(40)]
    assert waits[0] == 0
    seconds = waits[-1]
    assert seconds > 0
    clock.now += seconds
    assert limit.wait("a") == 0


def test_addresses_do_not_share_and_no_limit_is_no_limit() -> None:
    limit = RateLimit(1, Clock())
    assert limit.wait("a") == 0
    assert limit.wait("b") == 0
    assert limit.wait("a") + limit.wait("a") > 0
    free = RateLimit(0, Clock())
    assert not any(free.wait("a") for _ in range(1000))


def test_a_flood_of_addresses_does_not_grow_the_memory() -> None:
    limit = RateLimit(60, Clock())
    for number in range(MAX_ADDRESSES + 500):
        assert limit.wait(str(number)) == 0
    assert len(limit._next) <= MAX_ADDRESSES


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),  # one subscriber's network
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),  # IPv4 on a socket for both
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("testclient", "testclient", True),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, is_same: bool) -> None:
    found = [address_of(Request({"type": "http", "client": (host, 1)})) for host in (one, other)]
    assert (found[0] == found[1]) is is_same


class InProcess(_InProcess):
    """The service in this process, and what is inside it."""

    service: Service


Opener = Callable[..., InProcess]


@pytest.fixture
def open_with(registry: Registry) -> Iterator[Opener]:
    """Open the service of a registry with a limit of one's own."""
    opened: list[InProcess] = []

    def opener(per_minute: int) -> InProcess:
        app = create_app(registry, verify_per_minute=per_minute)
        opened.append(InProcess(app, registry.base))
        opened[-1].service = app.state.service
        return opened[-1]

    yield opener
    for one in opened:
        one.close()
        one.service.writer.shutdown()
        one.service.checkers.shutdown()


def ask(service: InProcess, text: str) -> httpx.Response:
    return service.send("POST", "/verify", content=text, headers={"Content-Type": "text/plain"})


def test_too_many_requests_say_how_long_to_wait(open_with: Opener) -> None:
    limited = open_with(2)
    answers = [ask(limited, "x") for _ in range(6)]
    assert answers[0].status_code == 200
    last = answers[-1]
    assert (last.status_code, last.json()["code"]) == (429, "too_many_requests")
    assert int(last.headers["Retry-After"]) > 0
    assert limited.send("GET", "/v").status_code == 200  # pages and lists are not counted


def test_too_many_at_once_are_asked_to_come_back(open_with: Opener) -> None:
    full = open_with(0)
    full.service.checking = MAX_CHECKING
    answer = ask(full, "x")
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert answer.headers["Retry-After"]
    full.service.checking = 0
    assert ask(full, "x").status_code == 200
    assert full.service.checking == 0


def test_only_a_seal_that_an_agency_signed_is_looked_up(
    registry: Registry, a_draft: Drafts, open_with: Opener
) -> None:
    """Who guesses learns nothing by time: without a good signature no statement names a certificate."""
    seal = registry.certificates.issue(WORKS, a_draft(), by=CLERK).record.seal
    wrong = seal[:-9] + ("A" if seal[-9] != "A" else "B") + seal[-8:]
    client, engine = open_with(0), registry.store._engine
    ask(client, seal)  # signs the status list
    seen: list[str] = []

    def note(*arguments: object) -> None:
        seen.append(str(arguments[2]))

    statements = []
    event.listen(engine, "before_cursor_execute", note)
    for text in (seal, wrong, "HTTPS://EXAMPLE.COM/V#AAAA"):
        seen.clear()
        assert ask(client, text).status_code == 200
        statements.append([one for one in seen if "certificates" in one])
    event.remove(engine, "before_cursor_execute", note)
    genuine, *guessed = statements
    assert len([one for one in genuine if "certificates.id =" in one]) == 1  # was it issued here?
    assert all("certificates.id =" not in one for each in guessed for one in each)
    assert guessed[0] == guessed[1]
