"""What comes before and after: matters and the certificates between them, as JSON and as a picture.

A matter issues types; a type satisfies materials of other matters. 选址 → 用地 → 工程 → 施工 → 竣工.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ecert.errors import NotFound
from ecert.ledger.standing import standing
from ecert.model import Record, Status
from ecert.reuse.matter import Matter, read_matter
from ecert.store import Reading, foundations, holders, matters

MAX_MATTERS = 10_000
MOST_PAIRS = 2000  # beyond that a picture says little, and looking for longer ways takes long
ENDED = "ended"
STATES = ("valid", "suspended", "expired", "superseded", ENDED, "none")


@dataclass(frozen=True, slots=True)
class Stage:
    """One matter in the graph; ``rank`` is how many steps lie before it at most."""

    matter: Matter
    rank: int
    state: str
    certificate: str | None

    def to_json(self) -> dict[str, Any]:
        """Give the step as JSON."""
        return {
            "matter": self.matter.code,
            "name": dict(self.matter.name),
            "agency": self.matter.agency,
            "issues": list(self.matter.issues),
            "rank": self.rank,
            "state": self.state,
            "certificate": self.certificate,
        }


@dataclass(frozen=True, slots=True)
class Link:
    """That a type, the result of one matter, is a material of another."""

    before: str
    after: str
    slug: str

    def to_json(self) -> dict[str, str]:
        """Give the edge as JSON."""
        return {"before": self.before, "after": self.after, "type": self.slug}


@dataclass(frozen=True, slots=True)
class Graph:
    """Matters and what leads from one to the next, before and after the one asked for."""

    around: str
    steps: tuple[Stage, ...]
    edges: tuple[Link, ...]

    def to_json(self) -> dict[str, Any]:
        """Give the graph as JSON."""
        return {
            "around": self.around,
            "steps": [one.to_json() for one in self.steps],
            "edges": [one.to_json() for one in self.edges],
        }


def links_of(matters: Iterable[Matter]) -> list[Link]:
    """List what leads from matter to matter."""
    listed = list(matters)
    issuing: dict[str, list[str]] = {}
    for one in listed:
        for slug in one.issues:
            issuing.setdefault(slug, []).append(one.code)
    return [
        Link(before, after.code, slug)
        for after in listed
        for slug in sorted(after.slugs)
        for before in issuing.get(slug, ())
        if before != after.code
    ]


def draw_graph(matters: Sequence[Matter], around: str, records: Iterable[Record] = ()) -> Graph:
    """Find all that comes before and after a matter; with a project's records, each step's state."""
    edges = links_of(matters)
    after, before = _neighbours(edges)
    kept = {around} | _reached(after, around) | _reached(before, around)
    inside = [one for one in edges if one.before in kept and one.after in kept]
    ranks = _ranks(kept, inside)
    by_type: dict[str, Record] = {}
    for record in records:
        by_type[record.slug] = _better(by_type.get(record.slug), record)
    steps = [
        Stage(one, ranks[one.code], *_state(one, by_type)) for one in matters if one.code in kept
    ]
    ordered = sorted(steps, key=lambda step: (step.rank, step.matter.code))
    return Graph(around, tuple(ordered), tuple(inside))


Neighbours = Mapping[str, set[str]]


def _neighbours(edges: Iterable[Link]) -> tuple[Neighbours, Neighbours]:
    """Give what lies next to each matter: after it, and before it."""
    after: dict[str, set[str]] = {}
    before: dict[str, set[str]] = {}
    for edge in edges:
        after.setdefault(edge.before, set()).add(edge.after)
        before.setdefault(edge.after, set()).add(edge.before)
    return after, before


def _reached(neighbours: Neighbours, start: str) -> set[str]:
    """Name all that can be reached, the start itself only round a circle."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        fresh = neighbours.get(waiting.pop(), set()) - found
        found |= fresh
        waiting.extend(fresh)
    return found


def _ranks(codes: Iterable[str], edges: Iterable[Link]) -> dict[str, int]:
    """Put each matter after all that it needs; those of one circle stand side by side.

    Circles are found by Kosaraju's two walks, which also give them in the order of what they need.
    """
    after, before = _neighbours(edges)
    ranks: dict[str, int] = {}
    for code in reversed(_finished(sorted(codes), after)):
        if code in ranks:
            continue
        circle, waiting = {code}, [code]
        while waiting:
            fresh = before.get(waiting.pop(), set()) - ranks.keys() - circle
            circle |= fresh
            waiting.extend(fresh)
        needed = {one for member in circle for one in before.get(member, ())} - circle
        rank = max((ranks[one] + 1 for one in needed), default=0)
        ranks.update(dict.fromkeys(circle, rank))
    return ranks


def _finished(codes: Iterable[str], after: Neighbours) -> list[str]:
    """Walk the graph in depth, and name each matter when all after it have been named."""
    order: list[str] = []
    seen: set[str] = set()
    for start in codes:
        path = [] if start in seen else [(start, iter(sorted(after.get(start, ()))))]
        seen.add(start)
        while path:
            _, ahead = path[-1]
            step = next((one for one in ahead if one not in seen), None)
            if step is None:
                order.append(path.pop()[0])
            else:
                seen.add(step)
                path.append((step, iter(sorted(after.get(step, ())))))
    return order


def _better(old: Record | None, new: Record) -> Record:
    if old is None:
        return new
    return max(old, new, key=lambda one: (one.status is Status.VALID, one.log_index))


def _state(matter: Matter, by_type: Mapping[str, Record]) -> tuple[str, str | None]:
    found = next((by_type[slug] for slug in matter.issues if slug in by_type), None)
    if found is None:
        return "none", None
    known = found.status.value
    return (known if known in STATES else ENDED), found.id


def direct_pairs(graph: Graph) -> list[tuple[str, str]]:
    """List what leads to what, without what a longer way says already: a picture shows the next step."""
    pairs = list(dict.fromkeys((link.before, link.after) for link in graph.edges))
    if len(pairs) > MOST_PAIRS:
        return pairs
    after, _ = _neighbours(graph.edges)
    return [
        (before, then)
        for before, then in pairs
        if not any(then in _reached(after, step) for step in after[before] - {then, before})
    ]


# -- from the store ----------------------------------------------------------------------------------


def all_matters(reading: Reading) -> list[Matter]:
    """Give the newest version of every matter."""
    found = matters.listed(reading, "", MAX_MATTERS)
    return [read_matter(one) for one in found]


def project_records(reading: Reading, project_code: str, slugs: Iterable[str]) -> list[Record]:
    """Give a project's certificates, and what its holders hold beside it."""
    wanted = set(slugs)
    return [
        *holders.of_project_holders(reading, project_code, wanted),
        *holders.of_project(reading, project_code, wanted),
    ]


def graph_of(
    reading: Reading, record: Record, may_see: Callable[[Record], bool], now: datetime
) -> Graph:
    """Show what comes before and after a certificate.

    What it rests on directly it names itself; beyond that only what the caller may see counts.
    Raises: NotFound where no matter issues its type.
    """
    listed = all_matters(reading)
    around = next((one for one in listed if record.slug in one.issues), None)
    if around is None:
        raise NotFound("no matter issues certificates of this type")
    below_it, above_it = foundations.chain_of(reading, record.id)
    named = set(record.body["rests_on"])
    others = [one for one in (*below_it, *above_it) if one.id in named or may_see(one)]
    return draw_graph(listed, around.code, standing(reading, [*others, record], now))
