"""Content negotiation: which representation a caller wants (RFC 9110 §12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.exceptions import HTTPException

MAX_ACCEPT = 1000
_WEIGHT = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?", re.ASCII)  # RFC 9110 §12.4.2


def choose(accept: str, offered: Sequence[str]) -> str:
    """Give the offered media type that the Accept header likes best; the first on a tie.

    Raises: 406 when none is acceptable.
    """
    if not accept.strip() or accept in offered:
        return accept or offered[0]
    ranges = [_parse(part) for part in accept[:MAX_ACCEPT].split(",")]
    rated = [
        (max((_quality(kind, one) for one in ranges), default=(0, 0.0))[1], kind)
        for kind in offered
    ]
    best = max(quality for quality, _ in rated)
    if best <= 0:
        raise HTTPException(406, f"available: {', '.join(offered)}")
    return next(kind for quality, kind in rated if quality == best)


def _parse(part: str) -> tuple[str, float]:
    kind, *parameters = part.split(";")
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "q":
            quality = float(value) if _WEIGHT.fullmatch(value.strip()) else 0.0
    return kind.strip().lower(), quality


def _quality(kind: str, wanted: tuple[str, float]) -> tuple[int, float]:
    """Rate a media type under one range: the more exact range wins."""
    pattern, quality = wanted
    if pattern == kind:
        return 3, quality
    if pattern == kind.partition("/")[0] + "/*":
        return 2, quality
    return (1, quality) if pattern == "*/*" else (0, 0.0)
