"""The fonts of printed pages: from wheels, never from the machine, so that every page is the same."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

# Noto (SIL Open Font License): the mainland's forms first; Taiwan's and Japan's add rare names.
WHEELS = ("pylopdf-fonts-zh-cn", "pylopdf-fonts-zh-tw", "pylopdf-fonts-jp")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NOT_DRAWN = "≒"  # the one character of GBK that none of them has


def font_paths() -> list[Path]:
    """List the font files."""
    folders = [Path(str(files(wheel.replace("-", "_")))) for wheel in WHEELS]
    return [path for folder in folders for path in sorted(folder.glob("*.otf"))]


def fonts_version() -> str:
    """Name the fonts' versions: another one may draw another page."""
    return ", ".join(f"{wheel} {version(wheel)}" for wheel in WHEELS)


def unprintable(text: str) -> str | None:
    """Find the first character that no font here can draw, or None 无法打印的字.

    The rest of GBK is drawn (a test holds the fonts to it), so ordinary text opens no font file.
    """
    if found := _CONTROL.search(text):
        return found[0]
    try:
        text.encode("gbk")
    except UnicodeEncodeError:
        return next((one for one in text if ord(one) not in _drawn() and one not in "\t\n"), None)
    return _NOT_DRAWN if _NOT_DRAWN in text else None


@cache
def _drawn() -> frozenset[int]:
    """Collect every character that one of the fonts draws."""
    from fontTools.ttLib import TTFont  # noqa: PLC0415 - rare, and slow to load

    found: set[int] = set()
    for path in font_paths():
        with TTFont(path, lazy=True) as font:
            found |= font.getBestCmap().keys()
    return frozenset(found)
