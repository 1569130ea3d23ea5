"""Signed notes and checkpoints (C2SP signed-note v1.0.0, tlog-checkpoint v1.0.0, tlog-cosignature v1.0.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ed25519

from ecert._encoding import b64, parse_b64, sha256
from ecert.errors import InputError, NoteError, SignatureError
from ecert.formats.merkle import HASH_BYTES
from ecert.keys import EDDSA, Signer, verify

ED25519, COSIGNATURE = 0x01, 0x04
MAX_NOTE_BYTES = 256 << 10
MAX_LINES = 64
_NAME = re.compile(r"[^\s+]+")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A verification key of a log or a witness: name, kind of signature, 32-byte Ed25519 key."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that name the key: SHA-256(name ‖ LF ‖ kind ‖ key)[:4]."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public)[:4]

    def __str__(self) -> str:
        material = b64(bytes([self.kind]) + self.public)
        return f"{self.name}+{self.key_id.hex()}+{material}"


def check_name(name: str) -> str:
    """Check a key name: not empty, no space, no plus. Raises: NoteError."""
    if not _NAME.fullmatch(name):
        raise NoteError("a key name has no space and no plus")
    return name


def parse_vkey(text: str) -> NoteKey:
    """Read ``name+hash+base64`` (the base64 may itself hold a plus). Raises: NoteError."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise NoteError("a verification key has the form name+hash+key")
    try:
        material = parse_b64(parts[2])
    except InputError as error:
        raise NoteError("the verification key is not base64") from error
    if len(material) != 33 or material[0] not in {ED25519, COSIGNATURE}:
        raise NoteError("only Ed25519 verification keys are supported")
    key = NoteKey(check_name(parts[0]), material[0], material[1:])
    if key.key_id.hex() != parts[1]:
        raise NoteError("the verification key's hash is wrong")
    return key


def log_key(name: str, signer: Signer) -> NoteKey:
    """Give the verification key of a log's signer. Raises: NoteError unless it is Ed25519."""
    if not isinstance(signer.public_key, ed25519.Ed25519PublicKey):
        raise NoteError("a log signs with Ed25519")
    return NoteKey(check_name(name), ED25519, signer.public_key.public_bytes_raw())


@dataclass(frozen=True, slots=True)
class UnverifiedNote:
    """A note as it was read: its text, and signature lines nobody has checked yet."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]  # name, key id, signature


def parse_note(data: str) -> UnverifiedNote:
    """Take a note apart, at its last empty line. Raises: NoteError."""
    try:
        size = len(data.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise NoteError("the note is not UTF-8") from error
    if size > MAX_NOTE_BYTES:
        raise NoteError("the note is too long")
    if any(letter < " " and letter != "\n" for letter in data):
        raise NoteError("a note has no control characters")
    text, separator, tail = data.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise NoteError("a note ends in signature lines after an empty line")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_LINES:
        raise NoteError("the note has too many signatures")
    return UnverifiedNote(text + "\n", tuple(_parse_line(line) for line in lines))


def _parse_line(line: str) -> tuple[str, bytes, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, blob = rest.partition(" ")
    if dash != "\u2014" or not _NAME.fullmatch(name):
        raise NoteError("a signature line has the form '— name base64'")
    try:
        raw = parse_b64(blob)
    except InputError as error:
        raise NoteError("a signature is not base64") from error
    if len(raw) <= 4:
        raise NoteError("a signature is too short")
    return name, raw[:4], raw[4:]


def sign_note(text: str, name: str, signer: Signer) -> str:
    """Sign a text, which ends in a line feed, and give the whole note."""
    if not text.endswith("\n"):
        raise NoteError("the text of a note ends in a line feed")
    blob = log_key(name, signer).key_id + signer.sign(text.encode())
    return f"{text}\n\u2014 {name} {b64(blob)}\n"


def verify_note(data: str, keys: Iterable[NoteKey]) -> tuple[str, tuple[NoteKey, ...]]:
    """Check a note; give its text and the keys that signed it.

    Lines of unknown keys are ignored; a known key whose signature fails makes the note invalid.
    Raises: NoteError, SignatureError (also when no known key signed it).
    """
    note = parse_note(data)
    known = {(key.name, key.key_id): key for key in keys}
    signed: list[NoteKey] = []
    for name, key_id, signature in note.signatures:
        key = known.get((name, key_id))
        if key is not None and key not in signed:
            _verify_line(key, note.text, signature)
            signed.append(key)
    if not signed:
        raise SignatureError("the note is not signed by a known key")
    return note.text, tuple(signed)


def _verify_line(key: NoteKey, text: str, signature: bytes) -> None:
    public = ed25519.Ed25519PublicKey.from_public_bytes(key.public)
    message = text.encode()
    if key.kind == COSIGNATURE:
        if len(signature) != 72:
            raise SignatureError("a cosignature has 72 bytes")
        seconds, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        message = f"cosignature/v1\ntime {seconds}\n".encode() + message
    verify(EDDSA, public, signature, message)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log 检查点: its origin, how many entries it has, and the root over them."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64(self.root)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's text; extension lines are allowed and ignored. Raises: NoteError."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise NoteError("a checkpoint has an origin, a size and a root")
    origin, size, root = lines[:3]
    if not _NAME.fullmatch(origin) or not _DECIMAL.fullmatch(size):
        raise NoteError("the checkpoint's origin or size is malformed")
    try:
        raw = parse_b64(root)
    except InputError as error:
        raise NoteError("the checkpoint's root is not base64") from error
    if len(raw) != HASH_BYTES:
        raise NoteError("the checkpoint's root has another length")
    return Checkpoint(origin, int(size), raw)


def verify_checkpoint(
    data: str, log: NoteKey, witnesses: Sequence[NoteKey] = (), quorum: int = 0
) -> Checkpoint:
    """Check a checkpoint: signed by its log, and by at least ``quorum`` of the witnesses.

    Raises: NoteError, SignatureError.
    """
    text, signed = verify_note(data, (log, *witnesses))
    checkpoint = parse_checkpoint(text)
    if log not in signed or checkpoint.origin != log.name:
        raise SignatureError("the checkpoint is not signed by its own log")
    if len({key.name for key in signed if key in witnesses}) < quorum:
        raise SignatureError("too few witnesses signed the checkpoint")
    return checkpoint
