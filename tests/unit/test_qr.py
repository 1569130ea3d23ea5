"""The QR code: small enough to print 30 mm wide, and read by two independent readers."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ecert.errors import EcertError, SealError, TooLarge
from ecert.formats.picture import MAX_PICTURE_BYTES, read_picture
from ecert.formats.qr import to_png, to_terminal, version_of
from tests.conftest import need
from tests.unit.conftest import Examples

PRINTED = 354  # pixels of 30 mm at 300 dpi
TEXT = "HTTPS://ZZ.HD.GUANGZHOU.CN/V#" + "ABCDEFGH234567" * 40
SLUGS = [
    "business-licence",
    "completion-acceptance-filing",
    "construction-permit",
    "construction-works-planning-permit",
    "land-use-planning-permit",
    "project-approval",
    "project-siting-opinion",
    "rural-construction-planning-permit",
]


@pytest.fixture(params=SLUGS)
def seal(request: pytest.FixtureRequest, examples: Examples) -> str:
    text: str = examples.records[request.param].seal
    return text


def test_a_seal_fits_version_16_for_a_host_of_18_characters(seal: str) -> None:
    assert version_of(seal) <= 16


def test_zxing_reads_the_code_at_the_printed_size(seal: str) -> None:
    data = to_png(seal, width=PRINTED)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.width == picture.height <= PRINTED
        found = zxingcpp.read_barcodes(picture)
    assert [code.text for code in found] == [seal]
    assert read_picture(data) == [seal]


def test_zbar_reads_the_code_at_the_printed_size(seal: str, tmp_path: Path) -> None:
    zbarimg = need("zbarimg")
    path = tmp_path / "code.png"
    path.write_bytes(to_png(seal, width=PRINTED))
    # QR codes alone, as in tests/flows/photo: among random modules zbar may see a bar code, too.
    options = ["--quiet", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable"]
    done = subprocess.run(
        [zbarimg, *options, str(path)], capture_output=True, check=True, text=True
    )
    assert done.stdout.strip() == seal


def test_the_quiet_zone_is_four_modules_and_all_modules_are_whole(seal: str) -> None:
    modules = 17 + 4 * version_of(seal) + 8
    with Image.open(io.BytesIO(to_png(seal, width=PRINTED))) as picture:
        box = picture.width // modules
        assert picture.width == box * modules
        grey = picture.convert("L")
    quiet = [(0, 0, grey.width, 4 * box), (0, 0, 4 * box, grey.height)]
    assert all(grey.crop(one).getextrema() == (255, 255) for one in quiet)
    assert grey.getpixel((4 * box, 4 * box)) == 0


@pytest.mark.parametrize("turn", [90, 180, 270, 7])
def test_a_turned_picture_is_read(turn: int) -> None:
    with Image.open(io.BytesIO(to_png(TEXT))) as picture:
        turned = picture.convert("L").rotate(turn, expand=True, fillcolor=255)
    output = io.BytesIO()
    turned.save(output, "PNG")
    assert read_picture(output.getvalue()) == [TEXT]


def test_a_jpeg_is_read() -> None:
    output = io.BytesIO()
    with Image.open(io.BytesIO(to_png(TEXT))) as picture:
        picture.convert("L").save(output, "JPEG", quality=70)
    assert read_picture(output.getvalue()) == [TEXT]


def test_two_codes_in_one_picture_are_both_read() -> None:
    one = Image.open(io.BytesIO(to_png("HTTPS://A/V#AAAA"))).convert("L")
    other = Image.open(io.BytesIO(to_png("HTTPS://B/V#BBBB"))).convert("L")
    sheet = Image.new("L", (one.width + other.width, max(one.height, other.height)), 255)
    sheet.paste(one, (0, 0))
    sheet.paste(other, (one.width, 0))
    output = io.BytesIO()
    sheet.save(output, "PNG")
    assert sorted(read_picture(output.getvalue())) == ["HTTPS://A/V#AAAA", "HTTPS://B/V#BBBB"]


def test_a_code_drawn_for_a_terminal_is_the_same_code() -> None:
    lines = to_terminal(TEXT).split("\n")
    dark = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
    rows = [[dark[block][half] for block in line] for line in lines for half in (0, 1)]
    picture = Image.new("L", (len(rows[0]) * 4, len(rows) * 4), 255)
    for down, row in enumerate(rows):
        for across, is_dark in enumerate(row):
            if is_dark:
                picture.paste(0, (across * 4, down * 4, across * 4 + 4, down * 4 + 4))
    assert [code.text for code in zxingcpp.read_barcodes(picture)] == [TEXT]


@pytest.mark.parametrize("text", [TEXT.lower(), "HTTPS://許/V#AA", TEXT + "A" * 5000, "A#b#C"])
def test_what_is_no_seal_is_not_drawn(text: str) -> None:
    for draw in (version_of, to_png, to_terminal):
        with pytest.raises(SealError):
            draw(text)


# -- pictures from outside -------------------------------------------------------------------------


def test_a_picture_without_a_code_gives_nothing() -> None:
    output = io.BytesIO()
    Image.new("L", (50, 50), 255).save(output, "PNG")
    assert read_picture(output.getvalue()) == []


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_other_kinds_of_picture_are_refused(kind: str) -> None:
    output = io.BytesIO()
    Image.new("L", (50, 50), 255).save(output, kind)
    with pytest.raises(SealError):
        read_picture(output.getvalue())


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"%PDF-1.7"]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(SealError):
        read_picture(data)


def test_a_picture_is_bounded_in_bytes_and_pixels() -> None:
    with pytest.raises(TooLarge):
        read_picture(bytes(MAX_PICTURE_BYTES + 1))
    output = io.BytesIO()
    Image.new("1", (8000, 5001)).save(output, "PNG")
    with pytest.raises(TooLarge):
        read_picture(output.getvalue())


WHOLE = to_png("HTTPS://A/V#" + "ABCDEFGH234567" * 9, width=200)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255), st.integers(0, len(WHOLE)))
@pytest.mark.filterwarnings("ignore")  # Pillow warns of odd pictures
def test_a_damaged_picture_is_read_or_refused_in_good_order(
    place: int, change: int, length: int
) -> None:
    changed = bytearray(WHOLE)
    changed[place] ^= change
    for data in (bytes(changed), WHOLE[:length]):
        try:
            found = read_picture(data)
        except EcertError:
            continue
        assert len(found) <= 1
