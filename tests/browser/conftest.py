"""A real service, a real Chromium, and certificates in every state that the page can show.

The registry's clock travels: certificates were issued long ago and suspended, revoked and so on
since, and when the browser looks, the registry's clock and the browser's show the present.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2
import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from ecert.config import Plan, Surroundings, init_registry
from ecert.model import Actor, Agency, Basis, Operation, Record, civil_date
from ecert.registry import CopyWish, Registry
from ecert.store import documents
from ecert_api import create_app
from tests.conftest import CONSTRUCTION, PATIENCE, PLANNING, WORKS, need

RURAL = "rural-construction-planning-permit"
SITING, LAND, APPROVAL = "project-siting-opinion", "land-use-planning-permit", "project-approval"
HEIR = Agency("11440114MA0000094E", "花都区自然资源局（演示）", "440114")
ZONE = "Asia/Shanghai"
CLERK = Actor("王五", purpose="测试", matter="测试事项")
PERSON = "江虚子"  # the rural permit's first holder: masked in its seal, and so on the page
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
)
BLOCKED = "Service Worker registration blocked by Playwright"  # what Playwright itself says
VERDICT, REPORT, STEPS = "#verdict", "#report", "#report ol.steps li"


def ago(days: float) -> timedelta:
    """Give the offset of a clock that shows the moment so many days ago."""
    return timedelta(days=-days)


class TravellingClock:
    """Shows the real time, moved by an offset that only ever grows."""

    def __init__(self, offset: timedelta) -> None:
        self.offset = offset

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


@dataclass
class Seen:
    """One request as the service received it."""

    method: str
    target: str
    headers: str
    body: bytes = b""

    @property
    def text(self) -> str:
        return f"{self.method} {self.target}\n{self.headers}\n{self.body.decode('latin-1')}"


class Recorder:
    """An ASGI middleware that keeps every request, as it came in."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.seen: list[Seen] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        headers = "\n".join(f"{a.decode()}: {b.decode('latin-1')}" for a, b in scope["headers"])
        one = Seen(scope["method"], f"{scope['path']}?{query}", headers)
        self.seen.append(one)

        async def listening() -> Any:
            message = await receive()
            one.body += message.get("body", b"")
            return message

        await self.app(scope, listening, send)


@dataclass
class Site:
    """A running service, what lies behind it, and the certificates that it knows."""

    url: str
    registry: Registry
    clock: TravellingClock
    recorder: Recorder
    serving: contextlib.ExitStack
    records: dict[str, Record] = field(default_factory=dict)
    seals: dict[str, str] = field(default_factory=dict)

    def fragment(self, name: str) -> str:
        """Give what stands after the # of a certificate's code."""
        return self.seals[name].partition("#")[2]

    def number(self, name: str) -> str:
        """Give the number of a certificate, or of the one that a copy is of."""
        record = self.records["lent" if name.startswith("copy") else name]
        return str(record.body["number"])

    def address(self, name: str) -> str:
        """Give the address that a phone opens."""
        return f"{self.url}/V#{self.fragment(name)}"

    def stop(self) -> None:
        """Take the service from the network."""
        self.serving.close()

    def document(self, name: str) -> bytes:
        """Give a certificate's signed PDF, made beside Playwright's loop, which runs in this thread."""
        identifier = self.records[name].id
        with ThreadPoolExecutor(1) as beside:
            return beside.submit(
                lambda: self.registry.documents.get(identifier, by=CLERK).data
            ).result()

    # -- making certificates

    def issue(self, name: str, slug: str = WORKS, **changes: Any) -> Record:
        """Issue a type's example, with members changed."""
        draft = {**self.registry.catalogue.newest(slug).example, **changes}
        record = self.registry.certificates.issue(
            slug, draft, by=CLERK, agency=PLANNING.code
        ).record
        self.records[name], self.seals[name] = record, record.seal
        return record

    def operate(self, name: str, operation: Operation) -> None:
        """Carry out an operation upon a certificate."""
        basis = Basis("申请人申请", "穗规划资源〔2026〕1号", "赵六")
        self.registry.certificates.operate(self.records[name].id, operation, basis=basis, by=CLERK)

    def change(self, name: str, successor: str) -> None:
        """Issue a certificate's next version."""
        basis = Basis("建设规模调整", "穗规划资源〔2026〕2号", "赵六")
        draft = dict(self.registry.catalogue.newest(WORKS).example)
        old = self.records[name].id
        done = self.registry.certificates.succeed(
            old, Operation.CHANGE, draft, basis=basis, by=CLERK
        )
        self.records[successor], self.seals[successor] = done.record, done.record.seal

    def lend(self, name: str, copy: str, until: date) -> None:
        """Make an annotated copy, and keep its seal."""
        wish, lent = CopyWish("中国银行花都支行", "办理贷款", until), self.records[name].id
        self.registry.documents.copy(lent, wish, by=CLERK)
        with self.registry.store.reading() as reading:
            self.seals[copy] = documents.copies(reading, lent)[-1].seal

    def hand_over(self, name: str) -> None:
        """Let another agency issue a certificate, and transfer its type to a third 900 days ago."""
        self.registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=[APPROVAL])
        self.registry.agencies.add(HEIR, by=CLERK)
        draft = self.registry.catalogue.newest(APPROVAL).example
        record = self.registry.certificates.issue(
            APPROVAL, draft, by=CLERK, agency=CONSTRUCTION.code
        ).record
        self.records |= {name: record, "handed-copy": record}
        self.seals[name] = record.seal
        first = self.day(ago(900))
        basis = "穗花编办〔2026〕6号"
        self.registry.register.transfer(
            CONSTRUCTION.code, [APPROVAL], to=HEIR.code, from_day=first, basis=basis, by=CLERK
        )

    def day(self, offset: timedelta) -> date:
        """Give a civil date before or after today."""
        return civil_date(datetime.now(UTC) + offset, ZONE)


