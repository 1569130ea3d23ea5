"""Status lists against the draft's vectors, and the tokens that carry them."""

from __future__ import annotations

import hashlib
import itertools
import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecert._encoding import b64url, parse_b64url
from ecert.errors import EcertError, InputError, SignatureError, TokenError
from ecert.formats._jws import STATUS_DETAILS, STATUS_LIST, parse_compact, sign_jws, verify_jws
from ecert.formats.status_list import (
    BITS,
    LIFETIME,
    LIST_BITS,
    LIST_SIZE,
    MAX_LIST_BYTES,
    TTL,
    VALUES,
    Detail,
    StatusList,
    details_uri,
    pack,
    parse_list,
    shuffle,
    sign_details,
    sign_list,
    verify_details,
    verify_list,
)
from ecert.keys import (
    Compromise,
    FileSigner,
    Role,
    TrustedRegistry,
    make_leaf,
    make_root,
    make_signer,
    parse_jwk,
)
from ecert.model import Status
from tests.conftest import vector, vectors

URI = "https://zz.example.cn/status/1"
START = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
NOW = int(START.timestamp())
LISTS = [name for name in vectors("status_list") if "token" not in name]


def statuses_of(case: dict[str, Any]) -> dict[int, int]:
    found = case["statuses"]
    pairs = enumerate(found) if isinstance(found, list) else found.items()
    return {int(index): value for index, value in pairs}


# -- the draft's vectors ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", LISTS)
def test_a_published_list_is_read(name: str) -> None:
    case = vector(name)
    statuses = statuses_of(case)
    found = parse_list({"bits": case["bits"], "lst": case["lst"]})
    assert len(found.data) * 8 // case["bits"] == case["size"]
    assert {index: found[index] for index in statuses} == statuses
    total = sum(found[index] != 0 for index in range(case["size"]))
    assert total == sum(value != 0 for value in statuses.values())


@pytest.mark.parametrize("name", LISTS)
def test_a_published_list_is_packed_to_the_same_bytes(name: str) -> None:
    case = vector(name)
    packed = pack(statuses_of(case), size=case["size"], bits=case["bits"])
    if "raw_hex" in case:
        assert packed.data.hex() == case["raw_hex"]
    else:
        assert hashlib.sha256(packed.data).hexdigest() == case["raw_sha256"]
    assert zlib.decompress(parse_b64url(case["lst"])) == packed.data
    claim = packed.to_json()
    assert claim["bits"] == case["bits"]
    assert zlib.decompress(parse_b64url(claim["lst"])) == packed.data
    assert parse_list(claim) == packed


def test_the_published_token_verifies_and_reads() -> None:
    case = vector("status_list/token_jwt.json")
    jws = parse_compact(case["token"], typ=STATUS_LIST)
    assert (jws.header.alg, jws.header.kid) == (case["header"]["alg"], case["header"]["kid"])
    verify_jws(jws, parse_jwk(case["issuer_jwk"]))
    assert jws.unverified_claims() == case["claims"]
    found = parse_list(jws.unverified_claims()["status_list"])
    assert [found[index] for index in range(16)] == case["statuses"]


def test_the_published_cwt_token_holds_the_same_list() -> None:
    case = vector("status_list/token_cwt.json")
    payload = cbor2.loads(cbor2.loads(bytes.fromhex(case["cose_sign1_hex"])).value[2])
    found = parse_list({"bits": payload[65533]["bits"], "lst": b64url(payload[65533]["lst"])})
    short = vector("status_list/short_1bit.json")
    assert [found[index] for index in range(16)] == short["statuses"]


# -- packing ---------------------------------------------------------------------------------------


@given(st.data())
def test_packed_values_are_read_back_and_all_others_are_zero(data: st.DataObject) -> None:
    bits = data.draw(st.sampled_from([1, 2, 4, 8]))
    size = data.draw(st.integers(1, 400))
    values = data.draw(
        st.dictionaries(st.integers(0, size - 1), st.integers(0, 2**bits - 1), max_size=40)
    )
    packed = parse_list(pack(values, size=size, bits=bits).to_json())
    assert [packed[index] for index in range(size)] == [values.get(i, 0) for i in range(size)]


@pytest.mark.parametrize("index", [-1, LIST_SIZE, 10**20])
def test_an_index_outside_the_list_is_refused(index: int) -> None:
    with pytest.raises(InputError):
        pack({})[index]


