"""One agency can never speak for another, nor one key role for another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ecert.config import Plan
from ecert.errors import InputError, SignatureError
from ecert.keys import Role
from ecert.model import Basis, Operation, Record
from ecert.registry import Registry
from ecert.testing import SettableClock
from tests.adversary.forge import (
    DOCUMENT_SIGNING,
    STATUS_SIGNING,
    Authority,
    Cose,
    Sd,
    Stolen,
    Tokens,
    Wish,
    b64,
    days,
    elsewhere,
    expect,
    join_jwt,
    make_authority,
    make_bundle,
    new_key,
    sign_jwt,
    subject,
    trust_with,
    usage,
    verifier_of,
)
from tests.conftest import CLERK, CONSTRUCTION, EVERY_TYPE, PLANNING, WORKS, Maker

FORGED = {"signature": "signature_bad", "type": "not_reached", "status": "not_reached"}
Drafts = Callable[..., dict[str, Any]]


@pytest.fixture
def two(registry: Registry, record: Record) -> Registry:
    """A registry in which a second agency has its own key under the same root."""
    del record
    registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=EVERY_TYPE)
    return registry


@pytest.fixture
def theirs(two: Registry, draft_of: Drafts) -> Record:
    """A genuine certificate of the second agency."""
    return two.certificates.issue(WORKS, draft_of(), by=CLERK, agency=CONSTRUCTION.code).record


@pytest.fixture
def outside(registry: Registry, record: Record) -> tuple[Registry, Authority]:
    """A second agency whose certificate comes from its own authority."""
    del record
    request = registry.agencies.add(
        CONSTRUCTION, by=CLERK, may_issue=EVERY_TYPE, brings_certificate=True
    )
    assert request is not None
    public = x509.load_pem_x509_csr(request).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    authority = make_authority("建设系统根")
    leaf = authority.certify(public, Wish((CONSTRUCTION.code,), name=CONSTRUCTION.name))
    pem = leaf.public_bytes(Encoding.PEM) + authority.certificate.public_bytes(Encoding.PEM)
    registry.keys.certify(CONSTRUCTION.code, pem, by=CLERK)
    return registry, authority


def _chained(sd: Sd, key: Any, *chain: bytes) -> str:
    return sd.with_header(x5c=[b64(der) for der in chain], kid=None).signed(key)


# -- another agency's key ------------------------------------------------------------------------------


def test_both_agencies_speak_for_themselves(two: Registry, record: Record, theirs: Record) -> None:
    expect(two.verify(record.credential), "valid", signature="signature_good")
    expect(two.verify(theirs.credential), "valid", signature="signature_good")
    expect(two.verify(theirs.seal), "valid", signature="signature_good")


def test_b_signs_as_a_with_its_own_certificate(two: Registry, sd: Sd, stolen: Stolen) -> None:
    key, leaf = (
        stolen.key(Role.AGENCY, CONSTRUCTION.code),
        stolen.leaf(Role.AGENCY, CONSTRUCTION.code),
    )
    expect(two.verify(_chained(sd, key, leaf)), "invalid", **FORGED)


def test_b_signs_as_a_under_as_certificate(two: Registry, sd: Sd, stolen: Stolen) -> None:
    key = stolen.key(Role.AGENCY, CONSTRUCTION.code)
    expect(two.verify(sd.signed(key)), "invalid", **FORGED)


def test_b_signs_as_a_with_both_certificates(two: Registry, sd: Sd, stolen: Stolen) -> None:
    key = stolen.key(Role.AGENCY, CONSTRUCTION.code)
    chain = [stolen.leaf(Role.AGENCY, code) for code in (CONSTRUCTION.code, PLANNING.code)]
    expect(two.verify(_chained(sd, key, *chain)), "invalid", **FORGED)
    expect(two.verify(_chained(sd, key, *reversed(chain))), "invalid", **FORGED)


def test_b_keeps_its_own_iss_but_as_name_in_issuer(
    two: Registry, theirs: Record, stolen: Stolen
) -> None:
    """The name shown is the one the agency wrote; the code is what counts, and stays b's."""
    sd = Sd.of(theirs.credential)
    key = stolen.key(Role.AGENCY, CONSTRUCTION.code)
    forged = sd.changed(issuer={"code": PLANNING.code, "name": PLANNING.name}).signed(key)
    expect(two.verify(forged), "invalid", read="unreadable", signature="not_reached")


