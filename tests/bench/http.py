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

from ecert.client import Grounds
from ecert.config import TRIAL_AGENCY, Plan, Surroundings, init_registry
from ecert.formats._jws import CLIENT_ASSERTION, sign_jws
from ecert.keys import make_signer, public_jwk
from ecert.model import Actor
from ecert.registry import Registry
from tests.conftest import trail_rows

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
        registry = init_registry(
            folder / "home",
            Plan(f"http://127.0.0.1:{port}", TRIAL_AGENCY, trial=True),
            around=around,
        )
        try:
            return _measure(say, folder, registry, port)
        finally:
            registry.close()


def _measure(
    say: Callable[[str], None], folder: Path, registry: Registry, port: int
) -> dict[str, float]:
    draft = dict(registry.catalogue.newest(TYPE).example)
    record = registry.certificates.issue(TYPE, draft, by=Actor("bench")).record
    body = record.to_json()
    rates = {}
    bare = _uvicorn("bare:app", port=_free_port())
    with _server(bare, {"PYTHONPATH": str(_write_bare(folder, body))}) as base:
        rates["bare"] = _load(say, "bare Starlette JSON", base + "/x", {})
    with _usual(folder, body) as (base, headers):
        rates["usual"] = _load(say, "usual build", base, headers)
    serve = [sys.executable, "-m", "ecert", "--home", str(folder / "home"), "serve"]
    command = [*serve, "--port", str(port)]
    with _server(command, {"ECERT_STATE_DIR": str(folder / "state")}) as base:
        headers = {
            "Authorization": f"Bearer {_token(registry, base)}",
            **Grounds("施工许可审批", "建筑工程施工许可证核发", "李四").headers(),
        }
        address = f"{base}/v1/certificates/{record.id}"
        rates["ecert"] = _load(say, "ecert audited fetch", address, headers)
    reads = sum(row["action"] == "read" for row in _audit(registry))
    say(f"audit rows written by the load: {reads}")
    return {
        "audited fetch / bare Starlette JSON": rates["ecert"] / rates["bare"],
        "audited fetch / usual build": rates["ecert"] / rates["usual"],
    }


def _audit(registry: Registry) -> Iterator[dict[str, object]]:
    after = -1
    while rows := trail_rows(registry, after=after, limit=1000):
        yield from rows
        after = rows[-1]["index"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_bare(folder: Path, body: object) -> Path:
    (folder / "bare.py").write_text(BARE.format(body=body), "utf-8")
    return folder


def _uvicorn(app: str, *, port: int) -> list[str]:
    command = [sys.executable, "-m", "uvicorn", app, "--log-level", "error", "--no-access-log"]
    return [*command, "--no-proxy-headers", "--port", str(port)]


@contextmanager
def _server(command: list[str], environment: Mapping[str, str]) -> Iterator[str]:
    """Run one server process until the measurement is over; the last word is its port."""
    with subprocess.Popen(command, env={**os.environ, **environment}) as process:
        try:
            _await(int(command[-1]))
            yield f"http://127.0.0.1:{command[-1]}"
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
    with _server(_uvicorn("tests.bench.usual_build:app", port=_free_port()), environment) as base:
        yield f"{base}/certificates/x", headers


def _token(registry: Registry, base: str) -> str:
    agency = registry.agencies.all()[0].code
    return _token_of(registry, base, agency, ["certificates:read"])


def _token_of(registry: Registry, base: str, agency: str, scopes: list[str]) -> str:
    """Register a system of an agency, and let it fetch a token."""
    signer, by = make_signer(), Actor("bench")
    jwk = public_jwk(signer.public_key)
    client = registry.clients.add("bench", agency=agency, scopes=scopes, jwk=jwk, by=by)
    now = int(time.time())
    claims = {"iss": client.id, "sub": client.id, "aud": registry.base, "iat": now, "exp": now + 60}
    assertion = sign_jws(
        orjson.dumps({**claims, "jti": os.urandom(16).hex()}), signer, typ=CLIENT_ASSERTION
    )
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    }
    answer = httpx.post(f"{base}/oauth/token", data=form, trust_env=False)
    return str(answer.raise_for_status().json()["access_token"])


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
