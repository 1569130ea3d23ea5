"""Acts upon keys and images: the act and its row of the trail are one, and one key signs at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import event, select

from ecert.config import Surroundings, open_registry
from ecert.errors import EcertError, Forbidden, InputError
from ecert.keys import Role
from ecert.ledger.access import SCOPES
from ecert.model import Actor
from ecert.registry import Registry
from ecert.store import keys as stored
from ecert.store import tables as t
from ecert.testing import SettableClock
from tests.adversary.forge import Wish, make_authority
from tests.conftest import CLERK, PLANNING, trail_rows
from tests.flows.pages import seal_picture
from tests.store.test_transactions import InjectedFault, statements_of

Act = Callable[[Registry], Callable[[], Any]]
AGENCY = PLANNING.code


def rotate(role: Role, agency: str | None = None) -> Act:
    return lambda registry: lambda: registry.keys.rotate(role, agency, by=CLERK)


def new(*, brings: bool) -> Act:
    return lambda registry: lambda: registry.keys.new(AGENCY, by=CLERK, brings_certificate=brings)


def spare(registry: Registry) -> str:
    """Make a key that may be ended."""
    return registry.keys.new(AGENCY, by=CLERK).row.kid


def retire(registry: Registry) -> Callable[[], Any]:
    kid = spare(registry)
    return lambda: registry.keys.retire(kid, by=CLERK)


def compromise(registry: Registry) -> Callable[[], Any]:
    kid = spare(registry)
    return lambda: registry.keys.compromise(kid, registry.clock(), by=CLERK)


def certify(registry: Registry) -> Callable[[], Any]:
    made = registry.keys.new(AGENCY, by=CLERK, brings_certificate=True)
    assert made.request is not None
    public = x509.load_pem_x509_csr(made.request).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    authority = make_authority("建设系统根")
    leaf = authority.certify(public, Wish((AGENCY,), name=PLANNING.name))
    pem = leaf.public_bytes(Encoding.PEM) + authority.certificate.public_bytes(Encoding.PEM)
    return lambda: registry.keys.certify(AGENCY, pem, by=CLERK)


def image(picture: bytes | None) -> Act:
    return lambda registry: lambda: registry.agencies.set_image(AGENCY, picture, by=CLERK)


ACTS: dict[str, tuple[Act, str]] = {
    "new": (new(brings=False), "key.new"),
    "new, with a request": (new(brings=True), "key.new"),
    "certify": (certify, "key.certify"),
    "rotate an agency's key": (rotate(Role.AGENCY, AGENCY), "key.rotate"),
    "rotate the status key": (rotate(Role.STATUS), "key.rotate"),
    "rotate the registry's key": (rotate(Role.REGISTRY), "key.rotate"),
    "retire": (retire, "key.retire"),
    "compromise": (compromise, "key.compromise"),
    "image": (image(seal_picture()), "agency.image"),
    "no image": (image(None), "agency.image.remove"),
}
each_act = pytest.mark.parametrize("name", ACTS)


@dataclass(frozen=True)
class Seen:
    """What there is: rows of keys and agencies, rows of the trail of one action, and key files."""

    rows: list[Any]
    trail: int
    files: frozenset[str]


def see(registry: Registry, action: str, home: Path) -> Seen:
    with registry.store.reading() as reading:
        rows = [
            row
            for table in (t.keys, t.agencies)
            for row in reading.connection.execute(select(table).order_by(*table.primary_key)).all()
        ]
    told = [row for row in trail_rows(registry, limit=1000) if row["action"] == action]
    files = frozenset(str(one) for one in (home / "keys").rglob("*") if one.is_file())
    return Seen(rows, len(told), files)


def with_fault(registry: Registry, step: int, work: Callable[[], Any]) -> bool:
    """Run work with a fault before its n-th statement; tell whether it came to that."""
    seen = 0

    def fail(*_arguments: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == step + 1:
            raise InjectedFault

    engine = registry.store._engine
    event.listen(engine, "before_cursor_execute", fail)
    try:
        work()
    except InjectedFault:
        return True
    finally:
        event.remove(engine, "before_cursor_execute", fail)
    return False


@each_act
def test_a_fault_at_any_statement_leaves_act_and_row_or_neither(
    any_registry: Registry, tmp_path: Path, name: str
) -> None:
    act, action = ACTS[name]
    if name == "no image":
        image(seal_picture())(any_registry)()
    steps = statements_of(any_registry, act(any_registry))
    was_left = False
    for step in range(steps):
        if name == "no image":
            image(seal_picture())(any_registry)()
        work = act(any_registry)
        before = see(any_registry, action, tmp_path / "home")
        if not with_fault(any_registry, step, work):
            continue
        after = see(any_registry, action, tmp_path / "home")
        if after.trail == before.trail:
            assert after == before, f"statement {step} of {steps}: an act without its row"
            was_left = True
        else:
            assert after.trail == before.trail + 1
            assert after.rows != before.rows or name == "image"
    assert was_left
    any_registry.trail.check()


@each_act
def test_who_is_not_the_operator_leaves_a_row_and_nothing_else(
    registry: Registry, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    act, action = ACTS[name]
    work = act(registry)
    clerk = Actor("李四", AGENCY, "client", scopes=frozenset(SCOPES))
    monkeypatch.setitem(globals(), "CLERK", clerk)
    before = see(registry, action, tmp_path / "home")
    with pytest.raises(Forbidden):
        work()
    last = trail_rows(registry, limit=1000)[-1]
    assert (last["outcome"], last["client"]) == ("forbidden", "client")
    after = see(registry, action, tmp_path / "home")
    assert (after.rows, after.files) == (before.rows, before.files)


@pytest.mark.parametrize(
    ("action", "work"),
    [
        ("key.new", lambda r: r.keys.new("11440114MA0000093B", by=CLERK)),
        ("key.certify", lambda r: r.keys.certify(AGENCY, b"no PEM", by=CLERK)),
        ("key.rotate", lambda r: r.keys.rotate(Role.ROOT, None, by=CLERK)),
        ("key.retire", lambda r: r.keys.retire("nothing", by=CLERK)),
        ("key.compromise", lambda r: r.keys.compromise("nothing", r.clock(), by=CLERK)),
        ("agency.image", lambda r: r.agencies.set_image(AGENCY, b"no picture", by=CLERK)),
    ],
)
def test_what_cannot_be_done_leaves_a_row(
    registry: Registry, action: str, work: Callable[[Registry], Any]
) -> None:
    with pytest.raises(EcertError) as refused:
        work(registry)
    last = trail_rows(registry, limit=1000)[-1]
    assert (last["action"], last["outcome"]) == (action, refused.value.code)


def active(registry: Registry, role: Role, agency: str | None) -> list[str]:
    with registry.store.reading() as reading:
        rows = stored.listed(reading)
    return [
        row.kid
        for row in rows
        if (row.role, row.agency, row.state) == (role.value, agency, "active")
    ]


@pytest.mark.parametrize(("role", "agency"), [(Role.AGENCY, AGENCY), (Role.STATUS, None)])
def test_rotations_at_once_leave_one_active_key(
    any_registry: Registry, tmp_path: Path, role: Role, agency: str | None, clock: SettableClock
) -> None:
    """Of two registries over one home, as two processes are; the loser's new key is retired."""
    other = open_registry(
        tmp_path / "home", around=Surroundings(state=tmp_path / "state", clock=clock)
    )
    ready = threading.Barrier(4)

    def run(number: int) -> None:
        registry = (any_registry, other)[number % 2]
        ready.wait()
        for _ in range(3):
            with suppress(InputError):
                registry.keys.rotate(role, agency, by=CLERK)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    assert len(active(any_registry, role, agency)) == 1
    other.close()
    any_registry.trail.check()


def test_an_agency_with_two_active_keys_has_one_after_a_rotation(registry: Registry) -> None:
    """Two are allowed for an overlap (``keys new``); rotating ends it."""
    spare(registry)
    assert len(active(registry, Role.AGENCY, AGENCY)) == 2
    fresh, _ = registry.keys.rotate(Role.AGENCY, AGENCY, by=CLERK)
    assert active(registry, Role.AGENCY, AGENCY) == [fresh]
