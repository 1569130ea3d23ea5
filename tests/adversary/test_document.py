"""Signed PDF files and annotated copies that were tampered with, by strangers and by insiders."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pikepdf
import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic

from ecert.catalogue import CertificateType
from ecert.formats.qr import to_svg
from ecert.keys import Role, SigningKey
from ecert.model import Basis, Operation, Record
from ecert.pdf.parts import Parts
from ecert.pdf.render import render
from ecert.pdf.sign import sign
from ecert.registry import CopyWish, Registry
from ecert.testing import OPERATOR, SettableClock, temporary_registry
from ecert.verification import Report, Verifier
from tests.adversary.forge import (
    P256_ORDER,
    STATUS_SIGNING,
    Authority,
    Cose,
    Sd,
    Stolen,
    Wish,
    b64,
    elsewhere,
    expect,
    flip,
    make_authority,
    new_key,
    sign_jwt,
    trust_with,
    un_b64url,
    verifier_of,
)
from tests.adversary.forge_document import (
    Hand,
    attach,
    claimed,
    der,
    draw_over,
    hexadecimal_of,
    message_of,
    oid,
    rewritten,
    signed_data,
    spaces_of,
    updated,
    verify_within,
    with_hexadecimal,
    with_message,
    with_place,
)
from tests.conftest import CLERK, CONSTRUCTION, EVERY_TYPE, WORKS

Drafts = Callable[..., dict[str, Any]]
READ = {"read": "read_document"}
GOOD = {
    **READ,
    "signature": "signature_good",
    "type": "type_good",
    "time": "time_good",
    "log": "log_good",
    "status": "status_good",
    "agreement": "agreement_good",
}
FORGED = {**READ, "signature": "document_signature_bad", "agreement": "not_reached"}
UNREACHED = {"signature": "not_reached", "agreement": "not_reached"}
NO_DOCUMENT = {"signature": "not_reached", "agreement": "agreement_none"}
UPDATED = {**READ, "signature": "document_updated"}
CHANGED = {**READ, "signature": "signature_good", "agreement": "page_changed"}
DIFFERS = {**READ, "signature": "signature_good", "agreement": "page_differs"}
SEAL_DIFFERS = {**READ, "signature": "signature_good", "agreement": "seal_differs"}
TEXT_ONLY = {**GOOD, "agreement": "agreement_text"}
UNTIL = date(2026, 4, 30)
WISH = CopyWish("示范银行", "办理贷款", UNTIL)
PAST_THE_COPY = datetime(2026, 4, 30, 16, 0, tzinfo=UTC)  # 1 May, 00:00 in Guangzhou
MOMENT = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
_M = claimed(MOMENT)
Writer = Any  # pyHanko's IncrementalPdfFileWriter; half of its methods have no types
N: Any = generic.NameObject
D: Any = generic.DictionaryObject
A: Any = generic.ArrayObject
NUMBER: Any = generic.NumberObject
TEXT: Any = generic.TextStringObject
BOOLEAN: Any = generic.BooleanObject


@dataclass(frozen=True)
class Case:
    """One certificate with its document and a copy, another certificate, and the agency's key."""

    registry: Registry
    record: Record
    other: Record
    data: bytes
    other_data: bytes
    copy: bytes
    kind: CertificateType
    key: SigningKey
    parts: Parts
    copy_parts: Parts
    other_parts: Parts

    @property
    def code(self) -> str:
        return self.record.issuer

    def page(self, **changes: Any) -> bytes:
        return render(replace(self.parts, **changes), self.kind)

    def copy_page(self, **changes: Any) -> bytes:
        return render(replace(self.copy_parts, **changes), self.kind)

    def signed(self, page: bytes, *, at: datetime = MOMENT) -> bytes:
        """Sign whatever is given, as a careless agency does."""
        return sign(page, self.key, name="某局", at=at)

    def hand(self) -> Hand:
        """Give the agency's key as an insider holds it."""
        return Hand(Stolen(self.registry).key(Role.AGENCY, self.code), self.key.chain[0])

    def verify(self, data: bytes | str, **wishes: Any) -> Report:
        return self.registry.verify(data, **wishes)


def _inside(data: bytes) -> Parts:
    with pikepdf.open(io.BytesIO(data)) as pdf:
        texts = {name: one.get_file().read_bytes() for name, one in pdf.attachments.items()}
    found = {name: data.decode() for name, data in texts.items()}
    return Parts(
        found["credential.sd-jwt"],
        found["receipt.tlog-proof"],
        found["seal.txt"],
        found.get("copy.jwt"),
        found.get("copy-receipt.tlog-proof"),
    )


@pytest.fixture(scope="module")
def case(draft_of: Drafts) -> Iterator[Case]:
    with temporary_registry() as registry:
        yield _case(registry, draft_of)


def _case(registry: Registry, draft_of: Drafts) -> Case:
    agency = registry.agencies.get(None).code
    record, other = (
        registry.certificates.issue(WORKS, draft_of(), by=OPERATOR).record,
        registry.certificates.issue(
            WORKS, draft_of(holders=[{**draft_of()["holders"][0], "name": "另一公司"}]), by=OPERATOR
        ).record,
    )
    data = registry.documents.get(record.id, by=OPERATOR).data
    other_data = registry.documents.get(other.id, by=OPERATOR).data
    copied = registry.documents.copy(record.id, WISH, by=OPERATOR).data
    return Case(
        registry,
        record,
        other,
        data,
        other_data,
        copied,
        registry.catalogue.newest(WORKS),
        registry.keys.ring.signing_key(Role.AGENCY, agency),
        _inside(data),
        _inside(copied),
        _inside(other_data),
    )


@pytest.fixture(scope="module")
def stranger(case: Case) -> Hand:
    """A key whose certificate names the agency's code, under a root of its own."""
    return Hand(*make_authority().leaf(case.code))


# -- what is genuine -----------------------------------------------------------------------------------


def test_what_is_genuine(case: Case) -> None:
    """All below change one thing in these, so these must be good, and so must our own tools."""
    expect(case.verify(case.data), "valid", **GOOD)
    expect(case.verify(case.copy), "valid", **GOOD)
    expect(case.verify(case.signed(case.page())), "valid", **GOOD)
    expect(case.verify(case.signed(case.copy_page())), "valid", **GOOD)
    expect(case.verify(case.hand().sign(case.data)), "valid", **GOOD)


def _unchanged(pdf: pikepdf.Pdf) -> None:
    """Write the same again."""


def _renamed(page: bytes, change: Callable[[pikepdf.Pdf], object] = _unchanged) -> bytes:
    """Write a page anew as if another version had drawn it, with changes."""

    def rename(pdf: pikepdf.Pdf) -> None:
        pdf.docinfo["/Keywords"] = "ecert page 0, typst 0.0.1"
        change(pdf)

    return rewritten(page, rename)


def test_a_page_that_another_version_drew(case: Case) -> None:
    expect(case.verify(case.signed(_renamed(case.page()))), "valid", **TEXT_ONLY)


# -- page, record and code -----------------------------------------------------------------------------


def _with_parts(page: bytes, parts: Parts, *names: str, claims_version: bool) -> bytes:
    """Put some parts' attachments into a page drawn from others."""

    def swap(pdf: pikepdf.Pdf) -> None:
        for name, text in parts.texts().items():
            if not names or name in names:
                attach(pdf, name, text.encode())

    return _renamed(page, swap) if claims_version else rewritten(page, swap)


@pytest.mark.parametrize("claims_version", [False, True])
def test_the_page_of_another_certificate_around_this_record(
    case: Case, claims_version: bool
) -> None:
    page = render(case.other_parts, case.kind)
    mixed = _with_parts(page, case.parts, claims_version=claims_version)
    report = case.verify(case.signed(mixed))
    expect(report, "invalid", **DIFFERS)
    assert report.certificate is not None
    assert report.certificate["id"] == case.record.id


@pytest.mark.parametrize("claims_version", [False, True])
def test_another_certificates_record_behind_this_page(case: Case, claims_version: bool) -> None:
    names = ("credential.sd-jwt", "receipt.tlog-proof")
    mixed = _with_parts(case.page(), case.other_parts, *names, claims_version=claims_version)
    expect(case.verify(case.signed(mixed)), "invalid", **{**SEAL_DIFFERS, "log": "log_good"})


@pytest.mark.parametrize("claims_version", [False, True])
def test_another_certificates_record_and_code_behind_this_page(
    case: Case, claims_version: bool
) -> None:
    mixed = _with_parts(case.page(), case.other_parts, claims_version=claims_version)
    expect(case.verify(case.signed(mixed)), "invalid", **DIFFERS)


def test_the_code_of_another_certificate_drawn_and_attached(case: Case) -> None:
    page = case.page(seal=case.other.seal)
    expect(case.verify(case.signed(page)), "invalid", **SEAL_DIFFERS)


