"""The departments' interface under ``/v1``, told as transcripts: who asks what, and what is answered."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import jwt
import pytest
from cryptography import x509
from sqlalchemy import select

import ecert
from ecert.formats.receipt import parse_receipt, verify_receipt
from ecert.keys import parse_trust
from ecert.store import tables
from ecert.testing import SettableClock
from ecert.verification import verify
from tests.api.conftest import (
    CREDENTIAL,
    EVERYTHING,
    GROUNDS,
    JSON,
    MATTER,
    OPERATOR,
    PERMIT,
    PURPOSE,
    REASONS,
    RURAL,
    SITING,
    Drafts,
    Portal,
    System,
    refused,
)
from tests.conftest import CLERK, CONSTRUCTION, PLANNING, WORKS

CERTIFICATE_MEMBERS = {  # design §9, and the attachments of a draft
    "id",
    "number",
    "local_number",
    "type",
    "issuer",
    "holders",
    "project_code",
    "fields",
    "issued_on",
    "valid_from",
    "valid_to",
    "status",
    "supersedes",
    "superseded_by",
    "rests_on",
    "attachments",
    "warnings",
    "log_index",
    "created_at",
}
ABSENT = "1.2.156.3005.2.11440114MA00000915905.11440114MA00000915.01M820CVEAENFHZTCYQG0E2KKV.001.C"
READS = ["", "/receipt", "/history", "/evidence"]


def without(members: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Copy a mapping without some members."""
    return {name: value for name, value in members.items() if name not in names}


