"""Delivery of webhooks 变动推送: clients are told of changes, signed, again and again until they have heard.

Where to is set by an administrator, never by a token or a document. No redirect is followed, and
what is told names a certificate and what became of it, nothing of what it says.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx

from ecert.errors import EcertError
from ecert.registry import Registry, WebhookRow
from ecert_api.metrics import Metrics
from ecert_api.webhook_address import find_place

POLL_SECONDS = 1.0
TIMEOUT_SECONDS = 10.0
LEASE_SECONDS = 60
FIRST_RETRY_SECONDS = 5
LAST_RETRY_SECONDS = 3600
MAX_ITEMS = 100
FAR_BEHIND = 1000
MEDIA_TYPE = "application/jwt"
_LOG = logging.getLogger("ecert")


async def deliver_for_ever(registry: Registry, metrics: Metrics) -> None:
    """Deliver what is due, and look again; what goes wrong with one never stops the others."""
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as http:
        while True:
            try:
                await deliver_due(registry, http, metrics.told)
            except EcertError as error:
                _LOG.warning("webhooks: %s", error.code)
                metrics.failed("webhooks", error)
            except Exception as error:  # noqa: BLE001 - telling goes on, whatever happened once
                _LOG.warning("webhooks: %s", type(error).__name__)
                metrics.failed("webhooks", error)
            await asyncio.sleep(POLL_SECONDS)


async def deliver_due(
    registry: Registry, http: httpx.AsyncClient, noted: Callable[[str], None] = lambda _result: None
) -> None:
    """Make one attempt at each webhook that is due; ``noted`` is told what came of each."""
    now = int(registry.clock().timestamp())
    due = await asyncio.to_thread(registry.webhooks.all, now)
    await asyncio.gather(*(_deliver(registry, http, row, now, noted) for row in due))


async def _deliver(
    registry: Registry,
    http: httpx.AsyncClient,
    row: WebhookRow,
    now: int,
    noted: Callable[[str], None],
) -> None:
    items, cursor = await asyncio.to_thread(
        lambda: registry.changes.waiting(row.client, after=row.cursor, limit=MAX_ITEMS)
    )
    if not items:
        if cursor - row.cursor >= FAR_BEHIND:  # so that the next look is short
            await asyncio.to_thread(registry.webhooks.settle, replace(row, cursor=cursor))
        return
    if not await asyncio.to_thread(registry.webhooks.lease, row, now + LEASE_SECONDS):
        return
    result = await _attempt(registry, http, row, items)
    noted(result)
    if result.startswith("2"):
        settled = replace(row, cursor=cursor, failures=0, next_at=0, last_result=result)
    else:
        wait = min(FIRST_RETRY_SECONDS * 2 ** min(row.failures, 20), LAST_RETRY_SECONDS)
        settled = replace(row, failures=row.failures + 1, next_at=now + wait, last_result=result)
    await asyncio.to_thread(registry.webhooks.settle, settled)


async def _attempt(
    registry: Registry, http: httpx.AsyncClient, row: WebhookRow, items: list[dict[str, Any]]
) -> str:
    """Tell a client once; give the status it answered, or what went wrong, in a word."""
    token = await asyncio.to_thread(registry.changes.sign, row.client, items)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            place = await find_place(row.url, allows_internal=registry.is_trial)
            headers = {"Content-Type": MEDIA_TYPE, "Host": place.host}
            request = http.build_request(
                "POST", place.url, content=token, headers=headers, extensions=place.extensions
            )
            answer = await http.send(request, stream=True)
            await answer.aclose()
            return str(answer.status_code)  # what else it answers is not read
    except Exception as error:  # noqa: BLE001 - an address that none can call is its client's affair
        return type(error).__name__