@pytest.mark.parametrize("claims_version", [False, True])
def test_the_code_of_another_certificate_only_drawn(case: Case, claims_version: bool) -> None:
    mixed = _with_parts(
        case.page(seal=case.other.seal), case.parts, "seal.txt", claims_version=claims_version
    )
    expect(case.verify(case.signed(mixed)), "invalid", **DIFFERS)


def test_the_receipt_of_another_certificate(case: Case) -> None:
    page = case.page(receipt=case.other_parts.receipt)
    expect(case.verify(case.signed(page)), "invalid", **{**GOOD, "log": "log_bad"})


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("n", "建字第4401142026GG9999999号"),
        ("h", "另一公司"),
        ("p", "另一项目"),
        (4, 2**31),
        (5, 1),
        (6, 1_780_000_000),
        ("status", 1),
    ],
)
def test_a_code_signed_by_the_agency_that_says_something_else(
    case: Case, claim: str | int, value: Any
) -> None:
    # The seal points to this credential, but whoever scans the printed page reads another number,
    # holder, project, validity or status index: page, record and code do not say the same
    # (ecert/verification/document.py _seal_belongs compares digest and identifier only).
    cose, key = Cose.of(case.parts.seal), case.hand().key
    claims = {claim: value}
    if claim == "status":
        claims = {65535: {"status_list": {**cose.claims[65535]["status_list"], "idx": value}}}
    page = case.page(seal=cose.with_claims(claims).signed(key))
    expect(case.verify(case.signed(page)), "invalid", **SEAL_DIFFERS)


def test_a_code_with_another_host(case: Case) -> None:
    _, _, code = case.parts.seal.partition("#")
    page = case.page(seal="HTTP://EVIL.EXAMPLE/V#" + code)
    expect(case.verify(case.signed(page)), "invalid", **SEAL_DIFFERS)


def test_a_code_without_an_address(case: Case) -> None:
    cose = Cose.of(case.parts.seal)
    page = _with_parts(
        case.page(), replace(case.parts, seal=cose.text().partition("#")[2]), claims_version=False
    )
    expect(case.verify(case.signed(page)), "invalid", **SEAL_DIFFERS)


def test_a_code_that_a_stranger_signed(case: Case) -> None:
    page = case.page(seal=Cose.of(case.parts.seal).signed(new_key()))
    expect(case.verify(case.signed(page)), "invalid", **SEAL_DIFFERS)


def test_a_credential_that_a_stranger_signed(case: Case) -> None:
    page = case.page(credential=Sd.of(case.parts.credential).signed(new_key()))
    codes = {**READ, "signature": "signature_bad", "agreement": "not_reached"}
    expect(case.verify(case.signed(page)), "invalid", **codes)


def test_a_credential_with_a_field_held_back(case: Case) -> None:
    """A presentation that hides a field is no whole record, and the page shows all of them."""
    sd = Sd.of(case.parts.credential)
    hidden = next(one for one in sd.disclosures if "project_name" in un_b64url(one).decode())
    text = sd.with_disclosures(*(one for one in sd.disclosures if one != hidden))
    mixed = _with_parts(case.page(), replace(case.parts, credential=text), claims_version=True)
    report = case.verify(case.signed(mixed))
    assert report.verdict == "invalid"
    assert report.step("agreement").code in {"page_differs", "seal_differs"}


@pytest.mark.parametrize("name", ["credential.sd-jwt", "receipt.tlog-proof", "seal.txt"])
def test_an_attachment_that_is_missing(case: Case, name: str) -> None:
    page = rewritten(case.page(), lambda pdf: pdf.attachments.__delitem__(name))
    expect(case.verify(case.signed(page)), "invalid", **{**UNREACHED, "read": "document_parts"})


@pytest.mark.parametrize("name", ["credential.sd-jwt", "receipt.tlog-proof", "seal.txt"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"x", bytes(3 << 20)], ids=len)
def test_an_attachment_that_is_something_else(case: Case, name: str, content: bytes) -> None:
    page = rewritten(case.page(), lambda pdf: attach(pdf, name, content))
    expect(case.verify(case.signed(page)), "invalid", **{**UNREACHED, "read": "document_parts"})


@pytest.mark.parametrize("claims_version", [False, True])
def test_one_attachment_more(case: Case, claims_version: bool) -> None:
    # Drawn by "another version" the attachments that a person opens are not looked at
    # (ecert/pdf/compare.py _compare): compare the list of names, and certificate.json.
    def add(pdf: pikepdf.Pdf) -> None:
        attach(pdf, "规划条件.txt", "另一内容".encode())

    page = _renamed(case.page(), add) if claims_version else rewritten(case.page(), add)
    expect(case.verify(case.signed(page)), "invalid", **DIFFERS)


@pytest.mark.parametrize("claims_version", [False, True])
def test_the_record_for_people_says_something_else(case: Case, claims_version: bool) -> None:
    # As above: certificate.json is what a person or a script reads out of the file.
    def change(pdf: pikepdf.Pdf) -> None:
        record = pdf.attachments["certificate.json"].get_file().read_bytes()
        assert b"107715.60" in record
        attach(pdf, "certificate.json", record.replace(b"107715.60", b"907715.60"))

    page = _renamed(case.page(), change) if claims_version else rewritten(case.page(), change)
    expect(case.verify(case.signed(page)), "invalid", **DIFFERS)


# -- drawn by "another version": only the insider says so -------------------------------------------------


def _svg_path(text: str, left: float, bottom: float, module: float) -> bytes:
    """Draw a code with rectangles: no text in it."""
    rows = to_svg(text).split('d="')[2].split('"')[0].split("M")[1:]
    places = [tuple(map(int, row.split("h")[0].split())) for row in rows]
    side = max(y for _, y in places) + 5
    white = f"1 g {left} {bottom} {side * module} {side * module} re f 0 g\n"
    marks = (
        f"{left + x * module:.3f} {bottom + (side - 1 - y) * module:.3f} {module} {module} re\n"
        for x, y in places
    )
    return (white + "".join(marks) + "f\n").encode()


@pytest.mark.parametrize(
    "operators",
    [
        b"1 g 518 350 276 200 re f",
        b"1 g 0 220 842 375 re f",
        b"0 G 2 w 518 350 m 560 390 l 600 350 l 640 390 l S",
    ],
    ids=["values painted white", "all but the code painted white", "strokes as of a pen"],
)
def test_drawing_over_the_fields_without_text(case: Case, operators: bytes) -> None:
    # The words are still in the file, so the text is the same, but a person sees something else: a
    # field painted white and drawn anew as paths is any value one likes (ecert/pdf/compare.py
    # _says_the_same; the insider only claims another renderer in /Keywords). Compare the pictures
    # of both pages too, or call agreement_text not_checked.
    page = _renamed(case.page(), lambda pdf: draw_over(pdf, operators))
    report = case.verify(case.signed(page))
    assert report.step("agreement").code in {"page_differs", "page_changed", "page_unlike"}
    assert report.verdict != "valid"


def test_a_second_code_drawn_beside_the_first(case: Case) -> None:
    # `seal in _codes(page)`: whoever scans the larger one reads another certificate.
    path = _svg_path(case.other.seal, 300, 150, 2.2)
    page = _renamed(case.page(), lambda pdf: draw_over(pdf, path))
    report = case.verify(case.signed(page))
    assert report.step("agreement").code in {"page_differs", "page_unlike"}
    assert report.verdict != "valid"


def _run_at_opening(pdf: pikepdf.Pdf) -> None:
    script = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert('x')")
    pdf.Root.OpenAction = pdf.make_indirect(script)


def _form(pdf: pikepdf.Pdf) -> None:
    field = pikepdf.Dictionary(FT=pikepdf.Name.Tx, T="x", V="另一内容")
    pdf.Root.AcroForm = pikepdf.Dictionary(Fields=[pdf.make_indirect(field)])


def _stamp(pdf: pikepdf.Pdf) -> None:
    look = pdf.make_stream(b"1 g 0 0 500 300 re f")
    look.stream_dict = pikepdf.Dictionary(
        Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form, BBox=[0, 0, 500, 300]
    )
    stamp = pikepdf.Dictionary(
        Type=pikepdf.Name.Annot,
        Subtype=pikepdf.Name.Stamp,
        Rect=[60, 120, 560, 420],
        F=4,
        AP=pikepdf.Dictionary(N=look),
    )
    pdf.pages[0].Annots = pdf.make_indirect(pikepdf.Array([pdf.make_indirect(stamp)]))


def _page_more(pdf: pikepdf.Pdf) -> None:
    pdf.add_blank_page(page_size=(595, 842))


def _turned(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].rotate(180, relative=False)


