"""What anybody may ask without an account: types, keys, trust, status, log, verification, pages."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography import x509
from joserfc import jws
from joserfc.jwk import ECKey, JWKRegistry, OKPKey
from PIL import Image
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash

from ecert.config import Plan, Surroundings, init_registry
from ecert.demo import MARKET, REFORM
from ecert.formats import qr
from ecert.formats._jws import verify_jws
from ecert.formats.receipt import parse_receipt, verify_receipt
from ecert.formats.register import parse_register
from ecert.formats.status_list import part_of
from ecert.keys import Role, Trust, parse_trust
from ecert.ledger.log import append_entries
from ecert.model import civil_date
from ecert.store import trees
from ecert.testing import SettableClock
from ecert_api import create_app
from tests.adversary.forge import Sd, Stolen
from tests.api.conftest import (
    AUDIT_OFFICE,
    CREDENTIAL,
    JSON,
    RURAL,
    SITING,
    Drafts,
    InProcess,
    Portal,
    make_registry_at,
    refused,
)
from tests.conftest import CLERK, CONSTRUCTION, EVERY_TYPE, PLANNING, WORKS

PUBLIC = [
    "/types",
    f"/types/{WORKS}/v1",
    "/.well-known/jwks.json",
    f"/.well-known/jwt-vc-issuer/agencies/{PLANNING.code}",
    "/.well-known/oauth-authorization-server",
    "/trust.json",
    "/status/0",
    "/status/0/details/0",
    "/log/checkpoint",
    "/log/tile/0/000.p/1",
    "/log/tile/entries/000.p/1",
]


@pytest.fixture(scope="module")
def permit(portal: Portal, a_draft: Drafts) -> dict[str, Any]:
    """One certificate that is in force, and published."""
    issued = portal.issued(portal.planning, a_draft())
    portal.registry.log.publish()
    return issued


class Long(jws.JWSRegistry):
    """The rules of joserfc, but for headers that hold a certificate."""

    max_header_length = 8192
    max_payload_length = 1 << 20


def verified_header(token: str, key: ECKey) -> dict[str, Any]:
    """Check a signature with joserfc and give the header."""
    return dict(jws.deserialize_compact(token, key, registry=Long()).headers())


def claims_of(token: str) -> dict[str, Any]:
    """Read a token's claims without checking it."""
    return dict(jwt.decode(token, options={"verify_signature": False}))


