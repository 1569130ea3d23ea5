"""The pen: of a registry and its copies one writes; backups, restoring, a drill beside production."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ecert._encoding import b64
from ecert.config import Plan, Surroundings, init_registry, open_registry
from ecert.errors import EcertError, ForkGuard, HomeError, InputError, ReadOnly
from ecert.model import Record
from ecert.registry import Registry
from ecert.restore import read_manifest, restore_registry
from ecert.testing import SettableClock
from tests import story
from tests.conftest import CLERK, database_on

WORKS = story.WORKS


@dataclass
class Site:
    """A registry in production, and a place for what is made of it."""

    registry: Registry
    folder: Path
    clock: SettableClock

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def backup(self) -> Path:
        return self.folder / "backup"

    def around(self, state: str = "state") -> Surroundings:
        return Surroundings(clock=self.clock, state=self.folder / state)

    def back_up(self) -> dict[str, Any]:
        return self.registry.backups.make(self.backup, by=CLERK)

    def restore(self, name: str = "restored", **members: Any) -> Path:
        restore_registry(
            self.backup, self.folder / name, passphrase=self.home / "passphrase", **members
        )
        return self.folder / name

    def open(self, home: Path, state: str = "state") -> Registry:
        return open_registry(home, around=self.around(state))

    def issue(self, registry: Registry | None = None) -> Record:
        here = registry or self.registry
        example = dict(here.catalogue.newest(story.LICENCE).example)
        return here.certificates.issue(story.LICENCE, example, by=CLERK).record


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path, clock: SettableClock) -> Iterator[Site]:
    around = Surroundings(clock=clock, state=tmp_path / "state")
    if request.param == "sqlite":
        made = Site(init_registry(tmp_path / "home", story.PLAN, around=around), tmp_path, clock)
    else:
        url = request.getfixturevalue("prepared_postgres_url")
        plan = replace(story.PLAN, database=url)
        made = Site(init_registry(tmp_path / "home", plan, around=around), tmp_path, clock)
    made.issue()
    made.registry.log.publish()
    yield made
    made.registry.close()


@pytest.fixture
def here(tmp_path: Path, clock: SettableClock) -> Iterator[Site]:
    """A registry on SQLite, for what is a matter of files."""
    around = Surroundings(clock=clock, state=tmp_path / "state")
    made = Site(init_registry(tmp_path / "home", story.PLAN, around=around), tmp_path, clock)
    made.issue()
    made.registry.log.publish()
    yield made
    made.registry.close()


def accept(registry: Registry, reason: str = "旧机器已毁") -> None:
    head = registry.log.head()
    registry.backups.accept(head.size, b64(head.root), reason=reason, by=CLERK)


def is_read_only(registry: Registry) -> bool:
    return isinstance(registry.refusal(), ReadOnly)


# -- backup and restore --------------------------------------------------------------------------------


def test_a_backup_is_whole_and_names_its_files(site: Site) -> None:
    manifest = site.back_up()
    head = site.registry.log.head()
    assert manifest["log"] == {"size": head.size, "root": b64(head.root)}
    assert read_manifest(site.backup) == manifest
    assert {"ecert.db", "settings.toml"} <= manifest["files"].keys()
    assert any(name.startswith("keys/") for name in manifest["files"])
    assert not any("passphrase" in name for name in manifest["files"])
    assert {path.name for path in site.backup.iterdir()} == {
        *("ecert.db", "keys", "types", "settings.toml", "manifest.json")
    }


def test_what_is_issued_meanwhile_goes_on_and_is_not_in_it(site: Site) -> None:
    manifest = site.back_up()
    site.issue()
    assert site.registry.log.head().size > manifest["log"]["size"]


def test_a_restored_home_reads_and_is_good_and_writes_nothing(site: Site) -> None:
    site.back_up()
    home = site.restore(database="sqlite:///ecert.db")
    restored = site.open(home, "another machine")
    assert is_read_only(restored)
    assert restored.checks.run(by=CLERK).is_good
    assert restored.log.checkpoint() is not None
    with pytest.raises(ReadOnly, match="ecert accept"):
        site.issue(restored)
    with pytest.raises(ReadOnly):
        restored.status.token(0)
    with pytest.raises(ReadOnly):
        restored.log.publish()
    restored.close()


def test_a_backup_goes_back_into_postgresql(here: Site, postgres_server: Any) -> None:
    here.back_up()
    with database_on(postgres_server) as url:
        restored = here.open(here.restore(database=url), "another machine")
        assert restored.store.backend == "postgresql"
        assert is_read_only(restored)
        assert restored.checks.run(by=CLERK).is_good
        accept(restored)
        here.issue(restored)
        assert restored.checks.run(by=CLERK).is_good
        restored.close()
        with pytest.raises(HomeError, match="registry already"):
            here.restore("twice", database=url)


def test_accepted_on_a_new_machine_it_is_the_registry(here: Site) -> None:
    here.back_up()
    home = here.restore()
    restored = here.open(home, "another machine")
    accept(restored)
    assert here.issue(restored).status == "valid"
    restored.log.publish()
    assert restored.checks.run(by=CLERK).is_good
    restored.close()
    again = here.open(home, "another machine")
    assert again.refusal() is None
    again.close()


def test_what_is_there_is_never_restored_over(here: Site) -> None:
    here.back_up()
    with pytest.raises(HomeError, match="nothing was changed"):
        restore_registry(here.backup, here.home)
    with pytest.raises(HomeError, match="not empty"):
        here.back_up()


@pytest.mark.parametrize("name", ["ecert.db", "settings.toml", "manifest.json"])
def test_a_damaged_backup_is_refused_by_name(here: Site, name: str) -> None:
    here.back_up()
    path = here.backup / name
    path.write_bytes(path.read_bytes()[:-9] + b"xxxxxxxxx")
    with pytest.raises(HomeError, match=name):
        here.restore()
    assert not (here.folder / "restored").exists()


def test_a_file_that_is_missing_is_named(here: Site) -> None:
    here.back_up()
    (here.backup / "settings.toml").unlink()
    with pytest.raises(HomeError, match=r"settings\.toml is missing"):
        here.restore()


def test_a_manifest_that_points_outside_is_refused(here: Site) -> None:
    manifest = here.back_up()
    manifest["files"]["../home/passphrase"] = "0" * 64
    (here.backup / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(HomeError, match="missing"):
        here.restore()


# -- copies and drills ---------------------------------------------------------------------------------


def test_a_drill_beside_production_stops_nothing(here: Site) -> None:
    here.back_up()
    drill = here.open(here.restore("drill"))  # the same host, the same memory
    assert is_read_only(drill)
    with pytest.raises(ReadOnly):
        drill.log.publish()
    here.issue()
    here.registry.log.publish()
    assert here.registry.refusal() is None
    drill.close()


def test_an_address_that_was_published_before_is_not_begun_anew(here: Site) -> None:
    plan = Plan("https://zz.example.gov.cn")  # not a trial: its log has no suffix of its own
    with closing(init_registry(here.folder / "first", plan, around=here.around())) as first:
        first.log.publish()
    with pytest.raises(HomeError, match="remembers another registry"):
        init_registry(here.folder / "second", plan, around=here.around())
    assert not (here.folder / "second").exists()


def test_a_raw_copy_on_the_same_host_only_reads(here: Site) -> None:
    here.registry.close()
    shutil.copytree(here.home, here.folder / "copy")
    copy = here.open(here.folder / "copy")
    with pytest.raises(ReadOnly, match="this is a copy"):
        here.issue(copy)
    copy.close()
    here.registry = here.open(here.home)
    here.issue()


def test_a_raw_copy_on_another_machine_only_reads(here: Site) -> None:
    here.registry.close()
    shutil.copytree(here.home, here.folder / "copy")
    copy = here.open(here.folder / "copy", "another machine")
    assert is_read_only(copy)
    copy.close()


def test_an_older_backup_beside_what_was_published_is_not_accepted(here: Site) -> None:
    here.back_up()
    here.issue()
    here.registry.log.publish()
    drill = here.open(here.restore("drill"))
    with pytest.raises(ForkGuard):
        accept(drill)
    drill.close()
    assert here.registry.refusal() is None


def test_who_accepts_takes_the_pen_from_production(here: Site) -> None:
    here.back_up()
    new = here.open(here.restore("new"))
    accept(new)
    assert new.refusal() is None
    with pytest.raises(ReadOnly, match="this is a copy"):
        here.issue()  # the process that is running still, too
    new.close()


@pytest.mark.parametrize(
    ("size", "root"), [(0, ""), (999, "x"), (1, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")]
)
def test_nobody_accepts_what_he_has_not_looked_at(here: Site, size: int, root: str) -> None:
    here.back_up()
    drill = here.open(here.restore("drill"), "another machine")
    with pytest.raises(InputError, match="ecert log info"):
        drill.backups.accept(size, root, reason="x", by=CLERK)
    assert is_read_only(drill)
    drill.close()


# -- the file under the service ------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["removed", "exchanged"])
def test_nothing_is_written_into_a_file_that_is_not_the_home_s(here: Site, how: str) -> None:
    path = here.home / "ecert.db"
    aside, other = path.with_name("aside.db"), path.with_name("other.db")
    with sqlite3.connect(path) as ours, sqlite3.connect(other) as theirs:
        ours.backup(theirs)
    path.rename(aside)
    if how == "exchanged":
        other.rename(path)
    with pytest.raises(ReadOnly, match="removed or exchanged"):
        here.issue()
    path.unlink(missing_ok=True)
    aside.rename(path)
    here.issue()


def test_a_memory_that_cannot_be_read_is_taken_anew_by_accepting(here: Site) -> None:
    here.registry.close()
    (memory,) = (here.folder / "state").glob("*.pen")
    memory.write_text("{")
    here.registry = here.open(here.home)
    with pytest.raises(HomeError, match="ecert accept"):
        here.issue()
    accept(here.registry, "记忆文件损坏")
    here.issue()


def test_read_only_is_a_setting(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECERT_READ_ONLY", "true")
    reading = here.open(here.home)
    with pytest.raises(ReadOnly, match="read_only is set"):
        here.issue(reading)
    reading.close()


# -- mirrors -------------------------------------------------------------------------------------------


@pytest.fixture
def mirrored(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The site, opened anew with a mirror on another disk."""
    mirror = site.folder / "mirror"
    mirror.mkdir()
    monkeypatch.setenv("ECERT_MIRRORS", json.dumps([str(mirror)]))
    site.registry.close()
    site.registry = site.open(site.home)
    site.issue()
    site.registry.log.publish()
    return site


