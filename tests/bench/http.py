"""Fetching over HTTP: the audited read against bare Starlette and against the usual build."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ecert.config import Plan, Surroundings, init_registry
from ecert.demo import grounds
from ecert.keys import make_signer, public_jwk
from ecert.model import Actor
from ecert.registry import Registry

CONNECTIONS, SECONDS, ROUNDS = 32, 5, 2
TYPE = "land-use-planning-permit"
BARE = """
import orjson
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
BODY = {body!r}
async def answer(request):
    return Response(orjson.dumps(BODY), media_type="application/json")
app = Starlette(routes=[Route("/x", answer)])
"""


def measure(say: Callable[[str], None]) -> dict[str, float]:
    """Measure the three servers one after the other, with the same load, and give the ratios."""
    if shutil.which("wrk") is None:
        say("the HTTP part needs the load generator wrk (Debian package wrk): skipped")
        return {}
    with tempfile.TemporaryDirectory(prefix="ecert-bench-") as name:
        folder = Path(name)
        port = _free_port()
        around = Surroundings(state=folder / "state")
        registry = init_registry(folder / "home", Plan(f"http://127.0.0.1:{port}"), around=around)
        try:
            return _measure(say, folder, registry, port)
        finally:
            registry.close()


def _measure(
    say: Callable[[str], None], folder: Path, registry: Registry, port: int
) -> dict[str, float]:
    example = dict(registry.catalogue.newest(TYPE).example)
    # Outside a trial only confirmed types issue, so the filing stands in for a permit.
    del example
    kind = "completion-acceptance-filing"
    draft = dict(registry.catalogue.newest(kind).example)
    agency = registry.agencies()
    if not agency:
        from ecert.model import Agency

        registry.add_agency(Agency("11440114MA00000928", "演示局", "440114"), by=Actor("bench"))
    record = registry.issue(kind, draft, by=Actor("bench")).record
    body = record.to_json()
    rates = {}
    with _server(
        folder, "bare:app", {"PYTHONPATH": str(_write_bare(folder, body))}, _free_port()
    ) as base:
        rates["bare"] = _load(say, "bare Starlette JSON", base + "/x", {})
    with _usual(folder, body) as (base, headers):
        rates["usual"] = _load(say, "usual build", base, headers)
    environment = {"ECERT_HOME": str(folder / "home"), "ECERT_STATE_DIR": str(folder / "state")}
    with _server(folder, "ecert_api.server:make", environment, port, factory=True) as base:
        headers = {"Authorization": f"Bearer {_token(registry, base, kind)}", **grounds()}
        rates["ecert"] = _load(
            say, "ecert audited fetch", f"{base}/v1/certificates/{record.id}", headers
        )
    reads = sum(row["action"] == "read" for row in _audit(registry))
    say(f"audit rows written by the load: {reads}")
    return {
        "audited fetch / bare Starlette JSON": rates["ecert"] / rates["bare"],
        "audited fetch / usual build": rates["ecert"] / rates["usual"],
    }


def _audit(registry: Registry) -> Iterator[dict[str, object]]:
    after = -1
    while rows := registry.audit_rows(after=after, limit=1000):
        yield from rows
        after = rows[-1]["index"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_bare(folder: Path, body: object) -> Path:
    (folder / "bare.py").write_text(BARE.format(body=body), "utf-8")
    return folder


@contextmanager
def _server(
    folder: Path, app: str, environment: Mapping[str, str], port: int, *, factory: bool = False
) -> Iterator[str]:
    """Run one server process until the measurement is over."""
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "error"]
    command += ["--no-access-log", *(["--factory"] if factory else [])]
    with subprocess.Popen(command, env={**os.environ, **environment}) as process:
        try:
            _await(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _await(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)  # a bench may wait for a process to start
    raise RuntimeError("the server did not start")


@contextmanager
def _usual(folder: Path, body: Mapping[str, object]) -> Iterator[tuple[str, dict[str, str]]]:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    environment = {"USUAL_DATABASE": f"sqlite:///{folder / 'usual.db'}", "USUAL_PUBLIC": public}
    fill = (
        "import sys; from tests.bench import usual_build as u; from sqlalchemy.orm import Session\n"
        "u.Base.metadata.create_all(u.ENGINE)\n"
        "with Session(u.ENGINE) as s: s.add(u.Certificate(id='x', body=sys.stdin.read())); s.commit()"
    )
    subprocess.run(
        [sys.executable, "-c", fill],
        input=orjson.dumps(dict(body)),
        env={**os.environ, **environment},
        check=True,
    )
    token = jwt.encode({"sub": "bench", "aud": "usual", "exp": time.time() + 600}, key, "ES256")
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": "x", "X-Operator": "y"}
    with _server(folder, "tests.bench.usual_build:app", environment, _free_port()) as base:
        yield f"{base}/certificates/x", headers


def _token(registry: Registry, base: str, kind: str) -> str:
    signer = make_signer()
    client = registry.add_client(
        "bench",
        agency=registry.agencies()[0].code,
        scopes=[f"certificates:read:{kind}"],
        jwk=public_jwk(signer.public_key),
        by=Actor("bench"),
    )
    from ecert.demo import _token as ask

    with httpx.Client(base_url=base, trust_env=False) as http:
        return ask(http, registry.base, client.id, signer)


def _load(say: Callable[[str], None], name: str, url: str, headers: Mapping[str, str]) -> float:
    """Load a server from 32 connections; give the best rate of the rounds."""
    flags = [word for key, value in headers.items() for word in ("-H", f"{key}: {value}")]
    best, p99 = 0.0, ""
    for _ in range(ROUNDS):
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", *flags, url]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in shown:
            raise RuntimeError(f"{name} answered with errors:\n{shown}")
        found = float(re.findall(r"Requests/sec:\s+([\d.]+)", shown)[0])
        if found > best:
            best, p99 = found, re.findall(r"99%\s+(\S+)", shown)[0]
    say(f"{name:28} {best:10.0f}/s   p99 {p99}")
    return best
