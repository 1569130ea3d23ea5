"""The catalogue of certificate types 证照目录: load, version, check drafts. Adding a type is adding a folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from ecert.catalogue._draft import check_draft
from ecert.catalogue._folder import load_type
from ecert.catalogue._number import NumberPattern
from ecert.catalogue._type import CertificateType
from ecert.errors import NotFound, TypeFolderError

__all__ = [
    "Catalogue",
    "CertificateType",
    "NumberPattern",
    "built_in_root",
    "check_draft",
    "load_catalogue",
    "load_type",
]

_VERSION = re.compile(r"v([1-9]\d{0,3})", re.ASCII)


def built_in_root() -> Traversable:
    """Say where the shipped types are: inside the wheel, or beside the package in a checkout."""
    packaged = files("ecert") / "_schemas"
    if packaged.is_dir():
        return packaged
    return Path(__file__).resolve().parent.parent.parent / "schemas"


class Catalogue:
    """All certificate types that a registry or a verifier knows, by slug and version."""

    def __init__(self, types: Iterable[CertificateType]) -> None:
        self._types: dict[str, dict[int, CertificateType]] = {}
        self._ordered: tuple[CertificateType, ...] = ()
        for one in types:
            self.add(one)

    def add(self, kind: CertificateType) -> None:
        """Take a type in; one of the same name and version is replaced."""
        self._types.setdefault(kind.slug, {})[kind.version] = kind
        everything = (one for versions in self._types.values() for one in versions.values())
        self._ordered = tuple(sorted(everything, key=lambda one: (one.slug, one.version)))

    def __iter__(self) -> Iterator[CertificateType]:
        return iter(self._ordered)

    def of_code(self, code: str) -> CertificateType | None:
        """Find the newest version of the type that a type code names, or None."""
        return next((one for one in reversed(self._ordered) if one.is_code(code)), None)

    def get(self, slug: str, version: int) -> CertificateType | None:
        """Find one version of a type, or None."""
        return self._types.get(slug, {}).get(version)

    def newest(self, slug: str) -> CertificateType:
        """Give the newest published version of a type, the one that issues.

        Raises: NotFound when there is no type of that name; of one without a published version
        the newest version is given, and issuing from it is refused.
        """
        versions = self._types.get(slug)
        if not versions:
            known = "、".join(sorted(self._types)) or "none"
            raise NotFound(f"there is no certificate type {slug[:64]!r}; known: {known}")
        published = [number for number, one in versions.items() if one.state == "published"]
        return versions[max(published or versions)]


def load_catalogue(
    *roots: Traversable | Path, reports: Callable[[str], None] | None = None
) -> Catalogue:
    """Load the types below some folders; a later folder overrides an earlier one's version.

    Without folders: the types that are shipped. A broken folder is told to ``reports`` and left
    out, so that it stops its own type and no other; without it, raises: TypeFolderError.
    """
    shipped = built_in_root()
    found: list[CertificateType] = []
    for root in roots or (shipped,):
        if root == shipped:
            found += _shipped()
            continue
        for folder in _folders(root):
            try:
                found.append(_load(folder))
            except TypeFolderError as error:
                if reports is None:
                    raise
                reports(error.message)
    return Catalogue(found)


@lru_cache(maxsize=1)  # they are part of the program, and do not change while it runs
def _shipped() -> tuple[CertificateType, ...]:
    return tuple(_load(folder) for folder in _folders(built_in_root()))


def _load(place: tuple[str, Traversable | Path]) -> CertificateType:
    name, folder = place
    if not _VERSION.fullmatch(name.rpartition("/")[2]):
        raise TypeFolderError(f"{name}: expected v1, v2, …")
    found = load_type(folder)
    if name != f"{found.slug}/v{found.version}":
        raise TypeFolderError(f"{name}: type.json says {found.slug}/v{found.version}")
    return found


def _folders(root: Traversable | Path) -> Iterator[tuple[str, Traversable | Path]]:
    if not root.is_dir():
        return
    for slug in sorted(root.iterdir(), key=lambda entry: entry.name):
        if not slug.is_dir() or slug.name.startswith("."):
            continue
        for version in sorted(slug.iterdir(), key=lambda entry: entry.name):
            if not version.is_dir() or version.name.startswith("."):
                continue
            yield f"{slug.name}/{version.name}", version
