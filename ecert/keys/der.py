"""DER, the encoding of X.509 (ITU-T X.690): elements put together and cut apart by asn1crypto."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from asn1crypto import parser

SEQUENCE = 16
BIT_STRING = 3
INTEGER = 2


@dataclass(frozen=True, slots=True)
class Element:
    """One DER element: its tag number, whether it is a universal type, its content, all of it."""

    tag: int
    is_universal: bool
    content: bytes
    whole: bytes


def elements(data: bytes) -> Iterator[Element]:
    """Cut concatenated elements apart: each says its own length. Raises: ValueError."""
    rest = data
    while rest:
        kind, _, tag, header, content, trailer = parser.parse(rest)
        size = len(header) + len(content) + len(trailer)
        yield Element(tag, kind == 0, content, rest[:size])
        rest = rest[size:]


def sequence(*parts: bytes) -> bytes:
    """Put elements together as one SEQUENCE."""
    return bytes(parser.emit(0, 1, SEQUENCE, b"".join(parts)))


def bit_string(data: bytes) -> bytes:
    """Write whole bytes as a BIT STRING, no bits unused."""
    return bytes(parser.emit(0, 0, BIT_STRING, b"\x00" + data))


def split_chain(data: bytes) -> tuple[bytes, ...]:
    """Cut concatenated certificates apart. Raises: ValueError."""
    return tuple(one.whole for one in elements(data))
