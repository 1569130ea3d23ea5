"""Reuse over HTTP, as departments, holders and supervisors go about it."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest

from ecert.formats.dossier import verify_dossier
from ecert.formats.id_token import Provider as Believed
from ecert.ledger.rules import WHOLE, Mode
from ecert.model import Basis, Operation, Record
from ecert.reuse.sharing import new_rule
from ecert.samples.district import agencies, chain
from ecert.testing import SettableClock
from tests.api.conftest import Portal, System, refused
from tests.conftest import CLERK, CONSTRUCTION, EVERY_TYPE, PATIENCE, PLANNING, WORKS
from tests.oidc.provider import ACCOUNTS, ENTERPRISE, HIGH, PERSON, Provider, oidc

__all__ = ["oidc"]

SITING, LAND = "project-siting-opinion", "land-use-planning-permit"
PERMIT, LICENCE = "construction-permit", "business-licence"
APPROVAL, RURAL = "project-approval", "rural-construction-planning-permit"
HOLDER, PERSONAL = ACCOUNTS[ENTERPRISE]["credit_code"], ACCOUNTS[PERSON]["resident_number"]
PROJECT, OTHER_PROJECT = "2602-440114-04-01-260318", "2601-440114-04-01-999999"
MATTER = "HD-ZJ-01"
BASIS = Basis("申请人申请", "穗规划资源〔2026〕1号", "赵六")
SVG = "{http://www.w3.org/2000/svg}"
LEGAL = "国务院令第716号第七条"
SECRETS = (HOLDER, PERSONAL, "江虚子", "示例安居", "李四")


class Town:
    """A service with the district's chain in it; calls are those of a department's system."""

    def __init__(self, desk: Portal) -> None:
        self.desk, self.registry = desk, desk.registry
        known = {one.code for one in self.registry.agencies.all()}
        for agency in agencies(4):
            if agency.code not in known:
                self.registry.agencies.add(agency, by=CLERK, may_issue=EVERY_TYPE)
        self.registry.matters.add(chain(), by=CLERK)

    def call(self, who: System, method: str, path: str, **members: Any) -> httpx.Response:
        headers = {**self.desk.bearer(who), **members.pop("headers", {})}
        return self.desk.send(method, path, headers=headers, **members)

    def good(self, who: System, method: str, path: str, status: int = 200, **members: Any) -> Any:
        answer = self.call(who, method, path, **members)
        assert answer.status_code == status, answer.text
        return answer.json()

    def me(self, token: str, method: str, path: str, **members: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return self.desk.send(method, path, headers=headers, **members)

    def share(
        self, *slugs: str, matter: str | None = None, mode: Mode = Mode.UNCONDITIONAL
    ) -> None:
        for slug in slugs:
            rule = new_rule(slug, CONSTRUCTION.code, legal_basis=LEGAL, matter=matter, mode=mode)
            self.registry.rules.add(rule, by=CLERK)

    def issue(self, slug: str, agency: str = PLANNING.code, **changes: Any) -> Record:
        draft = {**self.registry.catalogue.newest(slug).example, **changes}
        return self.registry.certificates.issue(slug, draft, by=CLERK, agency=agency).record

    def operate(self, record: Record, operation: Operation) -> Record:
        return self.registry.certificates.operate(record.id, operation, basis=BASIS, by=CLERK)

    def checklist(self, **members: Any) -> dict[str, dict[str, Any]]:
        code = members.pop("matter", MATTER)
        body = {**applied(), **members}
        found = self.good(
            self.desk.construction, "POST", f"/v1/matters/{code}/checklist", json=body
        )
        states = [one["state"] for one in found["items"]]
        for state, count in found["summary"].items():
            assert states.count(state) == count
        return {one["material"]: one for one in found["items"]}

    def ask(self, who: System | None = None, **members: Any) -> httpx.Response:
        code = members.pop("matter", MATTER)
        body = {name: one for name, one in {**applied(), **members}.items() if one is not None}
        client = who or self.desk.construction
        return self.call(client, "POST", f"/v1/matters/{code}/dossiers", json=body)

    def dossier(self, who: System | None = None, **members: Any) -> dict[str, Any]:
        self.registry.log.publish()
        answer = self.ask(who, **members)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


def applied() -> dict[str, Any]:
    """Give what a construction bureau sends for one case."""
    return {
        "holder_code": HOLDER,
        "project_code": PROJECT,
        "case_number": "2026-0017",
        "operator": "李四",
    }


@pytest.fixture
def town(desk: Portal) -> Town:
    return Town(desk)


@pytest.fixture
def sign_in(oidc: Provider, town: Town, clock: SettableClock) -> Callable[..., str]:
    """Sign holders in at a real provider that this registry believes."""
    believed = Believed(
        oidc.issuer, (oidc.client_id,), (HIGH,), oidc.jwks, portals=(oidc.client_id,)
    )
    town.registry.providers.put(believed, by=CLERK)

    def run(account: str = ENTERPRISE, nonce: str | None = None) -> str:
        return oidc.sign_in(account, nonce=nonce, at=clock.now)

    return run


def material(code: str, *slugs: str, **members: Any) -> dict[str, Any]:
    """Write one material of a matter."""
    fields = members.pop("fields", ["holders.name"])
    conditions = members.pop("conditions", [])
    options = [{"type": slug, "fields": fields, "conditions": conditions} for slug in slugs]
    return {
        "code": code,
        "name": {"zh": f"材料{code}", "en": f"Material {code}"},
        "owner": "project",
        "satisfied_by": options,
        **members,
    }


def matter(code: str, *materials: dict[str, Any], **members: Any) -> bytes:
    """Write a matter of the construction bureau's."""
    whole = {
        "code": code,
        "version": 1,
        "name": {"zh": "测试事项", "en": "A matter to try"},
        "agency": CONSTRUCTION.code,
        "materials": list(materials),
        **members,
    }
    return json.dumps(whole).encode()


