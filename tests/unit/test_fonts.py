"""What can be printed: the promise of ``ecert.fonts`` held against the font files themselves."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import typst
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st

from ecert.fonts import font_paths, fonts_version, unprintable

(FRAME,) = (Path(__file__).resolve().parents[2] / "ecert" / "pdf").rglob("frame/v1.typ")
NOT_DRAWN = "≒"  # the one character of GBK that is documented as missing


@cache
def drawn() -> frozenset[str]:
    """Read the characters that at least one font has, with fontTools."""
    found: set[str] = set()
    for path in font_paths():
        with TTFont(path, lazy=True) as font:
            found |= {chr(code) for code in font.getBestCmap()}
    return frozenset(found)


@cache
def gbk() -> frozenset[str]:
    """List the printable characters of GBK: all of its pairs of bytes, and ASCII."""
    pairs = (bytes((high, low)) for high in range(0x81, 0xFF) for low in range(0x40, 0xFF))
    read = {pair.decode("gbk", "ignore") for pair in pairs}
    return frozenset({one for one in read if one > "\x7f"} | set(map(chr, range(0x20, 0x7F))))


def test_all_of_gbk_is_drawn_but_one() -> None:
    assert len(gbk()) > 21_000
    assert gbk() - drawn() == {NOT_DRAWN}


def test_what_is_said_of_gbk_is_what_the_fonts_say() -> None:
    assert {one for one in gbk() if unprintable(one)} == {NOT_DRAWN}


def test_rare_characters_of_names_are_drawn() -> None:
    assert unprintable("𠮷䶮㛃𰻝") is None


@given(st.text(st.sampled_from(sorted(drawn())), max_size=40))
def test_what_the_fonts_have_is_printable(text: str) -> None:
    assert unprintable(text) is None


@given(
    st.text(st.sampled_from(sorted(drawn())), max_size=10),
    st.characters(exclude_categories=["Cs", "Cc"]).filter(lambda one: one not in drawn()),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10),
)
def test_what_they_have_not_is_named_the_first_of_it(head: str, missing: str, tail: str) -> None:
    assert unprintable(head + missing + tail) == missing


@given(st.sampled_from("\t\n"), st.text(st.sampled_from(sorted(drawn())), max_size=5))
def test_breaks_of_lines_are_no_characters(blank: str, text: str) -> None:
    assert unprintable(f"{text}{blank}𠮷{text}") is None


@pytest.mark.parametrize("family", ["serif", "sans"])
def test_typst_draws_all_of_it_with_the_frames_own_fonts(family: str) -> None:
    """PDF/A forbids the empty box, so typst refuses a page with a character that is not drawn."""
    names = re.search(rf"#let {family} = (\(.+\))", FRAME.read_text("utf-8"))
    assert names is not None
    fonts = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=sorted({str(path.parent) for path in font_paths()}),
    )
    compiler = typst.Compiler(font_paths=fonts)
    source = f"#set text(font: {names[1]}, size: 4pt)\n#sys.inputs.words"

    def draw(words: str) -> None:
        compiler.compile(
            source.encode(), format="pdf", sys_inputs={"words": words}, pdf_standards=["a-3b"]
        )

    draw("\u3000".join(sorted(drawn())))
    with pytest.raises(typst.TypstError):
        draw(NOT_DRAWN)


def test_the_versions_are_named() -> None:
    assert re.fullmatch(r"(pylopdf-fonts-[a-z-]+ [0-9.]+(, |$)){3}", fonts_version())
    assert len(font_paths()) == 6


@pytest.mark.parametrize("control", ["\x00", "\x07", "\x1b", "\x7f"])
def test_control_characters_cannot_be_printed(control: str) -> None:
    """An agency's name is checked by this alone, and typst refuses to draw them."""
    assert unprintable(f"局{control}") == control
