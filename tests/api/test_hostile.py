"""What comes from the wrong side: every refusal is a problem document, changes nothing, and tells nothing."""

from __future__ import annotations

import io
import json
import random
import secrets
import socket
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecert.config import Plan, Surroundings, init_registry
from ecert.formats import qr
from ecert.testing import SettableClock
from ecert_api import create_app
from tests.api.conftest import (
    CREDENTIAL,
    GROUNDS,
    JSON,
    REASONS,
    RURAL,
    Drafts,
    InProcess,
    Portal,
    make_registry_at,
    refused,
)
from tests.conftest import CLERK, CONSTRUCTION, EVERY_TYPE, PATIENCE, PLANNING, WORKS

MARKER = "马克思齐MARKER"  # a personal value: it may never come back, nor stand in a log line
CODE = "440114197806119981"  # a holder's code, in order
WRONG_CODE = "440114197806119982"  # the same with a wrong check digit
ABSENT = "1.2.156.3005.2.11440114MA00000915905.11440114MA00000915.01M820CVEAENFHZTCYQG0E2KKV.001.C"


class Watch:
    """Holds what a refusal may not change, and looks at it again afterwards."""

    def __init__(self, portal: Portal, log_lines: io.StringIO) -> None:
        self._portal, self._lines = portal, log_lines
        self._counts, self._audit = portal.counts(), len(portal.audit())
        self._logged = len(log_lines.getvalue())

    def refused(self, answer: httpx.Response, *statuses: int) -> None:
        """Demand a refusal that changed nothing and told nothing."""
        refused(answer, answer.status_code)
        assert answer.status_code in statuses, answer.text[:300]
        self.unchanged(answer)

    def unchanged(self, answer: httpx.Response) -> None:
        """Demand that nothing was changed and nothing was told."""
        rows = repr(self._portal.audit()[self._audit :])
        told = [answer.text, str(answer.headers), self._lines.getvalue()[self._logged :], rows]
        for text in told:
            for secret in (MARKER, ascii(MARKER)[1:-1], CODE, WRONG_CODE):
                assert secret not in text
        assert self._portal.counts() == self._counts


@pytest.fixture
def watch(portal: Portal, log_lines: io.StringIO) -> Watch:
    return Watch(portal, log_lines)


def post(portal: Portal, path: str, content: bytes, **headers: str) -> httpx.Response:
    """Post raw bytes as JSON with a good token."""
    members = {
        **(headers if "Authorization" in headers else portal.bearer(portal.planning)),
        "Content-Type": JSON,
        "Idempotency-Key": secrets.token_hex(8),
        **headers,
    }
    return portal.send("POST", path, content=content, headers=members)


# -- bodies that are no JSON as we demand it ------------------------------------------------------

