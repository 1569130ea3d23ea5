"""Every verdict in both languages, as somebody sees it who scans a code."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Page, Route, expect

from ecert.keys import Role, thumbprint
from ecert.keys.chain import make_leaf
from tests.adversary.forge import Stolen, sign_jwt, un_b64url
from tests.browser.conftest import (
    PERSON,
    REPORT,
    STEPS,
    VERDICT,
    OpenPage,
    Site,
    ago,
    make_seal,
    take_seal,
    with_character,
)
from tests.conftest import PLANNING, WORKS

Trust = dict[str, Any]
NO_RIGHT = ("签发机构无权签发此证", "The issuer had no right to issue this")
GENUINE_NOW = ("真实有效", "Genuine and in force")
FORGED = ("不是真证", "Not genuine")
STRANGE = (
    "无法识别：不是完整的签章码或证照文件",
    "Not readable: no whole seal or certificate file",
)
OPEN = ("未能核验", "Could not be checked")
OPEN_STATUS = (
    "签名真实；当前状态未能核验",
    "Signature genuine; present status could not be checked",
)
COPY = ("加注件真实有效", "Genuine copy, in force")
VERDICTS = {  # certificate: tone, headline
    "valid": ("good", GENUINE_NOW),
    "resumed": ("good", GENUINE_NOW),
    "masked": ("good", GENUINE_NOW),
    "bounded": ("good", GENUINE_NOW),
    "successor": ("good", GENUINE_NOW),
    "copy": ("good", COPY),
    "handed-over": ("good", GENUINE_NOW),
    "handed-copy": ("good", COPY),
    "warned": (
        "warn",
        (
            "真实有效；但所依据的证照已被撤销",
            "Genuine and in force, but a certificate that this one rests on was withdrawn",
        ),
    ),
    "suspended": ("warn", ("真实，但已暂扣", "Genuine, but suspended")),
    "superseded": ("warn", ("真实，但已被新版本取代", "Genuine, but superseded")),
    "expired": ("warn", ("真实，但已过有效期", "Genuine, but expired")),
    "expired-suspended": ("warn", ("真实，但已过有效期", "Genuine, but expired")),
    "future": ("warn", ("真实，但尚未生效", "Genuine, but not valid yet")),
    "copy-lapsed": ("warn", ("加注件已过期失效", "This copy has lapsed")),
    "cancelled": ("bad", ("真实，但已注销", "Genuine, but cancelled")),
    "withdrawn": ("bad", ("真实，但已撤销", "Genuine, but withdrawn")),
    "revoked": ("bad", ("真实，但已吊销", "Genuine, but revoked")),
    "expired-revoked": ("bad", ("真实，但已吊销", "Genuine, but revoked")),
}


def see(page: Page, tone: str, headline: tuple[str, str]) -> None:
    """Demand a verdict in the present language, then in the other one."""
    verdict = page.locator(VERDICT)
    expect(verdict).to_have_class(tone)
    languages = [0, 1] if page.locator("html").get_attribute("lang") == "zh-CN" else [1, 0]
    for turn, language in enumerate(languages):
        if turn:
            page.locator("#language").click()
        expect(verdict.get_by_role("heading")).to_have_text(headline[language])
        expect(verdict).to_have_class(tone)


def ask(page: Page, text: str, day: str = "") -> None:
    """Paste a text, and ask about a day if one is given."""
    if not page.locator("#text").is_visible():
        page.locator("summary").click()
    page.locator("#text").fill(text)
    page.locator("#at").fill(day)
    page.locator("button[type=submit]").click()


NAMES = ("read", "signature", "type", "time", "log", "status", "agreement")


def step(page: Page, name: str) -> str:
    """Give the outcome of a step."""
    return str(page.locator(STEPS).nth(NAMES.index(name)).get_attribute("class"))


@pytest.mark.parametrize("name", VERDICTS)
def test_each_state_has_its_verdict_in_both_languages(
    quick_page: Page, site: Site, name: str
) -> None:
    page = quick_page
    page.goto(site.address(name))
    see(page, *VERDICTS[name])
    expect(page.locator(STEPS)).to_have_count(7)
    values = page.locator(f"{REPORT} dl")
    record = site.records["lent" if name.startswith("copy") else name]
    for value in (record.id, site.number(name), record.body["issuer"]["name"]):
        expect(values).to_contain_text(value)


@pytest.mark.parametrize(
    ("locale", "lang", "title"),
    [
        ("zh-CN", "zh-CN", "电子证照核验"),
        ("zh-HK", "zh-CN", "电子证照核验"),
        ("en-GB", "en", "Certificate verification"),
        ("de-DE", "en", "Certificate verification"),
    ],
)
def test_the_language_follows_the_browser(
    open_page: OpenPage, site: Site, locale: str, lang: str, title: str
) -> None:
    page = open_page(locale)
    page.goto(site.url)
    expect(page).to_have_title(title)
    assert page.locator("html").get_attribute("lang") == lang
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


def test_the_chosen_language_is_remembered(open_page: OpenPage, site: Site) -> None:
    page = open_page("zh-CN")
    page.goto(site.address("valid"))
    page.locator("#language").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator(f"{VERDICT} h2")).to_have_text(GENUINE_NOW[1])


def test_what_was_signed_is_shown(open_page: OpenPage, site: Site) -> None:
    page = open_page("en-US")
    page.goto(site.address("bounded"))
    record, shown = site.records["bounded"], page.locator(f"{REPORT} dl")
    expect(shown).to_contain_text(record.body["valid_from"])
    expect(shown).to_contain_text(record.body["valid_to"])
    expect(shown).to_contain_text("广州花都示例安居有限公司"[:11])
    expect(shown).to_contain_text("花都示例云溪安置房项目")
    expect(page.locator(VERDICT)).to_contain_text(
        "Site Pre-examination and Siting Opinion for a Construction Project"
    )
    expect(page.locator(f"{STEPS} strong")).to_have_text(
        ["Read", "Signature", "Type", "Validity", "Log", "Status", "Page"]
    )


def test_a_certificate_without_end_says_so(quick_page: Page, site: Site) -> None:
    page = quick_page
    page.goto(site.address("valid"))
    expect(page.locator(f"{REPORT} dl")).to_contain_text(re.compile("长期|no end date"))


def test_evidence_has_its_age(open_page: OpenPage, site: Site) -> None:
    page = open_page("en-US")
    page.goto(site.address("valid"))
    signature = page.locator(STEPS).nth(1).locator("small")
    expect(signature).to_have_text(re.compile(r"^evidence of .+ 20\d\d.* \(1,?000 days ago\)$"))
    expect(page.locator(STEPS).nth(5).locator("small")).to_contain_text("evidence of")


def test_a_persons_name_is_masked(quick_page: Page, site: Site) -> None:
    page = quick_page
    page.goto(site.address("masked"))
    expect(page.locator(f"{REPORT} dl")).to_contain_text("江**")
    assert PERSON not in page.content()


def test_a_copy_names_whom_it_is_for(quick_page: Page, site: Site) -> None:
    page = quick_page
    page.goto(site.address("copy"))
    shown = page.locator(f"{REPORT} dl")
    expect(shown).to_contain_text("中国银行花都支行")
    expect(shown).to_contain_text(site.day(ago(-20)).isoformat())
    expect(shown).not_to_contain_text(re.compile("长期|no end date"))


@pytest.mark.parametrize("name", ["suspended", "superseded", "revoked"])
def test_the_verdict_names_since_when(open_page: OpenPage, site: Site, name: str) -> None:
    page = open_page("zh-CN")
    page.goto(site.address(name))
    day = site.day(ago(40))
    expect(page.locator(VERDICT)).to_contain_text(f"自 {day.year}年{day.month}月{day.day}日")
    page.locator("#language").click()
    expect(page.locator(VERDICT)).to_contain_text(
        f"since {day.strftime('%b')} {day.day}, {day.year}"
    )


@pytest.mark.parametrize("name", ["expired", "copy-lapsed", "future"])
def test_the_verdict_names_the_date_of_the_validity(
    quick_page: Page, site: Site, name: str
) -> None:
    """The issue asks for date and kind of what has ended, in one glance."""
    page = quick_page
    page.goto(site.address(name))
    expect(page.locator(VERDICT)).to_have_class("warn")
    days = {"expired": ago(100), "copy-lapsed": ago(200), "future": ago(-30)}
    day = site.day(days[name])
    english = f"{day.strftime('%b')} {day.day}, {day.year}"
    written = rf"{day.isoformat()}|{day.year}年{day.month}月{day.day}日|{english}"
    expect(page.locator(VERDICT)).to_contain_text(re.compile(written))


def test_a_superseded_one_names_its_successor(quick_page: Page, site: Site) -> None:
    page = quick_page
    page.goto(site.address("superseded"))
    expect(page.locator(VERDICT)).to_contain_text(site.records["successor"].id)


# -- not genuine ----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [1, 5, 40, 120, 300, -110, -40, -2])
def test_one_changed_character_is_not_genuine(quick_page: Page, site: Site, place: int) -> None:
    page = quick_page
    page.goto(f"{site.url}/V#{with_character(site.fragment('valid'), place)}")
    expect(page.locator(VERDICT)).to_have_class("bad")
    headline = re.compile(f"^({'|'.join([*FORGED, *STRANGE])})$")
    expect(page.locator(f"{VERDICT} h2")).to_have_text(headline)
    expect(page.locator(f"{REPORT} dl")).to_have_count(0)


@pytest.mark.parametrize(
    ("claim", "value"), [("n", "建字第4401142026GG9999999号"), ("h", "别人"), (5, 1), ("p", "别处")]
)
def test_a_changed_claim_is_not_genuine(
    quick_page: Page, site: Site, claim: Any, value: Any
) -> None:
    protected, claims, signature = take_seal(site.seals["valid"])
    forged = make_seal(site.url, protected, {**claims, claim: value}, signature)
    page = quick_page
    page.goto(f"{site.url}/V#{forged.partition('#')[2]}")
    see(page, "bad", FORGED)
    assert step(page, "signature") == "failed"
    expect(page.locator(f"{REPORT} dl")).to_have_count(0)


@pytest.mark.parametrize(
    "fragment", ["hello", "AAAA", "2KCE", "%E8%AF%81", "A" * 5000, "<img src=x onerror=alert(1)>"]
)
def test_garbage_is_not_a_certificate(quick_page: Page, site: Site, fragment: str) -> None:
    page = quick_page
    page.goto(f"{site.url}/V#{fragment}")
    see(page, "bad", STRANGE)


def test_a_code_with_another_hosts_address_is_not_genuine(quick_page: Page, site: Site) -> None:
    page = quick_page
    page.goto(site.url)
    ask(page, f"HTTPS://ZHENGZHAO.EXAMPLE/V#{site.fragment('valid')}")
    see(page, "bad", FORGED)
    assert step(page, "read") == "failed"


def test_another_registrys_seal_could_not_be_checked(quick_page: Page, site: Site) -> None:
    protected, claims, signature = take_seal(site.seals["valid"])
    status = {"status_list": {"idx": 1, "uri": "https://zhengzhao.example/status/0"}}
    foreign = make_seal(site.url, protected, {**claims, 65535: status}, signature)
    page = quick_page
    page.goto(f"{site.url}/V#{foreign.partition('#')[2]}")
    see(page, "grey", OPEN)
    assert step(page, "signature") == "not_checked"


def test_a_new_fragment_on_an_open_page_is_checked(quick_page: Page, site: Site) -> None:
    page = quick_page
    page.goto(site.address("valid"))
    expect(page.locator(VERDICT)).to_have_class("good")
    page.goto(site.address("revoked"))
    see(page, *VERDICTS["revoked"])


# -- keys -----------------------------------------------------------------------------------------


def with_trust(page: Page, site: Site, edit: Callable[[Trust], None]) -> None:
    """Let the page see an edited trust file."""
    trust = site.registry.trust().to_json()
    edit(trust["registries"][0])
    body = json.dumps(trust)
    page.route(
        "**/trust.json", lambda route: route.fulfill(body=body, content_type="application/json")
    )


def agency_kid(site: Site) -> str:
    return site.registry.keys.ring.active(Role.AGENCY, PLANNING.code).kid


def instant(site: Site, offset: timedelta) -> str:
    made = site.records["valid"].body["created_at"]
    moment = datetime.fromisoformat(made).astimezone(UTC) + offset
    return moment.isoformat().replace("+00:00", "Z")


def retire(site: Site, kid: str, offset: timedelta) -> Callable[[Trust], None]:
    def edit(registry: Trust) -> None:
        registry["retired"] = [{"kid": kid, "at": instant(site, offset)}]

    return edit


def test_a_key_retired_before_the_issue_is_not_believed(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    with_trust(page, site, retire(site, agency_kid(site), timedelta(seconds=-1)))
    page.goto(site.address("valid"))
    see(page, "bad", FORGED)
    expect(page.locator(VERDICT)).to_contain_text("the key was retired before this was signed")


def test_a_key_retired_since_is_believed(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    with_trust(page, site, retire(site, agency_kid(site), timedelta(seconds=1)))
    page.goto(site.address("valid"))
    see(page, "good", GENUINE_NOW)


def test_a_compromised_key_could_not_be_checked(open_page: OpenPage, site: Site) -> None:
    def edit(registry: Trust) -> None:
        since = instant(site, timedelta(days=1))
        registry["compromised"] = [{"kid": agency_kid(site), "since": since, "log_size": 99}]

    page = open_page()
    with_trust(page, site, edit)
    page.goto(site.address("valid"))
    see(page, "grey", OPEN)
    expect(page.locator(VERDICT)).to_contain_text("the key is compromised")


def reissue_leaf(site: Site, role: Role, now: datetime) -> bytes:
    """Certify one of the registry's keys again, from another moment on."""
    keys = site.registry.keys.ring
    root, code = keys.active(Role.ROOT), PLANNING.code if role is Role.AGENCY else None
    row = keys.active(role, code)
    assert root.certificate is not None
    key = keys.open(row).public_key
    host = site.url.partition("://")[2]
    name, holder = (PLANNING.name, PLANNING.code) if code else (host, f"HOST:{host}")
    signer = keys.open(root)
    return make_leaf(root.certificate, signer, key, role=role, name=name, code=holder, now=now)


