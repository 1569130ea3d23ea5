"""Do page and record agree? The page is drawn again from the record inside, and compared."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pikepdf
import pypdfium2

from ecert.catalogue import CertificateType
from ecert.errors import EcertError
from ecert.formats.picture import read_image, unlikeness
from ecert.model import Record
from ecert.pdf.parts import Parts
from ecert.pdf.read import UNREADABLE, SignedDocument, content
from ecert.pdf.render import render, renderer

_END = b"%%EOF"
_READING_SCALE = 300 / 72  # dots a point: what a scanner at 300 dpi would see
_LOOKING_SCALE = 50 / 72  # coarse enough that letters blur, fine enough that a covered line shows
_LIKE = 12  # of 255: how far two blurred pages may differ anywhere
MAX_PAGES = 50
_PDFIUM = threading.Lock()  # the library serves one thread at a time
_ADDED_TO_ROOT = {"/AcroForm", "/Extensions", "/Metadata"}
_OF_A_FIELD = {"/Type", "/Subtype", "/FT", "/T", "/Rect", "/F", "/P", "/V"}
_CHANGED_INFO = {"/ModDate", "/Producer"}
_TITLES = ("dc:title", "dc:creator", "dc:description", "dc:language", "pdf:Keywords")
_SPACE = re.compile(r"\s+")
_ZERO_WIDTH = "\u200b"  # where a long word may break


Pages = list[pypdfium2.PdfPage]


def compare(document: SignedDocument, parts: Parts, kind: CertificateType) -> str:
    """Compare a document with what its own record draws; give the reason for the agreement step.

    Drawn by the same versions it must be the same byte for byte. Drawn by others, every page must
    say the same words and look alike, and the code must be the seal. ``parts`` must have been
    verified before.
    """
    try:
        return _compare(document.data, parts, kind)
    except (EcertError, pypdfium2.PdfiumError, *UNREADABLE):
        return "page_differs"


def _compare(data: bytes, parts: Parts, kind: CertificateType) -> str:
    drawn = render(parts, kind)
    is_same = data.startswith(drawn)
    first = drawn if is_same else data[: data.index(_END) + len(_END) + 1]
    if not _is_only_signed(first, data):
        return "page_changed"
    if is_same:
        return "agreement_good"
    if _renderer_of(first) == renderer() or not _same_inside(first, drawn):
        return "page_differs"
    with _PDFIUM:
        return _compare_shown(first, drawn, parts.seal)


def _compare_shown(page: bytes, drawn: bytes, seal: str) -> str:
    """Compare what two versions drew, as a reader sees it."""
    with _opened(page) as theirs, _opened(drawn) as ours:
        if _sizes(theirs) != _sizes(ours) or _words(theirs) != _words(ours):
            return "page_differs"
        if seal not in _codes(theirs):
            return "page_differs"
        return "agreement_text" if _look_alike(theirs, ours) else "page_unlike"


def _same_inside(page: bytes, drawn: bytes) -> bool:
    """Tell whether two pages carry the same files, and nothing that acts of itself."""
    with pikepdf.open(io.BytesIO(page)) as theirs, pikepdf.open(io.BytesIO(drawn)) as ours:
        files = [
            {name: content(pdf.attachments[name]) for name in pdf.attachments}
            for pdf in (theirs, ours)
        ]
        return files[0] == files[1] and theirs.Root.keys() == ours.Root.keys()


def _renderer_of(page: bytes) -> str:
    with pikepdf.open(io.BytesIO(page)) as pdf:
        return str(pdf.docinfo.get("/Keywords", ""))


@contextmanager
def _opened(page: bytes) -> Iterator[list[pypdfium2.PdfPage]]:
    with pypdfium2.PdfDocument(page) as pdf:
        if len(pdf) > MAX_PAGES:
            raise ValueError("too many pages")
        yield list(pdf)


def missing_on(page: bytes, record: Record) -> list[str]:
    """List what every printed certificate shows and this one does not, in a face-maker's words."""
    body = record.body
    wanted = [
        ("the title", body["type"]["name"]["zh"]),
        ("the number", body["number"]),
        ("the issuer", body["issuer"]["name"]),
        *(("a holder", holder["name"]) for holder in body["holders"]),
    ]
    with _PDFIUM, _opened(page) as pages:
        words = "".join(_words(pages)).replace(_ZERO_WIDTH, "")
        codes = _codes(pages)
    missing = [what for what, text in wanted if _SPACE.sub("", text) not in words]
    return missing if record.seal in codes else [*missing, "the code"]


