"""The migrations build exactly the tables that the code declares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, select, text, update

from ecert.keys import make_signer, public_jwk
from ecert.model import Actor, Basis, Operation, Record
from ecert.registry import Provider
from ecert.store.engine import _config, lay_out, migrate, open_engine
from ecert.store.tables import clients, fallen_foundations, metadata
from ecert.testing import temporary_registry
from tests.conftest import CLERK, CONSTRUCTION, WORKS

SITING, LAND = "project-siting-opinion", "land-use-planning-permit"


@pytest.mark.parametrize("way", [lay_out, migrate], ids=["laid out", "migrated"])
@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_the_tables_are_the_declared_ones(
    backend: str, way: Callable[[Engine], None], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sqlite = f"sqlite:///{tmp_path / 'fresh.db'}"
    url = sqlite if backend == "sqlite" else request.getfixturevalue("postgres_url")
    engine = open_engine(url)
    for _ in range(2):  # again changes nothing
        way(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        differences: list[Any] = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_what_is_laid_out_is_what_is_migrated(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Rows, columns, keys and indexes, as the database itself describes them."""
    found = []
    for way in (lay_out, migrate):
        sqlite = f"sqlite:///{tmp_path / way.__name__}.db"
        engine = open_engine(
            sqlite if backend == "sqlite" else request.getfixturevalue("postgres_url")
        )
        way(engine)
        found.append(_described(engine))
        metadata.drop_all(engine)
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE alembic_version"))
        engine.dispose()
    assert found[0] == found[1]


def _described(engine: Engine) -> dict[str, Any]:
    seen = inspect(engine)
    with engine.connect() as connection:
        rows = {
            name: connection.execute(select(table)).all() for name, table in metadata.tables.items()
        }
    return {
        name: {
            "rows": rows.get(name),
            "columns": sorted(
                (str(one["name"]), str(one["type"]), one["nullable"])
                for one in seen.get_columns(name)
            ),
            "key": seen.get_pk_constraint(name)["constrained_columns"],
            "indexes": sorted(
                (str(one["name"]), tuple(one["column_names"]), bool(one["unique"]))
                for one in seen.get_indexes(name)
            ),
            "foreign": sorted(
                (tuple(one["constrained_columns"]), one["referred_table"], str(one["options"]))
                for one in seen.get_foreign_keys(name)
            ),
        }
        for name in seen.get_table_names()
    }


def test_what_had_fallen_before_the_upgrade_is_worked_out() -> None:
    with temporary_registry() as registry:
        issued: dict[str, Record] = {}
        for before, slug in (("", SITING), (SITING, LAND), (LAND, WORKS)):
            rests_on = [issued[before].id] if before else []
            draft = {**registry.catalogue.newest(slug).example, "rests_on": rests_on}
            issued[slug] = registry.certificates.issue(slug, draft, by=CLERK).record
        why = Basis("核查", "文", "李四")
        registry.certificates.operate(issued[SITING].id, Operation.WITHDRAW, basis=why, by=CLERK)
        engine = open_engine(f"sqlite:///{registry.home / 'ecert.db'}")
        config = _config()
        kept = []
        for _ in range(2):
            with engine.connect() as connection:
                kept.append(connection.execute(select(fallen_foundations)).all())
            with engine.begin() as connection:
                config.attributes["connection"] = connection
                command.downgrade(config, "0006")
            migrate(engine)
        engine.dispose()
    assert len(kept[0]) == 2
    assert kept[0] == kept[1]


def test_scopes_of_a_type_become_rules_and_halls_become_portals() -> None:
    with temporary_registry() as registry:
        draft = dict(registry.catalogue.newest(WORKS).example)
        works = registry.certificates.issue(WORKS, draft, by=CLERK).record
        registry.agencies.add(CONSTRUCTION, by=CLERK)
        signer = make_signer()
        jwk = public_jwk(signer.public_key)
        client = registry.clients.add(
            "系统", agency=CONSTRUCTION.code, scopes=["audit:read"], jwk=jwk, by=CLERK
        )
        off = registry.clients.add(
            "停用",
            agency=CONSTRUCTION.code,
            scopes=["audit:read"],
            jwk=public_jwk(make_signer().public_key),
            by=CLERK,
        )
        key = {"keys": [public_jwk(make_signer().public_key)]}
        hall = Provider("https://id.example.cn", ("hall", "window"), ("high",), key, "ES256")
        registry.providers.put(hall, by=CLERK)
        engine = open_engine(f"sqlite:///{registry.home / 'ecert.db'}")
        config = _config()
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "0007")
            old = {"scopes": f"audit:read certificates:read:{WORKS}"}
            connection.execute(update(clients).where(clients.c.id == client.id).values(**old))
            shut = {"scopes": f"certificates:read:{SITING}", "state": "suspended"}
            connection.execute(update(clients).where(clients.c.id == off.id).values(**shut))
        migrate(engine)
        engine.dispose()
        (row,) = [one for one in registry.clients.all(by=CLERK) if one.id == client.id]
        assert row.allowed == {"audit:read", "certificates:read"}
        (rule,) = registry.rules.all(by=CLERK)
        assert (rule.agency, rule.slug, rule.fields, rule.matter) == (
            CONSTRUCTION.code,
            WORKS,
            ("*",),
            None,
        )
        assert rule.legal_basis.endswith(f"certificates:read:{WORKS}")
        by = Actor("李四", CONSTRUCTION.code, client.id, "审批", scopes=row.allowed)
        assert registry.certificates.get(works.id, by=by).id == works.id
        (provider,) = registry.providers.all(by=CLERK)
        assert provider.portals == ("hall", "window")
