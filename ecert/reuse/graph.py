"""What comes before and after: matters and the certificates between them, as JSON and as a picture.

A matter issues types; a type satisfies materials of other matters. 选址 → 用地 → 工程 → 施工 → 竣工.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ecert.model import Record, Status
from ecert.reuse.matter import Matter

_MOST_PAIRS = 2000  # beyond that a picture says little, and looking for longer ways takes long
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 210, 64, 70, 24, 20
_COLOURS = {
    "valid": ("#e8f5e9", "#2e7d32"),
    "suspended": ("#fff8e1", "#ef6c00"),
    "expired": ("#fff8e1", "#ef6c00"),
    "superseded": ("#eceff1", "#607d8b"),
    "ended": ("#ffebee", "#c62828"),
    "none": ("#ffffff", "#9e9e9e"),
}
_WORDS = {
    "valid": "有效 · valid",
    "suspended": "暂扣 · suspended",
    "expired": "过期 · expired",
    "superseded": "已被取代 · superseded",
    "ended": "已终止 · ended",
    "none": "未办 · not held",
}


@dataclass(frozen=True, slots=True)
class Step:
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
class Edge:
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
    steps: tuple[Step, ...]
    edges: tuple[Edge, ...]

    def to_json(self) -> dict[str, Any]:
        """Give the graph as JSON."""
        return {
            "around": self.around,
            "steps": [one.to_json() for one in self.steps],
            "edges": [one.to_json() for one in self.edges],
        }


def edges_of(matters: Iterable[Matter]) -> list[Edge]:
    """List what leads from matter to matter."""
    listed = list(matters)
    issuing: dict[str, list[str]] = {}
    for one in listed:
        for slug in one.issues:
            issuing.setdefault(slug, []).append(one.code)
    return [
        Edge(before, after.code, slug)
        for after in listed
        for slug in sorted(after.slugs)
        for before in issuing.get(slug, ())
        if before != after.code
    ]


def draw_graph(matters: Sequence[Matter], around: str, records: Iterable[Record] = ()) -> Graph:
    """Find all that comes before and after a matter; with a project's records, each step's state."""
    edges = edges_of(matters)
    after, before = _neighbours(edges)
    kept = {around} | _reached(after, around) | _reached(before, around)
    inside = [one for one in edges if one.before in kept and one.after in kept]
    ranks = _ranks(kept, inside)
    by_type: dict[str, Record] = {}
    for record in records:
        by_type[record.slug] = _better(by_type.get(record.slug), record)
    steps = [
        Step(one, ranks[one.code], *_state(one, by_type)) for one in matters if one.code in kept
    ]
    ordered = sorted(steps, key=lambda step: (step.rank, step.matter.code))
    return Graph(around, tuple(ordered), tuple(inside))


Neighbours = Mapping[str, set[str]]


def _neighbours(edges: Iterable[Edge]) -> tuple[Neighbours, Neighbours]:
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


def _ranks(codes: Iterable[str], edges: Iterable[Edge]) -> dict[str, int]:
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
    return (known if known in _COLOURS else "ended"), found.id


# -- the picture -----------------------------------------------------------------------------------


def to_svg(graph: Graph) -> str:
    """Draw the graph as SVG, from left to right; it carries no script and fetches nothing."""
    columns: dict[int, list[Step]] = {}
    for step in graph.steps:
        columns.setdefault(step.rank, []).append(step)
    places = {
        step.matter.code: (
            _MARGIN + sorted(columns).index(rank) * (_WIDTH + _GAP_X),
            _MARGIN + row * (_HEIGHT + _GAP_Y),
        )
        for rank, steps in columns.items()
        for row, step in enumerate(steps)
    }
    width = 2 * _MARGIN + len(columns) * (_WIDTH + _GAP_X) - _GAP_X
    tallest = max((len(steps) for steps in columns.values()), default=1)
    height = 2 * _MARGIN + tallest * (_HEIGHT + _GAP_Y) - _GAP_Y
    pairs = _direct(graph.edges)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" '
        "font-family=\"system-ui, 'Noto Sans CJK SC', sans-serif\">"
    )
    arrows = [_arrow(places[before], places[after]) for before, after in pairs]
    boxes = [_box(step, places[step.matter.code], graph.around) for step in graph.steps]
    ground = f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    return "\n".join([head, _TITLE, _TIP, ground, *arrows, *boxes, "</svg>"])


_TITLE = "<title>前后事项 · what comes before and after</title>"
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#78909c"/></marker></defs>'
)


def _direct(edges: Sequence[Edge]) -> list[tuple[str, str]]:
    """Leave out an arrow that a longer way says already: the picture shows the next step."""
    pairs = list(dict.fromkeys((edge.before, edge.after) for edge in edges))
    if len(pairs) > _MOST_PAIRS:
        return pairs
    after, _ = _neighbours(edges)
    return [
        (before, then)
        for before, then in pairs
        if not any(then in _reached(after, step) for step in after[before] - {then, before})
    ]


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + _WIDTH, start[1] + _HEIGHT // 2
    x2, y2 = end[0] - 2, end[1] + _HEIGHT // 2
    bend = _GAP_X // 2
    return (
        f'<path d="M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}" fill="none" '
        'stroke="#78909c" stroke-width="1.4" marker-end="url(#tip)"/>'
    )


def _box(step: Step, place: tuple[int, int], around: str) -> str:
    x, y = place
    fill, stroke = _COLOURS[step.state]
    thick = 3 if step.matter.code == around else 1.5
    zh, en = _lines(step.matter.name["zh"], 15), _lines(step.matter.name["en"], 34)
    words = escape(_WORDS[step.state])
    return (
        f"<g><title>{escape(step.matter.name['zh'])} · {escape(step.matter.name['en'])} "
        f"({escape(step.matter.code)}): {words}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="8" fill="{fill}" '
        f'stroke="{stroke}" stroke-width="{thick}"/>'
        f'<text x="{x + 10}" y="{y + 22}" font-size="13" font-weight="600" fill="#212121">{escape(zh)}</text>'
        f'<text x="{x + 10}" y="{y + 38}" font-size="10" fill="#455a64">{escape(en)}</text>'
        f'<text x="{x + 10}" y="{y + 55}" font-size="11" fill="{stroke}">{words}</text></g>'
    )


def _lines(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
