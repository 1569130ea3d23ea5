"""Seals and pictures of seals that were tampered with."""

from __future__ import annotations

import io
import json
import string
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
import qrcode
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ecert.ids import parse_tail
from ecert.keys import Role
from ecert.model import Basis, Operation, Record
from ecert.registry import Registry
from tests.adversary.forge import (
    Cose,
    Stolen,
    b64,
    base32,
    elsewhere,
    expect,
    flip,
    make_authority,
    malleate,
    new_key,
    trust_with,
    un_base32,
    verifier_of,
)
from tests.conftest import CLERK, CONSTRUCTION, EVERY_TYPE, PLANNING

Drafts = Callable[..., dict[str, Any]]
GOOD = {"read": "read_seal", "signature": "signature_good", "type": "type_good"}
UNREADABLE = {"read": "unreadable", "signature": "not_reached", "status": "not_reached"}
FORGED = {"read": "read_seal", "signature": "signature_bad", "status": "not_reached"}
NO_CODE = {"read": "no_code", "signature": "not_reached", "status": "not_reached"}
BASE32 = string.ascii_uppercase + "234567"


@pytest.fixture
def agency_key(stolen: Stolen) -> Any:
    return stolen.key(Role.AGENCY, PLANNING.code)


def _code(seal: str) -> str:
    return seal.partition("#")[2]


def test_the_genuine_seal_and_one_made_by_hand_are_valid(
    registry: Registry, record: Record, cose: Cose, agency_key: Any
) -> None:
    assert cose.text() == record.seal
    expect(registry.verify(record.seal), "valid", **GOOD, log="no_receipt", status="status_good")
    expect(registry.verify(cose.signed(agency_key)), "valid", **GOOD, status="status_good")


# -- the text ------------------------------------------------------------------------------------------


def test_any_single_changed_character_is_never_valid(registry: Registry, record: Record) -> None:
    head, _, code = record.seal.partition("#")
    verifier = registry.verifier()

    @settings(max_examples=300)
    @given(st.integers(0, len(code) - 1), st.sampled_from(BASE32 + "0189=+-# aé\x00"))
    def check(place: int, letter: str) -> None:
        if code[place] == letter:
            return
        report = verifier.verify(f"{head}#{code[:place]}{letter}{code[place + 1 :]}")
        assert report.verdict != "valid"
        assert report.certificate is None
        json.dumps(report.to_json())

    check()


def test_any_flipped_bit_is_never_valid(registry: Registry, record: Record) -> None:
    head, _, code = record.seal.partition("#")
    verifier, raw = registry.verifier(), un_base32(code)

    @settings(max_examples=300)
    @given(st.integers(0, len(raw) - 1), st.integers(0, 7))
    def check(place: int, bit: int) -> None:
        report = verifier.verify(f"{head}#{base32(flip(raw, place, 1 << bit))}")
        assert report.verdict != "valid"
        assert report.certificate is None
        json.dumps(report.to_json())

    check()


@pytest.mark.parametrize("cut", [1, 2, 8, 100, 500])
def test_a_truncated_seal(registry: Registry, record: Record, cut: int) -> None:
    expect(registry.verify(record.seal[:-cut]), "invalid", **UNREADABLE)


@pytest.mark.parametrize(
    "origin",
    [
        "HTTP://EVIL.EXAMPLE",
        "HTTPS://127.0.0.1:8000",
        "HTTP://127.0.0.1:80001",
        "HTTP://127.0.0.1",
        "HTTP://127.0.0.1:8000.EVIL.EXAMPLE",
        "HTTP://127.0.0.1:8000@EVIL.EXAMPLE",
        "HTTP://127.0.0.1:8000/V#X",
        "HTTP://EVIL.EXAMPLE/?HTTP://127.0.0.1:8000",
        "",
    ],
)
def test_another_host_in_the_address(registry: Registry, record: Record, origin: str) -> None:
    """A forged code opens the forger's page; here it says so (design §6)."""
    report = registry.verify(f"{origin}/V#{_code(record.seal)}")
    expect(report, "invalid", read="seal_host_mismatch", signature="signature_good")


