"""The graph 前后事项 as SVG, from left to right; it carries no script and fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecert.pictures._templates import fill
from ecert.reuse.graph import Graph, Stage, direct_pairs

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 210, 64, 70, 24, 20
_COLOURS = {  # the box, and its border and words
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
Places = Mapping[str, tuple[int, int]]


def graph_svg(graph: Graph) -> str:
    """Draw a graph as one SVG picture."""
    columns: dict[int, list[Stage]] = {}
    for stage in graph.steps:
        columns.setdefault(stage.rank, []).append(stage)
    tallest = max((len(stages) for stages in columns.values()), default=1)
    places = _places(columns)
    return fill(
        "graph.svg",
        width=2 * _MARGIN + len(columns) * (_WIDTH + _GAP_X) - _GAP_X,
        height=2 * _MARGIN + tallest * (_HEIGHT + _GAP_Y) - _GAP_Y,
        arrows=[_arrow(places, before, after) for before, after in direct_pairs(graph)],
        boxes=[_box(stage, places[stage.matter.code], graph.around) for stage in graph.steps],
        box_width=_WIDTH,
        box_height=_HEIGHT,
    )


def _places(columns: Mapping[int, list[Stage]]) -> Places:
    ranks = {rank: place for place, rank in enumerate(sorted(columns))}
    return {
        stage.matter.code: (
            _MARGIN + ranks[rank] * (_WIDTH + _GAP_X),
            _MARGIN + row * (_HEIGHT + _GAP_Y),
        )
        for rank, stages in columns.items()
        for row, stage in enumerate(stages)
    }


def _arrow(places: Places, before: str, after: str) -> str:
    """Give the path of an arrow from the right of one box to the left of another."""
    x1, y1 = places[before][0] + _WIDTH, places[before][1] + _HEIGHT // 2
    x2, y2 = places[after][0] - 2, places[after][1] + _HEIGHT // 2
    bend = _GAP_X // 2
    return f"M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}"


def _box(stage: Stage, place: tuple[int, int], around: str) -> dict[str, Any]:
    fill_colour, line_colour = _COLOURS[stage.state]
    name = stage.matter.name
    return {
        "x": place[0],
        "y": place[1],
        "fill": fill_colour,
        "line": line_colour,
        "thick": 3 if stage.matter.code == around else 1.5,
        "title": f"{name['zh']} · {name['en']} ({stage.matter.code}): {_WORDS[stage.state]}",
        "zh": _cut(name["zh"], 15),
        "en": _cut(name["en"], 34),
        "words": _WORDS[stage.state],
    }


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