DEEP = 1000
NO_JSON: dict[str, bytes] = {
    "nothing": b"",
    "a space": b" ",
    "broken UTF-8": b'{"x":"' + MARKER.encode() + b'\xff\xfe"}',
    "half a character": b'{"x":"' + MARKER.encode()[:-7] + b'"}',
    "an overlong form": b'{"x":"\xc0\xaf"}',
    "an encoded surrogate": b'{"x":"\xed\xa0\x80"}',
    "UTF-16": ('{"x":"' + MARKER + '"}').encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "cut off": b'{"x":"' + MARKER.encode(),
    "something after it": b'{"x":1}' + MARKER.encode(),
    "two documents": b"{}{}",
    "single quotes": b"{'x':'" + MARKER.encode() + b"'}",
    "a comma too many": b'{"x":1,}',
    "a comment": b'{"x":1 /* ' + MARKER.encode() + b" */}",
    "NaN": b'{"x":NaN}',
    "Infinity": b'{"x":Infinity}',
    "minus Infinity": b'{"x":-Infinity}',
    "too large a number": b'{"x":1e999}',
    "10,000 digits": b'{"x":' + b"9" * 10_000 + b"}",
    "10,000 digits after the point": b'{"x":' + b"1e" + b"9" * 10_000 + b"}",
    "a leading zero": b'{"x":01}',
    "hexadecimal": b'{"x":0x1F}',
    "a raw line feed": b'{"x":"a\nb"}',
    "a raw NUL": b'{"x":"a\0b"}',
    "a bad escape": b'{"x":"\\x41"}',
    "duplicate keys": b'{"x":"' + MARKER.encode() + b'","x":"' + CODE.encode() + b'"}',
    "duplicate keys, escaped": b'{"x":1,"\\u0078":2}',
    "duplicate keys, deep": b'{"y":[{"x":1,"x":2}]}',
    "1,000 lists deep": b"[" * DEEP + b"]" * DEEP,
    "1,000 objects deep": b'{"x":' * DEEP + b"1" + b"}" * DEEP,
    "1,000 lists deep, cut off": b"[" * DEEP,
    "1,000 deep beside a bracket in a text": b'{"y":"]]]]","x":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a lone surrogate": b'{"x":"\\ud800"}',
    "a lone surrogate in a list": b'{"x":["\\ud800"]}',
    "a lone surrogate as a name": b'{"\\udfff":1}',
    "a lone surrogate alone": b'"\\ud800"',
    "halves in the wrong order": b'{"x":["a",["\\udc00\\ud800"]]}',
}
POSTED = ["/v1/certificates", "/v1/certificates/search", f"/v1/certificates/{ABSENT}/operations"]


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize("name", NO_JSON)
def test_what_is_no_proper_json_is_refused(
    portal: Portal, watch: Watch, path: str, name: str
) -> None:
    watch.refused(post(portal, path, NO_JSON[name]), 400, 413)


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize(
    "name", ["NaN", "10,000 digits", "a lone surrogate", "a lone surrogate in a list"]
)
def test_so_it_is_inside_a_body_that_would_fit(
    portal: Portal, watch: Watch, a_draft: Drafts, path: str, name: str
) -> None:
    """The same values where a schema would look at them, and in lists too."""
    value = NO_JSON[name].partition(b":")[2][:-1]
    bodies: dict[str, list[dict[str, Any]]] = {
        POSTED[0]: [
            {"type": WORKS, "draft": a_draft(rests_on=["@"])},
            {"type": WORKS, "draft": a_draft(attachments=["@"])},
            {"type": WORKS, "draft": a_draft(holders=["@"])},
            {"type": WORKS, "draft": a_draft(number="@")},
            {"type": "@", "draft": a_draft()},
        ],
        POSTED[1]: [{"purpose": "a", "matter": "b", "operator": "c", "number": "@"}],
        POSTED[2]: [{"operation": "suspend", **REASONS, "reason": "@"}],
    }
    for body in bodies[path]:
        content = json.dumps(body).encode().replace(b'"@"', value)
        watch.refused(post(portal, path, content), 400, 413, 422)


def test_a_hostile_draft_does_not_fail_its_neighbours(portal: Portal, a_draft: Drafts) -> None:
    """Drafts that come at once share a transaction: one that nobody can read harms itself alone."""
    body = json.dumps({"type": WORKS, "draft": a_draft(holders=["@"])}).encode()
    hostile, before = body.replace(b'"@"', b'"\\ud800"'), portal.counts()
    good = json.dumps({"type": WORKS, "draft": a_draft()}).encode()
    bearer = {**portal.bearer(portal.planning), "Connection": "close"}
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(
                lambda content: post(portal, POSTED[0], content, **bearer), [good, hostile] * 24
            )
        )
    assert [answer.status_code for answer in answers[::2]] == [201] * 24
    assert {answer.status_code for answer in answers[1::2]} <= {400, 422}
    assert portal.counts() == (before[0] + 24, before[1] + 24)


