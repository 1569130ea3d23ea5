"""What the adversary's tests share: registries with a genuine certificate in them, and stolen keys."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ecert.config import Surroundings, init_registry, open_registry
from ecert.model import Record
from ecert.registry import Registry
from ecert.testing import SettableClock
from tests.adversary.forge import Cose, Sd, Stolen
from tests.conftest import CLERK, PLAN, WORKS

Drafts = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh registry's home, made once a worker and copied for each test."""
    folder = tmp_path_factory.mktemp("template")
    around = Surroundings(clock=SettableClock(), state=folder / "state")
    init_registry(folder / "home", PLAN, around=around).close()
    return folder / "home"


@pytest.fixture
def registry(template: Path, tmp_path: Path, clock: SettableClock) -> Iterator[Registry]:
    """A registry on SQLite with one planning agency, a copy of a fresh one."""
    shutil.copytree(template, tmp_path / "home")
    around = Surroundings(clock=clock, state=tmp_path / "state")
    opened = open_registry(tmp_path / "home", around=around)
    yield opened
    opened.close()


@pytest.fixture
def record(registry: Registry, draft_of: Drafts) -> Record:
    """A genuine certificate of the planning agency."""
    return registry.certificates.issue(WORKS, draft_of(), by=CLERK).record


@pytest.fixture
def other(registry: Registry, record: Record, draft_of: Drafts) -> Record:
    """A second genuine certificate of the same agency, issued after the first."""
    del record
    return registry.certificates.issue(WORKS, draft_of(), by=CLERK).record


@pytest.fixture
def stolen(registry: Registry) -> Stolen:
    return Stolen(registry)


@pytest.fixture
def sd(record: Record) -> Sd:
    """The genuine credential, taken apart."""
    return Sd.of(record.credential)


@pytest.fixture
def cose(record: Record) -> Cose:
    """The genuine seal, taken apart."""
    return Cose.of(record.seal)
