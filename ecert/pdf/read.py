"""Reading a signed document: first whose signature covers which bytes, and only then what they say.

Until the signature was found good nothing but its place is looked for, by a plain search, and the
CMS in it is read, bounded: a stranger's file never meets a PDF parser. What an agency signed is
then taken apart.
"""

from __future__ import annotations

import hashlib
import io
import re
import zlib
from dataclasses import dataclass
from datetime import datetime

import pikepdf
from asn1crypto import cms, x509
from pyhanko.sign.validation.generic_cms import validate_sig_integrity

from ecert.errors import DocumentError, SignatureError
from ecert.keys import EDDSA, ES256, suite_of
from ecert.keys.chain import organisation_code, parse_certificate
from ecert.pdf.parts import Parts, parts_of

MAX_ATTACHMENTS = 16
MAX_UNPACKED = 64 << 20
MAX_ATTACHMENT_BYTES = 2 << 20
MAX_SIGNATURES = 8  # places looked at; ours has one
MAX_HOLE = 64 << 10  # hexadecimal digits of a signature; ours has at most 48 K
MAX_CERTIFICATES = 8
_TIME_WINDOW = 4 << 10  # bytes around the signature in which its dictionary stands
_RANGE = re.compile(
    rb"/ByteRange\s{0,8}\[\s{0,8}(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s*\]"
)
_END, _TAIL = b"%%EOF", 1024  # how a PDF ends, and within how many bytes (ISO 32000-1 §7.5.5)
_HEX = re.compile(rb"(?:[0-9A-F]{2})+")
_TIME = re.compile(rb"/M\s{0,8}\(D(?::|\\072)(\d{14})(?:Z|\+00'00'?)\)")
# What the reader raises for odd structures, and for a file that wants a password.
UNREADABLE = (
    *(pikepdf.PdfError, pikepdf.PasswordError, zlib.error),
    *(ValueError, LookupError, AttributeError, TypeError),
)
# Even an agency's file must not unpack to gigabytes; ours are a few hundred kilobytes.
pikepdf.settings.set_qpdf_limits(
    flate_max_memory=MAX_UNPACKED, png_max_memory=MAX_UNPACKED, run_length_max_memory=MAX_UNPACKED
)
ALGORITHMS = {  # of each suite: digest and signature, as CMS calls them
    ES256: ("sha256", "sha256_ecdsa"),
    EDDSA: ("sha512", "ed25519"),  # RFC 8419 §3.1
}


@dataclass(frozen=True, slots=True)
class UnverifiedDocument:
    """A PDF with a place for a signature; nothing in it has been checked.

    ``data`` is the file up to the end of what the signature covers; ``rest`` counts the bytes that
    somebody added after it.
    """

    data: bytes
    hole: tuple[int, int]
    rest: int


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """Whose signature is under a document: ``chain`` is DER, leaf first; the time is the signer's.

    The signature holds; whether the chain may speak for the agency is for the trust file to say.
    """

    data: bytes
    rest: int
    agency: str
    chain: tuple[bytes, ...]
    claimed_at: int


def parse_document(data: bytes) -> UnverifiedDocument:
    """Find the signature's place in a PDF. Raises: DocumentError, whose ``code`` says what is wrong."""
    for place, found in enumerate(_RANGE.finditer(data)):
        first, length, second, rest = (int(number) for number in found.groups())
        end = second + rest
        is_whole = first == 0 and 0 < length < second <= length + MAX_HOLE and end <= len(data)
        if is_whole and data[length : length + 1] == b"<" and data[second - 1 : second] == b">":
            return UnverifiedDocument(data[:end], (length, second), len(data) - end)
        if place >= MAX_SIGNATURES:
            break
    raise DocumentError(_why_unsigned(data))


def _why_unsigned(data: bytes) -> str:
    """Say why no place of a signature fits: most often somebody saved the file again."""
    if b"/Encrypt" in data:
        return "document_encrypted"
    if _END not in data[-_TAIL:]:
        return "document_truncated"
    return "document_rewritten" if _RANGE.search(data) else "document_unsigned"


def check_signature(document: UnverifiedDocument) -> SignedDocument:
    """Check that the signature under a document holds for its bytes, whoever made it.

    Raises: SignatureError.
    """
    try:
        return _check_signature(document)
    except SignatureError:
        raise
    except Exception as error:  # the ASN.1 reader lets each structure raise what it likes
        raise SignatureError("the document's signature cannot be read") from error


