"""A month of reuse in a district: what the supervisors' page and its picture are drawn from."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from ecert.demo import (
    CONSTRUCTION,
    MARKET,
    MATTER,
    PLANNING,
    REFORM,
    WORKS,
    issue_chain,
    set_up_sharing,
)
from ecert.errors import NotFound
from ecert.model import Actor, Application, Record
from ecert.registry import Registry
from ecert.reuse.sharing import new_rule
from ecert.testing import SettableClock
from tests.conftest import EVERY_TYPE

BY = Actor("王五", purpose="演示")
PLANNING_MATTER = "HD-GH-03"  # 建设工程规划许可证核发
DAYS = 30


def live(registry: Registry, clock: SettableClock) -> dict[str, Record]:
    """Let departments work for thirty days; the clock ends on the last of them."""
    for agency in (REFORM, PLANNING, CONSTRUCTION):
        registry.agencies.add(agency, by=BY, may_issue=EVERY_TYPE)
    set_up_sharing(registry, BY)
    for slug in registry.matters.get(PLANNING_MATTER, by=BY).slugs:
        rule = new_rule(slug, PLANNING.code, legal_basis="国务院令第716号第七条")
        registry.rules.add(rule, by=BY)
    issued = issue_chain(registry, BY)
    clock.move(timedelta(hours=1))
    for day in range(DAYS):
        _work(registry, issued[WORKS].body, day, clock.now.date())
        if day < DAYS - 1:
            clock.move(timedelta(days=1))
    return issued


def _work(registry: Registry, body: Any, day: int, today: date) -> None:
    """Let a day pass: more in the middle of the week, some refused, some cases with promises."""
    holder, project = body["holders"][0]["code"], body["project_code"]
    builders = Actor("李四", CONSTRUCTION.code, "construction-system")
    planners = Actor("陈一", PLANNING.code, "planning-system")
    for number in range(1 + (day * 7) % 5):
        name = f"{day}-{number}"
        accepted = today - timedelta(days=number)
        due = today + timedelta(days=(day * 3) % 9 - number)
        registry.dossiers.fulfil(
            Application(
                MATTER, name, holder, project, accepted_on=accepted, due_on=max(due, accepted)
            ),
            by=builders,
        )
        if number % 2:
            registry.dossiers.fulfil(
                Application(PLANNING_MATTER, name, holder, project), by=planners
            )
    if day % 6 == 0:
        _ask_in_vain(registry, Application(MATTER, f"{day}", holder, project))


def _ask_in_vain(registry: Registry, application: Application) -> None:
    for by in (Actor("孙七", REFORM.code, "reform-system"), Actor("钱八", MARKET.code)):
        try:
            registry.dossiers.checklist(application, by=by)
        except NotFound:
            continue
        raise AssertionError("a department without a rule was answered")
