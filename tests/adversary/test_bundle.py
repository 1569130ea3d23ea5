"""Evidence bundles that were tampered with: ZIPs are the most treacherous of all containers."""

from __future__ import annotations

import io
import json
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecert.keys import Role
from ecert.model import Basis, Operation, Record
from ecert.registry import Registry
from ecert.testing import SettableClock
from tests.adversary.forge import (
    Sd,
    Stolen,
    days,
    expect,
    flip,
    new_key,
    pack,
    sign_jwt,
    unpack,
    verifier_of,
)
from tests.conftest import CLERK

Files = dict[str, str | bytes]
GOOD = {"read": "read_evidence", "signature": "signature_good", "log": "log_good"}
UNREADABLE = {"read": "unreadable", "signature": "not_reached", "status": "not_reached"}


@pytest.fixture
def evidence(registry: Registry, record: Record) -> bytes:
    return registry.evidence.pack(record.id, by=CLERK)


@pytest.fixture
def files(evidence: bytes) -> Files:
    return unpack(evidence)


def _check(registry: Registry, data: bytes) -> Any:
    """Verify as a stranger who has the trust file and nothing else."""
    return verifier_of(registry).verify(data)


def _pack_list(members: list[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    """Write a ZIP that may name a member twice."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as bundle, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for name, data in members:
            bundle.writestr(name, data)
    return output.getvalue()


def _bytes(files: Files) -> list[tuple[str | zipfile.ZipInfo, bytes]]:
    return [(n, d.encode() if isinstance(d, str) else d) for n, d in files.items()]


def test_the_genuine_bundle_is_valid(registry: Registry, evidence: bytes, files: Files) -> None:
    expect(_check(registry, evidence), "valid", **GOOD, status="status_good")
    expect(_check(registry, pack(files)), "valid", **GOOD, status="status_good")
    expect(_check(registry, pack(files, method=zipfile.ZIP_STORED)), "valid", **GOOD)


# -- contents ----------------------------------------------------------------------------------------------


def test_no_credential(registry: Registry, files: Files) -> None:
    del files["credential.sd-jwt"]
    expect(_check(registry, pack(files)), "invalid", **UNREADABLE)


def test_an_empty_bundle(registry: Registry) -> None:
    report = _check(registry, pack({}))
    assert report.verdict == "invalid"
    expect(_check(registry, pack({"README.txt": "x"})), "invalid", **UNREADABLE)


@pytest.mark.parametrize(
    "name", ["Credential.sd-jwt", "x/credential.sd-jwt", "./credential.sd-jwt"]
)
def test_the_credential_under_another_name(registry: Registry, files: Files, name: str) -> None:
    files[name] = files.pop("credential.sd-jwt")
    expect(_check(registry, pack(files)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("data", [b"", b"~", b"\xff\xfe", b"\x00" * 100, b"x" * (2 << 20)])
def test_a_credential_that_is_none(registry: Registry, files: Files, data: bytes) -> None:
    files["credential.sd-jwt"] = data
    expect(_check(registry, pack(files)), "invalid", **UNREADABLE)


def test_another_credential(registry: Registry, files: Files, other: Record) -> None:
    files["credential.sd-jwt"] = other.credential
    report = _check(registry, pack(files))
    expect(report, "invalid", read="read_evidence", signature="signature_good", log="log_bad")


def test_a_forged_credential(registry: Registry, files: Files, sd: Sd) -> None:
    files["credential.sd-jwt"] = sd.changed(number="假").unsigned()
    report = _check(registry, pack(files))
    expect(report, "invalid", read="read_evidence", signature="signature_bad", log="log_bad")


def test_no_receipt(registry: Registry, files: Files) -> None:
    del files["receipt.tlog-proof"]
    report = _check(registry, pack(files))
    expect(report, "valid", read="read_evidence", log="no_receipt", status="status_good")


@pytest.mark.parametrize("name", ["status.jwt", "receipt.tlog-proof"])
@pytest.mark.parametrize("data", [b"", b"\xff", b"x"])
def test_rubbish_in_place_of_a_part(
    registry: Registry, files: Files, name: str, data: bytes
) -> None:
    files[name] = data
    report = _check(registry, pack(files))
    assert report.verdict != "valid"
    assert report.step("read").code == "unreadable" or (
        report.step("status").code == "status_unusable"
    )


def test_no_list(registry: Registry, files: Files) -> None:
    del files["status.jwt"]
    expect(_check(registry, pack(files)), "undetermined", **GOOD, status="offline")


def test_an_old_list(registry: Registry, clock: SettableClock, files: Files) -> None:
    clock.move(days(2))
    expect(_check(registry, pack(files)), "undetermined", **GOOD, status="status_stale")


def test_a_list_from_before_the_revocation_is_no_match_for_a_source(
    registry: Registry, record: Record, evidence: bytes
) -> None:
    """Whoever carries a bundle chooses its list: a fresh source goes first."""
    registry.certificates.operate(
        record.id, Operation.REVOKE, basis=Basis("罚", "决", "甲"), by=CLERK
    )
    online = verifier_of(registry, status=registry.status)
    expect(online.verify(evidence), "invalid", **GOOD, status="status_revoked")


def test_a_list_that_the_carrier_signed(registry: Registry, record: Record, files: Files) -> None:
    registry.certificates.operate(
        record.id, Operation.REVOKE, basis=Basis("罚", "决", "甲"), by=CLERK
    )
    listed = Sd.of(str(files["status.jwt"], "ascii") + "~")  # type: ignore[arg-type]  # unpacked bytes
    files["status.jwt"] = sign_jwt(listed.header, listed.payload, new_key())
    expect(_check(registry, pack(files)), "undetermined", **GOOD, status="status_unusable")


def test_the_list_of_another_address(registry: Registry, files: Files) -> None:
    stolen = Stolen(registry)
    listed = Sd.of(str(files["status.jwt"], "ascii") + "~")  # type: ignore[arg-type]  # unpacked bytes
    claims = {**listed.payload, "sub": registry.base + "/status/1"}
    files["status.jwt"] = sign_jwt(listed.header, claims, stolen.key(Role.STATUS))
    expect(_check(registry, pack(files)), "undetermined", **GOOD, status="status_unusable")


def test_statements_of_another_certificate_change_nothing_today(
    registry: Registry, record: Record, other: Record, files: Files
) -> None:
    registry.certificates.operate(
        other.id, Operation.REVOKE, basis=Basis("罚", "决", "甲"), by=CLERK
    )
    (event,) = registry.certificates.history(other.id, by=CLERK)
    files["statements/0001.jwt"] = event.token
    report = _check(registry, pack(files))
    expect(report, "valid", **GOOD, status="status_good")
    assert report.certificate["id"] == record.id


# -- names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../../../tmp/ecert-adversary",
        "/tmp/ecert-adversary",  # noqa: S108 - a name in a ZIP
        "..\\..\\ecert-adversary",
        "C:\\ecert-adversary",
        "statements/../../ecert-adversary.jwt",
        "\x01",
        "a" * 60_000,
        "statements/",
        "\u202ecredential.sd-jwt",
    ],
    ids=lambda name: name[:30],
)
def test_names_that_lead_elsewhere(registry: Registry, files: Files, name: str) -> None:
    """Nothing is unpacked to a disk, so a name is only a name."""
    before = {path.name for path in Path(tempfile.gettempdir()).glob("*ecert-adversary*")}
    report = _check(registry, pack({**files, name: "x"}))
    assert report.verdict == "valid"
    expect(report, "valid", **GOOD, status="status_good")
    after = {path.name for path in Path(tempfile.gettempdir()).glob("*ecert-adversary*")}
    assert before == after


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("name", ["credential.sd-jwt", "status.jwt", "receipt.tlog-proof"])
def test_two_members_of_one_name(
    registry: Registry, files: Files, other: Record, name: str, is_first: bool
) -> None:
    # Mended: the last one counts, silently. Another tool shows the first: the citizen reads one
    # credential and verifies the other (ecert/verification/presented.py _unzip: refuse).
    second = {
        "credential.sd-jwt": other.credential.encode(),
        "status.jwt": b"x",
        "receipt.tlog-proof": b"x",
    }[name]
    genuine = _bytes(files)
    extra: tuple[str | zipfile.ZipInfo, bytes] = (name, second)
    members = [extra, *genuine] if is_first else [*genuine, extra]
    expect(_check(registry, _pack_list(members)), "invalid", **UNREADABLE)


# -- the container -------------------------------------------------------------------------------------------


def test_ten_thousand_and_one_members(registry: Registry, files: Files) -> None:
    flood: Files = {f"statements/{number:05}.jwt": "x" for number in range(10_001)}
    expect(_check(registry, pack({**files, **flood})), "invalid", **UNREADABLE)


def test_a_member_that_unpacks_to_more_than_its_bound(registry: Registry, files: Files) -> None:
    files["README.txt"] = bytes((8 << 20) + 1)
    data = pack(files)
    assert len(data) < 100_000
    expect(_check(registry, data), "invalid", **UNREADABLE)


def test_members_that_unpack_to_more_than_all_bounds(registry: Registry, files: Files) -> None:
    bomb: Files = {f"bomb{number}": bytes(8 << 20) for number in range(5)}
    data = pack({**files, **bomb})
    assert len(data) < 100_000
    expect(_check(registry, data), "invalid", **UNREADABLE)


def test_members_that_overlap(registry: Registry, files: Files) -> None:
    """Many entries of the directory that all point to one packed member (a bomb without nesting)."""
    data = pack({**files, "bomb": bytes(1 << 20)})
    end = data.rindex(b"PK\x05\x06")
    count, size, start = struct.unpack("<HII", data[end + 10 : end + 20])
    directory = data[start:end]
    last = directory[directory.rindex(b"PK\x01\x02") :]
    more = b"".join(last.replace(b"bomb", f"bo{number:02}".encode()) for number in range(10, 90))
    tail = struct.pack(
        "<4sHHHHIIH", b"PK\x05\x06", 0, 0, count + 80, count + 80, size + len(more), start, 0
    )
    report = _check(registry, data[:start] + directory + more + tail)
    expect(report, "invalid", **UNREADABLE)


def test_an_encrypted_member(registry: Registry, files: Files) -> None:
    """The flag alone: there is nothing to decrypt with, so it must be refused."""
    data = bytearray(pack(files))
    place = -1
    while (place := data.find(b"PK\x03\x04", place + 1)) >= 0:
        data[place + 6] |= 1
    while (place := data.find(b"PK\x01\x02", place + 1)) >= 0:
        data[place + 8] |= 1
    expect(_check(registry, bytes(data)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("method", [1, 6, 9, 93, 95, 99])
def test_a_method_of_packing_that_nobody_has(registry: Registry, files: Files, method: int) -> None:
    data = bytearray(pack(files))
    place = -1
    while (place := data.find(b"PK\x03\x04", place + 1)) >= 0:
        data[place + 8 : place + 10] = struct.pack("<H", method)
    while (place := data.find(b"PK\x01\x02", place + 1)) >= 0:
        data[place + 10 : place + 12] = struct.pack("<H", method)
    expect(_check(registry, bytes(data)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packed_data_that_is_damaged(registry: Registry, files: Files, method: int) -> None:
    # Mended since this test found it: zlib.error and lzma.LZMAError are neither OSError nor BadZipFile: one flipped bit
    # in a bundle makes verify raise (ecert/verification/presented.py _unzip). Better still: take
    # stored and deflated members only; LZMA lets a file ask for 4 GB of dictionary.
    whole = pack(files, method=method)
    first = whole.index(b"PK\x03\x04", 4)
    verifier = verifier_of(registry)
    for place in range(60, first, 7):
        for bit in (1, 128):
            report = verifier.verify(flip(whole, place, bit))
            json.dumps(report.to_json())
            if report.verdict == "valid":  # a bit of README.txt's date, for example
                assert report.step("signature").code == "signature_good"


def test_members_packed_with_other_methods(registry: Registry, files: Files) -> None:
    """Whatever is decided about them: the answer is one, and it is not an exception."""
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        report = _check(registry, pack(files, method=method))
        assert report.step("read").code in {"read_evidence", "unreadable"}


@pytest.mark.parametrize("value", [0, 1, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF])
@pytest.mark.parametrize("place", [12, 16])
def test_a_directory_that_is_elsewhere(
    registry: Registry, evidence: bytes, place: int, value: int
) -> None:
    # Mended since this test found it: "negative seek value" is a ValueError (ecert/verification/presented.py _unzip).
    end = evidence.rindex(b"PK\x05\x06")
    data = evidence[: end + place] + struct.pack("<I", value) + evidence[end + place + 4 :]
    report = _check(registry, data)
    expect(report, "invalid", **UNREADABLE)


@pytest.mark.parametrize("cut", [1, 10, 22, 23, 100, 1000])
def test_a_truncated_bundle(registry: Registry, evidence: bytes, cut: int) -> None:
    expect(_check(registry, evidence[:-cut]), "invalid", **UNREADABLE)


@pytest.mark.parametrize(
    "data",
    [b"PK\x03\x04", b"PK\x03\x04" + bytes(100), b"PK\x05\x06" + bytes(18), b"PK"],
)
def test_a_zip_that_is_none(registry: Registry, data: bytes) -> None:
    expect(_check(registry, data), "invalid", **UNREADABLE)


def test_a_page_before_the_bundle(registry: Registry, evidence: bytes) -> None:
    """A ZIP may have anything in front: then it is not presented as a bundle."""
    expect(_check(registry, b"<html></html>" + evidence), "invalid", **UNREADABLE)


def test_a_second_bundle_behind_the_first(
    registry: Registry, evidence: bytes, other: Record, record: Record
) -> None:
    """Readers that begin at the end and readers that begin at the start must not disagree."""
    second = registry.evidence.pack(other.id, by=CLERK)
    report = _check(registry, evidence + second)
    assert report.verdict == "invalid" or report.certificate["id"] in {other.id, record.id}


def test_any_flipped_bit_never_raises_and_never_shows_another_certificate(
    registry: Registry, record: Record, evidence: bytes
) -> None:
    # Mended since this test found it: as in test_packed_data_that_is_damaged.
    verifier = verifier_of(registry)
    honest = verifier.verify(evidence).certificate

    @settings(max_examples=300)
    @given(st.integers(0, len(evidence) - 1), st.integers(0, 7))
    def check(place: int, bit: int) -> None:
        report = verifier.verify(flip(evidence, place, 1 << bit))
        json.dumps(report.to_json())
        assert report.certificate in (None, honest) or report.verdict != "valid"

    check()
    assert honest is not None
    assert record.id == honest["id"]


@pytest.mark.parametrize(
    "change", [lambda data: data * 2, lambda data: data + b"x", lambda data: data + bytes(70_000)]
)
def test_something_behind_the_bundle(
    registry: Registry, record: Record, evidence: bytes, change: Callable[[bytes], bytes]
) -> None:
    report = _check(registry, change(evidence))
    assert report.verdict == "invalid" or report.certificate["id"] == record.id
