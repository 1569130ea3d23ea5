"""Outside judges of the signed documents: poppler, qpdf, pyHanko, veraPDF; none of our code reads."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.status import SignatureCoverageLevel

from tests.flows.pages import (
    NAMES,
    ROOT,
    SCHEMAS,
    SLUGS,
    Sample,
    Samples,
    pyhanko,
    run,
    samples,
    verapdf,
)

MEDIA = {
    "credential.sd-jwt": "application/dc+sd-jwt",
    "receipt.tlog-proof": "text/plain",
    "seal.txt": "text/plain",
    "certificate.json": "application/json",
}
# ruff: noqa: E501 - a path and its digest
# A released frame or face never changes: certificates name it by its digest, and their pages are
# drawn again from it for ever. Whoever wants another adds a version beside it.
RELEASED = {
    "ecert/catalogue/face.typ": "d8e2362c80ad4efee186ecb81137d57780fc76d60759ab68da35d01081fbf38d",
    "ecert/pdf/layout/frame/v1.typ": "d5532356aba48e707ec627f241c56271616a653c4b42284e1577968ee4ccde85",
    "schemas/business-licence/v1/face.typ": "6af2719584a94a176f9f65877acce3bc2d87aa0aa2bed3b582167fbf5f76f25a",
    "schemas/completion-acceptance-filing/v1/face.typ": "6f5acf4081ae647cafbb9ec6b7ea740655b47e8e3e6ff03adc217cf8612ee504",
    "schemas/construction-permit/v1/face.typ": "d3b15bfda8ef41ffad8b8603ae799c270bb4973a0ca897c10477c97efebe5f71",
    "schemas/construction-works-planning-permit/v1/face.typ": "f326251d7b24082de57a2a1d38b8f6f269d1969188b839bb014670fa0ff0a3cd",
    "schemas/land-use-planning-permit/v1/face.typ": "ce9c87832a594e3e176244a6d1c5c5cd628e760c5cb50ef1ae7b6f251813a73b",
    "schemas/project-approval/v1/face.typ": "180c50387a390f55879b9d492b17a2aba4e07e111e9398bc041f232907c719c8",
    "schemas/project-siting-opinion/v1/face.typ": "543e45c183e2d6d0d6d02be8cbb6f57d5143b1db8bb13120ad861ae61c9f4806",
    "schemas/rural-construction-planning-permit/v1/face.typ": "5c002bc30e34a987fafdfd512e04b8d717a761e4b62bb1e0d0ca132c6827c68b",
}
MOMENT = datetime(2026, 3, 3, tzinfo=UTC)
each_document = pytest.mark.parametrize("name", NAMES)


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


def test_these_are_all_the_kinds_of_documents(made: Samples) -> None:
    assert sorted(made.documents) == sorted(NAMES)
    assert len(SLUGS) == 8


def test_verapdf_says_that_all_conform_to_pdf_a_3b(files: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.pdf"
    with pikepdf.open(files["copy"]) as pdf:
        del pdf.Root.OutputIntents
        pdf.save(broken)
    found = verapdf([*files.values(), broken])
    assert found.pop(broken) != [], "this judge lets everything pass"
    assert {path.stem: faults for path, faults in found.items() if faults} == {}


@each_document
def test_pdfsig_finds_the_signature_valid_and_over_everything(
    files: dict[str, Path], name: str
) -> None:
    said = run("pdfsig", str(files[name]))
    assert said.count("Signature #") == 1
    assert "Signature is Valid" in said
    assert "Total document signed" in said
    assert "ETSI.CAdES.detached" in said


def test_pdfsig_finds_a_changed_byte(made: Samples, tmp_path: Path) -> None:
    data = bytearray(made.documents["copy"].data)
    place = data.index(b"/Title")
    data[place + 9] ^= 1
    (tmp_path / "changed.pdf").write_bytes(data)
    assert "Signature is Valid" not in run("pdfsig", str(tmp_path / "changed.pdf"))


@each_document
def test_qpdf_finds_nothing_wrong(files: dict[str, Path], name: str) -> None:
    said = run("qpdf", "--check", str(files[name]))
    assert "No syntax or stream encoding errors found" in said
    assert "WARNING" not in said


@each_document
def test_pyhanko_validates_at_level_b_b(made: Samples, name: str) -> None:
    sample = made.documents[name]
    status = pyhanko(sample.data, made.anchors, moment=MOMENT)
    assert status.bottom_line, status.pretty_print_details()
    assert status.coverage == SignatureCoverageLevel.ENTIRE_FILE
    organisation = status.signing_cert.subject.native
    assert organisation["organization_identifier"] == sample.record.issuer
    assert status.signer_reported_dt == datetime(2026, 3, 2, 1, 30, tzinfo=UTC)


def test_pyhanko_trusts_no_other_anchor(made: Samples) -> None:
    status = pyhanko(made.documents["copy"].data, [], moment=MOMENT)
    assert status.intact
    assert not status.trusted


@each_document
def test_the_signature_has_the_attributes_of_the_baseline(made: Samples, name: str) -> None:
    """ETSI EN 319 142-1, table 1: what B-B shall have, and what it shall not have."""
    reader = PdfFileReader(io.BytesIO(made.documents[name].data))
    (signature,) = reader.embedded_signatures
    signed = {one["type"].native for one in signature.signer_info["signed_attrs"]}
    assert signed == {"content_type", "message_digest", "signing_certificate_v2"}
    assert {"/M", "/Contents", "/ByteRange", "/Filter", "/SubFilter"} <= signature.sig_object.keys()
    assert signature.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    assert not {"/Cert", "/Reference", "/Changes"} & signature.sig_object.keys()


@each_document
def test_pdfinfo_sees_a_tagged_page_of_paper_with_a_title(
    made: Samples, files: dict[str, Path], name: str
) -> None:
    lines = dict(
        line.split(":", 1) for line in run("pdfinfo", str(files[name])).splitlines() if ":" in line
    )
    said = {title: words.strip() for title, words in lines.items()}
    sample = made.documents[name]
    assert said["Tagged"] == "yes"
    assert said["Page size"].endswith("(A4)")
    assert said["Title"] == f"{sample.title} {sample.record.body['number']}"
    assert said["Author"] == sample.record.body["issuer"]["name"]
    assert said["Encrypted"] == "no"
    assert said["JavaScript"] == "no"


@each_document
def test_the_file_is_pdf_1_7(made: Samples, files: dict[str, Path], name: str) -> None:
    """PDF/A-3 is built on ISO 32000-1: neither header nor catalogue may name a later version."""
    with pikepdf.open(files[name]) as pdf:
        assert pdf.pdf_version == "1.7"
        assert str(pdf.Root.get("/Version", "/1.7")) == "/1.7"
    assert re.search(r"PDF version: +1\.7$", run("pdfinfo", str(files[name])), re.MULTILINE)


@each_document
def test_what_is_inside(made: Samples, files: dict[str, Path], name: str) -> None:
    sample = made.documents[name]
    wanted = dict(MEDIA)
    if name == "copy":
        wanted |= {"copy.jwt": "application/jwt", "copy-receipt.tlog-proof": "text/plain"}
    if name == "image":
        wanted |= {"agency-image.png": "image/png"}
    with pikepdf.open(files[name]) as pdf:
        assert str(pdf.Root.Lang) == "zh-CN"
        found = {str(one): pdf.attachments[one] for one in pdf.attachments}
        assert {one: part.get_file().mime_type for one, part in found.items()} == wanted
        sources = {one for one, part in found.items() if str(part.relationship) == "/Source"}
        assert sources == {"credential.sd-jwt"}
        assert len(list(pdf.Root.AF)) == len(wanted)
        content = {one: part.get_file().read_bytes() for one, part in found.items()}
    signed, *disclosed = content["credential.sd-jwt"].decode().split("~")
    whole, *known = sample.record.credential.split("~")
    assert signed == whole
    assert set(disclosed) <= set(known)
    assert content["seal.txt"].decode() == sample.seal
    check_is_what_was_signed(sample, json.loads(content["certificate.json"]))


def check_is_what_was_signed(sample: Sample, shown: Any) -> None:
    """Compare what people may read inside with the credential, read without our code."""
    token, *disclosures = sample.record.credential.rstrip("~").split("~")
    claims = json.loads(unpadded(token.split(".")[1]))
    disclosed = {row[-2]: row[-1] for row in map(json.loads, map(unpadded, disclosures)) if row[1:]}
    for member in ("id", "number", "issued_on", "valid_from", "issuer"):
        assert shown[member] == claims[member]
    fields = without_withheld(sample)
    for member, value in fields.items():
        assert shown["fields"][member] == value
        if isinstance(value, str):
            assert disclosed[member] == value
    assert shown["fields"].keys() == fields.keys()
    assert shown["holders"] == [
        {**one, "code": ""} if one["code_type"] == "111" else one
        for one in sample.record.body["holders"]
    ]
    assert shown["attachments"] == sample.record.body["attachments"]


def without_withheld(sample: Sample) -> dict[str, Any]:
    """Give the fields of a certificate without what its type keeps out of documents."""
    fields: dict[str, Any] = json.loads(json.dumps(sample.record.body["fields"]))
    for path in sample.kind.withheld:
        member, _, inner = path.partition("[].")
        if not inner:
            fields.pop(member, None)
        for one in fields.get(member, ()) if inner else ():
            one.pop(inner, None)
    return fields


def unpadded(text: str) -> bytes:
    """Read base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("slug", SLUGS)
def test_the_credential_names_the_face_by_its_digest(made: Samples, slug: str) -> None:
    payload = made.documents[slug].record.credential.split(".")[1]
    face = (SCHEMAS / slug / "v1" / "face.typ").read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(face).digest()).rstrip(b"=").decode()
    assert json.loads(unpadded(payload))["type"]["template"] == digest


def test_no_released_frame_or_face_was_changed() -> None:
    found = [
        *(ROOT / "ecert" / "pdf").rglob("*.typ"),
        ROOT / "ecert" / "catalogue" / "face.typ",
        *SCHEMAS.glob("*/v*/face.typ"),
    ]
    digests = {
        path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
    }
    assert digests == RELEASED
