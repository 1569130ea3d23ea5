"""The camera, where the browser reads codes itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import VERDICT, Noise, OpenPage, Site

# A detector that sees one code: what the browser's own would give, the camera being Chromium's fake.
DETECTOR = """
globalThis.BarcodeDetector = class {
  static async getSupportedFormats() { return ["qr_code"]; }
  async detect(source) {
    if (source instanceof HTMLVideoElement && source.readyState < 2) return [];
    return [{ rawValue: globalThis.shownCode }];
  }
};
globalThis.shownCode = "%s";
"""
STREAMS = """
globalThis.streams = [];
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (...wanted) => {
  const stream = await ask(...wanted);
  globalThis.streams.push(stream);
  return stream;
};
"""


def has_detector(page: Page) -> bool:
    return bool(page.evaluate("typeof BarcodeDetector === 'function'"))


def test_without_a_detector_there_is_no_button(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.add_init_script("delete globalThis.BarcodeDetector;")
    page.goto(site.url)
    expect(page.locator("#language")).to_be_visible()
    expect(page.locator("#scan")).to_be_hidden()


def test_chromiums_own_detector_reads_a_photo(open_page: OpenPage, site: Site) -> None:
    from ecert.formats import qr

    page = open_page()
    page.goto(site.url)
    if not has_detector(page):
        pytest.skip("this Chromium has no BarcodeDetector (it has none on Linux)")
    before = len(site.recorder.seen)
    data = qr.to_png(site.seals["valid"])
    file = {"name": "code.png", "mimeType": "image/png", "buffer": data}
    page.locator("#file").set_input_files(file)  # type: ignore[arg-type]
    expect(page.locator(VERDICT)).to_have_class("good")
    assert "POST" not in {one.method for one in site.recorder.seen[before:]}


def test_a_code_before_the_camera_is_checked_here(open_page: OpenPage, site: Site) -> None:
    page = open_page("en-US")
    page.add_init_script(DETECTOR % site.seals["valid"] + STREAMS)
    page.goto(site.url)
    before = len(site.recorder.seen)
    page.get_by_role("button", name="Scan with the camera").click()
    expect(page.locator(VERDICT)).to_have_class("good")
    expect(page.locator("#camera")).to_be_hidden()
    states = "streams.flatMap((one) => one.getTracks()).map((one) => one.readyState)"
    assert page.evaluate(states) == ["ended"]
    assert "POST" not in {one.method for one in site.recorder.seen[before:]}


def test_the_camera_can_be_stopped(open_page: OpenPage, site: Site) -> None:
    page = open_page("en-US")
    page.add_init_script(DETECTOR % "" + STREAMS)
    page.add_init_script("BarcodeDetector.prototype.detect = async () => [];")
    page.goto(site.url)
    page.locator("#scan").click()
    expect(page.locator("#camera")).to_be_visible()
    expect(page.locator("#scan")).to_have_text("Stop scanning")
    page.locator("#scan").click()
    expect(page.locator("#camera")).to_be_hidden()
    assert page.evaluate("streams[0].getTracks()[0].readyState") == "ended"


def test_a_refused_camera_is_told(open_page: OpenPage, site: Site, noise: Noise) -> None:
    page = open_page("en-US")
    page.add_init_script(DETECTOR % "")
    page.add_init_script(
        """navigator.mediaDevices.getUserMedia = async () => {
          throw new DOMException("Permission denied", "NotAllowedError");
        };"""
    )
    page.goto(site.url)
    page.locator("#scan").click()
    expect(page.locator(VERDICT)).to_be_visible()
    assert noise.errors == []


def test_something_else_before_the_camera_is_no_certificate(
    open_page: OpenPage, site: Site
) -> None:
    page = open_page("en-US")
    page.add_init_script(DETECTOR % "https://example.com/menu")
    page.goto(site.url)
    page.locator("#scan").click()
    expect(page.locator(f"{VERDICT} h2")).to_have_text(
        "Not readable: no whole seal or certificate file"
    )