def get(portal: Portal, path: str) -> Any:
    """Get JSON."""
    answer = portal.send("GET", path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == JSON
    return answer.json()


@pytest.mark.parametrize("path", PUBLIC)
def test_public_resources_are_open_to_every_page_and_say_how_long_they_keep(
    portal: Portal, permit: dict[str, Any], path: str
) -> None:
    assert permit
    answer = portal.send("GET", path, headers={"Origin": "https://bank.example"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"]
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", [*PUBLIC, "/", "/v", "/V", "/health/live"])
def test_what_may_be_got_may_be_asked_after(
    portal: Portal, permit: dict[str, Any], path: str
) -> None:
    """RFC 9110 §9.1: a server that has GET has HEAD."""
    assert permit
    answer = portal.send("HEAD", path)
    assert answer.status_code == 200
    assert answer.content == b""


# -- types ----------------------------------------------------------------------------------------


def test_the_types_are_listed(portal: Portal) -> None:
    body = get(portal, "/types")
    assert body.keys() == {"items", "next"}
    assert {item["slug"] for item in body["items"]} >= {WORKS, RURAL, SITING}
    for item in body["items"]:
        assert item.keys() == {"slug", "version", "state", "name", "code", "vct", "rests_on"}
        assert item["vct"] == f"{portal.base}/types/{item['slug']}/v{item['version']}"


def test_the_vct_address_gives_the_bytes_that_the_credential_pins(
    portal: Portal, permit: dict[str, Any]
) -> None:
    claims = claims_of(permit["credential"].split("~")[0])
    answer = portal.send("GET", claims["vct"].removeprefix(portal.base))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == JSON
    digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
    assert claims["vct#integrity"] == f"sha256-{digest}"
    assert answer.json()["vct"] == claims["vct"]
    assert "immutable" in answer.headers["cache-control"]


def test_a_type_that_was_never_used_is_described_but_not_for_ever(
    desk: Portal, a_draft: Drafts
) -> None:
    before = desk.send("GET", f"/types/{WORKS}/v1")
    assert before.status_code == 200
    assert "immutable" not in before.headers["cache-control"]
    desk.issued(desk.planning, a_draft())
    after = desk.send("GET", f"/types/{WORKS}/v1")
    assert after.content == before.content
    assert "immutable" in after.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        f"/types/{WORKS}/v2",
        f"/types/{WORKS}/v9999",
        "/types/no-such-type/v1",
        f"/types/{WORKS}",
        f"/types/{WORKS}/1",
        f"/types/{WORKS}/v1/schema",
    ],
)
def test_another_type_or_version_is_not_there(portal: Portal, path: str) -> None:
    refused(portal.send("GET", path), 404)


@pytest.mark.parametrize(
    "path",
    [
        f"/types/{WORKS}/v0",
        f"/types/{WORKS}/v-1",
        f"/types/{WORKS}/vx",
        f"/types/{WORKS}/v1.0",
        f"/types/{WORKS}/v{'9' * 5000}",
        "/types/../v1",
        "/types/%2e%2e%2fkeys/v1",
        "/types/UPPER/v1",
        "/types/%00/v1",
    ],
)
def test_a_malformed_type_or_version_is_refused(portal: Portal, path: str) -> None:
    answer = portal.send("GET", path)
    assert refused(answer, answer.status_code)["status"] in {400, 404}


# -- keys and trust -------------------------------------------------------------------------------


def test_every_public_key_says_whose_it_is_and_for_what(portal: Portal) -> None:
    keys = get(portal, "/.well-known/jwks.json")["keys"]
    assert {(key["role"], key["agency"]) for key in keys} >= {
        ("agency", PLANNING.code),
        ("agency", CONSTRUCTION.code),
        ("status", None),
        ("registry", None),
    }
    assert {key["role"] for key in keys} == {"agency", "status", "registry"}
    assert len({key["kid"] for key in keys}) == len(keys)
    for key in keys:
        assert "d" not in key
        imported = JWKRegistry.import_key(key)
        assert isinstance(imported, ECKey | OKPKey)
        assert imported.thumbprint() == key["kid"]
        leaf = x509.load_der_x509_certificate(base64.b64decode(key["x5c"][0]))
        certified = ECKey.import_key(leaf.public_key())  # type: ignore[arg-type]  # an EC key
        assert certified.thumbprint() == key["kid"]
        if key["agency"] is not None:
            names = leaf.subject.get_attributes_for_oid(x509.ObjectIdentifier("2.5.4.97"))
            assert [name.value for name in names] == [key["agency"]]


def test_a_retired_key_stays_public_and_is_marked(desk: Portal) -> None:
    new, old = desk.registry.keys.rotate(Role.AGENCY, PLANNING.code, by=CLERK)
    path = f"/.well-known/jwt-vc-issuer/agencies/{PLANNING.code}"
    states = {key["kid"]: key["state"] for key in get(desk, path)["jwks"]["keys"]}
    assert states == {new: "active", old: "retired"}


def test_an_issuers_keys_are_that_agencys_alone(portal: Portal) -> None:
    all_keys = get(portal, "/.well-known/jwks.json")["keys"]
    for agency in (PLANNING, CONSTRUCTION):
        body = get(portal, f"/.well-known/jwt-vc-issuer/agencies/{agency.code}")
        assert body["issuer"] == f"{portal.base}/agencies/{agency.code}"
        assert body["jwks"]["keys"] == [key for key in all_keys if key["agency"] == agency.code]
        assert body["jwks"]["keys"]


def test_the_issuers_keys_verify_its_credentials(portal: Portal, permit: dict[str, Any]) -> None:
    signed = permit["credential"].split("~")[0]
    iss = claims_of(signed)["iss"]
    path = iss.removeprefix(portal.base)
    body = get(portal, f"/.well-known/jwt-vc-issuer{path}")
    assert body["issuer"] == iss
    key = ECKey.import_key(body["jwks"]["keys"][0])
    assert verified_header(signed, key)["typ"] == "dc+sd-jwt"


@pytest.mark.parametrize("code", ["11440114MA0000095H", "0" * 18])
def test_an_unknown_agency_has_no_keys(portal: Portal, code: str) -> None:
    refused(portal.send("GET", f"/.well-known/jwt-vc-issuer/agencies/{code}"), 404, "not_found")


@pytest.mark.parametrize("code", ["x", "11440114ma00000928", "%00", "1" * 19])
def test_a_malformed_agency_is_refused(portal: Portal, code: str) -> None:
    answer = portal.send("GET", f"/.well-known/jwt-vc-issuer/agencies/{code}")
    assert refused(answer, answer.status_code)["status"] in {400, 404}


def test_the_token_endpoint_is_described(portal: Portal) -> None:
    """RFC 8414 §2."""
    body = get(portal, "/.well-known/oauth-authorization-server")
    assert body["issuer"] == portal.base
    assert body["token_endpoint"] == f"{portal.base}/oauth/token"
    assert body["grant_types_supported"] == ["client_credentials"]
    assert body["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert "none" not in body["token_endpoint_auth_signing_alg_values_supported"]
    assert "ES256" in body["token_endpoint_auth_signing_alg_values_supported"]
    assert body["response_types_supported"] == []
    assert set(body["scopes_supported"]) >= {
        "certificates:issue",
        "certificates:operate",
        "certificates:read",
        "audit:read",
    }


def test_the_trust_file_reads_back(portal: Portal) -> None:
    answer = portal.send("GET", "/trust.json")
    assert answer.json().keys() == {"v", "registries"}
    trust = parse_trust(answer.content)
    assert trust == portal.registry.trust()
    assert answer.content == portal.registry.trust().to_bytes()  # as `ecert trust export` writes it
    (registry,) = answer.json()["registries"]
    assert registry["base_url"] == portal.base
    known = {one.code for one in portal.registry.agencies.all()}
    assert registry["agencies"].keys() == known >= {PLANNING.code, CONSTRUCTION.code}
    for agency in (registry["agencies"][one.code] for one in (PLANNING, CONSTRUCTION)):
        assert agency["names"][-1]["name"]
        assert agency["may_issue"]
        assert agency["anchors"]
        assert agency["certificates"]
    assert registry["status_anchors"]
    assert registry["logs"][0].keys() >= {"vkey", "witnesses", "quorum"}
    assert registry["require_log"] is False


# -- status ---------------------------------------------------------------------------------------


def status_token(portal: Portal, path: str, typ: str) -> dict[str, Any]:
    """Get a status token and check it with joserfc, from the chain up to the trust file's anchor."""
    answer = portal.send("GET", path)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    header = jwt.get_unverified_header(answer.text)
    assert header["typ"] == typ
    leaf = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0]))
    (registry,) = portal.send("GET", "/trust.json").json()["registries"]
    anchor = x509.load_der_x509_certificate(base64.b64decode(registry["status_anchors"][0]))
    leaf.verify_directly_issued_by(anchor)
    key = ECKey.import_key(leaf.public_key())  # type: ignore[arg-type]  # an EC key
    assert verified_header(answer.text, key)["typ"] == typ
    claims = claims_of(answer.text)
    assert claims["sub"] == portal.base + path
    assert claims["exp"] - claims["iat"] == 24 * 3600
    assert claims["ttl"] == 60
    seconds = re.search(r"max-age=(\d+)", answer.headers["cache-control"])
    assert seconds is not None
    assert int(seconds[1]) <= claims["ttl"]
    return claims


