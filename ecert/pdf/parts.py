"""What a document is made of: everything that its page shows and that it carries inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ecert.catalogue import CertificateType
from ecert.formats.presentation import disclosable, present
from ecert.formats.unverified_credential import UnverifiedCredential, parse_credential

CREDENTIAL_FILE = "credential.sd-jwt"
RECEIPT_FILE = "receipt.tlog-proof"
SEAL_FILE = "seal.txt"
COPY_FILE = "copy.jwt"
COPY_RECEIPT_FILE = "copy-receipt.tlog-proof"
IMAGE_FILE = "agency-image.png"
RECORD_FILE = "certificate.json"  # for people; made from the credential


@dataclass(frozen=True, slots=True)
class Parts:
    """The signed texts of one document. Two of these make the same page, byte for byte, or differ.

    ``receipt`` proves the issue, ``copy`` and ``copy_receipt`` belong to an annotated copy; ``image``
    is the PNG of a seal that the agency set up for itself.
    """

    credential: str
    receipt: str
    seal: str
    copy: str | None = None
    copy_receipt: str | None = None
    image: bytes | None = None

    def texts(self) -> dict[str, str]:
        """Give the attachments that are texts, by file name."""
        found = {
            CREDENTIAL_FILE: self.credential,
            RECEIPT_FILE: self.receipt,
            SEAL_FILE: self.seal,
            COPY_FILE: self.copy,
            COPY_RECEIPT_FILE: self.copy_receipt,
        }
        return {name: text for name, text in found.items() if text is not None}


def presented(credential: str, kind: CertificateType) -> str:
    """Give the credential as a document carries it: without what people never read on a page.

    Documents travel, so numbers of natural persons and what the type withholds stay closed.
    """
    read = parse_credential(credential)
    return present(credential, disclosable(read) - _withheld(read, kind))


def _withheld(read: UnverifiedCredential, kind: CertificateType) -> frozenset[str]:
    names = {f"fields.{path.replace('[]', '')}" for path in kind.withheld}
    if any(holder.is_person for holder in read.certificate.holders):
        names.add("holders.code")
    return frozenset(names)


def parts_of(files: Mapping[str, bytes]) -> Parts | None:
    """Put a document's attachments together again; None when one is missing or no text."""
    try:
        texts = {name: data.decode("utf-8") for name, data in files.items() if name != IMAGE_FILE}
        return Parts(
            credential=texts[CREDENTIAL_FILE],
            receipt=texts[RECEIPT_FILE],
            seal=texts[SEAL_FILE],
            copy=texts.get(COPY_FILE),
            copy_receipt=texts.get(COPY_RECEIPT_FILE),
            image=files.get(IMAGE_FILE),
        )
    except (KeyError, UnicodeDecodeError):
        return None
