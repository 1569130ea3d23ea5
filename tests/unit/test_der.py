"""DER by asn1crypto, byte for byte what X.690 says, written out by hand here once more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecert.keys.der import bit_string, elements, sequence, split_chain


def by_hand(tag: int, content: bytes) -> bytes:
    """Write one element (X.690 §8.1.3): the length in one byte, or counted bytes of it."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


CONTENT = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([0, 1, 126, 127, 128, 129, 255, 256, 257, 65_534, 65_536]).map(bytes),
)


@given(CONTENT)
def test_what_is_written_is_what_x690_says(content: bytes) -> None:
    assert sequence(content) == by_hand(0x30, content)
    assert bit_string(content) == by_hand(0x03, b"\x00" + content)


@given(st.lists(CONTENT, max_size=5))
def test_elements_are_cut_where_they_were_joined(contents: list[bytes]) -> None:
    parts = [by_hand(0x30, content) for content in contents]
    assert split_chain(b"".join(parts)) == tuple(parts)
    assert [one.content for one in elements(b"".join(parts))] == contents


@pytest.mark.parametrize("data", [b"\x30", b"\x30\x05abc", b"\x30\x82\x01", b"\x30\x81\xff"])
def test_what_is_cut_short_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        split_chain(data)
