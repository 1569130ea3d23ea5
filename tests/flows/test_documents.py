"""What stands on the pages, read as people and scanners do: words, places, codes, rare characters."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fontTools.ttLib import TTFont
from PIL import Image
from sqlalchemy import func, select

from ecert.config import Plan
from ecert.errors import DraftError, InputError, Refused
from ecert.fonts import font_paths
from ecert.model import civil_date
from ecert.pdf.parts import Parts
from ecert.pdf.read import check_signature, parse_document, read_parts
from ecert.pdf.render import render
from ecert.registry import CopyWish, Registry
from ecert.store import tables
from ecert.testing import SettableClock, temporary_registry
from tests.conftest import CLERK, CONSTRUCTION, EVERY_TYPE, PLAN, PLANNING, WORKS, trail_rows
from tests.flows.pages import (
    GENERAL,
    NAMES,
    ROOT,
    SLUGS,
    THREE,
    WISH,
    Sample,
    Samples,
    Word,
    codes_in,
    draft,
    draw,
    holder,
    issue_and_print,
    opened_home,
    print_copy,
    run,
    samples,
    squeeze,
    text_of,
    words_of,
)

MARGIN = 8  # millimetres of paper that stay blank: what no printer reaches
RARE = "𠮷䶮㛃"
each_document = pytest.mark.parametrize("name", NAMES)
each_type = pytest.mark.parametrize("slug", [*SLUGS, GENERAL])


@pytest.fixture(scope="module")
def made() -> Samples:
    return samples()


@pytest.fixture(scope="module")
def files(made: Samples, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("documents")
    paths = {name: folder / f"{name}.pdf" for name in made.documents}
    for name, path in paths.items():
        path.write_bytes(made.documents[name].data)
    return paths


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One registry for the tests that only issue and print."""
    with opened_home(tmp_path_factory.mktemp("shared")) as registry:
        yield registry


Written = Callable[[Sample], Path]


@pytest.fixture
def write(tmp_path: Path) -> Written:
    """Write a document to a file for the judges."""

    def to_file(sample: Sample) -> Path:
        path = tmp_path / "document.pdf"
        path.write_bytes(sample.data)
        return path

    return to_file


def chinese(day: str) -> str:
    """Write a day as a Chinese document does."""
    year, month, number = day.split("-")
    return f"{year}年{int(month)}月{int(number)}日"


# -- what is said ---------------------------------------------------------------------------------


@each_document
def test_the_page_says_what_was_signed(made: Samples, files: dict[str, Path], name: str) -> None:
    sample, said = made.documents[name], text_of(files[name])
    body = sample.record.body
    assert squeeze(sample.title) in said
    assert squeeze(body["number"]) in said
    for one in body["holders"]:
        assert squeeze(one["name"]) in said
    assert body["issuer"]["name"] in said
    assert body["issuer"]["code"] in said
    assert chinese(body["issued_on"]) in said
    assert "2026-03-0209:30（北京时间）" in said
    assert "仅在127.0.0.1:8000查验" in said
    assert f"证照标识{body['id']}" in said
    labels = sample.kind.definition["face"]
    assert labels["issuer.name"]["zh"] in said
    assert labels["issued_on"]["zh"] in said
    if name != "business-licence":  # its form has neither label nor legal sentence
        assert squeeze(sample.kind.definition["legal_text"]["zh"]) in said
        assert squeeze(labels["holders[].name"]["zh"]) in said


@each_type
def test_every_value_of_the_example_is_printed(
    made: Samples, files: dict[str, Path], slug: str
) -> None:
    sample, said = made.documents[slug], text_of(files[slug])
    units = {"m2": "平方米", "ha": "公顷", "m": "米", "%": "%", "CNY10k": "万元", "1": ""}
    labels = sample.kind.definition["labels"]
    hidden = {"unit_type", "coordinates", *sample.kind.definition["personal"]}
    for member, value in sample.record.body["fields"].items():
        if not isinstance(value, str) or member in hidden:
            continue
        is_day = len(value) == 10 and value[4] == value[7] == "-"
        unit = sample.kind.definition.get("units", {}).get(member, {}).get("unit", "1")
        assert squeeze(chinese(value) if is_day else value + units[unit]) in said, member
        assert squeeze(labels[member]["zh"]) in said, member
    for one in sample.record.body["attachments"]:
        assert squeeze(one["name"]) in said


