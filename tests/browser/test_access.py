"""For everybody: keyboard, screen reader, small and dark screens, paper."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import REPORT, STEPS, VERDICT, OpenPage, Site

CONTRAST = """() => {
  const curve = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const channel = (value) => curve(value / 255);
  const parse = (text) => {
    const all = text.match(/[\\d.]+/g).map(Number);
    return { rgb: all.slice(0, 3), alpha: all[3] ?? 1 };
  };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const { rgb, alpha } = parse(getComputedStyle(at).backgroundColor);
      if (alpha === 1) return rgb;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  };
  const found = [];
  for (const one of document.body.querySelectorAll("*")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const box = one.getBoundingClientRect();
    if (!(own || ["TEXTAREA", "INPUT"].includes(one.tagName)) || !box.width || box.right < 0) continue;
    if (one.id === "file" || one.closest("noscript, [hidden]")) continue;
    const a = light(parse(getComputedStyle(one).color).rgb), b = light(behind(one));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push([`${one.tagName}.${one.className} ${one.textContent.slice(0, 20)}`, ratio]);
  }
  return found;
}"""
WIDTH = "() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"
ACTIVE = """() => {
  const one = document.activeElement;
  return one.id || one.getAttribute("class") || one.type || one.tagName.toLowerCase();
}"""


def tab_to(page: Page, wanted: str) -> list[str]:
    """Press Tab until a control has the focus; give what had it on the way."""
    passed = []
    for _ in range(15):
        page.keyboard.press("Tab")
        passed.append(page.evaluate(ACTIVE))
        if passed[-1] == wanted:
            return passed
    raise AssertionError(f"{wanted} is not reached: {passed}")


def test_everything_is_reached_by_keyboard(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.goto(site.url)
    assert tab_to(page, "language") == ["skip", "language"]
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert tab_to(page, "file") == ["file"]
    assert page.locator(".drop").evaluate("(one) => getComputedStyle(one).outlineStyle") == "solid"
    assert tab_to(page, "summary") == ["summary"]
    page.keyboard.press("Enter")
    assert tab_to(page, "text") == ["text"]
    page.keyboard.insert_text(site.seals["suspended"])
    assert "at" in tab_to(page, "submit")
    page.keyboard.press("Enter")
    expect(page.locator(VERDICT)).to_have_class("warn")
    assert page.evaluate(ACTIVE) == "main"


def test_a_file_is_chosen_by_keyboard(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.on("filechooser", lambda _: None)  # so that choosers are caught from the first key on
    page.goto(site.url)
    tab_to(page, "file")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    text = site.records["valid"].credential.encode()
    file = {"name": "credential.sd-jwt", "mimeType": "", "buffer": text}
    chooser.value.set_files(file)  # type: ignore[arg-type]
    expect(page.locator(VERDICT)).to_have_class("good")


def test_the_skip_link_leads_to_the_result_and_keeps_it(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.goto(site.address("valid"))
    expect(page.locator(VERDICT)).to_have_class("good")
    page.locator(".skip").focus()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate(ACTIVE) == "main"
    expect(page.locator(VERDICT)).to_have_class("good")


def test_a_day_may_be_asked_after_the_skip_link(open_page: OpenPage, site: Site) -> None:
    """The skip link must not make the page forget which code was scanned."""
    page = open_page("en-US")
    page.goto(site.address("valid"))
    expect(page.locator(VERDICT)).to_have_class("good")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    page.locator("summary").click()
    page.locator("#at").fill("2020-01-01")
    page.locator("button[type=submit]").click()
    expect(page.locator(f"{VERDICT} h2")).to_have_text("Genuine, but not valid yet")


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
@pytest.mark.parametrize("name", ["superseded", "copy"])
def test_a_narrow_phone_needs_no_sideways_scrolling(
    open_page: OpenPage, site: Site, name: str, locale: str
) -> None:
    page = open_page(locale, viewport={"width": 320, "height": 568})
    page.goto(site.address(name))
    expect(page.locator(REPORT)).to_be_visible()
    page.locator("summary").click()
    assert page.evaluate(WIDTH) <= 320


def test_the_verdict_is_seen_without_scrolling(open_page: OpenPage, site: Site) -> None:
    page = open_page("en-US", viewport={"width": 320, "height": 568})
    page.goto(site.address("superseded"))
    expect(page.locator(f"{VERDICT} h2")).to_be_in_viewport()
    assert page.evaluate("window.scrollY") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["valid", "suspended", "forged", "unchecked"])
def test_the_contrast_is_enough(open_page: OpenPage, site: Site, name: str, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    if name == "unchecked":
        page.route("**/status/**", lambda route: route.abort())
    page.goto(
        site.address("valid") + "A"
        if name == "forged"
        else site.address("valid" if name == "unchecked" else name)
    )
    expect(page.locator(REPORT)).to_be_visible()
    page.locator("summary").click()
    found = page.evaluate(CONTRAST)
    assert len(found) > 20
    assert [one for one in found if one[1] < 4.5] == []


def test_large_letters_do_not_break_the_page(open_page: OpenPage, site: Site) -> None:
    """WCAG 1.4.4: text at twice its size, on a phone's width."""
    page = open_page("en-US", viewport={"width": 390, "height": 844})
    page.goto(site.address("superseded"))
    expect(page.locator(REPORT)).to_be_visible()
    page.evaluate("document.documentElement.style.setProperty('font-size', '200%')")
    assert page.evaluate(WIDTH) <= 390


