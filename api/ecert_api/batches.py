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
    """Gathers items and hands them to ``work`` many at a time, on the writer's thread.

    While ``is_direct`` says so the work is done at once in the event loop: where a commit is
    shorter than handing the interpreter from one thread to another, that is faster for everybody.
    ``noted`` is told how many items shared a commit.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        writer: ThreadPoolExecutor,
        *,
        most: int,
        is_direct: Callable[[], bool] = lambda: False,
        noted: Callable[[int], None] = lambda _items: None,
    ) -> None:
        self._work, self._writer, self._most = work, writer, most
        self._is_direct, self._noted = is_direct, noted
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self.is_running = False
        self._task: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> Result:
        """Add an item and wait until it is durable; give its result. Raises: what work raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        if not self.is_running:
            self.is_running = True
            self._task = loop.create_task(self._run())
        return await future

    async def _run(self) -> None:
        await asyncio.sleep(0)  # let requests that are ready in this turn of the loop join
        while self._waiting:
            taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            if not await self._settle(taken) and len(taken) > 1:
                for one in taken:  # one caller's fault must not be its neighbours'
                    await self._settle([one])
        self.is_running = False

    async def _settle(self, taken: list[tuple[Item, asyncio.Future[Result]]]) -> bool:
        """Do the work of some callers and answer them; False when several failed together."""
        items = [item for item, _ in taken]
        try:
            results = await self._results(items)
        except Exception as error:  # noqa: BLE001 - whatever it is, its caller must hear of it
            if len(taken) == 1 and not taken[0][1].done():
                taken[0][1].set_exception(error)
            return False
        self._noted(len(items))
        for (_, future), result in zip(taken, results, strict=True):
            if not future.done():  # a caller that hung up is done
                future.set_result(result)
        return True

    async def _results(self, items: Sequence[Item]) -> Sequence[Result]:
        if self._is_direct():
            return self._work(items)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, self._work, items)