def test_a_certificate_that_had_expired_at_the_signing_is_not_believed(
    open_page: OpenPage, site: Site
) -> None:
    early = datetime.now(UTC) - timedelta(days=1000 + 3 * 365 + 5)
    leaf = base64.b64encode(reissue_leaf(site, Role.AGENCY, early)).decode()

    def edit(registry: Trust) -> None:
        registry["agencies"][PLANNING.code]["certificates"] = [leaf]

    page = open_page()
    with_trust(page, site, edit)
    page.goto(site.address("valid"))
    see(page, "bad", FORGED)


def test_a_certificate_that_expired_since_is_believed(open_page: OpenPage, site: Site) -> None:
    """Validity is judged at signing time; only the status list is too old by then."""
    page = open_page()
    page.clock.set_fixed_time(datetime.now(UTC) + timedelta(days=5 * 365))
    page.goto(site.address("valid"))
    see(page, "grey", OPEN_STATUS)
    assert step(page, "signature") == "passed"


def test_without_the_agencys_certificates_it_could_not_be_checked(
    open_page: OpenPage, site: Site
) -> None:
    def edit(registry: Trust) -> None:
        registry["agencies"][PLANNING.code]["certificates"] = []

    page = open_page()
    with_trust(page, site, edit)
    page.goto(site.address("valid"))
    see(page, "grey", OPEN)