def _check_signature(document: UnverifiedDocument) -> SignedDocument:
    start, end = document.hole
    content = _content_of(document.data[start + 1 : end - 1])
    (info,) = content["signer_infos"]
    leaf, chain = _chain(content, info)
    digest = hashlib.new(_check_algorithms(info, chain[0]))
    digest.update(document.data[:start])
    digest.update(document.data[end:])
    if not all(validate_sig_integrity(info, leaf, "data", digest.digest())):
        raise SignatureError("the document is not what was signed")
    code = organisation_code(parse_certificate(chain[0]))
    if code is None:
        raise SignatureError("the signer's certificate names no agency")
    return SignedDocument(document.data, document.rest, code, chain, _claimed_time(document))


def _content_of(hole: bytes) -> cms.SignedData:
    """Read the CMS out of its place; one spelling only: capitals, then zeros."""
    if not _HEX.fullmatch(hole):
        raise SignatureError("the signature's place holds something else")
    message = bytes.fromhex(hole.decode("ascii"))
    found = cms.ContentInfo.load(message)
    size = len(found.dump())
    if any(message[size:]) or message[:size] != found.dump():
        raise SignatureError("the signature's place holds something else besides")
    content = found["content"]
    if len(content["certificates"]) > MAX_CERTIFICATES:
        raise SignatureError("the signature brings too many certificates")
    return content


def _claimed_time(document: UnverifiedDocument) -> int:
    """Read when the signer says that it signed: ``/M`` of the signature dictionary, in UTC."""
    start, end = document.hole
    data = document.data
    near = data[max(0, start - _TIME_WINDOW) : start] + data[end : end + _TIME_WINDOW]
    (*_, found) = _TIME.finditer(near)
    return int(datetime.strptime(found[1].decode() + "+0000", "%Y%m%d%H%M%S%z").timestamp())


def _chain(
    content: cms.SignedData, info: cms.SignerInfo
) -> tuple[x509.Certificate, tuple[bytes, ...]]:
    """Find the signer's certificate, which the signed attributes must name, and those above it."""
    certificates = {one.chosen.dump(): one.chosen for one in content["certificates"]}
    attributes = {one["type"].native: one["values"] for one in info["signed_attrs"]}
    named = attributes["signing_certificate_v2"][0]["certs"][0]["cert_hash"].native
    (leaf,) = (der for der in certificates if hashlib.sha256(der).digest() == named)
    return certificates[leaf], (leaf, *(der for der in certificates if der != leaf))


def _check_algorithms(info: cms.SignerInfo, leaf: bytes) -> str:
    """Hold the algorithms to the key's own suite, whatever the file names; give the digest's name."""
    wanted = ALGORITHMS[suite_of(parse_certificate(leaf).public_key())]
    named = (
        info["digest_algorithm"]["algorithm"].native,
        info["signature_algorithm"]["algorithm"].native,
    )
    if named != wanted:
        raise SignatureError("the signature names another algorithm than the key's")
    return wanted[0]


def read_parts(document: SignedDocument) -> Parts:
    """Take the attachments out of a document whose signer is trusted. Raises: DocumentError."""
    try:
        with pikepdf.open(io.BytesIO(document.data)) as pdf:
            names = list(pdf.attachments)
            if len(names) > MAX_ATTACHMENTS:
                raise DocumentError("document_parts")
            files = {name: content(pdf.attachments[name]) for name in names}
    except UNREADABLE as error:
        raise DocumentError("document_parts") from error
    parts = parts_of(files)
    if parts is None:
        raise DocumentError("document_parts")
    return parts


def content(attached: pikepdf.AttachedFileSpec) -> bytes:
    """Unpack one attachment, never beyond the bound."""
    stream = attached.get_file().obj
    raw = stream.read_raw_bytes()
    if "/Filter" in stream:
        if stream.Filter != "/FlateDecode" or "/DecodeParms" in stream:
            raise ValueError("packed in another way than ours")
        raw = zlib.decompressobj().decompress(raw, MAX_ATTACHMENT_BYTES + 1)
    if len(raw) > MAX_ATTACHMENT_BYTES:
        raise ValueError("the attachment is too large")
    return bytes(raw)