def bits(portal: Portal, index: int) -> int:
    """Read one entry of list 0 (Token Status List §4.1)."""
    claims = status_token(portal, "/status/0", "statuslist+jwt")
    assert claims["status_list"]["bits"] == 2
    packed = claims["status_list"]["lst"]
    data = zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    return data[index // 4] >> index % 4 * 2 & 3


def index_of(issued: dict[str, Any]) -> int:
    """Find a certificate's place in its list."""
    claims = claims_of(issued["credential"].split("~")[0])
    return int(claims["status"]["status_list"]["idx"])


def test_the_status_list_has_its_own_media_type(portal: Portal, permit: dict[str, Any]) -> None:
    assert bits(portal, index_of(permit)) == 0
    assert portal.send("GET", "/status/0").headers["content-type"] == "application/statuslist+jwt"


@pytest.mark.parametrize(
    ("operation", "value", "status"),
    [
        ("suspend", 2, "suspended"),
        ("cancel", 1, "cancelled"),
        ("withdraw", 1, "withdrawn"),
        ("revoke", 1, "revoked"),
        ("change", 3, "superseded"),
    ],
)
def test_a_change_of_status_shows_in_the_list_and_its_details_at_once(
    portal: Portal, a_draft: Drafts, operation: str, value: int, status: str
) -> None:
    issued = portal.issued(portal.planning, a_draft())
    index = index_of(issued)
    assert bits(portal, index) == 0
    part = f"/status/0/details/{part_of(index)}"
    details = status_token(portal, part, "ecert-status-details+jwt")["details"]
    assert str(index) not in details
    draft = a_draft() if operation == "change" else None
    done = portal.operate(portal.planning, issued["id"], operation, draft=draft)
    assert done.status_code == 200
    assert bits(portal, index) == value
    part = f"/status/0/details/{part_of(index)}"
    details = status_token(portal, part, "ecert-status-details+jwt")["details"]
    assert details[str(index)]["status"] == status
    assert isinstance(details[str(index)]["since"], int)
    successor = done.json()["id"] if operation == "change" else None
    assert details[str(index)].get("successor") == successor


def test_a_resumed_certificate_is_valid_again(portal: Portal, a_draft: Drafts) -> None:
    issued = portal.issued(portal.planning, a_draft())
    for operation, value in (("suspend", 2), ("resume", 0)):
        portal.operate(portal.planning, issued["id"], operation)
        assert bits(portal, index_of(issued)) == value


def test_a_list_is_signed_afresh_before_its_ttl_runs_out(
    desk: Portal, a_draft: Drafts, clock: SettableClock
) -> None:
    desk.issued(desk.planning, a_draft())
    first = status_token(desk, "/status/0", "statuslist+jwt")
    clock.move(timedelta(seconds=60))
    second = status_token(desk, "/status/0", "statuslist+jwt")
    assert second["iat"] > first["iat"]


def test_the_places_in_a_list_are_no_sequence(desk: Portal, a_draft: Drafts) -> None:
    found = [index_of(desk.issued(desk.planning, a_draft())) for _ in range(6)]
    steps = {later - earlier for earlier, later in itertools.pairwise(found)}
    assert len(set(found)) == 6
    assert len(steps) > 2
    assert steps != {1}


@pytest.mark.parametrize("path", ["/status/7", "/status/7/details/0", "/status/2147483647"])
def test_a_list_that_is_not_in_use_is_not_there(portal: Portal, path: str) -> None:
    refused(portal.send("GET", path), 404, "not_found")


@pytest.mark.parametrize(
    "path",
    ["/status/x", "/status/-1", "/status/0/x", "/status/", "/status/9999999999", "/status/0.5"],
)
def test_a_malformed_list_is_refused(portal: Portal, path: str) -> None:
    answer = portal.send("GET", path)
    assert refused(answer, answer.status_code)["status"] in {400, 404}


# -- the log --------------------------------------------------------------------------------------


class Tiles:
    """What tlog_scales, another implementation of tlog-tiles, reads a log through."""

    def __init__(self, send: Callable[..., httpx.Response]) -> None:
        self._send = send

    def get(self, *path: str) -> bytes | None:
        """Get one resource of the log."""
        answer = self._send("GET", "/log/" + "/".join(path))
        return answer.content if answer.status_code == 200 else None


def log_vkey(trust: Trust) -> Vkey:
    """Give the log's key from the trust file."""
    return Vkey.from_string(trust.registries[0].logs[0].vkey)


def test_the_checkpoint_is_a_signed_note(portal: Portal, permit: dict[str, Any]) -> None:
    assert permit
    answer = portal.send("GET", "/log/checkpoint")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "immutable" not in answer.headers["cache-control"]
    reader = TilesReader(Tiles(portal.send))
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(log_vkey(parse_trust(portal.send("GET", "/trust.json").content)))
    host = portal.base.partition("://")[2]
    assert checkpoint.origin.startswith(f"{host}/log")
    assert checkpoint.size > permit["log_index"]
    assert reader.calculate_root_hash() == checkpoint.root_hash


def test_an_empty_log_has_a_checkpoint(tmp_path: Path) -> None:
    """A registry without an agency: nothing was ever signed, and its trust file is as old as it."""
    clock = SettableClock()
    around = Surroundings(clock=clock, state=tmp_path / "state")
    plan = Plan("http://127.0.0.1:8000", trial=True)
    with closing(init_registry(tmp_path / "home", plan, around=around)) as registry:
        app = create_app(registry, verify_per_minute=0)
        desk = InProcess(app, registry.base)
        reader = TilesReader(Tiles(desk.send))
        checkpoint = reader.get_checkpoint()
        assert (checkpoint.size, checkpoint.root_hash) == (0, hashlib.sha256(b"").digest())
        refused(desk.send("GET", "/log/tile/0/000"), 404)
        refused(desk.send("GET", "/log/tile/0/000.p/1"), 404)
        clock.move(timedelta(days=1))
        (shown,) = desk.send("GET", "/trust.json").json()["registries"]
        assert (shown["as_of"]["at"], shown["as_of"]["size"]) == ("2026-03-02T01:30:00Z", 0)
        desk.close()
        app.state.service.writer.shutdown()


def test_only_what_is_published_is_served(desk: Portal, a_draft: Drafts) -> None:
    index = desk.issued(desk.planning, a_draft())["log_index"]
    desk.registry.log.publish()
    desk.issued(desk.planning, a_draft())
    for level in ("0", "entries"):
        assert desk.send("GET", f"/log/tile/{level}/000.p/{index + 1}").status_code == 200
        refused(desk.send("GET", f"/log/tile/{level}/000.p/{index + 2}"), 404, "not_found")
    desk.registry.log.publish()
    for level in ("0", "entries"):
        assert desk.send("GET", f"/log/tile/{level}/000.p/{index + 2}").status_code == 200


def test_an_entry_is_the_leaf_that_its_tile_says(portal: Portal, permit: dict[str, Any]) -> None:
    reader = TilesReader(Tiles(portal.send))
    checkpoint = reader.get_checkpoint()
    index = permit["log_index"]
    entry = reader.get_entry(index)
    assert permit["holders"][0]["code"].encode() not in entry
    assert permit["id"].encode() not in entry
    proof = reader.get_inclusion_proof(index, checkpoint.size)
    proof.check(leaf_hash(entry), checkpoint.root_hash)


MOUNTAIN = 256 * 256 + 256 + 7  # one full tile of level 1, and a bit of everything else
ENTRIES: list[bytes] = []  # of the mountain: the register's own, and then numbered ones


@pytest.fixture(scope="module")
def mountain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., httpx.Response]]:
    """A log so large that tiles of three levels exist."""
    folder = tmp_path_factory.mktemp("mountain")
    registry = make_registry_at("http://127.0.0.1:8000", folder, clock=SettableClock())
    with registry.store.reading() as reading:
        ENTRIES[:] = trees.entries(reading, 0, MOUNTAIN)
    numbers = range(len(ENTRIES), MOUNTAIN)
    ENTRIES.extend(b'{"n":%d,"time":"2026-03-02T01:30:00Z"}' % number for number in numbers)
    for size in (1000, MOUNTAIN):
        start = registry.log.head().size
        batch = ENTRIES[start:size]
        registry.store.write(lambda tx, batch=batch: append_entries(tx, batch))  # type: ignore[misc]  # a default binds the loop's value
        registry.log.publish()
    app = create_app(registry, verify_per_minute=0)
    caller = InProcess(app, registry.base)
    yield caller.send
    caller.close()
    app.state.service.writer.shutdown()
    registry.close()


