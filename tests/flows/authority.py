"""An outside certificate authority for tests: cryptography's own builder, none of our code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")


def certify(request: bytes, code: str) -> bytes:
    """Issue a certificate for a request under a fresh authority; give leaf and anchor as PEM."""
    csr = x509.load_pem_x509_csr(request)
    assert csr.is_signature_valid
    found = csr.subject.get_attributes_for_oid(NameOID.ORGANIZATION_IDENTIFIER)
    assert [one.value for one in found] == [code]
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Outside authority")])
    start = datetime.now(UTC) - timedelta(minutes=5)
    end = start + timedelta(days=365)
    usage = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    anchor = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, start, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**{**usage, "key_cert_sign": True}), critical=True)
        .sign(key, hashes.SHA256())
    )
    leaf = (
        x509.CertificateBuilder(name, csr.subject, csr.public_key(), 2, start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(**{**usage, "digital_signature": True, "content_commitment": True}),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage([DOCUMENT_SIGNING]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return leaf.public_bytes(Encoding.PEM) + anchor.public_bytes(Encoding.PEM)
