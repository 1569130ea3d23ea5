"""Group commit: callers in flight share one piece of work, and nobody pays for a neighbour."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ecert_api.batches import Batch


def run(items: Sequence[int], *, most: int = 100) -> tuple[list[Any], list[int]]:
    """Put items at once; give each caller's answer, and the sizes of the pieces of work."""
    sizes: list[int] = []

    def work(taken: Sequence[int]) -> list[int]:
        sizes.append(len(taken))
        if 0 in taken:
            raise ZeroDivisionError
        return [100 // item for item in taken]

    async def all_at_once() -> list[Any]:
        with ThreadPoolExecutor(1) as writer:
            batch = Batch(work, writer, most=most)
            return await asyncio.gather(*map(batch.put, items), return_exceptions=True)

    return asyncio.run(all_at_once()), sizes


def test_callers_in_flight_share_one_piece_of_work() -> None:
    answers, sizes = run(range(1, 51))
    assert answers == [100 // item for item in range(1, 51)]
    assert sizes == [50]


def test_a_piece_of_work_is_bounded() -> None:
    answers, sizes = run(range(1, 11), most=4)
    assert answers == [100 // item for item in range(1, 11)]
    assert max(sizes) == 4


def test_one_callers_fault_is_not_its_neighbours() -> None:
    answers, _ = run([1, 0, 2])
    assert answers[::2] == [100, 50]
    assert isinstance(answers[1], ZeroDivisionError)


def test_the_next_callers_are_served_after_a_fault() -> None:
    assert [one for one in run([0, 0, 5])[0] if one == 20] == [20]
