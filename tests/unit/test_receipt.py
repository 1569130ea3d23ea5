"""Receipts: a worked vector recomputed with hashlib and cryptography alone, and every damage."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from ecert.errors import EcertError, NoteError, ReceiptError, SignatureError
from ecert.formats.merkle import Edge, append, inclusion_path, leaf_hash
from ecert.formats.note import Checkpoint, log_key, sign_note
from ecert.formats.receipt import (
    HEAD,
    MAX_RECEIPT_BYTES,
    Receipt,
    commitment,
    log_entry,
    parse_receipt,
    verify_receipt,
)
from ecert.keys import EDDSA, ClosedLog, FileSigner, TrustedLog, make_signer
from tests.conftest import vector
from tests.unit.conftest import Examples

WORKED: dict[str, Any] = vector("receipt/worked.json")
CASES = {case["name"]: case for case in WORKED["cases"]}
LOG = TrustedLog(WORKED["log_vkey"], (WORKED["witness_vkey"],), 1)
each_case = pytest.mark.parametrize("case", WORKED["cases"], ids=list(CASES))


def check(text: str, *, signed: str | None, logs: tuple[TrustedLog, ...] = (LOG,)) -> Checkpoint:
    raw = None if signed is None else signed.encode("ascii")
    issuer, kind = WORKED["issuer"], WORKED["type"]
    return verify_receipt(parse_receipt(text), signed=raw, issuer=issuer, kind=kind, logs=logs)


# -- the worked vector, recomputed with nothing of ours --------------------------------------------


def unb64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify_note_line(vkey: str, text: str, lines: list[str]) -> None:
    """Check one signature line of a note under a C2SP key, a log's or a witness's."""
    name, key_id, material = vkey.split("+", 2)
    raw = base64.b64decode(material)
    assert hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() == key_id
    (line,) = (line for line in lines if line.startswith(f"\u2014 {name} "))
    blob = base64.b64decode(line.split(" ")[2])
    assert blob[:4].hex() == key_id
    key = ed25519.Ed25519PublicKey.from_public_bytes(raw[1:])
    if raw[0] == 0x04:
        time = int.from_bytes(blob[4:12], "big")
        key.verify(blob[12:], f"cosignature/v1\ntime {time}\n{text}".encode())
    else:
        assert raw[0] == 0x01
        key.verify(blob[4:], text.encode())


def root_from(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 6962 §2.1.1, followed downwards: which side each sibling stands on."""
    sides, start, end = [], 0, size
    while end - start > 1:
        k = 1
        while k * 2 < end - start:
            k *= 2
        is_left = index < start + k
        sides.append(is_left)
        start, end = (start, start + k) if is_left else (start + k, end)
    found = leaf
    assert len(sides) == len(path)
    for is_left, sibling in zip(reversed(sides), path, strict=True):
        pair = found + sibling if is_left else sibling + found
        found = hashlib.sha256(b"\x01" + pair).digest()
    return found


