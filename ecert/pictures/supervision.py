"""The supervisors' page 监察专页: the figures as one page with charts, printable, without scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ecert.pictures._templates import fill

_CHART_WIDTH, _CHART_HEIGHT, _FOOT, _HEAD = 960, 170, 22, 16
_PAPERS, _REFUSED = "#0b6e4f", "#b3261e"
_SERIES = (("papers_not_brought", _PAPERS), ("refusals", _REFUSED))


def supervision_html(figures: Mapping[str, Any]) -> str:
    """Draw the figures as one page of HTML; it fetches nothing and names no holder."""
    return fill(
        "supervision.html",
        figures=figures,
        title=f"{figures['period']['since']} – {figures['period']['until']}",
        chart=_chart(figures["per_day"]),
        tables=(
            _bars("各部门 · By agency", "agency", figures["by_agency"]),
            _bars("各事项 · By matter", "matter", figures["by_matter"]),
            _bars("各证照类型 · By type", "type", figures["by_type"]),
        ),
    )


def _chart(days: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Lay out papers not brought and refusals of each day as columns."""
    most = max((row["papers_not_brought"] + row["refusals"] for row in days), default=0) or 1
    return {
        "width": _CHART_WIDTH,
        "height": _CHART_HEIGHT,
        "base": _CHART_HEIGHT - _FOOT,
        "most": most,
        "columns": list(_columns(days, most)),
        "dates": _dates(days),
    }


def _columns(days: Sequence[Mapping[str, Any]], most: int) -> Iterator[dict[str, Any]]:
    step = _CHART_WIDTH / max(1, len(days))
    for place, row in enumerate(days):
        top: float = _CHART_HEIGHT - _FOOT
        for name, colour in _SERIES:
            tall = (_CHART_HEIGHT - _FOOT - _HEAD) * row[name] / most
            top -= tall
            if row[name]:
                yield {
                    "x": f"{place * step + step * 0.15:.1f}",
                    "y": f"{top:.1f}",
                    "width": f"{step * 0.7:.1f}",
                    "height": f"{tall:.1f}",
                    "colour": colour,
                    "title": f"{row['day']}: {row[name]}",
                }


def _dates(days: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if not days:
        return []
    last = len(days) - 1
    marks = {0: "start", last // 2: "middle", last: "end"}
    return [
        {
            "x": f"{_CHART_WIDTH * place / max(1, last):.0f}",
            "anchor": anchor,
            "day": days[place]["day"],
        }
        for place, anchor in marks.items()
    ]


def _bars(title: str, key: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Lay out a table whose rows each have a bar."""
    most = max((row["papers_not_brought"] for row in rows), default=0) or 1
    extra = [name for name in ("dossiers", "refusals") if rows and name in rows[0]]
    lines = [
        {
            "name": row.get("name"),
            "key": row[key] or "",
            "papers": row["papers_not_brought"],
            "bar": f"{200 * row['papers_not_brought'] / most:.1f}",
            "extra": [row[name] for name in extra],
        }
        for row in rows
    ]
    return {"title": title, "extra": extra, "rows": lines}
