"""For integrators' tests: a real registry in a temporary folder, with a clock that can be set."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ecert.config import Plan, Surroundings, init_registry
from ecert.model import Actor
from ecert.registry import Registry

OPERATOR = Actor("tester", purpose="test")


class SettableClock:
    """A clock that stands still until it is moved; it starts on 2026-03-02, 09:30 in Guangzhou."""

    def __init__(self, start: datetime | None = None) -> None:
        self.now = start or datetime(2026, 3, 2, 1, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Give the moment it shows."""
        return self.now

    def move(self, step: timedelta) -> None:
        """Move the clock on (or back)."""
        self.now += step


@contextmanager
def temporary_registry(
    plan: Plan | None = None, *, clock: SettableClock | None = None
) -> Iterator[Registry]:
    """Open a registry that vanishes at the end: nothing in it is simulated.

    ``plan`` as for ``ecert.init``; without one it is a trial home with one fictional agency.
    """
    with tempfile.TemporaryDirectory(prefix="ecert-") as folder:
        around = Surroundings(state=Path(folder) / "state", clock=clock or SettableClock())
        registry = init_registry(Path(folder) / "home", plan, around=around)
        try:
            yield registry
        finally:
            registry.close()
