"""A real OpenID provider on the loopback: the certified ``oidc-provider`` package, run by Node."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import queue
import secrets
import shutil
import ssl
import stat
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.cookies import SimpleCookie
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import urlencode

import httpx
import pytest

from tests.conftest import PATIENCE

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
HERE = Path(__file__).parent
PACKAGE = ("package.json", "package-lock.json", ".npmrc")
SCOPE = "openid identity"

HIGH, LOW = "urn:example:loa:3", "urn:example:loa:1"
ENTERPRISE, PERSON, LOW_PERSON = "account-enterprise", "account-person", "account-low"
ACCOUNTS: dict[str, dict[str, str]] = {  # the fictional holders of the types' examples
    ENTERPRISE: {
        "acr": HIGH,
        "credit_code": "91440114MA00000151",
        "name": "广州花都示例安居有限公司",
    },
    PERSON: {"acr": HIGH, "resident_number": "440114197602039971", "name": "江虚子"},
    LOW_PERSON: {"acr": LOW, "resident_number": "440114197602039971", "name": "江虚子"},
}


class NotSignedIn(Exception):
    """The provider ended the flow without a token."""


class _Node:
    """The provider's process, which answers each line with a line and ends with its input."""

    def __init__(self, process: subprocess.Popen[bytes], complaints: IO[bytes]) -> None:
        self.process, self.complaints = process, complaints
        self.lock = threading.Lock()
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(b"")  # it ended: nobody need wait any longer

    def ask(self, **words: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # its reason is among the complaints
            self.process.stdin.write(json.dumps(words).encode() + b"\n")
        try:
            line = self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            line = b""
        if not line:
            self.complaints.seek(0)
            said = self.complaints.read().decode(errors="replace")
            raise RuntimeError(f"the OpenID provider does not answer: {said[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._reader.join(timeout=PATIENCE)


@dataclass(frozen=True)
class Provider:
    """A running provider, as a relying party sees it."""

    issuer: str
    client_id: str
    jwks: dict[str, Any] = field(repr=False)
    metadata: dict[str, Any] = field(repr=False)
    _node: _Node = field(repr=False)
    _clock: Callable[[], datetime] | None = field(repr=False)

    def sign_in(
        self,
        sub: str,
        *,
        nonce: str | None = None,
        client_id: str | None = None,
        at: datetime | None = None,
    ) -> str:
        """Run the authorization code flow with PKCE and give the ID token.

        ``at`` is the moment on the provider's clock; it stands still during the flow. Without it
        the clock given to ``oidc_provider`` counts, and without that the real one.
        """
        client = client_id or self.client_id
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        wish = {
            "client_id": client,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
            "redirect_uri": _redirect_uri(client),
            "response_type": "code",
            "scope": SCOPE,
            "state": state,
        }
        if nonce is not None:
            wish["nonce"] = nonce
        moment = at or (self._clock() if self._clock else None)
        with self._node.lock, _web() as web:
            self._node.ask(now=None if moment is None else round(moment.timestamp() * 1000))
            back = self._browse(web, wish, sub)
            if "code" not in back or (back["state"], back["iss"]) != (state, self.issuer):
                raise NotSignedIn(f"the provider sent back {dict(back)}")
            form = {
                "client_id": client,
                "code": back["code"],
                "code_verifier": verifier,
                "grant_type": "authorization_code",
                "redirect_uri": wish["redirect_uri"],
            }
            reply = web.post(self.metadata["token_endpoint"], data=form)
        if reply.status_code != 200:
            raise NotSignedIn(reply.text)
        return str(reply.json()["id_token"])

    def _browse(self, web: httpx.Client, wish: dict[str, str], sub: str) -> httpx.QueryParams:
        """Do what a person does in a browser, until it is sent back to the client."""
        url = httpx.URL(f"{self.metadata['authorization_endpoint']}?{urlencode(wish)}")
        # Not httpx's own jar: it drops cookies by the real clock, and the provider's may differ.
        jar: dict[str, str] = {}
        for _ in range(8):
            cookies = "; ".join(f"{name}={value}" for name, value in jar.items())
            reply = web.get(url, headers={"Cookie": cookies})
            if not reply.is_redirect:
                raise NotSignedIn(f"{reply.status_code} {reply.text}")
            for line in reply.headers.get_list("set-cookie"):
                jar |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
            url = url.join(reply.headers["location"])
            if str(url).startswith(wish["redirect_uri"]):
                return url.params
            if url.path.startswith("/interaction/"):
                url = url.copy_add_param("account", sub)
        raise NotSignedIn("the provider redirects without end")


@contextmanager
def oidc_provider(
    accounts: Mapping[str, Mapping[str, Any]],
    *,
    clients: Sequence[str] = ("online-hall",),
    algorithm: Literal["RS256", "ES256"] = "RS256",
    clock: Callable[[], datetime] | None = None,
) -> Iterator[Provider]:
    """Run a provider with fresh keys for these accounts (subject to claims)."""
    from tests.conftest import need  # here, so that a conftest may import this module

    command = [need("node"), str(HERE / "provider.mjs")]
    home = install(Path(tempfile.gettempdir()))
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            command,
            bufsize=0,
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
        ) as process,
    ):
        node = _Node(process, complaints)
        try:
            issuer = node.ask(
                accounts=[{"sub": sub, "claims": dict(of)} for sub, of in accounts.items()],
                clients=[{"client_id": it, "redirect_uris": [_redirect_uri(it)]} for it in clients],
                id_token_signed_response_alg=algorithm,
            )["issuer"]
            with _web() as web:
                metadata = _json(web, f"{issuer}/.well-known/openid-configuration")
                jwks = _json(web, metadata["jwks_uri"])
            yield Provider(issuer, clients[0], jwks, metadata, node, clock)
        finally:
            node.close()