def free_port() -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    return listening


def serving(app: Any, listening: socket.socket) -> contextlib.ExitStack:
    """Run an application in a thread, until the stack is closed."""
    config = uvicorn.Config(app, access_log=False, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join()

    stack = contextlib.ExitStack()
    stack.callback(stop)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/health/ready"
    httpx.get(url, timeout=PATIENCE, trust_env=False).raise_for_status()
    return stack


@contextlib.contextmanager
def open_site(
    folder: Path,
    *,
    fill: Callable[[Site], None],
    days_ago: float = 0.0,
    verify_per_minute: int = 0,
) -> Iterator[Site]:
    """Make a registry, let ``fill`` issue into it, come back to the present, and serve it."""
    listening = free_port()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    clock = TravellingClock(ago(days_ago))
    around = Surroundings(clock=clock, state=folder / "state")
    registry = init_registry(folder / "home", Plan(url, PLANNING, trial=True), around=around)
    recorder = Recorder(create_app(registry, verify_per_minute=verify_per_minute))
    site = Site(url, registry, clock, recorder, contextlib.ExitStack())
    fill(site)
    clock.offset = timedelta()
    site.serving.enter_context(serving(recorder, listening))
    try:
        yield site
    finally:
        site.stop()
        registry.close()


STATES = ("suspended", "cancelled", "withdrawn", "revoked")


def issue_states(site: Site) -> None:
    """Issue certificates and lead them into every state; the clock starts 1000 days ago."""
    site.issue("valid")
    for name in (*STATES, "superseded", "resumed", "lent"):
        site.issue(name)
    site.issue("masked", RURAL)
    site.issue("warned", rests_on=[site.issue("land", LAND).id])
    site.hand_over("handed-over")
    last = site.day(ago(100)).isoformat()
    for name in ("expired", "expired-suspended", "expired-revoked"):
        site.issue(name, SITING, valid_to=last)
    site.issue("future", valid_from=site.day(ago(-30)).isoformat())
    site.issue("bounded", SITING, valid_to=site.day(ago(-200)).isoformat())
    site.clock.offset = ago(899)
    site.registry.settlement.settle()  # on the day: the old agency's key is destroyed in time
    site.clock.offset = ago(300)
    site.operate("expired-suspended", Operation.SUSPEND)
    site.lend("lent", "copy-lapsed", site.day(ago(200)))
    site.clock.offset = ago(50)
    site.operate("resumed", Operation.SUSPEND)
    site.operate("expired-revoked", Operation.REVOKE)
    site.clock.offset = ago(40)
    site.operate("resumed", Operation.RESUME)
    for name, operation in (
        ("suspended", Operation.SUSPEND),
        ("cancelled", Operation.CANCEL),
        ("withdrawn", Operation.WITHDRAW),
        ("revoked", Operation.REVOKE),
        ("land", Operation.WITHDRAW),
    ):
        site.operate(name, operation)
    site.lend("handed-over", "handed-copy", site.day(ago(-20)))
    site.change("superseded", "successor")
    site.clock.offset = ago(0)
    site.lend("lent", "copy", site.day(ago(-20)))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service of the whole run; tests change nothing in it."""
    folder = tmp_path_factory.mktemp("browser")
    with open_site(folder, fill=issue_states, days_ago=1000) as opened:
        yield opened


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """A service of one's own, that a test may stop: two certificates in force, one revoked."""

    def fill(site: Site) -> None:
        for name in ("one", "two", "revoked"):
            site.issue(name)
        site.clock.offset = ago(1)
        site.operate("revoked", Operation.REVOKE)

    with open_site(tmp_path, fill=fill, days_ago=30) as opened:
        yield opened


# -- the browser ----------------------------------------------------------------------------------


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Give one Chromium for these tests alone: Playwright's loop must not outlive them."""
    expect.set_options(timeout=PATIENCE * 1000)
    with open_browser() as opened:
        yield opened


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Start the system's Chromium; its shell has no windows to draw, which halves the work."""
    program = need("chromium-headless-shell", "chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=program,
            args=list(FLAGS),
            env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        )
        yield opened
        opened.close()


@dataclass
class Noise:
    """What the page says to the console, and what it throws."""

    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", self._catch)

    def leave(self, page: Page) -> None:
        page.remove_listener("console", self._hear)
        page.remove_listener("pageerror", self._catch)

    def _catch(self, error: Exception) -> None:
        self.errors.append(str(error))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and BLOCKED not in message.text:
            self.console.append(f"{message.type}: {message.text}")

    @property
    def violations(self) -> list[str]:
        return [one for one in self.console if "Content Security Policy" in one]


OpenPage = Callable[..., Page]


@pytest.fixture
def noise() -> Noise:
    return Noise()


@pytest.fixture
def open_page(browser: Browser, noise: Noise) -> Iterator[OpenPage]:
    """Open pages, each in a context of its own; nothing may be thrown or violated in any.

    The service worker is off unless ``service_workers="allow"``: it would hide requests from the
    tests that answer them.
    """
    contexts = []

    def open_one(locale: str = "zh-CN", **options: Any) -> Page:
        wanted = {"service_workers": "block", "timezone_id": ZONE, **options}
        context = browser.new_context(locale=locale, **wanted)
        context.set_default_timeout(PATIENCE * 1000)
        contexts.append(context)
        page = context.new_page()
        noise.listen(page)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert noise.errors == []
    assert noise.violations == []


@pytest.fixture(scope="package")
def shared_page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="zh-CN", timezone_id=ZONE, service_workers="block")
    context.set_default_timeout(PATIENCE * 1000)
    yield context.new_page()
    context.close()