def at_pointer(document: Any, pointer: str) -> Any:
    """Follow a JSON Pointer (RFC 6901)."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document


# -- issue ----------------------------------------------------------------------------------------


def test_issue_answers_with_the_certificate_its_credential_and_its_seal(
    portal: Portal, a_draft: Drafts
) -> None:
    draft = a_draft(WORKS)
    answer = portal.issue(portal.planning, draft)
    assert answer.status_code == 201
    assert answer.headers["content-type"] == JSON
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == CERTIFICATE_MEMBERS | {"credential", "seal"}
    assert body["type"].keys() == {"slug", "code", "version", "name"}
    assert body["type"]["slug"] == WORKS
    assert body["type"]["name"].keys() == {"zh", "en"}
    assert body["issuer"] == {"code": PLANNING.code, "name": PLANNING.name}
    assert body["holders"] == draft["holders"]
    assert body["fields"] == draft["fields"]
    assert body["project_code"] == draft["project_code"]
    assert body["attachments"] == draft["attachments"]
    assert body["status"] == "valid"
    assert body["supersedes"] is None
    assert body["superseded_by"] is None
    assert body["rests_on"] == body["warnings"] == []
    assert re.fullmatch(r"建字第440114\d{4}GG\d{7}号", body["number"])
    assert body["local_number"].startswith("穗规划资源建证〔")
    assert body["valid_from"] == body["issued_on"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["created_at"])
    assert body["seal"].upper().startswith("HTTP://127.0.0.1:")
    assert "/V#" in body["seal"]


def test_the_credential_is_an_sd_jwt_vc_signed_by_the_agency(
    portal: Portal, a_draft: Drafts
) -> None:
    body = portal.issued(portal.planning, a_draft(WORKS))
    signed = body["credential"].split("~")[0]
    header = jwt.get_unverified_header(signed)
    assert header["typ"] == "dc+sd-jwt"
    leaf = jwt.get_unverified_header(signed)["x5c"][0]
    key = x509.load_der_x509_certificate(base64.b64decode(leaf)).public_key()
    claims = jwt.decode(signed, key, algorithms=["ES256"])  # type: ignore[arg-type]  # an EC key
    assert claims["iss"] == f"{portal.base}/agencies/{PLANNING.code}"
    assert claims["vct"] == f"{portal.base}/types/{WORKS}/v1"
    assert claims["id"] == body["id"]
    assert claims["number"] == body["number"]
    assert claims["status"]["status_list"]["uri"].startswith(f"{portal.base}/status/")


def test_an_agency_may_be_named_if_it_is_ones_own(portal: Portal, a_draft: Drafts) -> None:
    assert portal.issue(portal.planning, a_draft(), agency=PLANNING.code).status_code == 201


def test_nobody_issues_for_another_agency(portal: Portal, a_draft: Drafts) -> None:
    before = portal.counts()
    answer = portal.issue(portal.planning, a_draft(), agency=CONSTRUCTION.code)
    refused(answer, 403, "forbidden")
    unknown = portal.issue(portal.planning, a_draft(), agency="91440114MA00000151")
    assert without(refused(unknown, 403), "detail") == without(answer.json(), "detail")
    assert portal.counts() == before


def test_without_the_scope_nothing_is_issued(portal: Portal, a_draft: Drafts) -> None:
    unable = (portal.reader, portal.reuser, portal.auditor)
    before = portal.counts()
    for who in unable:
        refused(portal.issue(who, a_draft()), 403, "forbidden")
    assert portal.counts() == before


def test_an_agency_may_bring_its_own_number(portal: Portal, a_draft: Drafts) -> None:
    number = "建字第4401142025GG0009001号"
    body = portal.issued(portal.planning, a_draft(number=number))
    assert body["number"] == number
    refused(portal.issue(portal.planning, a_draft(number=number)), 409, "number_taken")


def test_a_number_of_an_unusual_form_is_a_warning(portal: Portal, a_draft: Drafts) -> None:
    body = portal.issued(portal.planning, a_draft(number="穗规建证〔2019〕88号"))
    assert [warning["code"] for warning in body["warnings"]] == ["number_pattern"]
    assert body["warnings"][0]["reason"].keys() == {"zh", "en"}


@pytest.mark.parametrize(
    ("changes", "status", "fault"),
    [
        ({"fields": {}}, 422, ("/draft/fields/project_name", "required")),
        ({"holders": []}, 422, ("/draft/holders", "minItems")),
        ({"project_code": "2602-440114-04-01-26031"}, 422, ("/draft/project_code", "shape")),
        ({"issued_on": "2026-02-30"}, 422, ("/draft/issued_on", "format")),
        ({"issued_on": "2999-01-01"}, 422, ("/draft/issued_on", "future")),
        ({"colour": "red"}, 422, ("/draft/colour", "additionalProperties")),
        ({"rests_on": ["1.2.3"]}, 422, ("/draft/rests_on/0", "root")),
        ({"rests_on": [ABSENT]}, 409, ("/draft/rests_on/0", "unknown")),
    ],
)
def test_what_does_not_fit_is_named_by_a_pointer_into_the_body(
    portal: Portal,
    a_draft: Drafts,
    changes: dict[str, Any],
    status: int,
    fault: tuple[str, str],
) -> None:
    before = portal.counts()
    answer = portal.issue(portal.planning, a_draft(**changes))
    faults = refused(answer, status)["errors"]
    assert fault in [(one["pointer"], one["rule"]) for one in faults]
    assert portal.counts() == before


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"draft": {}}, "/type"),
        ({"type": WORKS}, "/draft"),
        ({"type": WORKS, "draft": []}, "/draft"),
        ({"type": "No Such", "draft": {}}, "/type"),
        ({"type": WORKS, "draft": {}, "agency": 7}, "/agency"),
        ({"type": WORKS, "draft": {}, "colour": "red"}, "/colour"),
        ([], ""),
        (None, ""),
    ],
)
def test_a_malformed_body_is_a_400_with_a_pointer(portal: Portal, body: Any, pointer: str) -> None:
    headers = {**portal.bearer(portal.planning), "Idempotency-Key": "malformed"}
    headers["Content-Type"] = JSON
    content = json.dumps(body).encode()
    answer = portal.send("POST", "/v1/certificates", content=content, headers=headers)
    faults = refused(answer, 400)["errors"]
    assert pointer in [fault["pointer"] for fault in faults]


def test_a_pointer_is_escaped_as_rfc_6901_wants(portal: Portal, a_draft: Drafts) -> None:
    body = {"type": WORKS, "draft": a_draft(), "a/b~c": 1}
    headers = {**portal.bearer(portal.planning), "Idempotency-Key": "escaped"}
    answer = portal.send("POST", "/v1/certificates", json=body, headers=headers)
    assert refused(answer, 400)["errors"][0]["pointer"] == "/a~1b~0c"


def test_an_unknown_type_is_not_found(portal: Portal, a_draft: Drafts) -> None:
    refused(portal.issue(portal.planning, a_draft(), "no-such-type"), 404, "not_found")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_is_read(portal: Portal, a_draft: Drafts, kind: str) -> None:
    content = json.dumps({"type": WORKS, "draft": a_draft()}).encode()
    headers = {**portal.bearer(portal.planning), "Idempotency-Key": "k", "Content-Type": kind}
    answer = portal.send("POST", "/v1/certificates", content=content, headers=headers)
    refused(answer, 415)


def test_a_permit_rests_on_another_that_one_may_know_of(portal: Portal, a_draft: Drafts) -> None:
    siting = portal.issued(portal.planning, a_draft(SITING), SITING)
    works = portal.issued(portal.planning, a_draft(rests_on=[siting["id"]]))
    assert works["rests_on"] == [siting["id"]]
    permit = a_draft(PERMIT, rests_on=[works["id"]])
    blind = portal.issue(portal.construction, permit, PERMIT)
    absent = portal.issue(portal.construction, {**permit, "rests_on": [ABSENT]}, PERMIT)
    assert refused(blind, 409, "not_in_force") == refused(absent, 409, "not_in_force")
    with portal.shared(WORKS, CONSTRUCTION.code):
        assert portal.issue(portal.construction, permit, PERMIT).status_code == 201


def test_when_the_foundation_falls_the_permit_is_not_touched_but_shows_a_warning(
    portal: Portal, a_draft: Drafts
) -> None:
    siting = portal.issued(portal.planning, a_draft(SITING), SITING)
    works = portal.issued(portal.planning, a_draft(rests_on=[siting["id"]]))
    assert portal.operate(portal.planning, siting["id"], "withdraw").status_code == 200
    shown = portal.get(portal.planning, works["id"]).json()
    assert shown["status"] == "valid"
    assert [(one["code"], one["id"]) for one in shown["warnings"]] == [
        ("foundation_fallen", siting["id"])
    ]
    refused(portal.issue(portal.planning, a_draft(rests_on=[siting["id"]])), 409, "not_in_force")


# -- issue once -----------------------------------------------------------------------------------


def test_without_an_idempotency_key_nothing_is_issued(portal: Portal, a_draft: Drafts) -> None:
    before = portal.counts()
    body = {"type": WORKS, "draft": a_draft()}
    for extra in ({}, {"Idempotency-Key": ""}, {"Idempotency-Key": "k" * 256}):
        headers = {**portal.bearer(portal.planning), **extra}
        refused(portal.send("POST", "/v1/certificates", json=body, headers=headers), 400)
    assert portal.counts() == before


def test_the_same_key_and_body_give_the_same_answer(portal: Portal, a_draft: Drafts) -> None:
    draft = a_draft()
    first = portal.issue(portal.planning, draft, key="the same")
    counts, audit = portal.counts(), len(portal.audit())
    second = portal.issue(portal.planning, draft, key="the same")
    assert second.status_code == first.status_code == 201
    assert second.json() == first.json()
    assert portal.counts() == counts
    assert len(portal.audit()) == audit + 1  # audited afresh


def test_the_answer_is_the_same_with_its_warnings(portal: Portal, a_draft: Drafts) -> None:
    draft = a_draft(number="穗规建证〔2019〕89号")
    first = portal.issue(portal.planning, draft, key="with a warning")
    second = portal.issue(portal.planning, draft, key="with a warning")
    assert second.json() == first.json()


def test_the_same_key_with_another_body_is_refused(portal: Portal, a_draft: Drafts) -> None:
    portal.issue(portal.planning, a_draft(), key="two bodies")
    before = portal.counts()
    other = portal.issue(portal.planning, a_draft(local_number="另一个"), key="two bodies")
    refused(other, 422, "idempotency_mismatch")
    assert portal.counts() == before


def test_a_key_belongs_to_its_client(portal: Portal, a_draft: Drafts) -> None:
    first = portal.issue(portal.planning, a_draft(), key="everybody's")
    second = portal.issue(portal.issuer, a_draft(), key="everybody's")
    assert second.status_code == 201
    assert first.json()["id"] != second.json()["id"]


def test_a_repeated_request_is_authorised_afresh(portal: Portal, a_draft: Drafts) -> None:
    draft = a_draft()
    assert portal.issue(portal.planning, draft, key="narrowed").status_code == 201
    token = portal.token(portal.planning, scope="certificates:read")
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "narrowed"}
    body = {"type": WORKS, "draft": draft}
    refused(portal.send("POST", "/v1/certificates", json=body, headers=headers), 403)


def test_a_refusal_is_not_kept(portal: Portal, a_draft: Drafts) -> None:
    refused(portal.issue(portal.planning, a_draft(fields={}), key="first wrong"), 422)
    assert portal.issue(portal.planning, a_draft(), key="first wrong").status_code == 201


def test_a_key_is_kept_for_a_day(desk: Portal, a_draft: Drafts, clock: SettableClock) -> None:
    draft = a_draft()
    first = desk.issued(desk.planning, draft, key="for a day")
    clock.move(timedelta(hours=24))
    assert desk.issued(desk.planning, draft, key="for a day")["id"] == first["id"]
    clock.move(timedelta(seconds=1))
    assert desk.issued(desk.planning, draft, key="for a day")["id"] != first["id"]


def test_of_requests_that_come_at_once_one_issues(portal: Portal, a_draft: Drafts) -> None:
    draft, before = a_draft(), portal.counts()
    with ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(lambda _: portal.issue(portal.planning, draft, key="at once"), range(12))
        )
    done = [answer.json() for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer.status_code != 201:
            refused(answer, 409, "still_running")
    assert done
    assert all(one == done[0] for one in done)
    assert portal.counts() == (before[0] + 1, before[1] + 1)


def test_one_callers_bad_input_never_fails_its_neighbours(portal: Portal, a_draft: Drafts) -> None:
    good, bad, before = a_draft(), a_draft(fields={}), portal.counts()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda draft: portal.issue(portal.planning, draft), [good, bad] * 8)
        )
    assert [answer.status_code for answer in answers] == [201, 422] * 8
    numbers = {answer.json()["number"] for answer in answers if answer.status_code == 201}
    assert len(numbers) == 8
    assert portal.counts() == (before[0] + 8, before[1] + 8)


# -- read -----------------------------------------------------------------------------------------


def test_fetch_as_json(portal: Portal, a_draft: Drafts) -> None:
    issued = portal.issued(portal.planning, a_draft())
    for accept in (JSON, None, "*/*", "application/*", "text/html;q=0.1, application/json"):
        answer = portal.get(portal.planning, issued["id"], accept=accept)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == JSON
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json().keys() == CERTIFICATE_MEMBERS
        assert answer.json() == without(issued, "credential", "seal")


def test_fetch_as_a_credential(portal: Portal, a_draft: Drafts) -> None:
    issued = portal.issued(portal.planning, a_draft())
    for accept in (CREDENTIAL, f"{CREDENTIAL}, {JSON};q=0.5", f"application/pdf, {CREDENTIAL}"):
        answer = portal.get(portal.planning, issued["id"], accept=accept)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == CREDENTIAL
        assert answer.text == issued["credential"]


@pytest.mark.parametrize(
    "accept", ["image/png", "text/html", "image/*", "application/json;q=0", "nonsense"]
)
def test_another_representation_is_not_acceptable(
    portal: Portal, a_draft: Drafts, accept: str
) -> None:
    issued = portal.issued(portal.planning, a_draft())
    refused(portal.get(portal.planning, issued["id"], accept=accept), 406, "not_acceptable")


@pytest.mark.parametrize(
    "accept", ["application/json;q=nan", "*/*;q=nan", "application/json;q=inf", "a/b;q=-1", ",,;"]
)
def test_a_nonsensical_weight_is_no_failure_of_the_service(
    portal: Portal, a_draft: Drafts, accept: str
) -> None:
    issued = portal.issued(portal.planning, a_draft())
    answer = portal.get(portal.planning, issued["id"], accept=accept)
    assert answer.status_code in {200, 406}


@pytest.mark.parametrize("tail", READS)
@pytest.mark.parametrize("missing", GROUNDS)
@pytest.mark.parametrize("value", [None, "", "%20", "x" * 201, "%00", "%ff", "a%0Ab", "50%", "{}"])
def test_every_read_states_purpose_matter_and_operator(
    portal: Portal, tail: str, missing: str, value: str | None
) -> None:
    grounds = without(GROUNDS, missing) | ({} if value is None else {missing: value})
    refused(portal.get(portal.planning, ABSENT, tail, grounds=grounds), 400)


def test_grounds_are_in_the_audit_trail_when_the_answer_arrives(
    portal: Portal, a_draft: Drafts
) -> None:
    issued = portal.issued(portal.planning, a_draft())
    grounds = {
        "X-Purpose": quote("核对“规划条件”、50% 复核"),
        "X-Matter": quote("事项 №7/a+b"),
        "X-Operator": quote("欧阳𠮷"),
    }
    for tail, action in zip(READS, ("read", "receipt", "history", "evidence"), strict=True):
        before = len(portal.audit())
        portal.get(portal.construction, ABSENT, tail, grounds=grounds)
        portal.get(portal.planning, issued["id"], tail, grounds=grounds)
        absent, seen = portal.audit()[before:]
        assert seen["action"] == absent["action"] == action
        assert seen["certificate"] == issued["id"]
        assert (absent["outcome"], seen["outcome"]) == ("not_found", "done")
        assert seen["client"] == portal.planning.id
        assert seen["agency"] == PLANNING.code
        for row in (absent, seen):
            assert row["purpose"] == "核对“规划条件”、50% 复核"
            assert row["matter"] == "事项 №7/a+b"
            assert row["operator"] == "欧阳𠮷"


def test_what_one_may_not_see_looks_like_what_is_not_there(portal: Portal, a_draft: Drafts) -> None:
    issued = portal.issued(portal.planning, a_draft(RURAL), RURAL)
    for who in (portal.construction, portal.reuser):
        for tail in READS:
            hidden = portal.get(who, issued["id"], tail)
            absent = portal.get(who, ABSENT, tail)
            refused(hidden, 404, "not_found")
            assert hidden.content == absent.content
            assert hidden.headers.keys() == absent.headers.keys()


@pytest.mark.parametrize(
    "identifier",
    ["x", "1.2.156.3005.2.", "%00", "%2e%2e", "a" * 3000, "%F0%9F%98%80", "%ff", "%20"],
)
def test_what_is_no_identifier_is_not_there(portal: Portal, identifier: str) -> None:
    for tail in READS:
        refused(portal.get(portal.planning, identifier, tail), 404, "not_found")


def test_a_reading_scope_of_a_type_opens_exactly_that_type(portal: Portal, a_draft: Drafts) -> None:
    works = portal.issued(portal.planning, a_draft(WORKS), WORKS)
    rural = portal.issued(portal.planning, a_draft(RURAL), RURAL)
    own = portal.issued(portal.construction, a_draft(PERMIT), PERMIT)
    assert portal.get(portal.reuser, works["id"]).status_code == 200
    refused(portal.get(portal.reuser, rural["id"]), 404)
    refused(portal.get(portal.reuser, own["id"]), 404)  # it was not given certificates:read
    assert portal.get(portal.construction, own["id"]).status_code == 200


def test_reading_needs_a_reading_scope(portal: Portal) -> None:
    for who in (portal.issuer, portal.auditor):
        for tail in READS:
            refused(portal.get(who, ABSENT, tail), 403, "forbidden")
        refused(portal.search(who), 403, "forbidden")


# -- search ---------------------------------------------------------------------------------------


def ids(answer: httpx.Response) -> list[str]:
    """Give the identifiers of a page."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"items", "next"}
    for item in answer.json()["items"]:
        assert item.keys() == CERTIFICATE_MEMBERS
    return [item["id"] for item in answer.json()["items"]]


