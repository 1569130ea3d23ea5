"""What the adversary's tests share: registries with a genuine certificate in them, and stolen keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ecert.model import Record
from ecert.registry import Registry
from tests.adversary.forge import Cose, Sd, Stolen
from tests.conftest import CLERK, WORKS

Drafts = Callable[..., dict[str, Any]]


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