@pytest.fixture
def quick_page(shared_page: Page, noise: Noise) -> Iterator[Page]:
    """One page for many tests that only look: it starts empty, in whatever language it was left."""
    shared_page.goto("about:blank")
    noise.listen(shared_page)
    yield shared_page
    noise.leave(shared_page)
    assert noise.errors == []
    assert noise.console == []


# -- seals that no registry would make ---------------------------------------------------------------


def take_seal(text: str) -> tuple[bytes, dict[Any, Any], bytes]:
    """Take a seal apart: protected header, claims, signature."""
    code = text.partition("#")[2]
    message = cbor2.loads(base64.b32decode(code + "=" * (-len(code) % 8)))
    protected, _, payload, signature = message.value
    return protected, cbor2.loads(payload), signature


def make_seal(base: str, protected: bytes, claims: dict[Any, Any], signature: bytes) -> str:
    """Put a seal together, whatever it says."""
    parts = [protected, {}, cbor2.dumps(claims), signature]
    message = cbor2.dumps(cbor2.CBORTag(18, parts))
    return f"{base.upper()}/V#" + base64.b32encode(message).decode().rstrip("=")


def with_character(text: str, place: int) -> str:
    """Change one character of a seal's code into another one of the alphabet."""
    old = text[place]
    return text[:place] + ("B" if old != "B" else "C") + text[place + 1 :]


def says(texts: Iterable[str], *forbidden: str) -> list[str]:
    """List the texts that contain one of some words."""
    return [text for text in texts if any(word in text for word in forbidden)]