def test_parties_and_buildings_are_printed(made: Samples, files: dict[str, Path]) -> None:
    for slug in ("construction-permit", "completion-acceptance-filing"):
        said = text_of(files[slug])
        for party in made.documents[slug].record.body["fields"]["parties"]:
            assert party["name"] in said
            assert f"项目负责人：{party['leader']}" in said
            assert party["leader_id"] not in said, "an identity number is not for the page"
    fields = made.documents["completion-acceptance-filing"].record.body["fields"]
    said = text_of(files["completion-acceptance-filing"])
    for building in fields["buildings"]:
        assert squeeze(building["name"]) in said
        assert building["area_above"] in said


def test_identity_numbers_of_holders_are_not_printed(made: Samples, files: dict[str, Path]) -> None:
    name = "rural-construction-planning-permit"
    said = text_of(files[name])
    for one in made.documents[name].record.body["holders"]:
        assert one["code_type"] == "111"
        assert one["code"] not in said


def test_three_holders_are_printed_one_below_the_other(files: dict[str, Path]) -> None:
    words = {one.text: one for one in words_of(files["three-holders"])}
    found = [words[one["name"]] for one in THREE]
    assert len({word.box[0] for word in found}) == 1
    assert found[0].box[3] <= found[1].box[3] <= found[2].box[3]
    assert len({word.box[1] for word in found}) == 3


def test_long_text_flows_to_a_second_page_with_the_title(
    made: Samples, files: dict[str, Path]
) -> None:
    said = run("pdftotext", "-raw", str(files["long"]), "-").split("\f")
    pages = [squeeze(page) for page in said if page.strip()]
    assert len(pages) == 2
    sample = made.documents["long"]
    for place, page in enumerate(pages, start=1):
        assert sample.title in page
        assert squeeze(sample.record.body["number"]) in page
        assert sample.record.body["id"] in page
        assert f"第{place}页共2页" in page
    assert "（续页）" not in pages[0]
    assert "（续页）" in pages[1]
    text = sample.record.body["fields"]["construction_scale"]
    assert squeeze("".join(pages)).count("示例镇云溪村") >= text.count("示例镇云溪村")


def test_a_copy_says_for_whom_and_until_when(made: Samples, files: dict[str, Path]) -> None:
    said = text_of(files["copy"])
    assert f"加注件提供给：{WISH.recipient}用途：{WISH.purpose}有效期至：2026年12月31日" in said
    assert "加注件" not in text_of(files[WORKS])
    watermark = f"仅供{WISH.recipient}用于{WISH.purpose}有效期至2026年12月31日"
    large = {name: set(letters_above(files[name], 20)) for name in ("copy", WORKS)}
    assert set(watermark) <= large["copy"], "no watermark"
    assert not set(watermark) <= large[WORKS]


def letters_above(path: Path, height: float) -> str:
    """Collect the letters that are larger than so many points."""
    return "".join(one.text for one in words_of(path) if one.box[3] - one.box[1] > height)


def test_an_agencys_picture_is_printed(files: dict[str, Path]) -> None:
    listed = {name: run("pdfimages", "-list", str(files[name])) for name in ("image", "copy")}
    assert " 300   300 " in listed["image"]
    assert " 300   300 " not in listed["copy"]


# -- where it stands ------------------------------------------------------------------------------


def check_places(path: Path, *, is_copy: bool = False) -> None:
    """Demand that all words stand on the paper, off its edge, and none upon another."""
    words = words_of(path)
    assert [word for word in words if word.leaves(MARGIN)] == []
    if not is_copy:  # its watermark lies under the words on purpose
        upon = [
            (one.text, other.text)
            for place, one in enumerate(words)
            for other in words[place + 1 :]
            if one.covers(other)
        ]
        assert upon == []


@each_document
def test_every_word_stands_on_the_paper(files: dict[str, Path], name: str) -> None:
    check_places(files[name], is_copy=name == "copy")


