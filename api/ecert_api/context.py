"""The running service: a registry, the batches that share commits, and the threads that work."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from ecert.errors import EcertError
from ecert.model import Actor
from ecert.registry import (
    NIGHTLY,
    AuditEntry,
    Caller,
    DeferredTrail,
    Issued,
    IssueRequest,
    Registry,
)
from ecert.verification import Report, Verifier
from ecert_api.batches import Batch
from ecert_api.limits import RateLimit
from ecert_api.metrics import Metrics, Standing

MAX_BATCH = 128
MAX_CHECKING = 16  # verifications at once: each may hold a body of 32 MB
T = TypeVar("T")


class Service:
    """The running service: a registry, and the batches that share commits."""

    def __init__(self, registry: Registry, *, verify_per_minute: int) -> None:
        self.registry, self.metrics = registry, Metrics()
        self.metrics.registry.register(Standing(self._gauges, registry.store.backend))
        self.verifying = RateLimit(verify_per_minute)
        self.writer = ThreadPoolExecutor(1, "ecert-writer")
        self.checkers = ThreadPoolExecutor(max(2, os.cpu_count() or 2), "ecert-checker")
        self.checking = 0
        self.issues: Batch[IssueRequest, Issued | EcertError] = Batch(
            registry.certificates.issue_many,
            self.writer,
            most=MAX_BATCH,
            noted=lambda items: self.metrics.committed("issue", items),
        )
        self.audit: Batch[Sequence[AuditEntry], EcertError | None] = Batch(
            registry.desk.trail.write_calls,
            self.writer,
            most=256,
            is_direct=self._may_write_at_once,
            noted=lambda items: self.metrics.committed("audit", items),
        )
        self._writing = 0
        self.running: set[tuple[str, bytes]] = set()  # keyed requests in flight on this node
        self.fork: str | None = None  # why the log does not sign, if it does not
        self.published_at: float | None = None  # when it last did, on the monotonic clock
        self.is_stopping = False
        self._verifier: Verifier | None = None
        self._is_local = registry.store.backend == "sqlite"

    def _may_write_at_once(self) -> bool:
        """Tell whether the event loop may commit itself: never while the writer holds the lock."""
        return self._is_local and not self._writing and not self.issues.is_running

    async def record(self, entries: Sequence[AuditEntry]) -> None:
        """Make the audit rows of a call durable before anything leaves. Raises: QuotaExceeded."""
        if entries and (refusal := await self.audit.put(entries)) is not None:
            raise refusal

    async def note_refusal(self, caller: Caller, request: Request, code: str) -> None:
        """Put into the trail that a known client was refused before anything was looked at."""
        route = getattr(
            request.scope.get("route"), "path_format", ""
        )  # the pattern, never what was sent
        by = caller.actor(purpose=f"{request.method} {route}".strip())
        await self.record([AuditEntry("call", by, code)])

    # -- calling the registry ----------------------------------------------------------------------

    async def look(self, work: Callable[..., T], *arguments: Any) -> T:
        """Look something up that needs no audit row: at once on SQLite, where a thread costs more."""
        if self._is_local:
            return work(*arguments)
        return await asyncio.to_thread(work, *arguments)

    async def read(self, verb: Callable[..., T], *arguments: Any, **members: Any) -> T:
        """Call a verb that reads; its audit rows are durable before this returns, or raises."""
        trail = DeferredTrail()
        return await self._audited(
            trail, self.look(lambda: verb(*arguments, trail=trail, **members))
        )

    async def make(self, verb: Callable[..., T], *arguments: Any, **members: Any) -> T:
        """Call a verb that reads and takes a while, on a thread of its own; audited as ``read``."""
        trail = DeferredTrail()
        return await self._audited(
            trail, self._apart(lambda: verb(*arguments, trail=trail, **members))
        )

    async def _audited(self, trail: DeferredTrail, work: Awaitable[T]) -> T:
        try:
            return await work
        finally:
            await self.record(trail.entries)

    async def write(self, verb: Callable[..., T], *arguments: Any, **members: Any) -> T:
        """Call a verb that writes, on the writer's thread; it audits itself."""
        loop = asyncio.get_running_loop()
        self._writing += 1
        try:
            return await loop.run_in_executor(self.writer, lambda: verb(*arguments, **members))
        finally:
            self._writing -= 1

    async def write_apart(self, verb: Callable[..., T], *arguments: Any, **members: Any) -> T:
        """Call a verb that writes and takes a while, on a thread of its own; it audits itself."""
        return await self._apart(lambda: verb(*arguments, **members))

    async def _apart(self, work: Callable[[], T]) -> T:
        self._writing += 1
        try:
            return await asyncio.to_thread(work)
        finally:
            self._writing -= 1

    def _publish(self) -> str:
        self.registry.settlement.settle()
        return self.registry.log.publish()

    async def publish(self) -> str:
        """Do what has come due by the calendar, and publish a checkpoint. Raises: ForkGuard, StoreBusy."""
        note = await self.write(self._publish)
        self.fork, self.published_at = None, time.monotonic()
        return note

    def check(self) -> None:
        """Do the nightly check if it is due, and nobody else is at it. Raises: StoreBusy, HomeError."""
        if self.registry.checks.is_due():
            self.registry.checks.run(by=Actor("ecert"), scope=NIGHTLY, tell=self._go_on)

    def _go_on(self, _part: str, _done: int, _total: int) -> None:
        """Cut the nightly check short when the service stops: it goes on at the next start."""
        if self.is_stopping:
            raise asyncio.CancelledError

    def _gauges(self) -> Iterator[tuple[str, str, float]]:
        """Look up how things stand, for whoever reads the metrics."""
        yield "ecert_log_entries", "Entries in the log.", self.registry.log.head().size
        yield "ecert_log_signs", "Whether the log signs checkpoints.", float(self.fork is None)
        if self.published_at is not None:
            age = time.monotonic() - self.published_at
            yield "ecert_checkpoint_age_seconds", "Since the newest checkpoint was up to date.", age
        if (last := self.registry.checks.newest()) is not None:
            since = (self.registry.clock() - last.finished_at).total_seconds()
            yield "ecert_check_age_seconds", "Since everything stored was last checked.", since
            yield "ecert_check_faults", "What the last check found.", last.found
        waiting = self.registry.webhooks.waiting()
        yield "ecert_webhooks_waiting", "Clients that are yet to be told of something.", waiting

    # -- verifying ---------------------------------------------------------------------------------

    async def verify(self, verifier: Verifier, data: bytes, at: datetime | date | None) -> Report:
        """Verify what somebody presented, on threads of its own: the public waits for the public."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.checkers, lambda: verifier.verify(data, at=at))

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count a verification from before its body is read. Raises: 503 when too many are waiting."""
        if self.checking >= MAX_CHECKING:
            raise HTTPException(503, "too many verifications at once", {"Retry-After": "1"})
        self.checking += 1
        try:
            yield
        finally:
            self.checking -= 1

    def verifier(self) -> Verifier:
        """Give the verifier of ``POST /verify``; made afresh when keys or agencies changed."""
        trust = self.registry.trust()
        if self._verifier is None or self._verifier.trust != trust:
            self._verifier = self.registry.verifier(trust=trust)
        self._verifier.trust = trust  # the same, as of now
        return self._verifier

    def shutdown(self) -> None:
        """End the threads."""
        self.writer.shutdown()
        self.checkers.shutdown()


def service_of(request: Request) -> Service:
    """Find the running service."""
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101 - set when the application was made
    return service


ServiceDep = Annotated[Service, Depends(service_of)]