@pytest.mark.parametrize(
    "change",
    [_run_at_opening, _form, _stamp, _page_more, _turned],
    ids=lambda one: one.__name__,
)
@pytest.mark.parametrize("claims_version", [False, True])
def test_something_more_in_the_first_revision(
    case: Case, change: Callable[[pikepdf.Pdf], None], claims_version: bool
) -> None:
    # Mend with the above: what another version drew must hold no actions and no annotations.
    write = _renamed if claims_version else rewritten
    report = case.verify(case.signed(write(case.page(), change)))
    assert report.verdict == "invalid"
    assert report.step("agreement").code in {"page_differs", "page_changed"}


def test_a_sheet_as_large_as_a_field(case: Case, tmp_path: Path) -> None:
    # Drawn at 300 dpi this sheet has 3.6e9 dots (ecert/pdf/compare.py _codes): bound the sheet.
    def enlarge(pdf: pikepdf.Pdf) -> None:
        pdf.pages[0].MediaBox = [0, 0, 14_400, 14_400]

    data = case.signed(_renamed(case.page(), enlarge))
    found = verify_within(tmp_path, case.registry.trust(), data)
    assert found["codes"]["agreement"] == "page_differs"


# -- updates -------------------------------------------------------------------------------------------


def _page_of(writer: Writer) -> Any:
    found = writer.root["/Pages"]["/Kids"][0]
    writer.mark_update(writer.root["/Pages"]["/Kids"].raw_get(0))
    return found


def _draw_over_by_update(writer: Writer) -> None:
    more = writer.add_object(generic.StreamObject(stream_data=b"1 g 518 350 276 200 re f"))
    page = _page_of(writer)
    page[N("/Contents")] = A([page.raw_get("/Contents"), more])


def _other_contents(writer: Writer) -> None:
    contents = _page_of(writer)["/Contents"]
    contents._data = contents.data + b"\n1 g 518 350 276 200 re f"
    contents._encoded_data = None
    writer.update_container(contents)


def _another_page(writer: Writer) -> None:
    pages = writer.root["/Pages"]
    page = D({N("/Type"): N("/Page"), N("/MediaBox"): A(map(NUMBER, (0, 0, 595, 842)))})
    page[N("/Parent")] = writer.root.raw_get("/Pages")
    pages["/Kids"].append(writer.add_object(page))
    pages[N("/Count")] = NUMBER(len(pages["/Kids"]))
    writer.update_container(pages)


def _other_attachment(writer: Writer) -> None:
    for one in writer.root["/AF"]:
        found = one.get_object()
        if found["/F"] == "certificate.json":
            stream = found["/EF"]["/F"]
            stream._data = stream.data.replace(b"107715.60", b"907715.60")
            stream._encoded_data = None
            writer.update_container(stream)
            return
    raise AssertionError("no such attachment")


def _annotate(writer: Writer, note: Any) -> None:
    page = _page_of(writer)
    page[N("/Annots")] = A([writer.add_object(note)])


def _free_text(writer: Writer) -> None:
    note = {
        N("/Type"): N("/Annot"),
        N("/Subtype"): N("/FreeText"),
        N("/Rect"): A(map(NUMBER, (518, 350, 794, 550))),
        N("/DA"): TEXT("/Helv 12 Tf"),
        N("/Contents"): TEXT("907715.60"),
        N("/F"): NUMBER(4),
    }
    _annotate(writer, D(note))


def _open_action(writer: Writer) -> None:
    script = D({N("/S"): N("/JavaScript"), N("/JS"): TEXT("app.alert('另一内容')")})
    writer.root[N("/OpenAction")] = writer.add_object(script)
    writer.update_root()


def _script_by_name(writer: Writer) -> None:
    script = D({N("/S"): N("/JavaScript"), N("/JS"): TEXT("app.alert(1)")})
    names = A([TEXT("x"), writer.add_object(script)])
    writer.root["/Names"][N("/JavaScript")] = D({N("/Names"): names})
    writer.update_container(writer.root["/Names"])
    writer.update_root()


def _text_field(writer: Writer) -> None:
    field = D({N("/FT"): N("/Tx"), N("/T"): TEXT("x")})
    writer.root[N("/AcroForm")] = D({N("/Fields"): A([writer.add_object(field)])})
    writer.update_root()


def _turn(writer: Writer) -> None:
    _page_of(writer)[N("/Rotate")] = NUMBER(180)


def _cut(writer: Writer) -> None:
    _page_of(writer)[N("/CropBox")] = A(map(NUMBER, (0, 0, 420, 595)))


def _act_at_page(writer: Writer) -> None:
    script = D({N("/S"): N("/JavaScript"), N("/JS"): TEXT("app.alert(1)")})
    _page_of(writer)[N("/AA")] = D({N("/O"): script})


def _hide_by_layer(writer: Writer) -> None:
    writer.root[N("/OCProperties")] = D({N("/OCGs"): A(), N("/D"): D()})
    writer.update_root()


UPDATES = [
    _draw_over_by_update,
    _other_contents,
    _another_page,
    _other_attachment,
    _free_text,
    _open_action,
    _script_by_name,
    _text_field,
    _turn,
    _cut,
    _act_at_page,
    _hide_by_layer,
]


@pytest.mark.parametrize("change", UPDATES, ids=lambda one: one.__name__)
def test_an_update_after_signing(case: Case, change: Callable[[Any], None]) -> None:
    expect(case.verify(updated(case.data, change)), "invalid", **UPDATED)


@pytest.mark.parametrize("change", UPDATES, ids=lambda one: one.__name__)
def test_an_update_before_signing(case: Case, change: Callable[[Any], None]) -> None:
    page = updated(case.page(), change)
    assert page.startswith(case.page())
    expect(case.verify(case.signed(page)), "invalid", **CHANGED)


@pytest.mark.parametrize("change", UPDATES, ids=lambda one: one.__name__)
def test_an_update_of_what_another_version_drew(case: Case, change: Callable[[Any], None]) -> None:
    page = updated(_renamed(case.page()), change)
    report = case.verify(case.signed(page))
    assert (report.verdict, report.step("agreement").code) == ("invalid", "page_changed")


def test_an_update_that_changes_nothing(case: Case) -> None:
    """The secret of a good test of updates: the update itself is no fault before signing."""

    def touch(writer: Writer) -> None:
        writer.update_root()

    page = updated(case.page(), touch)
    expect(case.verify(case.signed(page)), "valid", **GOOD)


@pytest.mark.parametrize("tail", [b"\n", b" ", b"%%EOF\n", b"\x00" * 100, b"% note\n"], ids=str)
def test_bytes_after_the_signature(case: Case, tail: bytes) -> None:
    expect(case.verify(case.data + tail), "invalid", **UPDATED)


@pytest.mark.parametrize("head", [b"\n", b"x", b"%PDF-1.4\n", b"\xef\xbb\xbf"], ids=str)
def test_bytes_before_the_file(case: Case, head: bytes) -> None:
    report = case.verify(head + case.data)
    assert (report.verdict, report.certificate) == ("invalid", None)
    assert report.step("read").code in {"unreadable", "document_rewritten"}


def test_another_document_after_this_one(case: Case) -> None:
    report = case.verify(case.data + case.other_data)
    expect(report, "invalid", **UPDATED)
    assert report.certificate is not None
    assert report.certificate["id"] == case.record.id


# -- what hides behind the field of the signature ----------------------------------------------------------


def _field_with(**members: Any) -> Callable[[Writer], None]:
    """Prepare the signature's field before signing: pyHanko fills the one that is there."""

    def prepare(writer: Writer) -> None:
        page = writer.root["/Pages"]["/Kids"].raw_get(0)
        field = D(
            {
                N("/Type"): N("/Annot"),
                N("/Subtype"): N("/Widget"),
                N("/FT"): N("/Sig"),
                N("/T"): TEXT("Signature1"),
                N("/Rect"): A(map(NUMBER, (0, 0, 0, 0))),
                N("/F"): NUMBER(132),
                N("/P"): page,
            }
        )
        field.update({N("/" + name): value for name, value in members.items()})
        made = writer.add_object(field)
        _page_of(writer)[N("/Annots")] = A([made])
        writer.root[N("/AcroForm")] = D({N("/Fields"): A([made]), N("/SigFlags"): NUMBER(3)})
        writer.update_root()

    return prepare


_SCRIPT = D({N("/S"): N("/JavaScript"), N("/JS"): TEXT("app.alert(1)")})


def test_a_field_made_before_is_no_fault(case: Case) -> None:
    page = updated(case.page(), _field_with())
    expect(case.verify(case.signed(page)), "valid", **GOOD)