def test_b_writes_as_code_into_issuer_and_iss(
    two: Registry, theirs: Record, stolen: Stolen
) -> None:
    sd = Sd.of(theirs.credential)
    key = stolen.key(Role.AGENCY, CONSTRUCTION.code)
    forged = sd.changed(
        iss=f"{two.base}/agencies/{PLANNING.code}",
        issuer={"code": PLANNING.code, "name": PLANNING.name},
    ).signed(key)
    expect(two.verify(forged), "invalid", **FORGED)


def test_b_writes_as_code_into_iss_alone(two: Registry, theirs: Record, stolen: Stolen) -> None:
    sd = Sd.of(theirs.credential)
    key = stolen.key(Role.AGENCY, CONSTRUCTION.code)
    forged = sd.changed(iss=f"{two.base}/agencies/{PLANNING.code}").signed(key)
    expect(two.verify(forged), "invalid", read="unreadable", signature="not_reached")


def test_b_uses_an_identifier_of_a(
    two: Registry, record: Record, theirs: Record, stolen: Stolen
) -> None:
    forged = Sd.of(theirs.credential).changed(id=record.id)
    key = stolen.key(Role.AGENCY, CONSTRUCTION.code)
    expect(two.verify(forged.signed(key)), "invalid", type="identifier_bad")


@pytest.mark.parametrize(
    "iss",
    [
        "http://127.0.0.1:8000/agencies/{a}/agencies/{b}",
        "http://127.0.0.1:8000/agencies/{b}/agencies/{a}",
        "http://127.0.0.1:8000/agencies/{a}/",
        "http://127.0.0.1:8000//agencies/{a}",
        "http://127.0.0.1:8000/agencies/{a}?{b}",
        "http://127.0.0.1:8000/agencies/{a}\u0000",
        "/agencies/{a}",
        "{a}",
    ],
)
def test_an_iss_in_an_odd_form(two: Registry, theirs: Record, stolen: Stolen, iss: str) -> None:
    key = stolen.key(Role.AGENCY, CONSTRUCTION.code)
    written = iss.format(a=PLANNING.code, b=CONSTRUCTION.code)
    report = two.verify(Sd.of(theirs.credential).changed(iss=written).signed(key))
    expect(report, "invalid", read="unreadable", signature="not_reached")


def test_bs_leaf_with_as_name(two: Registry, sd: Sd, stolen: Stolen) -> None:
    """The root certifies b's code with a's name: a name is no identity."""
    key, leaf = stolen.authority().leaf(CONSTRUCTION.code, name=PLANNING.name)
    expect(two.verify(_chained(sd, key, leaf)), "invalid", **FORGED)


def test_a_leaf_with_two_codes(two: Registry, sd: Sd, theirs: Record, stolen: Stolen) -> None:
    for codes in [(PLANNING.code, CONSTRUCTION.code), (CONSTRUCTION.code, PLANNING.code)]:
        key, leaf = stolen.authority().leaf(*codes)
        expect(two.verify(_chained(sd, key, leaf)), "invalid", **FORGED)
        expect(two.verify(_chained(Sd.of(theirs.credential), key, leaf)), "invalid", **FORGED)


@pytest.mark.parametrize(
    "code",
    [
        PLANNING.code.lower(),
        PLANNING.code + " ",
        "NTRCN-" + PLANNING.code,
        PLANNING.code[:-1],
        "",
    ],
)
def test_a_leaf_with_almost_as_code(registry: Registry, sd: Sd, stolen: Stolen, code: str) -> None:
    wish = Wish((code,)) if code else Wish(())
    key = new_key()
    leaf = stolen.authority().certify(key.public_key(), wish).public_bytes(Encoding.DER)
    expect(registry.verify(_chained(sd, key, leaf)), "invalid", **FORGED)