FAMILY = {"name": "温虚丑", "code": "440114197806119981", "code_type": "111"}
OTHER = {"name": "江虚子", "code": "440114197602039971", "code_type": "111"}


@pytest.fixture
def village(desk: Portal, a_draft: Drafts) -> dict[str, dict[str, Any]]:
    """Three permits of one village and one of another agency."""
    who = desk.planning
    return {
        "both": desk.issued(who, a_draft(RURAL, holders=[OTHER, FAMILY]), RURAL),
        "one": desk.issued(who, a_draft(RURAL, holders=[FAMILY], number="乡字第88号"), RURAL),
        "works": desk.issued(who, a_draft(WORKS, project_code="2501-440114-04-01-000001")),
        "permit": desk.issued(desk.construction, a_draft(PERMIT), PERMIT),
    }


def test_search_by_holder(desk: Portal, village: dict[str, Any]) -> None:
    found = desk.search(desk.planning, holder_code=FAMILY["code"])
    assert ids(found) == [village["both"]["id"], village["one"]["id"]]
    assert found.json()["next"] is None
    assert ids(desk.search(desk.planning, holder_code=OTHER["code"])) == [village["both"]["id"]]
    assert ids(desk.search(desk.planning, holder_code="440114197806119980")) == []


def test_search_by_project_type_number_and_status(desk: Portal, village: dict[str, Any]) -> None:
    who, works, one = desk.planning, village["works"]["id"], village["one"]["id"]
    assert ids(desk.search(who, project_code="2501-440114-04-01-000001")) == [works]
    assert ids(desk.search(who, type=WORKS)) == [works]
    assert ids(desk.search(who, number="乡字第88号")) == [one]
    assert ids(desk.search(who, number="乡字第88号", type=WORKS)) == []
    assert ids(desk.search(who, type="no-such-type")) == []
    desk.operate(who, one, "suspend")
    assert ids(desk.search(who, status="suspended")) == [one]
    assert ids(desk.search(who, status="valid")) == [village["both"]["id"], works]
    assert ids(desk.search(who, status="revoked")) == []


