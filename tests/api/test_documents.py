"""Signed documents and annotated copies over HTTP, told as transcripts."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pikepdf
import pytest

from ecert.config import Surroundings, open_registry
from ecert.store import trees
from ecert.testing import SettableClock
from tests.api.conftest import (
    GROUNDS,
    JSON,
    MATTER,
    OPERATOR,
    PURPOSE,
    RURAL,
    Drafts,
    Portal,
    System,
    make_registry_at,
    refused,
)
from tests.conftest import CLERK, WORKS
from tests.flows.time_authority import ask_for_stamps, nobody, time_authority

PDF = "application/pdf"
WISH = {"recipient": "示例银行花都支行", "purpose": "项目贷款审查", "until": "2026-12-31"}
WHO = {"X-Matter": quote(MATTER), "X-Operator": quote(OPERATOR)}
ABSENT = "1.2.156.3005.2.11440114MA00000915905.11440114MA00000915.01M820CVEAENFHZTCYQG0E2KKV.001.C"


def fetch(desk: Portal, who: System, identifier: str, accept: str = PDF) -> httpx.Response:
    """Ask for a certificate's signed original."""
    return desk.get(who, identifier, accept=accept)


def lend(
    desk: Portal,
    who: System,
    identifier: str,
    headers: dict[str, str] | None = None,
    **changes: Any,
) -> httpx.Response:
    """Ask for an annotated copy; None leaves a member out."""
    body = {name: value for name, value in {**WISH, **changes}.items() if value is not None}
    path = f"/v1/certificates/{identifier}/copies"
    grounds = WHO if headers is None else headers
    return desk.send("POST", path, json=body, headers={**desk.bearer(who), **grounds})


