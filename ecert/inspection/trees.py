"""The two trees recomputed: every leaf, every stored tile, the head, and every checkpoint ever signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ecert.errors import EcertError, SignatureError
from ecert.formats.merkle import Edge, append, parse_edge
from ecert.formats.note import NoteKey, verify_checkpoint
from ecert.inspection.fault import Cursor, Fault, Portion
from ecert.store import TILE_LEVELS, Reading, Tree, inspected, trees

AT_ONCE = 4096
Leaves = Callable[[Reading, int, int], Mapping[int, bytes]]  # by index, from what they commit to


@dataclass(frozen=True, slots=True)
class TreePart:
    """Recomputes one tree from what its leaves commit to; ``vkey`` None leaves its notes unchecked."""

    tree: Tree
    leaves: Leaves
    vkey: NoteKey | None = None

    def look(self, reading: Reading, cursor: Cursor) -> Portion:
        """Recompute the next 4,096 leaves and all that was built upon them."""
        try:
            head = trees.head(reading, self.tree)
        except SignatureError as error:
            return Portion(0, 0, None, (self._fault("head_changed", "head", str(error)),))
        start = int(cursor.get("next", 0))
        edge = parse_edge(start, bytes.fromhex(cursor.get("edge", "")))
        end = min(start + AT_ONCE, head.size)
        given, kept = (
            self.leaves(reading, start, end),
            inspected.leaves(reading, self.tree, start, end),
        )
        faults = list(self._compared(given, kept, range(start, end)))
        if any(one.code == "entry_missing" for one in faults):
            return Portion(end, head.size, None, tuple(faults))  # beyond it nothing can be computed
        edge = self._grown(reading, edge, [kept[index] for index in range(start, end)], faults)
        if end < head.size:
            after = {"next": end, "edge": edge.to_bytes().hex()}
            return Portion(end, head.size, after, tuple(faults))
        faults += self._at_the_end(reading, head, edge)
        return Portion(end, head.size, None, tuple(faults))

    def _compared(
        self, given: Mapping[int, bytes], kept: Mapping[int, bytes], indexes: Sequence[int]
    ) -> Iterator[Fault]:
        for index in indexes:
            if index not in given or index not in kept:
                yield self._fault("entry_missing", index)
            elif given[index] != kept[index]:
                yield self._fault("entry_changed", index)

    def _grown(
        self, reading: Reading, edge: Edge, leaves: Sequence[bytes], faults: list[Fault]
    ) -> Edge:
        """Grow the tree from checkpoint to checkpoint, comparing tiles and notes on the way."""
        notes = inspected.notes(reading, self.tree, edge.size, edge.size + len(leaves))
        start = edge.size
        stops = sorted({size for size, _, _ in notes} | {start + len(leaves)})
        for stop in stops:
            edge = append(
                edge, leaves[edge.size - start : stop - start], self._tiles(reading, faults)
            )
            faults += [
                self._fault("checkpoint_changed", f"checkpoint {number}")
                for size, number, note in notes
                if size == stop and not self._fits(note, edge)
            ]
        return edge

    def _tiles(self, reading: Reading, faults: list[Fault]) -> Callable[[int, int, bytes], None]:
        def completed(level: int, index: int, root: bytes) -> None:
            tile_level, rest = divmod(level, TILE_LEVELS)
            if not tile_level or rest:
                return
            if trees.tile_hashes(reading, tile_level, index, index + 1, self.tree) != [root]:
                faults.append(self._fault("tile_changed", f"tile {tile_level}/{index}"))

        return completed

    def _fits(self, note: str, edge: Edge) -> bool:
        if self.vkey is None:
            return True
        try:
            checkpoint = verify_checkpoint(note, self.vkey)
        except EcertError:
            return False
        return (checkpoint.size, checkpoint.root) == (edge.size, edge.root)

    def _at_the_end(self, reading: Reading, head: Edge, edge: Edge) -> Iterator[Fault]:
        if edge != head:
            yield self._fault("head_changed", "head")
        counted = inspected.counted(reading, self.tree, head.size)
        if counted.leaves_beyond:
            yield self._fault("entry_beyond", head.size)
        if counted.nodes != _tiles_of(head.size):
            yield self._fault("tile_changed", "tiles", "more or fewer than the tree has")
        if counted.notes != counted.last_note or counted.notes_beyond:
            yield self._fault("checkpoint_missing", "checkpoints")

    def _fault(self, code: str, place: int | str, hint: str = "") -> Fault:
        return Fault(code, f"{self.tree.leaves.name}/{place}", hint)


def _tiles_of(size: int) -> int:
    """Count the full tiles whose roots are stored: one for 256 leaves, one for 65,536, and so on."""
    count = 0
    while size := size >> TILE_LEVELS:
        count += size
    return count