def test_search_shows_only_what_one_may_see(desk: Portal, village: dict[str, Any]) -> None:
    assert ids(desk.search(desk.construction)) == [village["permit"]["id"]]
    assert ids(desk.search(desk.reuser)) == [village["works"]["id"]]
    assert ids(desk.search(desk.reuser, holder_code=FAMILY["code"])) == []
    desk.share(RURAL, CONSTRUCTION.code)
    both = desk.construction
    expected = [village[name]["id"] for name in ("both", "one", "permit")]
    assert ids(desk.search(both)) == expected


def test_search_finds_what_has_expired(desk: Portal, a_draft: Drafts) -> None:
    old = desk.issued(desk.planning, a_draft(SITING, issued_on="2020-01-01"), SITING)
    assert old["status"] == "expired"
    assert ids(desk.search(desk.planning, status="expired")) == [old["id"]]
    assert ids(desk.search(desk.planning, status="valid")) == []


def test_a_cursor_leads_through_all_pages(desk: Portal, a_draft: Drafts) -> None:
    issued = [desk.issued(desk.planning, a_draft())["id"] for _ in range(5)]
    found, cursor, sizes = [], None, []
    for _ in range(3):
        answer = desk.search(desk.planning, limit=2, cursor=cursor)
        found += ids(answer)
        sizes.append(len(answer.json()["items"]))
        cursor = answer.json()["next"]
    assert found == issued
    assert sizes == [2, 2, 1]
    assert cursor is None


