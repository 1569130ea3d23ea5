"""The graph: every step after what it needs, circles too, and a picture that holds nothing hostile."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecert.model import Status
from ecert.pictures import graph_svg
from ecert.reuse.graph import Graph, draw_graph, links_of
from ecert.reuse.matter import Material, Matter, Option, Owner
from tests.unit.test_checklist import record

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script>\"'&]]><!-- --><svg onload=x>&#x3c;{{7*7}}"


def step(
    code: str, needs: Iterable[str] = (), issues: Iterable[str] = (), name: str = ""
) -> Matter:
    """Make a matter that needs some types and issues some."""
    words = {"zh": name or f"事{code}", "en": name or f"matter {code}"}
    materials = tuple(
        Material(f"m{place}", words, Owner.PROJECT, (Option(slug, ()),))
        for place, slug in enumerate(needs)
    )
    return Matter(code, 1, words, "x", tuple(issues), {}, materials, None, {})


CHAIN = [
    step("site", (), ("site",)),
    step("land", ("site",), ("land",)),
    step("works", ("site", "land"), ("works",)),
    step("build", ("works",), ("build",)),
    step("finish", ("build",), ("finish",)),
    step("alone", ("licence",), ("other",)),
]


def ranks(graph: Graph) -> dict[str, int]:
    return {one.matter.code: one.rank for one in graph.steps}


def test_all_before_and_after_is_shown_in_order() -> None:
    graph = draw_graph(CHAIN, "works")
    assert ranks(graph) == {"site": 0, "land": 1, "works": 2, "build": 3, "finish": 4}
    assert [one.matter.code for one in graph.steps] == ["site", "land", "works", "build", "finish"]
    assert {(one.before, one.after, one.slug) for one in graph.edges} == {
        ("site", "land", "site"),
        ("site", "works", "site"),
        ("land", "works", "land"),
        ("works", "build", "works"),
        ("build", "finish", "build"),
    }
    shown = graph.to_json()
    assert shown["around"] == "works"
    assert {one["state"] for one in shown["steps"]} == {"none"}


def test_a_matter_by_itself_is_a_draw_graph_one() -> None:
    graph = draw_graph(CHAIN, "alone")
    assert (ranks(graph), graph.edges) == ({"alone": 0}, ())
    assert ET.fromstring(graph_svg(graph)).tag == f"{SVG}svg"  # noqa: S314 - our own


def test_a_matter_does_not_lead_to_itself() -> None:
    assert links_of([step("renew", ("permit",), ("permit",))]) == []


graphs = st.lists(
    st.tuples(st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7), max_size=2)),
    min_size=1,
    max_size=8,
).map(
    lambda found: [
        step(f"c{place}", [f"t{n}" for n in sorted(needs)], [f"t{n}" for n in sorted(issues)])
        for place, (needs, issues) in enumerate(found)
    ]
)


def reached(edges: Mapping[str, set[str]], start: str) -> set[str]:
    """Name what can be reached from a step, by one step at least."""
    found: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        at = waiting.pop()
        if at not in found:
            found.add(at)
            waiting += edges.get(at, ())
    return found


@given(graphs)
def test_every_step_comes_after_what_it_needs(matters: list[Matter]) -> None:
    after: dict[str, set[str]] = {}
    for edge in links_of(matters):
        after.setdefault(edge.before, set()).add(edge.after)
    graph = draw_graph(matters, "c0")
    found = ranks(graph)
    before = {code for code in (one.code for one in matters) if "c0" in reached(after, code)}
    assert set(found) == {"c0"} | before | reached(after, "c0")
    for edge in graph.edges:
        assert {edge.before, edge.after} <= found.keys()
        in_a_circle = edge.before in reached(after, edge.after)
        assert in_a_circle or found[edge.before] < found[edge.after]
    assert all(0 <= rank < len(found) for rank in found.values())
    assert [one.rank for one in graph.steps] == sorted(one.rank for one in graph.steps)


@given(graphs)
def test_every_picture_is_well_formed(matters: list[Matter]) -> None:
    graph = draw_graph(matters, "c0")
    root = ET.fromstring(graph_svg(graph))  # noqa: S314 - our own
    boxes = root.findall(f"{SVG}g")
    assert len(boxes) == len(graph.steps)
    arrows = root.findall(f"{SVG}path")
    assert len(arrows) <= len({(one.before, one.after) for one in graph.edges})
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    places = set()
    for box in boxes:
        drawn = box.find(f"{SVG}rect")
        assert drawn is not None
        x, y = float(drawn.attrib["x"]), float(drawn.attrib["y"])
        assert 0 <= x <= width - float(drawn.attrib["width"])
        assert 0 <= y <= height - float(drawn.attrib["height"])
        places.add((x, y))
    assert len(places) == len(boxes), "no box covers another"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60))
def test_no_name_breaks_the_picture(name: str) -> None:
    """Names are one line of words, but may hold what XML cannot: U+FFFE for one."""
    root = ET.fromstring(graph_svg(draw_graph([step("a", name=name)], "a")))  # noqa: S314 - our own
    assert "".join(root.itertext()).count(name) >= 1 or len(name) > 15


def test_a_hostile_name_stays_words() -> None:
    matters = [step("a", (), ("t",), HOSTILE), step("b", ("t",), (), HOSTILE)]
    drawn = graph_svg(draw_graph(matters, "a"))
    root = ET.fromstring(drawn)  # noqa: S314 - our own
    tags = {one.tag.removeprefix(SVG) for one in root.iter()}
    assert tags == {"svg", "title", "defs", "marker", "path", "rect", "g", "text"}
    assert not [name for one in root.iter() for name in one.attrib if name.startswith("on")]
    assert HOSTILE in "".join(root.itertext())
    assert "href" not in drawn
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")


# -- a project's states ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (Status.VALID, "valid"),
        (Status.SUSPENDED, "suspended"),
        (Status.EXPIRED, "expired"),
        (Status.SUPERSEDED, "superseded"),
        (Status.CANCELLED, "ended"),
        (Status.WITHDRAWN, "ended"),
        (Status.REVOKED, "ended"),
    ],
)
def test_each_step_shows_how_it_stands(status: Status, state: str) -> None:
    graph = draw_graph(CHAIN, "works", [record(1, "land", status=status)])
    states = {one.matter.code: (one.state, one.certificate) for one in graph.steps}
    assert states["land"] == (state, "id-1")
    assert states["site"] == ("none", None)
    assert json.dumps(graph.to_json())


def test_of_several_certificates_the_one_in_force_counts_then_the_newest() -> None:
    ended = [record(number, "land", status=Status.CANCELLED) for number in (8, 9)]
    for records in ([*ended, record(1, "land")], [record(1, "land"), *ended]):
        (found,) = [one for one in draw_graph(CHAIN, "land", records).steps if one.rank == 1]
        assert (found.state, found.certificate) == ("valid", "id-1")
    (found,) = [one for one in draw_graph(CHAIN, "land", ended).steps if one.rank == 1]
    assert found.certificate == "id-9"


# -- the size of a real registry -------------------------------------------------------------------------


def test_a_long_chain_is_drawn() -> None:
    """A file may hold 2000 matters; a department's definition must not break the service."""
    matters = [step(f"c{n}", (f"t{n - 1}",), (f"t{n}",)) for n in range(1500)]
    graph = draw_graph(matters, "c700")
    assert len(graph.steps) == 1500
    assert max(ranks(graph).values()) == 1499
    assert graph_svg(graph)


def test_hundreds_of_towns_with_the_same_matter_are_drawn() -> None:
    """Each town renews the same permit: every matter leads to every other."""
    matters = [step(f"c{n}", ("permit",), ("permit",)) for n in range(500)]
    assert len(draw_graph(matters, "c0").steps) == 500