@pytest.mark.parametrize("path", ["", "/", "/X", "/verify", "/VV", "/V/", "/V?"])
def test_another_path_in_the_address(registry: Registry, record: Record, path: str) -> None:
    report = registry.verify(f"HTTP://127.0.0.1:8000{path}#{_code(record.seal)}")
    assert report.verdict == "invalid"
    assert report.step("read").code in {"unreadable", "seal_host_mismatch"}


def test_a_bare_seal_is_fine(registry: Registry, record: Record) -> None:
    expect(registry.verify(_code(record.seal)), "valid", **GOOD)


def test_a_lower_case_seal(registry: Registry, record: Record) -> None:
    head, _, code = record.seal.partition("#")
    expect(registry.verify(f"{head}#{code.lower()}"), "invalid", **UNREADABLE)


def test_a_lower_case_address_is_fine(registry: Registry, record: Record) -> None:
    head, _, code = record.seal.partition("#")
    expect(registry.verify(f"{head.lower()}#{code}"), "valid", **GOOD)


def test_a_padded_seal(registry: Registry, record: Record) -> None:
    expect(registry.verify(record.seal + "="), "invalid", **UNREADABLE)
    expect(registry.verify(record.seal + "======"), "invalid", **UNREADABLE)


def test_the_last_character_spelled_otherwise(registry: Registry, record: Record) -> None:
    """Where base32 leaves bits over there must be one spelling only."""
    code = _code(record.seal)
    for letter in BASE32.replace(code[-1], ""):
        assert registry.verify(record.seal[:-1] + letter).verdict == "invalid"


def test_two_seals_in_one_text(registry: Registry, record: Record, other: Record) -> None:
    for text in (f"{record.seal}\n{other.seal}", record.seal + _code(other.seal)):
        assert registry.verify(text).verdict == "invalid"


# -- signature and header --------------------------------------------------------------------------------


def test_a_seal_signed_by_another_agency(registry: Registry, cose: Cose, stolen: Stolen) -> None:
    registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=EVERY_TYPE)
    key = stolen.key(Role.AGENCY, CONSTRUCTION.code)
    expect(registry.verify(cose.signed(key)), "invalid", **FORGED)


def test_a_seal_signed_by_a_stranger(registry: Registry, cose: Cose) -> None:
    expect(registry.verify(cose.signed(new_key())), "invalid", **FORGED)


def test_the_signature_of_another_seal(registry: Registry, cose: Cose, other: Record) -> None:
    forged = cose.changed(signature=Cose.of(other.seal).signature).text()
    expect(registry.verify(forged), "invalid", **FORGED)


@pytest.mark.parametrize("signature", [b"", bytes(64), b"\xff" * 64, bytes(63), bytes(2000)])
def test_a_signature_of_special_numbers(registry: Registry, cose: Cose, signature: bytes) -> None:
    report = registry.verify(cose.changed(signature=signature).text())
    assert report.verdict == "invalid"
    assert report.step("signature").code in {"signature_bad", "not_reached"}


def test_a_malleated_seal_says_the_same(registry: Registry, record: Record, cose: Cose) -> None:
    """ES256 is malleable: the twin is as good, and the status is found by index, not by signature."""
    twin = cose.changed(signature=malleate(cose.signature)).text()
    expect(registry.verify(twin), "valid", **GOOD)
    registry.certificates.operate(
        record.id, Operation.REVOKE, basis=Basis("罚", "决", "甲"), by=CLERK
    )
    expect(registry.verify(twin), "invalid", **GOOD, status="status_revoked")


@pytest.mark.parametrize("algorithm", [-8, -35, -257, 5, 0, None, "ES256", [], 2**50])
def test_another_algorithm_in_the_header(
    registry: Registry, cose: Cose, agency_key: Any, algorithm: Any
) -> None:
    changed = cose.changed(header={1: algorithm})
    expect(registry.verify(changed.text()), "invalid", **FORGED)
    expect(registry.verify(changed.signed(agency_key)), "invalid", **FORGED)