def test_the_last_full_page_has_no_next(desk: Portal, a_draft: Drafts) -> None:
    for _ in range(2):
        desk.issued(desk.planning, a_draft())
    assert desk.search(desk.planning, limit=2).json()["next"] is None


@pytest.mark.parametrize(
    "members",
    [
        {"purpose": None},
        {"matter": None},
        {"operator": None},
        {"purpose": ""},
        {"matter": "  "},
        {"operator": "a\nb"},
        {"operator": "x" * 201},
        {"cursor": "x"},
        {"cursor": "-1"},
        {"cursor": "9" * 19},
        {"limit": 0},
        {"limit": 101},
        {"limit": "2"},
        {"limit": 2.5},
        {"status": "gone"},
        {"holder_code": ""},
        {"holder_code": 440114197806119981},
        {"holder": FAMILY["code"]},
        {"type": "No Such"},
    ],
)
def test_a_malformed_search_is_refused(portal: Portal, members: dict[str, Any]) -> None:
    refused(portal.search(portal.planning, **members), 400)


def test_a_search_is_audited_without_the_holders_code(
    desk: Portal, village: dict[str, Any]
) -> None:
    desk.search(desk.planning, holder_code=FAMILY["code"])
    row = desk.audit()[-1]
    assert (row["action"], row["purpose"], row["matter"], row["operator"]) == (
        "search",
        PURPOSE,
        MATTER,
        OPERATOR,
    )
    details = row["details"]
    assert details["certificates"] == [village["both"]["id"], village["one"]["id"]]
    assert re.fullmatch(r"[0-9a-f]{64}", details["holder_hmac"])
    plain = hashlib.sha256(FAMILY["code"].encode()).hexdigest()
    assert details["holder_hmac"] != plain  # a keyed digest: a bare one could be guessed


def test_the_audit_trail_holds_no_name_and_no_code(desk: Portal, village: dict[str, Any]) -> None:
    for holder in (FAMILY, OTHER):
        desk.search(desk.planning, holder_code=holder["code"])
    for one in village.values():
        desk.get(desk.planning, one["id"])
        desk.operate(desk.planning, one["id"], "suspend")
    with desk.registry.store.reading() as reading:  # the rows themselves, with every column
        rows = repr(reading.connection.execute(select(tables.audit)).all())
    for one in village.values():
        for holder in one["holders"]:
            assert holder["code"] not in rows
            assert holder["name"] not in rows


def test_no_log_line_holds_a_holders_name_or_code(
    portal: Portal, a_draft: Drafts, log_lines: io.StringIO
) -> None:
    issued = portal.issued(portal.planning, a_draft(RURAL, holders=[FAMILY]), RURAL)
    assert issued["id"] in ids(
        portal.search(portal.planning, holder_code=FAMILY["code"], limit=100)
    )
    portal.get(portal.planning, issued["id"])
    portal.operate(portal.planning, issued["id"], "suspend")
    portal.issue(portal.planning, a_draft(RURAL, holders=[FAMILY], project_code="x"), RURAL)
    assert FAMILY["code"] not in log_lines.getvalue()
    assert FAMILY["name"] not in log_lines.getvalue()