def install(tmp: Path) -> Path:
    """Install the locked packages once a machine, in a folder under ``tmp`` that is ours alone."""
    from tests.conftest import need

    npm = need("npm")
    cache = tmp / f"ecert-oidc-{os.getuid()}"
    cache.mkdir(mode=0o700, exist_ok=True)
    found = cache.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        pytest.fail(f"{cache} belongs to somebody else, whose code would be run")
    lock = HERE / "package-lock.json"
    home = cache / hashlib.sha256(lock.read_bytes()).hexdigest()
    with (cache / "lock").open("ab") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # one worker installs; it bounds its own time
        if not home.is_dir():
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                made = Path(folder) / "made"
                made.mkdir()
                for name in PACKAGE:
                    shutil.copy(HERE / name, made)
                _fill(npm, made)
                made.rename(home)  # at once: what has the name is whole
    return home


def _fill(npm: str, folder: Path) -> None:
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        reason = "" if done.returncode == 0 else done.stderr[-500:]
    except subprocess.TimeoutExpired:
        reason = "it took more than five minutes"
    if reason or not (folder / "node_modules" / "oidc-provider").is_dir():
        reason = f"npm could not install oidc-provider: {reason}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def _redirect_uri(client: str) -> str:
    return f"https://{client}.example/signed-in"  # never visited: the code is read from the address


def _web() -> httpx.Client:
    # no proxy for the loopback, and no list of authorities: nothing here speaks TLS
    return httpx.Client(timeout=PATIENCE, trust_env=False, verify=_NO_TLS)


def _json(web: httpx.Client, url: str) -> dict[str, Any]:
    answer: dict[str, Any] = web.get(url).raise_for_status().json()
    return answer


@pytest.fixture(scope="session")
def oidc() -> Iterator[Provider]:
    """One provider for the whole run, with the accounts above; tests may not change it."""
    with oidc_provider(ACCOUNTS, clients=("online-hall", "other-hall")) as provider:
        yield provider
