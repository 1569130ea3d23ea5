"""The fonts of a page: from wheels, never from the machine, so that everybody gets the same page."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from fontTools.ttLib import TTFont

# Noto (SIL Open Font License): the mainland's forms first; Taiwan's and Japan's add rare names.
WHEELS = ("pylopdf-fonts-zh-cn", "pylopdf-fonts-zh-tw", "pylopdf-fonts-jp")


def font_paths() -> list[Path]:
    """List the font files."""
    folders = [Path(str(files(wheel.replace("-", "_")))) for wheel in WHEELS]
    return [path for folder in folders for path in sorted(folder.glob("*.otf"))]


def fonts_version() -> str:
    """Name the fonts' versions: another one may draw another page."""
    return " ".join(f"{wheel} {version(wheel)}" for wheel in WHEELS)


def unprintable(text: str) -> str | None:
    """Find the first character that no font here can draw, or None.

    GBK is covered whole (a test holds the fonts to it), so ordinary text never opens a font file.
    """
    try:
        text.encode("gbk")
    except UnicodeEncodeError:
        drawn = _drawn()
        return next((one for one in text if ord(one) not in drawn), None)
    return next((one for one in text if one in _NOT_DRAWN_GBK or not one.isprintable()), None)


_NOT_DRAWN_GBK = frozenset("≒")  # the one character of GBK that Noto's mainland fonts leave out


@cache
def _drawn() -> frozenset[int]:
    """Collect every character that one of the fonts draws."""
    found: set[int] = set()
    for path in font_paths():
        with TTFont(path, lazy=True) as font:
            found |= font.getBestCmap().keys()
    return frozenset(found)