def test_a_mirror_has_each_note_before_it_is_served(mirrored: Site) -> None:
    kept = [path.read_text() for path in (mirrored.folder / "mirror").glob("*.note")]
    assert mirrored.registry.log.checkpoint() in kept
    assert len(kept) == 2  # of the log, and of the trail


def test_without_its_mirror_nothing_is_published(mirrored: Site) -> None:
    (mirrored.folder / "mirror").rename(mirrored.folder / "away")
    mirrored.issue()
    with pytest.raises(HomeError, match="no mirror"):
        mirrored.registry.log.publish()
    (mirrored.folder / "away").rename(mirrored.folder / "mirror")
    mirrored.registry.log.publish()


def test_a_machine_without_memory_asks_the_mirror_and_goes_on(mirrored: Site) -> None:
    mirrored.registry.close()
    mirrored.registry = mirrored.open(mirrored.home, "another machine")
    assert mirrored.registry.refusal() is None
    mirrored.issue()


def test_a_mirror_that_comes_back_is_asked_again(mirrored: Site) -> None:
    mirrored.registry.close()
    (mirrored.folder / "mirror").rename(mirrored.folder / "away")
    mirrored.registry = mirrored.open(mirrored.home, "another machine")
    with pytest.raises(ReadOnly, match="nothing here tells"):
        mirrored.issue()
    (mirrored.folder / "away").rename(mirrored.folder / "mirror")
    mirrored.issue()


