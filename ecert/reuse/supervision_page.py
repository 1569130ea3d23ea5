"""The supervisors' page 监察专页: the figures as one page with charts, printable, without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light; --ink: #1f2933; --soft: #616e7c; --line: #d9dee4; --main: #0b6e4f; }
* { box-sizing: border-box; }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: var(--ink); background: #fff;
  font: 15px/1.5 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p.note, td small, .key { color: var(--soft); font-size: .85rem; }
.totals { display: flex; gap: 1rem; flex-wrap: wrap; margin: 1.2rem 0; }
.totals div { flex: 1 1 11rem; border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem; }
.totals b { display: block; font-size: 1.9rem; line-height: 1.2; color: var(--main); }
.totals .refused b { color: #b3261e; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; font-size: .85rem; color: var(--soft); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.bar { width: 34%; } svg { display: block; max-width: 100%; }
.code { white-space: nowrap; }
.light { display: inline-block; min-width: 1.8em; text-align: center; border-radius: .3rem; padding: 0 .35em; }
.green { background: #d7f0e3; } .yellow { background: #fdecb5; } .red { background: #f8d0cc; }
section { break-inside: avoid; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } .totals b { font-size: 1.4rem; } }
"""


def to_html(figures: Mapping[str, Any]) -> str:
    """Draw the figures as one page of HTML; it fetches nothing and names no holder."""
    title = f"{figures['period']['since']} – {figures['period']['until']}"
    head = f"<title>用证监察 · Reuse {escape(title)}</title><style>{_STYLE}</style>"
    note = f'<p class="note">{escape(title)} · {escape(figures["made_at"])}</p>'
    parts = (
        _totals(figures),
        _series(figures["per_day"]),
        _bars("各部门 · By agency", "agency", figures["by_agency"]),
        _bars("各事项 · By matter", "matter", figures["by_matter"]),
        _bars("各证照类型 · By type", "type", figures["by_type"]),
        _promises(figures["promises"]),
        _refusals(figures["refusals"]),
        _unusual(figures["unusual"]),
    )
    return "\n".join((_OPENING, head, "</head><body>", _HEADING, note, *parts, _FOOT))


_OPENING = (
    '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
)
_HEADING = "<h1>电子证照用证监察 <small>· Supervision of reuse</small></h1>"
_FOOT = (
    '<p class="note">免提交材料：一个案件中由证照库满足、申请人未再提交的一份材料，只计一次。'
    "A paper not brought is one material of one case that a certificate satisfied, counted once. "
    "本页不含个人信息。No personal data is on this page.</p></body></html>"
)


def _totals(figures: Mapping[str, Any]) -> str:
    cells = (
        ("免提交材料", "papers not brought", figures["papers_not_brought"], ""),
        ("用证卷宗", "dossiers", figures["dossiers"], ""),
        ("拒绝", "refused", figures["refused"], "refused"),
    )
    boxes = [
        f'<div class="{kind}"><b>{number}</b>{zh} <span class="key">{en}</span></div>'
        for zh, en, number, kind in cells
    ]
    return f'<div class="totals">{"".join(boxes)}</div>'


def _series(days: Sequence[Mapping[str, Any]]) -> str:
    """Draw papers not brought and refusals of each day as columns."""
    width, height, foot = 960, 170, 22
    most = max((row["papers_not_brought"] + row["refusals"] for row in days), default=0) or 1
    step = width / max(1, len(days))
    columns = []
    for place, row in enumerate(days):
        x = place * step + step * 0.15
        top = height - foot
        for value, colour in ((row["papers_not_brought"], "#0b6e4f"), (row["refusals"], "#b3261e")):
            tall = (height - foot - 16) * value / most
            top -= tall
            if value:
                columns.append(
                    f'<rect x="{x:.1f}" y="{top:.1f}" width="{step * 0.7:.1f}" height="{tall:.1f}" '
                    f'fill="{colour}"><title>{escape(row["day"])}: {value}</title></rect>'
                )
    return (
        "<section><h2>逐日 · By day</h2>"
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="by day" font-size="11">'
        f'<line x1="0" y1="{height - foot}" x2="{width}" y2="{height - foot}" stroke="#9aa5b1"/>'
        f'<text x="0" y="11" fill="#616e7c">{most}</text>{"".join(columns)}'
        f"{_dates(days, width, height)}</svg>"
        '<p class="key"><span style="color:#0b6e4f">■</span> 免提交材料 papers not brought '
        '<span style="color:#b3261e">■</span> 拒绝 refused</p></section>'
    )


