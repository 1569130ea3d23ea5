"""Stub."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping


def pack(files: Mapping[str, str | bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Write a ZIP."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", method) as bundle:
        for name, data in files.items():
            bundle.writestr(name, data)
    return output.getvalue()
