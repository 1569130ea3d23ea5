"""The migrations build exactly the tables that the code declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from ecert.store import Store
from ecert.store.tables import metadata


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_migrated_tables_are_the_declared_ones(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sqlite = f"sqlite:///{tmp_path / 'fresh.db'}"
    url = sqlite if backend == "sqlite" else request.getfixturevalue("postgres_url")
    store = Store(url)
    store.set_up()
    store.set_up()  # again changes nothing
    with store.reading() as reading:
        context = MigrationContext.configure(reading.connection)
        differences: list[Any] = compare_metadata(context, metadata)
    store.close()
    assert differences == []