def test_our_lists_have_two_bits_and_65536_places() -> None:
    packed = pack({0: 1, LIST_SIZE - 1: 3})
    assert (packed.bits, len(packed.data)) == (BITS, 16384)
    assert (packed[0], packed[1], packed[LIST_SIZE - 1]) == (1, 0, 3)


def test_every_stored_status_has_a_value_of_two_bits() -> None:
    assert VALUES == {
        Status.VALID: 0,
        Status.CANCELLED: 1,
        Status.WITHDRAWN: 1,
        Status.REVOKED: 1,
        Status.SUSPENDED: 2,
        Status.SUPERSEDED: 3,
    }


# -- claims with a fault ---------------------------------------------------------------------------


def lst(data: bytes) -> str:
    return b64url(zlib.compress(data, 9))


@pytest.mark.parametrize(
    "claim",
    [
        None,
        [],
        "x",
        {},
        {"bits": 1},
        {"lst": lst(b"x")},
        {"bits": 3, "lst": lst(b"x")},
        {"bits": 0, "lst": lst(b"x")},
        {"bits": "2", "lst": lst(b"x")},
        {"bits": None, "lst": lst(b"x")},
        {"bits": 2, "lst": None},
        {"bits": 2, "lst": 5},
        {"bits": 2, "lst": ""},
        {"bits": 2, "lst": "AAAA"},
        {"bits": 2, "lst": lst(b"x") + "="},
        {"bits": 2, "lst": "!"},
        {"bits": 2, "lst": lst(b"x" * 100)[:-4]},
        {"bits": 2, "lst": lst(b"x" * 100)[:8]},
        {"bits": 2, "lst": b64url(zlib.compress(b"x") + b"more")},
        {"bits": 2, "lst": b64url(zlib.compress(b"x") + zlib.compress(b"y"))},
        {"bits": 2, "lst": b64url(zlib.compress(b"xyz")[:-1] + b"\0")},
        {"bits": 2, "lst": b64url(zlib.compress(b"x" * 9, wbits=-15))},
        {"bits": 2, "lst": b64url(zlib.compress(b"x" * 9, wbits=31))},
    ],
    ids=str,
)
def test_a_malformed_list_is_refused(claim: object) -> None:
    with pytest.raises(InputError):
        parse_list(claim)


@pytest.mark.parametrize("bits", [[], {}, [2], 2.0, True])
def test_bits_that_are_no_integer_are_refused(bits: object) -> None:
    with pytest.raises(InputError):
        parse_list({"bits": bits, "lst": lst(bytes(16))})


def test_a_zip_bomb_is_refused_before_it_unfolds() -> None:
    bomb = zlib.compress(bytes(MAX_LIST_BYTES * 16), 9)
    with pytest.raises(InputError):
        parse_list({"bits": 8, "lst": b64url(bomb)})
    with pytest.raises(InputError):
        parse_list({"bits": 8, "lst": lst(bytes(MAX_LIST_BYTES + 1))})


def test_a_million_places_of_eight_bits_are_no_bomb() -> None:
    assert parse_list({"bits": 8, "lst": lst(bytes(1 << 20))})[(1 << 20) - 1] == 0


@given(st.binary(max_size=60))
def test_any_bytes_are_a_list_or_an_input_error(data: bytes) -> None:
    try:
        found = parse_list({"bits": 2, "lst": b64url(data)})
    except InputError:
        return
    assert zlib.decompress(data) == found.data


# -- unpredictable places --------------------------------------------------------------------------

KEY = bytes(range(32))


def test_the_shuffle_is_a_permutation_of_the_whole_range() -> None:
    assert LIST_SIZE == 1 << LIST_BITS == 65536
    assert sorted(shuffle(place, KEY, 1) for place in range(LIST_SIZE)) == list(range(LIST_SIZE))


@given(st.binary(min_size=16, max_size=32), st.integers(0, 2**63), st.integers(0, LIST_SIZE - 257))
def test_neighbours_never_meet(key: bytes, number: int, first: int) -> None:
    places = {shuffle(first + one, key, number) for one in range(256)}
    assert len(places) == 256
    assert places <= set(range(LIST_SIZE))


