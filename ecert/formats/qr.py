"""QR codes 二维码 (ISO/IEC 18004): a seal or a use code, drawn."""

from __future__ import annotations

import io
from typing import Literal

import qrcode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.exceptions import DataOverflowError
from qrcode.image.pil import PilImage
from qrcode.util import QRData

from ecert.errors import SealError

QUIET_ZONE = 4  # modules, ISO/IEC 18004 §9.1
_MASK = 2  # scoring all eight costs five sixths of the time and reads no better (measured)
_ALPHANUMERIC: Literal[2] = 2  # segment modes of ISO/IEC 18004 §7.3, as the library numbers them
_BYTES: Literal[4] = 4


def _code(text: str) -> qrcode.QRCode[PilImage]:
    """Lay a seal's address out at level M in three segments: alphanumeric, '#', alphanumeric."""
    code = qrcode.QRCode(
        error_correction=ERROR_CORRECT_M,
        mask_pattern=_MASK,
        border=QUIET_ZONE,
        image_factory=PilImage,
    )
    head, separator, tail = text.partition("#")
    try:
        code.add_data(QRData(head, _ALPHANUMERIC))
        code.add_data(QRData(separator, _BYTES))
        code.add_data(QRData(tail, _ALPHANUMERIC))
        code.make(fit=True)
    except (ValueError, DataOverflowError) as error:
        raise SealError("the text is not that of a seal, or too long for a QR code") from error
    return code


def version_of(text: str) -> int:
    """Give the QR version (1 to 40) that a seal needs; a version n has 17 + 4n modules a side."""
    return int(_code(text).version)


def to_png(text: str, *, width: int = 712) -> bytes:
    """Draw a seal as a PNG about ``width`` pixels wide, each module a whole number of pixels.

    Printed 30 mm wide at 300 dpi a code has 354 pixels; the default is twice that.
    """
    code = _code(text)
    code.box_size = max(1, width // (code.modules_count + 2 * QUIET_ZONE))
    output = io.BytesIO()
    code.make_image().save(output, "PNG")
    return output.getvalue()


def to_svg(text: str) -> str:
    """Draw a seal as an SVG of one path, one unit a module, with its quiet zone; for print."""
    return _svg(_code(text))


def use_code_svg(text: str) -> str:
    """Draw a use code 用证码 as an SVG, to be shown on a phone at the window."""
    code = qrcode.QRCode(
        error_correction=ERROR_CORRECT_M, border=QUIET_ZONE, image_factory=PilImage
    )
    code.add_data(QRData(text, _BYTES))
    return _svg(code)


def _svg(code: qrcode.QRCode[PilImage]) -> str:
    rows = code.get_matrix()
    dark = "".join(
        f"M{x} {y}h1v1h-1z"
        for y, row in enumerate(rows)
        for x, is_dark in enumerate(row)
        if is_dark
    )
    side = len(rows)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}">'
    return f'{head}<path fill="#fff" d="M0 0h{side}v{side}H0z"/><path d="{dark}"/></svg>'


DARK_ON_LIGHT = "white on black"  # how a terminal must show it: blocks are the light modules


def to_terminal(text: str) -> str:
    """Draw a seal with half blocks for a terminal; print it in the style ``DARK_ON_LIGHT``."""
    rows = _code(text).get_matrix()
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    blocks = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join("".join(blocks[a, b] for a, b in zip(*pair, strict=True)) for pair in pairs)
