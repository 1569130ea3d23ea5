"""Metrics: what was done is counted, nobody is named, and nobody reads them by chance."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ecert import __version__
from ecert_api import create_app
from ecert_api.metrics import Metrics, serve
from tests.api.conftest import EVERYTHING, Portal, refused
from tests.conftest import PLANNING

Samples = dict[str, list[tuple[dict[str, str], float]]]
Drafts = Callable[..., dict[str, Any]]


def samples(text: str) -> Samples:
    """Read the text format into values by name."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            found.setdefault(one.name, []).append((dict(one.labels), one.value))
    return found


def read(portal: Portal) -> Samples:
    who = portal.enrol(PLANNING.code, ["metrics:read"])
    answer = portal.send("GET", "/metrics", headers=portal.bearer(who))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return samples(answer.text)


def value(found: Samples, name: str, **labels: str) -> float:
    return sum(number for has, number in found.get(name, []) if labels.items() <= has.items())


def test_metrics_are_not_public(portal: Portal) -> None:
    refused(portal.send("GET", "/metrics"), 401)
    other = portal.enrol(PLANNING.code, list(EVERYTHING))
    refused(portal.send("GET", "/metrics", headers=portal.bearer(other)), 403, "forbidden")


def test_the_service_tells_how_it_stands(portal: Portal) -> None:
    portal.registry.log.publish()
    found = read(portal)
    assert value(found, "ecert_log_entries") == portal.registry.log.head().size
    assert value(found, "ecert_log_signs") == 1
    ((build, one),) = found["ecert_build_info"]
    assert (build["version"], one) == (__version__, 1)
    assert value(found, "ecert_webhooks_waiting") >= 0


def test_what_was_asked_is_counted_by_route_and_never_by_address(
    desk: Portal, a_draft: Drafts
) -> None:
    issued = desk.issued(desk.planning, a_draft())
    for _ in range(3):
        assert desk.get(desk.planning, issued["id"]).status_code == 200
    refused(desk.get(desk.construction, issued["id"]), 404)
    refused(desk.send("GET", f"/nothing/{issued['id']}"), 404)
    found = read(desk)
    route = "/v1/certificates/{identifier}"
    count = "ecert_http_requests_total"
    assert value(found, count, route=route, method="GET", status="200") == 3
    assert value(found, count, route=route, method="GET", status="404") == 1
    assert value(found, count, route="/v1/certificates", method="POST", status="201") == 1
    assert value(found, count, route="other", status="404") == 1
    assert value(found, "ecert_http_request_seconds_count", route=route) == 4
    assert value(found, "ecert_batch_items_sum", batch="issue") == 1
    assert value(found, "ecert_batch_items_count", batch="audit") >= 4
    said = repr(found)
    holder = issued["holders"][0]
    for secret in (
        issued["id"],
        issued["number"],
        holder["name"],
        holder["code"],
        desk.planning.id,
    ):
        assert secret not in said


def test_a_publisher_that_fails_is_counted(desk: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecert_api import app as application

    service, failed = create_app(desk.registry).state.service, threading.Semaphore(0)

    def fail() -> str:
        failed.release()
        raise ConnectionResetError("a text that might hold what was entered")

    monkeypatch.setattr(desk.registry.log, "publish", fail)
    monkeypatch.setattr(application, "PUBLISH_SECONDS", 0)

    async def publish_for_a_moment() -> None:
        publishing = asyncio.create_task(application._publish_for_ever(service))
        for _ in range(3):  # the third begins after the second was counted
            await asyncio.to_thread(failed.acquire)
        publishing.cancel()

    asyncio.run(publish_for_a_moment())
    service.shutdown()
    found = samples(service.metrics.text().decode())
    assert value(found, "ecert_errors_total", where="publish", kind="ConnectionResetError") >= 2


@pytest.fixture
def port() -> Iterator[int]:
    """A port that is taken, so that the next one has to be tried."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield int(taken.getsockname()[1])


def test_a_port_of_their_own_asks_for_no_token(port: int) -> None:
    metrics = Metrics()
    metrics.answered("GET", "/v1/matters", 200, 0.01)
    server, thread = serve(metrics, "127.0.0.1", port)
    try:
        assert server.server_port > port, "the first one was taken"
        answer = httpx.get(f"http://127.0.0.1:{server.server_port}/metrics", trust_env=False)
        assert value(samples(answer.text), "ecert_http_requests_total", route="/v1/matters") == 1
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_service_opens_and_closes_that_port(desk: Portal) -> None:
    app = create_app(desk.registry, metrics_address=("127.0.0.1", 0))

    async def live() -> str:
        async with app.router.lifespan_context(app):
            text: bytes = await asyncio.to_thread(app.state.service.metrics.text)
            return text.decode()

    assert value(samples(asyncio.run(live())), "ecert_log_signs") == 1