def test_another_implementation_reads_a_large_log(mountain: Callable[..., httpx.Response]) -> None:
    reader = TilesReader(Tiles(mountain))
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(log_vkey(parse_trust(mountain("GET", "/trust.json").content)))
    assert checkpoint.size == MOUNTAIN
    assert reader.calculate_root_hash() == checkpoint.root_hash
    for index in (0, 255, 256, 65_535, 65_536, MOUNTAIN - 1):
        entry = reader.get_entry(index)
        assert entry == ENTRIES[index]
        reader.get_inclusion_proof(index, MOUNTAIN).check(leaf_hash(entry), checkpoint.root_hash)
    old = reader.mth(0, 1000)
    reader.get_consistency_proof(1000, MOUNTAIN).check(old, checkpoint.root_hash)


def test_tiles_of_all_levels(mountain: Callable[..., httpx.Response]) -> None:
    partial = {"0/257.p/7": 7, "0/257.p/1": 1, "1/001.p/1": 1, "2/000.p/1": 1}
    full = ["0/000", "0/001", "0/255", "0/256", "1/000"]
    for path in full:
        answer = mountain("GET", f"/log/tile/{path}")
        assert answer.status_code == 200
        assert len(answer.content) == 8192
        assert answer.headers["content-type"] == "application/octet-stream"
        assert "immutable" in answer.headers["cache-control"]
    for path, width in partial.items():
        assert len(mountain("GET", f"/log/tile/{path}").content) == 32 * width
    leaves = mountain("GET", "/log/tile/0/256").content
    above = mountain("GET", "/log/tile/1/001.p/1").content
    assert above == root_of([leaves[place : place + 32] for place in range(0, 8192, 32)])
    level_1 = mountain("GET", "/log/tile/1/000").content
    above = mountain("GET", "/log/tile/2/000.p/1").content
    assert above == root_of([level_1[place : place + 32] for place in range(0, 8192, 32)])


