"""Signed documents to judge, and the outside judges: poppler, qpdf, zxing, pyHanko, veraPDF."""

from __future__ import annotations

import html
import io
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from ecert.config import Surroundings, init_registry, open_registry
from ecert.formats.annotation import parse_copy
from ecert.model import Record
from ecert.registry import CopyWish, Registry
from ecert.store import documents
from ecert.testing import SettableClock
from tests.conftest import CLERK, PATIENCE, PLAN, PLANNING, WORKS, need

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"
SLUGS = sorted(path.name for path in SCHEMAS.iterdir() if (path / "v1").is_dir())
GENERAL = "example-notice"  # a type without a face of its own
MILLIMETRE = 72 / 25.4
WISH = CopyWish("示例银行花都支行", "项目贷款审查", date(2026, 12, 31))
LONG_TEXT = "新建住宅若干栋及配套设施，位于示例镇云溪村，四至范围见附图所示界线；" * 34
VERAPDF = ROOT / "tests" / "verapdf"


@dataclass(frozen=True)
class Sample:
    """A document and what it must agree with."""

    data: bytes
    record: Record
    seal: str
    title: str
    kind: Any


@dataclass(frozen=True)
class Samples:
    """Documents of one registry, and the anchor of the agency that signed them."""

    documents: dict[str, Sample]
    anchors: tuple[bytes, ...]
    trust: Any


NAMES = [*SLUGS, GENERAL, "copy", "image", "long", "three-holders"]


def draft(registry: Registry, slug: str, **changes: Any) -> dict[str, Any]:
    """Give a fresh copy of a type's example draft."""
    copied: dict[str, Any] = json.loads(json.dumps(registry.catalogue.newest(slug).example))
    return {**copied, **changes}


def write_general_type(types: Path) -> None:
    """Write a type folder without a face, as somebody who adds a type would."""
    folder = types / GENERAL / "v1"
    folder.mkdir(parents=True)
    source = SCHEMAS / "project-approval" / "v1"
    for name in ("type.json", "schema.json", "example.json"):
        text = (source / name).read_text("utf-8").replace("project-approval", GENERAL)
        (folder / name).write_text(text, "utf-8")
    definition = json.loads((folder / "type.json").read_text("utf-8"))
    definition["name"] = {"zh": "示例通知书", "en": "Example Notice"}
    definition["code"] = {"confirmed": False, "suffix": "988"}
    (folder / "type.json").write_text(json.dumps(definition, ensure_ascii=False), "utf-8")


def seal_picture() -> bytes:
    """Draw an agency's seal: a red ring on a transparent ground."""
    picture = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((10, 10, 290, 290), outline=(200, 0, 0, 160), width=12)
    output = io.BytesIO()
    picture.save(output, "PNG")
    return output.getvalue()


def holder(name: str) -> dict[str, str]:
    """Give a holder with a code that checks."""
    return {"name": name, "code": "91440114MA00000151", "code_type": "001"}


THREE = [holder(f"广州花都示例{part}有限公司") for part in ("安居", "置业", "城建")]


@contextmanager
def opened_home(folder: Path, **plan: Any) -> Iterator[Registry]:
    """Open a trial registry that also knows the type without a face."""
    around = Surroundings(state=folder / "state", clock=SettableClock())
    init_registry(folder / "home", PLAN, around=around).close()
    write_general_type(folder / "home" / "types")
    registry = open_registry(folder / "home", around=around)
    registry.register.allow(PLANNING.code, [GENERAL], basis="穗花编办〔2026〕2号", by=CLERK)
    try:
        yield registry
    finally:
        registry.close()


@cache
def samples() -> Samples:
    """Make the documents that all judges look at, once a run."""
    with (
        tempfile.TemporaryDirectory(prefix="ecert-pages-") as folder,
        opened_home(Path(folder)) as registry,
    ):
        made = {slug: issue_and_print(registry, slug) for slug in (*SLUGS, GENERAL)}
        made["long"] = issue_and_print(
            registry,
            WORKS,
            fields={**draft(registry, WORKS)["fields"], "construction_scale": LONG_TEXT},
        )
        made["three-holders"] = issue_and_print(registry, WORKS, holders=THREE)
        made["copy"] = print_copy(registry, made[WORKS], WISH)
        (agency,) = registry.agencies.all()
        registry.agencies.set_image(agency.code, seal_picture(), by=CLERK)
        made["image"] = issue_and_print(registry, "project-approval")
        trusted = registry.trusted()
        anchors = tuple(trusted.agencies[agency.code].anchors)
        return Samples(made, anchors, registry.trust())


def issue_and_print(registry: Registry, slug: str, **changes: Any) -> Sample:
    """Issue a certificate and give its document."""
    record = registry.certificates.issue(slug, draft(registry, slug, **changes), by=CLERK).record
    data = registry.documents.get(record.id, by=CLERK).data
    kind = registry.catalogue.newest(slug)
    return Sample(data, record, record.seal, kind.name["zh"], kind)


def print_copy(registry: Registry, of: Sample, wish: CopyWish) -> Sample:
    """Make an annotated copy."""
    made = registry.documents.copy(of.record.id, wish, by=CLERK)
    with registry.store.reading() as reading:
        row = documents.copies(reading, of.record.id)[-1]
    assert parse_copy(row.token).copy.recipient == wish.recipient
    return Sample(made.data, of.record, row.seal, of.title, of.kind)