@pytest.mark.parametrize(
    "header", [{}, {1: -7, 4: b"kid"}, {1: -7, 2: [99]}, {4: b"kid"}, [], 5, "x", None], ids=str
)
def test_another_header(registry: Registry, cose: Cose, agency_key: Any, header: Any) -> None:
    forged = cose.changed(header=header).signed(agency_key)
    expect(registry.verify(forged), "invalid", **UNREADABLE)


@pytest.mark.parametrize("unprotected", [{1: -7}, {4: b"kid"}, {33: b"chain"}], ids=str)
def test_an_unprotected_header(registry: Registry, cose: Cose, unprotected: dict[int, Any]) -> None:
    forged = cose.changed(unprotected=unprotected).text()
    expect(registry.verify(forged), "invalid", **UNREADABLE)


@pytest.mark.parametrize("tag", [16, 17, 19, 61, 96, 98, 55799])
def test_another_tag(registry: Registry, cose: Cose, tag: int) -> None:
    expect(registry.verify(cose.changed(tag=tag).text()), "invalid", **UNREADABLE)


def test_no_tag_and_two_tags(registry: Registry, cose: Cose) -> None:
    raw = cose.message()
    for message in (raw[1:], b"\xd2" + raw, b"\xd8\x3d" + raw):
        expect(registry.verify(cose.prefix + base32(message)), "invalid", **UNREADABLE)


def test_something_behind_the_message(registry: Registry, cose: Cose) -> None:
    for tail in (b"\x00", b"\xf6", cose.message()[:20]):
        text = cose.prefix + base32(cose.message() + tail)
        expect(registry.verify(text), "invalid", **UNREADABLE)


def test_another_spelling_of_the_envelope_changes_nothing_that_is_shown(
    registry: Registry, record: Record, cose: Cose
) -> None:
    """The envelope is not signed: whichever spelling is accepted, it must say the same."""
    honest = registry.verify(record.seal)
    raw = cose.message()
    for message in (
        b"\xd2\x9f" + raw[2:] + b"\xff",
        b"\xd8\x12" + raw[1:],
        b"\xd2\x98\x04" + raw[2:],
    ):
        report = registry.verify(cose.prefix + base32(message))
        assert report.verdict == "invalid" or report.certificate == honest.certificate


# -- claims ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claims",
    [
        {"n": "建字第4401142026GG9999999号"},
        {"h": "别人"},
        {"c": bytes(16)},
        {4: 4102444800},
        {5: 0},
        {6: 1},
        {65535: {"status_list": {"idx": 1, "uri": "http://127.0.0.1:8000/status/0"}}},
        {"x": "extra"},
        {"p": None},
    ],
    ids=str,
)
def test_a_changed_claim_under_the_old_signature(
    registry: Registry, cose: Cose, claims: dict[Any, Any]
) -> None:
    expect(registry.verify(cose.with_claims(claims).text()), "invalid", **FORGED)


@pytest.mark.parametrize("name", [2, 5, 6, 65535, "n", "h", "c"])
def test_a_missing_claim(registry: Registry, cose: Cose, agency_key: Any, name: Any) -> None:
    forged = cose.with_claims({name: None}).signed(agency_key)
    expect(registry.verify(forged), "invalid", **UNREADABLE)


@pytest.mark.parametrize(
    "claims",
    [
        {2: 5},
        {2: b"x"},
        {2: "x"},
        {2: "1.2.156.3005.2.x"},
        {5: "0"},
        {5: 0.5},
        {5: True},
        {6: "0"},
        {4: "0"},
        {4: 1.5},
        {"n": 5},
        {"h": b"x"},
        {"c": bytes(15)},
        {"c": bytes(32)},
        {"c": "x" * 16},
        {65535: {"status_list": {"idx": "1", "uri": "x"}}},
        {65535: {"status_list": {"idx": 1}}},
        {65535: {"idx": 1, "uri": "x"}},
        {65535: [1, "x"]},
        {65535: 5},
    ],
    ids=str,
)
def test_a_claim_of_another_kind(
    registry: Registry, cose: Cose, agency_key: Any, claims: dict[Any, Any]
) -> None:
    forged = cose.with_claims(claims).signed(agency_key)
    expect(registry.verify(forged), "invalid", **UNREADABLE)