def test_a_mirror_that_knows_more_stops_an_older_database(mirrored: Site) -> None:
    mirrored.back_up()
    mirrored.issue()
    mirrored.registry.log.publish()
    old = mirrored.open(mirrored.restore(database="sqlite:///ecert.db"), "another machine")
    with pytest.raises(ForkGuard):
        accept(old)
    assert is_read_only(old)
    old.close()


# -- at the command line -------------------------------------------------------------------------------


def ecert(*words: str, home: Path | None = None, code: int = 0) -> Any:
    from ecert.cli import app

    before = [] if home is None else ["--home", str(home)]
    try:
        done = CliRunner().invoke(app, [*before, *words, "--json"], catch_exceptions=False)
    except EcertError as error:
        return error.code
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_the_whole_way_at_the_command_line(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECERT_STATE_DIR", str(here.folder / "state"))
    backup, restored = here.folder / "backup", here.folder / "restored"
    made = ecert("backup", str(backup), home=here.home)
    assert made["log"]["size"] == here.registry.log.head().size
    monkeypatch.setenv("ECERT_STATE_DIR", str(here.folder / "new machine"))
    words = ["--home", str(restored), "--passphrase", str(here.home / "passphrase")]
    ecert("restore", str(backup), *words)
    info = ecert("log", "info", home=restored)
    assert not info["writes"]
    assert info["refusal"]["code"] == "read_only"
    where = ["--size", str(info["size"]), "--root", info["root"]]
    assert ecert("suspend", "x", "--reason", "a", "--basis", "b", home=restored) == "read_only"
    ecert("accept", *where, "--reason", "旧机器已毁", home=restored)
    assert ecert("log", "info", home=restored)["writes"]
    assert ecert("check", home=restored)["good"]


def test_a_lost_clock_tick_changes_nothing(here: Site) -> None:
    here.clock.move(timedelta(days=400))
    assert here.registry.refusal() is None
