"""A registry with the whole chain in it, made once a worker and copied for each test."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ecert.config import Plan, Surroundings, init_registry
from ecert.demo import CHAIN, MARKET, REFORM, issue_chain
from ecert.formats.id_token import Provider as Settings
from ecert.registry import Query, Registry
from ecert.reuse.sharing import new_rule
from ecert.samples.district import chain
from ecert.testing import SettableClock
from tests.adversary.reuse.world import (
    A_CODE,
    BASIS,
    CLERK,
    IDP,
    MATTER,
    Hall,
    World,
    enrol_readers,
)
from tests.api.conftest import Portal, Systems, enrol_usual, log_lines, open_desk
from tests.conftest import CONSTRUCTION, EVERY_TYPE, PLANNING, copy_home
from tests.oidc.provider import ACCOUNTS, HIGH, Provider, oidc, oidc_provider

__all__ = ["log_lines", "oidc", "open_desk"]


@pytest.fixture(scope="session")
def hall() -> Hall:
    return Hall()


@pytest.fixture(scope="session")
def strange(oidc: Provider) -> Iterator[Provider]:
    """A second real provider, which nobody told the registry to believe."""
    with oidc_provider(ACCOUNTS, clients=("online-hall",)) as provider:
        yield provider


@pytest.fixture(scope="session")
def chained(
    tmp_path_factory: pytest.TempPathFactory, oidc: Provider, hall: Hall
) -> tuple[Path, Systems]:
    """The home of a registry with the chain, its matters, what the permit's rules open, and its systems."""
    folder = tmp_path_factory.mktemp("chained")
    around = Surroundings(clock=SettableClock(), state=folder / "state")
    plan = Plan("http://127.0.0.1:8000", PLANNING, trial=True)
    registry = init_registry(folder / "home", plan, around=around)
    for agency in (MARKET, REFORM, CONSTRUCTION):
        registry.agencies.add(agency, by=CLERK, may_issue=EVERY_TYPE)
    issue_chain(registry, CLERK)
    registry.matters.add(chain(), by=CLERK)
    for slug in sorted(registry.matters.get(MATTER, by=CLERK).slugs):
        rule = new_rule(slug, CONSTRUCTION.code, matter=MATTER, legal_basis=BASIS)
        registry.rules.add(rule, by=CLERK)
    for issuer, keys in ((oidc.issuer, oidc.jwks), (IDP, hall.jwks())):
        believed = Settings(issuer, ("online-hall",), (HIGH,), keys, portals=("online-hall",))
        registry.providers.put(believed, by=CLERK)
    systems = {**enrol_usual(registry), **enrol_readers(registry)}
    registry.close()
    return folder / "home", systems


@pytest.fixture
def registry(
    chained: tuple[Path, Systems], tmp_path: Path, clock: SettableClock
) -> Iterator[Registry]:
    opened = copy_home(chained[0], tmp_path, clock)
    yield opened
    opened.close()


@pytest.fixture
def desk(
    registry: Registry, chained: tuple[Path, Systems], open_desk: Callable[..., Portal]
) -> Portal:
    return open_desk(registry, chained[1])


@pytest.fixture
def world(
    registry: Registry,
    desk: Portal,
    clock: SettableClock,
    oidc: Provider,
    log_lines: io.StringIO,
) -> World:
    records = {}
    for slug, _, _ in CHAIN:
        (records[slug],) = registry.certificates.find(Query(slug=slug), by=CLERK).records
    assert records["business-licence"].body["holders"][0]["code"] == A_CODE
    return World(desk, clock, oidc, records, log_lines)
