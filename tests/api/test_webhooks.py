"""Webhooks 变动推送: a real receiver on the loopback that fails in every way, and then listens."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from ecert.config import Plan, Surroundings, init_registry, open_registry
from ecert.errors import InputError, SignatureError, TokenError
from ecert.formats.dossier import verify_changes
from ecert.model import Actor, Basis, Operation, Record
from ecert.registry import Registry
from ecert.reuse.sharing import new_rule
from ecert.store import WebhookRow
from ecert.testing import SettableClock
from ecert_api import delivery
from ecert_api.metrics import Metrics
from ecert_api.webhook_address import InternalAddress, find_place
from tests.api.conftest import jwk_of, make_key, make_registry_at
from tests.conftest import CLERK, CONSTRUCTION, PATIENCE, PLANNING, WORKS

BASIS = Basis("申请人申请", "穗规划资源〔2026〕1号", "赵六")
BASE = "http://127.0.0.1:8000"
HOLDER_WORDS = ("示例安居", "91440114MA00000151", "云溪")


class Receiver:
    """An approval system's server: answers as it is told, and keeps what it was told."""

    def __init__(self) -> None:
        self.statuses: list[int] = []  # to answer next; 200 when there are none
        self.told: list[tuple[str, str, str]] = []
        self.heard = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode("ascii")
                receiver.told.append((self.path, self.headers["Content-Type"], body))
                receiver.heard.set()
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"{receiver.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815 - as http.server names it

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def registry(tmp_path: Path, clock: SettableClock) -> Iterator[Registry]:
    made = make_registry_at(BASE, tmp_path, clock=clock)
    yield made
    made.close()


@pytest.fixture
def permit(registry: Registry) -> Record:
    draft = registry.catalogue.newest(WORKS).example
    return registry.certificates.issue(WORKS, draft, by=CLERK, agency=PLANNING.code).record


def enrol(registry: Registry, url: str | None) -> str:
    """Register a system that may read works permits, and that wants to be told."""
    rule = new_rule(WORKS, CONSTRUCTION.code, legal_basis="国务院令第716号第七条", fields=("*",))
    registry.rules.add(rule, by=CLERK)
    scopes = ["certificates:read"]
    row = registry.clients.add(
        "审批系统", agency=CONSTRUCTION.code, scopes=scopes, jwk=jwk_of(make_key()), by=CLERK
    )
    if url is not None:
        registry.webhooks.put(row.id, url, by=CLERK)
    return row.id


def read(registry: Registry, client: str, record: Record) -> None:
    """Let a client read a certificate."""
    scopes = frozenset({"certificates:read"})
    registry.certificates.get(
        record.id, by=Actor("李四", CONSTRUCTION.code, client, "审批", scopes=scopes)
    )


def operate(registry: Registry, record: Record, *operations: Operation) -> None:
    for one in operations:
        registry.certificates.operate(record.id, one, basis=BASIS, by=CLERK)


def deliver(registry: Registry) -> None:
    """Make one attempt at what is due."""

    async def run() -> None:
        async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
            await delivery.deliver_due(registry, http)

    asyncio.run(run())


def row_of(registry: Registry, client: str) -> WebhookRow:
    (row,) = [one for one in registry.webhooks.all() if one.client == client]
    return row


def opened(registry: Registry, receiver: Receiver, client: str) -> list[list[str]]:
    """Verify all that was told, and name the operations of each telling."""
    trust = registry.trust()
    return [
        [str(one["operation"]) for one in verify_changes(body, trust, client=client)]
        for _, _, body in receiver.told
    ]


def test_a_client_is_told_signed_and_once(
    registry: Registry, permit: Record, receiver: Receiver
) -> None:
    client = enrol(registry, f"{receiver.url}/told?of=ecert")
    deliver(registry)
    read(registry, client, permit)
    deliver(registry)
    assert receiver.told == []  # nothing happened yet
    operate(registry, permit, Operation.SUSPEND, Operation.RESUME)
    deliver(registry)
    ((path, kind, body),) = receiver.told
    assert (path, kind) == ("/told?of=ecert", "application/jwt")
    items = verify_changes(body, registry.trust(), client=client)
    assert [one["operation"] for one in items] == ["suspend", "resume"]
    assert {one["certificate"] for one in items} == {permit.id}
    with pytest.raises(SignatureError):
        verify_changes(body, registry.trust(), client="another")
    head, payload, signature = body.split(".")
    with pytest.raises((SignatureError, TokenError)):
        verify_changes(f"{head}.{payload[:-4]}AAAA.{signature}", registry.trust(), client=client)
    deliver(registry)
    assert len(receiver.told) == 1
    operate(registry, permit, Operation.WITHDRAW)
    deliver(registry)
    assert opened(registry, receiver, client) == [["suspend", "resume"], ["withdraw"]]
    assert row_of(registry, client).last_result == "200"