@pytest.mark.parametrize("path", POSTED)
def test_a_body_of_ten_megabytes_is_refused(portal: Portal, watch: Watch, path: str) -> None:
    large = b'{"x":"' + MARKER.encode() * 400_000 + b'"}'
    assert len(large) > 6_000_000
    watch.refused(post(portal, path, large + b" " * 4_000_000), 413)


@pytest.mark.parametrize("path", [*POSTED, "/oauth/token"])
def test_a_body_without_a_length_is_counted_while_it_comes(
    portal: Portal, watch: Watch, path: str
) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(300):
            yield MARKER.encode() * 400

    kind = "application/x-www-form-urlencoded" if path == "/oauth/token" else JSON
    headers = {**portal.bearer(portal.planning), "Content-Type": kind, "Idempotency-Key": "k"}
    watch.refused(portal.send("POST", path, content=chunks(), headers=headers), 413)


def test_a_packed_body_is_not_unpacked(portal: Portal, watch: Watch) -> None:
    answer = post(portal, POSTED[0], b"\x1f\x8b\x08\x00garbage", **{"Content-Encoding": "gzip"})
    watch.refused(answer, 400, 415)


def test_just_under_the_bound_a_body_is_read(portal: Portal, watch: Watch) -> None:
    padded = b'{"x":1' + b" " * ((1 << 20) - 8) + b"}"
    watch.refused(post(portal, POSTED[1], padded), 400)
    watch.refused(post(portal, POSTED[1], padded + b"  "), 413)


# -- bodies that do not fit -----------------------------------------------------------------------


def holder(**changes: Any) -> dict[str, Any]:
    """Give a holder who is in order, with members changed."""
    return {"name": MARKER, "code": CODE, "code_type": "111", **changes}


