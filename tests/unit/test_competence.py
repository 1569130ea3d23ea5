"""Who had the right to issue, and who answers for it: hand-written cases, the same as the browser's."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from ecert.keys import TrustedRegistry
from ecert.keys.trust import Snapshot, TrustedAgency
from ecert.model import Competence
from ecert.verification.competence import Proof, judge_competence
from ecert.verification.inquiry import Claim
from tests.conftest import PLANNING, vector

CASES = vector("competence/cases.json")
KID = "the key that signed"


def instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def competence(code: str, item: dict[str, Any]) -> Competence:
    first = date.fromisoformat(item["from"])
    return Competence(
        code,
        item["type"],
        first,
        to_day=day(item.get("to")),
        only=item.get("only"),
        successor=item.get("successor"),
        to_entry=item.get("to_entry"),
    )


def agency(
    code: str, held: list[dict[str, Any]] | None, zone: str, closed: str | None = None
) -> TrustedAgency:
    rights = None if held is None else tuple(competence(code, one) for one in held)
    return TrustedAgency(code, "", (), (), time_zone=zone, may_issue=rights, closed_on=day(closed))


@pytest.mark.parametrize("case", CASES["competence"], ids=lambda one: one["name"])
def test_the_right_to_issue(case: dict[str, Any]) -> None:
    issuer = agency(PLANNING.code, case["may_issue"], case["time_zone"], case["closed_on"])
    retired = case["key_retired_at"]
    as_of = case["as_of"]
    registry = TrustedRegistry(
        "https://zz.example.cn",
        {PLANNING.code: issuer},
        (),
        retired={} if retired is None else {KID: instant(retired)},
        kept=frozenset({KID} if case["key_is_kept"] else ()),
        as_of=None if as_of is None else Snapshot(instant(as_of), "zz.example.cn/log", 99),
    )
    claim = Claim(
        registry, "x", PLANNING.code, case["iat"], 0, None, "x", 0, is_copy=case["is_copy"]
    )
    key: Any = SimpleNamespace(kid=KID)
    proof = Proof(key, None, instant(case["now"]))
    assert judge_competence(claim, case["type"], None, proof).code == case["expected"]


@pytest.mark.parametrize("case", CASES["responsible"], ids=lambda one: one["name"])
def test_who_answers_for_it(case: dict[str, Any]) -> None:
    agencies = {
        code: agency(code, held, case["time_zone"]) for code, held in case["agencies"].items()
    }
    registry = TrustedRegistry("https://zz.example.cn", agencies, ())
    found = registry.responsible(case["issuer"], case["type"], case["at"])
    assert found == case["expected"]
