"""Time-stamps on documents (RFC 3161, PAdES B-T), from a real authority that may misbehave."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import tsp
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.status import SignatureCoverageLevel

from ecert.config import Surroundings, init_registry, load_settings, open_registry
from ecert.errors import HomeError, TimeStampUnavailable
from ecert.pdf.sign import Authority
from ecert.registry import Registry
from tests.conftest import CLERK, PLAN, WORKS
from tests.flows.pages import WISH, draft, pyhanko, run, verapdf
from tests.flows.time_authority import (
    MISBEHAVIOURS,
    TimeAuthority,
    ask_for_stamps,
    nobody,
    time_authority,
)

FAULTS = [*MISBEHAVIOURS, "absent"]


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[TimeAuthority]:
    with time_authority(tmp_path / "authority") as running:
        yield running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a twentieth of a second for an authority, not ten."""

    def soon(url: str) -> Authority:
        return Authority(url, timeout=0.05)  # type: ignore[arg-type]  # seconds, of any length

    monkeypatch.setattr("ecert.pdf.sign.Authority", soon)


Opener = Callable[..., Registry]


@pytest.fixture
def open_with(tmp_path: Path) -> Iterator[Opener]:
    """Open the registry of this test, by the real clock, with an authority in its settings."""
    around = Surroundings(state=tmp_path / "state")
    init_registry(tmp_path / "home", PLAN, around=around).close()
    opened: list[Registry] = []

    def opener(url: str, *, is_required: bool) -> Registry:
        ask_for_stamps(tmp_path / "home", url, is_required=is_required)
        opened.append(open_registry(tmp_path / "home", around=around))
        return opened[-1]

    yield opener
    for one in opened:
        one.close()


def issued(registry: Registry) -> str:
    """Issue a certificate and publish the log."""
    identifier = registry.certificates.issue(WORKS, draft(registry, WORKS), by=CLERK).record.id
    registry.log.publish()
    return identifier


def pending(registry: Registry) -> int:
    """Count the certificates without a document."""
    return registry.documents.count_pending(by=CLERK)


def tokens(data: bytes) -> list[Any]:
    """Read the time-stamps in a document's signature."""
    (signature,) = PdfFileReader(io.BytesIO(data)).embedded_signatures
    unsigned = signature.signer_info["unsigned_attrs"]
    return [
        one["values"][0] for one in unsigned if one["type"].native == "signature_time_stamp_token"
    ]


def test_a_document_carries_the_authoritys_time(
    open_with: Opener, authority: TimeAuthority, tmp_path: Path
) -> None:
    registry = open_with(authority.url, is_required=True)
    before = datetime.now(UTC).replace(microsecond=0)
    made = registry.documents.get(issued(registry), by=CLERK)
    assert made.level == "B-T"
    (token,) = tokens(made.data)
    content = token["content"]["encap_content_info"]["content"].parsed
    assert isinstance(content, tsp.TSTInfo)
    assert before <= content["gen_time"].native <= datetime.now(UTC)
    path = tmp_path / "document.pdf"
    path.write_bytes(made.data)
    said = run("pdfsig", str(path))
    assert "Signature is Valid" in said
    assert "Total document signed" in said
    assert "No syntax or stream encoding errors found" in run("qpdf", "--check", str(path))
    assert verapdf([path]) == {path: []}
    (trusted,) = registry.trusted().agencies.values()
    status = pyhanko(made.data, [*trusted.anchors, authority.anchor])
    assert status.bottom_line, status.pretty_print_details()
    assert status.coverage == SignatureCoverageLevel.ENTIRE_FILE
    assert status.timestamp_validity.valid
    assert status.timestamp_validity.trusted
    assert status.timestamp_validity.timestamp == content["gen_time"].native
    assert registry.verify(made.data).verdict == "valid"


