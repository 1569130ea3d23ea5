"""The Merkle tree against RFC 6962 written out naively, published vectors, and tlog_scales."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tlog_scales.tlog import ConsistencyProof, ConsistencyProofInvalid, InclusionProof

from ecert.errors import SignatureError
from ecert.formats.merkle import (
    EMPTY_ROOT,
    MAX_PROOF,
    Edge,
    append,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    parse_edge,
    subtree_root,
    verify_consistency,
    verify_inclusion,
)
from tests.conftest import vector

TREE = vector("log/tree.json")
MOST = 300


def entry(index: int) -> bytes:
    return f"entry-{index}".encode()


# -- the oracle: RFC 6962 §2.1, as it stands there -------------------------------------------------


def split(size: int) -> int:
    k = 1
    while k * 2 < size:
        k *= 2
    return k


@cache
def mth(start: int, end: int) -> bytes:
    """MTH(D[start:end]) over the entries of the vectors."""
    if start == end:
        return hashlib.sha256(b"").digest()
    if end - start == 1:
        return hashlib.sha256(b"\x00" + entry(start)).digest()
    k = split(end - start)
    return hashlib.sha256(b"\x01" + mth(start, start + k) + mth(start + k, end)).digest()


def naive_path(m: int, start: int, end: int) -> list[bytes]:
    """PATH(m, D[start:end])."""
    if end - start == 1:
        return []
    k = split(end - start)
    if m < k:
        return [*naive_path(m, start, start + k), mth(start + k, end)]
    return [*naive_path(m - k, start + k, end), mth(start, start + k)]


def naive_subproof(m: int, start: int, end: int, *, is_whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[start:end], b)."""
    if m == end - start:
        return [] if is_whole else [mth(start, end)]
    k = split(end - start)
    if m <= k:
        return [*naive_subproof(m, start, start + k, is_whole=is_whole), mth(start + k, end)]
    return [*naive_subproof(m - k, start + k, end, is_whole=False), mth(start, start + k)]


def read(level: int, index: int) -> bytes:
    return mth(index << level, (index + 1) << level)


sizes = st.integers(1, MOST)
places = sizes.flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size)))
growths = sizes.flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size)))


def b64d(texts: Sequence[str]) -> list[bytes]:
    return [base64.b64decode(text) for text in texts]


# -- vectors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [int(size) for size in TREE["roots"]])
def test_the_root_is_the_published_one(size: int) -> None:
    edge = append(Edge(), [leaf_hash(entry(one)) for one in range(size)], lambda *_: None)
    assert edge.root == base64.b64decode(TREE["roots"][str(size)])
    assert edge.size == size


def test_the_leaf_hash_is_the_published_one() -> None:
    assert leaf_hash(entry(0)).hex() == TREE["leaf_hashes_hex"]["0"]


@pytest.mark.parametrize("case", TREE["inclusion"], ids=str)
def test_a_published_inclusion_proof_holds_and_is_made(case: dict[str, object]) -> None:
    index, size = int(str(case["index"])), int(str(case["size"]))
    leaf = bytes.fromhex(str(case["leaf_hash_hex"]))
    proof = b64d(list(case["proof"]))  # type: ignore[call-overload]  # a list of texts
    assert leaf == leaf_hash(entry(index))
    assert inclusion_path(index, size, read) == proof
    verify_inclusion(leaf, index, size, proof, base64.b64decode(str(case["root"])))


@pytest.mark.parametrize("case", TREE["consistency"], ids=str)
def test_a_published_consistency_proof_holds_and_is_made(case: dict[str, object]) -> None:
    old, new = int(str(case["old"])), int(str(case["new"]))
    proof = b64d(list(case["proof"]))  # type: ignore[call-overload]  # a list of texts
    roots = b64d([str(case["old_root"]), str(case["new_root"])])
    assert consistency_path(old, new, read) == proof
    verify_consistency(old, new, proof, *roots)


# -- against the oracle ----------------------------------------------------------------------------


@given(st.lists(st.integers(0, 40), max_size=8))
def test_appending_in_batches_gives_the_root_of_rfc_6962(batches: list[int]) -> None:
    edge, told = Edge(), dict[tuple[int, int], bytes]()
    for batch in batches:
        leaves = [leaf_hash(entry(edge.size + one)) for one in range(batch)]
        edge = append(edge, leaves, lambda level, index, node: told.update({(level, index): node}))
    total = sum(batches)
    assert (edge.size, edge.root) == (total, mth(0, total))
    assert len(edge.hashes) == total.bit_count()
    assert parse_edge(edge.size, edge.to_bytes()) == edge
    assert told == {
        (level, index): read(level, index)
        for level in range(total.bit_length())
        for index in range(total >> level)
    }


