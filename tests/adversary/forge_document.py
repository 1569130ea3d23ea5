"""What an insider or a stranger does to a document: updates, signatures, CMS messages made by hand."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pikepdf
from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

ROOM = 16 << 10  # hexadecimal digits kept free
WHOLE = re.compile(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+)\]")
_LIMITED = """
import json, resource, sys
from pathlib import Path
memory, seconds, trust, presented = sys.argv[1:]
from ecert.keys import parse_trust
from ecert.verification import verify
import ecert.verification.document, pikepdf, pypdfium2, typst
trust, data = parse_trust(Path(trust).read_bytes()), Path(presented).read_bytes()
used = resource.getrusage(resource.RUSAGE_SELF).ru_utime
resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + int(used) + 1,) * 2)
report = verify(data, trust)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
print(json.dumps(report.to_json() | {"peak": peak}))
"""
PEAK = 1024  # megabytes that no file of at most 32 may cost


def spaces_of(data: bytes) -> tuple[int, int]:
    """Find where the last signature stands: the place of its ``<`` and the place after its ``>``."""
    (*_, found) = WHOLE.finditer(data)
    return int(found[2]), int(found[3])


def with_message(data: bytes, message: bytes) -> bytes:
    """Put another CMS message into the signature's place."""
    start, end = spaces_of(data)
    return with_hexadecimal(data, message.hex().upper().ljust(end - start - 2, "0"))


def with_hexadecimal(data: bytes, text: str) -> bytes:
    start, end = spaces_of(data)
    assert len(text) == end - start - 2
    return data[: start + 1] + text.encode() + data[end - 1 :]


def hexadecimal_of(data: bytes) -> str:
    start, end = spaces_of(data)
    return data[start + 1 : end - 1].decode()


def message_of(data: bytes) -> cms.ContentInfo:
    """Give the CMS message under a document, its own copy."""
    return cms.ContentInfo.load(bytes.fromhex(hexadecimal_of(data)))


def covered(data: bytes, digest: str = "sha256") -> bytes:
    """Give the digest of what the last signature covers."""
    start, end = spaces_of(data)
    (*_, found) = WHOLE.finditer(data)
    return hashlib.new(digest, data[:start] + data[end : end + int(found[4])]).digest()


# -- CMS ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hand:
    """A key and its certificate, and how they sign by hand."""

    key: Any
    leaf: bytes
    others: tuple[bytes, ...] = ()
    digest: str = "sha256"
    named_digest: str = ""
    algorithm: str = "sha256_ecdsa"
    names_certificate: bool = True
    named: bytes = b""
    is_attributed: bool = True
    content_type: str = "data"

    def but(self, **changes: Any) -> Hand:
        return replace(self, **changes)

    def sign(self, data: bytes) -> bytes:
        """Replace the signature under a document with one by this hand."""
        return with_message(data, self.message([self.info(data)]).dump())

    def message(self, infos: Sequence[cms.SignerInfo]) -> cms.ContentInfo:
        named = self.named_digest or self.digest
        signed = {
            "version": "v1",
            "digest_algorithms": [{"algorithm": named}],
            "encap_content_info": {"content_type": self.content_type},
            "certificates": [
                asn1_x509.Certificate.load(der) for der in (*self.others[:1], self.leaf)
            ]
            + [asn1_x509.Certificate.load(der) for der in self.others[1:]],
            "signer_infos": list(infos),
        }
        return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})

    def info(self, data: bytes) -> cms.SignerInfo:
        leaf = asn1_x509.Certificate.load(self.leaf)
        attributes = self.attributes(covered(data, self.digest))
        plain = cms.CMSAttributes(attributes).dump()
        start, end = spaces_of(data)
        signed = plain if self.is_attributed else data[:start] + data[end:]
        found = {
            "version": "v1",
            "sid": {
                "issuer_and_serial_number": {
                    "issuer": leaf.issuer,
                    "serial_number": leaf.serial_number,
                }
            },
            "digest_algorithm": {"algorithm": self.named_digest or self.digest},
            "signature_algorithm": {"algorithm": self.algorithm},
            "signature": self.raw(signed),
        }
        if self.is_attributed:
            found["signed_attrs"] = cms.CMSAttributes(attributes)
        return cms.SignerInfo(found)

    def attributes(self, digest: bytes) -> list[cms.CMSAttribute]:
        found = [
            {"type": "content_type", "values": [self.content_type]},
            {"type": "message_digest", "values": [digest]},
        ]
        if self.names_certificate:
            named = self.named or self.leaf
            identifier = tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(named).digest()})
            value = tsp.SigningCertificateV2({"certs": [identifier]})
            found.append({"type": "signing_certificate_v2", "values": [value]})
        return [cms.CMSAttribute(one) for one in found]

    def raw(self, data: bytes) -> bytes:
        kind = {"sha1": hashes.SHA1(), "sha512": hashes.SHA512()}.get(self.digest, hashes.SHA256())  # noqa: S303 - the forger's choice
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), kind)
        found: bytes = self.key.sign(data, ec.ECDSA(kind))
        return found