@each_case
def test_the_worked_receipt_holds_by_hashlib_and_cryptography_alone(case: dict[str, Any]) -> None:
    head, _, note = case["receipt"].partition("\n\n")
    first, extra_line, index_line, *path_lines = head.split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    raw = base64.b64decode(extra_line.removeprefix("extra "))
    extra = json.loads(raw)
    compact = json.dumps(extra, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert raw == compact.encode()
    entry = extra["entry"]
    salted = unb64url(extra["salt"]) + case["signed"].encode("ascii")
    assert len(unb64url(extra["salt"])) == 16
    assert unb64url(entry["commitment"]) == hashlib.sha256(salted).digest()
    assert (entry["v"], entry["issuer"], entry["type"]) == (1, WORKED["issuer"], WORKED["type"])
    assert all(isinstance(value, str | int) for value in entry.values())

    canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    leaf = hashlib.sha256(b"\x00" + canonical.encode()).digest()
    index = int(index_line.removeprefix("index "))
    assert index == case["index"]
    text, _, signature_lines = note.rpartition("\n\n")
    origin, size, root = text.split("\n")
    path = [base64.b64decode(line) for line in path_lines]
    assert root_from(leaf, index, int(size), path) == base64.b64decode(root)

    assert origin == WORKED["log_vkey"].split("+")[0]
    lines = signature_lines.splitlines()
    verify_note_line(WORKED["log_vkey"], text + "\n", lines)
    verify_note_line(WORKED["witness_vkey"], text + "\n", lines)


@each_case
def test_the_worked_token_is_signed_by_the_agency(case: dict[str, Any]) -> None:
    x, y = (int.from_bytes(unb64url(WORKED["agency_jwk"][name]), "big") for name in ("x", "y"))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    signing_input, _, signature = case["signed"].rpartition(".")
    raw = unb64url(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    key.verify(encode_dss_signature(r, s), signing_input.encode(), ec.ECDSA(hashes.SHA256()))


def test_the_worked_statement_names_the_credential_and_its_entry() -> None:
    credential, statement = CASES["credential"], CASES["statement"]
    digest = hashlib.sha256(credential["signed"].encode("ascii")).digest()
    assert unb64url(WORKED["credential_digest"]) == digest
    claims = json.loads(unb64url(statement["signed"].split(".")[1]))
    assert unb64url(claims["credential_digest"]) == digest
    entries = {
        name: json.loads(base64.b64decode(case["receipt"].split("\n")[1].removeprefix("extra ")))
        for name, case in CASES.items()
    }
    assert entries["credential"]["entry"]["event"] == "issue"
    assert entries["statement"]["entry"]["event"] == "withdraw"
    assert entries["statement"]["entry"]["ref"] == credential["index"]


def test_the_vector_says_where_it_comes_from() -> None:
    assert "make_worked.py" in WORKED["origin"]


@each_case
def test_we_accept_the_worked_receipt_and_write_it_back(case: dict[str, Any]) -> None:
    checkpoint = check(case["receipt"], signed=case["signed"])
    assert checkpoint.size == 9
    assert str(parse_receipt(case["receipt"])) == case["receipt"]
    assert check(case["receipt"], signed=None) == checkpoint
    extra = json.loads(base64.b64decode(case["receipt"].split("\n")[1].removeprefix("extra ")))
    salt = unb64url(extra["salt"])
    assert commitment(salt, case["signed"].encode()) == extra["entry"]["commitment"]


# -- damage ----------------------------------------------------------------------------------------

GOOD: str = CASES["credential"]["receipt"]
SIGNED: str = CASES["credential"]["signed"]
LINES = GOOD.split("\n")


@pytest.mark.parametrize("number", range(len(LINES) - 1))
def test_a_missing_line_is_noticed(number: int) -> None:
    is_cosignature = LINES[number].startswith("\u2014 witness")
    text = "\n".join(LINES[:number] + LINES[number + 1 :])
    with pytest.raises((ReceiptError, SignatureError, NoteError)):
        check(text, signed=SIGNED)
    if is_cosignature:
        assert check(text, signed=SIGNED, logs=(TrustedLog(LOG.vkey),)).size == 9


@pytest.mark.parametrize("number", [n for n, line in enumerate(LINES) if line])
def test_a_damaged_line_is_noticed(number: int) -> None:
    line = LINES[number]
    for place in range(0, len(line), max(1, len(line) // 12)):
        other = "B" if line[place] != "B" else "C"
        damaged = [*LINES[:number], line[:place] + other + line[place + 1 :], *LINES[number + 1 :]]
        with pytest.raises((ReceiptError, SignatureError, NoteError)):
            check("\n".join(damaged), signed=SIGNED)


@pytest.mark.parametrize("number", range(len(LINES) - 1))
def test_a_repeated_line_is_noticed(number: int) -> None:
    if LINES[number].startswith("\u2014"):
        return  # a signature may stand there twice
    text = "\n".join([*LINES[: number + 1], *LINES[number:]])
    with pytest.raises((ReceiptError, SignatureError, NoteError)):
        check(text, signed=SIGNED)


@given(
    st.integers(0, len(GOOD) - 1), st.characters(max_codepoint=0x2FFF, exclude_categories=["Cs"])
)
def test_any_changed_character_is_noticed(place: int, letter: str) -> None:
    if GOOD[place] == letter:
        return
    with pytest.raises((ReceiptError, SignatureError, NoteError)):
        check(GOOD[:place] + letter + GOOD[place + 1 :], signed=SIGNED)


@pytest.mark.parametrize(
    "change",
    [
        ("index 3", "index 03"),
        ("index 3", "index -3"),
        ("index 3", "index"),
        ("index 3", "index 4"),
        ("index 3", "index 3 "),
        ("index 3", "index \uff13"),
        ("index 3", "index " + "9" * 30),
        (HEAD, HEAD.upper()),
        (HEAD, "c2sp.org/tlog-proof@v2"),
        ("extra ", "extra  "),
        ("extra ", ""),
        ("\n", "\r\n"),
    ],
)
def test_another_spelling_is_noticed(change: tuple[str, str]) -> None:
    with pytest.raises((ReceiptError, SignatureError, NoteError)):
        check(GOOD.replace(*change), signed=SIGNED)


def test_a_receipt_belongs_to_its_own_document() -> None:
    with pytest.raises(SignatureError):
        check(GOOD, signed=CASES["statement"]["signed"])
    with pytest.raises(SignatureError):
        check(GOOD, signed=SIGNED + "A")
    with pytest.raises(SignatureError):
        check(GOOD, signed="")


@pytest.mark.parametrize(
    ("issuer", "kind"), [("11440114MA0000093B", WORKED["type"]), (WORKED["issuer"], "other-type")]
)
def test_a_receipt_belongs_to_its_own_issuer_and_type(issuer: str, kind: str) -> None:
    with pytest.raises(SignatureError):
        verify_receipt(parse_receipt(GOOD), signed=None, issuer=issuer, kind=kind, logs=[LOG])


def test_only_a_trusted_log_counts_and_its_witnesses_must_have_signed() -> None:
    stranger = log_key(LOG.vkey.split("+")[0], make_signer(EDDSA))
    for logs in (
        (),
        (TrustedLog(str(stranger)),),
        (TrustedLog(WORKED["witness_vkey"]),),
        (TrustedLog(LOG.vkey, LOG.witnesses, 2),),
        (TrustedLog(LOG.vkey, (), 1),),
    ):
        with pytest.raises(SignatureError):
            check(GOOD, signed=SIGNED, logs=logs)


# -- hand-made receipts ----------------------------------------------------------------------------


class Log:
    """A small log of our own, whose key is trusted."""

    def __init__(self) -> None:
        self.signer: FileSigner = make_signer(EDDSA)
        self.trusted = TrustedLog(str(log_key("log.example.org", self.signer)))

    def receipt(self, entries: list[bytes], index: int, salt: bytes, entry: Any) -> str:
        nodes: dict[tuple[int, int], bytes] = {}
        edge = append(
            Edge(),
            [leaf_hash(one) for one in entries],
            lambda level, place, node: nodes.update({(level, place): node}),
        )
        path = inclusion_path(index, len(entries), lambda level, place: nodes[level, place])
        note = sign_note(
            str(Checkpoint("log.example.org", edge.size, edge.root)), "log.example.org", self.signer
        )
        return str(Receipt(index, tuple(path), note, salt, entry))


SALT = bytes(16)


def entry_of(signed: bytes, **changes: Any) -> bytes:
    members = {
        "event": "issue",
        "time": "2026-03-02T01:30:00Z",
        "issuer": WORKED["issuer"],
        "kind": WORKED["type"],
        "commitment": commitment(SALT, signed),
    }
    return log_entry(**{**members, **changes})


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=20), st.data())
def test_any_entry_of_any_log_has_a_receipt_that_holds(
    documents: list[bytes], data: st.DataObject
) -> None:
    log, index = Log(), data.draw(st.integers(0, len(documents) - 1))
    entries = [entry_of(document) for document in documents]
    text = log.receipt(entries, index, SALT, json.loads(entries[index]))
    read = parse_receipt(text)
    facts: Any = {"issuer": WORKED["issuer"], "kind": WORKED["type"], "logs": [log.trusted]}
    assert verify_receipt(read, signed=documents[index], **facts).size == len(documents)
    with pytest.raises(SignatureError):
        verify_receipt(replace(read, index=len(documents)), signed=None, **facts)
    with pytest.raises(SignatureError):
        verify_receipt(read, signed=documents[index] + b"x", **facts)


def test_of_a_closed_log_only_what_it_held_then_counts() -> None:
    """Whoever has the key of a log that was closed may go on signing: nobody believes what follows."""
    log, documents = Log(), [b"first", b"second", b"third"]
    entries = [entry_of(document) for document in documents]
    closed = replace(log.trusted, closed=ClosedLog(2, bytes(32)))
    facts: Any = {"issuer": WORKED["issuer"], "kind": WORKED["type"], "logs": [closed]}
    for index, document in enumerate(documents):
        read = parse_receipt(log.receipt(entries, index, SALT, json.loads(entries[index])))
        if index < 2:
            assert verify_receipt(read, signed=document, **facts).size == 3
        else:
            with pytest.raises(SignatureError, match="closed"):
                verify_receipt(read, signed=document, **facts)


def test_an_entry_is_canonical_and_holds_no_more_than_it_says() -> None:
    entry = entry_of(b"x", ref=7)
    members = json.loads(entry)
    assert members.keys() == {"v", "event", "time", "issuer", "type", "commitment", "ref"}
    assert "ref" not in json.loads(entry_of(b"x"))
    assert entry == json.dumps(members, sort_keys=True, separators=(",", ":")).encode()


def with_extra(extra: Any) -> str:
    raw = extra if isinstance(extra, bytes) else json.dumps(extra, sort_keys=True).encode()
    if not isinstance(extra, bytes):
        raw = json.dumps(extra, sort_keys=True, separators=(",", ":")).encode()
    return "\n".join([LINES[0], f"extra {base64.b64encode(raw).decode()}", *LINES[2:]])


EXTRA = json.loads(base64.b64decode(LINES[1].removeprefix("extra ")))


@pytest.mark.parametrize(
    "extra",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"entry":{},"entry":{},"salt":"AAAAAAAAAAAAAAAAAAAAAA"}',
        json.dumps(EXTRA).encode(),
        json.dumps(EXTRA, indent=1).encode(),
        {},
        {"salt": EXTRA["salt"]},
        {"entry": EXTRA["entry"]},
        {**EXTRA, "more": 1},
        {**EXTRA, "entry": []},
        {**EXTRA, "entry": "x"},
        {**EXTRA, "salt": 1},
        {**EXTRA, "salt": None},
        {**EXTRA, "salt": ""},
        {**EXTRA, "salt": "AAAA"},
        {**EXTRA, "salt": EXTRA["salt"] + "AA"},
        {**EXTRA, "salt": EXTRA["salt"] + "=="},
    ],
    ids=str,
)
def test_another_extra_is_refused(extra: Any) -> None:
    with pytest.raises(ReceiptError):
        parse_receipt(with_extra(extra))


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**64, 10**30])
def test_an_entry_with_a_number_that_json_cannot_hold_is_refused(number: int) -> None:
    with pytest.raises(ReceiptError):
        parse_receipt(with_extra({**EXTRA, "entry": {**EXTRA["entry"], "v": number}}))


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": "1"},
        {"v": True},
        {"v": None},
        {"issuer": 1},
        {"type": []},
        {"commitment": 1},
    ],
    ids=str,
)
def test_an_entry_with_a_fault_does_not_hold(change: dict[str, Any]) -> None:
    text = with_extra({**EXTRA, "entry": {**EXTRA["entry"], **change}})
    with pytest.raises((ReceiptError, SignatureError)):
        check(text, signed=SIGNED)