MISFITS: dict[str, dict[str, Any]] = {
    "an unknown member": {"colour": MARKER},
    "an unknown field": {"fields": {"colour": MARKER}},
    "an unknown member of a holder": {"holders": [holder(sex=MARKER)]},
    "a prototype": {"__proto__": {"x": MARKER}},
    "no holder": {"holders": []},
    "too many holders": {"holders": [holder()] * 51},
    "a holder that is a text": {"holders": [MARKER]},
    "holders that are an object": {"holders": {"0": holder()}},
    "a name that is a number": {"holders": [holder(name=7)]},
    "a name that is null": {"holders": [holder(name=None)]},
    "a name too long": {"holders": [holder(name=MARKER * 21)]},
    "an empty name": {"holders": [holder(name="")]},
    "a resident number's check digit": {"holders": [holder(code=WRONG_CODE)]},
    "a resident number's birth date": {"holders": [holder(code="440114197813119981")]},
    "a resident number in other digits": {
        "holders": [holder(code="４４０１１４１９７８０６１１９９８１")]
    },
    "a credit code's check digit": {
        "holders": [holder(code="91440114MA00000152", code_type="001")]
    },
    "an unknown kind of code": {"holders": [holder(code_type="112")]},
    "a kind of code that is a number": {"holders": [holder(code_type=111)]},
    "a project code": {"project_code": MARKER},
    "a month of a project code": {"project_code": "2613-440114-04-01-260318"},
    "a day that does not exist": {"issued_on": "2026-02-30"},
    "a day in another form": {"issued_on": "2026/02/03"},
    "a day with a time": {"issued_on": "2026-02-03T00:00:00Z"},
    "a day in other digits": {"issued_on": "٢٠٢٦-٠٢-٠٣"},
    "a day that is a number": {"issued_on": 20260203},
    "the year nought": {"issued_on": "0000-01-01"},
    "the year one": {"issued_on": "0001-01-01"},
    "the year 9999": {"valid_to": "9999-12-31"},
    "tomorrow": {"issued_on": "2998-01-01"},
    "an end before its beginning": {"valid_from": "2026-01-02", "valid_to": "2026-01-01"},
    "a number too long": {"number": MARKER * 10},
    "a number with a space before it": {"number": " 1"},
    "a number with a line feed": {"number": "1\n2"},
    "an empty number": {"number": ""},
    "rests on a text": {"rests_on": MARKER},
    "rests on no identifier": {"rests_on": [MARKER]},
    "rests on a wrong check character": {"rests_on": [ABSENT[:-1] + "D"]},
    "rests on too many": {"rests_on": [ABSENT] * 21},
    "rests on one twice": {"rests_on": [ABSENT, ABSENT]},
    "rests on what is not there": {"rests_on": [ABSENT]},
    "an attachment without a digest": {
        "attachments": [{"name": MARKER, "media_type": "a/b", "size": 1}]
    },
    "an attachment of a negative size": {
        "attachments": [{"name": MARKER, "media_type": "a/b", "size": -1, "sha256": "0" * 64}]
    },
    "an attachment of a fraction": {
        "attachments": [{"name": MARKER, "media_type": "a/b", "size": 1.5, "sha256": "0" * 64}]
    },
    "an attachment of a huge size": {
        "attachments": [{"name": MARKER, "media_type": "a/b", "size": 10**400, "sha256": "0" * 64}]
    },
    "an attachment with a strange media type": {
        "attachments": [{"name": "a", "media_type": "a/b\r\nX: y", "size": 1, "sha256": "0" * 64}]
    },
    "fields that are a list": {"fields": [MARKER]},
    "fields that are null": {"fields": None},
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_its_type_is_refused(
    portal: Portal, watch: Watch, a_draft: Drafts, name: str
) -> None:
    draft = a_draft(RURAL, **{"holders": [holder()], **MISFITS[name]})
    content = json.dumps({"type": RURAL, "draft": draft}).encode()
    watch.refused(post(portal, POSTED[0], content), 409, 422)


@pytest.mark.parametrize(
    "changes",
    [
        {"holders": [holder(name="甲\0乙")]},
        {"holders": [holder(code="A\0B", code_type="999")]},
        {"number": "甲\0乙"},
        {"local_number": "甲\0乙"},
        {"attachments": [{"name": "a\0b", "media_type": "a/b", "size": 1, "sha256": "0" * 64}]},
        {"number": "甲\x1b[2J乙"},
    ],
)
def test_a_null_byte_in_a_text_is_refused(
    portal: Portal, watch: Watch, a_draft: Drafts, changes: dict[str, Any]
) -> None:
    draft = a_draft(RURAL, **{"holders": [holder()], **changes})
    content = json.dumps({"type": RURAL, "draft": draft}).encode()
    watch.refused(post(portal, POSTED[0], content), 400, 422)


def test_a_null_byte_in_a_field_is_refused(portal: Portal, watch: Watch, a_draft: Drafts) -> None:
    draft = a_draft(RURAL, holders=[holder()])
    draft["fields"]["project_name"] = "甲\0乙"
    content = json.dumps({"type": RURAL, "draft": draft}).encode()
    watch.refused(post(portal, POSTED[0], content), 400, 422)


SEARCHES: list[dict[str, Any]] = [
    {"holder_code": "甲\0乙"},
    {"number": "甲\0乙"},
    {"project_code": "\0"},
    {"purpose": "a\0b"},
    {"operator": "a\x7fb"},
    {"matter": "a\u202eb"},
    {"holder_code": MARKER * 10},
    {"holder_code": [CODE]},
    {"holder_code": {"$ne": CODE}},
    {"cursor": "9" * 18 + "x"},
    {"cursor": "٣"},
    {"limit": 10**400},
    {"limit": True},
    {"status": [MARKER]},
]


@pytest.mark.parametrize("members", SEARCHES)
def test_a_hostile_search_is_refused(portal: Portal, watch: Watch, members: dict[str, Any]) -> None:
    watch.refused(portal.search(portal.planning, **members), 400)


@pytest.mark.parametrize(
    "text", ["' OR '1'='1", "%", "_", "*", "\\", '"', "1; DROP TABLE certificates"]
)
def test_a_search_takes_its_texts_as_texts(portal: Portal, text: str) -> None:
    before = portal.counts()
    for name in ("holder_code", "project_code", "number"):
        assert portal.search(portal.planning, **{name: text}).json()["items"] == []
    assert portal.counts() == before


@pytest.mark.parametrize("name", ["reason", "basis", "operator"])
@pytest.mark.parametrize("value", ["甲\0乙", "甲\x1b[2J", MARKER * 51])
def test_a_hostile_operation_is_refused(
    portal: Portal, watch: Watch, name: str, value: str
) -> None:
    watch.refused(portal.operate(portal.planning, ABSENT, "suspend", **{name: value}), 400)


def test_on_postgresql_a_null_byte_is_no_failure_either(
    postgres_url: str,
    tmp_path: Path,
    a_draft: Drafts,
    open_desk: Callable[..., Portal],
    log_lines: io.StringIO,
) -> None:
    """PostgreSQL's texts cannot hold U+0000: what comes from outside must be stopped before."""
    around = Surroundings(state=tmp_path / "state", clock=SettableClock())
    plan = Plan("http://127.0.0.1:8000", PLANNING, postgres_url, trial=True)
    registry = init_registry(tmp_path / "home", plan, around=around)
    registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=EVERY_TYPE)
    desk = open_desk(registry)
    who = desk.planning
    issued = desk.issued(who, a_draft())
    answers = {
        "path": desk.get(who, "%00"),
        "history": desk.get(who, "a%00b", "/history"),
        "operation": desk.operate(who, "%00", "suspend"),
        "reason": desk.operate(who, issued["id"], "suspend", reason="甲\0乙"),
        "number": desk.search(who, number="\0"),
        "project": desk.search(who, project_code="\0"),
        "holder": desk.search(who, holder_code="\0"),
        "issue": desk.issue(who, a_draft(number="甲\0乙")),
        "local number": desk.issue(who, a_draft(local_number="甲\0乙")),
        "client": desk.ask_token(who.assertion(iss="\0", sub="\0")),
        "jti": desk.ask_token(who.assertion(jti="12345678\0")),
        "name": desk.issue(who, a_draft(RURAL, holders=[holder(name=MARKER + "\0")]), RURAL),
        "type": desk.send("GET", "/types/%00/v1"),
    }
    registry.close()
    for secret in (MARKER, CODE):
        assert secret not in log_lines.getvalue()
    assert {
        name: answer.status_code for name, answer in answers.items() if answer.status_code >= 500
    } == {}


