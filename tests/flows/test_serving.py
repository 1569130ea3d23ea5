"""The service as an operator runs it: a process of its own, started, stopped, and copied cold."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ecert.config import Surroundings, open_registry
from ecert.registry import Query
from tests.api.conftest import Portal, free_port, make_registry_at
from tests.conftest import CLERK, PATIENCE

Drafts = Callable[..., dict[str, Any]]


@contextmanager
def serving(home: Path, state: Path, port: int, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``ecert serve`` and give its process; at the end it is killed if it still runs."""
    command = [sys.executable, "-m", "ecert", "--home", str(home), "serve", "--port", str(port)]
    environment = {**os.environ, "ECERT_STATE_DIR": str(state)}
    with subprocess.Popen([*command, *words], env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_cold_copy_after_sigterm_is_whole(tmp_path: Path, draft_of: Drafts, workers: str) -> None:
    """Found F6: the file alone held none of eight certificates, for all were in ``-wal``."""
    with free_port() as listening:
        port = listening.getsockname()[1]
    registry = make_registry_at(f"http://127.0.0.1:{port}", tmp_path)
    transport = httpx.HTTPTransport(retries=10)  # until it listens
    with (
        serving(tmp_path / "home", tmp_path / "state", port, "--workers", workers) as process,
        httpx.Client(base_url=registry.base, transport=transport, timeout=PATIENCE) as http,
    ):
        portal = Portal(http.request, registry)
        issued = {portal.issued(portal.planning, draft_of())["id"] for _ in range(8)}
        registry.close()
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    cold = tmp_path / "cold"
    shutil.copytree(
        tmp_path / "home", cold, ignore=shutil.ignore_patterns("*-wal", "*-shm", "*-journal")
    )
    copy = open_registry(cold, around=Surroundings(state=tmp_path / "state"), claims=True)
    assert {
        one.id for one in copy.certificates.find(Query(), by=CLERK, limit=100).records
    } == issued
    copy.close()
