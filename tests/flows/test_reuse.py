"""The story of reuse, as the mission tells it: three departments, an enterprise, no paper.

A real service on the loopback, a real identity provider, and departments that know nothing of the
registry but its trust file and their own keys.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from ecert.client import Problem, RegistryClient
from ecert.demo import CONSTRUCTION, MATTER, PLANNING, REFORM, application_of, enrol
from ecert.demo import set_up_sharing as open_matters
from ecert.formats.id_token import Provider as Believed
from ecert.formats.sdjwt import parse_sd_jwt
from ecert.ledger.rules import Mode
from ecert.model import Application, Basis, Operation, Record
from ecert.pictures import supervision_html
from ecert.registry import Registry
from ecert.reuse.sharing import new_rule
from ecert_api import create_app
from tests.api.conftest import Drafts, free_port, make_registry_at
from tests.conftest import CLERK, EVERY_TYPE, PATIENCE, trail_rows
from tests.oidc.provider import ENTERPRISE, HIGH, PERSON, Provider, oidc

__all__ = ["oidc"]  # the fixture
HELD = ("business-licence", "project-approval", "land-use-planning-permit")
WORKS = "construction-works-planning-permit"
PLANNED = {  # which department issued what the enterprise holds already
    "business-licence": REFORM,
    "project-approval": REFORM,
    "land-use-planning-permit": PLANNING,
    WORKS: PLANNING,
}


@dataclass(frozen=True)
class Town:
    """A running registry of three departments, and what one enterprise holds in it."""

    registry: Registry
    held: dict[str, Record]
    construction: RegistryClient
    reform: RegistryClient

    @property
    def application(self) -> Application:
        """The enterprise applies for a construction permit."""
        return application_of(self.held[WORKS])

    def as_holder(self, token: str, method: str, path: str, **members: Any) -> httpx.Response:
        """Call as a holder who signed in."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.request(
            method,
            f"{self.registry.base}/v1{path}",
            headers=headers,
            trust_env=False,
            timeout=PATIENCE,
            **members,
        )


@pytest.fixture
def town(tmp_path: Path, a_draft: Drafts, oidc: Provider) -> Iterator[Town]:
    """Set the town up: departments, matters, rules, certificates, a service that runs."""
    listening = free_port()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    registry = make_registry_at(url, tmp_path)
    registry.agencies.add(replace(REFORM, parent=PLANNING.code), by=CLERK, may_issue=EVERY_TYPE)
    open_matters(registry, CLERK)
    believed = Believed(
        oidc.issuer, (oidc.client_id,), (HIGH,), oidc.jwks, portals=(oidc.client_id,)
    )
    registry.providers.put(believed, by=CLERK)
    held: dict[str, Record] = {}
    for slug, agency in PLANNED.items():
        held[slug] = registry.certificates.issue(
            slug, a_draft(slug), by=CLERK, agency=agency.code
        ).record
    registry.log.publish()
    server = uvicorn.Server(
        uvicorn.Config(create_app(registry, verify_per_minute=0), access_log=False, log_config=None)
    )
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    httpx.get(f"{url}/health/ready", trust_env=False, timeout=PATIENCE).raise_for_status()
    with (
        enrol(registry, "施工许可审批系统", CONSTRUCTION.code) as construction,
        enrol(registry, "投资项目审批系统", REFORM.code) as reform,
    ):
        yield Town(registry, held, construction, reform)
    server.should_exit = True
    thread.join()
    registry.close()


@pytest.fixture(scope="session")
def a_draft(draft_of: Drafts) -> Drafts:
    return draft_of