# -- headers and addresses ------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*GROUNDS, "Idempotency-Key", "Accept", "X-Other"])
def test_an_enormous_header_is_no_failure(portal: Portal, watch: Watch, name: str) -> None:
    headers = {**portal.bearer(portal.planning), **GROUNDS, name: "x" * 50_000}
    try:
        answer = portal.send("GET", f"/v1/certificates/{ABSENT}", headers=headers)
    except httpx.RemoteProtocolError:  # cut off while it was still sending: it goes on for others
        assert portal.send("GET", "/health/live").status_code == 200
        return
    watch.refused(answer, 400, 404, 406, 431)


def test_a_thousand_headers_are_no_failure(portal: Portal, watch: Watch) -> None:
    more = {f"X-Other-{number}": "x" for number in range(1000)}
    headers = {**portal.bearer(portal.planning), **GROUNDS, **more}
    watch.refused(portal.send("GET", f"/v1/certificates/{ABSENT}", headers=headers), 400, 404, 431)


@pytest.mark.parametrize(
    "value", ["a%0d%0aSet-Cookie:%20x=1", "a%0d%0a%0d%0a<html>", "a%00b", "%E2%80%AE"]
)
@pytest.mark.parametrize("name", GROUNDS)
def test_nothing_can_be_injected_through_the_grounds(
    portal: Portal, watch: Watch, name: str, value: str
) -> None:
    headers = {**portal.bearer(portal.planning), **GROUNDS, name: value}
    answer = portal.send("GET", f"/v1/certificates/{ABSENT}", headers=headers)
    watch.refused(answer, 400)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/v1/certificates/%0d%0aSet-Cookie:%20x=1",
        "/types/%0d%0aSet-Cookie:%20x=1/v1",
        "/%0d%0aSet-Cookie:%20x=1",
        "/log/tile/0/000%0d%0aSet-Cookie:%20x=1",
    ],
)
def test_nothing_can_be_injected_through_the_address(
    portal: Portal, watch: Watch, path: str
) -> None:
    headers = {**portal.bearer(portal.planning), **GROUNDS}
    answer = portal.send("GET", path, headers=headers)
    watch.refused(answer, 400, 404)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/types/", "/trust.json/", "/log/checkpoint/", "/v/", "/health/live/", "/status/0/"]
)
def test_nobody_is_sent_to_where_a_header_says(portal: Portal, path: str) -> None:
    answer = portal.send("GET", path, headers={"Host": "evil.example"})
    assert "evil.example" not in str(answer.headers)
    refused(answer, 404)


