"""A district's matters to begin with: its planning and construction chain, and a full set by number.

``district.json`` holds the chain from company registration to the first registration of the title.
The articles it cites are those that the certificate types cite; the codes of matters and agencies
are fictional, and which materials are asked for, and the days promised, are examples: an agency
puts its own published guide in their place. What :func:`generate` adds is made up altogether and is
there to show the size of a real district.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, TypeVar

from ecert._encoding import parse_json, sha256
from ecert.errors import IdentifierError
from ecert.ids import check_credit_code
from ecert.model import Agency
from ecert.samples.district_words import (
    ACTIONS,
    CERTIFICATES,
    CHAIN,
    DIVISION,
    HELD,
    NAMED,
    OWNERS,
    PAPERS,
    SITUATIONS,
    STREET,
)

DEPARTMENTS, MATTERS = 24, 321
_MOST = 899  # the made-up credit codes count from 101 in three digits
_NOTICE = "虚构事项，仅供演示规模，不作为办事依据"
_Item = TypeVar("_Item")


def chain() -> bytes:
    """Give the shipped matters of the planning and construction chain, as a file to read."""
    return files("ecert.samples").joinpath("district.json").read_bytes()


def agencies(departments: int = DEPARTMENTS) -> list[Agency]:
    """Name the district's departments; those of the chain come first.

    Raises: ValueError for fewer than the chain has, or more than there are codes for.
    """
    return [bureau.agency for bureau in _bureaus(departments)]


def generate(departments: int = DEPARTMENTS, matters: int = MATTERS) -> dict[str, Any]:
    """Make a set of so many matters, the shipped chain first; the same numbers give the same set.

    Raises: ValueError as :func:`agencies`.
    """
    bureaus = _bureaus(departments)
    shipped = parse_json(chain())["matters"]
    made = [
        _matter(bureaus[place % departments], place // departments)
        for place in range(matters - len(shipped))
    ]
    return {"matters": [*shipped, *made][:matters]}


# -- one made-up matter ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bureau:
    """A department: what its codes begin with, whose business it does, and its kinds of matter."""

    letters: str
    agency: Agency
    clients: str  # works, places or people: a key of OWNERS and HELD
    stems: tuple[tuple[str, str], ...]


def _matter(bureau: _Bureau, turn: int) -> dict[str, Any]:
    code = f"HD-{bureau.letters}-{101 + turn}"  # the shipped ones have two digits
    situations = _draw(SITUATIONS, _number(code, "situations") % 4, code)
    return {
        "code": code,
        "version": 1,
        "name": _name(bureau, turn),
        "agency": bureau.agency.code,
        "legal_basis": _NOTICE,
        "promised_days": 1 + _number(code, "days") % 30,
        "issues": [],
        "situations": [{"code": name, "name": _words(zh, en)} for name, zh, en in situations],
        "materials": _materials(code, bureau.clients, [name for name, _, _ in situations]),
    }


def _name(bureau: _Bureau, turn: int) -> dict[str, str]:
    """Combine a kind of matter with what is done about it; when all are used, number the parts."""
    rest, stem = divmod(turn, len(bureau.stems))
    part, action = divmod(rest, len(ACTIONS))
    (zh, en), (zh_action, en_action) = bureau.stems[stem], ACTIONS[action]
    zh_part, en_part = (f"·子项{part + 1}", f", part {part + 1}") if part else ("", "")
    return _words(f"{zh}（{zh_action}{zh_part}）", f"{en} ({en_action}{en_part})")


def _materials(code: str, clients: str, situations: Sequence[str]) -> list[dict[str, Any]]:
    """Ask for 3 to 12: a form, some that certificates satisfy, and some that only people have."""
    count, held = 3 + _number(code, "count") % 10, HELD[clients]
    known = min(1 + _number(code, "known") % len(held), count - 1)
    papers = _draw(PAPERS, count - 1 - known, code)
    found = [
        _paper(clients, "application-form", "申请表", "Application form"),
        *(_certificate(code, *one) for one in _draw(held, known, code)),
        *(_paper(clients, *one) for one in papers),
    ]
    return [*found[:2], *(_eased(code, one, situations) for one in found[2:])]


def _paper(clients: str, code: str, zh: str, en: str) -> dict[str, Any]:
    owner = OWNERS[clients]
    return {"code": code, "name": _words(zh, en), "owner": owner, "satisfied_by": []}


def _certificate(matter: str, slug: str, owner: str, *conditions: dict[str, Any]) -> dict[str, Any]:
    """Ask for a certificate and two or more of its fields; those that conditions name come first."""
    zh, en, known = CERTIFICATES[slug]
    fields = [name if "." in name else f"fields.{name}" for name in known.split()]
    count = 2 + _number(matter, slug) % (len(fields) - 1)
    option: dict[str, Any] = {"type": slug, "fields": fields[:count]}
    if conditions:
        option["conditions"] = list(conditions)
    return {"code": slug, "name": _words(zh, en), "owner": owner, "satisfied_by": [option]}


def _eased(matter: str, material: dict[str, Any], situations: Sequence[str]) -> dict[str, Any]:
    """Ask for some materials only in a situation 情形, and let some follow later 容缺."""
    chance = _number(matter, material["code"], "eased")
    if situations and chance % 4 == 0:
        material["situations"] = [situations[chance // 4 % len(situations)]]
    if chance % 5 == 0:
        material["may_follow_days"] = (5, 10, 15, 30)[chance // 5 % 4]
    return material


def _words(zh: str, en: str) -> dict[str, str]:
    return {"zh": zh, "en": en}


def _number(*key: str) -> int:
    """Give a number that looks drawn by lot and is the same on every Python, unlike ``random``'s."""
    return int.from_bytes(sha256("\0".join(key).encode())[:4], "big")


def _draw(items: Sequence[_Item], count: int, key: str) -> list[_Item]:
    """Draw some of the items, in the order in which they stand."""
    order = sorted(range(len(items)), key=lambda place: _number(key, str(place)))
    return [items[place] for place in sorted(order[:count])]


# -- the departments -------------------------------------------------------------------------------


def _bureaus(departments: int) -> list[_Bureau]:
    """Give the bureaus; those beyond the named ones are offices of numbered sub-districts."""
    if not len(CHAIN) <= departments <= _MOST:
        raise ValueError(f"a district has {len(CHAIN)} (those of the chain) to {_MOST} departments")
    blocks = NAMED.strip().split("\n\n")
    for count in range(1, departments - len(blocks) + 1):
        blocks.append(f"JD{count} | people | 花都区示例第{count}街道办事处\n{STREET.strip()}")
    return [_bureau(place, block) for place, block in enumerate(blocks[:departments])]


def _bureau(place: int, block: str) -> _Bureau:
    """Read a block: a line of the department, then a line for each kind of its matters."""
    head, *lines = block.strip().splitlines()
    letters, clients, name = head.split(" | ")
    agency = CHAIN.get(letters) or Agency(_credit_code(place), f"{name}（虚构）", DIVISION)
    stems = tuple((zh, en) for zh, _, en in (line.partition(" | ") for line in lines))
    return _Bureau(letters, agency, clients, stems)


@lru_cache(maxsize=1024)
def _credit_code(place: int) -> str:
    """Make the credit code of a department that does not exist; only ``ids`` knows the check sum."""
    stem = f"11{DIVISION}MA0000{101 + place:03}"
    return next(stem + last for last in "0123456789ABCDEFGHJKLMNPQRTUWXY" if _fits(stem + last))


def _fits(code: str) -> bool:
    try:
        check_credit_code(code)
    except IdentifierError:
        return False
    return True