# -- operations -----------------------------------------------------------------------------------

ALLOWED = {  # design §6
    "valid": {"change", "replace", "renew", "suspend", "cancel", "withdraw", "revoke"},
    "suspended": {"resume", "cancel", "withdraw", "revoke"},
    "expired": {"renew", "cancel", "withdraw", "revoke"},
    "superseded": set(),
    "cancelled": set(),
    "withdrawn": set(),
    "revoked": set(),
}
LEADS_TO = {
    "suspend": "suspended",
    "resume": "valid",
    "cancel": "cancelled",
    "withdraw": "withdrawn",
    "revoke": "revoked",
    "change": "superseded",
    "replace": "superseded",
    "renew": "superseded",
}
SUCCESSIONS = {"change", "replace", "renew"}
WAY = {
    "suspended": "suspend",
    "superseded": "change",
    "cancelled": "cancel",
    "withdrawn": "withdraw",
    "revoked": "revoke",
}


def certificate_that_is(portal: Portal, a_draft: Drafts, status: str) -> str:
    """Bring a new certificate into a status."""
    dates = {"issued_on": "2020-01-01"} if status == "expired" else {}
    issued = portal.issued(portal.planning, a_draft(SITING, **dates), SITING)
    identifier = str(issued["id"])
    if status in WAY:
        draft = a_draft(SITING) if WAY[status] in SUCCESSIONS else None
        answer = portal.operate(portal.planning, identifier, WAY[status], draft=draft)
        assert answer.status_code == 200, answer.text
    assert portal.get(portal.planning, identifier).json()["status"] == status
    return identifier


@pytest.mark.parametrize("operation", LEADS_TO)
@pytest.mark.parametrize("status", ALLOWED)
def test_the_table_of_operations(
    portal: Portal, a_draft: Drafts, status: str, operation: str
) -> None:
    identifier = certificate_that_is(portal, a_draft, status)
    before = portal.counts()
    draft = a_draft(SITING) if operation in SUCCESSIONS else None
    answer = portal.operate(portal.planning, identifier, operation, draft=draft)
    if operation not in ALLOWED[status]:
        detail = refused(answer, 409, "transition_refused")["detail"]
        assert all(possible in detail for possible in ALLOWED[status])
        assert portal.counts() == before
        assert portal.get(portal.planning, identifier).json()["status"] == status
        return
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body, old = answer.json(), portal.get(portal.planning, identifier).json()
    assert body.keys() == CERTIFICATE_MEMBERS
    assert old["status"] == LEADS_TO[operation]
    if operation in SUCCESSIONS:
        assert body["id"] != identifier
        assert body["status"] == "valid"
        assert body["supersedes"] == identifier
        assert old["superseded_by"] == body["id"]
        assert body["number"] == old["number"]
        assert portal.counts() == (before[0] + 1, before[1] + 2)
    else:
        assert body == old
        assert portal.counts() == (before[0], before[1] + 1)


def test_a_superseded_one_names_its_successor(portal: Portal, a_draft: Drafts) -> None:
    identifier = certificate_that_is(portal, a_draft, "superseded")
    successor = portal.get(portal.planning, identifier).json()["superseded_by"]
    detail = refused(portal.operate(portal.planning, identifier, "suspend"), 409)["detail"]
    assert successor in detail


def test_every_operation_is_in_the_history(desk: Portal, a_draft: Drafts) -> None:
    issued = desk.issued(desk.planning, a_draft())
    desk.operate(desk.planning, issued["id"], "suspend", reason="检查", operator="孙七")
    desk.operate(desk.planning, issued["id"], "resume")
    new = desk.operate(desk.planning, issued["id"], "change", draft=a_draft()).json()
    answer = desk.get(desk.planning, issued["id"], "/history")
    assert answer.status_code == 200
    assert answer.json().keys() == {"items", "next"}
    items = answer.json()["items"]
    assert [(item["operation"], item["status"]) for item in items] == [
        ("suspend", "suspended"),
        ("resume", "valid"),
        ("change", "superseded"),
    ]
    assert items[0]["reason"] == "检查"
    assert items[0]["operator"] == "孙七"
    assert items[1]["basis"] == REASONS["basis"]
    assert items[2]["successor"] == new["id"]
    first = new["log_index"] - 3  # the issue; two acts, the next version and the third act followed
    assert [item["log_index"] - first for item in items] == [1, 2, 4]
    assert desk.get(desk.planning, new["id"], "/history").json()["items"] == []


@pytest.mark.parametrize("name", ["reason", "basis", "operator"])
@pytest.mark.parametrize("value", [None, "", " ", 7, ["x"], "x" * 501])
def test_every_operation_needs_a_reason_a_basis_and_an_operator(
    portal: Portal, name: str, value: Any
) -> None:
    refused(portal.operate(portal.planning, ABSENT, "suspend", **{name: value}), 400)


@pytest.mark.parametrize(
    "members", [{"colour": "red"}, {"status": "valid"}, {"operation": "issue"}, {"operation": ""}]
)
def test_unknown_members_and_operations_are_refused(
    portal: Portal, a_draft: Drafts, members: dict[str, Any]
) -> None:
    issued = portal.issued(portal.planning, a_draft())
    before = portal.counts()
    operation = members.pop("operation", "suspend")
    refused(portal.operate(portal.planning, issued["id"], operation, **members), 400)
    assert portal.counts() == before


