"""What leaves the phone while a code is checked: nothing that tells which certificate it is."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from ecert.formats.status_list import part_of
from tests.browser.conftest import (
    PERSON,
    STATES,
    VERDICT,
    Noise,
    OpenPage,
    Site,
    says,
)

KINDS = ("masked", "superseded", "copy")
TONES = {"masked": "good", "superseded": "warn", "copy": "good"}


def secrets_of(site: Site, name: str) -> list[str]:
    """List what must not leave the phone."""
    record = site.records["lent" if name == "copy" else name]
    holders = [holder["name"] for holder in record.body["holders"]]
    serial = record.id.split(".")[7]
    fragment = site.fragment(name)
    return [
        *(fragment, fragment[:24], fragment[-24:], record.id, serial, record.body["number"]),
        *holders,
        record.body["fields"]["project_name"],
        PERSON,
        str(record.status_index),
    ]


def watch(page: Page) -> list[str]:
    """Keep every request of a page's whole context, workers included."""
    kept: list[str] = []

    def keep(request: object) -> None:
        url, body = request.url, request.post_data_buffer  # type: ignore[attr-defined]
        headers = "\n".join(f"{k}: {v}" for k, v in request.headers.items())  # type: ignore[attr-defined]
        kept.append(f"{url.partition('#')[0]}\n{headers}\n{(body or b'').decode('latin-1')}")

    page.context.on("request", keep)
    return kept


@pytest.mark.parametrize("workers", ["block", "allow"])
@pytest.mark.parametrize("name", KINDS)
def test_no_request_tells_which_certificate_is_looked_at(
    open_page: OpenPage, site: Site, name: str, workers: str
) -> None:
    before = len(site.recorder.seen)
    page = open_page(service_workers=workers)
    requests = watch(page)
    page.goto(site.address(name))
    expect(page.locator(VERDICT)).to_have_class(TONES[name])
    if workers == "allow":
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.reload()
        expect(page.locator(f"{VERDICT} h2")).to_be_visible()
    received = [one.text for one in site.recorder.seen[before:]]
    assert any("GET /status/0?" in text for text in received)
    assert says([*requests, *received], *secrets_of(site, name)) == []
    assert says(requests, "http://", "https://") == requests
    assert [one for one in requests if not one.startswith(f"{site.url}/")] == []
    assert {one.method for one in site.recorder.seen[before:]} == {"GET"}
    assert "cookie" not in "".join(received).lower()
    assert "V#" not in "".join(received)


def test_status_is_asked_for_by_the_list(open_page: OpenPage, site: Site) -> None:
    """The addresses name a list of 65,536 and a sixteenth of it, never an index."""
    before = len(site.recorder.seen)
    page = open_page()
    page.goto(site.address("revoked"))
    expect(page.locator(VERDICT)).to_have_class("bad")
    targets = {one.target for one in site.recorder.seen[before:] if "status" in one.target}
    part = part_of(site.records["revoked"].status_index)
    assert {target for target in targets if "static" not in target} == {
        "/status/0?",
        f"/status/0/details/{part}?",
    }


def test_a_pasted_code_does_not_leave_either(open_page: OpenPage, site: Site) -> None:
    before = len(site.recorder.seen)
    page = open_page()
    page.goto(site.url)
    page.locator("summary").click()
    page.locator("#text").fill(site.seals["valid"])
    page.locator("button[type=submit]").click()
    expect(page.locator(VERDICT)).to_have_class("good")
    received = [one.text for one in site.recorder.seen[before:]]
    assert says(received, *secrets_of(site, "valid")) == []


def test_nothing_of_the_certificate_is_kept_on_the_phone(open_page: OpenPage, site: Site) -> None:
    page = open_page(service_workers="allow")
    page.goto(site.address("masked"))
    expect(page.locator(VERDICT)).to_have_class("good")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    expect(page.locator(VERDICT)).to_have_class("good")
    kept = page.evaluate(
        """async () => {
          const found = [JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage}), document.cookie];
          for (const name of await caches.keys())
            for (const request of await (await caches.open(name)).keys()) {
              const answer = await caches.match(request);
              found.push(request.url, answer.url, await answer.text());
            }
          return found;
        }"""
    )
    forbidden = [one for one in secrets_of(site, "masked") if len(one) > 5]
    assert says(kept, *forbidden) == []


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_the_console_stays_empty(
    open_page: OpenPage, site: Site, noise: Noise, locale: str
) -> None:
    page = open_page(locale, service_workers="allow")
    page.goto(site.url)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    for name in ("valid", *STATES, "superseded", "expired", "future", "copy-lapsed"):
        page.goto(site.address(name))
        expect(page.locator("#report dl")).to_contain_text(site.number(name))
        page.locator("#language").click()
    assert noise.console == []
    assert noise.errors == []


def test_the_policy_stops_what_does_not_belong_here(open_page: OpenPage, site: Site) -> None:
    """The policy itself: neither a script in the page, nor another host, nor a frame around it."""
    import httpx

    answer = httpx.get(f"{site.url}/v", trust_env=False)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "<script>" not in answer.text
    assert " style=" not in answer.text