def _sizes(pages: Pages) -> list[tuple[int, ...]]:
    return [tuple(round(side) for side in page.get_size()) for page in pages]


def _words(pages: Pages) -> list[str]:
    """Read the words of each page as any reader shows them, without regard to spacing."""
    return [_SPACE.sub("", one.get_textpage().get_text_bounded()) for one in pages]


def _codes(pages: Pages) -> list[str]:
    images = (one.render(scale=_READING_SCALE).to_pil() for one in pages)
    return [text for image in images for text in read_image(image)]


def _look_alike(theirs: Pages, ours: Pages) -> bool:
    """Tell whether pages look alike: words could be covered over."""
    return all(
        unlikeness(*(page.render(scale=_LOOKING_SCALE).to_pil() for page in pair)) <= _LIKE
        for pair in zip(theirs, ours, strict=True)
    )


def _is_only_signed(first: bytes, whole: bytes) -> bool:
    try:
        return _adds_only_a_signature(first, whole)
    except UNREADABLE:  # of another shape than a signature gives it
        return False


def _adds_only_a_signature(first: bytes, whole: bytes) -> bool:
    """Tell whether the signed revision adds to the drawn one a signature that shows nothing, no more."""
    with pikepdf.open(io.BytesIO(first)) as drawn, pikepdf.open(io.BytesIO(whole)) as signed:
        excused = {  # looked at by themselves
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
    return one.unparse(resolved=True)


def _root_is_kept(drawn: pikepdf.Pdf, signed: pikepdf.Pdf) -> bool:
    before, after = _members(drawn.Root), _members(signed.Root)
    kept = {name: value for name, value in after.items() if name not in _ADDED_TO_ROOT}
    form = signed.Root.AcroForm
    return (
        kept == {name: value for name, value in before.items() if name not in _ADDED_TO_ROOT}
        and form.keys() <= {"/Fields", "/SigFlags"}
        and _titles(drawn) == _titles(signed)
    )


def _titles(pdf: pikepdf.Pdf) -> list[Any]:
    """Give what a reader shows above the page, which an update may not change."""
    info = {name: str(value) for name, value in pdf.docinfo.items() if name not in _CHANGED_INFO}
    metadata = pdf.open_metadata()
    return [info, *(metadata.get(name) for name in _TITLES)]


def _shows_nothing_new(drawn: pikepdf.Pdf, signed: pikepdf.Pdf) -> bool:
    """Allow the first page one more annotation, the form's one field, and that shows nothing."""
    before, after = drawn.pages[0].obj, signed.pages[0].obj
    (annotation,), (field,) = list(after.Annots), list(signed.Root.AcroForm.Fields)
    kept = {name: value for name, value in _members(after).items() if name != "/Annots"}
    is_same = annotation.objgen == field.objgen != (0, 0)
    return kept == _members(before) and is_same and _is_hidden(field)


def _is_hidden(field: pikepdf.Object) -> bool:
    return (
        field.keys() <= _OF_A_FIELD
        and (str(field.Subtype), str(field.FT)) == ("/Widget", "/Sig")
        and [int(side) for side in field.Rect] == [0, 0, 0, 0]
    )


def _members(one: pikepdf.Object) -> dict[str, Any]:
    """Give a dictionary's members as written, so that what they point to is compared by number."""
    return {
        str(name): member.unparse() if hasattr(member, "unparse") else member
        for name, member in one.items()
    }
