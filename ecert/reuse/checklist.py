"""The checklist 材料清单: of each material a matter asks for, what the registry holds already.

The list is the matter's. Nobody can add a demand to it, and each line says in a sentence what a
clerk may read aloud.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from ecert._encoding import instant
from ecert.model import DEFAULT_ZONE, Record, Status, civil_date
from ecert.reuse.matter import Condition, Demand, Material, Matter, Owner
from ecert.reuse.sharing import Permission, Permissions

_DAY = 86_400


class State(StrEnum):
    """How a material stands."""

    MET = "met"  # 已有
    MISSING = "missing"  # 缺
    EXPIRED = "expired"  # 已过期
    SUSPENDED = "suspended"  # 暂扣中
    SUPERSEDED = "superseded"  # 已被新版本取代
    MAY_FOLLOW = "may_follow"  # 可容缺后补
    NOT_NEEDED = "not_needed"  # 本情形不需要


_EXPLAINED = {  # the nearer to being usable the sooner it is named
    Status.SUSPENDED: State.SUSPENDED,
    Status.EXPIRED: State.EXPIRED,
    Status.SUPERSEDED: State.SUPERSEDED,
}
_ORDER = (*_EXPLAINED, Status.WITHDRAWN, Status.REVOKED, Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What was found: a holder's certificates and a project's, with their status of now.

    ``of_granter`` are the identifiers held by whoever gave the grant, ``without_right`` those that
    their agency had no right to issue.
    """

    of_holder: Sequence[Record]
    of_project: Sequence[Record]
    of_granter: frozenset[str] = frozenset()
    without_right: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a checklist."""

    material: Material
    state: State
    record: Record | None = None
    permission: Permission | None = None
    because: str | None = None
    deadline: date | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the line as JSON, with its sentences."""
        return {
            "material": self.material.code,
            "name": dict(self.material.name),
            "state": self.state.value,
            "because": self.because,
            "certificate": None if self.record is None else _certificate(self.record),
            "fields": list(self.permission.fields) if self.permission and self.record else [],
            "basis": self.permission.to_json() if self.permission and self.record else None,
            "form": self.material.form.value,
            "accepts_paper": self.material.accepts_paper,
            "deadline": None if self.deadline is None else self.deadline.isoformat(),
            "sentence": sentence(self),
        }


@dataclass(frozen=True, slots=True)
class Checklist:
    """What a matter asks for in a situation, line by line."""

    matter: Matter
    situation: str | None
    items: tuple[Item, ...]
    drawn_at: datetime

    @property
    def met(self) -> tuple[Item, ...]:
        """The lines that a certificate satisfies."""
        return tuple(item for item in self.items if item.state is State.MET)

    def to_json(self) -> dict[str, Any]:
        """Give the checklist as JSON."""
        states = [item.state for item in self.items]
        return {
            "matter": {
                "code": self.matter.code,
                "version": self.matter.version,
                "name": dict(self.matter.name),
                "agency": self.matter.agency,
            },
            "situation": self.situation,
            "drawn_at": self.drawn_at.astimezone(UTC)
            .replace(microsecond=0, tzinfo=None)
            .isoformat()
            + "Z",
            "summary": {state.value: states.count(state) for state in State},
            "items": [item.to_json() for item in self.items],
        }


def _certificate(record: Record) -> dict[str, Any]:
    body = record.body
    return {
        "id": record.id,
        "number": body["number"],
        "type": record.slug,
        "issuer": body["issuer"],
        "status": record.status.value,
        "valid_to": body["valid_to"],
        "superseded_by": record.superseded_by,
        "warnings": list(record.warnings),
    }


def draw_up(
    matter: Matter,
    *,
    situation: str | None,
    project_code: str | None,
    holdings: Holdings,
    permissions: Permissions,
    now: datetime,
) -> Checklist:
    """Draw up the checklist of a matter from what was found; pure, nothing is read here."""
    matching = _Matching(project_code, holdings, permissions, now)
    items = tuple(matching.item(one, situation) for one in matter.materials)
    return Checklist(matter, situation, items, now)


