"""The original is made once and kept: by threads and processes at once, and through every change."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, insert, select

from ecert.config import Surroundings, open_registry
from ecert.keys import Role
from ecert.model import Basis, Operation
from ecert.registry import CopyWish, Registry
from ecert.store.engine import open_engine, writer
from ecert.store.tables import metadata
from ecert.testing import SettableClock
from tests.conftest import CLERK, PATIENCE, WORKS, Maker, trail_rows

Drafts = Callable[..., dict[str, Any]]
WHY = Basis("测试理由", "测试依据〔2026〕1号", "王五")
WISH = CopyWish("示例银行", "贷款审查", date(2026, 12, 31))
ASKER = """
import hashlib, sys
from pathlib import Path
from ecert.config import Surroundings, open_registry
from ecert.model import Actor
home, state, identifier = sys.argv[1:]
registry = open_registry(home, around=Surroundings(state=Path(state)))
print("ready", flush=True)
sys.stdin.readline()
made = registry.documents.get(identifier, by=Actor("asker"))
print(hashlib.sha256(made.data).hexdigest(), made.digest.hex(), flush=True)
registry.close()
"""
OPENER = """
import sys
from pathlib import Path
from ecert.config import Surroundings, open_registry
home, state = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
open_registry(home, around=Surroundings(state=Path(state))).close()
"""


def kept(registry: Registry) -> list[tuple[int, bytes, bytes]]:
    """List what the store holds: log index, digest, data."""
    table = metadata.tables["documents"].c
    with registry.store.reading() as reading:
        rows = reading.connection.execute(select(table.log_index, table.digest, table.data))
        return [(row[0], bytes(row[1]), bytes(row[2])) for row in rows]


def started(script: str, *words: str) -> subprocess.Popen[str]:
    """Start a process that waits for a line on its standard input."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def release(processes: Sequence[subprocess.Popen[str]]) -> None:
    """Let processes that wait go on, all at once."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def finished(process: subprocess.Popen[str]) -> str:
    """Wait for its end and give what it said."""
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return out


def test_the_second_time_it_is_the_same_file(any_registry: Registry, draft_of: Drafts) -> None:
    record = any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    first = any_registry.documents.get(record.id, by=CLERK)
    assert any_registry.documents.get(record.id, by=CLERK) == first
    assert first.digest == hashlib.sha256(first.data).digest()
    assert kept(any_registry) == [(record.log_index, first.digest, first.data)]


@pytest.mark.parametrize("act", ["suspend", "withdraw", "change"])
def test_what_happens_later_never_rewrites_it(
    any_registry: Registry, draft_of: Drafts, act: str
) -> None:
    record = any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    first = any_registry.documents.get(record.id, by=CLERK)
    draft = draft_of() if act == "change" else None
    any_registry.certificates.operate(record.id, Operation(act), basis=WHY, by=CLERK, draft=draft)
    any_registry.keys.rotate(Role.AGENCY, None, by=CLERK)
    assert any_registry.documents.get(record.id, by=CLERK) == first
    report = any_registry.verify(first.data)
    assert report.verdict == "invalid"
    assert {step.step: step.code for step in report.steps}["agreement"] == "agreement_good"


def test_it_can_still_be_made_after_a_withdrawal(any_registry: Registry, draft_of: Drafts) -> None:
    record = any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    any_registry.certificates.operate(record.id, Operation.WITHDRAW, basis=WHY, by=CLERK)
    made = any_registry.documents.get(record.id, by=CLERK)
    assert (any_registry.verify(made.data).status) == "withdrawn"


def test_an_agencys_new_picture_changes_no_old_file(registry: Registry, draft_of: Drafts) -> None:
    from tests.flows.pages import seal_picture

    record = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    first = registry.documents.get(record.id, by=CLERK)
    registry.agencies.set_image(record.issuer, seal_picture(), by=CLERK)
    assert registry.documents.get(record.id, by=CLERK) == first
    other = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    assert b"agency-image.png" in registry.documents.get(other.id, by=CLERK).data
    assert b"agency-image.png" not in first.data


def test_threads_that_ask_at_once_get_one_file(any_registry: Registry, draft_of: Drafts) -> None:
    record = any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    any_registry.log.publish()
    gate = threading.Barrier(4)

    def ask(_place: int) -> bytes:
        gate.wait()
        return any_registry.documents.get(record.id, by=CLERK).data

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(ask, range(4)))
    ((index, digest, data),) = kept(any_registry)
    assert answers == {data}
    assert (index, digest) == (record.log_index, hashlib.sha256(data).digest())


def test_processes_that_ask_at_once_get_one_file_and_so_does_a_later_one(
    any_registry: Registry, draft_of: Drafts, tmp_path: Path
) -> None:
    record = any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    any_registry.log.publish()
    words = (str(tmp_path / "home"), str(tmp_path / "state"), record.id)
    asking = [started(ASKER, *words) for _ in range(3)]
    for process in asking:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    release(asking)
    said = {finished(process).strip() for process in asking}
    ((index, digest, data),) = kept(any_registry)
    assert said == {f"{digest.hex()} {digest.hex()}"}
    assert (index, digest) == (record.log_index, hashlib.sha256(data).digest())
    later = finished(started(ASKER, *words)).split()
    assert later == ["ready", digest.hex(), digest.hex()]
    assert any_registry.documents.get(record.id, by=CLERK).data == data


def test_documents_of_a_batch_are_kept_beside_those_that_were_there(
    any_registry: Registry, draft_of: Drafts
) -> None:
    records = [
        any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record for _ in range(5)
    ]
    early = any_registry.documents.get(records[2].id, by=CLERK)
    assert any_registry.documents.count_pending(by=CLERK) == 4
    waiting, after = any_registry.documents.pending(by=CLERK, limit=3)
    assert waiting == [records[0].id, records[1].id, records[3].id]
    rest, last = any_registry.documents.pending(by=CLERK, after=after)
    assert rest == [records[4].id]
    assert any_registry.documents.pending(by=CLERK, after=last) == ([], last)
    faults = any_registry.documents.build([record.id for record in records], by=CLERK)
    assert set(faults.values()) == {None}
    assert any_registry.documents.get(records[2].id, by=CLERK) == early
    assert len(kept(any_registry)) == 5
    assert any_registry.documents.count_pending(by=CLERK) == 0
    for record in records:
        assert (
            any_registry.verify(any_registry.documents.get(record.id, by=CLERK).data).status
            == "valid"
        )


# -- a home of the release before -----------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def older_home(
    request: pytest.FixtureRequest, make_registry: Maker, draft_of: Drafts, tmp_path: Path
) -> tuple[Path, str]:
    """A home whose database is at revision 0001, with one certificate: the tables of that release."""
    made = make_registry()
    identifier = made.certificates.issue(WORKS, draft_of(), by=CLERK).record.id
    made.log.publish()
    made.close()
    source = open_engine(f"sqlite:///{tmp_path / 'home' / 'ecert.db'}")
    sqlite = f"sqlite:///{tmp_path / 'home' / 'older.db'}"
    url = sqlite if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    target = open_engine(url)
    upgrade(target, "0001")
    copy_rows(source, target)
    source.dispose()
    target.dispose()
    settings = tmp_path / "home" / "settings.toml"
    text = re.sub(
        r"(?m)^database = .*$", f"database = {json.dumps(url)}", settings.read_text("utf-8")
    )
    settings.write_text(text, "utf-8")
    return tmp_path / "home", identifier


def upgrade(engine: Engine, revision: str) -> None:
    """Migrate a database to a revision, as an earlier release did."""
    config = Config()
    config.set_main_option("script_location", "ecert.store:migrations")
    with writer(engine).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def copy_rows(source: Engine, target: Engine) -> None:
    """Copy what the tables of revision 0001 hold."""
    older = MetaData()
    older.reflect(target)
    with source.connect() as reading, target.begin() as writing:
        for table in (
            older.tables[one.name] for one in metadata.sorted_tables if one.name in older.tables
        ):
            newer = metadata.tables[table.name].c
            columns = [newer[column.name] for column in table.columns if column.name in newer]
            writing.execute(table.delete())
            if rows := [dict(row._mapping) for row in reading.execute(select(*columns))]:
                writing.execute(insert(table), rows)


def test_a_home_of_the_release_before_is_brought_up_to_date(
    older_home: tuple[Path, str], tmp_path: Path, clock: SettableClock
) -> None:
    home, identifier = older_home
    around = Surroundings(state=tmp_path / "state", clock=clock)
    registry = open_registry(home, around=around, claims=True)  # it lies elsewhere than it did
    try:
        with registry.store.reading() as reading:
            context = MigrationContext.configure(reading.connection)
            assert context.get_current_revision() != "0001"
            differences: list[Any] = compare_metadata(context, metadata)
        assert differences == []
        assert registry.documents.pending(by=CLERK)[0] == [identifier]
        made = registry.documents.get(identifier, by=CLERK)
        copied = registry.documents.copy(identifier, WISH, by=CLERK)
        assert [registry.verify(one.data).verdict for one in (made, copied)] == ["valid"] * 2
        registry.log.check()
        assert registry.trail.check().size == len(trail_rows(registry, limit=1000))
    finally:
        registry.close()


def test_processes_may_open_an_older_home_at_once(
    older_home: tuple[Path, str], tmp_path: Path
) -> None:
    home, _ = older_home
    opening = [started(OPENER, str(home), str(tmp_path / "state")) for _ in range(3)]
    for process in opening:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    release(opening)
    for process in opening:
        finished(process)