def test_as_code_in_another_attribute_of_the_subject(
    registry: Registry, sd: Sd, stolen: Stolen
) -> None:
    key = new_key()
    root = stolen.authority()
    name = x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, PLANNING.code), *subject()])
    leaf = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(Wish(()).start)
        .not_valid_after(Wish(()).end)
        .add_extension(usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([DOCUMENT_SIGNING]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key()),
            critical=False,
        )
        .sign(root.key, hashes.SHA256())
    )
    forged = _chained(sd, key, leaf.public_bytes(Encoding.DER))
    expect(registry.verify(forged), "invalid", **FORGED)


def test_bs_seal_with_an_identifier_of_a(two: Registry, cose: Cose, stolen: Stolen) -> None:
    forged = cose.signed(stolen.key(Role.AGENCY, CONSTRUCTION.code))
    expect(two.verify(forged), "invalid", **FORGED)


def test_bs_statement_about_as_certificate(
    two: Registry, clock: SettableClock, record: Record, stolen: Stolen, theirs: Record
) -> None:
    """B cannot write a's history: its statement does not count, and the rest is incomplete."""
    before = clock()
    clock.move(days(1))
    for operation in (Operation.SUSPEND, Operation.RESUME):
        two.certificates.operate(record.id, operation, basis=Basis("查", "决定", "甲"), by=CLERK)
        clock.move(days(1))
    tokens = [event.token for event in two.certificates.history(record.id, by=CLERK)]
    resumed = Sd.of(tokens[1] + "~")
    header = stolen.header(Role.AGENCY, CONSTRUCTION.code, typ="ecert-statement+jwt")
    key = stolen.key(Role.AGENCY, CONSTRUCTION.code)
    for issuer in (resumed.payload["iss"], f"{two.base}/agencies/{theirs.issuer}"):
        claims = {**resumed.payload, "iss": issuer, "iat": resumed.payload["iat"] - 1}
        forged = sign_jwt(header, claims, key)
        shown = make_bundle(two, record, [forged, tokens[1]])
        report = two.verify(shown, at=before + days(1.5))
        expect(report, "undetermined", signature="signature_good", status="status_history")


# -- another authority -----------------------------------------------------------------------------------


def test_an_agency_under_its_own_authority_is_valid(
    outside: tuple[Registry, Authority], draft_of: Drafts
) -> None:
    registry, _ = outside
    issued = registry.certificates.issue(
        WORKS, draft_of(), by=CLERK, agency=CONSTRUCTION.code
    ).record
    expect(registry.verify(issued.credential), "valid", signature="signature_good")
    expect(registry.verify(issued.seal), "valid", signature="signature_good")


def test_bs_own_root_issues_a_leaf_with_as_code(
    outside: tuple[Registry, Authority], sd: Sd
) -> None:
    """B's root is in the trust file, for b alone."""
    registry, authority = outside
    key, leaf = authority.leaf(PLANNING.code, name=PLANNING.name)
    expect(registry.verify(_chained(sd, key, leaf)), "invalid", **FORGED)
    expect(registry.verify(_chained(sd, key, leaf, authority.der)), "invalid", **FORGED)


def test_the_registrys_root_issues_a_leaf_with_bs_code(
    outside: tuple[Registry, Authority], stolen: Stolen, draft_of: Drafts
) -> None:
    """B counts only under the anchors listed for b; the registry's own root is not one of them."""
    registry, _ = outside
    issued = registry.certificates.issue(
        WORKS, draft_of(), by=CLERK, agency=CONSTRUCTION.code
    ).record
    key, leaf = stolen.authority().leaf(CONSTRUCTION.code)
    expect(registry.verify(_chained(Sd.of(issued.credential), key, leaf)), "invalid", **FORGED)


