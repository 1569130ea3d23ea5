"""The agency's signature under a document: PAdES (ETSI EN 319 142-1), as an incremental update.

The page itself is not touched: the first revision of a signed file is what ``render`` made.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from asn1crypto import algos, cms, x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.timestamps.aiohttp_client import HTTPTimeStamper
from pyhanko.sign.validation.generic_cms import validate_sig_integrity
from pyhanko_certvalidator.registry import SimpleCertificateStore

from ecert.errors import TimeStampUnavailable
from ecert.keys import SigningKey, sign_der
from ecert.pdf.read import ALGORITHMS

FIELD = "Signature1"
BASIC, TIMED = "B-B", "B-T"  # the baseline levels that we reach
# Hexadecimal digits kept free for the signature; a time-stamp brings its own certificates.
_ROOM = {BASIC: 16 << 10, TIMED: 48 << 10}


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamp authority 时间戳服务 (RFC 3161): its address, and how long to wait, in seconds."""

    url: str
    timeout: int = 10


class _KeySigner(signers.Signer):
    """pyHanko's signer over ours: the key is held and never leaves its device."""

    def __init__(self, key: SigningKey) -> None:
        certificates = _certificates(key.chain)
        self.digest, mechanism = ALGORITHMS[key.signer.suite]
        self._key = key.signer
        super().__init__(
            signing_cert=certificates[0],
            cert_registry=SimpleCertificateStore.from_certs(certificates[1:]),  # type: ignore[no-untyped-call]
            signature_mechanism=algos.SignedDigestAlgorithm({"algorithm": mechanism}),
            embed_roots=False,
        )

    async def async_sign_raw(
        self,
        data: bytes,
        digest_algorithm: str,  # noqa: ARG002 - the suite decides
        dry_run: bool = False,
    ) -> bytes:
        """Sign the signed attributes."""
        return bytes(72) if dry_run else sign_der(self._key, data)


@lru_cache(maxsize=256)
def _certificates(chain: tuple[bytes, ...]) -> list[x509.Certificate]:
    """Keep what was parsed: a batch signs under the same few chains."""
    return [x509.Certificate.load(der) for der in chain]


def sign(
    page: bytes, key: SigningKey, *, name: str, at: datetime, authority: Authority | None = None
) -> bytes:
    """Sign a drawn page 电子签名 with an agency's key; give the whole file.

    ``name`` is the signer's, ``at`` the claimed time. With an authority the signature carries its
    time-stamp (B-T). Raises: TimeStampUnavailable, KeyUnavailable.
    """
    stamper = None if authority is None else _Stamper(authority.url, timeout=authority.timeout)
    return _run(_sign(page, _KeySigner(key), name, at, stamper))


def _run(work: Coroutine[Any, Any, bytes]) -> bytes:
    """Run pyHanko's coroutine, on a thread of its own where the caller's has a loop already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(asyncio.run, work).result()


async def _sign(
    page: bytes, signer: _KeySigner, name: str, at: datetime, timestamper: TimeStamper | None
) -> bytes:
    meta = signers.PdfSignatureMetadata(
        field_name=FIELD, md_algorithm=signer.digest, subfilter=SigSeedSubFilter.PADES, name=name
    )
    writer = _Update(io.BytesIO(page))
    session = signers.PdfSigner(meta, signer, timestamper=timestamper).init_signing_session(writer)
    session.system_time = at
    room = _ROOM[BASIC if timestamper is None else TIMED]
    document = session.prepare_tbs_document(validation_info=None, bytes_reserved=room)
    digest, output = document.digest_tbs_document()
    attributes = PdfCMSSignedAttributes(signing_time=at)
    await document.perform_signature(digest.document_digest, attributes)
    output.seek(0)
    return bytes(output.read())


class _Update(IncrementalPdfFileWriter):
    """An update that stays PDF 1.7: pyHanko would raise it to 2.0, which PDF/A-3 forbids."""

    def ensure_output_version(self, version: tuple[int, int]) -> None:
        """Leave the version as it is."""


class _Stamper(HTTPTimeStamper):
    """Takes a time-stamp only for what was asked, and turns every failure into one error."""

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        """Ask for a time-stamp and check it. Raises: TimeStampUnavailable."""
        try:
            token = await super().async_timestamp(message_digest, md_algorithm)
            _check_stamp(token["content"], message_digest)
        except Exception as error:  # a stranger's answer: the readers raise what they like
            message = "the time-stamp authority gave no time-stamp that can be used"
            raise TimeStampUnavailable(message) from error
        return token


def _check_stamp(stamp: cms.SignedData, digest: bytes) -> None:
    """Check that a time-stamp speaks of our digest and that its own signature holds.

    Whether its authority is one that others trust is for them to say (RFC 3161 §2.4.2).
    """
    inside = stamp["encap_content_info"]["content"]
    if inside.parsed["message_imprint"]["hashed_message"].native != digest:
        raise ValueError("the time-stamp is of something else")
    (info,) = stamp["signer_infos"]
    serial = info["sid"].chosen["serial_number"].native
    (signer,) = (one.chosen for one in stamp["certificates"] if one.chosen.serial_number == serial)
    hashed = hashlib.new(info["digest_algorithm"]["algorithm"].native, bytes(inside))
    if not all(validate_sig_integrity(info, signer, "tst_info", hashed.digest())):
        raise ValueError("the time-stamp's signature does not hold")
