"""Checks: cut short and gone on with, one night in 28, after an upgrade, and told of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from typer.testing import CliRunner

from ecert import demo
from ecert.config import Surroundings, init_registry, open_registry
from ecert.errors import Forbidden
from ecert.inspection.signatures import SHARES
from ecert.keys import make_signer, public_jwk
from ecert.model import Actor, Record
from ecert.registry import ALL, NIGHTLY, Registry
from ecert.store import Transaction
from ecert.store import tables as t
from ecert.testing import SettableClock
from tests import story
from tests.conftest import CLERK, copy_home, trail_rows

WORKS, MARKET = story.WORKS, demo.MARKET.code


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Record]]:
    """A home in which everything has happened, to be copied."""
    folder, clock = tmp_path_factory.mktemp("lived"), SettableClock()
    around = Surroundings(clock=clock, state=folder / "state")
    registry = init_registry(folder / "home", story.PLAN, around=around)
    issued = story.live(registry, clock)
    registry.close()
    return folder / "home", issued


@pytest.fixture
def registry(
    lived: tuple[Path, dict[str, Record]], tmp_path: Path, clock: SettableClock
) -> Iterator[Registry]:
    clock.move(timedelta(days=4))
    opened = copy_home(lived[0], tmp_path, clock)
    yield opened
    opened.close()


def plant(registry: Registry, table: Any, **values: Any) -> None:
    registry.store.write(lambda tx: tx.connection.execute(update(table).values(**values)))


def cut_short(registry: Registry) -> None:
    """Begin a check, and stop it in the middle."""

    def cut(part: str, _done: int, _total: int) -> None:
        if part == "register":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        registry.checks.run(by=CLERK, tell=cut)


def test_a_good_store_is_good_and_that_it_was_checked_is_kept(registry: Registry) -> None:
    done = registry.checks.run(by=CLERK)
    assert done.is_good
    assert registry.checks.newest() == done
    (row,) = (one for one in trail_rows(registry) if one["action"] == "check")
    assert row["details"] == {"scope": ALL, "found": "0"}


def test_each_fault_says_what_to_do_in_both_languages(registry: Registry) -> None:
    plant(registry, t.clients, scopes="certificates:issue")
    (fault,) = registry.checks.run(by=CLERK).faults
    assert fault["code"] == "row_changed"
    assert fault["place"].startswith("clients/")
    assert set(fault["reason"]) == set(fault["cure"]) == {"zh", "en"}


def test_a_check_that_was_cut_short_goes_on_where_it_was(registry: Registry) -> None:
    plant(registry, t.copies, recipient="另一银行")  # found before it is cut short, and not lost
    cut_short(registry)
    seen: list[str] = []
    done = registry.checks.run(by=CLERK, tell=lambda part, *_: seen.append(part))
    assert list(dict.fromkeys(seen)) == ["register", "administration", "signatures"]
    assert [one["code"] for one in done.faults] == ["copy_changed"]
    again = registry.checks.run(by=CLERK, tell=lambda part, *_: seen.append(part))
    assert "certificates" in seen  # the one before came to its end, so this one begins anew
    assert again.found == 1


def test_afresh_begins_anew(registry: Registry) -> None:
    cut_short(registry)
    seen: list[str] = []
    registry.checks.run(by=CLERK, afresh=True, tell=lambda part, *_: seen.append(part))
    assert seen[0] == "log"


@pytest.mark.parametrize("values", [{"part": "signatures"}, {"found": 0, "faults": "[]"}])
def test_a_check_that_somebody_else_noted_is_not_gone_on_with(
    registry: Registry, values: dict[str, Any]
) -> None:
    plant(registry, t.copies, recipient="另一银行")
    cut_short(registry)
    plant(registry, t.checks, **values)  # as if everything had been looked at
    assert registry.checks.run(by=CLERK).found == 1


def test_a_result_that_somebody_else_noted_is_none(registry: Registry) -> None:
    plant(registry, t.copies, recipient="另一银行")
    registry.checks.run(by=CLERK)
    plant(registry, t.checks, found=0, faults="[]")
    assert registry.checks.newest() is None
    assert registry.checks.is_due()


def test_in_28_nights_every_signature_was_looked_at(registry: Registry) -> None:
    with registry.store.reading() as reading:
        all_of_them = reading.connection.execute(select(func.count(t.certificates.c.id))).scalar()
    tail = "substr(seal, 1, length(seal) - 20) || '" + "A" * 20 + "'"
    plant(registry, t.certificates, seal=text(tail))
    found: set[str] = set()
    for night in range(SHARES):
        part = registry.checks.parts(NIGHTLY, night * 86400)["signatures"]()
        cursor: Mapping[str, Any] | None = {}
        while cursor is not None:
            with registry.store.snapshot() as reading:
                portion = part.look(reading, cursor)
            found |= {one.place for one in portion.faults if one.code == "signature_bad"}
            cursor = portion.cursor
    assert len(found) == all_of_them


def test_what_cannot_be_read_is_a_fault_and_the_rest_is_checked(registry: Registry) -> None:
    plant(registry, t.agencies, closed_on="some day")
    plant(registry, t.sharing_rules, fields="*")
    codes = {one["code"] for one in registry.checks.run(by=CLERK).faults}
    assert {"unreadable", "row_changed"} <= codes


def test_only_an_operator_checks(registry: Registry) -> None:
    somebody = Actor("x", story.HALL.code, scopes=frozenset({"audit:read"}))
    with pytest.raises(Forbidden):
        registry.checks.run(by=somebody)


def test_the_nightly_check_is_due_once_a_night(registry: Registry, clock: SettableClock) -> None:
    assert registry.checks.is_due()
    registry.checks.run(by=CLERK, scope=NIGHTLY)
    assert not registry.checks.is_due()
    clock.move(timedelta(days=1))
    assert registry.checks.is_due()


def test_a_new_registry_is_not_checked_on_its_first_day(
    tmp_path: Path, clock: SettableClock
) -> None:
    around = Surroundings(clock=clock, state=tmp_path / "state")
    with_nothing = init_registry(tmp_path / "home", story.PLAN, around=around)
    assert not with_nothing.checks.is_due()
    assert with_nothing.checks.run(by=CLERK).is_good
    with_nothing.close()


# -- rows of before the trail told of them -----------------------------------------------------------


def test_rows_of_an_older_version_are_told_at_the_upgrade(
    tmp_path: Path, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(Transaction, "wrote", lambda *_: None)  # as an older version did
        registry = init_registry(
            tmp_path / "home",
            story.PLAN,
            around=Surroundings(clock=clock, state=tmp_path / "state"),
        )
        jwk = public_jwk(make_signer().public_key)
        client = registry.clients.add("系统", agency=MARKET, scopes=[], jwk=jwk, by=CLERK).id
    (found,) = registry.checks.run(by=CLERK).faults
    assert found["code"] == "rows_unadopted"
    assert "ecert upgrade" in found["cure"]["en"]
    assert registry.checks.adopt(by=CLERK) > 5
    assert registry.checks.adopt(by=CLERK) == 0
    assert registry.checks.run(by=CLERK).is_good
    registry.clients.change(client, daily_quota=5, by=CLERK)
    assert registry.checks.run(by=CLERK).is_good
    plant(registry, t.clients, daily_quota=None)
    (fault,) = registry.checks.run(by=CLERK).faults
    assert fault["place"] == f"clients/{client}"
    registry.close()


# -- at the command line -----------------------------------------------------------------------------


def ecert(home: Path, *words: str) -> Any:
    from ecert.cli import app

    return CliRunner().invoke(app, ["--home", str(home), *words])


def test_the_command_names_faults_and_leaves_with_1(
    lived: tuple[Path, dict[str, Record]], registry: Registry, tmp_path: Path
) -> None:
    good = ecert(tmp_path / "home", "check", "--json")
    assert good.exit_code == 0
    assert json.loads(good.stdout)["good"]
    identifier = lived[1][WORKS].id
    plant(registry, t.certificates, status="valid")
    bad = ecert(tmp_path / "home", "check")
    assert bad.exit_code == 1
    assert f"status_changed  certificates/{identifier}" in bad.stdout
    assert "→" in bad.stdout


def test_nightly_and_all_do_not_go_together(registry: Registry, tmp_path: Path) -> None:
    assert ecert(tmp_path / "home", "check", "--nightly", "--all").exit_code == 2


def test_reopened_it_goes_on(registry: Registry, tmp_path: Path, clock: SettableClock) -> None:
    registry.checks.run(by=CLERK)
    registry.close()
    around = Surroundings(clock=clock, state=tmp_path / "state")
    reopened = open_registry(tmp_path / "home", around=around)
    assert reopened.checks.newest() is not None
    reopened.close()
