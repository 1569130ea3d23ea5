"""Quotas, fields that are not allowed, and what asking twice may lead to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from ecert.ledger.rules import Mode
from ecert.model import Basis, Operation
from ecert.store import tables
from tests.adversary.reuse.world import (
    B_CODE,
    CASE,
    CLERK,
    LICENCE,
    MATTER,
    NOBODY,
    World,
)
from tests.conftest import CONSTRUCTION, WORKS

WHAT = pytest.mark.parametrize("what", ["checklist", "dossiers"])
GIVEN = 4  # certificates in the good dossier


def used(world: World) -> dict[str, int]:
    with world.registry.store.reading() as reading:
        rows = reading.connection.execute(select(tables.usage))
        return {row.scope.partition(":")[0]: row.used for row in rows}


def limit(world: World, most: int | None) -> None:
    world.registry.clients.change(world.zj.id, daily_quota=most, by=CLERK)


# -- quotas ----------------------------------------------------------------------------------------


def test_a_client_has_its_quota_and_no_more(world: World) -> None:
    limit(world, GIVEN)
    world.given()
    assert used(world) == {"client": GIVEN}
    answer = world.refuse(lambda: world.fulfil(case_number="2"), 429, "quota_exceeded", by=world.zj)
    assert int(answer.headers["retry-after"]) > 0
    assert used(world) == {"client": GIVEN}


def test_a_dossier_beyond_the_clients_quota_counts_nothing(world: World) -> None:
    limit(world, GIVEN - 1)
    world.refuse(world.fulfil, 429, "quota_exceeded", by=world.zj)
    assert used(world) == {}


def test_a_checklist_beyond_the_clients_quota_counts_nothing(world: World) -> None:
    """Nothing left, so nothing was read: neither counted nor told to the holder as a reading."""
    limit(world, GIVEN - 1)
    world.refuse(world.checklist, 429, "quota_exceeded")
    assert used(world) == {}


def test_the_holder_is_not_told_of_a_reading_that_was_refused(world: World) -> None:
    limit(world, GIVEN - 1)
    assert world.checklist().status_code == 429
    answer = world.call(None, "GET", "/v1/me/uses", headers=world.holder())
    assert [one for one in answer.json()["items"] if one["action"] == "check"] == []


def test_a_rule_has_its_quota_and_no_more(world: World) -> None:
    world.withdraw_rules()
    world.rule(daily_quota=1)
    world.given()
    assert used(world) == {"rule": 1}
    world.refuse(lambda: world.fulfil(case_number="2"), 429, "quota_exceeded", by=world.zj)
    assert used(world) == {"rule": 1}


def test_what_one_rule_has_left_is_not_counted_when_another_is_used_up(world: World) -> None:
    world.withdraw_rules()
    world.rule(daily_quota=5)
    world.rule(WORKS, daily_quota=0)
    world.refuse(world.fulfil, 429, "quota_exceeded", by=world.zj)
    assert used(world) == {}


def test_what_a_rule_has_left_is_not_counted_when_the_client_has_nothing(world: World) -> None:
    world.withdraw_rules()
    world.rule(daily_quota=5)
    limit(world, 0)
    world.refuse(world.fulfil, 429, "quota_exceeded", by=world.zj)
    assert used(world) == {}


def test_a_rules_quota_is_shared_by_the_clients_of_its_agency(world: World) -> None:
    world.withdraw_rules()
    world.rule(daily_quota=1)
    world.given()
    other = world.desk.enrol(CONSTRUCTION.code, ["certificates:read"])
    world.refuse(lambda: world.fulfil(other), 429, "quota_exceeded", by=other)


def test_a_quota_is_of_a_day_in_guangzhou(world: World) -> None:
    limit(world, GIVEN)
    world.given()
    world.clock.move(timedelta(hours=14, minutes=29))  # 23:59 in Guangzhou
    world.refuse(lambda: world.fulfil(case_number="2"), 429, "quota_exceeded", by=world.zj)
    world.clock.move(timedelta(minutes=1))
    assert world.given(case_number="2")["revision"] == 1


def test_a_refusal_for_another_reason_counts_nothing(world: World) -> None:
    limit(world, 100)
    world.refuse(lambda: world.fulfil(grant="0" * 26), 403, "grant_not_valid", by=world.zj)
    world.given()
    world.refuse(lambda: world.fulfil(holder_code=B_CODE), 422, "idempotency_mismatch", by=world.zj)
    assert used(world) == {"client": GIVEN}


# -- fields ------------------------------------------------------------------------------------------

BEYOND: dict[str, dict[str, list[str]]] = {
    "what the matter does not need": {"business-licence": ["fields.legal_person"]},
    "the holder's code": {"business-licence": ["holders.code"]},
    "all holders": {"business-licence": ["holders"]},
    "all fields": {"business-licence": ["fields"]},
    "a field of another material": {"business-licence": ["fields.total_investment"]},
    "attachments": {"land-use-planning-permit": ["attachments.name"]},
    "a field that does not exist": {"business-licence": ["fields.nothing"]},
    "one good and one bad": {"business-licence": ["holders.name", "fields.address"]},
    "a material that does not exist": {"tax-receipt": ["holders.name"]},
    "of a paper": {"drawing-review": ["holders.name"]},
}


@WHAT
@pytest.mark.parametrize("name", BEYOND)
def test_fields_beyond_the_matter(world: World, what: str, name: str) -> None:
    world.refuse(
        lambda: world.apply(what, fields=BEYOND[name]), 403, "field_not_allowed", by=world.zj
    )


@pytest.mark.parametrize("name", BEYOND)
def test_no_grant_is_asked_for_fields_beyond_the_matter(world: World, name: str) -> None:
    body = {"matter": MATTER, "fields": BEYOND[name]}
    world.refuse(
        lambda: world.call(world.zj, "POST", "/v1/grants/requests", body),
        403,
        "field_not_allowed",
        by=world.zj,
    )


@WHAT
def test_a_field_that_the_rule_leaves_out(world: World, what: str) -> None:
    world.withdraw_rules()
    world.rule(fields=["holders.name"])
    fields = {"business-licence": ["holders.name", "fields.kind"]}
    world.refuse(lambda: world.apply(what, fields=fields), 403, "field_not_allowed", by=world.zj)


@WHAT
def test_a_field_that_the_rule_leaves_out_with_a_grant_for_it(world: World, what: str) -> None:
    world.withdraw_rules()
    world.rule(fields=["holders.name"], mode=Mode.CONDITIONAL)
    grant = world.grant()
    fields = {"business-licence": ["fields.kind"]}
    world.refuse(
        lambda: world.apply(what, fields=fields, grant=grant),
        403,
        "field_not_allowed",
        by=world.zj,
    )


@WHAT
def test_a_field_that_the_grant_leaves_out(world: World, what: str) -> None:
    world.only_with_consent()
    grant = world.grant(fields=LICENCE)
    fields = {"business-licence": ["fields.kind"]}
    world.refuse(
        lambda: world.apply(what, fields=fields, grant=grant),
        403,
        "field_not_allowed",
        by=world.zj,
    )


def test_a_material_that_the_grant_leaves_out(world: World) -> None:
    world.only_with_consent()
    grant = world.grant(fields=LICENCE)
    shown = world.given(fields=LICENCE, grant=grant)
    assert [one["material"] for one in shown["presentations"]] == ["business-licence"]


# -- asking twice --------------------------------------------------------------------------------------


def test_the_same_again_is_the_same(world: World) -> None:
    first, second = world.given(), world.given()
    for name in ("id", "revision", "statement", "salt", "presentations"):
        assert first[name] == second[name]


def test_the_same_again_later_is_the_same(world: World) -> None:
    first = world.given()
    world.clock.move(timedelta(days=3))
    second = world.given()
    assert (first["statement"], first["salt"]) == (second["statement"], second["salt"])


OTHERS: dict[str, dict[str, Any]] = {
    "another applicant": {"holder_code": B_CODE},
    "an applicant with nothing": {"holder_code": NOBODY},
    "another case": {"situation": CASE},
    "a project too": {"project_code": "2602-440114-04-01-260318"},
    "the project only": {"holder_code": None, "project_code": "2602-440114-04-01-260318"},
    "fewer fields": {"fields": LICENCE},
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_same_case_number_for_another_application(world: World, name: str) -> None:
    world.given()
    world.refuse(lambda: world.fulfil(**OTHERS[name]), 422, "idempotency_mismatch", by=world.zj)


def test_a_case_number_is_each_clients_own(world: World) -> None:
    first = world.given()
    other = world.desk.enrol(CONSTRUCTION.code, ["certificates:read"])
    second = world.given(other, holder_code=B_CODE)
    assert first["id"] != second["id"]
    assert second["presentations"] == []


def withdraw(world: World, slug: str = WORKS) -> None:
    basis = Basis("申请人隐瞒情况", "穗规划资源撤〔2026〕1号", "赵六")
    world.registry.certificates.operate(
        world.records[slug].id, Operation.WITHDRAW, basis=basis, by=CLERK
    )


def test_after_a_withdrawal_it_is_the_next_revision(world: World) -> None:
    first = world.given()
    withdraw(world)
    second = world.given()
    assert (second["id"], second["revision"]) == (first["id"], 2)
    assert second["statement"] != first["statement"]
    assert second["salt"] != first["salt"]
    assert world.records[WORKS].id not in [one["certificate"] for one in second["presentations"]]
    assert world.given()["statement"] == second["statement"]


def test_a_replay_does_not_bring_back_what_was_withdrawn(world: World) -> None:
    credential = world.given()["presentations"][-1]["credential"]
    withdraw(world)
    assert credential not in str(world.given())


def test_a_revoked_grant_is_refused_on_replay(world: World) -> None:
    world.only_with_consent()
    grant = world.grant()
    world.given(grant=grant)
    world.call(world.zj, "DELETE", f"/v1/grants/{grant}")
    world.refuse(lambda: world.fulfil(grant=grant), 403, "grant_not_valid", by=world.zj)
    world.refuse(world.fulfil, 404, "not_found", by=world.zj)


def test_a_rule_that_ended_is_refused_on_replay(world: World) -> None:
    world.given()
    world.withdraw_rules()
    world.refuse(world.fulfil, 404, "not_found", by=world.zj)


def test_a_replay_under_another_grant_says_so(world: World) -> None:
    world.only_with_consent()
    first = world.given(grant=world.grant())
    second = world.given(grant=world.grant())
    assert (second["revision"], second["id"]) == (2, first["id"])


def test_a_new_version_of_the_matter_is_in_the_statement(world: World) -> None:
    """The statement says which version was answered: the old one cannot stand for the new."""
    import json

    from ecert._encoding import to_json
    from tests.adversary.reuse.world import un_b64url

    world.given()
    definition = world.registry.matters.get(MATTER, by=CLERK).to_json()
    newer = {**definition, "version": 2, "promised_days": 4}
    world.registry.matters.add(to_json(newer), by=CLERK)
    claims = json.loads(un_b64url(world.given()["statement"].split(".")[1]))
    assert claims["matter"] == {"code": MATTER, "version": 2}


# -- what is asked for is well formed -------------------------------------------------------------------

BAD: dict[str, dict[str, Any]] = {
    "nobody": {"holder_code": None},
    "no case number": {"case_number": None},
    "no operator": {"operator": None},
    "an unknown member": {"holder_name": "某公司"},
    "a list of holders": {"holder_code": ["91440114MA00000151"]},
    "a grant that is none": {"grant": "91440114MA00000151"},
    "a case that is none": {"situation": "91440114MA00000151"},
    "two lines": {"case_number": "1\n2"},
    "a date that is none": {"due_on": "2026-02-30"},
}


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_application(world: World, name: str) -> None:
    answer = world.fulfil(**BAD[name])
    code = answer.json()["code"]
    assert code in {"body_malformed", "input_invalid"}
    world.refuse(lambda: world.fulfil(**BAD[name]), 400, code)


def test_an_unknown_case(world: World) -> None:
    world.refuse(lambda: world.fulfil(situation="nothing-such"), 400, "input_invalid", by=world.zj)
