"""What was issued here 本站签发: the registry's own store answers for its own certificates."""

from __future__ import annotations

from ecert.errors import EcertError
from ecert.formats.annotation import copy_digest
from ecert.ledger.access import MAX_IDENTIFIER
from ecert.ledger.acting import Desk
from ecert.store import Reading, certificates, documents
from ecert.verification import Sought


class OwnLookup:
    """Looks certificates and copies up by identifier and digest: nothing of what they say is given."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def base(self) -> str:
        """The registry's address."""
        return self._desk.base

    def find_issue(self, sought: Sought) -> int | None:
        """Give the log index of an issue, or None when this was never issued here."""
        if len(sought.identifier) > MAX_IDENTIFIER:
            return None
        with self._desk.store.reading() as reading:
            known = certificates.digest_of(reading, sought.identifier)
            if known is None:
                return None
            index, digest = known
            if sought.credential is not None and not _begins(digest, sought.credential):
                return None
            if sought.copy is not None and not _has_copy(reading, sought.identifier, sought.copy):
                return None
        return index

    def is_certain(self) -> bool:
        """Tell whether what is not there was never there.

        A database that is behind cannot say, nor a copy to read, which may be of yesterday.
        """
        if not self._desk.store.is_primary():
            return False
        try:
            with self._desk.store.reading() as reading:
                self._desk.log.check(reading)
        except EcertError:
            return False
        return True


def _begins(digest: bytes, shown: bytes) -> bool:
    return len(shown) >= 16 and digest[: len(shown)] == shown


def _has_copy(reading: Reading, identifier: str, shown: bytes) -> bool:
    made = documents.copies(reading, identifier)
    return any(_begins(copy_digest(one.token), shown) for one in made)