@pytest.mark.parametrize(
    "text", ["", "\n", "\n\n", HEAD, f"{HEAD}\n\n", f"{HEAD}\nextra \nindex 0\n\n"]
)
def test_what_is_no_receipt_is_refused(text: str) -> None:
    with pytest.raises(ReceiptError):
        parse_receipt(text)


def test_a_receipt_is_bounded() -> None:
    with pytest.raises(ReceiptError):
        parse_receipt(GOOD + "x" * MAX_RECEIPT_BYTES)
    longer = [*LINES[:3], *[base64.b64encode(bytes(32)).decode()] * 65, *LINES[LINES.index("") :]]
    with pytest.raises(ReceiptError):
        parse_receipt("\n".join(longer))
    wide = [*LINES[:3], base64.b64encode(bytes(31)).decode(), *LINES[LINES.index("") :]]
    with pytest.raises(ReceiptError):
        parse_receipt("\n".join(wide))


@given(
    st.text(max_size=200)
    | st.text(max_size=60).map(lambda text: f"{HEAD}\nextra {text}\nindex 0\n\n")
)
def test_any_text_is_refused_in_good_order(text: str) -> None:
    with pytest.raises(ReceiptError):
        parse_receipt(text)


@given(st.binary(max_size=60))
def test_any_extra_is_refused_in_good_order(raw: bytes) -> None:
    with pytest.raises(ReceiptError):
        parse_receipt(with_extra(raw))


def test_a_real_registrys_receipts_hold(examples: Examples) -> None:
    logs = examples.trust.registries[0].logs
    size = 1 + max(record.log_index for record in examples.records.values())
    for slug, record in examples.records.items():
        receipt = parse_receipt(str(examples.registry.log.receipt(record.log_index)))
        signed = record.credential.partition("~")[0].encode("ascii")
        facts: Any = {"issuer": record.issuer, "kind": slug, "logs": logs}
        assert verify_receipt(receipt, signed=signed, **facts).size == size
        with contextlib.suppress(EcertError):
            verify_receipt(receipt, signed=signed[:-1], **facts)
            pytest.fail("another document was accepted")