def _dates(days: Sequence[Mapping[str, Any]], width: int, height: int) -> str:
    if not days:
        return ""
    last = len(days) - 1
    marks = {0: "start", last // 2: "middle", last: "end"}
    return "".join(
        f'<text x="{width * place / max(1, last):.0f}" y="{height - 6}" text-anchor="{anchor}" '
        f'fill="#616e7c">{escape(days[place]["day"])}</text>'
        for place, anchor in marks.items()
    )


def _bars(title: str, key: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write a table whose rows each have a bar."""
    most = max((row["papers_not_brought"] for row in rows), default=0) or 1
    extra = [name for name in ("dossiers", "refusals") if rows and name in rows[0]]
    heads = {"dossiers": "卷宗 dossiers", "refusals": "拒绝 refused"}
    lines = [
        "<tr>"
        f"<td>{_words(row.get('name'))} <small>{escape(str(row[key] or ''))}</small></td>"
        f'<td class="n">{row["papers_not_brought"]}</td>'
        f'<td class="bar">{_bar(row["papers_not_brought"] / most)}</td>'
        + "".join(f'<td class="n">{row[name]}</td>' for name in extra)
        + "</tr>"
        for row in rows
    ]
    more = "".join(f'<th class="n">{heads[name]}</th>' for name in extra)
    head = f'<tr><th></th><th class="n">免提交 papers</th><th></th>{more}</tr>'
    return _table(title, head, lines, 3 + len(extra))


def _bar(share: float) -> str:
    return (
        '<svg viewBox="0 0 200 14" width="100%" height="14" preserveAspectRatio="none">'
        f'<rect width="{200 * share:.1f}" height="14" rx="2" fill="#0b6e4f"/></svg>'
    )


def _promises(rows: Sequence[Mapping[str, Any]]) -> str:
    head = (
        "<tr><th>部门 · agency</th><th>事项 · matter</th>"
        '<th class="n">案件<br>cases</th><th class="n">已办结<br>decided</th>'
        '<th class="n">正常<br>on time</th><th class="n">临期<br>near</th><th class="n">超期<br>late</th>'
        '<th class="n">平均 / 承诺（天）<br>average / promised days</th></tr>'
    )
    lines = [
        "<tr>"
        f'<td>{_words(row["name"])}</td><td><span class="code">{escape(row["matter"])}</span></td>'
        f'<td class="n">{row["cases"]}</td><td class="n">{row["decided"]}</td>'
        + "".join(
            f'<td class="n"><span class="light {colour if row[colour] else ""}">{row[colour]}</span></td>'
            for colour in ("green", "yellow", "red")
        )
        + f'<td class="n">{_number(row["average_days"])} / {_number(row["promised_days"])}</td></tr>'
        for row in rows
    ]
    return _table("时限 · Promised days", head, lines, 8)


def _refusals(rows: Sequence[Mapping[str, Any]]) -> str:
    head = '<tr><th>原因 · reason</th><th class="n">次数 count</th></tr>'
    lines = [
        f'<tr><td><code>{escape(row["code"])}</code></td><td class="n">{row["count"]}</td></tr>'
        for row in rows
    ]
    return _table("拒绝原因 · Why refused", head, lines, 2)


def _unusual(rows: Sequence[Mapping[str, Any]]) -> str:
    head = (
        "<tr><th>日期 · day</th><th>接入系统 · client</th>"
        '<th class="n">当日 reads</th><th class="n">平常 usual a day</th></tr>'
    )
    lines = [
        f"<tr><td>{escape(row['day'])}</td>"
        f"<td>{_words(row['name'])} <small>{escape(str(row['client'])[:12])}</small></td>"
        f'<td class="n">{row["reads"]}</td><td class="n">{row["usual"]}</td></tr>'
        for row in rows
    ]
    return _table("异常调阅 · Reading far above habit", head, lines, 4)


def _table(title: str, head: str, lines: Sequence[str], columns: int) -> str:
    body = "".join(lines) or f'<tr><td colspan="{columns}" class="key">无 · none</td></tr>'
    return f"<section><h2>{title}</h2><table><thead>{head}</thead><tbody>{body}</tbody></table></section>"


def _words(name: Any) -> str:
    if isinstance(name, Mapping):
        return f"{escape(name['zh'])} <small>{escape(name['en'])}</small>"
    return escape(str(name)) if name else "–"


def _number(value: Any) -> str:
    return "–" if value is None else str(value)
