"""A receipt 存证回执: the proof that an act is in the log, verifiable offline for ever.

The log holds only a salted commitment; the receipt brings the salt and the entry (as ``extra`` of
a ``c2sp.org/tlog-proof@v1``), the inclusion proof, and the signed checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecert._encoding import (
    b64,
    b64url,
    canonical,
    canonical_plain,
    parse_b64,
    parse_b64url,
    parse_json,
    sha256,
)
from ecert.errors import InputError, ReceiptError, SignatureError
from ecert.formats.merkle import HASH_BYTES, MAX_PROOF, leaf_hash, verify_inclusion
from ecert.formats.note import Checkpoint, parse_vkey, verify_checkpoint
from ecert.keys import TrustedLog

HEAD = "c2sp.org/tlog-proof@v1"
SALT_BYTES = 16
MAX_RECEIPT_BYTES = 64 << 10
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def commitment(salt: bytes, signed: bytes) -> str:
    """Commit to signed bytes without revealing them: base64url SHA-256(salt16 ‖ signed bytes)."""
    return b64url(sha256(salt + signed))


def log_entry(
    *, event: str, time: str, issuer: str, kind: str, commitment: str, ref: int | None = None
) -> bytes:
    """Write a log entry: canonical JSON, strings and integers only; ``ref`` is the issue's index."""
    entry: dict[str, Any] = {
        "v": 1,
        "event": event,
        "time": time,
        "issuer": issuer,
        "type": kind,
        "commitment": commitment,
    }
    return canonical_plain(entry if ref is None else {**entry, "ref": ref})


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that was read but not checked."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    salt: bytes
    entry: Mapping[str, Any]

    def __str__(self) -> str:
        extra = canonical({"salt": b64url(self.salt), "entry": dict(self.entry)})
        lines = [HEAD, f"extra {b64(extra)}", f"index {self.index}"]
        lines += [b64(node) for node in self.path]
        return "\n".join(lines) + "\n\n" + self.checkpoint


def parse_receipt(text: str) -> Receipt:
    """Read a receipt. Raises: ReceiptError."""
    if len(text) > MAX_RECEIPT_BYTES:
        raise ReceiptError("the receipt is too long")
    head, separator, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or len(lines) < 3 or lines[0] != HEAD:
        raise ReceiptError(f"a receipt begins with {HEAD}, extra and index")
    try:
        salt, entry = _parse_extra(lines[1])
        path = tuple(parse_b64(line) for line in lines[3:])
    except InputError as error:
        raise ReceiptError(f"the receipt is malformed: {error.message}") from error
    index = lines[2].removeprefix("index ")
    if not lines[2].startswith("index ") or not _DECIMAL.fullmatch(index):
        raise ReceiptError("the receipt's index is malformed")
    if len(path) > MAX_PROOF or any(len(node) != HASH_BYTES for node in path):
        raise ReceiptError("the receipt's proof is malformed")
    return Receipt(int(index), path, checkpoint, salt, entry)


def _parse_extra(line: str) -> tuple[bytes, Mapping[str, Any]]:
    if not line.startswith("extra "):
        raise InputError("the salt and the entry are missing")
    raw = parse_b64(line.removeprefix("extra "))
    extra = parse_json(raw)
    try:
        is_canonical = canonical(extra) == raw
    except ValueError as error:  # a number beyond what JSON numbers can carry
        raise InputError("extra has no canonical form") from error
    if not isinstance(extra, dict) or extra.keys() != {"salt", "entry"}:
        raise InputError("extra holds a salt and an entry")
    salt, entry = extra["salt"], extra["entry"]
    if not isinstance(salt, str) or not isinstance(entry, dict) or not is_canonical:
        raise InputError("extra is not canonical")
    if len(data := parse_b64url(salt)) != SALT_BYTES:
        raise InputError("a salt has 16 bytes")
    return data, entry


def verify_receipt(
    receipt: Receipt, *, signed: bytes | None, issuer: str, kind: str, logs: Sequence[TrustedLog]
) -> Checkpoint:
    """Check that signed bytes are in one of the trusted logs; give the checkpoint that says so.

    ``issuer`` (credit code) and ``kind`` (slug) are those of the credential or statement;
    ``signed`` None checks the entry without the document it commits to. Of a log that was closed only
    what stands below its size then counts.
    Raises: SignatureError, NoteError.
    """
    entry = receipt.entry
    if entry.get("v") != 1 or entry.get("issuer") != issuer or entry.get("type") != kind:
        raise SignatureError("the receipt's entry speaks of another issuer or type")
    if signed is not None and entry.get("commitment") != commitment(receipt.salt, signed):
        raise SignatureError("the receipt belongs to another document")
    log, checkpoint = _checkpoint(receipt.checkpoint, logs)
    if log.closed is not None and receipt.index >= log.closed.size:
        raise SignatureError("the log was closed before this entry")
    leaf = leaf_hash(canonical(dict(entry)))
    verify_inclusion(leaf, receipt.index, checkpoint.size, receipt.path, checkpoint.root)
    return checkpoint


def _checkpoint(note: str, logs: Sequence[TrustedLog]) -> tuple[TrustedLog, Checkpoint]:
    origin = note.partition("\n")[0]
    for log in logs:
        key = parse_vkey(log.vkey)
        if key.name == origin:
            witnesses = [parse_vkey(witness) for witness in log.witnesses]
            return log, verify_checkpoint(note, key, witnesses, log.quorum)
    raise SignatureError("the receipt comes from a log that is not in the trust file")
