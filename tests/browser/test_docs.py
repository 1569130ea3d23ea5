"""The interface description as a page: it comes from this service alone, and shows every operation."""

from __future__ import annotations

import httpx
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, Site


def test_the_page_fetches_nothing_from_elsewhere_and_shows_every_operation(
    open_page: OpenPage, site: Site
) -> None:
    document = httpx.get(f"{site.url}/openapi.json", trust_env=False).json()
    count = sum(len(item) for item in document["paths"].values())
    page = open_page("en-US")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.url}/docs")
    expect(page.locator(".opblock")).to_have_count(count)
    expect(page.locator(".opblock-tag").first).to_contain_text("certificates")
    assert {url for url in asked if not url.startswith((site.url, "data:"))} == set()


def test_an_operation_opens_with_its_example(open_page: OpenPage, site: Site) -> None:
    page = open_page("en-US")
    page.goto(f"{site.url}/docs")
    operation = page.locator(".opblock-post", has_text="/v1/grants/requests")
    operation.locator("button.opblock-summary-control").click()
    expect(operation).to_contain_text("HD-ZJ-01")