def test_an_agency_that_is_not_listed_is_not_believed(open_page: OpenPage, site: Site) -> None:
    def edit(registry: Trust) -> None:
        registry["agencies"] = {}

    page = open_page()
    with_trust(page, site, edit)
    page.goto(site.address("valid"))
    see(page, "bad", FORGED)


def test_an_agency_without_the_right_is_not_believed(open_page: OpenPage, site: Site) -> None:
    def edit(registry: Trust) -> None:
        held = registry["agencies"][PLANNING.code]["may_issue"]
        registry["agencies"][PLANNING.code]["may_issue"] = [
            one for one in held if one["type"] != WORKS
        ]

    page = open_page()
    with_trust(page, site, edit)
    page.goto(site.address("valid"))
    see(page, "bad", NO_RIGHT)
    assert step(page, "type") == "failed"


def test_a_right_that_began_later_is_none(open_page: OpenPage, site: Site) -> None:
    def edit(registry: Trust) -> None:
        for one in registry["agencies"][PLANNING.code]["may_issue"]:
            one["from"] = "2999-01-01"

    page = open_page("zh-CN")
    with_trust(page, site, edit)
    page.goto(site.address("valid"))
    see(page, "bad", NO_RIGHT)


def test_a_right_that_ended_without_a_new_key_proves_nothing(
    open_page: OpenPage, site: Site
) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()

    def edit(registry: Trust) -> None:
        for one in registry["agencies"][PLANNING.code]["may_issue"]:
            one["to"] = yesterday

    page = open_page()
    with_trust(page, site, edit)
    page.goto(site.address("valid"))
    see(page, "grey", OPEN)
    expect(page.locator(VERDICT)).to_contain_text("nothing proves that this was signed before")