def test_bs_own_root_issues_a_status_leaf(
    outside: tuple[Registry, Authority], record: Record
) -> None:
    registry, authority = outside
    key, leaf = authority.leaf(CONSTRUCTION.code, ekus=(STATUS_SIGNING,))
    genuine = Sd.of(registry.status.token(record.status_list) + "~")
    forged = _chained(genuine, key, leaf).rstrip("~")
    uri = genuine.payload["sub"]
    report = verifier_of(registry, status=Tokens({uri: forged})).verify(record.credential)
    expect(report, "undetermined", signature="signature_good", status="status_unusable")


@pytest.mark.parametrize("brings_root", [False, True])
def test_a_root_nobody_knows_with_as_name_and_code(
    registry: Registry, sd: Sd, stolen: Stolen, brings_root: bool
) -> None:
    name = stolen.authority().certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    authority = make_authority(str(name[0].value))
    key, leaf = authority.leaf(PLANNING.code, name=PLANNING.name)
    chain = [leaf, authority.der] if brings_root else [leaf]
    expect(registry.verify(_chained(sd, key, *chain)), "invalid", **FORGED)


def test_a_self_signed_leaf_with_as_code(registry: Registry, sd: Sd) -> None:
    key = new_key()
    own = replace_subject(PLANNING.code, key)
    expect(registry.verify(_chained(sd, key, own)), "invalid", **FORGED)


