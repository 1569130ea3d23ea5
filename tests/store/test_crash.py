"""Real processes, really killed: what was answered is there, what is there is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ecert.config import Surroundings, open_registry
from ecert.store import certificates, trail
from tests.conftest import PLAN, Maker

WRITER = """
import json, sys
from pathlib import Path
from ecert.config import Surroundings, open_registry
from ecert.model import Actor
from ecert.registry import IssueRequest
home, state = sys.argv[1:]
registry = open_registry(home, around=Surroundings(state=Path(state)))
slug = "construction-works-planning-permit"
draft = dict(registry.catalogue.newest(slug).example)
while True:
    for issued in registry.certificates.issue_many([IssueRequest(slug, draft, Actor("writer"))] * 3):
        print(issued.record.id, flush=True)
    registry.log.publish()
"""


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_killed_writers_leave_a_whole_store(
    backend: str, make_registry: Maker, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = (
        "sqlite:///ecert.db" if backend == "sqlite" else request.getfixturevalue("postgres_url")
    )
    before = make_registry(database, plan=PLAN).log.head().size
    home, state = tmp_path / "home", tmp_path / "state"
    answered: list[str] = []
    for kill_after in (1, 4, 10):
        answered += _killed(home, state, kill_after)
    survivor = open_registry(home, around=Surroundings(state=state))
    head = survivor.log.check()
    survivor.log.publish()  # extends what was published before the kill
    with survivor.store.reading() as reading:
        for identifier in answered:
            record = certificates.find(reading, identifier)
            assert record is not None, "an answered certificate is gone"
            assert survivor.verify(record.credential).verdict == "valid"
        stored = trail.rows(reading, -1, 1000)
    issues = [row for row in stored if row["action"] == "issue"]
    assert len(issues) == head.size - before >= len(answered)
    assert (head.size - before) % 3 == 0, "a batch was torn"
    survivor.close()


def _killed(home: Path, state: Path, lines: int) -> list[str]:
    """Start a writer and kill it -9 after some answers; give what it had answered."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home), str(state)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as writer:
        assert writer.stdout is not None
        seen = [writer.stdout.readline().strip() for _ in range(lines)]
        writer.send_signal(signal.SIGKILL)
        seen += [line.strip() for line in writer.stdout if line.endswith("\n")]
    return [line for line in seen if line]