def root_of(hashes: list[bytes]) -> bytes:
    """Hash a full tile into one hash (RFC 6962)."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return hashes[0]


def test_a_full_path_never_has_another_length(mountain: Callable[..., httpx.Response]) -> None:
    for level, count in ((0, MOUNTAIN), (1, MOUNTAIN >> 8), (2, MOUNTAIN >> 16)):
        for index in range(count // 256, count // 256 + 2):
            refused(mountain("GET", f"/log/tile/{level}/{index:03}"), 404)
    refused(mountain("GET", "/log/tile/entries/257"), 404)


def test_a_bundle_holds_each_entry_after_its_length(
    mountain: Callable[..., httpx.Response],
) -> None:
    for path, first, count in (("000", 0, 256), ("256", 65_536, 256), ("257.p/7", 65_792, 7)):
        data = io.BytesIO(mountain("GET", f"/log/tile/entries/{path}").content)
        entries = []
        while length := data.read(2):
            entries.append(data.read(int.from_bytes(length, "big")))
        assert entries == ENTRIES[first : first + count]


def test_a_partial_tile_of_a_tile_that_is_full_now_is_still_there(
    mountain: Callable[..., httpx.Response],
) -> None:
    whole = mountain("GET", "/log/tile/0/003").content
    assert mountain("GET", "/log/tile/0/003.p/232").content == whole[: 232 * 32]


OUTSIDE = [
    "0/257.p/8",
    "0/258.p/1",
    "0/999",
    "0/x001/000",
    "1/001.p/2",
    "1/002.p/1",
    "2/000.p/2",
    "2/000",
    "3/000.p/1",
    "7/000.p/1",
    "8/000.p/1",
    "63/000.p/1",
    "entries/257.p/8",
    "0/x999/x999/x999/x999/999",
]
WEIRD = [
    "",
    "0",
    "0/",
    "0/0",
    "0/00",
    "0/0000",
    "0/-01",
    "0/+01",
    "0/ 01",
    "0/1e1",
    "0/٠٠٠",
    "0/000.p",
    "0/000.p/",
    "0/000.p/0",
    "0/000.p/00",
    "0/000.p/01",
    "0/000.p/-1",
    "0/000.p/257",
    "0/000.p/999",
    "0/000.p/1000",
    "0/000.p/1/1",
    "0/000/",
    "0//000",
    "/0/000",
    "00/000",
    "-1/000",
    "01/000",
    "x/000",
    "entries",
    "entries/",
    "Entries/000",
    "data/000",
    "0/001/000",
    "0/x1/000",
    "0/X000/001",
    "0/000%00",
    "0/..%2f000",
    "%2e%2e/%2e%2e/etc/passwd",
    "0/" + "x000/" * 500 + "000",
]


@pytest.mark.parametrize("path", [*OUTSIDE, *WEIRD])
def test_other_paths_are_not_there(mountain: Callable[..., httpx.Response], path: str) -> None:
    refused(mountain("GET", f"/log/tile/{path}"), 404)


@pytest.mark.parametrize("path", ["0/000.p/256", "0/x000/000", "0/x000/x000/001", "1/x000/000"])
def test_every_tile_has_one_address(mountain: Callable[..., httpx.Response], path: str) -> None:
    """tlog-tiles: a partial width is 1 to 255, and an index has no leading groups of zeros."""
    refused(mountain("GET", f"/log/tile/{path}"), 404)


# -- verification ---------------------------------------------------------------------------------


def verify(
    portal: Portal, content: bytes | str, kind: str, *, at: str | None = None
) -> dict[str, Any]:
    """Verify something and give the report."""
    params = {} if at is None else {"at": at}
    headers = {"Content-Type": kind}
    answer = portal.send("POST", "/verify", content=content, headers=headers, params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == JSON
    assert answer.headers["cache-control"] == "no-store"
    report = dict(answer.json())
    assert report.keys() == {
        "verdict",
        "certificate",
        "status",
        "at",
        "checked_at",
        "steps",
        "warnings",
    }
    names = ["read", "signature", "type", "time", "log", "status", "agreement"]
    assert [step["step"] for step in report["steps"]] == names
    for step in report["steps"]:
        assert step.keys() == {"step", "outcome", "code", "reason", "evidence_at"}
        assert step["reason"].keys() == {"zh", "en"}
    return report


@pytest.fixture(scope="module")
def presentations(portal: Portal, permit: dict[str, Any]) -> dict[str, bytes]:
    """Everything that one can present of a certificate, by media type."""
    picture = qr.to_png(permit["seal"])
    photo = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(photo, "JPEG")
    return {
        CREDENTIAL: permit["credential"].encode(),
        "text/plain": permit["seal"].encode(),
        "image/png": picture,
        "image/jpeg": photo.getvalue(),
        "application/zip": portal.get(portal.planning, permit["id"], "/evidence").content,
    }


@pytest.mark.parametrize(
    "kind", [CREDENTIAL, "text/plain", "image/png", "image/jpeg", "application/zip"]
)
def test_whatever_is_presented_is_verified(
    portal: Portal, permit: dict[str, Any], presentations: dict[str, bytes], kind: str
) -> None:
    report = verify(portal, presentations[kind], kind)
    assert (report["verdict"], report["status"]) == ("valid", "valid")
    assert report["certificate"]["number"] == permit["number"]


def test_parameters_of_the_content_type_do_not_matter(
    portal: Portal, presentations: dict[str, bytes]
) -> None:
    content = presentations["text/plain"]
    assert verify(portal, content, "Text/Plain; charset=utf-8")["verdict"] == "valid"


def test_a_revoked_certificate_is_invalid_at_once(portal: Portal, a_draft: Drafts) -> None:
    issued = portal.issued(portal.planning, a_draft())
    assert verify(portal, issued["seal"], "text/plain")["verdict"] == "valid"
    portal.operate(portal.planning, issued["id"], "revoke")
    for content, kind in ((issued["seal"], "text/plain"), (issued["credential"], CREDENTIAL)):
        report = verify(portal, content, kind)
        assert (report["verdict"], report["status"]) == ("invalid", "revoked")


def test_a_document_without_a_signature_is_no_certificate(portal: Portal) -> None:
    report = verify(portal, b"%PDF-1.7\n%%EOF\n", "application/pdf")
    assert (report["verdict"], report["steps"][0]["code"]) == ("invalid", "document_unsigned")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"\xff\xfe\x00",
        b"garbage",
        b"~",
        b"~~~~",
        b"a.b.c~",
        b"HTTPS://EXAMPLE.COM/V#ABC",
        b"#",
        b"PK\x03\x04",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"c2sp.org/tlog-proof@v1\n",
        b"%PDF-",
        "\u202e证".encode(),
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("kind", [CREDENTIAL, "text/plain", "image/png", "application/zip"])
def test_garbage_gets_a_verdict_too(portal: Portal, content: bytes, kind: str) -> None:
    report = verify(portal, content, kind)
    assert report["verdict"] in {"invalid", "undetermined"}
    assert report["certificate"] is None


@pytest.mark.parametrize(
    "kind",
    ["application/json", "text/html", "multipart/form-data", "image/gif", "", "application/pdfx"],
)
def test_another_media_type_is_not_read(portal: Portal, kind: str) -> None:
    answer = portal.send("POST", "/verify", content=b"x", headers={"Content-Type": kind})
    refused(answer, 415, "media_type_unsupported")


def test_without_a_media_type_nothing_is_read(portal: Portal) -> None:
    refused(portal.send("POST", "/verify", content=b"x"), 415)


def test_up_to_32_megabytes_are_read_and_no_more(portal: Portal) -> None:
    headers = {"Content-Type": "application/zip"}
    most = 32 << 20
    answer = portal.send("POST", "/verify", content=b"\0" * most, headers=headers)
    assert answer.json()["verdict"] == "invalid"
    large = b"\0" * (33 << 20)
    refused(portal.send("POST", "/verify", content=large, headers=headers), 413, "too_large")
    chunks = (large[place : place + 65_536] for place in range(0, len(large), 65_536))
    refused(portal.send("POST", "/verify", content=chunks, headers=headers), 413, "too_large")


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("2999-03-01", "2999-03-01T15:59:59Z"),  # the end of that day in Asia/Shanghai
        ("2999-03-01T08:00:00Z", "2999-03-01T08:00:00Z"),
        ("2999-03-01T08:00:00+08:00", "2999-03-01T00:00:00Z"),
        ("2999-03-01T08:00:00.25Z", "2999-03-01T08:00:00Z"),
    ],
)
def test_at_asks_about_another_moment(
    portal: Portal, permit: dict[str, Any], at: str, shown: str
) -> None:
    report = verify(portal, permit["credential"], CREDENTIAL, at=at)
    assert report["at"] == shown


def test_before_its_first_day_a_certificate_is_not_valid_yet(
    portal: Portal, permit: dict[str, Any]
) -> None:
    report = verify(portal, permit["credential"], CREDENTIAL, at="2020-03-01")
    codes = {step["step"]: step["code"] for step in report["steps"]}
    assert report["verdict"] == "invalid"
    assert codes["time"] == "not_yet_valid"


def test_for_a_past_moment_todays_list_proves_nothing(
    desk: Portal, a_draft: Drafts, clock: SettableClock
) -> None:
    issued = desk.issued(desk.planning, a_draft())
    clock.move(timedelta(days=10))
    report = verify(desk, issued["credential"], CREDENTIAL, at="2026-03-05")
    assert report["verdict"] in {"valid", "undetermined"}  # valid, if the details show no change
    desk.operate(desk.planning, issued["id"], "revoke")
    report = verify(desk, issued["credential"], CREDENTIAL, at="2026-03-05")
    assert report["verdict"] != "invalid"


@pytest.mark.parametrize(
    "at",
    [
        "",
        "yesterday",
        "2026",
        "2026-03",
        "20260301",
        "2026-3-1",
        "2026-02-30",
        "2026-13-01",
        "2026-03-01T08:00:00",
        "2026-03-01T25:00:00Z",
        "2026-03-01T08:00:00+99:00",
        "2026-W10-1",
        "0000-01-01",
        "٢٠٢٦-٠٣-٠١",
        "2026-03-01\n",
        "2026-03-01T08:00:00Z" + " " * 50,
        "1772323200",
    ],
)
def test_another_moment_must_be_a_date_or_an_instant(portal: Portal, at: str) -> None:
    headers = {"Content-Type": "text/plain"}
    answer = portal.send("POST", "/verify", content=b"x", headers=headers, params={"at": at})
    refused(answer, 400)


@pytest.mark.parametrize(
    "at",
    [
        "0001-01-01",
        "9999-12-31",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_the_ends_of_the_calendar_are_no_failure_of_the_service(
    portal: Portal, presentations: dict[str, bytes], at: str
) -> None:
    for kind in ("text/plain", CREDENTIAL):
        headers = {"Content-Type": kind}
        content = presentations[kind]
        answer = portal.send("POST", "/verify", content=content, headers=headers, params={"at": at})
        assert answer.status_code in {200, 400}
        if answer.status_code == 200:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer.json()["at"])


@pytest.mark.parametrize("at", ["2026-03-01T08Z", "2026-03-01T08:00Z", "2026-03-01T080000Z"])
def test_an_instant_is_that_of_rfc_3339(portal: Portal, at: str) -> None:
    headers = {"Content-Type": "text/plain"}
    answer = portal.send("POST", "/verify", content=b"x", headers=headers, params={"at": at})
    refused(answer, 400)


def test_nothing_that_is_presented_is_stored(portal: Portal, permit: dict[str, Any]) -> None:
    before, audit = portal.counts(), len(portal.audit())
    verify(portal, permit["credential"], CREDENTIAL)
    assert portal.counts() == before
    assert len(portal.audit()) == audit


# -- pages ----------------------------------------------------------------------------------------


class Elements(HTMLParser):
    """Gathers a page's elements with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("path", ["/", "/v", "/V"])