# -- matters -------------------------------------------------------------------------------------


def test_matters_are_listed_page_by_page(town: Town) -> None:
    """A bureau sees its own matters and those of agencies above it, each once, by code."""
    found, after = [], ""
    while True:
        params = {"after": after, "limit": 2}
        page = town.good(town.desk.planning, "GET", "/v1/matters", params=params)
        found += [one["code"] for one in page["items"]]
        assert len(page["items"]) <= 2
        if page["next"] is None:
            break
        after = page["next"]
    chained = json.loads(chain())["matters"]
    assert found == sorted(one["code"] for one in chained if one["agency"] == PLANNING.code)


def test_a_matter_is_given_as_it_was_written_newest_version_first(town: Town) -> None:
    before = town.good(town.desk.construction, "GET", f"/v1/matters/{MATTER}")
    assert before in json.loads(chain())["matters"]
    after = {**before, "version": 2, "promised_days": 5}
    town.registry.matters.add(json.dumps(after).encode(), by=CLERK)
    assert town.good(town.desk.construction, "GET", f"/v1/matters/{MATTER}") == after
    path = f"/v1/matters/{MATTER}?version=1"
    assert town.good(town.desk.construction, "GET", path) == before
    refused(town.call(town.desk.construction, "GET", f"/v1/matters/{MATTER}?version=3"), 404)
    refused(town.call(town.desk.planning, "GET", f"/v1/matters/{MATTER}"), 404)


def test_a_department_adds_its_own_matters_all_or_none(town: Town) -> None:
    manager = town.desk.enrol(CONSTRUCTION.code, ["matters:manage"])
    first, second = json.loads(matter("T-1")), json.loads(matter("T-2"))
    both = {"matters": [first, second]}
    found = town.good(manager, "POST", "/v1/matters", 201, json=both)["items"]
    assert found == [{"code": f"T-{n}", "version": 1, "added": True} for n in (1, 2)]
    again = town.good(manager, "POST", "/v1/matters", 201, json=both)["items"]
    assert [one["added"] for one in again] == [False, False]
    other_words = {**first, "promised_days": 9}
    refused(town.call(manager, "POST", "/v1/matters", json=other_words), 409, "already_exists")
    bad = {"matters": [json.loads(matter("T-3")), {**second, "version": 2, "agency": "x"}]}
    problem = refused(town.call(manager, "POST", "/v1/matters", json=bad), 422)
    assert problem["errors"][0]["pointer"].startswith("/matters/1/")
    refused(town.call(manager, "GET", "/v1/matters/T-3"), 404)
    foreign = {**json.loads(matter("T-4")), "agency": PLANNING.code}
    refused(town.call(manager, "POST", "/v1/matters", json=foreign), 404)
    refused(town.call(town.desk.construction, "POST", "/v1/matters", json=first), 403)


# -- what comes before and after -------------------------------------------------------------------


def test_the_graph_names_what_comes_before_and_after(town: Town) -> None:
    found = town.good(town.desk.construction, "GET", f"/v1/matters/{MATTER}/graph")
    assert found["around"] == MATTER
    ranks = {one["matter"]: one["rank"] for one in found["steps"]}
    assert ranks["HD-SC-01"] < ranks["HD-FG-01"] < ranks["HD-GH-03"] < ranks[MATTER]
    assert ranks[MATTER] < ranks["HD-ZJ-02"]
    edge = {"before": "HD-GH-03", "after": MATTER, "type": WORKS}
    assert edge in found["edges"]
    for one in found["edges"]:
        assert ranks[one["before"]] < ranks[one["after"]]
    assert {one["state"] for one in found["steps"]} == {"none"}  # nobody's certificates are told