def test_a_trust_file_that_is_older_than_the_signature(open_page: OpenPage, site: Site) -> None:
    def edit(registry: Trust) -> None:
        registry["as_of"]["at"] = instant(site, timedelta(days=-1))
        registry["agencies"][PLANNING.code]["may_issue"] = []

    page = open_page()
    with_trust(page, site, edit)
    page.goto(site.address("valid"))
    see(page, "grey", OPEN)


def test_a_trust_file_of_version_1_warns_beside_the_verdict(
    open_page: OpenPage, site: Site
) -> None:
    def edit(registry: Trust) -> None:
        registry.pop("as_of")
        for agency in registry["agencies"].values():
            agency["name"] = agency.pop("names")[-1]["name"]
            agency.pop("may_issue")

    page = open_page()
    with_trust(page, site, edit)
    page.goto(site.address("valid"))
    see(page, "good", GENUINE_NOW)
    expect(page.locator(VERDICT)).to_contain_text("the right to issue was not checked")


def test_the_page_asks_its_site_whether_it_issued_a_code(open_page: OpenPage, site: Site) -> None:
    """The device knows whose key signed; only the registry knows whether it was registered."""
    protected, claims, _ = take_seal(site.seals["valid"])
    claims = {**claims, "c": bytes(16)}
    signer = site.registry.keys.ring.agency_key(PLANNING.code).signer
    to_sign = cbor2.dumps(["Signature1", protected, b"", cbor2.dumps(claims)])
    forged = make_seal(site.url, protected, claims, signer.sign(to_sign))
    page = open_page()
    page.goto(f"{site.url}/V#{forged.partition('#')[2]}")
    see(page, "good", GENUINE_NOW)
    page.locator(f"{VERDICT} button").click()
    see(page, "bad", FORGED)
    expect(page.locator(VERDICT)).to_contain_text(
        "本站没有签发过此证"
    )  # ``see`` leaves it in Chinese
    page.goto(site.address("valid"))
    page.locator(f"{VERDICT} button").click()
    expect(page.locator(f"{VERDICT} button")).to_have_count(0)  # it was asked
    see(page, "good", GENUINE_NOW)