def test_a_word_off_the_paper_is_noticed() -> None:
    inside = Word(1, (595, 842), (30, 30, 60, 40), "一")
    assert not inside.leaves(MARGIN)
    for box in ((10, 30, 60, 40), (30, 10, 60, 40), (30, 30, 590, 40), (30, 30, 60, 830)):
        assert replace(inside, box=box).leaves(MARGIN)
    assert inside.covers(replace(inside, box=(40, 30, 70, 40)))
    assert not inside.covers(replace(inside, box=(61, 30, 70, 40)))


def stretched(registry: Registry, slug: str, letter: str, length: int = 200) -> dict[str, Any]:
    """Fill every free text of a draft with one word of so many letters, within its bounds."""
    made = draft(registry, slug)
    kind = registry.catalogue.newest(slug)
    made["fields"] = _filled(made["fields"], kind.schema, letter, length)
    made["holders"] = [{**one, "name": letter * length} for one in made["holders"]]
    made["attachments"] = [{**one, "name": letter * length} for one in made.get("attachments", ())]
    return made


def _filled(value: Any, schema: Mapping[str, Any], letter: str, length: int) -> Any:
    if isinstance(value, dict):
        inner = schema.get("properties", {})
        return {
            name: _filled(one, inner.get(name, {}), letter, length) for name, one in value.items()
        }
    if isinstance(value, list):
        return [_filled(one, schema.get("items", {}), letter, length) for one in value]
    is_free = schema.get("type") == "string" and not {"pattern", "enum", "format"} & schema.keys()
    return letter * min(length, schema.get("maxLength", length)) if is_free else value


@each_type
@pytest.mark.parametrize("letter", ["W", "é", "Ж", "国"])
def test_a_long_word_stays_in_its_cell(
    shared: Registry, write: Written, slug: str, letter: str
) -> None:
    wish = stretched(shared, slug, letter)
    check_places(write(issue_and_print(shared, slug, **wish)))


@each_type
def test_the_longest_numbers_stay_on_the_paper(shared: Registry, write: Written, slug: str) -> None:
    numbers = {"number": f"{slug[0]}{'N' * 63}", "local_number": "M" * 64}
    if shared.catalogue.newest(slug).number.strict:
        del numbers["number"]
    check_places(write(issue_and_print(shared, slug, **numbers)))


@each_type
def test_fifty_holders_stay_on_the_paper(shared: Registry, write: Written, slug: str) -> None:
    holders = [holder(f"广州花都示例安居第{place}有限公司") for place in range(50)]
    path = write(issue_and_print(shared, slug, holders=holders))
    check_places(path)
    said = text_of(path)
    assert all(one["name"] in said for one in holders)


@pytest.mark.parametrize("letter", ["W", "国"])
def test_the_longest_recipient_and_purpose_stay_on_the_paper(
    shared: Registry, write: Written, letter: str
) -> None:
    sample = issue_and_print(shared, WORKS)
    copied = print_copy(shared, sample, CopyWish(letter * 100, letter * 100, WISH.until))
    check_places(write(copied), is_copy=True)
    assert codes_in(draw(write(copied), 150)[0]) == [copied.seal]


@pytest.mark.parametrize("slug", [WORKS, "project-approval"])
@pytest.mark.parametrize("name", ["W" * 60, "花都区规划和自然资源局" * 5], ids=["latin", "chinese"])
def test_an_agency_of_a_long_name(write: Written, slug: str, name: str) -> None:
    agency = replace(PLANNING, name=name)
    with temporary_registry(Plan(PLAN.url, agency, PLAN.database, trial=True)) as registry:
        check_places(write(issue_and_print(registry, slug)))


@each_document
@pytest.mark.parametrize("resolution", [150, 300])
def test_the_code_on_the_page_is_the_seal(
    made: Samples, files: dict[str, Path], name: str, resolution: int
) -> None:
    pages = draw(files[name], resolution)
    assert [codes_in(page) for page in pages] == [
        [made.documents[name].seal],
        *[[]] * (len(pages) - 1),
    ]