def test_the_shuffle_differs_by_key_and_by_list() -> None:
    def order(key: bytes, number: int) -> list[int]:
        return [shuffle(place, key, number) for place in range(512)]

    orders = [order(KEY, 1), order(KEY, 2), order(bytes(32), 1), order(bytes(32), 2)]
    for one, other in ((a, b) for a in range(4) for b in range(a)):
        same = sum(x == y for x, y in zip(orders[one], orders[other], strict=True))
        assert same < 8
    assert order(KEY, 1) == orders[0]


def test_the_shuffle_is_not_sequential() -> None:
    order = [shuffle(place, KEY, 1) for place in range(1024)]
    assert sum(b - a == 1 for a, b in itertools.pairwise(order)) < 8
    assert len({place >> 8 for place in order}) > 200


# -- tokens ----------------------------------------------------------------------------------------


class Desk:
    """A status key under a root that a verifier trusts."""

    def __init__(self) -> None:
        self.root_signer = make_signer()
        self.root = make_root(self.root_signer, "zz.example.cn", START)
        self.signer = make_signer()
        self.chain = self.leaf(self.signer, Role.STATUS)
        self.registry = self.trusting()

    def leaf(self, signer: FileSigner, role: Role) -> tuple[bytes, ...]:
        code = "11440114MA00000928"
        name = "zz.example.cn"
        return (
            make_leaf(
                self.root,
                self.root_signer,
                signer.public_key,
                role=role,
                name=name,
                code=code,
                now=START,
            ),
        )

    def trusting(
        self,
        retired: Mapping[str, datetime] | None = None,
        compromised: Mapping[str, Compromise] | None = None,
    ) -> TrustedRegistry:
        return TrustedRegistry(
            "https://zz.example.cn",
            {},
            (self.root,),
            retired=retired or {},
            compromised=compromised or {},
        )

    def token(self, typ: str = STATUS_LIST, **changes: Any) -> str:
        """Sign a list token with members changed; None takes one away."""
        claims: dict[str, Any] = {"sub": URI, "iat": NOW, "exp": NOW + 60, "ttl": 60}
        claims["status_list"] = pack({7: 1}).to_json()
        claims["details"] = {}
        kept = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return sign_jws(json.dumps(kept).encode(), self.signer, typ=typ, chain=self.chain)


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


def test_a_signed_list_verifies_and_says_its_age(desk: Desk) -> None:
    token = sign_list(URI, {5: 2}, desk.signer, chain=desk.chain, now=NOW)
    found = verify_list(token, uri=URI, registry=desk.registry)
    assert found.uri == URI
    assert (found.statuses[5], found.statuses[6]) == (2, 0)
    assert (found.issued_at, found.expires_at) == (NOW, NOW + LIFETIME)


def test_pyjwt_reads_a_signed_list(desk: Desk) -> None:
    token = sign_list(URI, {5: 2}, desk.signer, chain=desk.chain, now=NOW)
    header = jwt.get_unverified_header(token)
    assert (header["typ"], header["alg"]) == ("statuslist+jwt", "ES256")
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, desk.signer.public_key, algorithms=["ES256"], options=options)
    assert claims["sub"] == URI
    assert claims["ttl"] == TTL == 60
    assert claims["exp"] - claims["iat"] == 24 * 3600
    assert zlib.decompress(parse_b64url(claims["status_list"]["lst"]))[1] == 2 << 2


def test_signed_details_round_trip(desk: Desk) -> None:
    details = {
        9: Detail(Status.SUPERSEDED, NOW, 1, "1.2.156.3005.2.x"),
        70: Detail(Status.WITHDRAWN, NOW - 5, 3),
    }
    uri = details_uri(URI, 0)
    token = sign_details(uri, details, desk.signer, chain=desk.chain, now=NOW)
    assert verify_details(token, uri=uri, registry=desk.registry).details == details