def test_no_answer_names_the_host_that_a_caller_names(portal: Portal) -> None:
    for path in ("/types", "/.well-known/oauth-authorization-server", "/trust.json", "/v"):
        answer = portal.send("GET", path, headers={"Host": "evil.example"})
        assert "evil.example" not in answer.text + str(answer.headers)


def raw(portal: Portal, request: bytes) -> bytes:
    """Send bytes that no client library would send; give what comes back."""
    host, port = portal.base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return answer


RAW: dict[str, bytes] = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a negative length": b"POST /verify HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a length that is a text": b"POST /verify HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
    "a length of 5,000 digits": (
        b"POST /verify HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n"
    ),
    "two lengths": (
        b"POST /verify HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
    ),
    "a length and chunks": (
        b"POST /v1/certificates HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "a bad chunk": (
        b"POST /v1/certificates HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"
    ),
    "an old header form": b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
    "an absolute address": b"GET http://evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "half a body": b"POST /v1/certificates HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
}


@pytest.mark.parametrize("name", RAW)
def test_what_is_hardly_http_changes_nothing(portal: Portal, name: str) -> None:
    before = portal.counts()
    answer = raw(portal, RAW[name])
    assert b" 500 " not in answer.split(b"\r\n")[0]
    assert b"evil.example" not in answer
    assert b"Traceback" not in answer
    assert portal.counts() == before
    assert portal.send("GET", "/health/live").status_code == 200


# -- what is presented for verification -----------------------------------------------------------


class Counter:
    """Where things are presented: ``good`` are some that are in order, by media type."""

    def __init__(self, caller: InProcess, good: dict[str, bytes]) -> None:
        self.caller, self.good = caller, good

    def verdict_on(self, content: bytes, kind: str) -> str:
        """Present something; a verdict must come, whatever it is."""
        headers = {"Content-Type": kind}
        answer = self.caller.send("POST", "/verify", content=content, headers=headers)
        assert answer.status_code == 200, repr(content[:80])
        return str(answer.json()["verdict"])


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory, a_draft: Drafts) -> Iterator[Counter]:
    """A service in this process, and what one can present to it."""
    folder = tmp_path_factory.mktemp("counter")
    registry = make_registry_at("http://127.0.0.1:8000", folder, clock=SettableClock())
    issued = registry.certificates.issue(WORKS, a_draft(), by=CLERK, agency=PLANNING.code).record
    good = {
        CREDENTIAL: issued.credential.encode(),
        "text/plain": issued.seal.encode(),
        "image/png": qr.to_png(issued.seal),
        "application/zip": registry.evidence.pack(issued.id, by=CLERK),
    }
    app = create_app(registry, verify_per_minute=0)
    caller = InProcess(app, registry.base)
    yield Counter(caller, good)
    caller.close()
    app.state.service.writer.shutdown()
    registry.close()


