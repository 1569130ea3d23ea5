"""The seal as an image, and an image back to the text of a seal (ISO/IEC 18004); pictures in and out."""

from __future__ import annotations

import io
from typing import Literal

import qrcode
import zxingcpp
from PIL import Image, ImageChops, ImageFilter, UnidentifiedImageError
from qrcode.constants import ERROR_CORRECT_M
from qrcode.exceptions import DataOverflowError
from qrcode.image.pil import PilImage
from qrcode.util import QRData

from ecert.errors import InputError, SealError, TooLarge

QUIET_ZONE = 4  # modules, ISO/IEC 18004 §9.1
MAX_PICTURE_BYTES = 10 << 20
MAX_PIXELS = 40_000_000
MAX_IMAGE_BYTES = 256 << 10
MAX_IMAGE_PIXELS = 4_000_000
_CLEAR, _LEAST_CLEAR = (
    64,
    1 / 3,
)  # of 255, and how much of the picture: it lies over the issuer's name
_BLUR = 6  # pixels: more than a letter at the scale in which pages are compared
_MASK = 2  # scoring all eight costs five sixths of the time and reads no better (measured)
_FORMATS = ("PNG", "JPEG")
_UNREADABLE = (
    *(UnidentifiedImageError, OSError, ValueError, SyntaxError),  # Pillow's, for broken files
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
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


def read_picture(data: bytes) -> list[str]:
    """Read all QR codes in a PNG or JPEG; the list is empty when none could be read.

    Raises: SealError when it is no picture, TooLarge beyond 10 MB or 40 million pixels.
    """
    if len(data) > MAX_PICTURE_BYTES:
        raise TooLarge("the picture is larger than 10 MB")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise TooLarge("the picture has more than 40 million pixels")
            grey = picture.convert("L")
    except _UNREADABLE as error:
        raise SealError("the picture cannot be read") from error
    return read_image(grey)


def check_image(data: bytes) -> None:
    """Check a picture that is to be printed over text.

    It is a PNG of at most 256 KB and 4 million pixels, about square, a third of it transparent.

    Raises: InputError, TooLarge.
    """
    if len(data) > MAX_IMAGE_BYTES:
        raise TooLarge("the picture is larger than 256 KB")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.width * picture.height > MAX_IMAGE_PIXELS:
                raise TooLarge("the picture has more than 4 million pixels")
            codes = read_image(picture.convert("L"))
            proportion, alpha = (
                picture.width / picture.height,
                picture.convert("RGBA").getchannel("A"),
            )
            clear = sum(alpha.histogram()[:_CLEAR]) / (picture.width * picture.height)
    except _UNREADABLE as error:
        raise InputError("the picture is not a PNG that can be read") from error
    if codes:
        raise InputError("the picture holds a QR code, which could be taken for the certificate's")
    if not 0.5 <= proportion <= 2 or clear < _LEAST_CLEAR:
        raise InputError("the picture must be about square, and at least a third of it transparent")


def unlikeness(one: Image.Image, other: Image.Image) -> int:
    """Say how far two pictures differ where they differ most, 0 to 255, letters blurred away."""
    if one.size != other.size:
        return 255
    blurred = (image.convert("L").filter(ImageFilter.BoxBlur(_BLUR)) for image in (one, other))
    _, most = ImageChops.difference(*blurred).getextrema()
    return int(most)  # type: ignore[arg-type]  # one channel: a number


def read_image(image: Image.Image) -> list[str]:
    """Read all QR codes in an image that is open already."""
    found = zxingcpp.read_barcodes(
        image, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    )
    return [code.text for code in found if code.valid]
