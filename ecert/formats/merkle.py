"""The Merkle tree of the log (RFC 6962 §2.1, SHA-256): pure functions over hashes.

A *reader* gives the hash of a complete subtree: ``read(level, index)`` is the root of the
``2**level`` leaves that start at ``index * 2**level``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ecert.errors import SignatureError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
MAX_PROOF = 64

Reader = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry: SHA-256(0x00 ‖ entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two children: SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a tree: its size, and one hash for each set bit, largest subtree first."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        """The root of the tree."""
        if not self.hashes:
            return EMPTY_ROOT
        *rest, root = self.hashes
        for left in reversed(rest):
            root = node_hash(left, root)
        return root

    def to_bytes(self) -> bytes:
        """Pack the hashes for storage; the size is stored beside them."""
        return b"".join(self.hashes)


def parse_edge(size: int, data: bytes) -> Edge:
    """Unpack what ``Edge.to_bytes`` packed. Raises: SignatureError when the count is wrong."""
    if size < 0 or len(data) != HASH_BYTES * size.bit_count():
        raise SignatureError("the stored edge of the log does not fit its size")
    cut = range(0, len(data), HASH_BYTES)
    return Edge(size, tuple(data[place : place + HASH_BYTES] for place in cut))


def append(
    edge: Edge, leaves: Sequence[bytes], completed: Callable[[int, int, bytes], None]
) -> Edge:
    """Append leaf hashes; ``completed(level, index, hash)`` is told of every new complete subtree.

    Costs one node hash a leaf on average.
    """
    size, stack = edge.size, list(edge.hashes)
    for leaf in leaves:
        stack.append(leaf)
        completed(0, size, leaf)
        size += 1
        level, rest = 0, size
        while rest % 2 == 0:
            right = stack.pop()
            stack[-1] = node_hash(stack[-1], right)
            rest //= 2
            level += 1
            completed(level, rest - 1, stack[-1])
    return Edge(size, tuple(stack))


def _split(size: int) -> int:
    """Give the largest power of two strictly below size."""
    return 1 << (size - 1).bit_length() - 1


def subtree_root(start: int, end: int, read: Reader) -> bytes:
    """Give MTH(D[start:end]); ``start`` must be a multiple of the subtree's width."""
    width = end - start
    if width == 0:
        return EMPTY_ROOT
    if width & width - 1 == 0:
        return read(width.bit_length() - 1, start // width)
    middle = start + _split(width)
    return node_hash(subtree_root(start, middle, read), subtree_root(middle, end, read))


def inclusion_path(index: int, size: int, read: Reader) -> list[bytes]:
    """Give the sibling hashes of a leaf, from the leaf upwards (RFC 6962 §2.1.1).

    Raises: ValueError when the leaf is not in a tree of that size.
    """
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtree_root(middle, end, read))
            end = middle
        else:
            path.append(subtree_root(start, middle, read))
            start = middle
    return path[::-1]


def consistency_path(first: int, second: int, read: Reader) -> list[bytes]:
    """Give the proof that the tree of size ``second`` extends that of ``first`` (RFC 6962 §2.1.2).

    Empty when ``first`` is 0 or equal to ``second``. Raises: ValueError when it is larger.
    """
    if not 0 <= first <= second:
        raise ValueError("a tree cannot shrink")
    path: list[bytes] = []
    start, end, is_whole = 0, second, True
    while 0 < first < end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(subtree_root(middle, end, read))
            end = middle
        else:
            path.append(subtree_root(start, middle, read))
            start, is_whole = middle, False
    if first > 0 and not is_whole:
        path.append(subtree_root(start, end, read))
    return path[::-1]


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that a leaf is in the tree (RFC 9162 §2.1.3.2). Raises: SignatureError."""
    if not 0 <= index < size or len(path) > MAX_PROOF:
        raise SignatureError("the leaf is not in a tree of this size")
    place, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise SignatureError("the inclusion proof is too long")
        if place % 2 or place == last:
            found = node_hash(sibling, found)
            while place and not place % 2:
                place >>= 1
                last >>= 1
        else:
            found = node_hash(found, sibling)
        place >>= 1
        last >>= 1
    if last or found != root:
        raise SignatureError("the inclusion proof does not lead to the root")


def verify_consistency(
    first: int, second: int, path: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Check that the newer tree extends the older one (RFC 9162 §2.1.4.2). Raises: SignatureError."""
    if not 0 <= first <= second or len(path) > MAX_PROOF:
        raise SignatureError("a tree cannot shrink")
    if first in {0, second}:
        if (
            path
            or (first == second and old_root != new_root)
            or (not first and old_root != EMPTY_ROOT)
        ):
            raise SignatureError("the two trees differ")
        return
    if not _walk_consistency(first, second, list(path), (old_root, new_root)):
        raise SignatureError("the newer tree does not extend the older one")


def _walk_consistency(
    first: int, second: int, path: list[bytes], roots: tuple[bytes, bytes]
) -> bool:
    if first & first - 1 == 0:
        path.insert(0, roots[0])
    if not path:
        return False
    place, last = first - 1, second - 1
    while place % 2:
        place >>= 1
        last >>= 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place % 2 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while place and not place % 2:
                place >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        place >>= 1
        last >>= 1
    return last == 0 and (old, new) == roots
