"""Paper, printers and phones, simulated with Pillow alone: the same seed gives the same picture."""

from __future__ import annotations

import io
import math
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import NormalDist

import zxingcpp
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from tests.conftest import PATIENCE

INCH = 25.4  # mm
_SUPERSAMPLING = 3  # a lens averages over each pixel
_BELL = NormalDist()


def draw(
    document: bytes,
    dpi: int,
    pdftoppm: str,
    *,
    page: int = 1,
    box: tuple[int, int, int, int] | None = None,
    is_coloured: bool = False,
) -> Image.Image:
    """Print one page of a PDF, or a box of it (left, top, right, bottom in pixels)."""
    asked = [pdftoppm, "-r", str(dpi), "-f", str(page), "-l", str(page), "-singlefile"]
    if not is_coloured:
        asked.append("-gray")
    if box is not None:
        left, top, right, bottom = box
        numbers = (left, top, right - left, bottom - top)
        asked += [
            str(one) for pair in zip(("-x", "-y", "-W", "-H"), numbers, strict=True) for one in pair
        ]
    done = subprocess.run([*asked, "-"], input=document, capture_output=True, check=True)
    return Image.open(io.BytesIO(done.stdout))


# -- readers ---------------------------------------------------------------------------------------


def zxing(image: Image.Image) -> list[str]:
    """Read QR codes with zxing-cpp, as apps for Android do."""
    return [code.text for code in _zxing(image)]


def _zxing(image: Image.Image) -> Sequence[zxingcpp.Barcode]:
    only = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    return [code for code in zxingcpp.read_barcodes(image, formats=only) if code.valid]


