"""The page judges the right to issue as the library does: the same hand-written cases."""

from __future__ import annotations

from typing import Any

from tests.browser.conftest import OpenPage, Site
from tests.conftest import vector

CASES = vector("competence/cases.json")
JUDGE = """async ([cases, module]) => {
  const { judgeCompetence } = await import(module);
  return cases.map((one) => {
    const agency = { mayIssue: one.may_issue, closedOn: one.closed_on, zone: one.time_zone };
    const registry = {
      asOf: one.as_of, kept: new Set(one.key_is_kept ? ["kid"] : []),
      retired: new Map(one.key_retired_at === null ? [] : [["kid", one.key_retired_at]]),
    };
    const seal = { iat: one.iat, recipient: one.is_copy ? "x" : null };
    return judgeCompetence({ agency, registry, now: one.now, kid: "kid" }, seal, one.type);
  });
}"""
ANSWER = """async ([cases, module]) => {
  const { responsible } = await import(module);
  return cases.map((one) => {
    const entries = Object.entries(one.agencies).map(([code, mayIssue]) => [code, { mayIssue, zone: one.time_zone }]);
    return responsible({ agencies: new Map(entries) }, one.issuer, one.type, one.at);
  });
}"""


def run(
    open_page: OpenPage, site: Site, script: str, cases: list[dict[str, Any]]
) -> dict[str, Any]:
    page = open_page()
    page.goto(site.url)
    found = page.evaluate(script, [cases, "/static/competence.js"])
    return dict(zip([one["name"] for one in cases], found, strict=True))


def test_the_right_to_issue(open_page: OpenPage, site: Site) -> None:
    found = run(open_page, site, JUDGE, CASES["competence"])
    assert found == {one["name"]: one["expected"] for one in CASES["competence"]}


def test_who_answers_for_it(open_page: OpenPage, site: Site) -> None:
    found = run(open_page, site, ANSWER, CASES["responsible"])
    assert found == {one["name"]: one["expected"] for one in CASES["responsible"]}