# -- characters -----------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", [WORKS, "project-approval"])
def test_rare_characters_in_a_name_are_drawn(shared: Registry, write: Written, slug: str) -> None:
    path = write(issue_and_print(shared, slug, holders=[holder(f"王{RARE}")]))
    (word,) = [one for one in words_of(path) if one.text == f"王{RARE}"]
    (page,) = draw(path, 300)
    pieces = [glyph(page, word, place) for place in range(4)]
    inks = [sum(value < 128 for value in piece.tobytes()) for piece in pieces]
    assert min(inks) > inks[0] / 2, "a character is blank"
    assert len({piece.tobytes() for piece in pieces}) == 4, "two look alike, as empty boxes do"


def glyph(page: Image.Image, word: Word, place: int) -> Image.Image:
    """Cut one of four characters out of a page."""
    left, top, right, bottom = (side * 300 / 72 for side in word.box)
    wide = (right - left) / 4
    cut = page.crop(
        (round(left + place * wide), round(top), round(left + (place + 1) * wide), round(bottom))
    )
    return cut.convert("L").resize((48, 60))


@pytest.fixture(scope="module")
def undrawn() -> str:
    """An ideograph that none of the fonts has."""
    drawn: set[int] = set()
    for path in font_paths():
        with TTFont(path, lazy=True) as font:
            drawn |= font.getBestCmap().keys()
    return next(chr(code) for code in range(0x20000, 0x2A6DF) if code not in drawn)


def counts(registry: Registry) -> list[int]:
    """Count what an issue, a copy or an agency would add."""
    kept = (tables.certificates, tables.copies, tables.documents, tables.agencies)
    with registry.store.reading() as reading:
        rows = [
            int(reading.connection.execute(select(func.count()).select_from(one)).scalar_one())
            for one in kept
        ]
    return [*rows, registry.log.head().size]


@pytest.mark.parametrize("place", ["holders", "fields", "attachments", "local_number"])
def test_what_cannot_be_printed_is_not_issued(registry: Registry, undrawn: str, place: str) -> None:
    wish = draft(registry, WORKS)
    if place == "holders":
        wish["holders"][0]["name"], pointer = f"王{undrawn}", "/holders/0/name"
    elif place == "fields":
        wish["fields"]["project_name"], pointer = f"{undrawn}项目", "/fields/project_name"
    elif place == "attachments":
        wish["attachments"][0]["name"], pointer = f"{undrawn}.pdf", "/attachments/0/name"
    else:
        wish["local_number"], pointer = f"{undrawn}〔2026〕1号", "/local_number"
    before = counts(registry)
    with pytest.raises(DraftError) as refusal:
        registry.certificates.issue(WORKS, wish, by=CLERK)
    assert refusal.value.code == "draft_does_not_fit"
    (fault,) = refusal.value.errors
    assert (fault.pointer, fault.rule) == (pointer, "unprintable_character")
    named = f"U+{ord(undrawn):04X}"
    assert all(undrawn in words and named in words for words in (fault.zh, fault.en))
    assert counts(registry) == before
    record = registry.certificates.issue(WORKS, draft(registry, WORKS), by=CLERK).record
    assert record.body["number"].endswith("0000001号"), "the refusal used up a number"


def test_an_agency_of_an_unprintable_name_is_refused(registry: Registry, undrawn: str) -> None:
    before = counts(registry)
    with pytest.raises(InputError, match=f"{undrawn}.*U\\+{ord(undrawn):04X}"):
        registry.agencies.add(
            replace(CONSTRUCTION, name=f"{undrawn}局"), by=CLERK, may_issue=EVERY_TYPE
        )
    assert counts(registry) == before


def test_an_agencys_short_name_does_not_stop_its_documents(
    registry: Registry, undrawn: str
) -> None:
    """The short name is part of the numbers that are minted: it must be refused, or be printed."""
    code = CONSTRUCTION.code
    try:
        registry.agencies.add(
            replace(CONSTRUCTION, short_name=f"穗{undrawn}"), by=CLERK, may_issue=EVERY_TYPE
        )
    except InputError:
        return
    record = registry.certificates.issue(
        WORKS, draft(registry, WORKS), by=CLERK, agency=code
    ).record
    assert registry.documents.get(record.id, by=CLERK).data


