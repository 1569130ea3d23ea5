"""Presentations 出示: a credential with only some of its values disclosed (SD-JWT, RFC 9901)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ecert.errors import InputError
from ecert.formats.sdjwt import (
    Path,
    select,
)
from ecert.formats.unverified_credential import UnverifiedCredential, parse_credential


def disclosable(credential: UnverifiedCredential) -> frozenset[str]:
    """List the dotted names of all that is disclosed, such as ``fields.parties.leader``."""
    return frozenset(_dotted(path) for path, _ in credential.revealed.places)


def present(credential: str, disclose: Iterable[str]) -> str:
    """Give the credential with only the named values disclosed; the rest stay provable digests.

    Names are dotted: ``holders.name``, ``fields.project_name``, ``fields.parties`` (each element
    without its personal members), ``fields.parties.leader``. Raises: TokenError for a malformed
    credential, InputError for a name that is not in it.
    """
    read = parse_credential(credential)
    names = frozenset(disclose)
    if missing := sorted(names - disclosable(read)):
        raise InputError(f"not in this credential: {', '.join(missing)[:200]}")
    return str(select(read.sd_jwt, read.revealed, _is_wanted(names)))


def present_available(credential: str, wanted: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Present what of the wanted is there; give the presentation and the names it discloses.

    A field may be optional in its type, and what is not there cannot be shown.
    Raises: TokenError for a malformed credential.
    """
    read = parse_credential(credential)
    there = disclosable(read)
    names = tuple(name for name in wanted if name in there)
    return str(select(read.sd_jwt, read.revealed, _is_wanted(frozenset(names)))), names


def _dotted(path: Path) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def _is_wanted(names: frozenset[str]) -> Callable[[Path], bool]:
    def wanted(path: Path) -> bool:
        dotted = _dotted(path)
        return dotted in names or any(name.startswith(dotted + ".") for name in names)

    return wanted
