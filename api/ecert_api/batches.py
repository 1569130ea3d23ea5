"""Group commit 成组提交: writes of all requests in flight share one transaction.

While one transaction is being made durable, the next requests gather; each caller is answered
only after its own row is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batch(Generic[Item, Result]):
    """Gathers items and hands them to ``work`` many at a time, on the writer's thread."""

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        writer: ThreadPoolExecutor,
        *,
        most: int,
    ) -> None:
        self._work, self._writer, self._most = work, writer, most
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._is_running = False
        self._task: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> Result:
        """Add an item and wait until it is durable; give its result. Raises: what work raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        if not self._is_running:
            self._is_running = True
            self._task = loop.create_task(self._run())
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)  # let requests that are ready in this turn of the loop join
        while self._waiting:
            taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                items = [item for item, _ in taken]
                results = await loop.run_in_executor(self._writer, self._work, items)
            except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear of it
                _fail(taken, error)
                continue
            for (_, future), result in zip(taken, results, strict=True):
                if not future.done():  # a caller that hung up is done
                    future.set_result(result)
        self._is_running = False


def _fail(taken: Sequence[tuple[Item, asyncio.Future[Result]]], error: Exception) -> None:
    for _, future in taken:
        if not future.done():
            future.set_exception(error)
