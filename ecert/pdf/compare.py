"""Do page and record agree? The page is drawn again from the record inside, and compared."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pikepdf
import pypdfium2

from ecert.catalogue import CertificateType
from ecert.errors import EcertError
from ecert.pdf.parts import Parts
from ecert.pdf.read import SignedDocument
from ecert.pdf.render import render, renderer
from ecert.qr import read_image

_END = b"%%EOF"
_READING_SCALE = 300 / 72  # dots a point: what a scanner at 300 dpi would see
MAX_PAGES = 50
_ADDED_TO_ROOT = {"/AcroForm", "/Extensions", "/Metadata", "/Version"}
_SPACE = re.compile(r"\s+")


def compare(document: SignedDocument, parts: Parts, kind: CertificateType) -> str:
    """Compare a document with what its own record draws; give the reason for the agreement step.

    Drawn by the same versions it must be the same byte for byte; drawn by others, every page must
    say the same words and the code must be the seal. ``parts`` must have been verified before.
    """
    try:
        return _compare(document.data, parts, kind)
    except (
        EcertError,
        pikepdf.PdfError,
        pypdfium2.PdfiumError,
        ValueError,
        LookupError,
        AttributeError,
    ):
        return "page_differs"


def _compare(data: bytes, parts: Parts, kind: CertificateType) -> str:
    drawn = render(parts, kind)
    is_same = data.startswith(drawn)
    first = drawn if is_same else data[: data.index(_END) + len(_END) + 1]
    if not _adds_only_a_signature(first, data):
        return "page_changed"
    if is_same:
        return "agreement_good"
    if _renderer_of(first) == renderer():
        return "page_differs"
    return "agreement_text" if _says_the_same(first, drawn, parts.seal) else "page_differs"


def _renderer_of(page: bytes) -> str:
    with pikepdf.open(io.BytesIO(page)) as pdf:
        return str(pdf.docinfo.get("/Keywords", ""))


def _says_the_same(page: bytes, drawn: bytes, seal: str) -> bool:
    return _words(page) == _words(drawn) and seal in _codes(page)


def _words(page: bytes) -> list[str]:
    """Read the words of each page as any reader shows them, without regard to spacing."""
    return [_SPACE.sub("", one.get_textpage().get_text_bounded()) for one in _pages(page)]


def _codes(page: bytes) -> list[str]:
    images = (one.render(scale=_READING_SCALE).to_pil() for one in _pages(page))
    return [text for image in images for text in read_image(image)]


def _pages(page: bytes) -> Iterator[pypdfium2.PdfPage]:
    with pypdfium2.PdfDocument(page) as pdf:
        if len(pdf) > MAX_PAGES:
            raise ValueError("too many pages")
        yield from pdf


def _adds_only_a_signature(first: bytes, whole: bytes) -> bool:
    """Tell whether the signed revision adds to the drawn one a signature that shows nothing, no more."""
    with pikepdf.open(io.BytesIO(first)) as drawn, pikepdf.open(io.BytesIO(whole)) as signed:
        excused = {  # looked at by themselves, or shown on no page
            *(drawn.Root.objgen, drawn.pages[0].objgen),
            *(drawn.trailer.Info.objgen, drawn.Root.Metadata.objgen),
        }
        if len(drawn.pages) != len(signed.pages) or drawn.Root.objgen != signed.Root.objgen:
            return False
        same = all(
            _written(one) == _written(signed.get_object(one.objgen))
            for one in drawn.objects
            if one.objgen not in excused
        )
        return same and _root_is_kept(drawn, signed) and _shows_nothing_new(drawn, signed)


def _written(one: pikepdf.Object) -> bytes:
    if isinstance(one, pikepdf.Stream):
        return one.stream_dict.unparse() + one.read_raw_bytes()
    return one.unparse()


def _root_is_kept(drawn: pikepdf.Pdf, signed: pikepdf.Pdf) -> bool:
    before, after = _members(drawn.Root), _members(signed.Root)
    kept = {name: value for name, value in after.items() if name not in _ADDED_TO_ROOT}
    form = signed.Root.AcroForm
    return (
        kept == {name: value for name, value in before.items() if name not in _ADDED_TO_ROOT}
        and set(form.keys()) <= {"/Fields", "/SigFlags"}
        and len(list(form.Fields)) == 1
    )


def _shows_nothing_new(drawn: pikepdf.Pdf, signed: pikepdf.Pdf) -> bool:
    """Allow the first page one more annotation: a signature field of no size and no appearance."""
    before, after = drawn.pages[0].obj, signed.pages[0].obj
    added = list(after.get("/Annots", ()))
    kept = {name: value for name, value in _members(after).items() if name != "/Annots"}
    return kept == _members(before) and len(added) == 1 and _is_hidden(added[0])


def _is_hidden(field: pikepdf.Object) -> bool:
    is_empty = all(side == 0 for side in field.get("/Rect", (1,)))
    return field.get("/FT") == "/Sig" and is_empty and "/AP" not in field


def _members(one: pikepdf.Object) -> dict[str, Any]:
    """Give a dictionary's members as written, so that what they point to is compared by number."""
    return {
        str(name): member.unparse() if hasattr(member, "unparse") else member
        for name, member in one.items()
    }
