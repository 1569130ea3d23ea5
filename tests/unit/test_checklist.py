"""The checklist: what is met is good now, permitted and fits; the rest says why it is not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ecert.model import Record, Status
from ecert.reuse.checklist import Checklist, Holdings, Item, State, draw_up
from ecert.reuse.matter import Condition, Demand, Material, Matter, Option, Owner
from ecert.reuse.sharing import Permission, Permissions

NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)  # 09:30 in Guangzhou
SECONDS = int(NOW.timestamp())
DAY = 86_400
PROJECT = "2601-440114-04-01-100001"
SLUGS = ("approval", "licence", "permit")


def record(number: int = 0, slug: str = "licence", **members: Any) -> Record:
    """Make a record that is in force without end."""
    fields = members.pop("fields", {"use": "住宅"})
    project = members.pop("project", None)
    body = {
        "number": f"字第{number}号",
        "issuer": {"code": "x", "name": "局"},
        "valid_to": None,
        "project_code": project,
        "holders": [{"name": "甲"}],
        "fields": fields,
    }
    plain = Record(
        id=f"id-{number}",
        raw=json.dumps(body).encode(),
        issuer="x",
        slug=slug,
        status=Status.VALID,
        since=NOW,
        nbf=SECONDS - DAY,
        exp=None,
        changes=0,
        superseded_by=None,
        log_index=number,
        status_list=0,
        status_index=number,
        digest=b"",
        credential="",
        seal="",
    )
    return replace(plain, **members)


def material(code: str = "m", *options: Option, **members: Any) -> Material:
    """Make a material that a licence satisfies."""
    satisfied = options or (Option("licence", ("holders.name",)),)
    plain = Material(code, {"zh": f"料{code}", "en": code}, Owner.ORGANISATION, satisfied)
    return replace(plain, **members)


def matter(*materials: Material) -> Matter:
    return Matter("M", 1, {"zh": "事", "en": "it"}, "x", (), {}, materials, None, {})


def permit_all(one: Matter, grant: str | None = None) -> Permissions:
    return {
        (material.code, option.slug): Permission(option.fields, None, grant)
        for material in one.materials
        for option in material.options
    }


def drawn(
    one: Matter,
    records: Sequence[Record],
    *,
    permissions: Permissions | None = None,
    situation: str | None = None,
    project: str | None = None,
    granter: frozenset[str] = frozenset(),
) -> Checklist:
    allowed = permit_all(one) if permissions is None else permissions
    return draw_up(
        one,
        situation=situation,
        project_code=project,
        holdings=Holdings(records, records, granter),
        permissions=allowed,
        now=NOW,
    )


def only(*records: Record, **members: Any) -> Item:
    """Draw up a checklist of one material."""
    project = members.pop("project", None)
    (item,) = drawn(matter(material(**members)), records, project=project).items
    return item


# -- properties ----------------------------------------------------------------------------------------

demands = st.one_of(
    st.just(Demand(Condition.SAME_PROJECT)),
    st.builds(lambda days: Demand(Condition.IN_FORCE_FOR, days=days), st.integers(1, 5)),
    st.builds(
        lambda values: Demand(Condition.FIELD_IN, field="fields.use", values=tuple(values)),
        st.lists(st.sampled_from(["住宅", "商业", 1]), min_size=1, max_size=2),
    ),
)
options = st.builds(
    Option,
    st.sampled_from(SLUGS),
    st.just(("holders.name",)),
    st.lists(demands, max_size=2).map(tuple),
)
materials = st.builds(
    Material,
    st.text("abc", min_size=1, max_size=3),
    st.just({"zh": "料", "en": "material"}),
    st.sampled_from(Owner),
    st.lists(options, max_size=3, unique_by=lambda one: one.slug).map(tuple),
    situations=st.frozensets(st.sampled_from(["new", "old"])),
    may_follow_days=st.none() | st.integers(1, 30),
)
matters = st.lists(materials, max_size=4, unique_by=lambda one: one.code).map(
    lambda found: matter(*found)
)


@st.composite
def records(draw: st.DrawFn) -> list[Record]:
    """Give certificates of all kinds, each with another place in the log."""
    return [
        record(
            number,
            draw(st.sampled_from(SLUGS)),
            status=draw(st.sampled_from(Status)),
            nbf=SECONDS + draw(st.sampled_from([-DAY, 0, 1])),
            exp=draw(st.none() | st.integers(-1, 6).map(lambda days: SECONDS + days * DAY)),
            project=draw(st.sampled_from([None, PROJECT, "another"])),
            fields=draw(st.sampled_from([{"use": "住宅"}, {"use": 1}, {}])),
        )
        for number in range(draw(st.integers(0, 6)))
    ]


def fulfils(one: Record, demand: Demand, project: str | None) -> bool:
    """Decide as the words of the matter say; written apart from the code on purpose."""
    body = json.loads(one.raw)
    match demand.kind:
        case Condition.SAME_PROJECT:
            return project is not None and body["project_code"] == project
        case Condition.IN_FORCE_FOR:
            return one.exp is None or one.exp - SECONDS >= demand.days * DAY
        case Condition.FIELD_IN:
            return body["fields"].get("use") in demand.values


@given(
    one=matters,
    of_holder=records(),
    of_project=records(),
    data=st.data(),
    situation=st.sampled_from([None, "new", "old"]),
    project=st.sampled_from([None, PROJECT]),
)
def test_a_checklist_is_the_matters_and_meets_only_with_what_is_good(
    *,
    one: Matter,
    of_holder: list[Record],
    of_project: list[Record],
    data: st.DataObject,
    situation: str | None,
    project: str | None,
) -> None:
    of_project = [replace(found, id=f"p{found.id}") for found in of_project]
    keys = sorted(permit_all(one))
    allowed = data.draw(st.sets(st.sampled_from(keys))) if keys else set()
    granted = data.draw(st.sets(st.sampled_from(keys))) if keys else set()
    granter = frozenset(data.draw(st.sets(st.sampled_from([f"id-{n}" for n in range(6)]))))
    permissions = {
        key: replace(permission, grant="G" if key in granted else None)
        for key, permission in permit_all(one).items()
        if key in allowed
    }
    found = draw_up(
        one,
        situation=situation,
        project_code=project,
        holdings=Holdings(of_holder, of_project, granter),
        permissions=permissions,
        now=NOW,
    )
    assert [item.material for item in found.items] == list(one.materials)
    for item in found.items:
        pool = of_project if item.material.owner is Owner.PROJECT else of_holder
        _check_item(item, pool, permissions, granter, (situation, project))
    assert found.met == tuple(item for item in found.items if item.state is State.MET)
    shown = found.to_json()
    assert sum(shown["summary"].values()) == len(one.materials)


def _check_item(
    item: Item,
    pool: Sequence[Record],
    permissions: Permissions,
    granter: frozenset[str],
    asked: tuple[str | None, str | None],
) -> None:
    situation, project = asked
    needed = not item.material.situations or situation in item.material.situations
    assert (item.state is State.NOT_NEEDED) == (not needed)
    if not needed:
        assert item.record is None
        return
    demanded = {one.slug: one.demands for one in item.material.options}
    looked_at = [
        one
        for one in pool
        if (permission := permissions.get((item.material.code, one.slug))) is not None
        and (permission.grant is None or one.id in granter)
    ]
    good = [
        one
        for one in looked_at
        if one.status is Status.VALID
        and one.nbf <= SECONDS
        and all(fulfils(one, demand, project) for demand in demanded[one.slug])
    ]
    assert (item.state is State.MET) == bool(good)
    if item.record is not None:
        assert item.record in looked_at, "nothing is named that may not be looked at"
        assert item.permission is permissions[item.material.code, item.record.slug]
    if good:
        longest = max(float("inf") if one.exp is None else one.exp for one in good)
        assert item.record in good
        assert (item.record.exp or float("inf")) == longest
        return
    assert (item.record is None) == (not looked_at)
    if item.material.may_follow_days is not None:
        assert item.state is State.MAY_FOLLOW
        assert item.deadline == date(2026, 3, 2) + timedelta(days=item.material.may_follow_days)


@given(records(), st.integers(0, 6))
def test_the_order_in_which_certificates_are_found_does_not_matter(
    found: list[Record], turn: int
) -> None:
    one = matter(material())
    turned = found[turn:] + found[:turn]
    first, second = drawn(one, found).items[0], drawn(one, turned).items[0]
    assert first.state is second.state
    if first.state is State.MET:
        assert first.record == second.record


@given(records())
def test_more_certificates_never_take_back_what_was_met(found: list[Record]) -> None:
    assume(found)
    fewer = drawn(matter(material()), found[:-1]).items[0]
    more = drawn(matter(material()), found).items[0]
    assert fewer.state is not State.MET or more.state is State.MET


# -- one by one ------------------------------------------------------------------------------------------


def test_the_longest_lasting_is_chosen_then_the_newest() -> None:
    short, long = record(1, exp=SECONDS + DAY), record(2, exp=SECONDS + 2 * DAY)
    endless, newer = record(3), record(4)
    assert only(long, short).record == long
    assert only(long, endless, short).record == endless
    assert only(newer, endless).record == only(endless, newer).record == newer


@pytest.mark.parametrize(
    ("demand", "exp", "state"),
    [
        (30, SECONDS + 30 * DAY, State.MET),
        (30, SECONDS + 30 * DAY - 1, State.MISSING),
        (30, None, State.MET),
    ],
)
def test_it_stays_in_force_so_many_days(demand: int, exp: int | None, state: State) -> None:
    chosen = Option("licence", (), (Demand(Condition.IN_FORCE_FOR, days=demand),))
    item = only(record(exp=exp), options=(chosen,))
    assert item.state is state
    assert item.because == (None if state is State.MET else "in_force_for_days")


@pytest.mark.parametrize(
    ("value", "values", "is_met"),
    [
        ("住宅", ("住宅",), True),
        ("住宅", ("商业",), False),
        (1, (1,), True),
        (1, (True,), False),
        (True, (1,), False),
        ("1", (1,), False),
        (None, ("",), False),
        (["住宅"], ("住宅",), False),
    ],
)
def test_a_field_has_one_of_some_values(value: Any, values: tuple[Any, ...], is_met: bool) -> None:
    demand = Demand(Condition.FIELD_IN, field="fields.use", values=values)
    item = only(record(fields={"use": value}), options=(Option("licence", (), (demand,)),))
    assert (item.state, item.because) == (
        (State.MET, None) if is_met else (State.MISSING, "field_in")
    )


def test_what_is_not_in_force_yet_is_missing() -> None:
    assert only(record(nbf=SECONDS)).state is State.MET
    item = only(record(nbf=SECONDS + 1))
    assert (item.state, item.because) == (State.MISSING, "not_yet")
    assert item.to_json()["sentence"]["zh"].endswith("尚未生效，请提交。")


@pytest.mark.parametrize(
    ("status", "state", "zh", "en"),
    [
        (Status.SUSPENDED, State.SUSPENDED, "字第1号正在暂扣，不能使用。", "it is suspended"),
        (Status.EXPIRED, State.EXPIRED, "字第1号已过期，不能使用。", "it has expired"),
        (Status.SUPERSEDED, State.SUPERSEDED, "已被新版本取代（id-2）", "superseded by id-2"),
        (Status.WITHDRAWN, State.MISSING, "已被撤销，请提交。", "it was withdrawn"),
        (Status.REVOKED, State.MISSING, "已被吊销，请提交。", "it was revoked"),
        (Status.CANCELLED, State.MISSING, "已注销，请提交。", "it was cancelled"),
    ],
)
def test_each_status_is_explained(status: Status, state: State, zh: str, en: str) -> None:
    item = only(record(1, status=status, superseded_by="id-2"))
    assert (item.state, item.because) == (state, status.value)
    shown = item.to_json()
    assert zh in shown["sentence"]["zh"]
    assert en in shown["sentence"]["en"]
    assert shown["certificate"]["status"] == status.value


def test_the_nearest_to_being_usable_explains() -> None:
    order = [
        Status.SUSPENDED,
        Status.EXPIRED,
        Status.SUPERSEDED,
        Status.WITHDRAWN,
        Status.REVOKED,
        Status.CANCELLED,
    ]
    for place in range(len(order)):
        found = [record(number, status=status) for number, status in enumerate(order)][place:]
        assert only(*reversed(found)).because == order[place].value


def test_nothing_held_is_said_plainly() -> None:
    assert only().to_json()["sentence"] == {
        "zh": "料m：库中没有，请提交。",
        "en": "m: the registry holds none; please hand it in.",
    }
    assert only(accepts_paper=False).to_json()["sentence"]["zh"].endswith("请先办理。")


def test_what_is_met_need_not_be_brought() -> None:
    last = int(datetime(2026, 12, 31, 16, tzinfo=UTC).timestamp())  # 00:00 of 2027 in Guangzhou
    item = only(record(7, exp=last))
    assert (
        item.to_json()["sentence"]["zh"] == "料m：已有（字第7号，有效期至2026-12-31），无需提交。"
    )
    assert "长期有效" in only(record(7)).to_json()["sentence"]["zh"]


def test_what_may_follow_has_a_day_by_the_district_s_clock() -> None:
    late = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)  # already the 3rd in Guangzhou
    one = matter(material(may_follow_days=5))
    listed = draw_up(
        one,
        situation=None,
        project_code=None,
        holdings=Holdings([], []),
        permissions=permit_all(one),
        now=late,
    )
    (item,) = listed.items
    assert (item.state, item.deadline) == (State.MAY_FOLLOW, date(2026, 3, 8))
    assert "2026-03-08前补交" in item.to_json()["sentence"]["zh"]
    assert listed.to_json()["drawn_at"] == "2026-03-02T16:00:00Z"


def test_what_is_met_does_not_follow() -> None:
    assert only(record(), may_follow_days=5).state is State.MET


def test_a_case_needs_only_its_materials() -> None:
    one = matter(material("a", situations=frozenset({"new"})), material("b"))
    states = [item.state for item in drawn(one, [record()], situation="old").items]
    assert states == [State.NOT_NEEDED, State.MET]
    assert drawn(one, [record()], situation="new").items[0].state is State.MET


def test_a_line_without_permission_tells_nothing() -> None:
    (item,) = drawn(matter(material()), [record()], permissions={}).items
    shown: Mapping[str, Any] = item.to_json()
    assert (item.state, shown["certificate"], shown["fields"], shown["basis"]) == (
        State.MISSING,
        None,
        [],
        None,
    )


def test_a_grant_opens_only_what_its_giver_holds() -> None:
    one = matter(material(owner=Owner.PROJECT))
    permissions = permit_all(one, grant="G")
    found = [record(1, project=PROJECT), record(2, project=PROJECT)]
    (item,) = drawn(one, found, permissions=permissions, project=PROJECT).items
    assert item.record is None
    (item,) = drawn(one, found, permissions=permissions, granter=frozenset({"id-1"})).items
    assert item.record == found[0]
