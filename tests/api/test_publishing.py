"""The publisher outlives whatever goes wrong: receipts must never stop for good (found F1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ecert.registry import Registry
from ecert_api import app as service_app
from ecert_api.context import Service
from tests.conftest import CLERK, PATIENCE, WORKS

Drafts = Callable[..., dict[str, Any]]


@contextmanager
def away(registry: Registry, table: str) -> Iterator[None]:
    """Take a table away, as a botched migration does, and bring it back."""
    rename = 'ALTER TABLE "{}" RENAME TO "{}"'
    with registry.store.reading() as reading:
        reading.connection.exec_driver_sql(rename.format(table, table + "_away"))
    yield
    with registry.store.reading() as reading:
        reading.connection.exec_driver_sql(rename.format(table + "_away", table))


def test_the_publisher_survives_a_table_that_is_away(
    any_registry: Registry,
    draft_of: Drafts,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = any_registry
    monkeypatch.setattr(service_app, "PUBLISH_SECONDS", 0.001)
    index = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record.log_index
    service = Service(registry, verify_per_minute=0)

    async def until(condition: Callable[[], object], task: asyncio.Task[None]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                assert not task.done(), "the publisher died"
                await asyncio.sleep(0)

    async def run() -> None:
        with away(registry, "checkpoints"):
            task = asyncio.create_task(service_app._publish_for_ever(service))
            await until(lambda: "not published" in caplog.text, task)
        await until(registry.log.checkpoint, task)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    service.writer.shutdown()
    service.checkers.shutdown()
    assert registry.log.receipt(index, publishes=False).index == index