def damage(data: bytes, seed: int) -> bytes:
    """Change a few bytes, cut some out, or put some in."""
    chance = random.Random(seed)  # noqa: S311 - a test may be repeated
    found = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(found))
        kind = chance.randrange(4)
        if kind == 0:
            found[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            found[place] = chance.randrange(256)
        elif kind == 2:
            del found[place : place + chance.randint(1, 64)]
        else:
            found[place:place] = chance.randbytes(chance.randint(1, 16))
        if not found:
            break
    return bytes(found)


@pytest.mark.parametrize("kind", [CREDENTIAL, "text/plain", "image/png", "application/zip"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=150)
def test_a_damaged_presentation_gets_a_verdict(counter: Counter, kind: str, seed: int) -> None:
    counter.verdict_on(damage(counter.good[kind], seed), kind)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Pack a bundle."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", method) as bundle:
        for name, data in files.items():
            bundle.writestr(name, data)
    return output.getvalue()


def hostile_bundles() -> dict[str, bytes]:
    """Give bundles that an unpacker may fall over."""
    deflated = zipped({"credential.sd-jwt": b"x" * 5000})
    start = deflated.index(b"credential.sd-jwt") + len(b"credential.sd-jwt")
    name = "é.sd-jwt".encode()
    unicode = zipped({"é.sd-jwt": b"x"})
    return {
        "damaged data": deflated[:start] + b"\xff" * 8 + deflated[start + 8 :],
        "a name that is no UTF-8": unicode.replace(name, b"\xff\xff" + name[2:]),
        "bzip2": zipped({"credential.sd-jwt": b"x" * 500}, zipfile.ZIP_BZIP2),
        "lzma": zipped({"credential.sd-jwt": b"x" * 500}, zipfile.ZIP_LZMA),
        "damaged lzma": zipped({"a": b"x" * 500}, zipfile.ZIP_LZMA).replace(
            b"\x5d\x00", b"\xff\xff"
        ),
        "a method that nobody knows": deflated.replace(
            b"\x14\x00\x00\x00\x08\x00", b"\x14\x00\x00\x00\x63\x00"
        ),
        "a bomb": zipped({"credential.sd-jwt": b"\0" * (20 << 20)}),
        "many small bombs": zipped({f"{place}": b"\0" * (7 << 20) for place in range(6)}),
        "too many files": zipped({f"{place}": b"" for place in range(1001)}),
        "the same name twice": deflated + deflated,
        "a path": zipped({"../../credential.sd-jwt": b"x", "/etc/passwd": b"x"}),
        "nothing in it": zipped({}),
        "cut off": deflated[:-10],
    }


@pytest.mark.parametrize("name", hostile_bundles())
def test_a_hostile_bundle_is_invalid(counter: Counter, name: str) -> None:
    assert counter.verdict_on(hostile_bundles()[name], "application/zip") == "invalid"


# -- what nobody foresaw --------------------------------------------------------------------------


def test_an_unforeseen_failure_is_a_problem_document_that_tells_nothing(
    portal: Portal, log_lines: io.StringIO
) -> None:
    """A route that fails as no route should."""
    assert log_lines is not None
    app = create_app(portal.registry, verify_per_minute=0)

    @app.get("/fails")
    async def fails() -> None:
        raise RuntimeError(MARKER)

    caller = InProcess(app, portal.base)
    answer = caller.send("GET", "/fails")
    caller.close()
    app.state.service.writer.shutdown()
    body = refused(answer, 500)
    assert MARKER not in str(body)
