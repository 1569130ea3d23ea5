"""Files and pasted texts, which the service checks, and what the page says when it cannot."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, Route, expect

from ecert.formats import qr
from tests.browser.conftest import (
    CLERK,
    REPORT,
    STEPS,
    VERDICT,
    OpenPage,
    Site,
    ago,
    open_site,
)

NO_SUBTLE = "Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined });"
HIDDEN = ("江虚子", "440114197602039971")


def payload(name: str, data: bytes, media: str = "") -> FilePayload:
    return {"name": name, "mimeType": media, "buffer": data}


def drop(page: Page, name: str, data: bytes, media: str) -> None:
    """Drop a file on the page, as somebody drags it there."""
    page.evaluate(
        """([name, bytes, type]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], name, { type }));
          const place = document.querySelector(".drop");
          for (const kind of ["dragover", "drop"])
            place.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        [name, list(data), media],
    )


def paste(page: Page, text: str, day: str = "") -> None:
    if not page.locator("#text").is_visible():
        page.locator("summary").click()
    page.locator("#text").fill(text)
    page.locator("#at").fill(day)
    page.locator("button[type=submit]").click()


def test_a_document_is_checked_with_all_steps(open_page: OpenPage, site: Site) -> None:
    page = open_page("en-US")
    page.goto(site.url)
    page.locator("#file").set_input_files(payload("证照.PDF", site.document("valid")))
    expect(page.locator(VERDICT)).to_have_class("good")
    expect(page.locator(f"{VERDICT} h2")).to_have_text("Genuine and in force")
    outcomes = page.locator(STEPS).evaluate_all("(all) => all.map((one) => one.className)")
    assert outcomes == ["passed"] * 7
    expect(page.locator(f"{REPORT} dl")).to_contain_text("广州花都示例安居有限公司")


def test_a_changed_document_is_told_apart_from_a_forged_one(
    open_page: OpenPage, site: Site
) -> None:
    page = open_page()
    page.goto(site.url)
    data = site.document("valid")
    update = b"\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
    page.locator("#file").set_input_files(payload("a.pdf", data + update))
    expect(page.locator(VERDICT)).to_have_class("bad")


