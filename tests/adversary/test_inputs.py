"""Whatever is handed in: an answer, never an exception, and never `valid`."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecert.errors import InputError
from ecert.keys import Trust
from ecert.model import Record
from ecert.registry import Registry
from ecert.verification import Report
from tests.adversary.forge import Sd, b64url, expect
from tests.conftest import CLERK

UNREADABLE = {"read": "unreadable", "signature": "not_reached", "status": "not_reached"}
HEADS = [
    b"",
    b"PK\x03\x04",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"%PDF-",
    b"c2sp.org/tlog-proof@v1\n",
    b"HTTP://127.0.0.1:8000/V#",
    b"2KCEHIIBE2QFSAIYVABH",
]


def _never_valid(report: Report) -> None:
    assert report.verdict in {"invalid", "undetermined"}
    assert report.certificate is None
    json.dumps(report.to_json())


def test_random_bytes(registry: Registry) -> None:
    verifier = registry.verifier()

    @settings(max_examples=400)
    @given(st.sampled_from(HEADS), st.binary(max_size=400))
    def check(head: bytes, tail: bytes) -> None:
        _never_valid(verifier.verify(head + tail))

    check()


def test_random_text(registry: Registry) -> None:
    verifier = registry.verifier()
    heads = ["", "c2sp.org/tlog-proof@v1\nextra ", "HTTP://127.0.0.1:8000/V#", "/v#", "#"]
    text = st.text(max_size=200) | st.text("~.", max_size=20) | st.text("ABC234567~.#/V\x00\n ")

    @settings(max_examples=400)
    @given(st.sampled_from(heads), text)
    def check(head: str, tail: str) -> None:
        _never_valid(verifier.verify(head + tail))

    check()


def test_random_text_as_a_receipt(registry: Registry, record: Record) -> None:
    verifier = registry.verifier()
    genuine = str(registry.certificates.receipt(record.id, by=CLERK))

    @settings(max_examples=200)
    @given(st.integers(0, len(genuine)), st.integers(0, 40), st.text(max_size=30))
    def check(start: int, size: int, middle: str) -> None:
        changed = genuine[:start] + middle + genuine[start + size :]
        report = verifier.verify(record.credential, receipt=changed)
        json.dumps(report.to_json())
        assert (
            report.step("log").code == "log_good"
            or report.verdict != "valid"
            or (report.step("log").code in {"log_unknown", "no_receipt"})
        )

    check()


def test_random_json_in_the_parts_of_a_token(registry: Registry, sd: Sd) -> None:
    """The genuine header before any payload, any header before the genuine payload."""
    verifier = registry.verifier()
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
    values = st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=8,
    )
    names = st.sampled_from([*sd.payload, *sd.header, "alg", "jwk", "exp", "_sd", "...", "_sd_alg"])

    @settings(max_examples=300)
    @given(names, values, values)
    def check(name: str, value: object, whole: object) -> None:
        head, payload, signature = sd.jwt.split(".")
        other = b64url(json.dumps({**sd.payload, name: value}).encode())
        header = b64url(json.dumps({"alg": "ES256", **sd.header, name: value}).encode())
        for token in (
            f"{head}.{other}.{signature}",
            f"{header}.{payload}.{signature}",
            f"{head}.{b64url(json.dumps(whole).encode())}.{signature}",
            f"{b64url(json.dumps(whole).encode())}.{payload}.{signature}",
        ):
            if token != sd.jwt:
                _never_valid_unless_same(verifier.verify(sd.with_token(token)), name)

    check()


def _never_valid_unless_same(report: Report, name: str) -> None:
    """A header member that PyJWT writes in another order is signed otherwise, so nothing is valid."""
    assert report.verdict != "valid", name
    json.dumps(report.to_json())


def test_random_disclosures(registry: Registry, sd: Sd) -> None:
    verifier = registry.verifier()
    parts = st.lists(st.none() | st.integers() | st.text(max_size=5), max_size=4).map(
        lambda found: b64url(json.dumps(found).encode())
    )

    @settings(max_examples=200)
    @given(st.lists(parts | st.text(max_size=20), min_size=1, max_size=4))
    def check(invented: list[str]) -> None:
        report = verifier.verify(sd.with_disclosures(*invented))
        assert report.verdict == "invalid"
        json.dumps(report.to_json())

    check()


@pytest.mark.parametrize("size", [(32 << 20) + 1, 33 << 20])
@pytest.mark.parametrize("head", HEADS)
def test_more_than_32_megabytes(registry: Registry, head: bytes, size: int) -> None:
    expect(registry.verify(head + bytes(size)), "invalid", **UNREADABLE)


def test_a_text_of_more_than_32_megabytes(registry: Registry) -> None:
    for letter in ("A", "~", "证", "\x00"):
        expect(registry.verify(letter * (33 << 20)), "invalid", **UNREADABLE)


def test_a_text_that_is_only_too_long_in_bytes(registry: Registry) -> None:
    expect(registry.verify("证" * (11 << 20)), "invalid", **UNREADABLE)


@pytest.mark.parametrize("count", [0, 1, 16, 4096])
def test_nuls(registry: Registry, count: int) -> None:
    expect(registry.verify(bytes(count)), "invalid", **UNREADABLE)
    expect(registry.verify("\x00" * count), "invalid", **UNREADABLE)


def test_nuls_inside_the_genuine(registry: Registry, record: Record) -> None:
    for text in (record.credential, record.seal):
        for place in (0, 5, len(text) // 2, len(text)):
            report = registry.verify(text[:place] + "\x00" + text[place:])
            assert report.verdict == "invalid"


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n", "~", "~~", "#", "/V#", "x", "证照", "null", "{}", "[]", "..", "..~", "\ufeff"],
)
def test_next_to_nothing(registry: Registry, text: str) -> None:
    expect(registry.verify(text), "invalid", **UNREADABLE)


def test_surrogates(registry: Registry, record: Record) -> None:
    for text in ("\ud800", "~\udfff", record.credential + "\ud800"):
        expect(registry.verify(text), "invalid", **UNREADABLE)


def test_utf_16_and_a_byte_order_mark(registry: Registry, record: Record) -> None:
    expect(registry.verify(record.credential.encode("utf-16")), "invalid", **UNREADABLE)
    report = registry.verify(b"\xef\xbb\xbf" + record.credential.encode())
    assert report.verdict in {"valid", "invalid"}


def test_a_pdf_is_not_checked(registry: Registry) -> None:
    """Not verified is neither good nor bad."""
    report = registry.verify(b"%PDF-1.7\n%%EOF\n")
    assert report.verdict != "valid"
    assert report.certificate is None


def test_a_verifier_that_believes_nobody(registry: Registry, record: Record) -> None:
    from ecert.verification import verify

    for presented in (record.credential, record.seal):
        report = verify(presented, Trust(()), clock=registry.clock)
        expect(report, "undetermined", signature="registry_unknown", status="not_reached")


def test_a_moment_without_a_time_zone_is_the_callers_mistake(
    registry: Registry, record: Record
) -> None:
    with pytest.raises(InputError):
        registry.verify(record.credential, at=datetime(2026, 3, 2))  # noqa: DTZ001 - meant


@pytest.mark.parametrize(
    "at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), date.min, date.max]
)
def test_the_first_and_the_last_moment_there_is(
    registry: Registry, record: Record, at: datetime | date
) -> None:
    for presented in (record.credential, record.seal):
        report = registry.verify(presented, at=at)
        json.dumps(report.to_json())