def test_the_pages_obey_a_strict_policy(portal: Portal, path: str) -> None:
    answer = portal.send("GET", path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["frame-ancestors"] == "'none'"
    assert rules["base-uri"] == "'none'"
    assert "form-action" in rules
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "http" not in policy
    page = Elements()
    page.feed(answer.text)
    for tag, attributes in page.found:
        assert tag != "style"
        assert tag != "script" or attributes.get("src", "").startswith("/")  # type: ignore[union-attr]  # without src: fails
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        for name in ("src", "href"):
            assert (attributes.get(name) or "/").startswith(("/", "#"))


def test_the_style_sheet_is_served(portal: Portal) -> None:
    answer = portal.send("GET", "/static/page.css")
    assert answer.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    "path",
    [
        "/?x=MARKER",
        "/v?MARKER",
        "/V?seal=%3Cscript%3EMARKER%3C/script%3E",
        "/MARKER",
        "/v/MARKER",
        "/types/MARKER/v1",
        "/types/marker-MARKER/v1",
        "/status/MARKER",
        "/log/tile/MARKER",
        "/.well-known/jwt-vc-issuer/agencies/MARKER",
        "/v1/certificates/MARKER",
        "/v1/audit?after=MARKER",
    ],
)
def test_no_answer_repeats_what_was_asked(portal: Portal, path: str) -> None:
    headers = {**portal.bearer(portal.auditor), "X-Purpose": "MARKER", "User-Agent": "MARKER"}
    answer = portal.send("GET", path, headers=headers)
    assert "marker" not in answer.text.lower()
    assert "marker" not in str(answer.headers).lower()


