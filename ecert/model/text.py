"""Texts that people wrote: one line of words, and names that are masked."""

from __future__ import annotations

import re

# A line of words: no controls, nothing that turns the direction of writing, no leading space.
LINE = r"^[^\s\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069][^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
_LINE = re.compile(LINE)


def is_line(text: str, most: int) -> bool:
    """Tell whether a text is one line of words, of at most so many characters."""
    return len(text) <= most and _LINE.fullmatch(text) is not None


def mask_name(name: str) -> str:
    """Mask a personal name: the first character stays, the rest are stars (陈小明 → 陈**)."""
    return name[:1] + "*" * (len(name) - 1)