# -- poppler and qpdf -----------------------------------------------------------------------------


def run(program: str, *words: str) -> str:
    """Run a judge and give what it says."""
    done = subprocess.run(
        [need(program), *words], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 0, (program, done.returncode, done.stdout, done.stderr)
    return done.stdout


def text_of(path: Path) -> str:
    """Read a document's words, all blanks left out."""
    return squeeze(run("pdftotext", "-raw", str(path), "-"))


def squeeze(text: str) -> str:
    """Leave out blanks and marks of no width: typst sets them between scripts."""
    return re.sub(r"[\s\u200b]+", "", text)


@dataclass(frozen=True)
class Word:
    """A word on a page and the box it stands in, in points from the upper left corner."""

    page: int
    paper: tuple[float, float]
    box: tuple[float, float, float, float]
    text: str

    def leaves(self, margin: float) -> bool:
        """Tell whether it comes nearer to the paper's edge than so many millimetres."""
        left, top, right, bottom = self.box
        edge = margin * MILLIMETRE
        return (
            *(left < edge, top < edge),
            *(right > self.paper[0] - edge, bottom > self.paper[1] - edge),
        ) != (False,) * 4

    def covers(self, other: Word) -> bool:
        """Tell whether two words stand on one another: a third of the smaller one is shared."""
        wide = min(self.box[2], other.box[2]) - max(self.box[0], other.box[0])
        high = min(self.box[3], other.box[3]) - max(self.box[1], other.box[1])
        smaller = min(self.area, other.area)
        return self.page == other.page and min(wide, high) > 0 and wide * high > smaller / 3

    @property
    def area(self) -> float:
        """The area of its box."""
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


_PAGE = re.compile(r'<page width="([\d.]+)" height="([\d.]+)"')
_WORD = re.compile(r'<word xMin="(.+?)" yMin="(.+?)" xMax="(.+?)" yMax="(.+?)">(.*)</word>')


def words_of(path: Path) -> list[Word]:
    """List the words of a document with their boxes."""
    found: list[Word] = []
    page, paper = 0, (0.0, 0.0)
    for line in run("pdftotext", "-bbox", str(path), "-").splitlines():
        if size := _PAGE.search(line):
            page, paper = page + 1, (float(size[1]), float(size[2]))
        elif word := _WORD.search(line):
            left, top, right, bottom = map(float, word.groups()[:4])
            text = html.unescape(word[5])
            found.append(Word(page, paper, (left, top, right, bottom), text))
    assert found
    return found


def draw(path: Path, resolution: int, *words: str) -> list[Image.Image]:
    """Draw the pages of a document as a printer would, in grey (not as PNG: packing it costs six times the drawing)."""
    with tempfile.TemporaryDirectory() as folder:
        stem = str(Path(folder) / "page")
        run("pdftoppm", "-r", str(resolution), "-gray", *words, str(path), stem)
        return [Image.open(io.BytesIO(one.read_bytes())) for one in sorted(Path(folder).iterdir())]


def codes_in(image: Image.Image) -> list[str]:
    """Read the QR codes in a picture."""
    formats = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    return [found.text for found in zxingcpp.read_barcodes(image, formats=formats)]


# -- veraPDF --------------------------------------------------------------------------------------


def verapdf(files: Iterable[Path]) -> dict[Path, list[str]]:
    """Ask veraPDF which rules of PDF/A-3b each file breaks; none means that it conforms."""
    asked = list(files)
    judge = str(VERAPDF / "Validate.java")
    said = run("java", "-cp", f"{_classes().name}/*", judge, *map(str, asked))
    found: dict[Path, list[str]] = {}
    faults: list[str] = []
    for line in said.splitlines():
        verdict, _, name = line.partition(" ")
        if verdict in {"conforms", "breaks"}:
            faults = found.setdefault(Path(name), [])
        if verdict != "conforms":
            faults.append(line)
    assert found.keys() == set(asked)
    return found


@cache
def _classes() -> tempfile.TemporaryDirectory[str]:
    """Fetch veraPDF's classes with Maven, once a run; its folder vanishes with the object."""
    need("java")
    folder = tempfile.TemporaryDirectory(prefix="ecert-verapdf-")
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder.name}"]
    command = [need("mvn"), "-q", "-B", "-f", str(VERAPDF / "pom.xml"), *goal]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if done.returncode != 0:
        reason = f"Maven could not fetch veraPDF: {done.stdout[-300:]}"
        folder.cleanup()
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


# -- pyHanko --------------------------------------------------------------------------------------


def pyhanko(data: bytes, anchors: Sequence[bytes], **context: Any) -> Any:
    """Let pyHanko validate the one signature of a document under the given anchors."""
    from asn1crypto import x509
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko_certvalidator import ValidationContext

    roots = [x509.Certificate.load(der) for der in anchors]
    (signature,) = PdfFileReader(io.BytesIO(data)).embedded_signatures
    return validate_pdf_signature(
        signature,
        signer_validation_context=ValidationContext(
            trust_roots=roots, allow_fetching=False, **context
        ),
    )