def judged(desk: Portal, data: bytes, at: str | None = None) -> dict[str, Any]:
    """Ask anybody's verification of a file."""
    params = {} if at is None else {"at": at}
    answer = desk.send(
        "POST", "/verify", content=data, params=params, headers={"Content-Type": PDF}
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture
def issued(desk: Portal, a_draft: Drafts) -> dict[str, Any]:
    """A certificate whose log entry is published."""
    made = desk.issued(desk.planning, a_draft(WORKS))
    desk.registry.log.publish()
    return made


# -- the original ---------------------------------------------------------------------------------


def test_the_original_is_handed_out_as_a_file(desk: Portal, issued: dict[str, Any]) -> None:
    answer = fetch(desk, desk.planning, issued["id"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == PDF
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-pades-level"] == "B-B"
    serial = issued["id"].split(".")[7]
    assert answer.headers["content-disposition"] == f'attachment; filename="{serial}.pdf"'
    assert answer.content.startswith(b"%PDF-1.7")
    assert fetch(desk, desk.planning, issued["id"]).content == answer.content
    report = judged(desk, answer.content)
    assert (report["verdict"], report["certificate"]["id"]) == ("valid", issued["id"])


def test_no_header_names_a_person(desk: Portal, a_draft: Drafts) -> None:
    made = desk.issued(desk.planning, a_draft(RURAL), RURAL)
    desk.registry.log.publish()
    answer = fetch(desk, desk.planning, made["id"])
    assert answer.status_code == 200
    headers = "".join(f"{name}: {value}" for name, value in answer.headers.items())
    for holder in made["holders"]:
        for personal in (holder["name"], quote(holder["name"]), holder["code"]):
            assert personal not in headers


def test_a_read_of_the_original_is_audited(desk: Portal, issued: dict[str, Any]) -> None:
    before = len(desk.audit())
    fetch(desk, desk.planning, issued["id"])
    made, row = desk.audit()[before:]  # its making is an act of its own
    assert (made["action"], made["details"]["count"]) == ("document.make", "1")
    assert (row["action"], row["outcome"]) == ("document", "done")
    assert (row["certificate"], row["agency"]) == (issued["id"], desk.planning.agency)
    assert (row["purpose"], row["matter"], row["operator"]) == (PURPOSE, MATTER, OPERATOR)


def test_before_a_checkpoint_it_is_not_there_yet(desk: Portal, a_draft: Drafts) -> None:
    made = desk.issued(desk.planning, a_draft(WORKS))
    answer = fetch(desk, desk.planning, made["id"])
    refused(answer, 503, "not_published")
    assert int(answer.headers["retry-after"]) > 0
    assert desk.registry.documents.count_pending(by=CLERK) == 1
    desk.registry.log.publish()
    assert fetch(desk, desk.planning, made["id"]).status_code == 200


def test_who_may_have_it(desk: Portal, issued: dict[str, Any]) -> None:
    assert fetch(desk, desk.reader, issued["id"]).status_code == 200
    assert fetch(desk, desk.reuser, issued["id"]).status_code == 200  # any agency's, of that type
    theirs = refused(fetch(desk, desk.construction, issued["id"]), 404, "not_found")
    absent = refused(fetch(desk, desk.construction, ABSENT), 404, "not_found")
    assert theirs == absent
    refused(fetch(desk, desk.issuer, issued["id"]), 403, "forbidden")
    refused(fetch(desk, desk.auditor, issued["id"]), 403, "forbidden")
    path = f"/v1/certificates/{issued['id']}"
    assert desk.send("GET", path, headers={**GROUNDS, "Accept": PDF}).status_code == 401
    bare = {**desk.bearer(desk.planning), "Accept": PDF}
    refused(desk.send("GET", path, headers=bare), 400)
    assert desk.registry.documents.count_pending(by=CLERK) == 0


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        ("application/pdf;q=0.5, application/json;q=0.4", 200, PDF),
        ("application/pdf;q=0.4, application/json", 200, JSON),
        ("application/postscript", 406, None),
        ("application/pdf;q=0", 406, None),
    ],
)
def test_the_form_is_what_was_asked_for(
    desk: Portal, issued: dict[str, Any], accept: str, status: int, kind: str | None
) -> None:
    answer = fetch(desk, desk.planning, issued["id"], accept)
    assert answer.status_code == status
    if kind is not None:
        assert answer.headers["content-type"] == kind


def test_it_stays_the_same_file_after_a_withdrawal(desk: Portal, issued: dict[str, Any]) -> None:
    first = fetch(desk, desk.planning, issued["id"]).content
    assert desk.operate(desk.planning, issued["id"], "withdraw").status_code == 200
    assert fetch(desk, desk.planning, issued["id"]).content == first
    report = judged(desk, first)
    assert (report["verdict"], report["status"]) == ("invalid", "withdrawn")


# -- copies ---------------------------------------------------------------------------------------


@dataclass
class Lent:
    """A copy, and the certificate that it is of."""

    answer: httpx.Response
    certificate: dict[str, Any]


@pytest.fixture
def lent(desk: Portal, issued: dict[str, Any]) -> Lent:
    return Lent(lend(desk, desk.planning, issued["id"]), issued)


def test_a_copy_is_a_file_and_one_entry_in_the_log(desk: Portal, issued: dict[str, Any]) -> None:
    certificates, size = desk.counts()
    before = len(desk.audit())
    answer = lend(desk, desk.planning, issued["id"])
    assert answer.status_code == 201
    assert answer.headers["content-type"] == PDF
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-pades-level"] == "B-B"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert desk.counts() == (certificates, size + 1)
    with desk.registry.store.reading() as reading:
        (entry,) = [json.loads(one) for one in trees.entries(reading, size, size + 1)]
    assert (entry["event"], entry["ref"]) == ("copy", issued["log_index"])
    assert (entry["type"], entry["issuer"]) == (WORKS, desk.planning.agency)
    assert WISH["recipient"] not in json.dumps(entry, ensure_ascii=False)
    rows = [row for row in desk.audit()[before:] if row["action"] == "copy"]
    (row,) = rows
    assert (row["outcome"], row["certificate"]) == ("done", issued["id"])
    assert (row["purpose"], row["matter"], row["operator"]) == (WISH["purpose"], MATTER, OPERATOR)


def test_a_copy_verifies_and_says_for_whom(desk: Portal, lent: Lent) -> None:
    report = judged(desk, lent.answer.content)
    assert report["verdict"] == "valid"
    assert report["certificate"]["id"] == lent.certificate["id"]
    assert WISH.items() <= report["certificate"]["copy"].items()


def test_a_copy_lapses_after_its_last_day(desk: Portal, lent: Lent, clock: SettableClock) -> None:
    clock.now = datetime(2026, 12, 31, 15, 59, 59, tzinfo=UTC)  # 23:59:59 in Guangzhou
    assert judged(desk, lent.answer.content)["verdict"] == "valid"
    clock.move(timedelta(seconds=1))
    assert judged(desk, lent.answer.content)["verdict"] == "invalid"
    clock.move(timedelta(days=30))
    verdicts = [
        judged(desk, lent.answer.content, at)["verdict"] for at in ("2026-12-31", "2027-01-01")
    ]
    assert verdicts == ["valid", "invalid"]
    original = fetch(desk, desk.planning, lent.certificate["id"]).content
    assert judged(desk, original)["verdict"] == "valid", "the copy's end is not the original's"


def test_a_copy_falls_with_its_certificate(desk: Portal, lent: Lent) -> None:
    desk.operate(desk.planning, lent.certificate["id"], "revoke")
    report = judged(desk, lent.answer.content)
    assert (report["verdict"], report["status"]) == ("invalid", "revoked")


def test_the_same_wish_is_the_same_copy_and_another_is_another(desk: Portal, lent: Lent) -> None:
    """Asking again signs and logs nothing, but it is in the trail."""
    identifier, size = lent.certificate["id"], desk.registry.log.head().size
    again = lend(desk, desk.planning, identifier)
    assert (again.status_code, again.content) == (201, lent.answer.content)
    assert desk.registry.log.head().size == size
    assert [row["action"] for row in desk.audit()].count("copy") == 2
    other = lend(desk, desk.planning, identifier, purpose="another purpose")
    assert (other.status_code, desk.registry.log.head().size) == (201, size + 1)
    found = []
    for data in (lent.answer.content, other.content):
        with pikepdf.open(io.BytesIO(data)) as pdf:
            found.append(pdf.attachments["seal.txt"].get_file().read_bytes())
    assert found[0] != found[1]


def test_who_copies_may_say_so_in_the_body(desk: Portal, issued: dict[str, Any]) -> None:
    answer = lend(desk, desk.planning, issued["id"], {}, matter=MATTER, operator=OPERATOR)
    assert answer.status_code == 201
    (row,) = [row for row in desk.audit() if row["action"] == "copy"]
    assert (row["matter"], row["operator"]) == (MATTER, OPERATOR)
    refused(lend(desk, desk.planning, issued["id"], {}, matter=MATTER), 400)
    refused(lend(desk, desk.planning, issued["id"], {}, operator=OPERATOR), 400)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"until": "2026-03-01"}, 409),  # yesterday
        ({"until": "2026-02-30"}, 400),
        ({"until": 20261231}, 400),
        ({"until": "2026-12-31T00:00:00Z"}, 400),
        ({"until": None}, 400),
        ({"recipient": None}, 400),
        ({"recipient": ""}, 400),
        ({"recipient": "行" * 101}, 400),
        ({"recipient": "两\n行"}, 400),
        ({"recipient": "\u202e行"}, 400),
        ({"purpose": None}, 400),
        ({"purpose": " "}, 400),
        ({"colour": "red"}, 400),
        ({"recipient": "\U0002a6df行"}, 409),  # no font has it
    ],
)
def test_a_copy_that_makes_no_sense_is_refused(
    desk: Portal, issued: dict[str, Any], changes: dict[str, Any], status: int
) -> None:
    before = desk.counts()
    refused(lend(desk, desk.planning, issued["id"], **changes), status)
    assert desk.counts() == before


