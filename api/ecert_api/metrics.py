"""Metrics 监控指标 in the Prometheus format: what the service did, and how it stands.

Each process counts for itself. No label names a person, a client or a certificate.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecert import __version__

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_MOST_PORTS = 64


class Metrics:
    """What one process of the service counted."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # The counters by what they count: looking one up by its labels costs more than counting.
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            "ecert_http_requests",
            "Requests that were answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "ecert_http_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._items = Histogram(
            "ecert_batch_items",
            "How many items shared one commit.",
            ["batch"],
            buckets=_ITEMS,
            registry=self.registry,
        )
        self._errors = Counter(
            "ecert_errors",
            "Failures that nobody could be told of, by where and by kind.",
            ["where", "kind"],
            registry=self.registry,
        )
        self._attempts = Counter(
            "ecert_webhook_attempts",
            "Attempts to tell a client of changes, by what came of them.",
            ["result"],
            registry=self.registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        key = (method, route, status)
        known = self._known.get(key)
        if known is None:
            counter = self._requests.labels(method, route, str(status))
            known = self._known[key] = counter, self._seconds.labels(route)
        known[0].inc()
        known[1].observe(seconds)

    def committed(self, batch: str, items: int) -> None:
        """Count a commit that several callers shared."""
        self._items.labels(batch).observe(items)

    def failed(self, where: str, error: BaseException) -> None:
        """Count a failure by its kind; its text may hold what was entered."""
        self._errors.labels(where, type(error).__name__).inc()

    def told(self, result: str) -> None:
        """Count an attempt at a webhook: its status, or what went wrong."""
        self._attempts.labels(result).inc()

    def text(self) -> bytes:
        """Give everything in the text format."""
        return generate_latest(self.registry)


class Standing(Collector):
    """How the registry stands at the moment of asking: gauges that are looked up, not counted."""

    def __init__(self, gauges: Callable[[], Iterable[tuple[str, str, float]]], store: str) -> None:
        self._gauges, self._store = gauges, store

    def collect(self) -> Iterable[Metric]:
        """Give the gauges and the build."""
        info = {"version": __version__, "python": platform.python_version(), "store": self._store}
        yield InfoMetricFamily("ecert_build", "What runs here.", value=info)
        for name, words, value in self._gauges():
            yield GaugeMetricFamily(name, words, value=value)

    def describe(self) -> Iterable[Metric]:
        """Give nothing: names are known when they are asked for."""
        return ()


class Measured:
    """Middleware: counts and times every answer under its route's pattern, never its address."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, start = 500, time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path_format", "other")
            seconds = time.perf_counter() - start
            self._metrics.answered(scope["method"], route, status, seconds)


def serve(metrics: Metrics, host: str, port: int) -> tuple[WSGIServer, Thread]:
    """Serve metrics on a port of their own; the next free one where another process has it.

    Raises: OSError when none is free.
    """
    for one in range(port, port + _MOST_PORTS):
        try:
            return start_http_server(one, host, metrics.registry)
        except OSError:
            if one == port + _MOST_PORTS - 1:
                raise
    raise AssertionError("there is at least one port")