@dataclass(frozen=True, slots=True)
class _Matching:
    project_code: str | None
    holdings: Holdings
    permissions: Permissions
    now: datetime

    def item(self, material: Material, situation: str | None) -> Item:
        if not material.is_needed(situation):
            return Item(material, State.NOT_NEEDED)
        found = self.candidates(material)
        fitting = [
            (record, permission)
            for record, permission, demands in found
            if record.status is Status.VALID and self.unmet(record, demands) is None
        ]
        if fitting:
            record, permission = max(fitting, key=lambda one: _lasting(one[0]))
            return Item(material, State.MET, record, permission)
        return self.explain(material, found)

    def candidates(self, material: Material) -> list[tuple[Record, Permission, Sequence[Demand]]]:
        """List the certificates that may be looked at for a material, newest first."""
        of_project = material.owner is Owner.PROJECT
        looked_at = self.holdings.of_project if of_project else self.holdings.of_holder
        options = {one.slug: one.demands for one in material.options}
        return [
            (record, permission, options[record.slug])
            for record in looked_at
            if record.slug in options
            and (permission := self.permissions.get((material.code, record.slug))) is not None
            and (permission.grant is None or record.id in self.holdings.of_granter)
        ]

    def unmet(self, record: Record, demands: Sequence[Demand]) -> str | None:
        """Name the first condition that a certificate does not fulfil."""
        if record.id in self.holdings.without_right:
            return "not_competent"
        if self.now.timestamp() < record.nbf:
            return "not_yet"
        return next((one.kind.value for one in demands if not self.fulfils(record, one)), None)

    def fulfils(self, record: Record, demand: Demand) -> bool:
        if demand.kind is Condition.SAME_PROJECT:
            return (
                self.project_code is not None and self.project_code == record.body["project_code"]
            )
        if demand.kind is Condition.IN_FORCE_FOR:
            last = self.now.timestamp() + demand.days * _DAY
            return record.exp is None or record.exp >= last
        found = _value(record.body, demand.field)
        return any(type(one) is type(found) and one == found for one in demand.values)

    def explain(
        self, material: Material, found: Sequence[tuple[Record, Permission, Sequence[Demand]]]
    ) -> Item:
        """Say why nothing fits: the certificate that comes nearest, and whether it may follow."""
        best = min(found, key=lambda one: self.distance(one[0]), default=None)
        record = None if best is None else best[0]
        permission = None if best is None else best[1]
        state, because = State.MISSING, None
        if best is not None and best[0].status is Status.VALID:
            because = self.unmet(best[0], best[2])
        elif best is not None:
            state = _EXPLAINED.get(best[0].status, State.MISSING)
            because = best[0].status.value
        if material.may_follow_days is None:
            return Item(material, state, record, permission, because)
        deadline = civil_date(self.now, DEFAULT_ZONE) + timedelta(days=material.may_follow_days)
        return Item(material, State.MAY_FOLLOW, record, permission, because, deadline)

    @staticmethod
    def distance(record: Record) -> int:
        return -1 if record.status is Status.VALID else _ORDER.index(record.status)


def _lasting(record: Record) -> tuple[float, int]:
    """Rate what is in force: the longer the better, then the newer."""
    return (float("inf") if record.exp is None else record.exp, record.log_index)


def _value(body: Mapping[str, Any], name: str) -> Any:
    """Find a field by its dotted name; of a list nothing is compared."""
    value: Any = body
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


# -- words for the clerk ---------------------------------------------------------------------------

_BECAUSE = {
    "not_competent": ("签发机构当时无权签发", "its agency had no right to issue it"),
    "not_yet": ("尚未生效", "it is not in force yet"),
    "same_project": ("不是本项目的", "it is of another project"),
    "in_force_for_days": ("剩余有效期不足", "it does not stay in force long enough"),
    "field_in": ("内容不符合要求", "what it says does not fit"),
    "withdrawn": ("已被撤销", "it was withdrawn"),
    "revoked": ("已被吊销", "it was revoked"),
    "cancelled": ("已注销", "it was cancelled"),
    "expired": ("已过期", "it has expired"),
    "suspended": ("正在暂扣", "it is suspended"),
    "superseded": ("已被新版本取代", "it was superseded"),
}


def sentence(item: Item) -> dict[str, str]:
    """Say how a material stands, in words that a clerk can read aloud."""
    zh, en = item.material.name["zh"], item.material.name["en"]
    say = _SENTENCES[item.state]
    words = say(item)
    return {"zh": f"{zh}：{words[0]}", "en": f"{en}: {words[1]}"}


def _number(item: Item) -> str:
    return "" if item.record is None else str(item.record.body["number"])


def _met(item: Item) -> tuple[str, str]:
    end = None if item.record is None or item.record.exp is None else item.record.exp - 1
    last = None if end is None else civil_date(instant(end), DEFAULT_ZONE).isoformat()
    zh = "长期有效" if last is None else f"有效期至{last}"
    en = "in force without end" if last is None else f"in force until {last}"
    number = _number(item)
    warned = () if item.record is None else item.record.warnings
    more_zh = "".join(f"注意：{one['reason']['zh']}。" for one in warned[:1])
    more_en = "".join(f" Mind: {one['reason']['en']}." for one in warned[:1])
    return (
        f"已有（{number}，{zh}），无需提交。{more_zh}",
        f"held already ({number}, {en}); bring nothing.{more_en}",
    )


def _missing(item: Item) -> tuple[str, str]:
    zh, en = _BECAUSE.get(item.because or "", ("库中没有", "the registry holds none"))
    if item.material.accepts_paper:
        return f"{zh}，请提交。", f"{en}; please hand it in."
    return f"{zh}，请先办理。", f"{en}; please obtain it first."


def _explained(item: Item) -> tuple[str, str]:
    zh, en = _BECAUSE[item.state.value]
    more_zh, more_en = "", ""
    if item.state is State.SUPERSEDED and item.record is not None:
        more_zh, more_en = f"（{item.record.superseded_by}）", f" by {item.record.superseded_by}"
    number = _number(item)
    return f"{number}{zh}{more_zh}，不能使用。", f"{number}: {en}{more_en}, and cannot be used."


def _may_follow(item: Item) -> tuple[str, str]:
    return (
        f"可容缺受理，请于{item.deadline}前补交。",
        f"may follow; please hand it in by {item.deadline}.",
    )


def _not_needed(_item: Item) -> tuple[str, str]:
    return "本情形不需要。", "not needed in this situation."


_SENTENCES = {
    State.MET: _met,
    State.MISSING: _missing,
    State.EXPIRED: _explained,
    State.SUSPENDED: _explained,
    State.SUPERSEDED: _explained,
    State.MAY_FOLLOW: _may_follow,
    State.NOT_NEEDED: _not_needed,
}
