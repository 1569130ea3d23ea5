"""Signed documents at the command line: real processes, really killed."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from ecert.config import Plan, Surroundings, init_registry, open_registry
from ecert.registry import IssueRequest, Registry
from ecert.store.tables import metadata
from tests.conftest import CLERK, WORKS, trail_rows
from tests.flows.command import run as run_ecert
from tests.flows.pages import draft, run, seal_picture

DONE, REFUSED, USAGE = 0, 1, 2
MANY = 40
LENDING = ("--for", "示例银行", "--purpose", "贷款审查")
UNTIL = ("--until", "2099-12-31")


class Home:
    """A home in a test's folder, and ``ecert`` run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "home"
        self.around = Surroundings(state=folder / "state" / "ecert")
        self.environment = {
            **os.environ,
            "XDG_STATE_HOME": str(folder / "state"),
            "ECERT_HOME": "home",
        }
        init_registry(self.path, Plan(), around=self.around).close()

    def open(self) -> Registry:
        """Open the registry in this process."""
        return open_registry(self.path, around=self.around)

    def issue(self, count: int) -> list[str]:
        """Issue certificates and publish the log."""
        with closing(self.open()) as registry:
            wish = draft(registry, WORKS)
            made = registry.certificates.issue_many([IssueRequest(WORKS, wish, CLERK)] * count)
            registry.log.publish()
        return [one.record.id for one in made if not isinstance(one, Exception)]

    def command(self, *words: str) -> list[str]:
        """Give the command of a verb."""
        return [sys.executable, "-m", "ecert", *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end."""
        return run_ecert(words, folder=self.folder, environment=self.environment)

    def start(self, *words: str, **streams: Any) -> subprocess.Popen[bytes]:
        """Start a verb in a group of its own."""
        return subprocess.Popen(
            self.command(*words),
            cwd=self.folder,
            env=self.environment,
            start_new_session=True,
            **streams,
        )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def shown(done: subprocess.CompletedProcess[str]) -> Any:
    """Read the one JSON document on standard output."""
    assert done.returncode == DONE, done.stderr
    return json.loads(done.stdout)


def test_the_original_and_a_copy(home: Home) -> None:
    (identifier,) = home.issue(1)
    told = shown(home.run("document", identifier, "-o", "f.pdf", "--json"))
    data = (home.folder / "f.pdf").read_bytes()
    assert told == {
        "file": "f.pdf",
        "bytes": len(data),
        "level": "B-B",
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    again = home.run("document", identifier, "-o", "g.pdf")
    assert again.returncode == DONE
    assert again.stdout == f"g.pdf ({len(data)} bytes, PAdES B-B)\n"
    assert (home.folder / "g.pdf").read_bytes() == data
    assert "Signature is Valid" in run("pdfsig", str(home.folder / "f.pdf"))
    assert shown(home.run("verify", "f.pdf", "--json"))["verdict"] == "valid"
    told = shown(home.run("copy", identifier, *LENDING, *UNTIL, "-o", "c.pdf", "--json"))
    assert told["sha256"] == hashlib.sha256((home.folder / "c.pdf").read_bytes()).hexdigest()
    report = shown(home.run("verify", "c.pdf", "--json"))
    assert report["certificate"]["copy"]["recipient"] == "示例银行"
    (listed,) = shown(home.run("copies", identifier, "--json"))["items"]
    assert listed.pop("made_at").endswith("Z")
    assert listed == {
        "recipient": "示例银行",
        "purpose": "贷款审查",
        "until": "2099-12-31",
        "lapsed": False,
    }
    assert home.run("copies", identifier).stdout == "2099-12-31  good    示例银行  贷款审查\n"
    with closing(home.open()) as registry:
        actions = [row["action"] for row in trail_rows(registry, limit=1000)]
    assert [one for one in actions if one in {"document", "copy", "copies"}] == [
        *("document", "document", "copy", "copies", "copies"),
    ]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("document", "nonsense", "-o", "f.pdf"), REFUSED),
        (("document", "ID"), USAGE),
        (("document", "ID", "-o", "missing/f.pdf"), USAGE),
        (("document", "ID", "-o", "."), USAGE),
        (("copy", "nonsense", *LENDING, *UNTIL, "-o", "f.pdf"), REFUSED),
        (("copy", "ID", *LENDING, "--until", "tomorrow", "-o", "f.pdf"), USAGE),
        (("copy", "ID", *LENDING, "--until", "2026-02-30", "-o", "f.pdf"), USAGE),
        (("copy", "ID", *LENDING, "--until", "2020-01-01", "-o", "f.pdf"), REFUSED),
        (("copy", "ID", "--for", "", "--purpose", "贷款", *UNTIL, "-o", "f.pdf"), REFUSED),
        (("copy", "ID", *LENDING, *UNTIL, "-o", "missing/f.pdf"), USAGE),
        (("copies", "nonsense"), REFUSED),
        (("documents", "build"), USAGE),
        (("documents", "build", "--pending", "--workers", "0"), USAGE),
        (("agency", "image", "11440114MA00000915"), USAGE),
        (("agency", "image", "11440114MA00000915", "missing.png"), USAGE),
        (("agency", "image", "11440114MA00000915", "home/settings.toml"), REFUSED),
        (("agency", "image", "11440114MA0000093B", "seal.png"), REFUSED),
    ],
)
def test_mistakes_get_a_message_and_the_right_exit_code(
    shared: tuple[Home, str], words: tuple[str, ...], code: int
) -> None:
    home, identifier = shared
    with closing(home.open()) as registry:
        size = registry.log.head().size
    done = home.run(*(identifier if word == "ID" else word for word in words))
    assert done.returncode == code, done.stderr
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert not (home.folder / "f.pdf").exists()
    with closing(home.open()) as registry:
        assert registry.log.head().size == size, "the log has an entry for nothing"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, str]:
    """A home with one certificate for those that change nothing."""
    home = Home(tmp_path_factory.mktemp("shared"))
    (home.folder / "seal.png").write_bytes(seal_picture())
    return home, home.issue(1)[0]


def test_an_agencys_picture_is_set_up_and_removed(home: Home) -> None:
    (home.folder / "seal.png").write_bytes(seal_picture())
    code = "11440114MA00000915"
    told = shown(home.run("agency", "image", code, "seal.png", "--json"))
    assert told == {"agency": code, "bytes": len(seal_picture())}
    (first,) = home.issue(1)
    assert home.run("document", first, "-o", "with.pdf").returncode == DONE
    assert shown(home.run("agency", "image", code, "--remove", "--json"))["bytes"] == 0
    (second,) = home.issue(1)
    assert home.run("document", second, "-o", "without.pdf").returncode == DONE
    listed = [
        run("pdfimages", "-list", str(home.folder / f"{name}.pdf")) for name in ("with", "without")
    ]
    assert [" 300   300 " in one for one in listed] == [True, False]


# -- many at once ---------------------------------------------------------------------------------


def kept(home: Home) -> dict[str, bytes]:
    """Read all documents from the store; no certificate has two."""
    table = metadata.tables["documents"].c
    with closing(home.open()) as registry, registry.store.reading() as reading:
        query = select(table.certificate, table.digest, table.data)
        rows = [tuple(row) for row in reading.connection.execute(query)]
    assert len({row[0] for row in rows}) == len(rows)
    assert all(hashlib.sha256(row[2]).digest() == bytes(row[1]) for row in rows)
    return {row[0]: bytes(row[2]) for row in rows}


def test_a_batch_is_made_once(home: Home) -> None:
    identifiers = home.issue(20)
    told = shown(home.run("documents", "build", "--pending", "--workers", "2", "--json"))
    assert told == {"made": 20, "refused": {}}
    made = kept(home)
    assert sorted(made) == sorted(identifiers)
    assert shown(home.run("documents", "build", "--pending", "--json"))["made"] == 0
    assert kept(home) == made


def test_what_cannot_be_made_is_told_and_stops_nothing_else(home: Home) -> None:
    identifiers = home.issue(3)
    with closing(home.open()) as registry:
        registry.keys.retire(_agency_key(registry), by=CLERK)
    done = home.run("documents", "build", "--pending", "--workers", "1", "--json")
    assert done.returncode == REFUSED
    assert json.loads(done.stdout) == {"made": 0, "refused": {"key_unavailable": len(identifiers)}}
    assert "key_unavailable" in done.stderr
    assert home.run("keys", "rotate").returncode == DONE
    assert shown(home.run("documents", "build", "--pending", "--json"))["made"] == 3


def _agency_key(registry: Registry) -> str:
    table = metadata.tables["keys"].c
    with registry.store.reading() as reading:
        query = select(table.kid).where(table.role == "agency")
        return str(reading.connection.execute(query).scalar_one())


def test_progress_is_shown_on_a_terminal(home: Home) -> None:
    home.issue(3)
    ours, theirs = pty.openpty()
    words = ("documents", "build", "--pending", "--workers", "1")
    with home.start(*words, stdout=subprocess.PIPE, stderr=theirs) as building:
        os.close(theirs)
        seen = b""
        with suppress(OSError):  # the end of a terminal is an error
            while piece := os.read(ours, 4096):
                seen += piece
    os.close(ours)
    assert building.returncode == DONE
    assert b"documents" in seen
    assert b"3/3" in seen


@pytest.fixture
def group() -> Iterator[list[int]]:
    """Collect process groups that this test started; what is left of them is ended."""
    started: list[int] = []
    yield started
    for one in started:
        with suppress(ProcessLookupError):
            os.killpg(one, signal.SIGKILL)


def count(registry: Registry) -> int:
    """Count the documents that are kept."""
    table = metadata.tables["documents"].c.log_index
    with registry.store.reading() as reading:
        return len(reading.connection.execute(select(table)).all())


@pytest.mark.parametrize("all_of_it", [True, False], ids=["with-workers", "parent-alone"])
def test_a_build_that_was_killed_goes_on(home: Home, group: list[int], all_of_it: bool) -> None:
    identifiers = home.issue(MANY)
    words = ("documents", "build", "--pending", "--workers", "1")
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with closing(home.open()) as registry, home.start(*words, **silent) as building:
        group.append(building.pid)
        while building.poll() is None and count(registry) == 0:
            pass  # the first batch is on its way
        if all_of_it:
            os.killpg(building.pid, signal.SIGKILL)
        else:
            building.kill()
        assert building.wait() == -signal.SIGKILL, "it had ended by itself"
    before = kept(home)
    assert len(before) > 0
    if all_of_it:
        assert len(before) < MANY
    told = shown(home.run("documents", "build", "--pending", "--workers", "2", "--json"))
    assert told["refused"] == {}
    after = kept(home)
    assert sorted(after) == sorted(identifiers)
    assert before.items() <= after.items(), "a document was made twice"
    with closing(home.open()) as registry:
        for data in list(after.values())[::8]:
            assert registry.verify(data).verdict == "valid"


def test_workers_end_with_their_parent(home: Home, group: list[int]) -> None:
    home.issue(MANY)
    words = ("documents", "build", "--pending", "--workers", "2")
    reader, held = os.pipe()  # whoever of the group lives holds its end open
    streams = {"stdout": held, "stderr": held}
    with closing(home.open()) as registry, home.start(*words, **streams) as building:
        os.close(held)
        group.append(building.pid)
        while building.poll() is None and count(registry) == 0:
            pass
        building.kill()
        building.wait()
    assert is_closed(reader), "workers live on after their parent"


def is_closed(reader: int) -> bool:
    """Tell whether all others let go of a pipe, within a bound."""
    import select as waiting

    with closing(os.fdopen(reader, "rb", buffering=0)) as stream:
        while waiting.select([stream], [], [], 5)[0]:
            if not stream.read(4096):
                return True
    return False
