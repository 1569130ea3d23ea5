"""Drawing a document with typst: the same parts and the same template give the same bytes."""

from __future__ import annotations

import threading
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import typst

from ecert._encoding import sha256, to_json
from ecert.catalogue import CertificateType
from ecert.errors import RenderError
from ecert.fonts import font_paths, fonts_version
from ecert.formats.annotation import UnverifiedCopy, parse_copy
from ecert.formats.unverified_credential import UnverifiedCredential, parse_credential
from ecert.pdf.page import page_data, record_of
from ecert.pdf.parts import (
    COPY_FILE,
    COPY_RECEIPT_FILE,
    CREDENTIAL_FILE,
    IMAGE_FILE,
    RECEIPT_FILE,
    RECORD_FILE,
    SEAL_FILE,
    Parts,
)

STANDARD: Literal["a-3b"] = "a-3b"  # PDF/A-3b, ISO 19005-3
_PAGE_DATA = 1  # the version of what ``page`` hands to a face
_LAYOUT = Path(str(files("ecert") / "pdf" / "layout"))  # all that a face can import from
_LOCK = threading.Lock()  # one compiler, one page at a time
_MEDIA = {
    ".sd-jwt": "application/dc+sd-jwt",
    ".jwt": "application/jwt",
    ".json": "application/json",
    ".png": "image/png",
}
_DESCRIPTIONS = {
    CREDENTIAL_FILE: "电子凭证 the signed credential (SD-JWT VC)",
    RECEIPT_FILE: "存证回执 the proof that the issue is in the log",
    SEAL_FILE: "签章码 the text of the code on the page",
    COPY_FILE: "加注件记录 the signed record of this copy",
    COPY_RECEIPT_FILE: "加注件存证回执 the proof that this copy is in the log",
    RECORD_FILE: "证照内容 what the credential says, for people",
    IMAGE_FILE: "印章图样 the agency's own image",
}
_ATTACH = """
#for file in json(bytes(sys.inputs.files)) {
  pdf.attach(
    file.name, bytes(file.content), relationship: file.relationship, mime-type: file.media,
    description: file.description,
  )
}
"""


@cache
def renderer() -> str:
    """Name what draws: another version of any of these may draw another page."""
    frames = b"".join(one.read_bytes() for one in sorted((_LAYOUT / "frame").iterdir()))
    drawn_by = f"typst {version('typst')}, qrcode {version('qrcode')}, {fonts_version()}"
    return f"ecert page {_PAGE_DATA}, frame {sha256(frames).hex()[:16]}, {drawn_by}"


@cache
def _compiler() -> typst.Compiler:
    """Make the one compiler that is kept: a new one for each page would read the fonts again."""
    fonts = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=sorted({str(path.parent) for path in font_paths()}),
    )
    nowhere = _LAYOUT / "packages"  # a folder that is not there: nothing is ever fetched
    return typst.Compiler(
        root=_LAYOUT, font_paths=fonts, package_path=nowhere, package_cache_path=nowhere
    )


def render(parts: Parts, kind: CertificateType) -> bytes:
    """Draw the page of a certificate 证照版面 and put its record inside: an unsigned PDF/A-3b.

    Raises: RenderError, naming the character when one cannot be drawn; TokenError, SealError.
    """
    credential = parse_credential(parts.credential)
    copy = None if parts.copy is None else parse_copy(parts.copy)
    data = page_data(parts, credential, copy, kind) | {"renderer": renderer()}
    attached = _attachments(parts, record_of(credential, kind))
    inputs = {"data": to_json(data).decode(), "files": to_json(attached).decode()}
    with _LOCK:
        return _compile(kind.face + _ATTACH, inputs, _made_at(credential, copy))


def _made_at(credential: UnverifiedCredential, copy: UnverifiedCopy | None) -> int:
    return credential.iat if copy is None else copy.copy.made_at


def _compile(source: str, inputs: dict[str, str], timestamp: int) -> bytes:
    try:
        made = _compiler().compile(
            source.encode(),
            format="pdf",
            sys_inputs=inputs,
            pdf_standards=[STANDARD],
            timestamp=timestamp,
        )
    except typst.TypstError as error:
        raise RenderError(f"the page cannot be drawn: {error.message.splitlines()[0]}") from error
    assert isinstance(made, bytes)  # noqa: S101 - one PDF, not a picture a page
    return made + b"\n"  # an update begins on a line of its own, or it is no PDF/A (6.1.9)


def _attachments(parts: Parts, record: dict[str, Any]) -> list[dict[str, Any]]:
    """List what goes inside: the credential is the page's source, the rest stands beside it."""
    found = [_attachment(name, text) for name, text in parts.texts().items()]
    found.append(_attachment(RECORD_FILE, to_json(record).decode()))
    if parts.image is not None:
        found.append(_attachment(IMAGE_FILE, list(parts.image)))
    return found


def _attachment(name: str, content: str | list[int]) -> dict[str, Any]:
    relationship = "source" if name == CREDENTIAL_FILE else "supplement"
    media = _MEDIA.get(name[name.rindex(".") :], "text/plain")
    return {
        "name": name,
        "content": content,
        "relationship": relationship,
        "media": media,
        "description": _DESCRIPTIONS[name],
    }