def test_a_screen_reader_finds_its_way(open_page: OpenPage, site: Site) -> None:
    page = open_page("en-US")
    page.goto(site.address("suspended"))
    expect(page.get_by_role("status")).to_contain_text("Genuine, but suspended")
    expect(page.get_by_role("banner")).to_be_visible()
    expect(page.get_by_role("main")).to_be_visible()
    expect(page.get_by_role("contentinfo")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("heading", level=2).first).to_have_text("Genuine, but suspended")
    assert page.locator(f"{VERDICT} .mark").get_attribute("aria-hidden") == "true"
    expect(page.locator(STEPS).get_by_role("img", name="failed")).to_have_count(1)
    expect(page.locator(STEPS).get_by_role("img", name="passed")).to_have_count(4)
    expect(page.locator(STEPS).get_by_role("img", name="not checked")).to_have_count(2)
    expect(page.get_by_role("list").get_by_role("listitem")).to_have_count(7)


def test_the_result_is_said_aloud_in_the_pages_language(open_page: OpenPage, site: Site) -> None:
    page = open_page("en-US")
    page.goto(site.url)
    said = page.locator("[role=status], [aria-live]")
    expect(said).to_have_count(1)  # it is there before there is anything to say
    expect(said).to_be_attached()
    page.goto(site.address("revoked"))
    expect(said).to_contain_text("Genuine, but revoked")
    expect(said).to_contain_text("since ")
    expect(said).not_to_contain_text("。")
    page.locator("#language").click()
    expect(said).to_contain_text("真实，但已吊销")


@pytest.mark.parametrize(
    ("locale", "names"),
    [
        (
            "zh-CN",
            (
                "English",
                "选择文件，或拖到这里",
                "二维码网址、签章码或电子凭证",
                "当日是否有效",
                "核验",
            ),
        ),
        ("en-US", ("中文", "Choose a file", "The code's address", "Was it in force", "Verify")),
    ],
)
def test_every_control_has_a_name(
    open_page: OpenPage, site: Site, locale: str, names: tuple[str, ...]
) -> None:
    page = open_page(locale)
    page.goto(site.url)
    page.locator("summary").click()
    page.locator("#scan").evaluate("(one) => { one.hidden = false; }")
    session = page.context.new_cdp_session(page)
    session.send("Accessibility.enable")
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "link", "textbox", "Date", "DisclosureTriangle", "combobox"}
    controls = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in roles
    ]
    assert len(controls) >= 6
    assert [one for one in controls if not one[1]] == []
    for name in names:
        assert any(name in one[1] for one in controls), (name, controls)


def test_the_other_languages_button_says_its_language(open_page: OpenPage, site: Site) -> None:
    page = open_page("zh-CN")
    page.goto(site.url)
    button = page.locator("#language")
    assert (button.inner_text(), button.get_attribute("lang")) == ("English", "en")
    button.click()
    assert (button.inner_text(), button.get_attribute("lang")) == ("中文", "zh-CN")


def test_printing_leaves_the_form_out(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.goto(site.address("revoked"))
    expect(page.locator(REPORT)).to_be_visible()
    page.emulate_media(media="print")
    expect(page.locator("#ask")).to_be_hidden()
    expect(page.locator("#language")).to_be_hidden()
    expect(page.locator(f"{VERDICT} h2")).to_be_visible()
    expect(page.locator(STEPS)).to_have_count(7)


@pytest.mark.parametrize("name", ["valid", "suspended", "revoked"])
def test_print_is_black_on_white(open_page: OpenPage, site: Site, name: str) -> None:
    page = open_page()
    page.goto(site.address(name))
    expect(page.locator(REPORT)).to_be_visible()
    page.emulate_media(media="print")
    assert [one for one in page.evaluate(CONTRAST) if one[1] < 4.5] == []
    verdict = page.locator(VERDICT)
    assert verdict.evaluate("(one) => getComputedStyle(one).borderTopWidth") == "3px"


def test_a_dark_screen_gets_a_dark_page(open_page: OpenPage, site: Site) -> None:
    page = open_page(color_scheme="dark")
    page.goto(site.address("valid"))
    expect(page.locator(VERDICT)).to_have_class("good")
    colour = page.locator("body").evaluate("(one) => getComputedStyle(one).backgroundColor")
    assert sum(int(part) for part in re.findall(r"\d+", colour)[:3]) < 150


def test_colour_is_not_the_only_sign(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    marks = {}
    for name in ("valid", "suspended", "revoked"):
        page.goto("about:blank")
        page.goto(site.address(name))
        marks[name] = page.locator(f"{VERDICT} .mark").inner_text()
    assert marks == {"valid": "✓", "suspended": "!", "revoked": "✗"}
