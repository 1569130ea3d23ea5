"""Who may ask for what: other departments, matters without a rule, types that are not shared."""

from __future__ import annotations

from typing import Any

import pytest

from ecert.ledger.rules import Mode
from ecert.model import Basis, Operation
from tests.adversary.reuse.world import (
    A_CODE,
    B_CODE,
    CLERK,
    FILING,
    LAND,
    MATTER,
    NOBODY,
    World,
)
from tests.conftest import CONSTRUCTION, WORKS

BOTH = pytest.mark.parametrize("what", ["checklist", "dossiers"])
UNKNOWN = "HD-XX-99"


def test_the_good_call_is_answered(world: World) -> None:
    """What every test below leaves out one thing of."""
    shown = world.given()
    assert [one["material"] for one in shown["presentations"]] == [
        "business-licence",
        "project-approval",
        "land-use-planning-permit",
        "works-planning-permit",
    ]
    assert world.checklist().status_code == 200
    world.check()


# -- other departments --------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("name", ["gh", "fg", "sc"])
def test_the_matter_of_another_department(world: World, what: str, name: str) -> None:
    other = getattr(world, name)
    world.refuse(lambda: world.apply(what, other), 404, "not_found", by=other)


@BOTH
def test_the_matter_of_another_department_with_a_grant_that_it_was_given(
    world: World, what: str
) -> None:
    grant = world.grant()
    world.refuse(lambda: world.apply(what, world.fg, grant=grant), 404, "not_found", by=world.fg)


def test_a_grant_is_not_asked_for_another_departments_matter(world: World) -> None:
    body = {"matter": MATTER}
    world.refuse(
        lambda: world.call(world.fg, "POST", "/v1/grants/requests", body),
        404,
        "not_found",
        by=world.fg,
    )


def test_a_grant_of_another_department_is_not_shown(world: World) -> None:
    grant = world.grant()
    world.refuse(lambda: world.call(world.fg, "GET", f"/v1/grants/{grant}"), 403, "grant_not_valid")


def test_a_look_at_another_departments_grant_is_in_the_trail(world: World) -> None:
    grant = world.grant()
    world.refuse(
        lambda: world.call(world.fg, "GET", f"/v1/grants/{grant}"),
        403,
        "grant_not_valid",
        by=world.fg,
    )


def test_a_grant_of_another_department_looks_like_none(world: World) -> None:
    grant = world.grant()
    answers = [
        world.call(world.fg, "GET", f"/v1/grants/{one}") for one in (grant, "0" * 26, "X" * 26)
    ]
    assert len({one.content for one in answers}) == 1


def test_a_grant_of_another_department_is_not_revoked(world: World) -> None:
    grant = world.grant()
    world.refuse(
        lambda: world.call(world.fg, "DELETE", f"/v1/grants/{grant}"),
        403,
        "grant_not_valid",
        by=world.fg,
    )
    assert world.call(world.zj, "GET", f"/v1/grants/{grant}").json()["in_force"] is True


def test_a_list_of_grants_is_ones_own(world: World) -> None:
    grant = world.grant()
    assert world.call(world.fg, "GET", "/v1/grants").json()["items"] == []
    (own,) = world.call(world.zj, "GET", "/v1/grants").json()["items"]
    assert own["id"] == grant


@BOTH
def test_a_grant_of_another_department_opens_nothing(world: World, what: str) -> None:
    """The planning bureau's own matter, with what the construction bureau was given."""
    grant = world.grant()
    world.refuse(
        lambda: world.apply(what, world.gh, LAND, grant=grant),
        403,
        "grant_not_valid",
        by=world.gh,
    )


def test_a_request_of_another_department_is_not_answered(world: World) -> None:
    request = world.request()
    token = world.sign_in(nonce=request["nonce"])
    world.refuse(
        lambda: world.agree(request, world.fg, id_token=token),
        403,
        "grant_not_valid",
        by=world.fg,
        secret=token,
    )
    assert world.agree(request, id_token=token).status_code == 201, "nothing was used up"


@BOTH
def test_reading_needs_its_scope(world: World, what: str) -> None:
    other = world.desk.enrol(CONSTRUCTION.code, ["certificates:issue"])
    world.refuse(lambda: world.apply(what, other), 403, "forbidden")


def test_a_call_without_the_scope_is_in_the_trail(world: World) -> None:
    other = world.desk.enrol(CONSTRUCTION.code, ["certificates:issue"])
    world.refuse(lambda: world.fulfil(other), 403, "forbidden", by=other)


@BOTH
def test_without_a_token(world: World, what: str) -> None:
    headers = {"Authorization": "Bearer nonsense"}
    world.refuse(lambda: world.apply(what, headers=headers), 401, "unauthorised")


# -- no sharing rule -----------------------------------------------------------------------------


def bodies(world: World, what: str, matter: str, **members: Any) -> set[bytes]:
    """Ask for somebody who holds all, somebody who holds something, and somebody who holds nothing."""
    answers = [
        world.apply(what, None, matter, holder_code=code, **members)
        for code in (A_CODE, B_CODE, NOBODY)
    ]
    assert {one.status_code for one in answers} == {404}
    assert {tuple(sorted(one.headers.items())) for one in answers} == {
        tuple(sorted(answers[0].headers.items()))
    }
    return {one.content for one in answers}


