"""The page's own verification and the library's give the same report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from playwright.sync_api import Page, expect

from ecert.model import Agency
from ecert.registry import Registry
from tests.browser.conftest import (
    CLERK,
    VERDICT,
    OpenPage,
    Site,
    ago,
    make_seal,
    take_seal,
    with_character,
)
from tests.conftest import CONSTRUCTION, EVERY_TYPE

VERIFY = """async (questions) => {
  const { verifySeal } = await import("/static/verify.js");
  const { loadGround } = await import("/static/evidence.js");
  const ground = await loadGround();
  const reports = [];
  for (const [text, at] of questions) reports.push(await verifySeal(text, ground, at));
  return reports;
}"""
DAYS = (None, 2000, 1100, 999, 250, 199, 101, 99, 45, 41, 39, 5, 0, -1, -2, -250, -3000)
CERTIFICATES = (
    *("valid", "suspended", "superseded", "successor", "cancelled", "withdrawn", "revoked"),
    *("resumed", "masked", "expired", "expired-suspended", "expired-revoked", "future"),
    *("bounded", "lent", "copy", "copy-lapsed", "warned", "handed-over", "handed-copy"),
)


def page_reports(page: Page, questions: list[tuple[str, date | None]]) -> list[dict[str, Any]]:
    """Let the page's own modules verify."""
    asked = [(text, None if day is None else end_of(day)) for text, day in questions]
    return list(page.evaluate(VERIFY, asked))


def end_of(day: date) -> int:
    """Give the last second of a day in China, as the page counts it."""
    return int(datetime.fromisoformat(f"{day.isoformat()}T23:59:59+08:00").timestamp())


def alike(report: dict[str, Any]) -> dict[str, Any]:
    """Leave out what depends on the second of the asking: the moment, and the list's age."""
    left_out = {"at", "checked_at"}
    steps = [
        {**step, "evidence_at": None if step["step"] == "status" else step["evidence_at"]}
        for step in report["steps"]
    ]
    return {**{name: report[name] for name in report.keys() - left_out}, "steps": steps}


def codes(report: dict[str, Any]) -> str:
    """Write a report in one line."""
    steps = [one["code"] for one in report["steps"]]
    return " ".join([report["verdict"], str(report["status"]), *steps])


def compare(page: Page, registry: Registry, questions: list[tuple[str, date | None]]) -> None:
    """Demand the same report from both."""
    differing = []
    for (text, day), found in zip(questions, page_reports(page, questions), strict=True):
        wanted = json.loads(json.dumps(registry.verify(text, at=day).to_json()))
        if day is not None:
            assert found["at"] == wanted["at"]
        if alike(found) != alike(wanted):
            differing.append((text, day, codes(found), codes(wanted)))
    assert differing == []


@pytest.mark.parametrize("name", CERTIFICATES)
def test_both_verify_alike_at_any_day(quick_page: Page, site: Site, name: str) -> None:
    quick_page.goto(site.url)
    days = [None if days is None else site.day(ago(days)) for days in DAYS]
    compare(quick_page, site.registry, [(site.seals[name], day) for day in days])


def strange_seals(site: Site) -> Iterator[str]:
    """Seals that are bare, of other hosts, taken apart, and put together wrongly."""
    good = site.seals["valid"]
    code = good.partition("#")[2]
    protected, claims, signature = take_seal(good)
    yield code
    yield f"  {good}\n"
    yield good.replace("/V#", "/v#")
    yield f"{site.url}/V#{code}"
    yield f"HTTPS://ZHENGZHAO.EXAMPLE/V#{code}"
    yield f"HTTPS://ZHENGZHAO.EXAMPLE/X#{code}"
    yield f"{good}#{code}"
    yield good.lower()
    yield code[:-1]
    yield code + "A"
    yield from ("", "hello", "#", "AAAA", "A" * 5000)
    status = {"status_list": {"idx": 1, "uri": "https://zhengzhao.example/status/0"}}
    changes: list[dict[Any, Any]] = [
        {65535: status},
        {65535: {"status_list": {"idx": 99_999_999, "uri": f"{site.url}/status/0"}}},
        {65535: {"status_list": {"idx": -1, "uri": f"{site.url}/status/0"}}},
        {65535: {}},
        {2: claims[2][:-1] + ("0" if claims[2][-1] != "0" else "1")},
        {2: "1.2.3"},
        {"r": "某银行"},
        {"c": b"short"},
        {"n": 1},
        {4: 0},
        {5: -1},
        {6: 2**53},
        {6: int(datetime.now(UTC).timestamp()) + 3600},
        {"x": 1.5},
    ]
    for change in changes:
        yield make_seal(site.url, protected, {**claims, **change}, signature)
    for wrong in (b"", signature[:-1], signature[::-1], bytes(64), signature + b"\0"):
        yield make_seal(site.url, protected, claims, wrong)