@given(places)
def test_an_inclusion_proof_is_that_of_rfc_6962_and_holds(place: tuple[int, int]) -> None:
    index, size = place
    path = inclusion_path(index, size, read)
    assert path == naive_path(index, 0, size)
    verify_inclusion(leaf_hash(entry(index)), index, size, path, mth(0, size))
    InclusionProof(index, size, path).check(leaf_hash(entry(index)), mth(0, size))


@given(growths)
def test_a_consistency_proof_is_that_of_rfc_6962_and_holds(growth: tuple[int, int]) -> None:
    old, new = growth
    path = consistency_path(old, new, read)
    assert path == ([] if old == 0 else naive_subproof(old, 0, new, is_whole=True))
    verify_consistency(old, new, path, mth(0, old), mth(0, new))
    ConsistencyProof(old, new, path).check(mth(0, old), mth(0, new))


@given(sizes)
def test_the_root_of_the_whole_is_the_root(size: int) -> None:
    assert subtree_root(0, size, read) == mth(0, size)


def test_every_small_tree_proves_every_leaf_and_every_growth() -> None:
    for size in range(1, 34):
        for index in range(size):
            path = inclusion_path(index, size, read)
            verify_inclusion(leaf_hash(entry(index)), index, size, path, mth(0, size))
        for old in range(size + 1):
            path = consistency_path(old, size, read)
            verify_consistency(old, size, path, mth(0, old), mth(0, size))


# -- whatever is changed fails ---------------------------------------------------------------------