def test_what_is_told_says_nothing_of_the_certificate(
    registry: Registry, permit: Record, receiver: Receiver
) -> None:
    client = enrol(registry, f"{receiver.url}/")
    read(registry, client, permit)
    operate(registry, permit, Operation.WITHDRAW)
    deliver(registry)
    ((_, _, body),) = receiver.told
    (item,) = verify_changes(body, registry.trust(), client=client)
    assert item.keys() == {
        *("index", "certificate", "operation", "status", "at", "successor", "cases"),
        *("corrected", "warning"),
    }
    assert [word for word in HOLDER_WORDS if word in str(item)] == []


@pytest.mark.parametrize("status", [500, 503, 404, 410, 429, 302, 307, 308])
def test_a_receiver_that_fails_is_told_again_later(
    registry: Registry, permit: Record, receiver: Receiver, clock: SettableClock, status: int
) -> None:
    client = enrol(registry, f"{receiver.url}/told")
    read(registry, client, permit)
    operate(registry, permit, Operation.SUSPEND)
    receiver.statuses = [status] * 3
    due = int(clock().timestamp())
    for failures, wait in enumerate((5, 10, 20), start=1):
        deliver(registry)
        row, due = row_of(registry, client), due + wait
        assert (row.failures, row.next_at, row.last_result) == (failures, due, str(status))
        assert len(receiver.told) == failures
        clock.move(timedelta(seconds=wait - 1))
        deliver(registry)  # too early
        assert len(receiver.told) == failures
        clock.move(timedelta(seconds=1))
    deliver(registry)
    assert {path for path, _, _ in receiver.told} == {"/told"}  # no redirect was followed
    assert opened(registry, receiver, client) == [["suspend"]] * 4
    row = row_of(registry, client)
    assert (row.failures, row.next_at, row.last_result) == (0, 0, "200")
    clock.move(timedelta(days=1))
    deliver(registry)
    assert len(receiver.told) == 4