def oid(size: int) -> bytes:
    """Give an object identifier of one endless number."""
    return der(0x06, b"\x2a" + b"\xff" * size + b"\x7f")


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def signed_data(certificates: bytes, infos: bytes) -> bytes:
    """Write a SignedData whose sets are whatever is given."""
    inner = der(0x30, core.ObjectIdentifier("1.2.840.113549.1.7.1").dump())
    version, algorithms = b"\x02\x01\x01", b"\x31\x00"
    body = version + algorithms + inner + der(0xA0, certificates) + der(0x31, infos)
    kind = core.ObjectIdentifier("1.2.840.113549.1.7.2").dump()
    return der(0x30, kind + der(0xA0, der(0x30, body)))


# -- files by hand -------------------------------------------------------------------------------------


def with_place(before: bytes, *, after: bytes = b"", room: int = ROOM) -> bytes:
    """Add a signature dictionary that covers everything, its place still empty."""
    head = before + b"\n900 0 obj\n<< /Type /Sig /Contents <"
    rest = after + b" >>\nendobj\n%%EOF\n"
    start, end = len(head) - 1, len(head) + room + 1
    shape = b" /ByteRange [0 %d %d %s]"
    size = len(shape % (start, end, b"000000000")) + len(rest)
    tail = shape % (start, end, b"%09d" % size)
    return head + b"0" * room + b">" + tail + rest


def claimed(at: datetime) -> bytes:
    return b" /M (D:" + at.strftime("%Y%m%d%H%M%S").encode() + b"Z)"


def updated(page: bytes, change: Callable[[Any], object]) -> bytes:
    """Add an incremental update, as the insider does before signing or anybody after."""
    writer: Any = IncrementalPdfFileWriter(io.BytesIO(page))
    change(writer)
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def rewritten(page: bytes, change: Callable[[pikepdf.Pdf], object], **how: Any) -> bytes:
    """Write a file anew with changes."""
    output = io.BytesIO()
    with pikepdf.open(io.BytesIO(page)) as pdf:
        change(pdf)
        pdf.save(output, **how)
    return output.getvalue() + b"\n"


def attach(pdf: pikepdf.Pdf, name: str, content: bytes) -> None:
    """Put a file inside, in the place of one of that name."""
    for one in list(pdf.attachments):
        if one == name:
            pdf.attachments[one].obj.EF.F.write(content)
            return
    made = pikepdf.AttachedFileSpec(
        pdf,
        content,
        description="",
        filename=name,
        mime_type="text/plain",
        creation_date="",
        mod_date="",
    )
    pdf.attachments[name] = made


def draw_over(pdf: pikepdf.Pdf, operators: bytes, page: int = 0) -> None:
    """Draw on top of a page, in the units of its sheet."""
    pdf.pages[page].contents_add(pdf.make_stream(b"q\n"), prepend=True)
    pdf.pages[page].contents_add(pdf.make_stream(b"\nQ\n" + operators))


# -- under limits ----------------------------------------------------------------------------------------


def verify_within(
    folder: Path, trust: Any, data: bytes, *, memory: int = 3 << 30, seconds: int = 8
) -> dict[str, Any]:
    """Verify offline in a process of its own with bounded memory and processor time."""
    (folder / "trust.json").write_text(json.dumps(trust.to_json()))
    (folder / "presented").write_bytes(data)
    arguments = (str(memory), str(seconds), str(folder / "trust.json"), str(folder / "presented"))
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, *arguments], capture_output=True, check=False, timeout=300
    )
    assert done.returncode == 0, (done.returncode, done.stderr.decode()[-2000:])
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["peak"] < PEAK, found["peak"]
    found["codes"] = {step["step"]: step["code"] for step in found["steps"]}
    return found