@pytest.mark.parametrize(
    "members",
    [
        {"Rect": A(map(NUMBER, (518, 350, 794, 550)))},
        {"AP": D()},
        {"AA": D({N("/PO"): _SCRIPT})},
        {"AA": D({N("/PV"): _SCRIPT})},
        {"A": _SCRIPT},
        {"Subtype": N("/Text"), "Contents": TEXT("另一内容")},
        {"Subtype": N("/FreeText"), "Contents": TEXT("另一内容")},
        {"Subtype": N("/Line"), "L": A(map(NUMBER, (518, 350, 794, 350)))},
    ],
    ids=["size", "look", "on opening", "on seeing", "on clicking", "note", "free text", "line"],
)
def test_a_field_that_does_or_shows_something(case: Case, members: dict[str, Any]) -> None:
    # ecert/pdf/compare.py _is_hidden looks at FT, Rect and AP only. A field with /AA runs a script
    # when its page opens; an annotation of another subtype is a note that readers draw by
    # themselves at a fixed size, whatever its Rect. Allow /Widget and a list of members, no more.
    page = updated(case.page(), _field_with(**members))
    expect(case.verify(case.signed(page)), "invalid", **CHANGED)


@pytest.mark.parametrize("name", ["Title", "Author", "Subject"])
def test_another_title_in_the_last_revision(case: Case, name: str) -> None:
    # A reader shows the title above the page; the update may change it (/Info is excused whole in
    # ecert/pdf/compare.py _adds_only_a_signature). pyHanko itself changes ModDate and Producer only.
    def rename(writer: Writer) -> None:
        info = writer.trailer["/Info"]
        info[N("/" + name)] = TEXT("另一许可证 建字第4401142026GG9999999号")
        writer.update_container(info)

    page = updated(case.page(), rename)
    expect(case.verify(case.signed(page)), "invalid", **CHANGED)


@pytest.mark.parametrize("place", ["/Annots", "/AcroForm", "/Fields", "/Rect", "/Annot"])
@pytest.mark.parametrize(
    "value",
    [NUMBER(5), BOOLEAN(value=True), N("/X"), A([NUMBER(5)]), D(), A([A()])],
    ids=str,
)
def test_a_last_revision_whose_parts_are_of_another_kind(
    case: Case, place: str, value: Any
) -> None:
    # verify never raises for bad input: compare catches a list of exceptions, and TypeError is not
    # among them (ecert/pdf/compare.py compare). Insider only.
    def change(writer: Writer) -> None:
        _field_with()(writer)
        page, form = _page_of(writer), writer.root["/AcroForm"]
        if place == "/Annots":
            page[N(place)] = value
        elif place == "/AcroForm":
            writer.root[N(place)] = value
        elif place == "/Fields":
            form[N(place)] = value
        elif place == "/Annot":
            page[N("/Annots")] = A([value])
        else:
            form["/Fields"][0][N(place)] = value
        writer.update_root()

    report = case.verify(case.hand().sign(with_place(updated(case.page(), change), after=_M)))
    assert report.verdict == "invalid"
    assert report.step("agreement").code in {"page_changed", "page_differs"}


# -- places of signatures ----------------------------------------------------------------------------------


def test_the_byte_range_cut_short(case: Case) -> None:
    """The rest of the file would no longer be covered."""
    start, end = spaces_of(case.data)
    tail = len(case.data) - end
    was, now = b"[0 %d %d %d]" % (start, end, tail), b"[0 %d %d %d]" % (start, end, tail - 1)
    assert case.data.count(was) == 1
    expect(case.verify(case.data.replace(was, now)), "invalid", **FORGED)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (b"[1 %d %d %d]", "document_rewritten"),
        (b"[0 %d %d 99999]", "document_rewritten"),
        (b"[0 0 0 0]", "document_rewritten"),
        (b"[0 -1 %d %d]", "document_unsigned"),
        (b"[]", "document_unsigned"),
        (b"[0 %d %d %d 5 5]", "document_unsigned"),
        (b"[0 %d 9 %d]", "document_rewritten"),
    ],
)
def test_a_byte_range_that_makes_no_sense(case: Case, text: bytes, read: str) -> None:
    start, end = spaces_of(case.data)
    tail = len(case.data) - end
    numbers = (start, end, tail)[: text.count(b"%d")]
    made = case.data.replace(b"[0 %d %d %d]" % (start, end, tail), text % numbers)
    assert made != case.data
    expect(case.verify(made), "invalid", **NO_DOCUMENT, read=read)


def test_a_byte_range_that_skips_more_than_the_signature(case: Case) -> None:
    """The classical wrapping: what stands in the gap would be free for anything."""
    start, end = spaces_of(case.data)
    text = hexadecimal_of(case.data)
    injected = b"> 91 0 obj << /Evil true >> endobj <"
    changed = with_hexadecimal(case.data, text[: -len(injected)] + "0" * len(injected))
    made = changed[: end - 1 - len(injected)] + injected + changed[end - 1 :]
    assert len(made) == len(case.data)
    assert start < end
    expect(case.verify(made), "invalid", **FORGED)


def test_decoy_places_before_the_signature(case: Case) -> None:
    """Some decoys are passed over, but the genuine place still decides: here nothing was changed."""
    for count in (1, 7):
        decoy = D({N("/ByteRange"): A(map(NUMBER, (0, 1, 2, 3)))})

        def add(writer: Writer, decoys: Any = A([decoy] * count)) -> None:  # noqa: B008
            writer.add_object(decoys)

        page = updated(case.page(), add)
        assert page.count(b"/ByteRange") == count
        expect(case.verify(case.signed(page)), "valid", **GOOD)


def test_a_decoy_place_whose_signature_is_the_first_one(case: Case) -> None:
    """An earlier genuine signature must not speak for what was added under a later one."""
    update = updated(case.data, _draw_over_by_update)
    twice = case.hand().sign(with_place(update, after=_M))
    expect(case.verify(twice), "invalid", **UPDATED)


def test_a_hundred_decoys(case: Case) -> None:
    page = case.page() + b"/ByteRange [0 1 2 3] " * 100
    data = case.hand().sign(with_place(page, after=_M))
    expect(case.verify(data), "invalid", **NO_DOCUMENT, read="document_rewritten")


# -- who signs ---------------------------------------------------------------------------------------------


def _second_signature(data: bytes, hand: Hand) -> bytes:
    return hand.sign(with_place(data, after=_M))


def test_a_second_signature_by_the_same_agency(case: Case) -> None:
    expect(case.verify(_second_signature(case.data, case.hand())), "invalid", **UPDATED)


def test_a_second_signature_by_a_stranger(case: Case, stranger: Hand) -> None:
    expect(case.verify(_second_signature(case.data, stranger)), "invalid", **UPDATED)


def test_signed_by_a_stranger_with_a_certificate_of_his_own(case: Case, stranger: Hand) -> None:
    expect(case.verify(stranger.sign(case.data)), "invalid", **FORGED)


def test_signed_by_a_stranger_who_adds_the_agencys_certificate(case: Case, stranger: Hand) -> None:
    others = (case.key.chain[0],)
    expect(case.verify(stranger.but(others=others).sign(case.data)), "invalid", **FORGED)


def test_signed_by_a_stranger_who_names_the_agencys_certificate(case: Case, stranger: Hand) -> None:
    leaf = case.key.chain[0]
    hand = stranger.but(others=(leaf,), named=leaf)
    expect(case.verify(hand.sign(case.data)), "invalid", **FORGED)


def test_signed_by_a_stranger_for_an_agency_nobody_lists(case: Case) -> None:
    hand = Hand(*make_authority().leaf(CONSTRUCTION.code))
    codes = {**FORGED, "signature": "signer_unknown"}
    report = case.verify(hand.sign(case.data))
    expect(report, "undetermined", **codes)
    assert report.certificate is None


def test_signed_by_a_stranger_without_an_agencys_code(case: Case) -> None:
    hand = Hand(*make_authority().leaf())
    expect(case.verify(hand.sign(case.data)), "invalid", **FORGED)


def test_signed_by_a_certificate_with_two_codes(case: Case) -> None:
    key, leaf = Stolen(case.registry).authority().leaf(case.code, CONSTRUCTION.code)
    expect(case.verify(Hand(key, leaf).sign(case.data)), "invalid", **FORGED)


def test_signed_by_the_status_key(case: Case) -> None:
    """Its certificate names the registry, which no trust file lists as an agency."""
    thief = Stolen(case.registry)
    hand = Hand(thief.key(Role.STATUS), thief.leaf(Role.STATUS))
    report = case.verify(hand.sign(case.data))
    expect(report, "undetermined", **{**FORGED, "signature": "signer_unknown"})
    assert report.certificate is None


def test_signed_by_a_status_key_of_the_agency(case: Case) -> None:
    leaf = Stolen(case.registry).authority().leaf(case.code, ekus=(STATUS_SIGNING,))
    expect(case.verify(Hand(*leaf).sign(case.data)), "invalid", **FORGED)


def test_signed_by_the_root_itself(case: Case) -> None:
    thief = Stolen(case.registry)
    hand = Hand(thief.key(Role.ROOT), thief.leaf(Role.ROOT))
    expect(case.verify(hand.sign(case.data)), "invalid", **FORGED)


def test_signed_under_the_root_by_a_certificate_for_something_else(case: Case) -> None:
    leaf = Stolen(case.registry).authority().leaf(case.code, ekus=None)
    expect(case.verify(Hand(*leaf).sign(case.data)), "invalid", **FORGED)


