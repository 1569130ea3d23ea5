"""Certificate types 证照类型 that were issued under, as they were then."""

from __future__ import annotations

from ecert.catalogue import Catalogue
from ecert.ledger.acting import Charter
from ecert.store import Store, types


class Types:
    """Gives Type Metadata: what ``vct`` points to, and never changes."""

    def __init__(self, store: Store, catalogue: Catalogue, charter: Charter) -> None:
        self._store, self._catalogue, self._charter = store, catalogue, charter

    def metadata(self, slug: str, version: int) -> tuple[bytes, bool] | None:
        """Give the metadata of a version, and whether it is fixed: it was issued under."""
        with self._store.reading() as reading:
            kept = types.metadata(reading, slug, version)
        if kept is not None:
            return kept, True
        kind = self._catalogue.get(slug, version)
        return None if kind is None else (kind.metadata(self._charter.base), False)