def test_nobody_listens_and_then_somebody_does(
    registry: Registry, permit: Record, receiver: Receiver, clock: SettableClock
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # bound and never listening: refused
        client = enrol(registry, f"http://127.0.0.1:{deaf.getsockname()[1]}/")
        read(registry, client, permit)
        operate(registry, permit, Operation.SUSPEND)
        deliver(registry)
    row = row_of(registry, client)
    assert (row.failures, row.last_result) == (1, "ConnectError")
    registry.webhooks.put(client, f"{receiver.url}/new", by=CLERK)
    operate(registry, permit, Operation.RESUME)
    deliver(registry)
    # what the old address never heard is told at the new one
    assert opened(registry, receiver, client) == [["suspend", "resume"]]
    found, _ = registry.changes.since(by=CLERK, client=client)
    assert [one["operation"] for one in found] == ["suspend", "resume"]


def test_the_waits_grow_to_an_hour_and_no_further(
    registry: Registry, permit: Record, receiver: Receiver, clock: SettableClock
) -> None:
    client = enrol(registry, f"{receiver.url}/")
    read(registry, client, permit)
    operate(registry, permit, Operation.SUSPEND)
    receiver.statuses = [500] * 30
    waits = []
    for _ in range(30):
        deliver(registry)
        wait = row_of(registry, client).next_at - int(clock().timestamp())
        waits.append(wait)
        clock.move(timedelta(seconds=wait))
    assert waits[:5] == [5, 10, 20, 40, 80]
    assert set(waits[10:]) == {3600}
    deliver(registry)
    assert row_of(registry, client).failures == 0


def test_after_a_restart_it_goes_on_where_it_was(
    registry: Registry,
    permit: Record,
    receiver: Receiver,
    clock: SettableClock,
    tmp_path: Path,
) -> None:
    client = enrol(registry, f"{receiver.url}/")
    read(registry, client, permit)
    operate(registry, permit, Operation.SUSPEND)
    deliver(registry)
    operate(registry, permit, Operation.RESUME)
    receiver.statuses = [500]
    deliver(registry)
    registry.close()
    around = Surroundings(state=tmp_path / "state", clock=clock)
    again = open_registry(tmp_path / "home", around=around)
    try:
        deliver(again)
        assert len(receiver.told) == 2  # it remembers that it has to wait
        clock.move(timedelta(seconds=5))
        deliver(again)
        operate(again, permit, Operation.WITHDRAW)
        deliver(again)
        told = opened(again, receiver, client)
        assert told == [["suspend"], ["resume"], ["resume"], ["withdraw"]]
    finally:
        again.close()


def test_a_node_that_died_in_an_attempt_is_followed_by_another(
    registry: Registry, permit: Record, receiver: Receiver, clock: SettableClock
) -> None:
    client = enrol(registry, f"{receiver.url}/")
    read(registry, client, permit)
    operate(registry, permit, Operation.SUSPEND)
    row, now = row_of(registry, client), int(clock().timestamp())
    assert registry.webhooks.lease(row, now + delivery.LEASE_SECONDS)
    assert not registry.webhooks.lease(row, now + delivery.LEASE_SECONDS)
    deliver(registry)
    assert receiver.told == []  # the other has it
    clock.move(timedelta(seconds=delivery.LEASE_SECONDS))
    deliver(registry)
    assert opened(registry, receiver, client) == [["suspend"]]


def test_what_others_were_given_is_never_told(
    registry: Registry, permit: Record, receiver: Receiver
) -> None:
    first, second = enrol(registry, f"{receiver.url}/1"), enrol(registry, f"{receiver.url}/2")
    enrol(registry, f"{receiver.url}/3")
    draft = registry.catalogue.newest(WORKS).example
    other = registry.certificates.issue(WORKS, draft, by=CLERK, agency=PLANNING.code).record
    read(registry, first, permit)
    read(registry, second, other)
    operate(registry, permit, Operation.SUSPEND)
    operate(registry, other, Operation.WITHDRAW)
    deliver(registry)
    told = {path: body for path, _, body in receiver.told}
    assert told.keys() == {"/1", "/2"}
    for path, client, record in (("/1", first, permit), ("/2", second, other)):
        items = verify_changes(told[path], registry.trust(), client=client)
        assert {one["certificate"] for one in items} == {record.id}


def test_many_changes_come_in_several_tellings_in_order(
    registry: Registry, permit: Record, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MAX_ITEMS", 4)
    client = enrol(registry, f"{receiver.url}/")
    read(registry, client, permit)
    done = [Operation.SUSPEND, Operation.RESUME] * 5
    operate(registry, permit, *done)
    for _ in range(4):
        deliver(registry)
    told = opened(registry, receiver, client)
    assert [len(one) for one in told] == [4, 4, 2]
    assert [one for each in told for one in each] == [one.value for one in done]


def test_one_that_is_down_does_not_hold_up_the_others(
    registry: Registry, permit: Record, receiver: Receiver
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        down = enrol(registry, f"http://127.0.0.1:{deaf.getsockname()[1]}/")
        good = enrol(registry, f"{receiver.url}/")
        for client in (down, good):
            read(registry, client, permit)
        operate(registry, permit, Operation.SUSPEND)
        deliver(registry)
    assert opened(registry, receiver, good) == [["suspend"]]
    assert row_of(registry, down).failures == 1


ODD_ADDRESSES = ("https://xn--a/told", "https://example.org:99999/told", "https://../told")


@pytest.mark.parametrize("url", ODD_ADDRESSES)
def test_an_address_that_none_can_call_stops_nobody_elses(
    registry: Registry, permit: Record, receiver: Receiver, url: str
) -> None:
    """One administrator's slip must not silence the deliveries of the whole registry, for ever."""
    odd = enrol(registry, None)
    with suppress(Exception):  # refused when it is set would do as well
        registry.webhooks.put(odd, url, by=CLERK)
    good = enrol(registry, f"{receiver.url}/")
    for client in (odd, good):
        read(registry, client, permit)

    async def run() -> None:
        """Run the delivery as the service does, until the good one heard twice or it has died."""
        loop = asyncio.create_task(delivery.deliver_for_ever(registry, Metrics()))
        for operation in (Operation.SUSPEND, Operation.RESUME):
            operate(registry, permit, operation)
            heard = asyncio.create_task(asyncio.to_thread(receiver.heard.wait, PATIENCE))
            await asyncio.wait({loop, heard}, return_when=asyncio.FIRST_COMPLETED)
            receiver.heard.set()
            await heard
            receiver.heard.clear()
        died = loop.done()
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        assert not died, "nobody will be told of anything any more"

    asyncio.run(run())
    assert opened(registry, receiver, good)[:2] == [["suspend"], ["resume"]]


def test_a_suspended_client_is_told_nothing(
    registry: Registry, permit: Record, receiver: Receiver
) -> None:
    """Its calls are refused; what it may not fetch is not sent to it either."""
    client = enrol(registry, f"{receiver.url}/")
    read(registry, client, permit)
    operate(registry, permit, Operation.SUSPEND)
    registry.clients.change(client, by=CLERK, state="suspended")
    deliver(registry)
    assert receiver.told == []
    registry.clients.change(client, by=CLERK, state="active")
    deliver(registry)
    assert opened(registry, receiver, client) == [["suspend"]]  # and then it misses nothing


def test_a_webhook_that_was_removed_is_told_nothing(
    registry: Registry, permit: Record, receiver: Receiver
) -> None:
    client = enrol(registry, f"{receiver.url}/")
    read(registry, client, permit)
    operate(registry, permit, Operation.SUSPEND)
    registry.webhooks.put(client, None, by=CLERK)
    deliver(registry)
    assert receiver.told == []


def test_the_same_address_again_forgets_no_change(
    registry: Registry, permit: Record, receiver: Receiver
) -> None:
    """Whoever sets what is set already must not lose what was waiting to be told."""
    client = enrol(registry, f"{receiver.url}/")
    read(registry, client, permit)
    operate(registry, permit, Operation.SUSPEND)
    registry.webhooks.put(client, f"{receiver.url}/", by=CLERK)
    deliver(registry)
    assert opened(registry, receiver, client) == [["suspend"]]


# -- where to ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["https://localhost/x", "https://127.0.0.1/x", "https://10.0.0.1/x"]
)
def test_outside_a_trial_nothing_is_told_inside_the_network(url: str) -> None:
    """The host is resolved at each delivery: a name may lead somewhere else today than yesterday."""
    with pytest.raises(InternalAddress):
        asyncio.run(find_place(url, allows_internal=False))
    place = asyncio.run(find_place(url, allows_internal=True))
    assert str(place.url) == url  # a trial goes wherever it is told


def test_outside_a_trial_a_webhook_is_https(tmp_path: Path) -> None:
    plan = Plan("https://zz.example", PLANNING, trial=False)
    registry = init_registry(tmp_path / "real", plan, around=Surroundings(state=tmp_path / "state"))
    row = registry.clients.add(
        "系统", agency=PLANNING.code, scopes=["certificates:read"], jwk=jwk_of(make_key()), by=CLERK
    )
    with pytest.raises(InputError, match="https"):
        registry.webhooks.put(row.id, "http://127.0.0.1/x", by=CLERK)
    registry.webhooks.put(row.id, "https://department.example/x", by=CLERK)
    registry.close()


def test_who_cannot_read_does_not_say_where_it_is_told(tmp_path: Path) -> None:
    registry = make_registry_at(BASE, tmp_path, clock=SettableClock())
    row = registry.clients.add(
        "系统", agency=PLANNING.code, scopes=["certificates:read"], jwk=jwk_of(make_key()), by=CLERK
    )
    blind = Actor("李四", PLANNING.code, "client", scopes=frozenset({"clients:manage"}))
    with pytest.raises(InputError):
        registry.webhooks.put(row.id, "https://elsewhere.example/x", by=blind)
    seeing = Actor(
        "李四", PLANNING.code, "c", scopes=frozenset({"clients:manage", "certificates:read"})
    )
    registry.webhooks.put(row.id, "https://department.example/x", by=seeing)
    registry.close()