def personal_data(dossier: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Read every byte that a dossier discloses, by material: each name and value of each disclosure."""
    import base64

    found: dict[str, dict[str, Any]] = {}
    for one in dossier["presentations"]:
        shown: dict[str, Any] = {}
        for disclosure in parse_sd_jwt(one["credential"]).disclosures:
            padded = disclosure + "=" * (-len(disclosure) % 4)
            _salt, name, value = json.loads(base64.urlsafe_b64decode(padded))
            shown[name] = value
        found[one["material"]] = shown
    return found


def test_the_applicant_never_brings_the_paper_again(town: Town, oidc: Provider) -> None:
    # the clerk asks what is held: four materials met, one missing
    checklist = town.construction.checklist(town.application, operator="李四")
    states = {item["material"]: item["state"] for item in checklist["items"]}
    assert checklist["summary"]["met"] == 4
    assert checklist["summary"]["missing"] == 1
    assert [name for name, state in states.items() if state == "missing"] == ["drawing-review"]

    # the dossier carries exactly the fields that were asked for
    received = town.construction.dossier(town.application, operator="李四")
    matter = town.registry.matters.get(MATTER, by=CLERK)
    wanted = {
        material.code: {name.rpartition(".")[2] for name in option.fields}
        for material in matter.materials
        for option in material.options
        if states[material.code] == "met"
    }
    left = personal_data(dict(received.body))
    assert {material: set(shown) for material, shown in left.items()} == wanted
    for slug, record in town.held.items():
        material = next(
            one.material for one in received.statement.given if one.certificate == record.id
        )
        for name, value in left[material].items():
            assert record.body["fields"].get(name, record.body["holders"][0].get(name)) == value, (
                slug
            )
    holder = town.held[WORKS].body["holders"][0]["code"]
    assert holder not in json.dumps(
        received.body
    )  # the code that was asked with does not come back
    assert all(report.status == "valid" for report in received.reports.values())

    # the planning permit is then withdrawn, and the construction bureau's feed says so
    basis = Basis("申请材料虚假", "穗规划资源撤〔2026〕1号", "赵六")
    town.registry.certificates.operate(
        town.held[WORKS].id, Operation.WITHDRAW, basis=basis, by=CLERK
    )
    (change,) = town.construction.changes(wait=20)
    assert (change["certificate"], change["status"]) == (town.held[WORKS].id, "withdrawn")
    assert change["cases"][0]["case_number"] == town.application.case_number
    assert list(town.reform.changes()) == []  # it was given nothing, and hears nothing
    again = town.construction.dossier(town.application, operator="李四")
    assert again.statement.id == received.statement.id
    assert again.statement.states["works-planning-permit"] == "missing"

    # the enterprise reads its own trail
    token = oidc.sign_in(ENTERPRISE)
    uses = town.as_holder(token, "GET", "/me/uses").json()["items"]
    used = [use for use in uses if use["action"] == "use"]
    assert {use["agency"]["code"] for use in used} == {CONSTRUCTION.code}
    assert {use["matter"] for use in used} == {MATTER}
    assert {use["case_number"] for use in used} == {town.application.case_number}
    assert all(use["basis"]["legal_basis"] for use in used)

    # and the supervisor's page counts four papers not brought
    figures = town.registry.supervision.figures(by=CLERK)
    assert figures["papers_not_brought"] == 4
    page = supervision_html(figures)
    assert "<b>4</b>免提交材料" in page
    for private in (holder, town.held[WORKS].body["holders"][0]["name"], "李四"):
        assert private not in page
    town.registry.trail.check()


def test_a_department_without_a_rule_learns_nothing(town: Town) -> None:
    def refusal(application: Application) -> tuple[int, str, str]:
        with pytest.raises(Problem) as refused:
            town.reform.dossier(application, operator="孙七")
        return refused.value.status, refused.value.code, refused.value.detail

    held = refusal(town.application)
    nobody = refusal(replace(town.application, holder_code="91440114MA0000020C", case_number="2"))
    absent = refusal(replace(town.application, matter="HD-XX-99", case_number="3"))
    assert held == nobody == absent == (404, "not_found", held[2])
    rows = trail_rows(town.registry, limit=1000)
    assert [row["outcome"] for row in rows if row["action"] == "dossier"] == ["not_found"] * 3


def close_rules(town: Town) -> None:
    """End every sharing rule, and open the types only where a holder agrees."""
    for rule in town.registry.rules.all(by=CLERK):
        town.registry.rules.end(rule.id, by=CLERK)
        conditional = new_rule(
            rule.slug,
            rule.agency,
            legal_basis="有条件共享",
            mode=Mode.CONDITIONAL,
            matter=rule.matter,
        )
        town.registry.rules.add(conditional, by=CLERK)


def test_the_holder_agrees_in_the_online_hall(town: Town, oidc: Provider) -> None:
    close_rules(town)
    asked = town.construction.request_grant(MATTER)
    token = oidc.sign_in(ENTERPRISE, nonce=asked["nonce"])
    grant = town.construction.grant(asked["id"], id_token=token)
    application = replace(town.application, grant=grant["id"])
    received = town.construction.dossier(application, operator="李四")
    assert len(received.statement.given) == 4
    assert {one.basis["grant"] for one in received.statement.given} == {grant["id"]}
    with pytest.raises(Problem, match="grant_not_valid"):  # a sign-in counts once
        town.construction.grant(asked["id"], id_token=token)

    listed = town.as_holder(oidc.sign_in(ENTERPRISE), "GET", "/me/grants").json()["items"]
    assert [one["id"] for one in listed] == [grant["id"]]
    answer = town.as_holder(oidc.sign_in(ENTERPRISE), "DELETE", f"/grants/{grant['id']}")
    assert answer.json()["in_force"] is False
    with pytest.raises(Problem, match="grant_not_valid"):  # also what was given before
        town.construction.dossier(application, operator="李四")


def test_a_use_code_is_shown_at_the_window_and_works_once(town: Town, oidc: Provider) -> None:
    close_rules(town)
    asked = town.construction.request_grant(MATTER)
    token = oidc.sign_in(ENTERPRISE)
    shown = town.as_holder(token, "GET", f"/me/requests/{asked['id']}").json()
    assert shown["agency_name"].startswith("花都区住房和城乡建设局")
    assert shown["matter_name"]["zh"] == "建筑工程施工许可证核发"
    made = town.as_holder(token, "POST", "/me/use-codes", json={"request": asked["id"]}).json()
    assert len(made["short"]) == 8
    with pytest.raises(Problem, match="grant_not_valid"):  # good at that agency only
        town.reform.grant(asked["id"], use_code=made["short"])
    grant = town.construction.grant(asked["id"], use_code=made["short"])
    assert grant["way"] == "use_code"
    with pytest.raises(Problem, match="grant_not_valid"):
        town.construction.grant(asked["id"], use_code=made["use_code"])
    application = replace(town.application, grant=grant["id"])
    assert len(town.construction.dossier(application, operator="李四").statement.given) == 4


def test_an_agent_acts_for_the_enterprise_until_it_ends_that(town: Town, oidc: Provider) -> None:
    close_rules(town)
    agent_code = "440114197602039971"
    until = "2027-01-31"
    body = {"agent_code": agent_code, "matters": [MATTER], "until": until}
    given = town.as_holder(oidc.sign_in(ENTERPRISE), "POST", "/me/delegations", json=body).json()
    (delegation,) = given["items"]
    assert delegation["side"] == "principal"

    asked = town.construction.request_grant(MATTER)
    members = {"request": asked["id"], "delegation": delegation["id"]}
    made = town.as_holder(oidc.sign_in(PERSON), "POST", "/me/use-codes", json=members).json()
    grant = town.construction.grant(asked["id"], use_code=made["use_code"])
    application = replace(town.application, grant=grant["id"])
    assert len(town.construction.dossier(application, operator="李四").statement.given) == 4

    path = f"/me/delegations/{delegation['id']}"
    assert town.as_holder(oidc.sign_in(ENTERPRISE), "DELETE", path).status_code == 200
    with pytest.raises(Problem, match="grant_not_valid"):
        town.construction.dossier(application, operator="李四")


def test_the_library_does_all_of_it_without_the_service(town: Town) -> None:
    by = replace(CLERK, agency=CONSTRUCTION.code, purpose="")
    checklist = town.registry.dossiers.checklist(town.application, by=by)
    assert len(checklist.met) == 4
    dossier = town.registry.dossiers.fulfil(town.application, by=by)
    received = town.construction.check(dossier, town.application.holder_code)
    assert received.statement.client is None
    assert len(received.certificates) == 4