def test_both_judge_strange_seals_alike(quick_page: Page, site: Site) -> None:
    quick_page.goto(site.url)
    compare(quick_page, site.registry, [(text, None) for text in strange_seals(site)])


@pytest.mark.parametrize("header", [b"\xa0", b"\xa2\x01\x26\x04\x41\x00", b"\x26"])
def test_both_judge_a_strange_header_alike(quick_page: Page, site: Site, header: bytes) -> None:
    _, claims, signature = take_seal(site.seals["valid"])
    quick_page.goto(site.url)
    seal = make_seal(site.url, header, claims, signature)
    compare(quick_page, site.registry, [(seal, None)])


def test_both_refuse_every_tenth_changed_character(quick_page: Page, site: Site) -> None:
    quick_page.goto(site.url)
    code = site.fragment("valid")
    texts = [with_character(code, place) for place in range(0, len(code), 10)]
    found = page_reports(quick_page, [(text, None) for text in texts])
    wanted = [site.registry.verify(text).verdict.value for text in texts]
    assert [one["verdict"] for one in found] == wanted
    assert "valid" not in wanted


def test_a_malleable_signature_is_judged_alike(quick_page: Page, site: Site) -> None:
    """ES256 is malleable: the other s signs the same, so nothing may hang on its bytes."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    protected, claims, signature = take_seal(site.seals["valid"])
    other = (order - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    quick_page.goto(site.url)
    seal = make_seal(site.url, protected, claims, signature[:32] + other)
    compare(quick_page, site.registry, [(seal, None)])


# -- agencies that bring their own certificate -----------------------------------------------------


def certify(request: bytes, authority_key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    """Certify a request as another authority would; give leaf and anchor (PEM)."""
    asked = x509.load_pem_x509_csr(request)
    now = datetime.now(UTC) - timedelta(minutes=5)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "广东省数字证书认证中心（演示）")])
    public = authority_key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)

    def builder(subject: x509.Name, key: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=900))
        )

    def usage(*names: str) -> x509.KeyUsage:
        known = (
            *("digital_signature", "content_commitment", "key_encipherment", "crl_sign"),
            *("data_encipherment", "key_agreement", "key_cert_sign"),
        )
        flags = {one: one in names for one in known}
        return x509.KeyUsage(**flags, encipher_only=False, decipher_only=False)

    root = (
        builder(name, public)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    leaf = (
        builder(asked.subject, asked.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage("digital_signature", "content_commitment"), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")]), critical=False
        )
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return leaf.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM)


@pytest.mark.parametrize("kind", ["P-256", "P-384", "RSA"])
def test_an_agency_with_a_certificate_of_another_authority(
    open_page: OpenPage, own_site: Site, kind: str
) -> None:
    """What the library accepts of an authority, the page must not call a forgery."""
    registry = own_site.registry
    made: dict[str, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey] = {
        "P-256": ec.generate_private_key(ec.SECP256R1()),
        "P-384": ec.generate_private_key(ec.SECP384R1()),
        "RSA": rsa.generate_private_key(65537, 2048),
    }
    agency: Agency = CONSTRUCTION
    request = registry.agencies.add(agency, by=CLERK, may_issue=EVERY_TYPE, brings_certificate=True)
    assert request is not None
    registry.keys.certify(agency.code, certify(request, made[kind]), by=CLERK)
    draft = dict(registry.catalogue.newest("construction-permit").example)
    issued = registry.certificates.issue("construction-permit", draft, by=CLERK, agency=agency.code)
    seal = issued.record.seal
    assert registry.verify(seal).verdict.value == "valid"
    page = open_page("en-US")
    page.goto(f"{own_site.url}/V#{seal.partition('#')[2]}")
    expect(page.locator(VERDICT)).to_have_class("good")
    note = page.locator(VERDICT).get_by_text("so this site checked for you")
    expect(note).to_have_count(0 if kind == "P-256" else 1)


def test_a_signature_that_browsers_do_not_know_is_left_to_the_service(
    quick_page: Page, site: Site
) -> None:
    """EdDSA, in a seal that no agency here signed: the service is asked, and says so."""
    _, claims, signature = take_seal(site.seals["valid"])
    seal = make_seal(site.url, b"\xa1\x01\x27", claims, signature)
    quick_page.goto(f"{site.url}/V#{seal.partition('#')[2]}")
    expect(quick_page.locator(VERDICT)).to_have_class("bad")
    expect(quick_page.locator(VERDICT)).to_contain_text(re.compile("代为核验|checked for you"))