@pytest.mark.parametrize("member", ["recipient", "purpose"])
def test_a_copy_that_cannot_be_printed_is_refused(
    registry: Registry, undrawn: str, member: str
) -> None:
    record = registry.certificates.issue(WORKS, draft(registry, WORKS), by=CLERK).record
    before = counts(registry)
    wish = replace(WISH, **{member: f"示例{undrawn}"})  # type: ignore[arg-type]  # both are texts
    with pytest.raises(Refused, match=f"{member}.*{undrawn}.*U\\+{ord(undrawn):04X}") as refusal:
        registry.documents.copy(record.id, wish, by=CLERK)
    assert refusal.value.code == "refused"
    assert counts(registry) == before
    last = trail_rows(registry)[-1]
    assert (last["action"], last["outcome"]) == ("copy", "refused")


# -- the same parts, the same bytes ---------------------------------------------------------------

RENDERER = """
import hashlib, json, sys
from ecert.catalogue import load_catalogue
from ecert.pdf.parts import Parts
from ecert.pdf.render import render
asked = json.load(sys.stdin)
catalogue = load_catalogue()
for slug, parts in asked:
    image = parts.pop("image")
    made = Parts(**parts, image=None if image is None else bytes.fromhex(image))
    print(hashlib.sha256(render(made, catalogue.newest(slug))).hexdigest())
"""
REDRAWN = [name for name in NAMES if name != GENERAL]  # its folder is in the home


def parts_of(sample: Sample) -> Parts:
    """Take the parts out of a document."""
    return read_parts(check_signature(parse_document(sample.data)))


def test_another_process_draws_the_same_bytes(made: Samples) -> None:
    asked, wanted = [], []
    for name in reversed(REDRAWN):  # in another order: what was drawn before has no influence
        sample = made.documents[name]
        parts = parts_of(sample)
        image = None if parts.image is None else parts.image.hex()
        shown = {**parts.texts()}
        members = {
            "credential": parts.credential,
            "receipt": parts.receipt,
            "seal": parts.seal,
            "copy": parts.copy,
            "copy_receipt": parts.copy_receipt,
            "image": image,
        }
        assert len(shown) == sum(one is not None for one in members.values()) - bool(image)
        asked.append([sample.kind.slug, members])
        first = sample.data[: sample.data.index(b"%%EOF") + len(b"%%EOF\n")]
        wanted.append(hashlib.sha256(first).hexdigest())
    done = subprocess.run(
        [sys.executable, "-c", RENDERER],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "TZ": "America/New_York", "LANG": "C", "PATH": ""},
        cwd=ROOT,
    )
    assert done.stdout.split() == wanted


def test_the_order_of_drawing_does_not_matter(made: Samples) -> None:
    for name in (*NAMES, *reversed(NAMES)):
        sample = made.documents[name]
        assert sample.data.startswith(render(parts_of(sample), sample.kind)), name


def test_other_parts_make_other_bytes(made: Samples) -> None:
    sample = made.documents[WORKS]
    parts = parts_of(sample)
    other = replace(parts, seal=made.documents["three-holders"].seal)
    assert render(other, sample.kind) != render(parts, sample.kind)
    assert not sample.data.startswith(render(other, sample.kind))


@each_document
def test_each_document_verifies(made: Samples, name: str) -> None:
    from ecert.catalogue import load_catalogue
    from ecert.verification import Verifier

    sample = made.documents[name]
    verifier = Verifier(made.trust, catalogue=load_catalogue())
    report = verifier.verify(sample.data, at=date(2026, 3, 3))
    steps = {step.step: step for step in report.steps}
    assert steps["signature"].code == "signature_good"
    is_known = name != GENERAL  # a stranger does not have the folder in the home
    assert steps["agreement"].code == ("agreement_good" if is_known else "template_unknown")


def test_a_copy_that_has_lapsed_is_not_given_again() -> None:
    """The same wish is the same copy, until its day is over."""
    clock = SettableClock()
    with temporary_registry(clock=clock) as registry:
        example = dict(registry.catalogue.newest(WORKS).example)
        record = registry.certificates.issue(WORKS, example, by=CLERK).record
        wish = CopyWish("示例银行", "贷款审查", civil_date(clock(), PLANNING.time_zone))
        first, again = (registry.documents.copy(record.id, wish, by=CLERK) for _ in range(2))
        assert first.data == again.data
        clock.move(timedelta(days=1))
        with pytest.raises(Refused, match="past"):
            registry.documents.copy(record.id, wish, by=CLERK)