def test_the_last_day_may_be_today(desk: Portal, issued: dict[str, Any]) -> None:
    assert lend(desk, desk.planning, issued["id"], until="2026-03-02").status_code == 201


@pytest.mark.parametrize("operation", ["suspend", "withdraw"])
def test_only_what_is_in_force_is_copied(
    desk: Portal, issued: dict[str, Any], operation: str
) -> None:
    desk.operate(desk.planning, issued["id"], operation)
    before, rows = desk.counts(), len(desk.audit())
    refused(lend(desk, desk.planning, issued["id"]), 409, "not_in_force")
    assert desk.counts() == before
    assert desk.audit()[rows:][-1]["outcome"] == "not_in_force"


def test_who_may_have_a_copy(desk: Portal, issued: dict[str, Any]) -> None:
    assert lend(desk, desk.reader, issued["id"]).status_code == 201
    assert lend(desk, desk.reuser, issued["id"]).status_code == 201
    before = desk.counts()
    theirs = refused(lend(desk, desk.construction, issued["id"]), 404, "not_found")
    assert theirs == refused(lend(desk, desk.construction, ABSENT), 404, "not_found")
    refused(lend(desk, desk.issuer, issued["id"]), 403, "forbidden")
    path = f"/v1/certificates/{issued['id']}/copies"
    assert desk.send("POST", path, json=WISH, headers=WHO).status_code == 401
    sent = {**desk.bearer(desk.planning), **WHO, "Content-Type": "text/plain"}
    assert desk.send("POST", path, content=json.dumps(WISH), headers=sent).status_code == 415
    assert desk.counts() == before