def test_pages_are_the_same_whatever_is_asked(portal: Portal) -> None:
    assert portal.send("GET", "/v?x=1").content == portal.send("GET", "/V").content


def test_no_page_fetches_from_elsewhere(portal: Portal) -> None:
    """Opened in a browser in tests/browser/test_docs.py; here no address of another host is named."""
    page = portal.send("GET", "/docs")
    assert page.status_code == 200
    fetched = re.findall(r'(?:src|href|url)\s*[=:]\s*["\']([^"\']+)', page.text)
    assert fetched
    assert [one for one in fetched if not one.startswith("/") or one.startswith("//")] == []
    refused(portal.send("GET", "/redoc"), 404)


# -- health ---------------------------------------------------------------------------------------


def test_the_service_says_that_it_lives_and_is_ready(portal: Portal) -> None:
    assert get(portal, "/health/live")["status"] == "live"
    body = get(portal, "/health/ready")
    assert body["status"] == "ready"
    assert body["log_size"] == portal.counts()[1]


def test_ready_names_rights_whose_end_no_key_proves(desk: Portal, clock: SettableClock) -> None:
    """The agency brings its certificates itself: without a next one nothing but receipts dates it."""
    desk.registry.register.disallow(PLANNING.code, [WORKS], basis="穗编办5号", by=CLERK)
    assert get(desk, "/health/ready")["unproven"] == []
    pending = "DELETE FROM keys WHERE state = 'pending'"
    desk.registry.store.write(lambda tx: tx.connection.exec_driver_sql(pending))
    desk.registry.keys.ring.forget()
    last = civil_date(clock.now, PLANNING.time_zone)
    clock.move(timedelta(days=2))
    desk.registry.settlement.settle()
    (one,) = get(desk, "/health/ready")["unproven"]
    assert one == {"agency": PLANNING.code, "type": WORKS, "to": str(last)}


