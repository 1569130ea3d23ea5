"""Draw the pictures of the page that the documentation shows: ``python -m tests.browser.pictures``."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect

from ecert.config import Plan
from ecert.demo import MARKET, MATTER, WORKS
from ecert.pictures import graph_svg, supervision_html
from ecert.testing import SettableClock, temporary_registry
from tests.browser.conftest import (
    VERDICT,
    ZONE,
    Site,
    issue_states,
    open_browser,
    open_site,
    with_character,
)
from tests.browser.month import BY, live
from tests.conftest import CLERK

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "pictures"
MAX_BYTES = 120 * 1024
PHONE = {"width": 390, "height": 844}
TALL = {"width": 390, "height": 1230}  # so that the steps are seen too
CONTROLLED = "navigator.serviceWorker.ready.then(() => true)"
SCANNED = (  # picture, certificate
    ("page-valid-zh", "valid"),
    ("page-valid-en", "valid"),
    ("page-suspended-zh", "suspended"),
    ("page-superseded-en", "superseded"),
    ("page-revoked-zh", "revoked"),
    ("page-dark-zh", "valid"),
)


def save(page: Page, name: str) -> None:
    """Take a picture of the screen, in few colours."""
    expect(page.locator(f"{VERDICT} h2")).to_be_visible()
    expect(page.locator("#report")).to_be_visible()
    with Image.open(io.BytesIO(page.screenshot())) as taken:
        few = taken.convert("RGB").quantize(64, dither=Image.Dither.NONE)
        few.save(FOLDER / f"{name}.png", optimize=True)
    size = (FOLDER / f"{name}.png").stat().st_size
    if size > MAX_BYTES:
        raise SystemExit(f"{name}.png has {size} bytes, more than {MAX_BYTES}")


def open_phone(browser: Browser, name: str, **options: Any) -> Page:
    """Open a phone's page in the language that the picture's name ends with."""
    locale = "en-US" if name.endswith("-en") else "zh-CN"
    scheme = "dark" if "-dark-" in name else "light"
    context = browser.new_context(
        **{
            "viewport": PHONE,
            "device_scale_factor": 2,
            "locale": locale,
            "color_scheme": scheme,
            "timezone_id": ZONE,
            **options,
        }
    )
    return context.new_page()


def draw(browser: Browser, site: Site) -> None:
    """Draw every picture; the last ones take the service from the network."""
    for name, certificate in SCANNED:
        page = open_phone(browser, name)
        page.goto(site.address(certificate))
        save(page, name)
        page.context.close()

    page = open_phone(browser, "page-forged-en")
    page.goto(f"{site.url}/V#{with_character(site.fragment('valid'), -40)}")
    save(page, "page-forged-en")

    page = open_phone(browser, "page-unchecked-zh", service_workers="block")
    page.route("**/status/**", lambda route: route.abort())
    page.goto(site.address("valid"))
    save(page, "page-unchecked-zh")

    page = open_phone(browser, "page-document-zh", viewport=TALL)
    page.goto(site.url)
    file = FilePayload(name="a.pdf", mimeType="application/pdf", buffer=site.document("valid"))
    page.locator("#file").set_input_files(file)
    expect(page.locator(VERDICT)).to_have_class("good")
    save(page, "page-document-zh")

    page = open_phone(browser, "page-offline-en", viewport=TALL)
    page.goto(site.url)
    page.evaluate(CONTROLLED)
    page.context.set_offline(offline=True)
    site.stop()
    page.goto(site.address("valid"))
    save(page, "page-offline-en")


def draw_reuse(browser: Browser) -> None:
    """Draw the supervisors' page after a month, and the graph of a project's matters."""
    clock = SettableClock()
    plan = Plan("http://127.0.0.1:8000", MARKET, trial=True)
    with temporary_registry(plan, clock=clock) as registry:
        issued = live(registry, clock)
        project = issued[WORKS].body["project_code"]
        graph = registry.matters.graph(MATTER, by=BY, project_code=project)
        (FOLDER / "chain.svg").write_text(graph_svg(graph), "utf-8")
        page = browser.new_page(viewport={"width": 1000, "height": 1000})
        page.set_content(supervision_html(registry.supervision.figures(by=CLERK)))
        with Image.open(io.BytesIO(page.screenshot(full_page=True))) as taken:
            few = taken.convert("RGB").quantize(64, dither=Image.Dither.NONE)
            few.save(FOLDER / "supervision.png", optimize=True)


def main() -> None:
    """Run a service of one's own and draw."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open_browser() as browser:
        draw_reuse(browser)
    with (
        tempfile.TemporaryDirectory() as folder,
        open_site(Path(folder), fill=issue_states, days_ago=200) as site,
        open_browser() as browser,
    ):
        draw(browser, site)


if __name__ == "__main__":
    main()