# -- time-stamps ----------------------------------------------------------------------------------

Stamped = Callable[..., Portal]


@pytest.fixture
def stamped(
    open_desk: Callable[..., Portal], tmp_path: Path, clock: SettableClock
) -> Iterator[Stamped]:
    """Open a service that asks an authority for the time."""
    make_registry_at("http://127.0.0.1:8000", tmp_path, clock=clock).close()
    opened: list[Any] = []

    def opener(url: str, *, is_required: bool) -> Portal:
        ask_for_stamps(tmp_path / "home", url, is_required=is_required)
        around = Surroundings(state=tmp_path / "state", clock=clock)
        opened.append(open_registry(tmp_path / "home", around=around))
        return open_desk(opened[-1])

    yield opener
    for one in opened:
        one.close()


def test_the_level_is_told(stamped: Stamped, a_draft: Drafts, tmp_path: Path) -> None:
    with time_authority(tmp_path / "authority") as authority:
        desk = stamped(authority.url, is_required=True)
        made = desk.issued(desk.planning, a_draft(WORKS))
        desk.registry.log.publish()
        answer = fetch(desk, desk.planning, made["id"])
        copied = lend(desk, desk.planning, made["id"])
    assert (answer.status_code, answer.headers["x-pades-level"]) == (200, "B-T")
    assert (copied.status_code, copied.headers["x-pades-level"]) == (201, "B-T")


def test_without_an_authority_that_is_required_it_waits(stamped: Stamped, a_draft: Drafts) -> None:
    desk = stamped(nobody(), is_required=True)
    made = desk.issued(desk.planning, a_draft(WORKS))
    desk.registry.log.publish()
    answer = fetch(desk, desk.planning, made["id"])
    refused(answer, 503, "time_stamp_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert desk.registry.documents.count_pending(by=CLERK) == 1
    copied = lend(desk, desk.planning, made["id"])
    refused(copied, 503, "time_stamp_unavailable")
    assert int(copied.headers["retry-after"]) > 0


def test_without_one_that_is_not_required_it_says_so(stamped: Stamped, a_draft: Drafts) -> None:
    desk = stamped(nobody(), is_required=False)
    made = desk.issued(desk.planning, a_draft(WORKS))
    desk.registry.log.publish()
    answer = fetch(desk, desk.planning, made["id"])
    assert (answer.status_code, answer.headers["x-pades-level"]) == (200, "B-B")


def test_rubbish_from_an_authority_is_no_fault_of_ours(
    stamped: Stamped, a_draft: Drafts, tmp_path: Path
) -> None:
    with time_authority(tmp_path / "authority") as authority:
        desk = stamped(authority.url, is_required=True)
        made = desk.issued(desk.planning, a_draft(WORKS))
        desk.registry.log.publish()
        authority.mode = "rubbish"
        refused(fetch(desk, desk.planning, made["id"]), 503, "time_stamp_unavailable")