# -- the register ---------------------------------------------------------------------------------


def places(desk: Portal, items: list[dict[str, Any]]) -> list[int]:
    """Check each act against the trust file as any outsider can; give their places in the log."""
    (trusted,) = parse_trust(desk.send("GET", "/trust.json").content).registries
    found = []
    for one in items:
        jws, _, act = parse_register(one["statement"])
        verify_jws(jws, trusted.registry_key(jws.header.chain, act.at).key)
        receipt, kind = parse_receipt(one["receipt"]), act.type or "-"
        signed = one["statement"].encode()
        verify_receipt(receipt, signed=signed, issuer=act.agency, kind=kind, logs=trusted.logs)
        found.append(receipt.index)
    return found


def test_the_register_is_listed_in_the_order_of_the_log(desk: Portal) -> None:
    """Whoever follows it asks behind the last place that he has; each act proves itself."""
    desk.registry.log.publish()
    answer = desk.send("GET", "/register")
    assert answer.headers["access-control-allow-origin"] == "*"
    items = answer.json()["items"]
    known = places(desk, items)
    assert known == sorted(known)
    assert get(desk, f"/register?after={known[2]}")["items"] == items[3:]
    assert get(desk, f"/register?after={known[-1]}") == {"items": [], "next": None}
    refused(desk.send("GET", "/register?after=-2"), 400)


def test_the_register_shows_what_is_published(desk: Portal) -> None:
    desk.registry.log.publish()
    newest = places(desk, get(desk, "/register")["items"])[-1]
    desk.registry.register.disallow(CONSTRUCTION.code, [RURAL], basis="穗编办5号", by=CLERK)
    assert get(desk, f"/register?after={newest}")["items"] == []
    desk.registry.log.publish()
    (one,) = get(desk, f"/register?after={newest}")["items"]
    _, _, act = parse_register(one["statement"])
    assert (act.agency, act.type) == (CONSTRUCTION.code, RURAL)


def test_a_long_register_comes_in_pages(desk: Portal) -> None:
    for agency in (AUDIT_OFFICE, MARKET, REFORM):
        desk.registry.agencies.add(agency, by=CLERK, may_issue=EVERY_TYPE)
    size = desk.registry.log.head().size
    desk.registry.log.publish()
    found: list[int] = []
    after: str | None = "-1"
    while after is not None:
        page = get(desk, f"/register?after={after}")
        assert 0 < len(page["items"]) <= 20
        found, after = found + places(desk, page["items"]), page["next"]
    assert found == list(range(size))  # nothing but acts upon the register was done here


# -- what was never issued here -------------------------------------------------------------------


def test_what_a_stolen_key_signed_is_unknown_here(desk: Portal, a_draft: Drafts) -> None:
    record = desk.registry.certificates.issue(
        WORKS, a_draft(), by=CLERK, agency=PLANNING.code
    ).record
    made = Sd.of(record.credential).changed(number="建字第4401142026GG0000779号")
    forged = made.signed(Stolen(desk.registry).key(Role.AGENCY, PLANNING.code))
    report = verify(desk, forged.encode(), CREDENTIAL)
    assert report["verdict"] == "invalid"
    codes = {one["step"]: one["code"] for one in report["steps"]}
    assert (codes["signature"], codes["log"]) == ("signature_good", "unknown_here")
    assert verify(desk, record.credential.encode(), CREDENTIAL)["verdict"] == "valid"