def test_signed_by_a_certificate_that_had_ended(case: Case) -> None:
    authority: Authority = Stolen(case.registry).authority()
    leaf = authority.leaf(case.code, start=MOMENT, end=MOMENT + timedelta(days=1))
    data = with_place(case.page(), after=claimed(MOMENT + timedelta(days=2)))
    expect(case.verify(Hand(*leaf).sign(data)), "invalid", **FORGED)


def test_a_document_of_one_agency_signed_by_another(draft_of: Drafts) -> None:
    with temporary_registry() as registry:
        agency = registry.agencies.get(None).code
        registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=EVERY_TYPE)
        record = registry.certificates.issue(WORKS, draft_of(), by=CLERK, agency=agency).record
        data = registry.documents.get(record.id, by=CLERK).data
        key = registry.keys.ring.signing_key(Role.AGENCY, CONSTRUCTION.code)
        page = render(_inside(data), registry.catalogue.newest(WORKS))
        signed = sign(page, key, name="某局", at=MOMENT)
        codes = {**READ, "signature": "document_signer", "agreement": "not_reached"}
        expect(registry.verify(signed), "invalid", **codes)


# -- who is believed -----------------------------------------------------------------------------------------


def _trusting(case: Case, change: Callable[[dict[str, Any]], object]) -> Any:
    trust = trust_with(case.registry, change=change)
    return verifier_of(case.registry, trust=trust, status=case.registry.status)


def test_a_trust_file_without_the_agency(case: Case) -> None:
    verifier = _trusting(case, lambda one: one["agencies"].pop(case.code))
    report = verifier.verify(case.data)
    expect(report, "undetermined", **{**FORGED, "signature": "signer_unknown"})
    assert report.certificate is None


def test_a_trust_file_with_another_anchor(case: Case) -> None:
    anchor = b64(make_authority().der)
    verifier = _trusting(case, lambda one: one["agencies"][case.code].update(anchors=[anchor]))
    expect(verifier.verify(case.data), "invalid", **FORGED)


def test_a_trust_file_with_another_address(case: Case) -> None:
    """The agency is believed, but not for the registry that its record names."""
    verifier = _trusting(case, lambda one: one.update(base_url="http://127.0.0.1:8001"))
    codes = {**FORGED, "signature": "document_signer"}
    expect(verifier.verify(case.data), "invalid", **codes)


def _kid(case: Case) -> str:
    return case.registry.keys.ring.active(Role.AGENCY, case.code).kid


@pytest.mark.parametrize(
    ("days", "verdict", "code"), [(0, "invalid", "key_retired"), (1, "valid", "signature_good")]
)
def test_a_key_retired_before_or_after_the_document(
    case: Case, days: int, verdict: str, code: str
) -> None:
    at = (MOMENT + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    verifier = _trusting(case, lambda one: one.update(retired=[{"kid": _kid(case), "at": at}]))
    expect(verifier.verify(case.data), verdict, signature=code)


def test_a_document_signed_again_after_its_key_was_retired(case: Case) -> None:
    """The record inside is older than the retirement; the signature under the file is not."""
    retired = [{"kid": _kid(case), "at": "2026-03-03T00:00:00Z"}]
    verifier = _trusting(case, lambda one: one.update(retired=retired))
    data = case.signed(case.page(), at=datetime(2026, 3, 4, tzinfo=UTC))
    expect(verifier.verify(data), "invalid", signature="key_retired")


def test_a_compromised_key(case: Case) -> None:
    """The record is proved to be older, but nothing proves that of the signature under the file."""
    entry = {"kid": _kid(case), "since": "2026-03-03T00:00:00Z", "log_size": 100}
    verifier = _trusting(case, lambda one: one.update(compromised=[entry]))
    expect(verifier.verify(case.data), "undetermined", signature="key_compromised")


@pytest.mark.parametrize(
    ("minutes", "verdict", "code"),
    [(4, "valid", "signature_good"), (6, "undetermined", "signed_later")],
)
def test_a_claimed_time_in_the_future(case: Case, minutes: int, verdict: str, code: str) -> None:
    data = case.signed(case.page(), at=MOMENT + timedelta(minutes=minutes))
    expect(case.verify(data), verdict, signature=code)


@pytest.mark.parametrize(
    "text", [b"", b"D:00010101000000Z", b"D:99991231235959Z", b"D:20261399999999Z", b"D:2026Z"]
)
def test_a_claimed_time_that_is_none(case: Case, stranger: Hand, text: bytes) -> None:
    data = with_place(case.page(), after=b" /M (" + text + b")")
    for hand in (case.hand(), stranger):
        report = case.verify(hand.sign(data))
        expect(report, "invalid", **FORGED)


# -- CMS -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": "sha1", "algorithm": "sha1_ecdsa"},
        {"digest": "sha512", "algorithm": "sha512_ecdsa"},
        {"digest": "sha1"},
        {"digest": "sha512"},
        {"named_digest": "sha1"},
        {"named_digest": "sha512"},
        {"algorithm": "sha1_ecdsa"},
        {"algorithm": "ed25519"},
        {"algorithm": "sha256_rsa"},
        {"algorithm": "rsassa_pss"},
        {"names_certificate": False},
        {"is_attributed": False},
        {"content_type": "signed_data"},
    ],
    ids=str,
)
def test_a_message_of_the_agency_in_another_way(case: Case, changes: dict[str, Any]) -> None:
    """The suite is the key's; what the message names must be that, and the certificate be named."""
    expect(case.verify(case.hand().but(**changes).sign(case.data)), "invalid", **FORGED)


def test_a_message_of_an_rsa_key_under_the_agencys_root(case: Case) -> None:
    key = rsa.generate_private_key(65537, 2048)
    authority = Stolen(case.registry).authority()
    leaf = authority.certify(key.public_key(), Wish((case.code,))).public_bytes(Encoding.DER)
    hand = Hand(key, leaf, algorithm="sha256_rsa")
    expect(case.verify(hand.sign(case.data)), "invalid", **FORGED)


def test_a_message_of_another_curve_under_the_agencys_root(case: Case) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    authority = Stolen(case.registry).authority()
    leaf = authority.certify(key.public_key(), Wish((case.code,))).public_bytes(Encoding.DER)
    expect(case.verify(Hand(key, leaf).sign(case.data)), "invalid", **FORGED)


def test_two_signers_in_one_message(case: Case, stranger: Hand) -> None:
    hand = case.hand().but(others=(stranger.leaf,))
    good, bad = case.hand().info(case.data), stranger.info(case.data)
    for infos in ([good, bad], [bad, good], [good, good], []):
        data = with_message(case.data, hand.message(infos).dump())
        expect(case.verify(data), "invalid", **FORGED)


def test_another_certificate_stands_first(case: Case, stranger: Hand) -> None:
    """Not the order but the signed attribute says whose the message is."""
    message = case.hand().but(others=(stranger.leaf,)).sign(case.data)
    report = case.verify(message)
    expect(report, "valid", **GOOD)


def test_only_another_certificate(case: Case, stranger: Hand) -> None:
    hand = case.hand().but(leaf=stranger.leaf, named=case.key.chain[0])
    expect(case.verify(hand.sign(case.data)), "invalid", **FORGED)


def test_more_certificates_than_a_chain_has(case: Case) -> None:
    others = tuple(make_authority().der for _ in range(8))
    expect(case.verify(case.hand().but(others=others).sign(case.data)), "invalid", **FORGED)


def _edited(data: bytes, change: Callable[[cms.SignedData, cms.SignerInfo], None]) -> bytes:
    message = message_of(data)
    signed = message["content"]
    change(signed, signed["signer_infos"][0])
    return with_message(data, message.dump(force=True))


def test_the_digest_of_another_document_in_the_message(case: Case) -> None:
    (old,) = (message_of(one)["content"] for one in [case.other_data])
    data = _edited(
        case.data, lambda signed, _: signed.__setitem__("signer_infos", old["signer_infos"])
    )
    expect(case.verify(data), "invalid", **FORGED)


def test_the_message_of_another_document(case: Case) -> None:
    message = message_of(case.other_data).dump()
    expect(case.verify(with_message(case.data, message)), "invalid", **FORGED)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30" * 4000,
        b"\x30\x80" * 4000,
        b"\xbf" * 100,
        der(0x30, oid(2000)),
        signed_data(b"", b""),
        signed_data(b"\x30\x00", b"\x30\x00"),
        signed_data(b"\xa0\x00" * 1000, b"\x30\x00"),
    ],
    ids=lambda message: message[:6].hex(),
)
def test_a_message_that_is_none(case: Case, message: bytes) -> None:
    expect(case.verify(with_message(case.data, message)), "invalid", **FORGED)