@BOTH
def test_without_a_rule_the_matter_looks_unknown_whoever_applies(world: World, what: str) -> None:
    known, unknown = bodies(world, what, FILING), bodies(world, what, UNKNOWN)
    assert len(known) == 1
    assert known == unknown


@BOTH
def test_without_a_rule_a_project_opens_nothing_either(world: World, what: str) -> None:
    project = world.records[WORKS].body["project_code"]
    known = bodies(world, what, FILING, project_code=project)
    assert known == bodies(world, what, UNKNOWN, project_code="2602-440114-04-01-999999")


@BOTH
def test_without_a_rule_is_refused_and_audited(world: World, what: str) -> None:
    world.refuse(lambda: world.apply(what, None, FILING), 404, "not_found", by=world.zj)


def test_checklist_and_dossier_refuse_alike(world: World) -> None:
    assert bodies(world, "checklist", FILING) == bodies(world, "dossiers", FILING)


@BOTH
def test_a_rule_that_ended_opens_nothing(world: World, what: str) -> None:
    world.withdraw_rules()
    world.refuse(lambda: world.apply(what), 404, "not_found", by=world.zj)
    assert len(bodies(world, what, MATTER) | bodies(world, what, UNKNOWN)) == 1


@BOTH
def test_a_rule_that_has_not_begun_opens_nothing(world: World, what: str) -> None:
    world.withdraw_rules()
    tomorrow = world.clock().date().replace(day=world.clock().day + 1)
    world.rule(valid_from=tomorrow)
    world.refuse(lambda: world.apply(what), 404, "not_found", by=world.zj)


@BOTH
def test_a_rule_for_another_matter_opens_nothing(world: World, what: str) -> None:
    world.withdraw_rules()
    world.rule(WORKS, matter=FILING)
    world.refuse(lambda: world.apply(what), 404, "not_found", by=world.zj)


# -- not shared, and only with consent --------------------------------------------------------------


def close(world: World) -> None:
    for slug in sorted(world.registry.matters.get(MATTER, by=CLERK).slugs):
        world.rule(slug, mode=Mode.NOT_SHARED)


@BOTH
def test_not_shared_stays_closed_with_the_holders_grant(world: World, what: str) -> None:
    grant = world.grant()
    close(world)
    world.refuse(lambda: world.apply(what, grant=grant), 404, "not_found", by=world.zj)


@BOTH
def test_of_two_rules_equally_near_the_stricter_decides(world: World, what: str) -> None:
    """However new the other is."""
    close(world)
    world.rule(mode=Mode.UNCONDITIONAL)
    world.refuse(lambda: world.apply(what), 404, "not_found", by=world.zj)


def test_a_line_that_is_not_shared_says_nothing_of_what_is_held(world: World) -> None:
    """One type is closed, the others open: its line is the same whether the holder has it or not."""
    world.rule("business-licence", mode=Mode.NOT_SHARED)
    grant = world.grant()
    held = world.checklist(grant=grant)
    none = world.checklist(holder_code=NOBODY)
    lines = [answer.json()["items"][0] for answer in (held, none)]
    assert lines[0] == lines[1]
    assert lines[0]["state"] == "missing"
    licence = world.records["business-licence"]
    shown = world.given(grant=grant)
    assert licence.id not in [one["certificate"] for one in shown["presentations"]]
    assert licence.id not in str(shown)
    assert licence.body["number"] not in str(shown)


@BOTH
def test_what_needs_consent_is_closed_without_it(world: World, what: str) -> None:
    world.only_with_consent()
    world.refuse(lambda: world.apply(what), 404, "not_found", by=world.zj)
    assert len(bodies(world, what, MATTER) | bodies(world, what, UNKNOWN)) == 1


@BOTH
def test_what_needs_consent_is_opened_by_it_for_its_holder_only(world: World, what: str) -> None:
    world.only_with_consent()
    grant = world.grant()
    answer = world.apply(what, grant=grant)
    assert answer.status_code in {200, 201, 503}, answer.text
    world.refuse(
        lambda: world.apply(what, holder_code=B_CODE, grant=grant),
        403,
        "consent_of_another",
        by=world.zj,
        secret=B_CODE,
    )


def test_a_grant_of_b_shows_nothing_of_as_project(world: World) -> None:
    """The project is named, the grant is another person's: only what he holds counts."""
    world.only_with_consent()
    grant = world.grant(sub="account-person")
    project = world.records[WORKS].body["project_code"]
    answer = world.checklist(holder_code=None, project_code=project, grant=grant)
    assert answer.status_code == 200
    assert {one["state"] for one in answer.json()["items"]} <= {"missing", "not_needed"}
    assert all(one["certificate"] is None for one in answer.json()["items"])


def test_what_was_withdrawn_is_not_presented(world: World) -> None:
    basis = Basis("申请人隐瞒情况", "穗规划资源撤〔2026〕1号", "赵六")
    world.registry.certificates.operate(
        world.records[WORKS].id, Operation.WITHDRAW, basis=basis, by=CLERK
    )
    shown = world.given()
    assert world.records[WORKS].id not in [one["certificate"] for one in shown["presentations"]]