def test_a_succession_needs_a_draft_and_the_others_take_none(
    portal: Portal, a_draft: Drafts
) -> None:
    issued = portal.issued(portal.planning, a_draft())
    before = portal.counts()
    missing = portal.operate(portal.planning, issued["id"], "change")
    assert refused(missing, missing.status_code)["status"] in {400, 422}
    refused(portal.operate(portal.planning, issued["id"], "suspend", draft=a_draft()), 400)
    wrong = portal.operate(portal.planning, issued["id"], "change", draft=a_draft(fields={}))
    refused(wrong, 422, "draft_does_not_fit")
    other = portal.operate(portal.planning, issued["id"], "change", draft=a_draft(number="另号"))
    refused(other, 422, "draft_does_not_fit")
    assert portal.counts() == before


def test_nobody_operates_upon_another_agencys_certificate(portal: Portal, a_draft: Drafts) -> None:
    issued = portal.issued(portal.planning, a_draft())
    reads, operates = portal.reuser, ["certificates:operate", "certificates:read"]
    seeing = portal.enrol(reads.agency, operates)
    before = portal.counts()
    for who in (portal.construction, seeing):
        for operation in LEADS_TO:
            draft = a_draft() if operation in SUCCESSIONS else None
            hidden = portal.operate(who, issued["id"], operation, draft=draft)
            absent = portal.operate(who, ABSENT, operation, draft=draft)
            refused(hidden, 404, "not_found")
            assert hidden.content == absent.content
    assert portal.counts() == before


def test_operating_needs_its_scope(portal: Portal, a_draft: Drafts) -> None:
    issued = portal.issued(portal.planning, a_draft())
    for who in (portal.issuer, portal.reader):
        refused(portal.operate(who, issued["id"], "suspend"), 403, "forbidden")


def test_operations_and_their_refusals_are_audited(portal: Portal, a_draft: Drafts) -> None:
    issued = portal.issued(portal.planning, a_draft())
    before = len(portal.audit())
    portal.operate(portal.planning, issued["id"], "suspend")
    portal.operate(portal.planning, issued["id"], "suspend")
    portal.operate(portal.construction, issued["id"], "resume")
    rows = portal.audit()[before:]
    assert [(row["action"], row["outcome"], row["certificate"]) for row in rows] == [
        ("suspend", "done", issued["id"]),
        ("suspend", "transition_refused", issued["id"]),
        ("resume", "not_found", issued["id"]),
    ]
    assert {row["operator"] for row in rows} == {REASONS["operator"]}


def test_refused_issues_are_audited(portal: Portal, a_draft: Drafts) -> None:
    before = len(portal.audit())
    portal.issue(portal.planning, a_draft(fields={}))
    portal.issue(portal.planning, a_draft(), agency=CONSTRUCTION.code)
    portal.issue(portal.planning, a_draft(), "no-such-type")
    outcomes = [(row["action"], row["outcome"]) for row in portal.audit()[before:]]
    assert outcomes == [
        ("issue", "draft_does_not_fit"),
        ("issue", "forbidden"),
        ("issue", "not_found"),
    ]


def test_of_two_operations_at_once_one_is_refused(portal: Portal, a_draft: Drafts) -> None:
    issued = portal.issued(portal.planning, a_draft())
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda _: portal.operate(portal.planning, issued["id"], "suspend"), range(6))
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    history = portal.get(portal.planning, issued["id"], "/history").json()["items"]
    assert len(history) == 1


# -- proofs ---------------------------------------------------------------------------------------


def test_before_the_publication_a_receipt_is_not_there_yet(desk: Portal, a_draft: Drafts) -> None:
    issued = desk.issued(desk.planning, a_draft())
    for tail in ("/receipt", "/evidence"):
        answer = desk.get(desk.planning, issued["id"], tail)
        refused(answer, 503, "not_published")
        assert int(answer.headers["retry-after"]) > 0
    desk.registry.log.publish()
    for tail in ("/receipt", "/evidence"):
        assert desk.get(desk.planning, issued["id"], tail).status_code == 200


def test_a_receipt_proves_that_the_credential_is_in_the_log(
    portal: Portal, a_draft: Drafts
) -> None:
    issued = portal.issued(portal.planning, a_draft())
    portal.registry.log.publish()
    answer = portal.get(portal.planning, issued["id"], "/receipt")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    receipt = parse_receipt(answer.text)
    assert receipt.index == issued["log_index"]
    trust = parse_trust(portal.send("GET", "/trust.json").content)
    signed = issued["credential"].split("~")[0].encode("ascii")
    checkpoint = verify_receipt(
        receipt, signed=signed, issuer=PLANNING.code, kind=WORKS, logs=trust.registries[0].logs
    )
    assert checkpoint.size > receipt.index
    with pytest.raises(ecert.errors.SignatureError):
        verify_receipt(
            receipt,
            signed=signed[:-1],
            issuer=PLANNING.code,
            kind=WORKS,
            logs=trust.registries[0].logs,
        )


