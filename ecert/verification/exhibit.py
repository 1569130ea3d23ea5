"""The exhibit 出示物, what somebody presents: a PDF, a credential, a seal, a picture, a receipt, a bundle."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ecert.errors import DocumentError, InputError, SealError, TooLarge
from ecert.formats.annotation import UnverifiedCopy
from ecert.formats.receipt import HEAD, Receipt, parse_receipt
from ecert.formats.seal import UnverifiedSeal, parse_seal
from ecert.formats.status_list import details_uri, part_of
from ecert.formats.unverified_credential import UnverifiedCredential, parse_credential
from ecert.pdf.parts import CREDENTIAL_FILE, RECEIPT_FILE

if TYPE_CHECKING:
    from ecert.pdf.read import UnverifiedDocument

MAX_EXHIBIT_BYTES = 32 << 20
MAX_MEMBER_BYTES = 8 << 20
MAX_MEMBERS = 1000
LIST_FILE, DETAILS_FILE = "status.jwt", "status-details.jwt"
STATEMENTS = "statements/"


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What was read; nothing in it has been checked.

    ``code`` is the reason of the read step. ``lists`` maps addresses to status tokens that a
    bundle brought, ``statements`` are the signed acts it brought. ``document`` is a PDF: what is
    inside, and ``copy`` and ``copy_receipt``, is read once its signer is known to be trusted.
    """

    code: str
    credential: UnverifiedCredential | None = None
    seal: UnverifiedSeal | None = None
    receipt: Receipt | None = None
    lists: Mapping[str, str] = field(default_factory=dict)
    statements: tuple[str, ...] = ()
    document: UnverifiedDocument | None = None
    copy: UnverifiedCopy | None = None
    copy_receipt: Receipt | None = None


def read_exhibit(data: bytes | str, receipt: str | None = None) -> Exhibit:
    """Recognise what is presented by its content and read it; never raises for bad input."""
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
    if len(raw) > MAX_EXHIBIT_BYTES:
        return Exhibit("unreadable")
    try:
        return _read(raw, receipt)
    except InputError:
        return Exhibit("unreadable")


def _read(raw: bytes, receipt: str | None) -> Exhibit:
    if raw.startswith(b"%PDF-"):
        return _read_document(raw)
    if raw.startswith(b"PK\x03\x04"):
        return _read_bundle(raw)
    if raw.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        return _read_picture(raw)
    try:
        text = raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return Exhibit("unreadable")
    return _read_text(text, receipt)


def _read_text(text: str, receipt: str | None) -> Exhibit:
    if text.startswith(HEAD):
        return Exhibit("read_receipt", receipt=parse_receipt(text + "\n"))
    if "~" in text:
        proof = None if receipt is None else parse_receipt(receipt)
        return Exhibit("read_credential", credential=parse_credential(text), receipt=proof)
    return Exhibit("read_seal", seal=parse_seal(text))


def _read_document(raw: bytes) -> Exhibit:
    from ecert.pdf.read import parse_document  # noqa: PLC0415 - slow to load, and many never need it

    try:
        return Exhibit("read_document", document=parse_document(raw))
    except DocumentError as error:
        return Exhibit(error.reason)


def _read_picture(raw: bytes) -> Exhibit:
    from ecert.formats.picture import read_picture  # noqa: PLC0415 - slow to load, and many never need it

    try:
        texts = read_picture(raw)
    except (SealError, TooLarge):
        return Exhibit("no_code")
    seals = {text: seal for text in texts if (seal := _seal_or_none(text)) is not None}
    if len(seals) > 1:
        return Exhibit("several_seals")
    for seal in seals.values():
        return Exhibit("read_seal", seal=seal)
    return Exhibit("unreadable" if texts else "no_code")


def _seal_or_none(text: str) -> UnverifiedSeal | None:
    try:
        return parse_seal(text)
    except SealError:
        return None


def _read_bundle(raw: bytes) -> Exhibit:
    files = _unzip(raw)
    credential = parse_credential(_text(files, CREDENTIAL_FILE).strip())
    receipt = parse_receipt(_text(files, RECEIPT_FILE)) if RECEIPT_FILE in files else None
    uri = credential.status.uri
    part = part_of(credential.status.index)
    places = {LIST_FILE: uri, DETAILS_FILE: details_uri(uri, part)}
    lists = {place: _text(files, name).strip() for name, place in places.items() if name in files}
    names = sorted(name for name in files if name.startswith(STATEMENTS) and name.endswith(".jwt"))
    statements = tuple(_text(files, name).strip() for name in names)
    return Exhibit(
        "read_evidence",
        credential=credential,
        receipt=receipt,
        lists=lists,
        statements=statements,
    )


def _text(files: Mapping[str, bytes], name: str) -> str:
    try:
        return files[name].decode("utf-8")
    except (KeyError, UnicodeDecodeError) as error:
        raise InputError(f"the bundle has no readable {name}") from error


def _unzip(raw: bytes) -> dict[str, bytes]:
    """Unpack a bundle in memory, bounded in count and in unpacked size."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as bundle:
            return dict(_members(bundle))
    except InputError:
        raise
    except Exception as error:  # zipfile lets each codec raise what it likes
        raise InputError("the bundle is damaged") from error


def _members(bundle: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    members, total = bundle.infolist(), 0
    if len(members) > MAX_MEMBERS:
        raise TooLarge("the bundle has too many files")
    if len({member.filename for member in members}) < len(members):
        raise InputError("a file stands twice in the bundle")
    for member in members:
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise InputError("a file in the bundle is packed in another way than deflate")
        with bundle.open(member) as file:
            data = file.read(MAX_MEMBER_BYTES + 1)
        total += len(data)
        if len(data) > MAX_MEMBER_BYTES or total > MAX_EXHIBIT_BYTES:
            raise TooLarge("the bundle is too large when unpacked")
        yield member.filename, data