@pytest.mark.parametrize("payload", [[], 5, "x", None, b"", {}], ids=str)
def test_a_payload_that_is_no_map_of_claims(
    registry: Registry, cose: Cose, agency_key: Any, payload: Any
) -> None:
    forged = cose.changed(claims=payload).signed(agency_key)
    expect(registry.verify(forged), "invalid", **UNREADABLE)


@pytest.mark.parametrize("project", [5, b"\xff", [1], {1: 2}], ids=str)
def test_a_project_name_that_is_no_text(
    registry: Registry, cose: Cose, agency_key: Any, project: Any
) -> None:
    # Mended since this test found it: "p" is the one claim nobody checks; bytes make the report impossible to write as
    # JSON, so the page and the command line fail (ecert/formats/seal.py _check_claims). Agency-signed only.
    forged = cose.with_claims({"p": project}).signed(agency_key)
    expect(registry.verify(forged), "invalid", **UNREADABLE)


@pytest.mark.parametrize("claim", [4, 5, 6])
@pytest.mark.parametrize("value", [2**40, 2**62, 2**70, -(2**40), -(2**62), -(2**70)])
def test_a_time_before_or_after_all_times(
    registry: Registry, cose: Cose, agency_key: Any, claim: int, value: int
) -> None:
    # Mended since this test found it: exp and nbf of a signed seal reach instant() unchecked, and verify raises
    # InputError (ecert/verification/verifier.py _seal_json). Agency-signed only.
    report = registry.verify(cose.with_claims({claim: value}).signed(agency_key))
    assert report.verdict == "invalid"
    json.dumps(report.to_json())


@pytest.mark.parametrize("claim", [4, 5, 6])
@pytest.mark.parametrize("value", [0, 253402271999, 253402272000, 253402300799])
def test_the_first_and_the_last_second_there_is(
    registry: Registry, cose: Cose, agency_key: Any, claim: int, value: int
) -> None:
    # Mended (nbf 253402272000 and later): in Guangzhou that is the year 10000, and civil_date
    # raises OverflowError (ecert/verification/verifier.py _seal_json). Agency-signed only.
    report = registry.verify(cose.with_claims({claim: value}).signed(agency_key))
    is_in_force = (claim == 4 and value > 0) or (claim == 5 and value == 0)
    assert report.verdict in ({"valid", "invalid"} if is_in_force else {"invalid"})
    json.dumps(report.to_json())


def test_an_index_outside_the_list(registry: Registry, cose: Cose, agency_key: Any) -> None:
    uri = cose.claims[65535]["status_list"]["uri"]
    for index in (65536, 2**70, -1):
        claims = {65535: {"status_list": {"idx": index, "uri": uri}}}
        report = registry.verify(cose.with_claims(claims).signed(agency_key))
        assert report.verdict == "invalid"
        assert report.step("read").code == "unreadable" or (
            report.step("status").code == "status_index"
        )


@pytest.mark.parametrize(
    "uri", ["https://evil.example/status/0", "http://127.0.0.1:8000.evil.example/status/0", ""]
)
def test_a_status_outside_every_registry(
    registry: Registry, cose: Cose, agency_key: Any, uri: str
) -> None:
    claims = {65535: {"status_list": {"idx": 0, "uri": uri}}}
    report = registry.verify(cose.with_claims(claims).signed(agency_key))
    expect(report, "undetermined", signature="registry_unknown", status="not_reached")