def test_copies_and_batches_are_stamped_too(open_with: Opener, authority: TimeAuthority) -> None:
    registry = open_with(authority.url, is_required=True)
    identifiers = [issued(registry), issued(registry)]
    assert set(registry.documents.build(identifiers, by=CLERK).values()) == {None}
    copied = registry.documents.copy(identifiers[0], WISH, by=CLERK)
    made = [registry.documents.get(one, by=CLERK) for one in identifiers] + [copied]
    assert [one.level for one in made] == ["B-T"] * 3
    assert [len(tokens(one.data)) for one in made] == [1] * 3
    assert authority.asked == 3


def test_without_an_authority_there_is_no_stamp(open_with: Opener) -> None:
    registry = open_with("", is_required=False)
    made = registry.documents.get(issued(registry), by=CLERK)
    assert made.level == "B-B"
    (signature,) = PdfFileReader(io.BytesIO(made.data)).embedded_signatures
    assert not signature.signer_info["unsigned_attrs"].native


def misbehave(registry: Registry, authority: TimeAuthority, fault: str) -> None:
    """Bring the authority into a fault; a stale stamp is that of another signature."""
    if fault == "stale":
        registry.documents.get(issued(registry), by=CLERK)
    authority.mode = fault


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("impatient")
def test_where_stamps_are_required_the_document_waits(
    open_with: Opener, authority: TimeAuthority, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = open_with(nobody() if fault == "absent" else authority.url, is_required=True)
    if fault == "stale":
        monkeypatch.undo()  # the first stamp takes its time
    if fault != "absent":
        misbehave(registry, authority, fault)
    identifier = issued(registry)
    with pytest.raises(TimeStampUnavailable) as waiting:
        registry.documents.get(identifier, by=CLERK)
    assert waiting.value.code == "time_stamp_unavailable"
    found = registry.documents.build([identifier], by=CLERK)[identifier]
    assert isinstance(found, TimeStampUnavailable)
    assert pending(registry) == 1, "something was kept"
    monkeypatch.undo()
    authority.mode = "good"
    if fault == "absent":
        registry = open_with(authority.url, is_required=True)
    assert registry.documents.get(identifier, by=CLERK).level == "B-T"
    assert pending(registry) == 0


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("impatient")
def test_where_they_are_not_the_document_is_made_and_says_so(
    open_with: Opener, authority: TimeAuthority, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = open_with(nobody() if fault == "absent" else authority.url, is_required=False)
    if fault == "stale":
        monkeypatch.undo()
    if fault != "absent":
        misbehave(registry, authority, fault)
    identifier = issued(registry)
    made = registry.documents.get(identifier, by=CLERK)
    assert made.level == "B-B"
    (signature,) = PdfFileReader(io.BytesIO(made.data)).embedded_signatures
    assert not signature.signer_info["unsigned_attrs"].native
    assert registry.verify(made.data).verdict == "valid"
    authority.mode = "good"
    assert registry.documents.get(identifier, by=CLERK).data == made.data, "it was made twice"


@pytest.mark.usefixtures("impatient")
def test_a_copy_that_waits_is_recorded_once(
    open_with: Opener, authority: TimeAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = open_with(authority.url, is_required=True)
    identifier = issued(registry)
    authority.mode = "error"
    with pytest.raises(TimeStampUnavailable):
        registry.documents.copy(identifier, WISH, by=CLERK)
    monkeypatch.undo()
    authority.mode = "good"
    made = registry.documents.copy(identifier, WISH, by=CLERK)
    assert made.level == "B-T"
    assert registry.verify(made.data).verdict == "valid"
    assert len(registry.documents.copies(identifier, by=CLERK)) == 1, (
        "the copy that nobody got is listed"
    )


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    init_registry(tmp_path / "home", PLAN, around=Surroundings(state=tmp_path / "state")).close()
    ask_for_stamps(tmp_path / "home", "ftp://127.0.0.1/", is_required=True)
    with pytest.raises(HomeError, match="time_stamp_url"):
        load_settings(tmp_path / "home")
