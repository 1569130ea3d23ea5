"""Administrators against their superiors: nobody gives what he lacks, and nobody lifts what another imposed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ecert.errors import DraftError, Forbidden
from ecert.keys import public_jwk
from ecert.keys.file import make_signer
from ecert.model import Actor, Agency, Basis, Operation, Record
from ecert.registry import Registry
from ecert.store import ClientRow
from tests.adversary.reuse.world import credit_code
from tests.conftest import CLERK, PLANNING, WORKS, trail_rows

Drafts = Callable[..., dict[str, Any]]
TOWN = Agency("11440114MA0000096L", "花都区示例镇人民政府（虚构）", "440114", PLANNING.code)
MANAGE = frozenset({"clients:manage", "certificates:read"})
WHY = Basis("变更", "穗规划资源批〔2026〕1号", "赵六")


def enrol(registry: Registry, agency: str, by: Actor = CLERK, **limits: Any) -> ClientRow:
    jwk = public_jwk(make_signer().public_key)
    return registry.clients.add(
        "系统", agency=agency, scopes=limits.pop("scopes", MANAGE), jwk=jwk, by=by, **limits
    )


def speaks_for(row: ClientRow) -> Actor:
    return Actor("李四", row.agency, row.id, scopes=row.allowed)


@pytest.fixture
def town(registry: Registry) -> Registry:
    registry.agencies.add(TOWN, by=CLERK)
    return registry


# -- limits of a client --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "looser"),
    [
        ({"daily_quota": 10}, {"daily_quota": 11}),
        ({"daily_quota": 10}, {"daily_quota": None}),
        ({"addresses": ("10.1.0.0/16",)}, {"addresses": ("10.0.0.0/8",)}),
        ({"addresses": ("10.1.0.0/16",)}, {"addresses": ("10.1.0.0/16", "10.2.0.1")}),
        ({"addresses": ("10.1.0.0/16",)}, {"addresses": ("::/0",)}),
        ({"addresses": ("10.1.0.0/16",)}, {"addresses": ()}),
    ],
    ids=str,
)
def test_a_limit_of_a_superior_is_not_lifted(
    town: Registry, limit: dict[str, Any], looser: dict[str, Any]
) -> None:
    """The district set it for the town's system; the town's own administrator cannot take it away."""
    district = speaks_for(enrol(town, PLANNING.code))
    own = speaks_for(enrol(town, TOWN.code))
    for superior in (CLERK, district):
        row = enrol(town, TOWN.code, superior, **limit)
        with pytest.raises(Forbidden, match="superior"):
            town.clients.change(row.id, by=own, **looser)
        assert town.clients.get(row.id) == row
        town.clients.change(row.id, by=superior, **looser)
    refused = [one for one in trail_rows(town) if one["outcome"] == "forbidden"]
    assert [one["action"] for one in refused] == ["client.change", "client.change"]


def test_a_limit_may_be_tightened_from_below_and_stays_the_superiors(town: Registry) -> None:
    own = speaks_for(enrol(town, TOWN.code))
    row = enrol(town, TOWN.code, daily_quota=10, addresses=("10.1.0.0/16",))
    tighter = town.clients.change(row.id, by=own, daily_quota=5, addresses=("10.1.2.3",))
    assert (tighter.daily_quota, tighter.quota_by) == (5, row.quota_by)
    with pytest.raises(Forbidden):
        town.clients.change(row.id, by=own, daily_quota=11)


def test_what_one_set_oneself_one_lifts(town: Registry) -> None:
    own = speaks_for(enrol(town, TOWN.code))
    row = enrol(town, TOWN.code, own, daily_quota=10)
    assert town.clients.change(row.id, by=own, daily_quota=None).daily_quota is None


def test_a_twin_inherits_the_limits_of_its_maker(town: Registry) -> None:
    maker = enrol(town, TOWN.code, daily_quota=10, addresses=("10.1.0.0/16",))
    twin = enrol(town, TOWN.code, speaks_for(maker))
    assert (twin.daily_quota, twin.addresses) == (10, ("10.1.0.0/16",))
    smaller = enrol(town, TOWN.code, speaks_for(maker), daily_quota=3, addresses=("10.1.9.0/24",))
    assert smaller.daily_quota == 3
    for limits in ({"daily_quota": 11}, {"addresses": ("10.2.0.0/16",)}):
        with pytest.raises(Forbidden):
            enrol(town, TOWN.code, speaks_for(maker), **limits)


def test_a_demand_for_bound_tokens_is_lifted_by_whoever_made_it(town: Registry) -> None:
    own, district = (speaks_for(enrol(town, code)) for code in (TOWN.code, PLANNING.code))
    town.agencies.require_dpop(TOWN.code, requires=True, by=district)
    with pytest.raises(Forbidden, match="superior"):
        town.agencies.require_dpop(TOWN.code, requires=False, by=own)
    assert town.agencies.get(TOWN.code).requires_dpop
    town.agencies.require_dpop(TOWN.code, requires=False, by=district)
    town.agencies.require_dpop(TOWN.code, requires=True, by=own)
    town.agencies.require_dpop(TOWN.code, requires=False, by=own)


# -- operating is not issuing ----------------------------------------------------------------------------------


def operates(*more: str) -> Actor:
    scopes = frozenset({"certificates:operate", *more})
    return Actor("李四", PLANNING.code, "client", scopes=scopes)


@pytest.mark.parametrize("operation", [Operation.CHANGE, Operation.RENEW, Operation.REPLACE])
@pytest.mark.parametrize("subject", ["holder", "project"])
def test_who_operates_alone_keeps_holder_and_project(
    registry: Registry, record: Record, draft_of: Drafts, operation: Operation, subject: str
) -> None:
    other = draft_of()
    if subject == "holder":
        code = credit_code("91440114MA0000016")
        other["holders"] = [{"name": "另一家公司", "code": code, "code_type": "001"}]
    else:
        other["project_code"] = "2602-440114-04-01-260319"
    pointer = "/holders" if subject == "holder" else "/project_code"
    with pytest.raises(DraftError) as refused:
        registry.certificates.operate(record.id, operation, basis=WHY, by=operates(), draft=other)
    assert [(one.pointer, one.rule) for one in refused.value.errors] == [(pointer, "subject_kept")]
    by = operates("certificates:issue")
    registry.certificates.operate(record.id, operation, basis=WHY, by=by, draft=other)


def test_who_operates_alone_changes_the_rest(
    registry: Registry, record: Record, draft_of: Drafts
) -> None:
    draft = draft_of()
    draft["holders"][0]["name"] += "（更名）"
    made = registry.certificates.operate(
        record.id, Operation.CHANGE, basis=WHY, by=operates(), draft=draft
    )
    assert (made.body["supersedes"], made.slug) == (record.id, WORKS)