def test_the_graph_is_also_a_picture_that_fetches_nothing(town: Town) -> None:
    name = {"zh": "<script>alert(1)</script>&", "en": '"><image href="https://evil.example/"/>'}
    town.registry.matters.add(matter("T-EVIL", material("a", PERMIT), name=name), by=CLERK)
    headers = {"Accept": "image/svg+xml"}
    path = f"/v1/matters/{MATTER}/graph"
    answer = town.call(town.desk.construction, "GET", path, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("image/svg+xml")
    root = ET.fromstring(answer.text)  # noqa: S314 - it is our own answer
    assert root.tag == f"{SVG}svg"
    tags = {one.tag.removeprefix(SVG) for one in root.iter()}
    assert tags <= {"svg", "title", "defs", "marker", "path", "rect", "g", "text"}
    for one in root.iter():
        for attribute, value in one.attrib.items():
            assert "href" not in attribute
            assert not attribute.startswith("on")
            assert not re.search(r"url\((?!#)|https?:|data:", value)
    words = " ".join(root.itertext())
    assert "建筑工程施工许可证核发" in words
    assert "<script>" in words  # as words, which do nothing
    refused(
        town.call(town.desk.construction, "GET", path, headers={"Accept": "image/png"}),
        406,
        "not_acceptable",
    )


def test_the_graph_of_a_matter_that_is_not_there(town: Town) -> None:
    refused(town.call(town.desk.construction, "GET", "/v1/matters/T-0/graph"), 404)


# -- checklists --------------------------------------------------------------------------------------


def test_a_checklist_says_of_each_material_how_it_stands(town: Town, clock: SettableClock) -> None:
    defence = {"code": "defence", "name": {"zh": "人防", "en": "Defence"}}
    town.registry.matters.add(
        matter(
            "T-STATES",
            material("licence", LICENCE, owner="organisation"),
            material("approval", APPROVAL),
            material("siting", SITING),
            material("land", LAND),
            material("works", WORKS),
            material("permit", PERMIT, accepts_paper=False),
            material("drawing", may_follow_days=10),
            material("defence", situations=["defence"]),
            situations=[defence],
        ),
        by=CLERK,
    )
    town.share(LICENCE, APPROVAL, SITING, LAND, WORKS, PERMIT)
    licence = town.issue(LICENCE, "11440114MA0000095H")
    siting, land, works = (town.issue(slug) for slug in (SITING, LAND, WORKS))
    town.operate(land, Operation.SUSPEND)
    draft = {**town.registry.catalogue.newest(WORKS).example, "project_code": OTHER_PROJECT}
    successor = town.registry.certificates.succeed(
        works.id, Operation.CHANGE, draft, basis=BASIS, by=CLERK
    )
    approval = town.issue(APPROVAL, "11440114MA0000094E")
    town.operate(approval, Operation.WITHDRAW)
    clock.move(timedelta(days=3 * 366))
    found = town.checklist(matter="T-STATES")

    assert {name: one["state"] for name, one in found.items()} == {
        "licence": "met",
        "approval": "missing",
        "siting": "expired",
        "land": "suspended",
        "works": "superseded",
        "permit": "missing",
        "drawing": "may_follow",
        "defence": "not_needed",
    }
    assert found["approval"]["because"] == "withdrawn"
    assert found["works"]["certificate"]["superseded_by"] == successor.record.id
    deadline = str((clock.now + timedelta(hours=8, days=10)).date())
    assert found["drawing"]["deadline"] == deadline
    assert found["licence"]["basis"]["legal_basis"] == LEGAL
    assert found["licence"]["fields"] == ["holders.name"]
    zh = {name: one["sentence"]["zh"] for name, one in found.items()}
    en = {name: one["sentence"]["en"] for name, one in found.items()}
    assert all(words.startswith(f"材料{name}：") for name, words in zh.items())
    assert all(words.startswith(f"Material {name}: ") for name, words in en.items())
    assert (licence.body["number"] in zh["licence"], "无需提交" in zh["licence"]) == (True, True)
    assert "bring nothing" in en["licence"]
    assert ("撤销" in zh["approval"], "withdrawn" in en["approval"]) == (True, True)
    assert ("过期" in zh["siting"], siting.body["number"] in en["siting"]) == (True, True)
    assert ("暂扣" in zh["land"], "suspended" in en["land"]) == (True, True)
    assert (successor.record.id in zh["works"], successor.record.id in en["works"]) == (True, True)
    assert ("先办理" in zh["permit"], "obtain it first" in en["permit"]) == (True, True)
    assert (deadline in zh["drawing"], deadline in en["drawing"]) == (True, True)
    assert ("不需要" in zh["defence"], "not needed" in en["defence"]) == (True, True)
    needed = town.checklist(matter="T-STATES", situation="defence")
    assert needed["defence"]["state"] == "missing"
    body = {**applied(), "situation": "no-such-situation"}
    path = "/v1/matters/T-STATES/checklist"
    refused(town.call(town.desk.construction, "POST", path, json=body), 400)


@pytest.mark.parametrize(
    ("condition", "slug", "changes"),
    [
        ({"kind": "in_force_for_days", "days": 1096}, SITING, {}),
        ({"kind": "same_project"}, WORKS, {"project_code": OTHER_PROJECT}),
        ({"kind": "field_in", "field": "fields.project_name", "values": ["别的"]}, WORKS, {}),
    ],
    ids=["in_force_for_days", "same_project", "field_in"],
)
def test_a_certificate_that_fails_a_condition_does_not_count(
    town: Town, condition: dict[str, Any], slug: str, changes: dict[str, Any]
) -> None:
    one = material(
        "asked",
        slug,
        owner="organisation",
        fields=["fields.project_name"],
        conditions=[condition],
    )
    town.registry.matters.add(matter("T-ONE", one), by=CLERK)
    town.share(slug)
    town.issue(slug, **changes)
    found = town.checklist(matter="T-ONE")["asked"]
    assert (found["state"], found["because"]) == ("missing", condition["kind"])
    assert "库中没有" not in found["sentence"]["zh"]  # there is one, but it does not do
    assert town.dossier(matter="T-ONE")["presentations"] == []


def test_a_condition_that_is_fulfilled_does_count(town: Town) -> None:
    conditions = [
        {"kind": "in_force_for_days", "days": 1000},
        {"kind": "same_project"},
        {
            "kind": "field_in",
            "field": "fields.project_name",
            "values": ["别的", "花都示例云溪安置房项目"],
        },
    ]
    one = material("asked", SITING, fields=["fields.project_name"], conditions=conditions)
    town.registry.matters.add(matter("T-ONE", one), by=CLERK)
    town.share(SITING)
    town.issue(SITING)
    assert town.checklist(matter="T-ONE")["asked"]["state"] == "met"


def test_without_a_rule_or_a_grant_nothing_is_told(town: Town) -> None:
    """What there is and what there is not look alike."""
    town.issue(WORKS)
    path = f"/v1/matters/{MATTER}/checklist"
    there = refused(town.call(town.desk.construction, "POST", path, json=applied()), 404)
    town.share(WORKS, mode=Mode.NOT_SHARED)
    refused(town.call(town.desk.construction, "POST", path, json=applied()), 404)
    nobody = {**applied(), "holder_code": "91440114MA0000023U"}
    absent = refused(town.call(town.desk.construction, "POST", path, json=nobody), 404)
    assert there == absent
    missing = refused(
        town.call(town.desk.construction, "POST", "/v1/matters/T-0/checklist", json=applied()), 404
    )
    assert missing == absent


# -- dossiers ------------------------------------------------------------------------------------------


def test_a_dossier_gives_the_fewest_facts_and_proof(town: Town) -> None:
    town.share(WORKS)
    works = town.issue(WORKS)
    found = town.dossier()
    (one,) = found["presentations"]
    assert (one["certificate"], one["material"]) == (works.id, "works-planning-permit")
    report = town.registry.verify(one["credential"], receipt=one["receipt"])
    assert report.verdict.value == "valid"
    assert report.certificate is not None
    assert set(report.certificate["fields"]) == {
        *("project_name", "construction_location", "construction_scale", "total_floor_area"),
    }
    assert not report.certificate["holders"][0]["code"]  # it was not disclosed
    salt = base64.urlsafe_b64decode(found["salt"] + "==")
    statement = verify_dossier(
        found["statement"],
        town.registry.trust(),
        presentations=[one["credential"]],
        holder=(salt, HOLDER),
    )
    assert (statement.case_number, statement.operator) == ("2026-0017", "李四")
    assert statement.agency == CONSTRUCTION.code
    again = town.dossier()
    assert (again["id"], again["revision"]) == (found["id"], 1)
    assert again["statement"] == found["statement"]


def test_the_next_revision_when_something_changed(town: Town) -> None:
    town.share(WORKS)
    works = town.issue(WORKS)
    first = town.dossier()
    town.operate(works, Operation.SUSPEND)
    second = town.dossier()
    assert (second["id"], second["revision"]) == (first["id"], 2)
    assert second["presentations"] == []
    refused(town.ask(project_code=OTHER_PROJECT), 422, "idempotency_mismatch")


def test_fewer_fields_may_be_asked_for_and_never_more(town: Town) -> None:
    town.share(WORKS)
    town.issue(WORKS)
    fewer = {"works-planning-permit": ["fields.project_name"]}
    found = town.dossier(fields=fewer)
    report = town.registry.verify(found["presentations"][0]["credential"])
    assert report.certificate is not None
    assert list(report.certificate["fields"]) == ["project_name"]
    more = {"works-planning-permit": ["fields.height_limit"]}
    refused(town.ask(fields=more, case_number="2026-0018"), 403, "field_not_allowed")


def test_a_material_that_wants_a_copy_comes_with_an_annotated_one(town: Town) -> None:
    wanted = (material("works", WORKS, form="copy"), material("land", LAND))
    town.registry.matters.add(matter("T-COPY", *wanted), by=CLERK)
    town.share(WORKS, LAND)
    works = town.issue(WORKS)
    town.issue(LAND)
    for one in town.dossier(matter="T-COPY", copies=True)["presentations"]:
        assert one.get("copy_pdf") is None  # no rule opens all that a copy would show
    whole = new_rule(WORKS, CONSTRUCTION.code, legal_basis=LEGAL, matter="T-COPY", fields=[WHOLE])
    town.registry.rules.add(whole, by=CLERK)
    shown = town.dossier(matter="T-COPY", copies=True)["presentations"]
    copies = {one["material"]: one.get("copy_pdf") for one in shown}
    assert copies["land"] is None
    pdf = base64.b64decode(copies["works"])
    assert pdf.startswith(b"%PDF-")
    report = town.registry.verify(pdf)
    assert report.verdict.value == "valid"
    (made,) = town.registry.documents.copies(works.id, by=CLERK)
    assert made["recipient"] == CONSTRUCTION.name
    assert made["purpose"] == "测试事项"


def test_a_quota_is_kept(town: Town, clock: SettableClock) -> None:
    rule = new_rule(WORKS, CONSTRUCTION.code, legal_basis=LEGAL, daily_quota=1)
    town.registry.rules.add(rule, by=CLERK)
    town.issue(WORKS)
    town.dossier()
    answer = town.ask(case_number="2026-0018")
    refused(answer, 429, "quota_exceeded")
    assert int(answer.headers["Retry-After"]) > 0
    clock.move(timedelta(days=1))
    town.dossier(case_number="2026-0018")


# -- grants --------------------------------------------------------------------------------------------


def granted(town: Town, sign_in: Callable[..., str], account: str = ENTERPRISE) -> dict[str, Any]:
    """Ask a holder for a grant, and let him give it by signing in."""
    body = {"matter": MATTER, "operator": "李四"}
    asked = town.good(town.desk.construction, "POST", "/v1/grants/requests", 201, json=body)
    given = {"request": asked["id"], "id_token": sign_in(account, asked["nonce"])}
    found = town.good(town.desk.construction, "POST", "/v1/grants", 201, json=given)
    return dict(found)


def test_a_holder_grants_and_revokes(town: Town, sign_in: Callable[..., str]) -> None:
    town.share(WORKS, mode=Mode.CONDITIONAL)
    town.issue(WORKS)
    refused(town.ask(), 404)
    grant = granted(town, sign_in)
    assert (grant["in_force"], grant["way"], grant["matter"]) == (True, "id_token", MATTER)
    assert HOLDER not in json.dumps(grant)
    assert len(town.dossier(grant=grant["id"])["presentations"]) == 1
    path = f"/v1/grants/{grant['id']}"
    assert town.good(town.desk.construction, "GET", path) == grant
    refused(town.call(town.desk.planning, "GET", path), 403, "grant_not_valid")
    refused(town.call(town.desk.planning, "DELETE", path), 403, "grant_not_valid")
    refused(town.me(sign_in(PERSON), "DELETE", path), 403, "grant_not_valid")
    listed = town.me(sign_in(), "GET", "/v1/me/grants").json()["items"]
    assert [one["id"] for one in listed] == [grant["id"]]
    revoked = town.me(sign_in(), "DELETE", path)
    assert (revoked.status_code, revoked.json()["in_force"]) == (200, False)
    refused(town.ask(grant=grant["id"]), 403, "grant_not_valid")


def test_the_agency_gives_a_grant_back(town: Town, sign_in: Callable[..., str]) -> None:
    grant = granted(town, sign_in)
    path = f"/v1/grants/{grant['id']}"
    gone = town.good(town.desk.construction, "DELETE", path)
    assert gone["revoked_at"] is not None
    assert town.good(town.desk.construction, "GET", path)["in_force"] is False
    again = town.good(town.desk.construction, "DELETE", path)
    assert again["revoked_at"] == gone["revoked_at"]


def test_grants_are_listed_page_by_page(town: Town, sign_in: Callable[..., str]) -> None:
    made = [granted(town, sign_in)["id"] for _ in range(3)]
    found, after = [], ""
    while True:
        params = {"limit": 2, "after": after}
        page = town.good(town.desk.construction, "GET", "/v1/grants", params=params)
        found += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert found == sorted(made)
    assert town.good(town.desk.planning, "GET", "/v1/grants")["items"] == []


def test_a_use_code_is_shown_at_the_window_once(town: Town, sign_in: Callable[..., str]) -> None:
    body = {"matter": MATTER}
    asked = town.good(town.desk.construction, "POST", "/v1/grants/requests", 201, json=body)
    shown = town.me(sign_in(), "GET", f"/v1/me/requests/{asked['id']}").json()
    assert shown["agency_name"] == CONSTRUCTION.name
    assert shown["matter_name"]["zh"] == "建筑工程施工许可证核发"
    made = town.me(sign_in(), "POST", "/v1/me/use-codes", json={"request": asked["id"]})
    assert made.status_code == 201, made.text
    given = {"request": asked["id"], "use_code": made.json()["short"]}
    stranger = town.call(town.desk.planning, "POST", "/v1/grants", json=given)
    refused(stranger, 403, "grant_not_valid")
    grant = town.good(town.desk.construction, "POST", "/v1/grants", 201, json=given)
    assert grant["way"] == "use_code"
    refused(town.call(town.desk.construction, "POST", "/v1/grants", json=given), 403)


def test_a_delegate_acts_for_the_holder_until_it_is_ended(
    town: Town, sign_in: Callable[..., str]
) -> None:
    town.share(WORKS, mode=Mode.CONDITIONAL)
    town.issue(WORKS)
    body = {"agent_code": PERSONAL, "matters": [MATTER], "until": "2026-03-31"}
    made = town.me(sign_in(), "POST", "/v1/me/delegations", json=body)
    assert made.status_code == 201, made.text
    (delegation,) = made.json()["items"]
    assert delegation["side"] == "principal"
    (seen,) = town.me(sign_in(PERSON), "GET", "/v1/me/delegations").json()["items"]
    assert (seen["id"], seen["side"]) == (delegation["id"], "agent")
    wish = {"matter": MATTER, "delegation": delegation["id"]}
    asked = town.good(town.desk.construction, "POST", "/v1/grants/requests", 201, json=wish)
    given = {"request": asked["id"], "id_token": sign_in(PERSON, asked["nonce"])}
    grant = town.good(town.desk.construction, "POST", "/v1/grants", 201, json=given)
    assert grant["way"] == "delegation"
    assert len(town.dossier(grant=grant["id"])["presentations"]) == 1
    ended = town.me(sign_in(), "DELETE", f"/v1/me/delegations/{delegation['id']}")
    assert ended.status_code == 200
    refused(town.ask(grant=grant["id"]), 403, "grant_not_valid")


# -- changes -------------------------------------------------------------------------------------------


def feed(town: Town, after: int = -1, **params: Any) -> dict[str, Any]:
    """Ask for what happened since."""
    query = {"after": after, **params}
    found = town.good(town.desk.construction, "GET", "/v1/changes", params=query)
    return dict(found)


def none_new(page: dict[str, Any]) -> bool:
    """Tell whether nothing is new; the cursor is good all the same."""
    return page["items"] == [] and page["next"] is None and int(page["cursor"]) >= 0


def test_the_feed_tells_what_became_of_what_was_given(town: Town) -> None:
    town.share(WORKS, LAND)
    works, land = town.issue(WORKS), town.issue(LAND)
    other = town.issue(WORKS, project_code=OTHER_PROJECT)  # never given to anybody
    town.operate(land, Operation.SUSPEND)  # before it was given: no change since
    assert none_new(feed(town))
    dossier = town.dossier()
    assert none_new(feed(town))
    town.operate(other, Operation.WITHDRAW)
    town.operate(works, Operation.SUSPEND)
    town.operate(works, Operation.RESUME)
    town.operate(works, Operation.WITHDRAW)
    first = feed(town, limit=2)
    assert [one["operation"] for one in first["items"]] == ["suspend", "resume"]
    assert first["items"][0]["cases"] == [
        {"dossier": dossier["id"], "matter": MATTER, "case_number": "2026-0017"}
    ]
    rest = feed(town, int(first["next"]))
    assert [one["status"] for one in rest["items"]] == ["withdrawn"]
    assert none_new(feed(town, int(rest["next"])))
    assert town.good(town.desk.planning, "GET", "/v1/changes")["items"] == []
    refused(town.call(town.desk.construction, "GET", "/v1/changes?after=x"), 400)


def test_a_change_of_something_that_was_only_checked_is_not_told(town: Town) -> None:
    """A checklist shows that a certificate is there; nothing of it was given."""
    town.share(WORKS)
    works = town.issue(WORKS)
    town.checklist()
    town.operate(works, Operation.WITHDRAW)
    assert feed(town)["items"] == []


def test_a_client_that_was_away_for_a_month_misses_nothing(
    town: Town, clock: SettableClock
) -> None:
    town.share(WORKS)
    works = [town.issue(WORKS) for _ in range(3)]
    for one in works:
        town.operate(one, Operation.SUSPEND)
    clock.move(timedelta(seconds=1))
    reader = town.desk.enrol(CONSTRUCTION.code, ["certificates:read"])
    town.desk.share(WORKS, CONSTRUCTION.code)
    for one in works:
        assert town.desk.get(reader, one.id).status_code == 200
    assert town.good(reader, "GET", "/v1/changes")["items"] == []
    expected = []
    for day in range(30):
        clock.move(timedelta(days=1))
        one = works[day % 3]
        operation = Operation.RESUME if day // 3 % 2 == 0 else Operation.SUSPEND
        town.operate(one, operation)
        expected.append((one.id, operation.value))
    clock.move(timedelta(days=1))
    found: list[tuple[str, str]] = []
    after = "-1"
    while True:
        params = {"after": after, "limit": 7}
        page = town.good(reader, "GET", "/v1/changes", params=params)
        found += [(one["certificate"], one["operation"]) for one in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert found == expected


def test_a_call_that_waits_is_answered_when_something_happens(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change is made by another thread after the call has looked in vain for the first time."""
    town.share(WORKS)
    works = town.issue(WORKS)
    town.dossier()
    looked, real = threading.Event(), town.registry.changes.since

    def look(*arguments: Any, **members: Any) -> tuple[list[dict[str, Any]], int]:
        found = real(*arguments, **members)
        looked.set()
        return found

    def act() -> None:
        assert looked.wait(PATIENCE)
        town.operate(works, Operation.WITHDRAW)

    monkeypatch.setattr(town.registry.changes, "since", look)
    other = threading.Thread(target=act)
    other.start()
    found = feed(town, wait=30)
    other.join()
    assert [one["status"] for one in found["items"]] == ["withdrawn"]
    refused(town.call(town.desk.construction, "GET", "/v1/changes?wait=31"), 400)


# -- objections ----------------------------------------------------------------------------------------


def test_a_client_objects_and_the_issuer_corrects(town: Town) -> None:
    town.share(WORKS)
    works = town.issue(WORKS)
    path = f"/v1/certificates/{works.id}/objections"
    body = {"field": "fields.total_floor_area", "words": "面积与图纸不符", "operator": "李四"}
    refused(town.call(town.desk.construction, "POST", path, json=body), 404)
    town.dossier()
    made = town.good(town.desk.construction, "POST", path, 201, json=body)
    assert (made["state"], made["raised_by"]) == ("open", {"agency": CONSTRUCTION.code})
    query = "/v1/objections?state=open"
    for side in (town.desk.planning, town.desk.construction):
        assert town.good(side, "GET", query)["items"] == [made]
    draft = dict(town.registry.catalogue.newest(WORKS).example)
    draft["fields"] = {**draft["fields"], "total_floor_area": "107715.61"}
    draft["fields"]["above_ground_area"] = "81235.61"
    answer = {
        "answer": "已更正面积",
        "operator": "赵六",
        "basis": "更正〔2026〕1号",
        "draft": draft,
    }
    where = f"/v1/objections/{made['id']}/answer"
    refused(town.call(town.desk.construction, "POST", where, json=answer), 404)
    done = town.good(town.desk.planning, "POST", where, json=answer)
    assert (done["state"], done["answer"]) == ("corrected", "已更正面积")
    for side in (town.desk.planning, town.desk.construction):
        assert town.good(side, "GET", "/v1/objections")["items"] == [done]
    assert town.good(town.desk.planning, "GET", query)["items"] == []
    (change,) = feed(town)["items"]
    assert (change["operation"], change["successor"]) == ("change", done["successor"])
    refused(town.call(town.desk.planning, "POST", where, json=answer), 409)
    assert len(town.desk.search(town.desk.planning, type=WORKS).json()["items"]) == 2


def test_a_holder_objects_and_is_told_why_not(town: Town, sign_in: Callable[..., str]) -> None:
    works = town.issue(WORKS)
    body = {"certificate": works.id, "field": "holders.name", "words": "名称有误"}
    refused(town.me(sign_in(PERSON), "POST", "/v1/me/objections", json=body), 404)
    made = town.me(sign_in(), "POST", "/v1/me/objections", json=body)
    assert made.status_code == 201, made.text
    objection = made.json()
    assert objection["raised_by"] == {"holder": True}
    (seen,) = town.good(town.desk.planning, "GET", "/v1/objections")["items"]
    assert seen == objection
    where = f"/v1/objections/{objection['id']}/answer"
    body = {"answer": "经核查无误", "operator": "赵六"}
    done = town.good(town.desk.planning, "POST", where, json=body)
    assert (done["state"], done["successor"]) == ("rejected", None)
    (told,) = town.me(sign_in(), "GET", "/v1/me/objections").json()["items"]
    assert told == done
    assert town.me(sign_in(PERSON), "GET", "/v1/me/objections").json()["items"] == []


def test_a_correction_without_a_basis_or_with_a_bad_draft_changes_nothing(town: Town) -> None:
    works = town.issue(WORKS)
    path = f"/v1/certificates/{works.id}/objections"
    body = {"field": "fields.height_limit", "words": "高度有误"}
    made = town.good(town.desk.planning, "POST", path, 201, json=body)
    where = f"/v1/objections/{made['id']}/answer"
    answer = {"answer": "更正", "operator": "赵六", "draft": {"fields": {}}}
    refused(town.call(town.desk.planning, "POST", where, json=answer), 400)
    answer["basis"] = "更正〔2026〕2号"
    problem = refused(town.call(town.desk.planning, "POST", where, json=answer), 422)
    assert problem["errors"][0]["pointer"].startswith("/draft/")
    (still,) = town.good(town.desk.planning, "GET", "/v1/objections?state=open")["items"]
    assert still["id"] == made["id"]


# -- holders -------------------------------------------------------------------------------------------


def test_a_holder_sees_who_was_shown_what(town: Town, sign_in: Callable[..., str]) -> None:
    town.share(WORKS)
    works = town.issue(WORKS)
    town.checklist()
    town.dossier()
    page = town.me(sign_in(), "GET", "/v1/me/uses").json()
    used, checked = page["items"]
    assert (used["action"], checked["action"]) == ("use", "check")
    assert used["agency"] == {"code": CONSTRUCTION.code, "name": CONSTRUCTION.name}
    assert used["certificate"] == {
        "id": works.id,
        "type": WORKS,
        "number": works.body["number"],
    }
    assert (used["matter"], used["case_number"]) == (MATTER, "2026-0017")
    assert used["purpose"] == "建筑工程施工许可证核发"
    assert "fields.total_floor_area" in used["fields"]
    assert used["basis"]["legal_basis"] == LEGAL
    first = town.me(sign_in(), "GET", "/v1/me/uses?limit=1").json()
    assert first["items"] == [used]
    rest = town.me(sign_in(), "GET", f"/v1/me/uses?limit=1&before={first['next']}").json()
    assert rest["items"] == [checked]
    assert town.me(sign_in(PERSON), "GET", "/v1/me/uses").json()["items"] == []
    held = town.me(sign_in(), "GET", "/v1/me/certificates").json()["items"]
    assert [one["id"] for one in held] == [works.id]


def test_no_access_token_opens_what_is_a_holders_and_the_other_way_round(
    town: Town, sign_in: Callable[..., str]
) -> None:
    refused(town.call(town.desk.construction, "GET", "/v1/me/uses"), 401)
    refused(town.me(sign_in(), "GET", "/v1/grants"), 401)
    asked = town.good(
        town.desk.construction, "POST", "/v1/grants/requests", 201, json={"matter": MATTER}
    )
    bound = sign_in(ENTERPRISE, asked["nonce"])
    refused(town.me(bound, "GET", "/v1/me/uses"), 401)


# -- supervision ---------------------------------------------------------------------------------------


def supervised(town: Town, accept: str = "application/json", **params: str) -> httpx.Response:
    """Ask for the figures as a supervisor does."""
    headers = {"Accept": accept}
    answer = town.call(town.desk.auditor, "GET", "/v1/supervision", headers=headers, params=params)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.fixture
def busy(town: Town, clock: SettableClock) -> Town:
    """Three cases: on time, near its day, late; one more that was refused; one person's permit."""
    town.share(WORKS, LAND)
    town.issue(WORKS)
    town.issue(LAND)
    town.issue(RURAL)
    for number, due in enumerate(("2026-05-01", "2026-03-20", "2026-03-05")):
        town.dossier(case_number=f"2026-{number}", accepted_on="2026-03-02", due_on=due)
    clock.move(timedelta(days=16))
    town.issue(RURAL)
    fields = {"works-planning-permit": ["fields.height_limit"]}
    refused(town.ask(case_number="2026-9", fields=fields), 403)
    town.checklist()
    return town


def test_supervisors_count_papers_not_brought(busy: Town) -> None:
    found = supervised(busy).json()
    assert (found["papers_not_brought"], found["dossiers"]) == (6, 3)
    (own,) = [one for one in found["by_agency"] if one["agency"] == CONSTRUCTION.code]
    assert (own["papers_not_brought"], own["dossiers"], own["refusals"]) == (6, 3, 1)
    assert {one["type"]: one["papers_not_brought"] for one in found["by_type"]} == {
        WORKS: 3,
        LAND: 3,
    }
    days = {one["day"]: one for one in found["per_day"]}
    assert len(days) == 30
    assert days["2026-03-02"]["papers_not_brought"] == 6
    assert days["2026-03-18"]["refusals"] == 1
    assert {one["code"]: one["count"] for one in found["refusals"]}["field_not_allowed"] == 1
    (promise,) = found["promises"]
    assert (promise["green"], promise["yellow"], promise["red"]) == (1, 1, 1)
    assert (promise["cases"], promise["decided"]) == (3, 0)
    early = supervised(busy, since="2026-01-01", until="2026-01-31").json()
    assert (early["papers_not_brought"], early["dossiers"]) == (0, 0)


def test_a_refusal_counts_for_its_matter_too(busy: Town) -> None:
    found = supervised(busy).json()
    (row,) = [one for one in found["by_matter"] if one["matter"] == MATTER]
    assert (row["papers_not_brought"], row["dossiers"], row["refusals"]) == (6, 3, 1)


def test_a_case_that_was_decided_stays_green(town: Town, clock: SettableClock) -> None:
    town.share(WORKS)
    town.issue(WORKS)
    town.dossier(accepted_on="2026-03-02", due_on="2026-03-09")
    clock.move(timedelta(days=3))
    town.issue(PERMIT, CONSTRUCTION.code)
    clock.move(timedelta(days=20))
    (promise,) = supervised(town).json()["promises"]
    assert (promise["green"], promise["red"], promise["decided"]) == (1, 0, 1)
    assert promise["average_days"] == pytest.approx(3)


@pytest.mark.parametrize("days", [("2026-03-09", "2026-03-02")])
def test_a_case_due_before_it_was_accepted_is_refused(town: Town, days: tuple[str, str]) -> None:
    town.share(WORKS)
    town.registry.log.publish()
    answer = town.ask(accepted_on=days[0], due_on=days[1])
    assert answer.status_code in {400, 422}, answer.text


def test_supervision_as_a_table(busy: Town) -> None:
    answer = supervised(busy, "text/csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows[0].keys() == {"section", "key", "name", "measure", "value"}
    totals = {one["measure"]: one["value"] for one in rows if one["section"] == "total"}
    assert totals["papers_not_brought"] == "6"
    lights = {one["measure"]: one["value"] for one in rows if one["section"] == "promises"}
    assert (lights["green"], lights["yellow"], lights["red"]) == ("1", "1", "1")


def test_supervision_as_a_page_that_fetches_nothing(busy: Town) -> None:
    answer = supervised(busy, "text/html")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert not re.search(r"""(src|href|url\()\s*=?\s*["']?https?:""", answer.text)
    assert "免提交材料" in answer.text


@pytest.mark.parametrize("accept", ["application/json", "text/csv", "text/html"])
def test_supervision_names_nobody(busy: Town, accept: str) -> None:
    text = supervised(busy, accept).text
    assert [one for one in SECRETS if one in text] == []
    assert "2602-440114" not in text


def test_supervision_is_for_supervisors_and_for_a_period(town: Town) -> None:
    refused(town.call(town.desk.construction, "GET", "/v1/supervision"), 403)
    path = "/v1/supervision?since=2026-03-02&until=2026-03-01"
    refused(town.call(town.desk.auditor, "GET", path), 400)


def test_nothing_of_all_this_puts_a_holder_into_the_trail(
    busy: Town, sign_in: Callable[..., str]
) -> None:
    granted(busy, sign_in)
    busy.me(sign_in(), "GET", "/v1/me/uses")
    trail = json.dumps(busy.desk.audit(), default=str, ensure_ascii=False)
    assert [one for one in (HOLDER, PERSONAL, "江虚子", "示例安居") if one in trail] == []