def test_an_unknown_claim_signed_by_the_agency_is_not_shown(
    registry: Registry, cose: Cose, agency_key: Any
) -> None:
    report = registry.verify(cose.with_claims({"x": "另注", 99: b"y"}).signed(agency_key))
    assert report.verdict in {"valid", "invalid"}
    assert "另注" not in json.dumps(report.to_json(), ensure_ascii=False)


def test_a_type_code_nobody_knows(registry: Registry, cose: Cose, agency_key: Any) -> None:
    found = parse_tail(cose.claims[2])
    other = type(found)(found.type_code[:18] + "999", found.issuer_code, found.serial)
    report = elsewhere(registry).verify(cose.with_claims({2: other.tail}).signed(agency_key))
    expect(report, "undetermined", signature="signature_good", type="type_unknown")


def test_another_check_character(registry: Registry, cose: Cose, agency_key: Any) -> None:
    tail = cose.claims[2]
    forged = cose.with_claims({2: tail[:-1] + ("A" if tail[-1] != "A" else "B")})
    expect(registry.verify(forged.signed(agency_key)), "invalid", **UNREADABLE)


def test_no_certificates_of_the_agency_in_the_trust_file(
    registry: Registry, record: Record
) -> None:
    trust = trust_with(
        registry, change=lambda one: one["agencies"][PLANNING.code]["certificates"].clear()
    )
    verifier = verifier_of(registry, trust=trust, status=registry.status)
    expect(verifier.verify(record.seal), "undetermined", signature="no_certificates")


def test_a_listed_certificate_that_is_not_under_the_agencys_anchors(
    registry: Registry, cose: Cose
) -> None:
    """A leaf in the trust file is a convenience, not an anchor."""
    key, leaf = make_authority().leaf(PLANNING.code)

    def change(one: dict[str, Any]) -> None:
        one["agencies"][PLANNING.code]["certificates"].append(b64(leaf))

    verifier = verifier_of(registry, trust=trust_with(registry, change=change))
    expect(verifier.verify(cose.signed(key)), "invalid", **FORGED)