@pytest.mark.parametrize(
    "uri",
    ["", URI + "/", URI + "0", URI.upper(), "https://zz.example.cn/status/2", URI + "/details"],
)
def test_a_token_speaks_of_its_own_list_only(desk: Desk, uri: str) -> None:
    with pytest.raises((SignatureError, TokenError)):
        verify_list(desk.token(), uri=uri, registry=desk.registry)


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": None},
        {"sub": [URI]},
        {"iat": None},
        {"exp": None},
        {"iat": str(NOW)},
        {"iat": float(NOW)},
        {"exp": True},
        {"iat": NOW - 1},
        {"iat": 10**18},
        {"iat": -(10**18)},
        {"status_list": None},
        {"status_list": "x"},
        {"status_list": {"bits": 3, "lst": lst(b"x")}},
        {"status_list": {"bits": 2, "lst": "AAAA"}},
    ],
    ids=str,
)
def test_a_list_token_with_a_fault_is_refused(desk: Desk, changes: dict[str, Any]) -> None:
    with pytest.raises(EcertError):
        verify_list(desk.token(**changes), uri=URI, registry=desk.registry)


@pytest.mark.parametrize(
    "details",
    [
        None,
        [],
        "x",
        {"x": {}},
        {"1": None},
        {"1": []},
        {"1": {"status": "valid"}},
        {"1": {"status": "gone", "since": 1, "changes": 1}},
        {"1": {"status": [], "since": 1, "changes": 1}},
        {"1": {"status": "revoked", "since": [], "changes": 1}},
        {"1": {"status": "revoked", "since": 1, "changes": "x"}},
        {"1": {"status": "revoked", "since": 1, "changes": 1, "successor": 5}},
    ],
    ids=str,
)
def test_a_details_token_with_a_fault_is_refused(desk: Desk, details: Any) -> None:
    token = desk.token(STATUS_DETAILS, details=details)
    with pytest.raises(TokenError):
        verify_details(token, uri=URI, registry=desk.registry)


def test_a_number_beyond_all_numbers_is_refused(desk: Desk) -> None:
    detail = '{"1":{"status":"revoked","since":1e999,"changes":1}}'
    payload = f'{{"sub":"{URI}","iat":{NOW},"exp":{NOW + 60},"details":{detail}}}'.encode()
    token = sign_jws(payload, desk.signer, typ=STATUS_DETAILS, chain=desk.chain)
    with pytest.raises(TokenError):
        verify_details(token, uri=URI, registry=desk.registry)


def test_a_list_is_no_details_and_the_reverse(desk: Desk) -> None:
    with pytest.raises(TokenError):
        verify_details(desk.token(STATUS_LIST), uri=URI, registry=desk.registry)
    with pytest.raises(TokenError):
        verify_list(desk.token(STATUS_DETAILS), uri=URI, registry=desk.registry)
    with pytest.raises(TokenError):
        verify_list(desk.token("JWT"), uri=URI, registry=desk.registry)


def test_only_a_status_key_signs_a_list(desk: Desk) -> None:
    chain = desk.leaf(desk.signer, Role.AGENCY)
    token = sign_list(URI, {}, desk.signer, chain=chain, now=NOW)
    with pytest.raises(SignatureError):
        verify_list(token, uri=URI, registry=desk.registry)


def test_the_chain_must_be_the_signers(desk: Desk) -> None:
    stranger = make_signer()
    for chain in (desk.chain, ()):
        token = sign_list(URI, {}, stranger, chain=chain, now=NOW)
        with pytest.raises(EcertError):
            verify_list(token, uri=URI, registry=desk.registry)
    token = sign_list(URI, {}, desk.signer, chain=desk.chain, now=NOW)
    with pytest.raises(SignatureError):
        verify_list(token, uri=URI, registry=Desk().registry)


def test_a_retired_status_key_is_good_for_what_it_signed_before(desk: Desk) -> None:
    later = desk.trusting(retired={desk.signer.kid: START + timedelta(seconds=1)})
    assert verify_list(desk.token(), uri=URI, registry=later).issued_at == NOW
    for moment in (START, START - timedelta(days=1)):
        with pytest.raises(SignatureError):
            verify_list(
                desk.token(), uri=URI, registry=desk.trusting(retired={desk.signer.kid: moment})
            )


def test_a_compromised_status_key_is_good_for_nothing(desk: Desk) -> None:
    gone = desk.trusting(compromised={desk.signer.kid: Compromise(START + timedelta(days=9), 5)})
    with pytest.raises(SignatureError):
        verify_list(desk.token(), uri=URI, registry=gone)


def test_a_list_is_a_value(desk: Desk) -> None:
    token = desk.token()
    first = verify_list(token, uri=URI, registry=desk.registry)
    assert first == verify_list(token, uri=URI, registry=desk.registry)
    assert first.statuses == StatusList(BITS, pack({7: 1}).data)