def test_an_agency_under_other_anchors_is_not_believed(open_page: OpenPage, site: Site) -> None:
    def edit(registry: Trust) -> None:
        agency = registry["agencies"][PLANNING.code]
        agency["anchors"] = agency["certificates"]

    page = open_page()
    with_trust(page, site, edit)
    page.goto(site.address("valid"))
    see(page, "bad", FORGED)


def test_a_registry_that_demands_the_log_leaves_a_code_open(
    open_page: OpenPage, site: Site
) -> None:
    def edit(registry: Trust) -> None:
        registry["require_log"] = True

    page = open_page()
    with_trust(page, site, edit)
    page.goto(site.address("valid"))
    expect(page.locator(VERDICT)).to_have_class("grey")


# -- status ---------------------------------------------------------------------------------------


def test_a_stale_list_could_not_be_checked(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.clock.set_fixed_time(datetime.now(UTC) + timedelta(hours=25))
    page.goto(site.address("valid"))
    see(page, "grey", OPEN_STATUS)
    expect(page.locator(VERDICT)).to_contain_text("the status list is too old")


def test_an_unreachable_list_could_not_be_checked(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.route("**/status/**", lambda route: route.abort())
    page.goto(site.address("valid"))
    see(page, "grey", OPEN_STATUS)
    expect(page.locator(VERDICT)).to_contain_text("could not be fetched")
    expect(page.locator(f"{REPORT} dl")).to_have_count(1)


def test_a_failing_service_could_not_be_checked(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.route("**/status/**", lambda route: route.fulfill(status=503, body="busy"))
    page.goto(site.address("revoked"))
    see(page, "grey", OPEN_STATUS)


def tampered(route: Route) -> None:
    """Say in a status token that everything is in force, without being able to sign that."""
    answer = route.fetch()
    head, body, signature = answer.text().split(".")
    route.fulfill(response=answer, body=f"{head}.{body}.{'A' * len(signature)}")


def test_a_forged_list_is_not_believed(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.route("**/status/0", tampered)
    page.goto(site.address("valid"))
    see(page, "grey", OPEN_STATUS)
    expect(page.locator(VERDICT)).to_contain_text("cannot be trusted")


def test_a_list_that_does_not_speak_of_foundations_leaves_them_open(
    open_page: OpenPage, site: Site
) -> None:
    page = open_page()
    page.route("**/status/0", lambda route: route.fulfill(body=of_an_older_version(site)))
    page.goto(site.address("warned"))
    see(page, "good", GENUINE_NOW)
    expect(page.locator(VERDICT)).to_contain_text("does not say whether what this rests on")


def of_an_older_version(site: Site) -> str:
    """Sign the status list as an older version did: without the second list."""
    head, body, _ = site.registry.status.token(0).split(".")
    header, claims = (json.loads(un_b64url(part)) for part in (head, body))
    del claims["warned"]
    return sign_jwt(header, claims, Stolen(site.registry).key(Role.STATUS))


def test_the_details_cannot_stand_in_for_the_list(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    details = site.registry.status.token(0, part=0)
    page.route("**/status/0", lambda route: route.fulfill(body=details))
    page.goto(site.address("revoked"))
    see(page, "grey", OPEN_STATUS)


def test_without_details_an_ended_one_is_still_refused(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.route("**/status/0/details/*", lambda route: route.abort())
    page.goto(site.address("revoked"))
    see(page, "bad", ("真实，但已终止", "Genuine, but ended"))


def test_a_retired_status_key_is_not_believed(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    kid = site.registry.keys.ring.active(Role.STATUS).kid
    with_trust(page, site, retire(site, kid, timedelta(days=1)))
    page.goto(site.address("valid"))
    see(page, "grey", OPEN_STATUS)


def test_a_clock_that_is_wrong_leaves_it_open(open_page: OpenPage, site: Site) -> None:
    page = open_page()
    page.clock.set_fixed_time(datetime.now(UTC) - timedelta(days=1200))
    page.goto(site.address("valid"))
    expect(page.locator(VERDICT)).to_have_class(re.compile("grey|warn|bad"))
    assert step(page, "signature") == "not_checked"


# -- as of a day ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "days", "tone", "headline"),
    [
        ("valid", 10, "good", ("真实，当日有效（{0}）", "Genuine, and in force on {0}")),
        ("revoked", 100, "good", ("真实，当日有效（{0}）", "Genuine, and in force on {0}")),
        ("revoked", 10, "bad", ("真实，但已吊销", "Genuine, but revoked")),
        ("superseded", 100, "good", ("真实，当日有效（{0}）", "Genuine, and in force on {0}")),
        ("expired", 120, "good", ("真实，当日有效（{0}）", "Genuine, and in force on {0}")),
        ("copy-lapsed", 220, "good", ("真实，当日有效（{0}）", "Genuine, and in force on {0}")),
        ("valid", 1100, "warn", ("真实，但尚未生效", "Genuine, but not valid yet")),
        ("copy", -40, "warn", ("加注件已过期失效", "This copy has lapsed")),
        ("bounded", -300, "warn", ("真实，但已过有效期", "Genuine, but expired")),
        ("resumed", 45, "grey", OPEN_STATUS),
        ("valid", -30, "grey", OPEN_STATUS),
        ("valid", 0, "good", GENUINE_NOW),
    ],
)
def test_a_day_may_be_asked_about(
    quick_page: Page, site: Site, *, name: str, days: int, tone: str, headline: tuple[str, str]
) -> None:
    page = quick_page
    page.goto(site.address(name))
    expect(page.locator(VERDICT)).to_be_visible()
    day = site.day(ago(days)).isoformat()
    page.locator("summary").click()
    page.locator("#at").fill(day)
    page.locator("button[type=submit]").click()
    see(page, tone, (headline[0].format(day), headline[1].format(day)))


def test_thumbprints_name_keys_alike(quick_page: Page, site: Site) -> None:
    page = quick_page
    page.goto(site.url)
    key = site.registry.keys.ring.open(
        site.registry.keys.ring.active(Role.AGENCY, PLANNING.code)
    ).public_key
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    found = page.evaluate(
        """async (bytes) => {
          const { thumbprint } = await import("/static/x509.js");
          const kind = { name: "ECDSA", namedCurve: "P-256" };
          const key = await crypto.subtle.importKey("spki", new Uint8Array(bytes), kind, true, ["verify"]);
          return thumbprint(key);
        }""",
        list(der),
    )
    assert found == thumbprint(key)