def flip(data: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1 << bit
    return bytes(changed)


@given(places, st.data())
def test_an_inclusion_proof_with_a_changed_bit_fails(
    place: tuple[int, int], data: st.DataObject
) -> None:
    index, size = place
    hashes = [leaf_hash(entry(index)), mth(0, size), *inclusion_path(index, size, read)]
    chosen = data.draw(st.integers(0, len(hashes) - 1))
    hashes[chosen] = flip(
        hashes[chosen], data.draw(st.integers(0, 31)), data.draw(st.integers(0, 7))
    )
    leaf, root, *path = hashes
    with pytest.raises(SignatureError):
        verify_inclusion(leaf, index, size, path, root)


@given(places, st.integers(-2, MOST), st.integers(0, MOST))
def test_an_inclusion_proof_is_good_for_its_own_place_only(
    place: tuple[int, int], other_index: int, other_size: int
) -> None:
    index, size = place
    path, leaf = inclusion_path(index, size, read), leaf_hash(entry(index))
    if other_index != index:
        with pytest.raises(SignatureError):
            verify_inclusion(leaf, other_index, size, path, mth(0, size))
    if other_size != size:
        with pytest.raises(SignatureError):
            verify_inclusion(leaf, index, other_size, path, mth(0, other_size))


@given(places, st.data())
def test_an_inclusion_proof_of_another_length_fails(
    place: tuple[int, int], data: st.DataObject
) -> None:
    index, size = place
    path, leaf = inclusion_path(index, size, read), leaf_hash(entry(index))
    longer = [*path, EMPTY_ROOT]
    with pytest.raises(SignatureError):
        verify_inclusion(leaf, index, size, longer, mth(0, size))
    assume(path)
    gap = data.draw(st.integers(0, len(path) - 1))
    with pytest.raises(SignatureError):
        verify_inclusion(leaf, index, size, path[:gap] + path[gap + 1 :], mth(0, size))


@given(growths, st.data())
def test_a_consistency_proof_with_a_changed_bit_fails(
    growth: tuple[int, int], data: st.DataObject
) -> None:
    old, new = growth
    assume(old > 0)
    hashes = [mth(0, old), mth(0, new), *consistency_path(old, new, read)]
    chosen = data.draw(st.integers(0, len(hashes) - 1))
    hashes[chosen] = flip(
        hashes[chosen], data.draw(st.integers(0, 31)), data.draw(st.integers(0, 7))
    )
    old_root, new_root, *path = hashes
    with pytest.raises(SignatureError):
        verify_consistency(old, new, path, old_root, new_root)


@given(growths, st.data())
def test_a_consistency_proof_of_another_length_fails(
    growth: tuple[int, int], data: st.DataObject
) -> None:
    old, new = growth
    path = consistency_path(old, new, read)
    with pytest.raises(SignatureError):
        verify_consistency(old, new, [*path, EMPTY_ROOT], mth(0, old), mth(0, new))
    assume(path)
    gap = data.draw(st.integers(0, len(path) - 1))
    with pytest.raises(SignatureError):
        verify_consistency(old, new, path[:gap] + path[gap + 1 :], mth(0, old), mth(0, new))


@given(growths, st.integers(0, MOST))
def test_a_consistency_proof_does_not_lead_to_another_tree(
    growth: tuple[int, int], other: int
) -> None:
    old, new = growth
    assume(0 < old < new and other not in {0, old, new})
    path = consistency_path(old, new, read)
    with pytest.raises(SignatureError):
        verify_consistency(other, new, path, mth(0, other), mth(0, new))
    with pytest.raises(SignatureError):
        verify_consistency(old, other, path, mth(0, old), mth(0, other))


@given(growths, st.integers(1, MOST), st.integers(0, MOST))
def test_tlog_scales_accepts_and_refuses_the_same(
    growth: tuple[int, int], first: int, second: int
) -> None:
    path = consistency_path(*growth, read)
    roots = mth(0, growth[0]), mth(0, growth[1])
    try:
        ConsistencyProof(first, second, path).check(*roots)
    except ConsistencyProofInvalid:
        with pytest.raises(SignatureError):
            verify_consistency(first, second, path, *roots)
    else:
        verify_consistency(first, second, path, *roots)


def test_a_rewritten_history_is_not_consistent() -> None:
    """A tree in which one old leaf differs does not extend the old one, whatever it proves."""
    leaves = [leaf_hash(entry(one)) for one in range(7)]
    forged = [*leaves[:2], leaf_hash(b"forged"), *leaves[3:]]
    nodes: dict[tuple[int, int], bytes] = {}
    edge = append(Edge(), forged, lambda level, index, node: nodes.update({(level, index): node}))
    path = consistency_path(4, 7, lambda level, index: nodes[level, index])
    with pytest.raises(SignatureError):
        verify_consistency(4, 7, path, mth(0, 4), edge.root)


# -- edges of the definition -----------------------------------------------------------------------


def test_the_empty_tree() -> None:
    assert Edge().root == EMPTY_ROOT == hashlib.sha256().digest()
    verify_consistency(0, 5, [], EMPTY_ROOT, mth(0, 5))
    verify_consistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT)
    with pytest.raises(SignatureError):
        verify_consistency(0, 5, [], mth(0, 1), mth(0, 5))
    with pytest.raises(SignatureError):
        verify_inclusion(EMPTY_ROOT, 0, 0, [], EMPTY_ROOT)


def test_an_equal_size_demands_an_equal_root() -> None:
    verify_consistency(5, 5, [], mth(0, 5), mth(0, 5))
    with pytest.raises(SignatureError):
        verify_consistency(5, 5, [], mth(0, 5), mth(0, 6))


def test_a_leaf_is_never_mistaken_for_a_node() -> None:
    left, right = leaf_hash(b"l"), leaf_hash(b"r")
    assert leaf_hash(left + right) != node_hash(left, right)
    assert node_hash(left, right) != node_hash(right, left)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (5, 1)])
def test_no_path_is_made_for_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="not in the tree"):
        inclusion_path(index, size, read)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3)])
def test_no_proof_is_made_that_a_tree_shrank(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="shrink"):
        consistency_path(old, new, read)
    with pytest.raises(SignatureError):
        verify_consistency(old, new, [], EMPTY_ROOT, EMPTY_ROOT)


@pytest.mark.parametrize("size", [2**40, 2**63 + 1, 2**64 - 1])
def test_proofs_are_bounded_also_for_huge_sizes(size: int) -> None:
    path = [EMPTY_ROOT] * (MAX_PROOF + 1)
    with pytest.raises(SignatureError):
        verify_inclusion(EMPTY_ROOT, 0, size, path, EMPTY_ROOT)
    with pytest.raises(SignatureError):
        verify_consistency(1, size, path, EMPTY_ROOT, EMPTY_ROOT)


@pytest.mark.parametrize(("size", "length"), [(3, 32), (3, 65), (0, 32), (-1, 0), (4, 0)])
def test_a_stored_edge_that_does_not_fit_its_size_is_refused(size: int, length: int) -> None:
    with pytest.raises(SignatureError):
        parse_edge(size, bytes(length))
