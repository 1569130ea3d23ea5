"""One window for three bureaus, and a street office that issues for the district 综合受理、委托."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from ecert.errors import InputError, NotFound
from ecert.formats.dossier import verify_dossier
from ecert.model import Actor, Agency
from ecert.registry.receptions import ReceptionWish
from ecert.samples.district import chain
from ecert.testing import SettableClock
from tests.api.conftest import EVERYTHING, Drafts, Portal, System, refused
from tests.api.test_reuse_routes import (
    LICENCE,
    MATTER,
    PERMIT,
    RURAL,
    Town,
    matter,
    oidc,
    sign_in,
    town,
)
from tests.conftest import CLERK, CONSTRUCTION, PLANNING, WORKS, trail_rows

__all__ = ["oidc", "sign_in", "town"]

WINDOW = Agency("11440114MA0000112M", "花都区政务服务中心（演示）", "440114")
BASIS = "穗政数〔2026〕1号"
DAY = timedelta(days=1)


@pytest.fixture
def window(town: Town) -> System:
    """A client of the government service centre, which may read and ask, and nothing besides."""
    town.registry.agencies.add(WINDOW, by=CLERK)
    return town.desk.enrol(WINDOW.code, EVERYTHING)


def receive(town: Town, **members: Any) -> str:
    wish = {"agency": WINDOW.code, "principal": CONSTRUCTION.code, "basis": BASIS, **members}
    return town.registry.receptions.add(ReceptionWish(**wish), by=CLERK).id


def test_a_window_asks_for_the_responsible_bureau(town: Town, window: System, sign_in: Any) -> None:
    town.issue(WORKS)
    town.share(WORKS)
    refused(town.ask(window), 404)
    receive(town)
    done = town.dossier(window)
    (presentation,) = done["presentations"]
    statement = verify_dossier(done["statement"], town.registry.trust())
    assert (statement.agency, statement.received_by) == (CONSTRUCTION.code, WINDOW.code)
    rows = [one for one in trail_rows(town.registry) if one["action"] == "use"]
    assert [one["agency"] for one in rows] == [WINDOW.code]
    assert rows[0]["details"]["received_for"] == CONSTRUCTION.code
    (use,) = town.me(sign_in(), "GET", "/v1/me/uses").json()["items"]
    assert use["certificate"]["id"] == presentation["certificate"]
    assert use["agency"] == {"code": CONSTRUCTION.code, "name": CONSTRUCTION.name}
    assert use["received_by"] == {"code": WINDOW.code, "name": WINDOW.name}


def test_the_rules_are_the_responsible_bureaus(town: Town, window: System) -> None:
    """What is shared with the window itself opens nothing that it receives for another."""
    town.issue(WORKS)
    receive(town)
    town.desk.share(WORKS, WINDOW.code)
    refused(town.ask(window), 404)
    town.share(WORKS)
    assert town.dossier(window)["presentations"]


def test_the_quota_of_a_rule_is_shared_with_the_bureau(town: Town, window: System) -> None:
    from ecert.registry import new_rule

    town.issue(WORKS)
    rule = new_rule(WORKS, CONSTRUCTION.code, legal_basis="国务院令第716号", daily_quota=1)
    town.registry.rules.add(rule, by=CLERK)
    receive(town)
    assert town.dossier()["presentations"]
    refused(town.ask(window, case_number="2026-0018"), 429)


def test_a_grant_is_given_to_the_bureau_and_used_by_the_window(
    town: Town, window: System, sign_in: Any
) -> None:
    town.issue(LICENCE)
    receive(town)
    asked = town.good(window, "POST", "/v1/grants/requests", 201, json={"matter": MATTER})
    assert asked["request"]["agency"] == CONSTRUCTION.code
    assert asked["request"]["received_by"] == WINDOW.code
    token = sign_in(nonce=asked["nonce"])
    body = {"request": asked["id"], "id_token": token}
    grant = town.good(window, "POST", "/v1/grants", 201, json=body)
    assert grant["agency"] == CONSTRUCTION.code
    done = town.dossier(window, grant=grant["id"])
    assert done["presentations"]
    other = town.desk.enrol(PLANNING.code, EVERYTHING)
    refused(town.ask(other, grant=grant["id"]), 404)


def test_matters_that_one_receives_are_listed(town: Town, window: System) -> None:
    assert town.good(window, "GET", "/v1/matters")["items"] == []
    reception = receive(town, matter=MATTER)
    listed = town.good(window, "GET", "/v1/matters")["items"]
    assert [one["code"] for one in listed] == [MATTER]
    assert town.good(window, "GET", f"/v1/matters/{MATTER}")["code"] == MATTER
    town.registry.receptions.end(reception, by=CLERK)
    refused(town.call(window, "GET", f"/v1/matters/{MATTER}"), 404)


def test_a_reception_has_its_days(town: Town, window: System, clock: SettableClock) -> None:
    town.issue(WORKS)
    town.share(WORKS)
    today = date(2026, 3, 2)
    receive(town, from_day=today + DAY, to_day=today + 2 * DAY)
    answers = []
    for _ in range(4):
        answers.append(town.ask(window).status_code)
        clock.move(DAY)
    assert answers == [404, 201, 201, 404]


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"acts": ()}, InputError),
        ({"acts": ("issue", "end")}, InputError),
        ({"principal": WINDOW.code}, InputError),
        ({"principal": "11440114MA0000115Y"}, NotFound),
        ({"matter": "HD-NONE-1"}, NotFound),
        ({"basis": ""}, InputError),
        ({"from_day": date(2026, 3, 3), "to_day": date(2026, 3, 2)}, InputError),
        ({"principal": PLANNING.code, "matter": MATTER}, InputError),
    ],
    ids=str,
)
def test_what_is_no_reception(
    town: Town, window: System, members: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        receive(town, **members)
    assert window.agency == WINDOW.code


def test_a_reception_is_not_passed_on(town: Town, window: System) -> None:
    """Whoever receives for the window receives nothing of what the window receives."""
    town.issue(WORKS)
    town.share(WORKS)
    receive(town)
    outpost = Agency("11440114MA0000113Q", "示例镇便民服务点（演示）", "440114")
    town.registry.agencies.add(outpost, by=CLERK)
    client = town.desk.enrol(outpost.code, EVERYTHING)
    receive(town, agency=outpost.code, principal=WINDOW.code)
    refused(town.ask(client), 404)
    with pytest.raises(InputError, match="passed on"):
        receive(town, agency=outpost.code, principal=WINDOW.code, matter=MATTER)
    assert window.agency == WINDOW.code


# -- issuing in another's name ----------------------------------------------------------------------


def test_a_street_office_issues_rural_permits_for_the_district(
    town: Town, window: System, a_draft: Drafts
) -> None:
    desk: Portal = town.desk
    draft = a_draft(RURAL)
    refused(desk.issue(window, draft, RURAL, agency=PLANNING.code), 403, "forbidden")
    receive(town, principal=PLANNING.code, acts=("receive",))
    refused(desk.issue(window, draft, RURAL, agency=PLANNING.code), 403, "forbidden")
    receive(town, principal=PLANNING.code, acts=("receive", "issue"))
    issued = desk.issue(window, draft, RURAL, agency=PLANNING.code)
    assert issued.status_code == 201, issued.text
    body = issued.json()
    assert body["issuer"]["code"] == PLANNING.code
    assert WINDOW.code not in issued.text  # the credential shows the principal alone
    row = [one for one in trail_rows(town.registry) if one["action"] == "issue"][-1]
    assert (row["agency"], row["details"]["agency"]) == (WINDOW.code, PLANNING.code)
    assert desk.get(window, body["id"]).json()["id"] == body["id"]
    changed = desk.operate(window, body["id"], "change", draft=a_draft(RURAL))
    assert changed.status_code == 200, changed.text
    for operation in ("suspend", "withdraw"):
        refused(desk.operate(window, changed.json()["id"], operation), 404)
    refused(desk.issue(window, draft, RURAL), 403, "not_competent")


def test_a_delegation_of_one_matter_reaches_its_types_alone(
    town: Town, window: System, a_draft: Drafts
) -> None:
    given = next(
        one
        for one in town.registry.matters.all(by=CLERK)[0]
        if one.agency == PLANNING.code and WORKS in one.issues
    )
    receive(town, principal=PLANNING.code, matter=given.code, acts=("receive", "issue"))
    desk = town.desk
    assert desk.issue(window, a_draft(), WORKS, agency=PLANNING.code).status_code == 201
    refused(desk.issue(window, a_draft(RURAL), RURAL, agency=PLANNING.code), 403, "forbidden")


def test_the_principal_must_be_competent(town: Town, window: System, a_draft: Drafts) -> None:
    receive(town, principal=WINDOW.code, agency=PLANNING.code, acts=("receive", "issue"))
    planning = town.desk.planning
    answer = town.desk.issue(planning, a_draft(), WORKS, agency=WINDOW.code)
    refused(answer, 403, "not_competent")
    assert window.agency == WINDOW.code


# -- after a merger -----------------------------------------------------------------------------------


def test_after_a_merger_matters_rules_and_grants_are_the_successors(
    town: Town, window: System, sign_in: Any, clock: SettableClock
) -> None:
    town.issue(WORKS)
    licence = town.issue(LICENCE)
    town.share(WORKS)
    bureau = town.desk.construction
    asked = town.good(bureau, "POST", "/v1/grants/requests", 201, json={"matter": MATTER})
    body = {"request": asked["id"], "id_token": sign_in(nonce=asked["nonce"])}
    grant = town.good(bureau, "POST", "/v1/grants", 201, json=body)
    register, first = town.registry.register, date(2026, 3, 3)
    slugs = [one.slug for one in register.competences(CONSTRUCTION.code)]
    register.transfer(
        CONSTRUCTION.code, slugs, to=WINDOW.code, from_day=first, basis=BASIS, by=CLERK
    )
    town.registry.agencies.close(CONSTRUCTION.code, from_day=first, basis=BASIS, by=CLERK)
    refused(town.ask(window), 404)
    clock.move(DAY)
    done = town.dossier(window, grant=grant["id"])
    given = {one["certificate"] for one in done["presentations"]}
    assert licence.id in given
    assert len(given) == 2
    assert done["checklist"]["matter"]["agency"] == WINDOW.code
    town.registry.settlement.settle()
    assert town.desk.ask_token(bureau.assertion()).status_code == 401


def test_closing_an_agency_opens_nothing_of_its_successors_own(
    town: Town, window: System, clock: SettableClock
) -> None:
    receive(town)  # all matters of the construction bureau
    register, first = town.registry.register, date(2026, 3, 3)
    slugs = [one.slug for one in register.competences(CONSTRUCTION.code)]
    register.transfer(
        CONSTRUCTION.code, slugs, to=PLANNING.code, from_day=first, basis=BASIS, by=CLERK
    )
    town.registry.agencies.close(CONSTRUCTION.code, from_day=first, basis=BASIS, by=CLERK)
    clock.move(DAY)
    listed = town.registry.matters.all(by=Actor("王五", WINDOW.code))[0]
    assert {one.agency for one in listed} == {PLANNING.code}
    written = {
        one["code"] for one in json.loads(chain())["matters"] if one["agency"] == CONSTRUCTION.code
    }
    assert {one.code for one in listed} == written
    assert window.agency == WINDOW.code


def test_a_matter_without_a_result_gives_nothing_to_issue(town: Town, window: System) -> None:
    town.registry.matters.add(matter("T-NOTHING"), by=CLERK)
    with pytest.raises(InputError, match="nothing to issue"):
        receive(town, matter="T-NOTHING", acts=("receive", "issue"))
    assert receive(town, matter="T-NOTHING")
    assert window.agency == WINDOW.code


def test_nobody_writes_matters_of_what_he_handed_on(
    town: Town, window: System, clock: SettableClock
) -> None:
    manager = town.desk.enrol(CONSTRUCTION.code, ["matters:manage"])
    town.registry.register.transfer(
        CONSTRUCTION.code,
        [PERMIT],
        to=WINDOW.code,
        from_day=date(2026, 3, 3),
        basis=BASIS,
        by=CLERK,
    )
    clock.move(DAY)
    one = json.loads(matter("T-HANDED", issues=[PERMIT]))
    refused(town.call(manager, "POST", "/v1/matters", json=one), 409, "already_exists")
    assert window.agency == WINDOW.code
