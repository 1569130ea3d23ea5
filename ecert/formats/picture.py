"""Pictures 图片: codes read from one, one that is printed over text, and how far two differ."""

from __future__ import annotations

import io

import zxingcpp
from PIL import Image, ImageChops, ImageFilter, UnidentifiedImageError

from ecert.errors import InputError, SealError, TooLarge

MAX_PICTURE_BYTES = 10 << 20
MAX_PIXELS = 40_000_000
MAX_IMAGE_BYTES = 256 << 10
MAX_IMAGE_PIXELS = 4_000_000
_CLEAR, _LEAST_CLEAR = (
    64,
    1 / 3,
)  # of 255, and how much of the picture: it lies over the issuer's name
_BLUR = 6  # pixels: more than a letter at the scale in which pages are compared
_FORMATS = ("PNG", "JPEG")
_UNREADABLE = (
    *(UnidentifiedImageError, OSError, ValueError, SyntaxError),  # Pillow's, for broken files
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)


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