def zbar(zbarimg: str) -> Callable[[Image.Image], list[str]]:
    """Make a reader of the program zbarimg, which shares no code with zxing-cpp."""

    def read(image: Image.Image) -> list[str]:
        data = io.BytesIO()
        image.save(data, "PPM")
        done = subprocess.run(
            [zbarimg, "--quiet", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable", "-"],
            input=data.getvalue(),
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
        if done.returncode not in {0, 4}:  # 4: nothing found
            raise AssertionError(done.stderr.decode())
        return done.stdout.decode().split()

    return read


# -- where a code stands ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a code's dark square stands in a picture, in pixels; without its quiet zone."""

    left: float
    top: float
    side: float

    def at(self, factor: float) -> Place:
        """Give the same place in a picture drawn larger or smaller."""
        return Place(self.left * factor, self.top * factor, self.side * factor)

    def box(self, margin: float) -> tuple[int, int, int, int]:
        """Give whole pixels around the code."""
        right, bottom = self.left + self.side, self.top + self.side
        return (
            max(0, math.floor(self.left - margin)),
            max(0, math.floor(self.top - margin)),
            math.ceil(right + margin),
            math.ceil(bottom + margin),
        )


def find(image: Image.Image) -> Place:
    """Find the one code of a page: roughly where zxing-cpp saw it, exactly where its ink ends."""
    (code,) = _zxing(image)
    corner, far = code.position.top_left, code.position.bottom_right
    rough = Place(corner.x, corner.y, (far.x - corner.x + far.y - corner.y) / 2)
    left, top, _, _ = rough.box(0.012 * rough.side)  # less than a module of the widest code
    ink = image.crop(rough.box(0.012 * rough.side)).convert("L").point(lambda grey: 255 - grey)
    dark = ink.point(lambda grey: 255 * (grey > 127)).getbbox()
    assert dark is not None
    width, height = dark[2] - dark[0], dark[3] - dark[1]
    assert abs(width - height) <= 1
    return Place(left + dark[0], top + dark[1], (width + height) / 2)


# -- what happens to paper -------------------------------------------------------------------------


def turned(image: Image.Image, degrees: float) -> Image.Image:
    """Lay the paper askew."""
    return image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)


def blurred(image: Image.Image, sigma: float, dpi: float) -> Image.Image:
    """Blur by ``sigma`` mm of paper: a moving hand, a lens out of focus, ink that spreads."""
    return image.filter(ImageFilter.GaussianBlur(sigma * dpi / INCH))


def stained(
    image: Image.Image, code: Place, where: tuple[float, float], share: float, grey: int = 70
) -> Image.Image:
    """Drop an opaque round stain of a ``share`` of the code's area, its middle at ``where``.

    ``where`` is in parts of the code's side. 70 is coffee, 255 a correction fluid.
    """
    radius = code.side * math.sqrt(share / math.pi)
    x, y = code.left + where[0] * code.side, code.top + where[1] * code.side
    made = image.copy()
    ImageDraw.Draw(made).ellipse((x - radius, y - radius, x + radius, y + radius), fill=grey)
    return made


def faded(image: Image.Image, ink: int, paper: int) -> Image.Image:
    """Print with another ink on another paper, 0 black to 255 white."""
    return image.convert("L").point(lambda grey: ink + (paper - ink) * grey // 255)


# -- a phone ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Camera:
    """A phone held above a code; the picture is ``pixels`` square, in its middle the code.

    ``focal`` is the focal length in pixels of the picture: 2900 for a 12-megapixel photograph of a
    26 mm lens (4000 pixels on 36 mm), 1390 for its 1920 pixels wide preview, which apps scan.
    """

    focal: float
    distance: float  # mm from lens to paper
    tilt: float = 12.0  # degrees away from straight above
    turn: float = 5.0  # degrees within the picture
    noise: float = 6.0  # standard deviation of a grey value
    shade: int = 110  # the grey of white paper in the darkest corner
    blur: float = 0.6  # standard deviation in pixels: lens and focus
    quality: int = 60  # of the JPEG

    @property
    def scale(self) -> float:
        """Give pixels a mm in the middle of the picture."""
        return self.focal / self.distance

    def photograph(self, page: Image.Image, code: Place, dpi: int, seed: int) -> Image.Image:
        """Take the picture of the code and a margin of paper around it."""
        span = code.side * INCH / dpi * 1.45 * self.scale
        size = math.ceil(span)
        fine = self._project(page, code, dpi, size * _SUPERSAMPLING)
        seen = fine.reduce(_SUPERSAMPLING).filter(ImageFilter.GaussianBlur(self.blur))
        lit = ImageChops.multiply(seen, self._light(size))
        chance = Random(seed)  # noqa: S311 - a picture, no secret
        return jpeg(noisy(lit, self.noise, chance), self.quality)

    def _project(self, page: Image.Image, code: Place, dpi: int, size: int) -> Image.Image:
        """Follow the ray of each pixel to the paper: a pinhole camera over a tilted plane."""
        tilt, turn = math.radians(self.tilt), math.radians(self.turn)
        across = (math.cos(turn), math.sin(turn) * math.cos(tilt), math.sin(turn) * math.sin(tilt))
        down = (-math.sin(turn), math.cos(turn) * math.cos(tilt), math.cos(turn) * math.sin(tilt))
        normal = (0.0, -math.sin(tilt), math.cos(tilt))
        focal, middle = self.focal * _SUPERSAMPLING, size / 2
        per_mm = dpi / INCH
        reach = self.distance * normal[2]  # of the plane from the lens, times 1 / |normal|

        def row(axis: tuple[float, float, float], origin: float) -> tuple[float, float, float]:
            """Give numerators: page pixel = row · (u, v, 1) / denominator · (u, v, 1)."""
            kept = per_mm * reach, per_mm * axis[2] * self.distance
            one = [kept[0] * axis[i] - (kept[1] - origin) * normal[i] for i in range(3)]
            return one[0], one[1], one[2] * focal - (one[0] + one[1]) * middle

        bottom = normal[0], normal[1], normal[2] * focal - (normal[0] + normal[1]) * middle
        rows = (
            row(across, code.left + code.side / 2),
            row(down, code.top + code.side / 2),
        )
        numbers = [value / bottom[2] for one in (*rows, bottom) for value in one][:8]
        return page.transform(
            (size, size),
            Image.Transform.PERSPECTIVE,
            numbers,
            Image.Resampling.BICUBIC,
            fillcolor=255,
        )

    def _light(self, size: int) -> Image.Image:
        """Light that falls off from one corner to the other."""
        slope = Image.linear_gradient("L").resize((2 * size, 2 * size)).rotate(35)
        middle = slope.crop((size // 2, size // 2, size // 2 + size, size // 2 + size))
        darkest, lightest = middle.getextrema()
        assert isinstance(darkest, int)
        assert isinstance(lightest, int)
        step = (235 - self.shade) / (lightest - darkest)
        return middle.point(lambda grey: round(self.shade + (grey - darkest) * step))


def noisy(image: Image.Image, deviation: float, chance: Random) -> Image.Image:
    """Add Gaussian noise: even random bytes, bent into a bell by the inverse of its integral."""
    even = Image.frombytes("L", image.size, chance.randbytes(image.width * image.height))
    bell = [128 + round(deviation * _BELL.inv_cdf((i + 0.5) / 256)) for i in range(256)]
    return ImageChops.add(image, even.point(bell), offset=-128)


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Keep a picture as a JPEG of some quality and read it back."""
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return Image.open(io.BytesIO(data.getvalue())).convert("L")