def test_any_flipped_bit_in_the_message_is_forged_or_changes_nothing(case: Case) -> None:
    """Parts that nobody signed may be malleable; what is reported may not."""
    honest = case.verify(case.data)
    message, verifier = message_of(case.data).dump(), case.registry.verifier()

    @settings(max_examples=100)
    @given(st.integers(0, len(message) - 1), st.integers(0, 7))
    def check(place: int, bit: int) -> None:
        report = verifier.verify(with_message(case.data, flip(message, place, 1 << bit)))
        if report.verdict == "valid":
            assert report == honest
        else:
            assert report.certificate is None
        json.dumps(report.to_json())

    check()


def test_what_nobody_signed_in_the_signatures_place_changes_no_report(case: Case) -> None:
    """The place is malleable: its spare room, the case of its digits, the twin of the signature."""
    honest, text = case.verify(case.data), hexadecimal_of(case.data)
    size = len(message_of(case.data).dump()) * 2
    assert set(text[size:]) == {"0"}

    def twin(_: cms.SignedData, info: cms.SignerInfo) -> None:
        r, s = decode_dss_signature(info["signature"].native)
        info["signature"] = encode_dss_signature(r, P256_ORDER - s)

    for data in (
        with_hexadecimal(case.data, text[:size] + "ab" * ((len(text) - size) // 2)),
        with_hexadecimal(case.data, text[:size] + " " * (len(text) - size)),
        with_hexadecimal(case.data, text.swapcase()),
        _edited(case.data, twin),
    ):
        assert data != case.data
        report = case.verify(data)
        assert report == honest or report.certificate is None


# -- damage ------------------------------------------------------------------------------------------------


def test_any_flipped_bit_outside_the_signatures_place(case: Case) -> None:
    start, end = spaces_of(case.data)
    verifier, covered = case.registry.verifier(), len(case.data) - (end - start)

    @settings(max_examples=200)
    @given(st.integers(0, covered - 1), st.integers(0, 7))
    def check(at: int, bit: int) -> None:
        place = at if at < start else at + end - start
        report = verifier.verify(flip(case.data, place, 1 << bit))
        assert report.verdict != "valid"
        assert report.certificate is None
        json.dumps(report.to_json())

    check()


@pytest.mark.parametrize("side", ["start", "end", "tail"])
def test_any_flipped_bit_around_the_signatures_place(case: Case, side: str) -> None:
    start, end = spaces_of(case.data)
    verifier = case.registry.verifier()
    middle = {"start": start, "end": end, "tail": end + 30}[side]
    for place in range(middle - 20, middle + 20):
        if start < place < end - 1:
            continue
        for bit in range(8):
            report = verifier.verify(flip(case.data, place, 1 << bit))
            assert report.verdict == "invalid"
            assert report.certificate is None


def test_a_document_cut_anywhere(case: Case) -> None:
    verifier = case.registry.verifier()

    @settings(max_examples=100)
    @given(st.integers(0, len(case.data) - 1))
    def check(size: int) -> None:
        report = verifier.verify(case.data[:size])
        ends = {"document_truncated", "document_unsigned", "document_rewritten"}
        allowed = {"unreadable"} if size < 5 else ends
        assert (report.verdict, report.certificate) == ("invalid", None)
        assert report.step("read").code in allowed

    check()


def test_a_document_cut_at_its_seams(case: Case) -> None:
    start, end = spaces_of(case.data)
    first = len(case.page())
    for size, code in (
        (4, "unreadable"),
        (5, "document_truncated"),
        (first, "document_unsigned"),
        (start, "document_truncated"),
        (end, "document_truncated"),
        (len(case.data) - 9, "document_truncated"),
        (len(case.data) - 1, "document_rewritten"),  # all of the end but its line feed
    ):
        expect(case.verify(case.data[:size]), "invalid", **NO_DOCUMENT, read=code)


def test_a_document_whose_end_and_beginning_changed_places(case: Case) -> None:
    half = len(case.data) // 2
    report = case.verify(case.data[half:] + case.data[:half])
    assert (report.verdict, report.step("read").code) == ("invalid", "unreadable")


def _strip(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.AcroForm
    del pdf.pages[0].Annots
    pdf.remove_unreferenced_resources()


def test_the_signature_stripped(case: Case) -> None:
    bare = rewritten(case.data, _strip)
    expect(case.verify(bare), "invalid", **NO_DOCUMENT, read="document_unsigned")


def test_a_document_that_was_never_signed(case: Case) -> None:
    expect(case.verify(case.page()), "invalid", **NO_DOCUMENT, read="document_unsigned")


def test_the_signed_file_written_anew(case: Case) -> None:
    """A "print to PDF" or "optimise" of a good file keeps the signature but no longer its bytes."""
    report = case.verify(rewritten(case.data, _unchanged))
    assert (report.verdict, report.step("read").code) == ("invalid", "document_rewritten")


@pytest.mark.parametrize("password", ["", "secret"], ids=["owner's", "user's"])
def test_an_encrypted_file(case: Case, password: str) -> None:
    lock = pikepdf.Encryption(owner="owner", user=password)
    made = rewritten(case.data, _unchanged, encryption=lock)
    expect(case.verify(made), "invalid", **NO_DOCUMENT, read="document_encrypted")


@pytest.mark.parametrize("password", ["", "secret"], ids=["owner's", "user's"])
def test_a_file_encrypted_before_it_was_signed(case: Case, password: str) -> None:
    lock = pikepdf.Encryption(owner="owner", user=password)
    made = rewritten(case.page(), _unchanged, encryption=lock)
    report = case.verify(case.hand().sign(with_place(made, after=_M)))
    assert report.verdict == "invalid"
    assert (report.step("read").code, report.step("agreement").code) in {
        ("document_parts", "not_reached"),
        ("read_document", "page_differs"),
        ("read_document", "page_changed"),
    }


# -- copies ----------------------------------------------------------------------------------------------------


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


@pytest.fixture
def lent(draft_of: Drafts) -> Iterator[tuple[Case, SettableClock]]:
    """A case of its own, whose clock may be moved."""
    clock = SettableClock()
    with temporary_registry(clock=clock) as registry:
        yield _case(registry, draft_of), clock


def test_a_copy_on_its_last_day_and_after(lent: tuple[Case, SettableClock]) -> None:
    case, clock = lent
    for moment, verdict, code in (
        (PAST_THE_COPY - timedelta(seconds=1), "valid", "time_good"),
        (PAST_THE_COPY, "invalid", "copy_lapsed"),
        (PAST_THE_COPY + timedelta(days=300), "invalid", "copy_lapsed"),
    ):
        clock.now = moment
        for presented in (case.copy, case.copy_parts.seal):
            expect(case.verify(presented), verdict, time=code, status="status_good")
        expect(case.verify(case.data), "valid", **GOOD)


@pytest.mark.parametrize("what", ["file", "code"])
def test_a_copy_at_another_moment(case: Case, what: str) -> None:
    presented = case.copy if what == "file" else case.copy_parts.seal
    report = case.verify(presented, at=UNTIL + timedelta(days=1))
    expect(report, "invalid", time="copy_lapsed")


def _copy_token(case: Case, **claims: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    head, payload, _ = str(case.copy_parts.copy).split(".")
    return json.loads(un_b64url(head)), {**json.loads(un_b64url(payload)), **claims}


LATER = {"until": "2026-12-31", "exp": int(datetime(2026, 12, 31, 16, tzinfo=UTC).timestamp())}


def test_a_copys_record_with_a_later_day_that_a_stranger_signed(case: Case, stranger: Hand) -> None:
    head, claims = _copy_token(case, **LATER)
    for header in (head, {**head, "x5c": [b64(stranger.leaf)]}):
        token = sign_jwt(header, claims, stranger.key)
        report = case.verify(case.signed(case.copy_page(copy=token)))
        codes = {**READ, "signature": "copy_bad", "agreement": "not_reached"}
        expect(report, "invalid", **codes)
        assert report.certificate is None


def test_a_copys_record_with_a_later_day_under_the_old_code(case: Case) -> None:
    """The agency signed the record, but the code on the page is of the earlier one."""
    token = sign_jwt(*_copy_token(case, **LATER), case.hand().key)
    report = elsewhere(case.registry).verify(case.signed(case.copy_page(copy=token)))
    expect(report, "invalid", **{**SEAL_DIFFERS, "log": "log_bad"})


def _sealed_copy(case: Case, token: str, claims: Mapping[Any, Any] = MappingProxyType({})) -> bytes:
    """Draw and sign a copy as the insider can: record and code by the agency's key, no log entry."""
    cose = Cose.of(case.copy_parts.seal)
    made = {"c": hashlib.sha256(token.encode()).digest()[:16], **claims}
    seal = cose.with_claims(made).signed(case.hand().key)
    return case.signed(case.copy_page(copy=token, seal=seal, copy_receipt=None))


def test_a_copy_made_by_hand_is_no_fault(case: Case) -> None:
    token = sign_jwt(*_copy_token(case), case.hand().key)
    expect(
        elsewhere(case.registry).verify(_sealed_copy(case, token)),
        "valid",
        **{**GOOD, "log": "no_receipt"},
    )


@pytest.mark.parametrize("claims", [{"exp": LATER["exp"]}, {"until": "2026-12-31"}], ids=str)
def test_a_copy_whose_page_and_record_name_different_ends(
    case: Case, claims: dict[str, Any]
) -> None:
    # The page and the report show `until`, the verdict goes by `exp`; nobody compares the two, as
    # dates_agree does for the certificate (ecert/verification/document.py copy_key,
    # verifier.py check_time): a copy "good until 30 April" verifies valid in December.
    token = sign_jwt(*_copy_token(case, **claims), case.hand().key)
    report = case.verify(_sealed_copy(case, token))
    assert report.verdict == "invalid"


def test_a_copys_code_that_outlives_the_copy(case: Case) -> None:
    # The code alone, photographed from the copy, stays valid after the copy lapsed: _seal_belongs
    # does not compare exp (nor the recipient) with the copy's record.
    token = sign_jwt(*_copy_token(case), case.hand().key)
    data = _sealed_copy(case, token, {4: LATER["exp"]})
    expect(
        elsewhere(case.registry).verify(data), "invalid", **{**SEAL_DIFFERS, "log": "no_receipt"}
    )


def test_a_copys_code_that_names_another_recipient(case: Case) -> None:
    cose = Cose.of(case.copy_parts.seal)
    (name,) = (one for one, value in cose.claims.items() if value == WISH.recipient)
    seal = cose.with_claims({name: "另一银行"}).signed(case.hand().key)
    report = case.verify(case.signed(case.copy_page(seal=seal)))
    expect(report, "invalid", **SEAL_DIFFERS)


def test_the_record_of_another_certificates_copy(lent: tuple[Case, SettableClock]) -> None:
    case, _ = lent
    copied = _inside(case.registry.documents.copy(case.other.id, WISH, by=OPERATOR).data)
    page = case.copy_page(copy=copied.copy, seal=copied.seal, copy_receipt=copied.copy_receipt)
    codes = {**READ, "signature": "copy_bad", "agreement": "not_reached"}
    expect(case.verify(case.signed(page)), "invalid", **codes)


def test_another_agency_signs_the_copys_record(draft_of: Drafts) -> None:
    with temporary_registry() as registry:
        registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=EVERY_TYPE)
        agency = next(one.code for one in registry.agencies.all() if one.code != CONSTRUCTION.code)
        record = registry.certificates.issue(WORKS, draft_of(), by=CLERK, agency=agency).record
        parts = _inside(registry.documents.copy(record.id, WISH, by=CLERK).data)
        thief = Stolen(registry)
        head, payload, _ = str(parts.copy).split(".")
        header = {
            **json.loads(un_b64url(head)),
            "x5c": [b64(thief.leaf(Role.AGENCY, CONSTRUCTION.code))],
        }
        key = thief.key(Role.AGENCY, CONSTRUCTION.code)
        token = sign_jwt(header, json.loads(un_b64url(payload)), key)
        page = render(replace(parts, copy=token), registry.catalogue.newest(WORKS))
        own = registry.keys.ring.signing_key(Role.AGENCY, agency)
        codes = {**READ, "signature": "copy_bad", "agreement": "not_reached"}
        report = registry.verify(sign(page, own, name="某局", at=MOMENT))
        expect(report, "invalid", **codes)


@pytest.mark.parametrize(
    "claim",
    [
        {"sub": "1.2.156.3005.2.x"},
        {"credential_digest": "A" * 43},
        {"iss": "http://127.0.0.1:8000/agencies/" + CONSTRUCTION.code},
        {"iss": "http://evil.example"},
    ],
    ids=lambda one: next(iter(one)),
)
def test_a_copys_record_that_speaks_of_something_else(case: Case, claim: dict[str, Any]) -> None:
    token = sign_jwt(*_copy_token(case, **claim), case.hand().key)
    codes = {**READ, "signature": "copy_bad", "agreement": "not_reached"}
    expect(case.verify(_sealed_copy(case, token)), "invalid", **codes)


@pytest.mark.parametrize(
    "claim",
    [
        {"recipient": ""},
        {"recipient": "二\n行"},
        {"recipient": "长" * 101},
        {"purpose": 5},
        {"until": "2026-02-30"},
        {"until": "明年"},
        {"exp": "1"},
        {"iat": None},
        {"exp": 2**70},
        {"iat": -(2**70)},
    ],
    ids=str,
)
def test_a_copys_record_that_is_malformed(case: Case, claim: dict[str, Any]) -> None:
    """The agency signed it and put it in; the verdict is a refusal and no exception."""
    token = sign_jwt(*_copy_token(case, **claim), case.hand().key)

    def swap(pdf: pikepdf.Pdf) -> None:
        attach(pdf, "copy.jwt", token.encode())

    report = case.verify(case.signed(rewritten(case.copy_page(), swap)))
    assert report.verdict == "invalid"
    json.dumps(report.to_json())


def test_a_copy_that_passes_itself_off_as_the_original(case: Case) -> None:
    """The record of the copy is left out, so nothing would lapse; its code gives it away."""
    page = case.copy_page(copy=None, copy_receipt=None)
    expect(case.verify(case.signed(page)), "invalid", **SEAL_DIFFERS)


@pytest.mark.parametrize("claims_version", [False, True])
def test_a_copys_page_with_the_parts_of_the_original(case: Case, claims_version: bool) -> None:
    def swap(pdf: pikepdf.Pdf) -> None:
        del pdf.attachments["copy.jwt"]
        del pdf.attachments["copy-receipt.tlog-proof"]
        attach(pdf, "seal.txt", case.parts.seal.encode())

    page = _renamed(case.copy_page(), swap) if claims_version else rewritten(case.copy_page(), swap)
    expect(case.verify(case.signed(page)), "invalid", **DIFFERS)


def test_an_original_with_the_code_of_a_copy(case: Case) -> None:
    page = case.page(seal=case.copy_parts.seal)
    expect(case.verify(case.signed(page)), "invalid", **SEAL_DIFFERS)


def test_a_copy_with_the_code_of_the_original(case: Case) -> None:
    page = case.copy_page(seal=case.parts.seal)
    expect(case.verify(case.signed(page)), "invalid", **SEAL_DIFFERS)


def test_an_original_with_a_receipt_of_its_copy(case: Case) -> None:
    page = case.page(receipt=case.copy_parts.copy_receipt)
    expect(case.verify(case.signed(page)), "invalid", **{**GOOD, "log": "log_bad"})


def test_a_copy_without_its_receipt(case: Case) -> None:
    data = case.signed(case.copy_page(copy_receipt=None))
    expect(case.verify(data), "valid", **{**GOOD, "log": "no_receipt"})
    verifier = _trusting(case, lambda one: one.update(require_log=True))
    expect(verifier.verify(data), "undetermined", log="no_receipt")


@pytest.mark.parametrize("which", ["of the issue", "of the other's issue"])
def test_a_copy_with_another_receipt(case: Case, which: str) -> None:
    parts = case.copy_parts if which == "of the issue" else case.other_parts
    page = case.copy_page(copy_receipt=parts.receipt)
    expect(case.verify(case.signed(page)), "invalid", **{**GOOD, "log": "log_bad"})


def test_a_copy_with_the_receipt_of_another_copy(lent: tuple[Case, SettableClock]) -> None:
    case, _ = lent
    wish = replace(WISH, recipient="另一银行")
    other = _inside(case.registry.documents.copy(case.record.id, wish, by=OPERATOR).data)
    page = case.copy_page(copy_receipt=other.copy_receipt)
    expect(case.verify(case.signed(page)), "invalid", **{**GOOD, "log": "log_bad"})


# -- what happens afterwards -----------------------------------------------------------------------------------


def test_a_withdrawn_certificate(lent: tuple[Case, SettableClock]) -> None:
    """The file stays what it was; only what is said of it changes."""
    case, clock = lent
    clock.move(timedelta(days=1))
    case.registry.certificates.operate(
        case.record.id,
        Operation.WITHDRAW,
        basis=Basis("依据不足", "撤销决定书1号", "王五"),
        by=CLERK,
    )
    assert case.registry.documents.get(case.record.id, by=CLERK).data == case.data
    for presented in (case.data, case.copy):
        report = case.verify(presented)
        expect(report, "invalid", **{**GOOD, "status": "status_withdrawn"})
        assert report.status == "withdrawn"
    expect(case.verify(case.other_data), "valid", **GOOD)


def test_a_document_without_status(case: Case) -> None:
    report = verifier_of(case.registry).verify(case.data)
    expect(report, "undetermined", **{**GOOD, "status": "offline"})


def test_a_verifier_without_the_type(case: Case) -> None:
    """No template, no agreement: the verdict stays open, and nothing is called good."""
    slugs = [one for one in case.registry.catalogue if one.slug != WORKS]
    verifier = Verifier(
        case.registry.trust(),
        status=case.registry.status,
        catalogue=type(case.registry.catalogue)(slugs),
        clock=case.registry.clock,
    )
    codes = {**GOOD, "type": "type_unknown", "agreement": "template_unknown"}
    expect(verifier.verify(case.data), "undetermined", **codes)


# -- size ------------------------------------------------------------------------------------------------------


def _stranger_file(case: Case, message: bytes) -> bytes:
    data = with_place(b"%PDF-1.7\n", after=_M, room=2 * len(message))
    return with_message(data, message)


def test_an_ordinary_document_within_the_limits(case: Case, tmp_path: Path) -> None:
    """So that what is refused below is refused for its own sake."""
    found = verify_within(tmp_path, case.registry.trust(), case.data)
    assert found["verdict"] == "undetermined"
    assert found["codes"]["agreement"] == "agreement_good"


@pytest.mark.parametrize(
    "data",
    [
        b"/ByteRange [0 1 2 3] " * 1_400_000,
        b"/ByteRange [0 1 2 3" + b" " * (30 << 20),
        b"/ByteRange [" * 2_500_000,
        b"/ByteRange" * 3_000_000,
        (b"/ByteRange [0 " + b"\t" * 1000) * 30_000,
        b"/ByteRange [" + b"1 " * 15_000_000,
    ],
    ids=["whole ones", "one endless one", "open ones", "names", "wide ones", "numbers"],
)
def test_a_file_full_of_places(case: Case, tmp_path: Path, data: bytes) -> None:
    found = verify_within(tmp_path, case.registry.trust(), b"%PDF-1.7\n" + data)
    assert found["verdict"] == "invalid"
    assert found["codes"]["read"] in {"document_truncated", "document_unsigned"}


@pytest.mark.parametrize("what", ["certificates", "signers", "number", "certificate"])
def test_a_message_that_costs_more_than_it_weighs(
    case: Case, stranger: Hand, tmp_path: Path, what: str
) -> None:
    # No key is needed: check_signature hands up to 16 MB of anybody's DER to a reader written in
    # Python: minutes, and gigabytes of memory, for one file (ecert/pdf/read.py). Our own place holds
    # 48 K digits at most, so parse_document should refuse a place that is larger than, say, 256 K.
    info = stranger.info(with_place(b"%PDF-1.7\n", after=_M)).dump()
    message = {
        "certificates": lambda: signed_data(b"\x30\x00" * 3_500_000, info),
        "signers": lambda: signed_data(b"", b"\x30\x00" * 7_000_000),
        "number": lambda: der(0x30, oid(3_000_000) + der(0xA0, b"\x05\x00")),
        "certificate": lambda: signed_data(der(0x30, b"\x30\x00" * 7_000_000), info),
    }[what]()
    data = _stranger_file(case, message)
    assert len(data) < 32 << 20
    found = verify_within(tmp_path, case.registry.trust(), data, seconds=4, memory=2 << 30)
    assert found["verdict"] == "invalid"


def test_a_strangers_file_full_of_claimed_times(case: Case, stranger: Hand, tmp_path: Path) -> None:
    data = with_place(b"%PDF-1.7\n" + b"/M(D:20260302013000Z)" * 700_000, after=_M)
    found = verify_within(tmp_path, case.registry.trust(), stranger.sign(data))
    assert found["codes"]["signature"] == "document_signature_bad"


def _flate_bomb(megabytes: int) -> bytes:
    """Zeros that unpack to any size, made in no time."""
    packer = zlib.compressobj(9)
    head = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * megabytes + packer.flush()


def _stream(number: int, members: bytes, data: bytes) -> bytes:
    head = b"%d 0 obj\n<< %s /Filter /FlateDecode /Length %d >>\nstream\n"
    return head % (number, members, len(data)) + data + b"\nendstream\nendobj\n"


def _bomb(name: str) -> bytes:
    """Write a file by hand that is small and wants to be large, or never ends."""
    bomb = _flate_bomb(6000) if name in {"objects", "table"} else b""
    start, root = b"%PDF-1.7\n", b"1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
    pages = b"2 0 obj\n<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2000000000 >>\nendobj\n"
    if name == "objects":  # the catalogue lies in the packed objects, so nobody gets round them
        body = _stream(7, b"/Type /ObjStm /N 1 /First 4", bomb)
        place = len(start)
        entries = [(0, 0, 65535), (2, 7, 0), (1, place, 0), (1, place + len(body), 0)]
        rows = b"".join(struct.pack(">BIH", *one) for one in entries)
        members = b"/Type /XRef /W [1 4 2] /Size 9 /Index [0 2 7 2] /Root 1 0 R"
        made = _stream(8, members, zlib.compress(rows))
        return start + body + made + b"startxref\n%d\n%%%%EOF\n" % (place + len(body))
    if name == "table":
        made = _stream(7, b"/Type /XRef /W [1 8 8] /Size 99999999 /Root 1 0 R", bomb)
        return start + made + b"startxref\n9\n%%EOF\n"
    names = b"/Names << /EmbeddedFiles 5 0 R >>"
    ring = b"5 0 obj\n<< /Kids [5 0 R 6 0 R] >>\nendobj\n6 0 obj\n<< /Kids [5 0 R] >>\nendobj\n"
    deep = root.replace(b" >>", b" /Names %s >>")
    body = {
        "deep arrays": deep % (b"[" * 5_000_000) + pages,
        "deep dictionaries": deep % (b"<< /A " * 900_000) + pages,
        "names in a ring": root.replace(b" >>", b" " + names + b" >>") + pages + ring,
        "many objects": root
        + pages
        + b"".join(b"%d 0 obj\n1\nendobj\n" % n for n in range(3, 200_000)),
    }.get(name, root + pages)
    data = start + body
    rows = b"".join(
        b"%d 1\n%010d 00000 n \n" % (int(one[1]), one.start())
        for one in re.finditer(rb"(?<![^\n])(\d+) 0 obj", data)
    )
    more = b"/Prev %d" % len(data) if name == "tables in a ring" else b""
    end = b"trailer\n<< /Size 200000 /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n"
    return data + b"xref\n0 1\n0000000000 65535 f \n" + rows + end % (more, len(data))


@pytest.mark.parametrize(
    "name",
    [
        "objects",
        "table",
        "deep arrays",
        "deep dictionaries",
        "names in a ring",
        "pages in a ring",
        "many objects",
        "tables in a ring",
    ],
)
def test_a_bomb_that_the_agency_signed(case: Case, tmp_path: Path, name: str) -> None:
    """A stranger's file never meets a PDF parser; an insider's does, and the parser has to give up."""
    data = case.hand().sign(with_place(_bomb(name), after=_M))
    assert len(data) < 32 << 20
    found = verify_within(tmp_path, case.registry.trust(), data)
    assert (found["verdict"], found["codes"]["read"]) == ("invalid", "document_parts")


def test_an_attachment_that_unpacks_to_more_than_memory(case: Case, tmp_path: Path) -> None:
    bomb = _flate_bomb(6000)

    def swap(pdf: pikepdf.Pdf) -> None:
        stream = pdf.attachments["seal.txt"].obj.EF.F
        stream.write(bomb, filter=pikepdf.Name.FlateDecode)

    page = rewritten(case.page(), swap, compress_streams=False)
    data = case.hand().sign(with_place(page, after=_M))
    found = verify_within(tmp_path, case.registry.trust(), data)
    assert (found["verdict"], found["codes"]["read"]) == ("invalid", "document_parts")


@pytest.mark.parametrize("megabytes", [33, 200])
def test_a_file_over_its_bound(case: Case, megabytes: int) -> None:
    padded = case.data + bytes((megabytes << 20) - len(case.data))
    expect(case.verify(padded), "invalid", **NO_DOCUMENT, read="unreadable")


@pytest.mark.parametrize(("megabytes", "code"), [(33, 1), (200, 2), (100_000, 2)])
def test_a_file_over_its_bound_on_the_command_line(
    case: Case, tmp_path: Path, megabytes: int, code: int
) -> None:
    """The file is sparse, so it costs the test nothing; reading it whole would be felt."""
    place, trust = tmp_path / "large.pdf", tmp_path / "trust.json"
    place.write_bytes(case.data)
    os.truncate(place, megabytes << 20)
    trust.write_text(json.dumps(case.registry.trust().to_json()))
    limit = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2 << 30,) * 2);"
        "from ecert.cli import main; main()"
    )
    verb = (
        "--home",
        str(tmp_path),
        "verify",
        str(place),
        "--offline",
        "--trust",
        str(trust),
        "--json",
    )
    done = subprocess.run(
        [sys.executable, "-c", limit, *verb], capture_output=True, check=False, timeout=120
    )
    assert done.returncode == code, done.stderr.decode()[-1000:]
    assert b"Traceback" not in done.stderr