def test_the_evidence_verifies_offline_with_nothing_but_the_trust_file(
    portal: Portal, a_draft: Drafts, tmp_path: Path
) -> None:
    issued = portal.issued(portal.planning, a_draft())
    portal.registry.log.publish()
    trust = parse_trust(portal.send("GET", "/trust.json").content)
    answer = portal.get(portal.planning, issued["id"], "/evidence")
    assert answer.headers["content-type"] == "application/zip"
    kept = tmp_path / "evidence.zip"
    kept.write_bytes(answer.content)
    report = verify(kept.read_bytes(), trust).to_json()
    assert report["verdict"] == "valid"
    assert report["certificate"]["id"] == issued["id"]
    outcomes = {step["step"]: step["outcome"] for step in report["steps"]}
    assert outcomes.pop("agreement") == "not_checked"
    assert set(outcomes.values()) == {"passed"}


def test_the_evidence_brings_every_later_act_with_its_receipt(
    desk: Portal, a_draft: Drafts
) -> None:
    issued = desk.issued(desk.planning, a_draft())
    desk.operate(desk.planning, issued["id"], "suspend")
    desk.operate(desk.planning, issued["id"], "revoke")
    desk.registry.log.publish()
    data = desk.get(desk.planning, issued["id"], "/evidence").content
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        names = bundle.namelist()
        assert bundle.read("credential.sd-jwt").decode() == issued["credential"]
        assert len([name for name in names if name.startswith("statements/")]) == 4
        for name in (one for one in names if one.endswith(".tlog-proof")):
            parse_receipt(bundle.read(name).decode())
        for name in (one for one in names if re.fullmatch(r"statements/.*\.jwt", one)):
            token = bundle.read(name).decode()
            assert jwt.get_unverified_header(token)["typ"] == "ecert-statement+jwt"
    trust = parse_trust(desk.send("GET", "/trust.json").content)
    report = verify(data, trust, clock=desk.registry.clock).to_json()
    assert (report["verdict"], report["status"]) == ("invalid", "revoked")


# -- supervision ----------------------------------------------------------------------------------


def test_supervisors_read_the_audit_trail_page_by_page(desk: Portal) -> None:
    headers = desk.bearer(desk.auditor)
    found: list[dict[str, Any]] = []
    after, pages = -1, 0
    while True:
        params = {"after": str(after), "limit": "3"}
        answer = desk.send("GET", "/v1/audit", params=params, headers=headers)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        page = answer.json()
        assert page.keys() == {"items", "next"}
        found += page["items"]
        pages += 1
        if page["next"] is None:
            break
        after = int(page["next"])
    assert pages > 2
    assert [row["index"] for row in found] == list(range(len(found)))
    assert found == desk.audit()[: len(found)]
    assert all("salt" not in row for row in found)


def test_the_audit_trail_is_for_supervisors(portal: Portal) -> None:
    for who in (portal.planning, portal.reuser):
        answer = portal.send("GET", "/v1/audit", headers=portal.bearer(who))
        refused(answer, 403, "forbidden")


@pytest.mark.parametrize("query", ["after=x", "after=-2", "limit=0", "limit=1001", "after=1e3"])
def test_a_malformed_page_of_the_audit_trail_is_refused(portal: Portal, query: str) -> None:
    headers = portal.bearer(portal.auditor)
    refused(portal.send("GET", f"/v1/audit?{query}", headers=headers), 400)


# -- routes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1/certificates/a/b", "/nothing"])
def test_what_is_not_there_is_a_problem_document_too(portal: Portal, path: str) -> None:
    refused(portal.send("GET", path, headers=portal.bearer(portal.planning)), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/certificates"),
        ("DELETE", f"/v1/certificates/{ABSENT}"),
        ("PUT", f"/v1/certificates/{ABSENT}"),
        ("GET", f"/v1/certificates/{ABSENT}/operations"),
        ("POST", f"/v1/certificates/{ABSENT}/receipt"),
    ],
)
def test_another_method_is_not_allowed(portal: Portal, method: str, path: str) -> None:
    answer = portal.send(method, path, headers=portal.bearer(portal.planning))
    refused(answer, 405)
    assert answer.headers["allow"]


def test_a_key_may_have_any_printable_form(portal: Portal, a_draft: Drafts) -> None:
    for key in ("a", "k" * 255, "3f0e8c1e-8a1a-4b8e-9d9e-5a3f1c2b7d10", '"quoted"'):
        assert portal.issue(portal.planning, a_draft(), key=f"{key}"[:255]).status_code == 201


def test_systems_of_one_agency_see_the_same(portal: Portal, a_draft: Drafts) -> None:
    issued = portal.issued(portal.issuer, a_draft())
    sister: System = portal.enrol(PLANNING.code, EVERYTHING)
    assert portal.get(sister, issued["id"]).json()["id"] == issued["id"]


def test_a_register_that_waits_for_its_signature_stops_issuing_alone(
    desk: Portal, a_draft: Drafts
) -> None:
    """After an upgrade: reading and ending go on until the operator has signed the register."""
    kept = desk.issued(desk.planning, a_draft())["id"]
    unsigned = "UPDATE competences SET register_index = NULL"
    desk.registry.store.write(lambda tx: tx.connection.exec_driver_sql(unsigned))
    body = refused(desk.issue(desk.planning, a_draft()), 503, "register_unsigned")
    assert "ecert upgrade" in body["detail"]
    assert desk.get(desk.planning, kept).json()["status"] == "valid"
    assert desk.operate(desk.planning, kept, "suspend").json()["status"] == "suspended"
    desk.registry.register.sign_taken_over(by=CLERK)
    assert desk.issue(desk.planning, a_draft()).status_code == 201
