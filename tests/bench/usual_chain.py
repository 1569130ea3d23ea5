"""The usual chain for a signed document: WeasyPrint for the page, qrcode, pyHanko's SimpleSigner."""

from __future__ import annotations

import base64
import html
import io
import tempfile
from pathlib import Path

import qrcode
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter

from ecert.catalogue import CertificateType
from ecert.fonts import font_paths
from ecert.formats.unverified_credential import parse_credential
from ecert.keys import ES256, Role, make_leaf, make_root, make_signer
from ecert.pdf.page import record_of
from ecert.pdf.parts import Parts
from ecert.registry import Registry

_PAGE = """<html lang="zh-CN"><head><title>{title}</title><style>
@font-face {{ font-family: face; src: url("{font}"); }}
@page {{ size: A4 landscape; margin: 15mm; }}
body {{ font: 11pt face; }} h1 {{ text-align: center; }}
td {{ border: 0.5pt solid; padding: 1.5mm; }} img {{ width: 45mm; }}
</style></head><body><h1>{title}</h1><p>{number}</p><p>{legal}</p><table>{rows}</table>
<img src="data:image/png;base64,{code}"></body></html>"""


class UsualChain:
    """Makes the same permit's document the usual way, with everything prepared that usually is."""

    def __init__(self, registry: Registry, parts: Parts, kind: CertificateType) -> None:
        self._record = record_of(parse_credential(parts.credential), kind)
        self._seal, self._kind = parts.seal, kind
        self._font = next(path for path in font_paths() if "Serif" in path.name).as_uri()
        self._folder = Path(tempfile.mkdtemp(prefix="ecert-bench-"))
        self._write_key(registry)

    def _write_key(self, registry: Registry) -> None:
        key, root_signer = ec.generate_private_key(ec.SECP256R1()), make_signer(ES256)
        root = make_root(root_signer, "root", registry.clock())
        leaf = make_leaf(
            root,
            root_signer,
            key.public_key(),
            role=Role.AGENCY,
            name="示例局",
            code=registry.agencies.get(None).code,
            now=registry.clock(),
        )
        pem = serialization.Encoding.PEM
        self._key, self._certificate = self._folder / "key.pem", self._folder / "leaf.pem"
        self._certificate.write_bytes(x509.load_der_x509_certificate(leaf).public_bytes(pem))
        pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self._key.write_bytes(key.private_bytes(pem, pkcs8, plain))

    def make(self) -> bytes:
        """Make one signed document."""
        return self._sign(self._draw(self._code()))

    def _code(self) -> str:
        output = io.BytesIO()
        qrcode.make(self._seal).save(output)
        return base64.b64encode(output.getvalue()).decode()

    def _draw(self, code: str) -> bytes:
        from weasyprint import HTML

        labels = self._kind.definition["labels"]
        rows = "".join(
            f"<tr><td>{labels[name]['zh']}</td><td>{html.escape(str(value))}</td></tr>"
            for name, value in self._record["fields"].items()
        )
        page = _PAGE.format(
            title=self._kind.name["zh"],
            number=self._record["number"],
            legal=self._kind.definition["legal_text"]["zh"],
            rows=rows,
            code=code,
            font=self._font,
        )
        drawn = HTML(string=page).write_pdf(pdf_variant="pdf/a-3b")
        assert isinstance(drawn, bytes)
        return drawn

    def _sign(self, page: bytes) -> bytes:
        signer = signers.SimpleSigner.load(str(self._key), str(self._certificate))  # type: ignore[no-untyped-call]
        assert signer is not None
        meta = signers.PdfSignatureMetadata(field_name="S", subfilter=SigSeedSubFilter.PADES)
        writer = IncrementalPdfFileWriter(io.BytesIO(page))
        return bytes(signers.sign_pdf(writer, meta, signer=signer).getbuffer())
