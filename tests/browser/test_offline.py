"""Without a network: the page, the keys and the last status lists are kept on the phone."""

from __future__ import annotations

import json
import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import REPORT, STEPS, VERDICT, OpenPage, Site

CONTROLLED = """() => new Promise((done) => {
  if (navigator.serviceWorker.controller) done(true);
  else navigator.serviceWorker.addEventListener("controllerchange", () => done(true));
})"""
GONE = re.compile("ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED")


def visit(page: Page, url: str) -> None:
    """Visit once, until the worker keeps the page."""
    page.goto(url)
    assert page.evaluate(CONTROLLED)


def cut_off(page: Page, site: Site) -> None:
    """Take the network away, and the service too."""
    page.context.set_offline(True)
    site.stop()


def test_after_one_visit_another_code_is_checked_offline(
    open_page: OpenPage, own_site: Site
) -> None:
    page = open_page("en-US", service_workers="allow")
    visit(page, own_site.address("one"))
    expect(page.locator(VERDICT)).to_have_class("good")
    cut_off(page, own_site)
    page.goto("about:blank")
    page.goto(own_site.address("two"))
    expect(page.locator(VERDICT)).to_have_class("good")
    expect(page.locator(VERDICT)).to_contain_text("Offline: checked against kept evidence")
    expect(page.locator(f"{REPORT} dl")).to_contain_text(own_site.records["two"].id)
    status = page.locator(STEPS).nth(5).locator("small")
    expect(status).to_contain_text(re.compile(r"evidence of .+\((this minute|\d+ minutes? ago)\)"))
    page.locator("#language").click()
    expect(page.locator(VERDICT)).to_contain_text("离线：以保存的证据核验")


def test_what_was_revoked_before_is_refused_offline(open_page: OpenPage, own_site: Site) -> None:
    page = open_page(service_workers="allow")
    visit(page, own_site.url)
    cut_off(page, own_site)
    page.goto(own_site.address("revoked"))
    expect(page.locator(VERDICT)).to_have_class("bad")
    expect(page.locator(f"{VERDICT} h2")).to_have_text("真实，但已吊销")


def test_a_forgery_is_refused_offline(open_page: OpenPage, own_site: Site) -> None:
    page = open_page(service_workers="allow")
    visit(page, own_site.url)
    cut_off(page, own_site)
    fragment = own_site.fragment("one")
    page.goto(f"{own_site.url}/V#{fragment[:-8]}AAAAAAA{fragment[-1]}")
    expect(page.locator(VERDICT)).to_have_class("bad")


def test_kept_evidence_grows_stale(open_page: OpenPage, own_site: Site) -> None:
    page = open_page("en-US", service_workers="allow")
    visit(page, own_site.url)
    cut_off(page, own_site)
    page.clock.set_fixed_time("2031-01-01T00:00:00Z")
    page.goto(own_site.address("one"))
    expect(page.locator(VERDICT)).to_have_class("grey")
    expect(page.locator(VERDICT)).to_contain_text("the status list is too old")


def test_an_open_page_without_kept_evidence_says_that_it_could_not_check(
    open_page: OpenPage, own_site: Site
) -> None:
    page = open_page("en-US")
    page.goto(own_site.url)
    cut_off(page, own_site)
    page.evaluate("(hash) => { location.hash = hash; }", own_site.fragment("one"))
    expect(page.locator(VERDICT)).to_have_class("grey")
    expect(page.locator(f"{VERDICT} h2")).to_contain_text("Could not be checked")


def test_kept_keys_without_kept_status_leave_it_open(open_page: OpenPage, own_site: Site) -> None:
    page = open_page("en-US", service_workers="allow")
    visit(page, own_site.url)
    page.evaluate(
        """async () => {
          const [name] = await caches.keys();
          const cache = await caches.open(name);
          await cache.delete("/status/0");
        }"""
    )
    cut_off(page, own_site)
    page.goto(own_site.address("one"))
    expect(page.locator(VERDICT)).to_have_class("grey")
    expect(page.locator(f"{VERDICT} h2")).to_contain_text("Signature genuine")
    expect(page.locator(VERDICT)).to_contain_text("verified offline, without a status list")


def test_a_file_cannot_be_checked_offline_and_the_page_says_so(
    open_page: OpenPage, own_site: Site
) -> None:
    page = open_page("en-US", service_workers="allow")
    visit(page, own_site.url)
    cut_off(page, own_site)
    file = {"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"}
    page.locator("#file").set_input_files(file)  # type: ignore[arg-type]
    expect(page.locator(VERDICT)).to_have_class("grey")
    expect(page.locator(VERDICT)).to_contain_text("cannot be checked offline")


@pytest.mark.parametrize("path", ["/types", "/trust.json"])
def test_looking_at_another_address_of_the_site_does_not_replace_the_kept_page(
    open_page: OpenPage, own_site: Site, path: str
) -> None:
    page = open_page(service_workers="allow")
    visit(page, own_site.url)
    page.evaluate("(path) => { location.href = path; }", path)
    page.wait_for_url(f"**{path}")
    page.wait_for_load_state()
    cut_off(page, own_site)
    page.goto("about:blank")
    page.goto(own_site.address("one"))
    expect(page.locator(VERDICT)).to_have_class("good")


def test_a_new_status_is_seen_as_soon_as_there_is_a_network(
    open_page: OpenPage, own_site: Site
) -> None:
    from ecert.model import Operation

    page = open_page(service_workers="allow")
    visit(page, own_site.address("one"))
    expect(page.locator(VERDICT)).to_have_class("good")
    own_site.operate("one", Operation.SUSPEND)
    page.reload()
    expect(page.locator(VERDICT)).to_have_class("warn")


# -- installing ------------------------------------------------------------------------------------


def test_it_can_be_installed(open_page: OpenPage, site: Site) -> None:
    """What Chromium asks of an application: a manifest, icons, a worker; it names no fault."""
    page = open_page(service_workers="allow")
    visit(page, site.url)
    session = page.context.new_cdp_session(page)
    found = session.send("Page.getAppManifest")
    assert found["errors"] == []
    manifest = json.loads(found["data"])
    assert manifest["display"] == "standalone"
    assert {"name", "short_name", "start_url", "icons"} <= manifest.keys()
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # a private window, as a test's context is, never installs anything
    assert [one["errorId"] for one in errors] in ([], ["in-incognito"])
    for icon in manifest["icons"]:
        answer = httpx.get(f"{site.url}{icon['src']}", trust_env=False)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == icon["type"]


def test_every_file_that_the_page_needs_is_kept(open_page: OpenPage, site: Site) -> None:
    page = open_page(service_workers="allow")
    visit(page, site.url)
    page.reload()
    loaded = page.evaluate(
        "performance.getEntriesByType('resource').map((one) => new URL(one.name).pathname)"
    )
    kept = page.evaluate(
        """async () => {
          const cache = await caches.open((await caches.keys())[0]);
          return (await cache.keys()).map((one) => new URL(one.url).pathname);
        }"""
    )
    assert set(loaded) - set(kept) == set()
    assert {"/", "/trust.json", "/types", "/static/reasons.json"} <= set(kept)