# -- CBOR bombs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x81" * 1500 + b"\x00",
        b"\xd2" * 1500 + b"\x00",
        b"\xa1\x00" * 900 + b"\x00",
        b"\xd8\x1c" * 900 + b"\x80",
        b"\xd8\x1c\x81\xd8\x1d\x00",
        b"\xd2\x84\xd8\x1c\x81\xd8\x1d\x00",
        b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xbb\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x9a\x7f\xff\xff\xff",
        b"\x5a\x3f\xff\xff\xff",
        b"\x9f" * 1500,
        b"\xbf" * 1500,
        b"\x5f" * 1500,
        b"\xd2\x9f",
        b"\xd2\x84\x5f\x41\xa0\x61",
        b"\xff",
        b"\x1c",
        b"\xf8\x00",
        b"\xd2\x84\x40\xa0\x40\x40",
        b"\xd2\x84\x41\xa0\xa0\x41\xa0\x40",
        b"\xa1\x80\x00",
        b"\xa1\xa0\x00",
        b"\x62\xff\xff",
    ],
    ids=lambda message: message[:6].hex(),
)
def test_a_cbor_bomb(registry: Registry, message: bytes) -> None:
    expect(registry.verify("HTTP://127.0.0.1:8000/V#" + base32(message)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("place", ["alone", "as a part"])
@pytest.mark.parametrize("tag", [*range(40), 100, 256, 258, 260, 261, 1004, 43000, 55799])
def test_a_tag_with_something_odd_in_it(registry: Registry, tag: int, place: str) -> None:
    # Mended since this test found it: cbor2 builds decimals, big floats, dates and regular expressions on the way, and
    # their errors (decimal.InvalidOperation, decimal.Overflow, OverflowError, FutureWarning) are
    # not among those that parse_seal catches (ecert/formats/seal.py): a QR code with tag 4, 5 or 100 makes
    # verify raise, with no key at all. Decode without the semantic tags, or catch ArithmeticError.
    head = cbor2.dumps(cbor2.CBORTag(tag, None))[:-1]
    verifier = registry.verifier()
    for body in (
        b"\x00",
        b"\x20",
        b"\x1b" + b"\xff" * 8,
        b"\xfb\x7f\xf0" + bytes(6),
        b"\xf9\x7e\x00",
        b"\xf6",
        b"\x41a",
        b"\x61a",
        b"\x61[",
        b"\x62((",
        b"\x63[[a",
        b"\x80",
        b"\x82\x00\x00",
        b"\x82\x01\x00",
        b"\x82\x82\x00\x01\x00",
        b"\x82\x1b" + b"\x7f" * 8 + b"\x01",
        b"\x82\x3b" + b"\x7f" * 8 + b"\x01",
        b"\xa0",
        b"\xa1\x80\x00",
    ):
        message = head + body if place == "alone" else b"\xd2\x84" + head + body + b"\xa0\x40\x40"
        expect(verifier.verify(base32(message)), "invalid", **UNREADABLE)


def test_a_bomb_inside_the_signed_parts(registry: Registry, cose: Cose) -> None:
    for bomb in (b"\x81" * 1000 + b"\x00", b"\x9b" + b"\x7f" * 8, b"\xd9\x00\x05\x82\x20\x61a"):
        for parts in ([bomb, {}, b"\xa0", b""], [b"\xa1\x01\x26", {}, bomb, b""]):
            message = cbor2.dumps(cbor2.CBORTag(18, parts))
            expect(registry.verify(cose.prefix + base32(message)), "invalid", **UNREADABLE)


def test_a_seal_over_its_bound(registry: Registry) -> None:
    for size in (2049, 100_000):
        expect(registry.verify(base32(cbor2.dumps(bytes(size)))), "invalid", **UNREADABLE)


# -- pictures --------------------------------------------------------------------------------------------------


def _png(*texts: str) -> bytes:
    """Draw codes side by side, with the library and not with ours."""
    codes = []
    for text in texts:
        code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, box_size=4)
        code.add_data(text)
        code.make()
        codes.append(code.make_image().get_image().convert("L"))
    width, height = sum(one.width for one in codes), max(one.height for one in codes)
    sheet = Image.new("L", (width, height), 255)
    left = 0
    for one in codes:
        sheet.paste(one, (left, 0))
        left += one.width
    return _saved(sheet)


def _saved(picture: Image.Image, kind: str = "PNG") -> bytes:
    output = io.BytesIO()
    picture.save(output, kind)
    return output.getvalue()


def test_a_picture_of_the_genuine_seal(registry: Registry, record: Record) -> None:
    expect(registry.verify(_png(record.seal)), "valid", **GOOD)


def test_a_picture_of_a_forged_seal(registry: Registry, cose: Cose) -> None:
    expect(registry.verify(_png(cose.signed(new_key()))), "invalid", **FORGED)


@pytest.mark.parametrize(
    "text", ["https://evil.example", "WIFI:S:x;P:y;;", "1", "HTTP://127.0.0.1:8000/V#AAAA"]
)
def test_a_picture_of_another_code(registry: Registry, text: str) -> None:
    expect(registry.verify(_png(text)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_blank_picture(registry: Registry, kind: str, shade: int) -> None:
    data = _saved(Image.new("L", (300, 300), shade), kind)
    expect(registry.verify(data), "undetermined", **NO_CODE)


def test_a_truncated_picture(registry: Registry, record: Record) -> None:
    whole = _png(record.seal)
    for size in (8, 20, 33, 60, 200, len(whole) // 2):
        report = registry.verify(whole[:size])
        expect(report, "undetermined", **NO_CODE)


def test_a_flipped_byte_in_a_picture(registry: Registry, record: Record) -> None:
    # Mended since this test found it: Pillow raises SyntaxError for a broken chunk after the picture data began
    # (ecert/formats/qr.py read_picture catches OSError and ValueError, neither is one).
    whole = _png(record.seal)
    verifier = registry.verifier()
    honest = verifier.verify(record.seal).certificate
    places = [*range(8, 120), *range(len(whole) - 40, len(whole))]
    for place in places:
        for bit in (1, 128):
            report = verifier.verify(flip(whole, place, bit))
            assert report.verdict in {"undetermined", "invalid"} or report.certificate == honest
            json.dumps(report.to_json())


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _hollow(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG of any size in a few bytes."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    rows = zlib.compress(bytes(height * (1 + (width + 7) // 8)) if width * height < 1e9 else b"", 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + b"".join(chunks)
        + _chunk(b"IDAT", rows)
        + _chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("width", "height"), [(6400, 6400), (9000, 9000), (10_000, 10_000), (20_000, 20_000)]
)
def test_a_picture_that_unpacks_to_more_than_any_scan(
    registry: Registry, width: int, height: int
) -> None:
    # Mended since this test found it: between Pillow's own bound and twice that bound it warns; the warning
    # escapes from verify and, where warnings are errors, is an exception (ecert/formats/qr.py read_picture).
    expect(registry.verify(_hollow(width, height)), "undetermined", **NO_CODE)


@pytest.mark.parametrize(("width", "height"), [(2**31 - 1, 2**31 - 1), (0, 0), (1, 2**30)])
def test_a_picture_of_an_impossible_size(registry: Registry, width: int, height: int) -> None:
    expect(registry.verify(_hollow(width, height)), "undetermined", **NO_CODE)


def test_a_picture_whose_notes_unpack_to_more_than_memory(registry: Registry) -> None:
    note = b"Comment\x00\x00" + zlib.compress(bytes(200 << 20), 9)
    report = registry.verify(_hollow(100, 100, _chunk(b"zTXt", note)))
    expect(report, "undetermined", **NO_CODE)


def test_a_broken_chunk_after_the_picture_data(registry: Registry) -> None:
    # Mended since this test found it: SyntaxError, as above.
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", 300, 300, 8, 0, 0, 0, 0))
    rows = zlib.compress(bytes(range(256)) * 400, 0)[:2000]
    broken = (
        b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", rows) + _chunk(b"\xff\xff\xff\xff", b"")
    )
    expect(registry.verify(broken), "undetermined", **NO_CODE)


@pytest.mark.parametrize("data", [b"\x89PNG", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_a_picture_that_is_none(registry: Registry, data: bytes) -> None:
    expect(registry.verify(data), "undetermined", **NO_CODE)


def test_a_picture_over_its_bound(registry: Registry, record: Record) -> None:
    expect(registry.verify(_png(record.seal) + bytes(10 << 20)), "undetermined", **NO_CODE)


def test_a_seal_beside_another_code(registry: Registry, record: Record) -> None:
    """A site board has other codes too."""
    for texts in ((record.seal, "https://example.com"), ("https://example.com", record.seal)):
        expect(registry.verify(_png(*texts)), "valid", **GOOD)


def test_the_same_seal_twice_is_fine(registry: Registry, record: Record) -> None:
    expect(registry.verify(_png(record.seal, record.seal)), "valid", **GOOD)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_forged_seal_beside_a_genuine_one(
    registry: Registry, record: Record, cose: Cose, is_first: bool
) -> None:
    # Mended since this test found it: the first seal that can be read decides for the whole picture. A forger pastes a
    # genuine seal of some permit in a corner of his own page and it scans `valid`
    # (ecert/verification/presented.py _read_picture: several different seals are not one answer).
    forged = cose.with_claims({"n": "建字第4401142026GG9999999号"}).text()
    texts = (forged, record.seal) if is_first else (record.seal, forged)
    assert registry.verify(_png(*texts)).verdict != "valid"


def test_two_genuine_seals(registry: Registry, record: Record, other: Record) -> None:
    # Mended since this test found it: as above: nobody can tell which of the two the verdict is about.
    assert registry.verify(_png(record.seal, other.seal)).verdict != "valid"