def test_a_document_of_a_suspended_certificate(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.goto(site.url)
    page.locator("#file").set_input_files(payload("a.pdf", site.document("suspended")))
    expect(page.locator(VERDICT)).to_have_class("warn")
    expect(page.locator(f"{VERDICT} h2")).to_have_text("真实，但已暂扣")


def pictures(site: Site) -> Iterator[FilePayload]:
    png = qr.to_png(site.seals["revoked"])
    yield payload("code.png", png, "image/png")
    jpeg = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("L").rotate(7, expand=True, fillcolor=255).save(
        jpeg, "JPEG"
    )
    yield payload("IMG_0001.JPG", jpeg.getvalue(), "image/jpeg")


def test_a_photo_of_the_code_is_checked(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    for picture in pictures(site):
        page.goto(site.url)
        page.locator("#file").set_input_files(picture)
        expect(page.locator(VERDICT)).to_have_class("bad")
        expect(page.locator(f"{VERDICT} h2")).to_have_text("真实，但已吊销")


def test_a_picture_without_a_code_says_so(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.goto(site.url)
    blank = io.BytesIO()
    Image.new("L", (40, 40), 255).save(blank, "PNG")
    page.locator("#file").set_input_files(payload("a.png", blank.getvalue(), "image/png"))
    expect(page.locator(VERDICT)).to_have_class("grey")
    expect(page.locator(VERDICT)).to_contain_text("图片中没有可识别的二维码")


def test_an_evidence_bundle_is_checked(open_page: OpenPage, site: Site) -> None:
    data = site.registry.evidence.pack(site.records["resumed"].id, by=CLERK)
    page = open_page()
    page.goto(site.url)
    page.locator("#file").set_input_files(payload("evidence.zip", data, "application/zip"))
    expect(page.locator(VERDICT)).to_have_class("good")
    expect(page.locator(STEPS).nth(4)).to_have_class("passed")
    assert HIDDEN[0] not in page.locator(REPORT).inner_text()


def test_statements_in_a_bundle_prove_a_past_day(open_page: OpenPage, site: Site) -> None:
    """A certificate suspended and resumed: only its signed acts know what it was in between."""
    data = site.registry.evidence.pack(site.records["resumed"].id, by=CLERK)
    page = open_page("en-US")
    page.goto(site.url)
    page.locator("summary").click()
    page.locator("#at").fill(site.day(ago(45)).isoformat())
    page.locator("#file").set_input_files(payload("evidence.zip", data, "application/zip"))
    expect(page.locator(f"{VERDICT} h2")).to_have_text("Genuine, but suspended")


@pytest.mark.parametrize("name", ["credential.sd-jwt", "credential.txt"])
def test_a_credential_file_is_checked(open_page: OpenPage, site: Site, name: str) -> None:
    page = open_page()
    page.goto(site.url)
    data = site.records["valid"].credential.encode()
    page.locator("#file").set_input_files(payload(name, data))
    expect(page.locator(VERDICT)).to_have_class("good")


def test_a_dropped_file_is_checked(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.goto(site.url)
    drop(page, "code.png", qr.to_png(site.seals["valid"]), "image/png")
    expect(page.locator(VERDICT)).to_have_class("good")
    assert page.locator(".drop.over").count() == 0


@pytest.mark.parametrize("name", ["valid", "superseded"])
def test_pasted_texts_are_checked(open_page: OpenPage, site: Site, name: str) -> None:
    page = open_page("en-US")
    page.goto(site.url)
    wanted = {"valid": "Genuine and in force", "superseded": "Genuine, but superseded"}[name]
    record = site.records[name]
    for text in (record.seal, site.fragment(name), f"  {record.seal}\n", record.credential):
        page.reload()
        paste(page, text)
        expect(page.locator(f"{VERDICT} h2")).to_have_text(wanted)


def test_a_pasted_credential_of_a_past_day(open_page: OpenPage, site: Site) -> None:
    page = open_page("en-US")
    page.goto(site.url)
    day = site.day(ago(100)).isoformat()
    paste(page, site.records["revoked"].credential, day)
    expect(page.locator(f"{VERDICT} h2")).to_have_text(f"Genuine, and in force on {day}")
    paste(page, site.records["revoked"].credential)
    expect(page.locator(f"{VERDICT} h2")).to_have_text("Genuine, but revoked")


@pytest.mark.parametrize("text", ["hello", "a~b~", "<b>x</b>", "https://example.com/V#"])
def test_pasted_garbage_is_refused(open_page: OpenPage, site: Site, text: str) -> None:
    page = open_page("en-US")
    page.goto(site.url)
    paste(page, text)
    expect(page.locator(VERDICT)).to_have_class("bad")
    expect(page.locator(f"{VERDICT} h2")).to_have_text(
        "Not readable: no whole seal or certificate file"
    )


def test_markup_in_a_value_stays_text(open_page: OpenPage, own_site: Site) -> None:
    draft = own_site.registry.catalogue.newest("construction-works-planning-permit").example
    name = "<img src=x>"
    fields = {**draft["fields"], "project_name": name}
    own_site.issue("odd", fields=fields)
    page = open_page()
    page.goto(own_site.address("odd"))
    expect(page.locator(f"{REPORT} dl")).to_contain_text(name)
    assert page.locator("#report img").count() == 0


def test_the_day_may_be_asked_after_the_file(open_page: OpenPage, site: Site) -> None:
    """A file is shown; then somebody sets a day and presses the button below it."""
    page = open_page("en-US")
    page.goto(site.url)
    data = site.records["revoked"].credential.encode()
    page.locator("#file").set_input_files(payload("credential.sd-jwt", data))
    expect(page.locator(f"{VERDICT} h2")).to_have_text("Genuine, but revoked")
    day = site.day(ago(100)).isoformat()
    page.locator("summary").click()
    page.locator("#at").fill(day)
    page.locator("button[type=submit]").click()
    expect(page.locator(f"{VERDICT} h2")).to_have_text(f"Genuine, and in force on {day}")


def test_the_same_file_may_be_chosen_again(open_page: OpenPage, site: Site, tmp_path: Path) -> None:
    """As somebody does after setting a day, or when the network came back."""
    page = open_page("en-US")
    page.goto(site.url)
    path = tmp_path / "credential.sd-jwt"
    path.write_text(site.records["revoked"].credential, "utf-8")
    page.locator("#file").set_input_files(path)
    expect(page.locator(f"{VERDICT} h2")).to_have_text("Genuine, but revoked")
    # a browser fires no change event for the same choice: the page must have cleared the field
    assert page.locator("#file").evaluate("(one) => one.files.length") == 0


# -- what cannot be checked ------------------------------------------------------------------------


def test_a_file_that_is_too_large_is_not_sent(
    open_page: OpenPage, site: Site, tmp_path: Path
) -> None:
    path = tmp_path / "large.pdf"
    with path.open("wb") as file:
        file.truncate((32 << 20) + 1)
    page = open_page()
    page.goto(site.url)
    before = len(site.recorder.seen)
    page.locator("#file").set_input_files(path)
    expect(page.locator(VERDICT)).to_have_text("文件超过 32 MB。")
    page.locator("#language").click()
    expect(page.locator(VERDICT)).to_have_text("The file is larger than 32 MB.")
    assert "POST" not in {one.method for one in site.recorder.seen[before:]}


def test_too_many_requests_are_told_with_the_wait(open_page: OpenPage, tmp_path: Path) -> None:
    with open_site(tmp_path, fill=lambda _: None, verify_per_minute=1) as site:
        page = open_page("en-US")
        page.goto(site.url)
        paste(page, "a~b~")
        expect(page.locator(VERDICT)).to_have_class("bad")
        paste(page, "a~b~")
        expect(page.locator(VERDICT)).to_contain_text("Too many requests; try again in ")
        expect(page.locator(VERDICT)).to_have_class("grey")


@pytest.mark.parametrize(
    ("name", "media"),
    [("photo.heic", "image/heic"), ("photo.webp", "image/webp"), ("a.json", "application/json")],
)
def test_a_kind_of_file_that_is_not_read_is_not_called_a_broken_network(
    open_page: OpenPage, site: Site, name: str, media: str
) -> None:
    page = open_page("en-US")
    page.goto(site.url)
    drop(page, name, b"{}", media)
    expect(page.locator(f"{VERDICT} h2")).not_to_have_text("Checking…")
    expect(page.locator(VERDICT)).not_to_contain_text("cannot be reached", timeout=1500)


def test_an_unreachable_service_is_told(open_page: OpenPage, site: Site) -> None:
    page = open_page("en-US")
    page.goto(site.url)
    page.route("**/trust.json", lambda route: route.abort())
    paste(page, site.seals["valid"])
    expect(page.locator(VERDICT)).to_have_class("grey")
    expect(page.locator(VERDICT)).to_contain_text("Could not be checked")


@pytest.mark.parametrize("missing", [NO_SUBTLE, "delete globalThis.DecompressionStream;"])
def test_a_browser_that_cannot_check_asks_the_service_and_says_so(
    open_page: OpenPage, site: Site, missing: str
) -> None:
    page = open_page("en-US")
    page.add_init_script(missing)
    before = len(site.recorder.seen)
    for name, tone in (("valid", "good"), ("suspended", "warn"), ("revoked", "bad")):
        page.goto("about:blank")
        page.goto(site.address(name))
        expect(page.locator(VERDICT)).to_have_class(tone)
        expect(page.locator(VERDICT)).to_contain_text("so this site checked for you")
        expect(page.locator(STEPS)).to_have_count(7)
    assert "POST" in {one.method for one in site.recorder.seen[before:]}


def without_modules(route: Route) -> None:
    """Serve the page as a browser without modules reads it."""
    answer = route.fetch()
    text = answer.text().replace("<script nomodule", "<script defer")
    route.fulfill(
        response=answer, body=text.replace('<script type="module"', '<script type="none"')
    )


@pytest.mark.parametrize(
    ("name", "tone", "words"),
    [
        ("valid", "good", "真实有效 Genuine and in force"),
        ("revoked", "bad", "已吊销 revoked"),
        ("masked", "good", "真实有效"),
    ],
)
def test_an_old_browser_asks_the_service_and_says_so(
    open_page: OpenPage, site: Site, name: str, tone: str, words: str
) -> None:
    page = open_page()
    page.route("**/V", without_modules)
    page.goto(site.address(name))
    expect(page.locator(VERDICT)).to_have_class(tone)
    expect(page.locator(VERDICT)).to_contain_text(words)
    expect(page.locator(VERDICT)).to_contain_text("This browser cannot check signatures itself")


def test_an_old_browser_is_told_when_the_service_is_busy(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.route("**/V", without_modules)
    busy = '{"type":"about:blank","title":"busy","status":429,"code":"too_many","detail":"wait"}'
    kind = "application/problem+json"
    page.route("**/verify", lambda one: one.fulfill(status=429, body=busy, content_type=kind))
    page.goto(site.address("valid"))
    expect(page.locator(VERDICT)).to_contain_text("Could not be checked")