def replace_subject(code: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    made = (
        x509.CertificateBuilder()
        .subject_name(subject(code))
        .issuer_name(subject(code))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(Wish(()).start)
        .not_valid_after(Wish(()).end)
        .add_extension(usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([DOCUMENT_SIGNING]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


def test_the_root_signs_itself(registry: Registry, sd: Sd, stolen: Stolen) -> None:
    root = stolen.authority()
    expect(registry.verify(_chained(sd, root.key, root.der)), "invalid", **FORGED)


def test_an_authority_that_is_its_own_agency_signs_itself(
    outside: tuple[Registry, Authority], draft_of: Drafts
) -> None:
    registry, authority = outside
    issued = registry.certificates.issue(
        WORKS, draft_of(), by=CLERK, agency=CONSTRUCTION.code
    ).record
    forged = _chained(Sd.of(issued.credential), authority.key, authority.der)
    expect(registry.verify(forged), "invalid", **FORGED)


@pytest.mark.parametrize("code", [PLANNING.code, CONSTRUCTION.code])
def test_an_agencys_leaf_certifies_another_leaf(
    two: Registry, record: Record, theirs: Record, stolen: Stolen, code: str
) -> None:
    """A leaf is no authority, neither for itself nor for its neighbour."""
    leaf = x509.load_der_x509_certificate(stolen.leaf(Role.AGENCY, PLANNING.code))
    false = Authority(leaf, stolen.key(Role.AGENCY, PLANNING.code))
    key, made = false.leaf(code)
    shown = record if code == PLANNING.code else theirs
    expect(two.verify(_chained(Sd.of(shown.credential), key, made, false.der)), "invalid", **FORGED)


def test_an_agencys_leaf_certifies_a_sub_authority(
    two: Registry, theirs: Record, stolen: Stolen
) -> None:
    leaf = x509.load_der_x509_certificate(stolen.leaf(Role.AGENCY, PLANNING.code))
    false = Authority(leaf, stolen.key(Role.AGENCY, PLANNING.code))
    below = false.sub_authority(PLANNING.code)
    key, made = below.leaf(CONSTRUCTION.code)
    forged = _chained(Sd.of(theirs.credential), key, made, below.der, false.der)
    expect(two.verify(forged), "invalid", **FORGED)


def test_the_registrys_root_makes_a_sub_authority(
    registry: Registry, sd: Sd, stolen: Stolen
) -> None:
    """The root may not have authorities below it (path length 0)."""
    below = stolen.authority().sub_authority(PLANNING.code)
    key, leaf = below.leaf(PLANNING.code)
    expect(registry.verify(_chained(sd, key, leaf, below.der)), "invalid", **FORGED)


def test_an_outside_authoritys_sub_authority_speaks_for_its_agency_only(
    outside: tuple[Registry, Authority], sd: Sd, draft_of: Drafts
) -> None:
    registry, authority = outside
    issued = registry.certificates.issue(
        WORKS, draft_of(), by=CLERK, agency=CONSTRUCTION.code
    ).record
    below = authority.sub_authority()
    key, leaf = below.leaf(CONSTRUCTION.code)
    theirs = Sd.of(issued.credential)
    expect(elsewhere(registry).verify(_chained(theirs, key, leaf, below.der)), "valid")
    expect(elsewhere(registry).verify(_chained(theirs, key, leaf)), "invalid", **FORGED)
    key, leaf = below.leaf(PLANNING.code)
    expect(elsewhere(registry).verify(_chained(sd, key, leaf, below.der)), "invalid", **FORGED)


def test_an_outside_leaf_that_is_an_authority_itself_is_no_authority(
    outside: tuple[Registry, Authority], draft_of: Drafts
) -> None:
    """Basic constraints say CA, key usage does not: it cannot certify."""
    # Mended since this test found it: it can. The policy for authorities looks at basic constraints alone; RFC 5280
    # §6.1.4 (n) wants keyCertSign where there is a key usage (ecert/keys/chain.py _CA_POLICY).
    registry, authority = outside
    issued = registry.certificates.issue(
        WORKS, draft_of(), by=CLERK, agency=CONSTRUCTION.code
    ).record
    key = new_key()
    wish = replace(Wish((CONSTRUCTION.code,)), is_ca=True)
    half = Authority(authority.certify(key.public_key(), wish), key)
    below, leaf = half.leaf(CONSTRUCTION.code)
    forged = _chained(Sd.of(issued.credential), below, leaf, half.der)
    expect(registry.verify(forged), "invalid", **FORGED)


def test_an_outside_authority_without_basic_constraints_cannot_certify(
    outside: tuple[Registry, Authority], draft_of: Drafts
) -> None:
    registry, authority = outside
    issued = registry.certificates.issue(
        WORKS, draft_of(), by=CLERK, agency=CONSTRUCTION.code
    ).record
    key = new_key()
    made = (
        x509.CertificateBuilder()
        .subject_name(subject(CONSTRUCTION.code))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(Wish(()).start)
        .not_valid_after(Wish(()).end)
        .sign(authority.key, hashes.SHA256())
    )
    half = Authority(made, key)
    below, leaf = half.leaf(CONSTRUCTION.code)
    forged = _chained(Sd.of(issued.credential), below, leaf, half.der)
    expect(registry.verify(forged), "invalid", **FORGED)


def test_certifying_a_pending_key_with_another_agencys_certificate(
    registry: Registry, record: Record
) -> None:
    del record
    request = registry.agencies.add(
        CONSTRUCTION, by=CLERK, may_issue=EVERY_TYPE, brings_certificate=True
    )
    assert request is not None
    public = x509.load_pem_x509_csr(request).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    authority = make_authority()
    leaf = authority.certify(public, Wish((PLANNING.code,)))
    pem = leaf.public_bytes(Encoding.PEM) + authority.certificate.public_bytes(Encoding.PEM)
    with pytest.raises(SignatureError):
        registry.keys.certify(CONSTRUCTION.code, pem, by=CLERK)


def test_certifying_a_pending_key_with_a_certificate_of_another_key(
    registry: Registry, record: Record
) -> None:
    del record
    registry.agencies.add(CONSTRUCTION, by=CLERK, may_issue=EVERY_TYPE, brings_certificate=True)
    authority = make_authority()
    _, leaf = authority.leaf(CONSTRUCTION.code)
    pem = x509.load_der_x509_certificate(leaf).public_bytes(Encoding.PEM)
    with pytest.raises(InputError):
        registry.keys.certify(
            CONSTRUCTION.code, pem + authority.certificate.public_bytes(Encoding.PEM), by=CLERK
        )


# -- key roles -------------------------------------------------------------------------------------------


def test_the_status_key_signs_a_credential(registry: Registry, sd: Sd, stolen: Stolen) -> None:
    forged = _chained(sd, stolen.key(Role.STATUS), stolen.leaf(Role.STATUS))
    expect(registry.verify(forged), "invalid", **FORGED)


def test_the_status_key_signs_a_seal(registry: Registry, cose: Cose, stolen: Stolen) -> None:
    expect(registry.verify(cose.signed(stolen.key(Role.STATUS))), "invalid", **FORGED)


@pytest.mark.parametrize("role", [Role.ROOT, Role.TOKEN])
def test_a_key_of_another_role_signs_under_the_agencys_chain(
    registry: Registry, sd: Sd, cose: Cose, stolen: Stolen, role: Role
) -> None:
    expect(registry.verify(sd.signed(stolen.key(role))), "invalid", **FORGED)
    expect(registry.verify(cose.signed(stolen.key(role))), "invalid", **FORGED)


def test_the_log_key_signs_a_credential(registry: Registry, sd: Sd, stolen: Stolen) -> None:
    expect(registry.verify(sd.signed(stolen.log_key(), "EdDSA")), "invalid", **FORGED)


def test_the_agency_key_signs_a_status_list(
    registry: Registry, record: Record, stolen: Stolen
) -> None:
    genuine = Sd.of(registry.status.token(record.status_list) + "~")
    key, leaf = stolen.key(Role.AGENCY, PLANNING.code), stolen.leaf(Role.AGENCY, PLANNING.code)
    forged = _chained(genuine, key, leaf).rstrip("~")
    source = Tokens({genuine.payload["sub"]: forged})
    report = verifier_of(registry, status=source).verify(record.credential)
    expect(report, "undetermined", signature="signature_good", status="status_unusable")


@pytest.mark.parametrize("role", [Role.ROOT, Role.TOKEN])
def test_a_key_of_another_role_signs_a_status_list(
    registry: Registry, record: Record, stolen: Stolen, role: Role
) -> None:
    genuine = Sd.of(registry.status.token(record.status_list) + "~")
    source = Tokens({genuine.payload["sub"]: genuine.signed(stolen.key(role)).rstrip("~")})
    report = verifier_of(registry, status=source).verify(record.credential)
    expect(report, "undetermined", status="status_unusable")


@pytest.mark.parametrize(
    "ekus",
    [
        (DOCUMENT_SIGNING, STATUS_SIGNING),
        (STATUS_SIGNING, DOCUMENT_SIGNING),
        (STATUS_SIGNING,),
        (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,),
        (DOCUMENT_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE),
        (ExtendedKeyUsageOID.CODE_SIGNING,),
        (ExtendedKeyUsageOID.CLIENT_AUTH,),
        None,
    ],
    ids=str,
)
def test_a_leaf_of_no_or_several_or_other_purposes(
    registry: Registry, sd: Sd, stolen: Stolen, ekus: tuple[x509.ObjectIdentifier, ...] | None
) -> None:
    key, leaf = stolen.authority().leaf(PLANNING.code, ekus=ekus)
    expect(registry.verify(_chained(sd, key, leaf)), "invalid", **FORGED)


@pytest.mark.parametrize(
    "ekus", [(DOCUMENT_SIGNING, STATUS_SIGNING), (DOCUMENT_SIGNING,), None], ids=str
)
def test_a_status_leaf_of_no_or_several_or_other_purposes(
    registry: Registry, record: Record, stolen: Stolen, ekus: tuple[x509.ObjectIdentifier, ...]
) -> None:
    genuine = Sd.of(registry.status.token(record.status_list) + "~")
    key, leaf = stolen.authority().leaf("HOST:127.0.0.1:8000", ekus=ekus)
    source = Tokens({genuine.payload["sub"]: _chained(genuine, key, leaf).rstrip("~")})
    report = verifier_of(registry, status=source).verify(record.credential)
    expect(report, "undetermined", status="status_unusable")


@pytest.mark.parametrize(
    "wanted",
    [None, usage(signs=False), usage(certifies=True), usage(signs=False, commits=False)],
    ids=["none", "commits only", "signs and certifies", "nothing"],
)
def test_a_leaf_whose_key_usage_is_not_signing_alone(
    registry: Registry, sd: Sd, stolen: Stolen, wanted: x509.KeyUsage | None
) -> None:
    key, leaf = stolen.authority().leaf(PLANNING.code, usage=wanted)
    expect(registry.verify(_chained(sd, key, leaf)), "invalid", **FORGED)


def test_an_agency_leaf_without_content_commitment(
    registry: Registry, sd: Sd, stolen: Stolen
) -> None:
    # Mended since this test found it: design §6 wants digitalSignature + contentCommitment in an agency's leaf; the
    # check asks for digitalSignature alone, so a log-in certificate that an outside authority gave
    # the EKU passes (ecert/keys/chain.py _check_usage). Low: the authority must be anchored.
    key, leaf = stolen.authority().leaf(PLANNING.code, usage=usage(commits=False))
    expect(registry.verify(_chained(sd, key, leaf)), "invalid", **FORGED)


def test_a_leaf_on_another_curve(registry: Registry, sd: Sd, stolen: Stolen) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    root = stolen.authority()
    leaf = root.certify(key.public_key(), Wish((PLANNING.code,))).public_bytes(Encoding.DER)
    forged = sd.with_header(x5c=[b64(leaf)])
    expect(registry.verify(forged.signed(key, "ES384")), "invalid", read="unreadable")
    expect(registry.verify(forged.unsigned()), "invalid", **FORGED)


def test_a_leaf_that_is_over_at_the_time_of_issue(
    registry: Registry, sd: Sd, stolen: Stolen
) -> None:
    over = Wish(()).start + days(30)
    key, leaf = stolen.authority().leaf(PLANNING.code, end=over)
    expect(registry.verify(_chained(sd, key, leaf)), "invalid", **FORGED)


def test_a_statement_key_role_is_the_agencys(
    registry: Registry, clock: SettableClock, record: Record, stolen: Stolen
) -> None:
    """The status key cannot write statements either."""
    before = clock()
    clock.move(days(1))
    for operation in (Operation.SUSPEND, Operation.RESUME):
        registry.certificates.operate(
            record.id, operation, basis=Basis("查", "决定", "甲"), by=CLERK
        )
        clock.move(days(1))
    first, second = (event.token for event in registry.certificates.history(record.id, by=CLERK))
    claims = Sd.of(first + "~").payload
    header = stolen.header(Role.STATUS, typ="ecert-statement+jwt")
    forged = sign_jwt(header, claims, stolen.key(Role.STATUS))
    report = registry.verify(make_bundle(registry, record, [forged, second]), at=before + days(1.5))
    expect(report, "undetermined", status="status_history")


# -- other registries --------------------------------------------------------------------------------------


ELSEWHERE = Plan("https://licences.example", PLANNING, trial=True)


@pytest.fixture
def twin(make_registry: Maker) -> Registry:
    """Another registry, in which an agency of the same code has another key."""
    return make_registry(name="twin", plan=ELSEWHERE)


def test_an_agency_of_the_same_code_in_another_registry(
    registry: Registry, twin: Registry, draft_of: Drafts, record: Record
) -> None:
    """Each is believed in its own registry only, also by a verifier that believes both."""
    theirs = twin.certificates.issue(WORKS, draft_of(), by=CLERK).record
    both = verifier_of(registry, trust=trust_with(registry, twin))
    expect(
        both.verify(record.credential), "undetermined", signature="signature_good", status="offline"
    )
    expect(
        both.verify(theirs.credential), "undetermined", signature="signature_good", status="offline"
    )
    expect(registry.verify(theirs.credential), "undetermined", signature="registry_unknown")
    expect(registry.verify(theirs.seal), "undetermined", signature="registry_unknown")


def test_the_twins_key_signs_as_this_registrys_agency(
    registry: Registry, twin: Registry, sd: Sd, cose: Cose
) -> None:
    thief = Stolen(twin)
    key, leaf = thief.key(Role.AGENCY, PLANNING.code), thief.leaf(Role.AGENCY, PLANNING.code)
    both = verifier_of(registry, trust=trust_with(registry, twin), status=registry.status)
    expect(both.verify(_chained(sd, key, leaf)), "invalid", **FORGED)
    expect(both.verify(cose.signed(key)), "invalid", **FORGED)


def test_a_credential_moved_to_the_twins_address(
    registry: Registry, twin: Registry, sd: Sd
) -> None:
    """Everything that names the registry is changed, the key is not."""
    forged = sd.changed(
        iss=sd.payload["iss"].replace(registry.base, twin.base),
        vct=sd.payload["vct"].replace(registry.base, twin.base),
        status={"status_list": {"idx": 5, "uri": f"{twin.base}/status/0"}},
    ).signed(Stolen(registry).key(Role.AGENCY, PLANNING.code))
    both = verifier_of(registry, trust=trust_with(registry, twin), status=twin.status)
    expect(both.verify(forged), "invalid", **FORGED)


def test_a_status_list_from_the_twin(registry: Registry, twin: Registry, record: Record) -> None:
    """Its status key is trusted, for its own registry's lists."""
    genuine = Sd.of(registry.status.token(record.status_list) + "~")
    thief = Stolen(twin)
    forged = _chained(genuine, thief.key(Role.STATUS), thief.leaf(Role.STATUS)).rstrip("~")
    source = Tokens({genuine.payload["sub"]: forged})
    both = verifier_of(registry, trust=trust_with(registry, twin), status=source)
    expect(both.verify(record.credential), "undetermined", status="status_unusable")


def test_a_credential_whose_status_is_kept_by_the_twin(
    registry: Registry, twin: Registry, sd: Sd
) -> None:
    forged = sd.changed(status={"status_list": {"idx": 5, "uri": f"{twin.base}/status/0"}})
    key = Stolen(registry).key(Role.AGENCY, PLANNING.code)
    both = verifier_of(registry, trust=trust_with(registry, twin), status=twin.status)
    expect(both.verify(forged.signed(key)), "invalid", read="unreadable", signature="not_reached")


def test_a_seal_whose_status_is_kept_by_the_twin(
    registry: Registry, twin: Registry, cose: Cose
) -> None:
    """A seal's registry is that of its status: this agency's key is not the twin's agency's."""
    moved = cose.with_claims({65535: {"status_list": {"idx": 5, "uri": f"{twin.base}/status/0"}}})
    key = Stolen(registry).key(Role.AGENCY, PLANNING.code)
    both = verifier_of(registry, trust=trust_with(registry, twin), status=twin.status)
    for prefix in (cose.prefix, "HTTPS://LICENCES.EXAMPLE/V#"):
        expect(both.verify(moved.changed(prefix=prefix).signed(key)), "invalid", **FORGED)


def test_a_chain_judged_for_one_agency_is_not_remembered_for_another(
    two: Registry, sd: Sd, theirs: Record, stolen: Stolen
) -> None:
    """One verifier, both ways round: a cache of chains must know for whom it judged."""
    verifier = two.verifier()
    key, leaf = (
        stolen.key(Role.AGENCY, CONSTRUCTION.code),
        stolen.leaf(Role.AGENCY, CONSTRUCTION.code),
    )
    forged = _chained(sd, key, leaf)
    for _ in range(2):
        expect(verifier.verify(theirs.credential), "valid", signature="signature_good")
        expect(verifier.verify(forged), "invalid", **FORGED)


def test_a_good_header_does_not_lend_its_good_name_to_another_signature(
    registry: Registry, sd: Sd
) -> None:
    """Headers are remembered by their bytes; signatures never are."""
    verifier = registry.verifier()
    expect(verifier.verify(sd.with_token(sd.jwt)), "valid", signature="signature_good")
    forged = sd.with_token(join_jwt(sd.header, sd.payload, bytes(64)))
    expect(verifier.verify(forged), "invalid", **FORGED)
