"""Receipts that prove nothing, logs that are not ours, and keys that fell into wrong hands."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from ecert.keys import Role, Trust
from ecert.model import Basis, Operation, Record
from ecert.registry import Registry
from ecert.testing import SettableClock
from tests.adversary.forge import (
    Cose,
    Sd,
    Stolen,
    Wish,
    b64,
    b64url,
    days,
    elsewhere,
    expect,
    flip,
    malleate_jwt,
    pack,
    trust_with,
    unpack,
    verifier_of,
)
from tests.conftest import CLERK, CONSTRUCTION, PLANNING, WORKS

Drafts = Callable[..., dict[str, Any]]
GOOD = {"read": "read_credential", "signature": "signature_good", "status": "status_good"}


# -- a receipt taken apart, and a log of one's own, after the C2SP texts alone ---------------------------


@dataclass
class Paper:
    """A receipt taken apart."""

    salt: str
    entry: dict[str, Any]
    index: int
    path: list[bytes]
    checkpoint: str

    @classmethod
    def of(cls, text: str) -> Paper:
        head, _, checkpoint = text.partition("\n\n")
        _, extra, index, *path = head.split("\n")
        shown = json.loads(base64.b64decode(extra.removeprefix("extra ")))
        nodes = [base64.b64decode(line) for line in path]
        number = int(index.removeprefix("index "))
        return cls(shown["salt"], shown["entry"], number, nodes, checkpoint)

    def changed(self, **members: Any) -> str:
        return str(replace(self, **members))

    def with_entry(self, **members: Any) -> str:
        return self.changed(entry={**self.entry, **members})

    def __str__(self) -> str:
        extra = canonical({"salt": self.salt, "entry": self.entry})
        lines = ["c2sp.org/tlog-proof@v1", f"extra {b64(extra)}", f"index {self.index}"]
        return "\n".join([*lines, *map(b64, self.path)]) + "\n\n" + self.checkpoint

    @property
    def text(self) -> str:
        """The checkpoint's text, without its signatures."""
        return self.checkpoint.partition("\n\n")[0] + "\n"


def canonical(value: Any) -> bytes:
    """RFC 8785 for ASCII names and integers."""
    plain = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return plain.encode()


def commit(salt: bytes, signed: str) -> str:
    return b64url(hashlib.sha256(salt + signed.encode("ascii")).digest())


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


@dataclass
class OwnLog:
    """A log that anybody can run: one entry, one checkpoint, signed as C2SP says."""

    name: str
    key: ed25519.Ed25519PrivateKey = field(default_factory=ed25519.Ed25519PrivateKey.generate)

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def key_id(self, kind: int) -> bytes:
        named = self.name.encode() + b"\n" + bytes([kind]) + self.public
        return hashlib.sha256(named).digest()[:4]

    def vkey(self, kind: int = 1) -> str:
        return f"{self.name}+{self.key_id(kind).hex()}+{b64(bytes([kind]) + self.public)}"

    def line(self, text: str) -> str:
        return f"\u2014 {self.name} {b64(self.key_id(1) + self.key.sign(text.encode()))}\n"

    def cosign(self, text: str, seconds: int = 1772415000) -> str:
        message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
        blob = self.key_id(4) + seconds.to_bytes(8, "big") + self.key.sign(message)
        return f"\u2014 {self.name} {b64(blob)}\n"

    def checkpoint(self, size: int, root: bytes, origin: str | None = None) -> str:
        text = f"{origin or self.name}\n{size}\n{b64(root)}\n"
        return f"{text}\n{self.line(text)}"

    def receipt(self, entry: dict[str, Any], salt: bytes) -> str:
        """Prove an entry that is alone in the log: the root is its own hash."""
        root = leaf_hash(canonical(entry))
        return str(Paper(b64url(salt), entry, 0, [], self.checkpoint(1, root)))


def entry_of(jwt: str, salt: bytes, **members: Any) -> dict[str, Any]:
    made = {
        "v": 1,
        "event": "issue",
        "time": "2026-03-02T01:30:00Z",
        "issuer": PLANNING.code,
        "type": WORKS,
        "commitment": commit(salt, jwt),
    }
    return {**made, **members}


def believing(registry: Registry, *logs: OwnLog, **changes: Any) -> Trust:
    """A trust file in which these logs stand in place of the registry's own."""

    def change(one: dict[str, Any]) -> None:
        if logs:
            one["logs"] = [{"vkey": log.vkey(), "witnesses": [], "quorum": 0} for log in logs]
        one.update(changes)

    return trust_with(registry, change=change)


@pytest.fixture
def text(registry: Registry, record: Record, other: Record) -> str:
    """The genuine receipt of the first certificate, in a log of two."""
    del other
    return str(registry.certificates.receipt(record.id, by=CLERK))


@pytest.fixture
def paper(text: str) -> Paper:
    return Paper.of(text)


def _check(registry: Registry, record: Record, receipt: str, code: str, verdict: str) -> None:
    report = registry.verify(record.credential, receipt=receipt)
    expect(report, verdict, **GOOD, log=code)


# -- the receipt ---------------------------------------------------------------------------------------


def test_the_genuine_receipt_is_good(
    registry: Registry, record: Record, text: str, paper: Paper
) -> None:
    assert str(paper) == text
    assert paper.path  # the register's own entries are before it
    _check(registry, record, text, "log_good", "valid")


def test_no_receipt_is_no_fault(registry: Registry, record: Record) -> None:
    expect(registry.verify(record.credential), "valid", **GOOD, log="no_receipt")


def test_the_receipt_of_another_document(
    registry: Registry, record: Record, other: Record, text: str
) -> None:
    theirs = str(registry.certificates.receipt(other.id, by=CLERK))
    _check(registry, record, theirs, "log_bad", "invalid")
    _check(registry, other, text, "log_bad", "invalid")


def test_the_receipt_does_not_fit_a_malleated_credential(
    registry: Registry, record: Record, text: str
) -> None:
    sd = Sd.of(record.credential)
    twin = sd.with_token(malleate_jwt(sd.jwt))
    expect(elsewhere(registry).verify(twin, receipt=text), "invalid", **GOOD, log="log_bad")


def test_the_receipt_of_a_statement_of_the_same_certificate(
    registry: Registry, record: Record, clock: SettableClock
) -> None:
    clock.move(days(1))
    for operation in (Operation.SUSPEND, Operation.RESUME):
        registry.certificates.operate(record.id, operation, basis=Basis("查", "决", "甲"), by=CLERK)
    for event in registry.certificates.history(record.id, by=CLERK):
        receipt = str(registry.log.receipt(event.log_index))
        _check(registry, record, receipt, "log_bad", "invalid")


def test_another_salt(registry: Registry, record: Record, paper: Paper) -> None:
    salt = b64url(bytes(16))
    _check(registry, record, paper.changed(salt=salt), "log_bad", "invalid")


def test_the_receipt_of_another_agencys_certificate(
    registry: Registry, record: Record, paper: Paper
) -> None:
    changed = paper.with_entry(issuer=CONSTRUCTION.code)
    _check(registry, record, changed, "log_bad", "invalid")


def test_the_receipt_of_another_type(registry: Registry, record: Record, paper: Paper) -> None:
    _check(registry, record, paper.with_entry(type="construction-permit"), "log_bad", "invalid")


@pytest.mark.parametrize(
    "members",
    [
        {"event": "suspend"},
        {"event": "issued"},
        {"time": "2026-03-01T01:30:00Z"},
        {"v": 2},
        {"v": "1"},
        {"commitment": b64url(bytes(32))},
        {"commitment": None},
        {"ref": 0},
        {"extra": "x"},
    ],
    ids=str,
)
def test_a_changed_entry(
    registry: Registry, record: Record, paper: Paper, members: dict[str, Any]
) -> None:
    _check(registry, record, paper.with_entry(**members), "log_bad", "invalid")


@pytest.mark.parametrize("name", ["v", "event", "time", "issuer", "type", "commitment"])
def test_an_entry_that_lacks_a_member(
    registry: Registry, record: Record, paper: Paper, name: str
) -> None:
    del paper.entry[name]
    _check(registry, record, str(paper), "log_bad", "invalid")


def test_a_damaged_path(registry: Registry, record: Record, paper: Paper) -> None:
    for place in (0, 15, 31):
        changed = paper.changed(path=[flip(paper.path[0], place)])
        _check(registry, record, changed, "log_bad", "invalid")


def test_a_path_that_is_too_short_or_too_long(
    registry: Registry, record: Record, paper: Paper
) -> None:
    for path in ([], paper.path * 2, [*paper.path, bytes(32)]):
        _check(registry, record, paper.changed(path=path), "log_bad", "invalid")


@pytest.mark.parametrize("index", [1, 2, 3, 2**62])
def test_a_changed_index(registry: Registry, record: Record, paper: Paper, index: int) -> None:
    _check(registry, record, paper.changed(index=index), "log_bad", "invalid")


def test_a_node_of_the_tree_in_place_of_a_leaf(
    registry: Registry, record: Record, paper: Paper
) -> None:
    """A tree of one entry whose root is the two-entry root: the leaf prefix forbids it."""
    root = base64.b64decode(paper.text.split("\n")[2])
    lie = paper.text.replace("\n2\n", "\n1\n")
    checkpoint = paper.checkpoint.replace(paper.text, lie)
    assert root in base64.b64decode(b64(root))
    changed = paper.changed(path=[], checkpoint=checkpoint)
    _check(registry, record, changed, "log_bad", "invalid")


# -- the checkpoint --------------------------------------------------------------------------------------


def test_a_changed_checkpoint_signature(registry: Registry, record: Record, paper: Paper) -> None:
    head, _, blob = paper.checkpoint.rstrip("\n").rpartition(" ")
    raw = base64.b64decode(blob)
    for place in (4, 30, len(raw) - 1):
        changed = paper.changed(checkpoint=f"{head} {b64(flip(raw, place))}\n")
        _check(registry, record, changed, "log_bad", "invalid")


def test_another_key_id_in_the_checkpoint(registry: Registry, record: Record, paper: Paper) -> None:
    head, _, blob = paper.checkpoint.rstrip("\n").rpartition(" ")
    changed = f"{head} {b64(flip(base64.b64decode(blob), 0))}\n"
    _check(registry, record, paper.changed(checkpoint=changed), "log_bad", "invalid")


def test_a_checkpoint_without_signature(registry: Registry, record: Record, paper: Paper) -> None:
    for checkpoint in (paper.text, paper.text + "\n", paper.text + "\n\n", ""):
        report = registry.verify(record.credential, receipt=paper.changed(checkpoint=checkpoint))
        assert report.verdict != "valid" or report.step("log").code == "log_unknown"
        assert report.step("log").code in {"log_bad", "log_unknown"}


def test_a_checkpoint_with_another_size_or_root_under_the_old_signature(
    registry: Registry, record: Record, paper: Paper
) -> None:
    origin, size, root, _ = paper.text.split("\n")
    for text in (f"{origin}\n3\n{root}\n", f"{origin}\n{size}\n{b64(bytes(32))}\n"):
        changed = paper.changed(checkpoint=paper.checkpoint.replace(paper.text, text))
        _check(registry, record, changed, "log_bad", "invalid")


def test_an_older_checkpoint_that_does_not_cover_the_entry(
    registry: Registry, record: Record, draft_of: Drafts
) -> None:
    old = Paper.of(str(registry.certificates.receipt(record.id, by=CLERK)))
    late = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    new = Paper.of(str(registry.certificates.receipt(late.id, by=CLERK)))
    changed = new.changed(checkpoint=old.checkpoint)
    _check(registry, late, changed, "log_bad", "invalid")


def test_a_forked_log_of_the_same_name_by_another_key(registry: Registry, record: Record) -> None:
    fork = OwnLog(registry.log.origin)
    jwt = record.credential.partition("~")[0]
    receipt = fork.receipt(entry_of(jwt, bytes(16)), bytes(16))
    _check(registry, record, receipt, "log_bad", "invalid")
    believer = verifier_of(registry, trust=believing(registry, fork), status=registry.status)
    expect(believer.verify(record.credential, receipt=receipt), "valid", **GOOD, log="log_good")


def test_the_genuine_signature_under_a_forks_checkpoint(
    registry: Registry, record: Record, paper: Paper
) -> None:
    fork = OwnLog(registry.log.origin)
    jwt = record.credential.partition("~")[0]
    forged = Paper.of(fork.receipt(entry_of(jwt, bytes(16)), bytes(16)))
    forged.checkpoint = forged.text + "\n" + paper.checkpoint.partition("\n\n")[2]
    _check(registry, record, str(forged), "log_bad", "invalid")


def test_a_good_signature_beside_a_bad_one_of_the_same_key(
    registry: Registry, record: Record, paper: Paper
) -> None:
    head, _, blob = paper.checkpoint.rstrip("\n").rpartition(" ")
    line = head.rpartition("\n")[2] + " " + b64(flip(base64.b64decode(blob), 9)) + "\n"
    text, _, signatures = paper.checkpoint.partition("\n\n")
    changed = paper.changed(checkpoint=f"{text}\n\n{line}{signatures}")
    _check(registry, record, changed, "log_bad", "invalid")


def test_another_log_that_the_trust_file_does_not_name(registry: Registry, record: Record) -> None:
    """Not checked, so it is neither proof nor fault; where a proof is demanded it is missing."""
    jwt = record.credential.partition("~")[0]
    receipt = OwnLog("evil.example/log").receipt(entry_of(jwt, bytes(16)), bytes(16))
    _check(registry, record, receipt, "log_unknown", "valid")
    strict = verifier_of(
        registry, trust=believing(registry, require_log=True), status=registry.status
    )
    report = strict.verify(record.credential, receipt=receipt)
    expect(report, "undetermined", **GOOD, log="log_unknown")


@pytest.mark.parametrize("cut", [1, 5, 10])
def test_a_log_whose_name_begins_like_ours(registry: Registry, record: Record, cut: int) -> None:
    jwt = record.credential.partition("~")[0]
    for name in (registry.log.origin[:-cut], registry.log.origin + "x"):
        receipt = OwnLog(name).receipt(entry_of(jwt, bytes(16)), bytes(16))
        _check(registry, record, receipt, "log_unknown", "valid")


@pytest.mark.parametrize("event", ["suspend", "supersede", "revoke", "", "ISSUE", None, 1])
def test_an_event_that_is_no_issue(registry: Registry, record: Record, event: Any) -> None:
    """A trusted log that holds this very credential, under another event."""
    log = OwnLog("own.example/log")
    jwt = record.credential.partition("~")[0]
    verifier = verifier_of(registry, trust=believing(registry, log), status=registry.status)
    good = log.receipt(entry_of(jwt, bytes(16)), bytes(16))
    expect(verifier.verify(record.credential, receipt=good), "valid", log="log_good")
    bad = log.receipt(entry_of(jwt, bytes(16), event=event), bytes(16))
    expect(verifier.verify(record.credential, receipt=bad), "invalid", log="log_bad")


@pytest.mark.parametrize(
    "members", [{"issuer": CONSTRUCTION.code}, {"type": "construction-permit"}, {"v": 2}], ids=str
)
def test_a_logged_entry_of_another_issuer_or_type(
    registry: Registry, record: Record, members: dict[str, Any]
) -> None:
    log = OwnLog("own.example/log")
    jwt = record.credential.partition("~")[0]
    verifier = verifier_of(registry, trust=believing(registry, log), status=registry.status)
    receipt = log.receipt(entry_of(jwt, bytes(16), **members), bytes(16))
    expect(verifier.verify(record.credential, receipt=receipt), "invalid", **GOOD, log="log_bad")


# -- witnesses ---------------------------------------------------------------------------------------------


def _witnessed(registry: Registry, *witnesses: OwnLog, quorum: int) -> Trust:
    def change(one: dict[str, Any]) -> None:
        one["logs"][0]["witnesses"] = [witness.vkey(4) for witness in witnesses]
        one["logs"][0]["quorum"] = quorum

    return trust_with(registry, change=change)


def test_witnesses_that_the_trust_file_asks_for(
    registry: Registry, record: Record, paper: Paper
) -> None:
    first, second, stranger = (OwnLog(f"w{number}.example") for number in range(3))
    trust = _witnessed(registry, first, second, quorum=2)
    verifier = verifier_of(registry, trust=trust, status=registry.status)

    def report(*lines: str) -> Any:
        receipt = paper.changed(checkpoint=paper.checkpoint + "".join(lines))
        return verifier.verify(record.credential, receipt=receipt)

    one, two = first.cosign(paper.text), second.cosign(paper.text)
    expect(report(one, two), "valid", **GOOD, log="log_good")
    expect(report(), "invalid", log="log_bad")
    expect(report(one), "invalid", log="log_bad")
    expect(report(one, one), "invalid", log="log_bad")
    expect(report(one, first.cosign(paper.text, 1)), "invalid", log="log_bad")
    expect(report(one, stranger.cosign(paper.text)), "invalid", log="log_bad")
    expect(report(one, second.cosign(paper.text + "x\n")), "invalid", log="log_bad")
    expect(report(one, second.line(paper.text)), "invalid", log="log_bad")


def test_a_log_cannot_witness_itself(registry: Registry, record: Record, paper: Paper) -> None:
    """Its own key stands in the list of witnesses under two kinds: still one signer."""
    log = OwnLog(registry.log.origin, Stolen(registry).log_key())
    trust = _witnessed(registry, OwnLog("w.example"), quorum=1)
    verifier = verifier_of(registry, trust=trust, status=registry.status)
    forged = paper.changed(checkpoint=paper.checkpoint + log.cosign(paper.text))
    expect(verifier.verify(record.credential, receipt=forged), "invalid", log="log_bad")


# -- receipts that are no receipts ---------------------------------------------------------------------------


def _raw(text: str, extra: bytes) -> str:
    lines = text.split("\n")
    lines[1] = "extra " + b64(extra)
    return "\n".join(lines)


SALT = b'"salt":"AAAAAAAAAAAAAAAAAAAAAA"'


@pytest.mark.parametrize(
    "entry",
    [
        b'{"v":9007199254740993}',
        b'{"v":-9007199254740993}',
        b'{"a":[9007199254740993]}',
        b'{"a":["\\ud800"]}',
        b'{"a":[{"b":["\\udfff"]}]}',
    ],
)
def test_an_entry_that_has_no_canonical_form(
    registry: Registry, record: Record, text: str, entry: bytes
) -> None:
    # Mended since this test found it: rfc8785 raises ValueErrors of its own, parse_receipt catches InputError only
    # (ecert/formats/receipt.py _parse_extra): anybody makes verify raise, with no key at all.
    forged = _raw(text, b'{"entry":' + entry + b"," + SALT + b"}")
    report = registry.verify(record.credential, receipt=forged)
    assert report.verdict == "invalid"
    report = registry.verify(forged)
    expect(report, "invalid", read="unreadable")


@pytest.mark.parametrize(
    "time",
    [
        b'"0001-01-01T00:00:00+23:59"',
        b'"9999-12-31T23:59:59-23:59"',
    ],
)
def test_an_entry_of_a_time_before_or_after_all_times(
    registry: Registry, record: Record, text: str, time: bytes
) -> None:
    # Mended since this test found it: OverflowError from astimezone (ecert/_encoding.py parse_rfc3339): anybody makes
    # verify raise, with no key at all.
    forged = _raw(text, b'{"entry":{"time":' + time + b"}," + SALT + b"}")
    expect(registry.verify(record.credential, receipt=forged), "invalid", **GOOD, log="log_bad")
    expect(registry.verify(forged), "invalid", read="read_receipt", log="log_bad")


@pytest.mark.parametrize(
    "time",
    [b'"0001-01-01T00:00:00Z"', b'"9999-12-31T23:59:59Z"', b'"x"', b"5", b"null", b"[]", b'""']
    + [b'"2026-03-02"', b'"2026-03-02T24:00:00Z"', b'"2026-W10-1T00:00:00Z"'],
)
def test_an_entry_of_an_odd_time(
    registry: Registry, record: Record, text: str, time: bytes
) -> None:
    forged = _raw(text, b'{"entry":{"time":' + time + b"}," + SALT + b"}")
    expect(registry.verify(record.credential, receipt=forged), "invalid", **GOOD, log="log_bad")


@pytest.mark.parametrize(
    "extra",
    [
        b"",
        b"[]",
        b"{}",
        b'{"entry":{}}',
        b'{"entry":[],"salt":"AAAAAAAAAAAAAAAAAAAAAA"}',
        b'{"entry":{},"salt":"AAAA"}',
        b'{"entry":{},"salt":5}',
        b'{"entry":{},"salt":"AAAAAAAAAAAAAAAAAAAAAB"}',
        b'{"entry":{}, "salt":"AAAAAAAAAAAAAAAAAAAAAA"}',
        b'{"salt":"AAAAAAAAAAAAAAAAAAAAAA","entry":{}}',
        b'{"entry":{},"salt":"AAAAAAAAAAAAAAAAAAAAAA","x":1}',
        b'{"entry":{"v":1,"v":1},"salt":"AAAAAAAAAAAAAAAAAAAAAA"}',
        b'{"entry":{"v":NaN},"salt":"AAAAAAAAAAAAAAAAAAAAAA"}',
        b'{"entry":{"v":1e999},"salt":"AAAAAAAAAAAAAAAAAAAAAA"}',
        b'{"entry":{"v":' + b"9" * 5000 + b'},"salt":"AAAAAAAAAAAAAAAAAAAAAA"}',
        b'{"entry":{"v":' + b"[" * 40 + b"]" * 40 + b'},"salt":"AAAAAAAAAAAAAAAAAAAAAA"}',
        b"\xff",
    ],
    ids=lambda extra: extra[:30].decode("latin-1"),
)
def test_an_extra_that_is_not_ours(
    registry: Registry, record: Record, text: str, extra: bytes
) -> None:
    forged = _raw(text, extra)
    expect(registry.verify(forged), "invalid", read="unreadable")
    report = registry.verify(record.credential, receipt=forged)
    assert report.verdict == "invalid"
    assert report.step("read").code == "unreadable" or report.step("log").code == "log_bad"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("@v1", "@v2", 1),
        lambda text: text.replace("index ", "index +", 1),
        lambda text: text.replace("index ", "index 0", 1),
        lambda text: text.replace("index ", "index -", 1),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("extra ", "extra  ", 1),
        lambda text: "\n" + text.split("\n", 1)[1],
        lambda text: text.split("\n\n", maxsplit=1)[0],
        lambda text: text[: len(text) // 2],
        lambda text: re.sub(r"(index \d+\n)", r"\1AAAA\n", text, count=1),
        lambda text: re.sub(r"(index \d+\n)", r"\1" + b64(bytes(32)) * 70 + "\n", text, count=1),
        lambda text: text + "x" * (65 << 10),
        lambda _: "",
        lambda _: "\x00",
        lambda _: "é",
        lambda text: re.sub(r"index \d+", "index " + "9" * 30, text, count=1),
        lambda text: re.sub(r"index \d+", "index ９", text, count=1),
    ],
)
def test_a_receipt_in_another_form(
    registry: Registry, record: Record, text: str, change: Callable[[str], str]
) -> None:
    report = elsewhere(registry).verify(record.credential, receipt=change(text))
    assert report.verdict == "invalid"
    said = {report.step("read").code, report.step("log").code}
    assert said & {"unreadable", "log_bad"}


def test_a_receipt_alone_proves_only_its_entry(registry: Registry, text: str) -> None:
    expect(
        registry.verify(text),
        "undetermined",
        read="read_receipt",
        signature="no_signature",
        type="type_unknown",
        time="no_time",
        log="log_good",
        status="no_status",
    )


def test_a_damaged_receipt_alone(registry: Registry, paper: Paper) -> None:
    changed = paper.changed(path=[flip(paper.path[0], 3)])
    expect(registry.verify(changed), "invalid", read="read_receipt", log="log_bad")


def test_a_receipt_alone_from_an_unknown_log(registry: Registry) -> None:
    receipt = OwnLog("evil.example/log").receipt(entry_of("x", bytes(16)), bytes(16))
    expect(registry.verify(receipt), "undetermined", read="read_receipt", log="log_unknown")


def test_a_damaged_receipt_in_a_bundle(registry: Registry, record: Record, paper: Paper) -> None:
    files = unpack(registry.evidence.pack(record.id, by=CLERK))
    files["receipt.tlog-proof"] = paper.changed(path=[flip(paper.path[0], 3)])
    report = registry.verify(pack(files))
    expect(report, "invalid", read="read_evidence", log="log_bad")


# -- a log that is demanded ------------------------------------------------------------------------------------


def test_a_demanded_log(registry: Registry, record: Record, text: str) -> None:
    trust = believing(registry, require_log=True)
    strict = verifier_of(registry, trust=trust, status=registry.status)
    expect(strict.verify(record.credential), "undetermined", **GOOD, log="no_receipt")
    expect(strict.verify(record.credential, receipt=text), "valid", **GOOD, log="log_good")
    expect(strict.verify(record.seal), "undetermined", read="read_seal", log="no_receipt")
    bundle = registry.evidence.pack(record.id, by=CLERK)
    expect(strict.verify(bundle), "valid", read="read_evidence", log="log_good")


def test_a_demanded_log_and_a_receipt_of_another(
    registry: Registry, record: Record, other: Record
) -> None:
    trust = believing(registry, require_log=True)
    strict = verifier_of(registry, trust=trust, status=registry.status)
    theirs = str(registry.certificates.receipt(other.id, by=CLERK))
    expect(strict.verify(record.credential, receipt=theirs), "invalid", **GOOD, log="log_bad")


def test_a_demanded_log_with_no_log_in_the_trust_file(
    registry: Registry, record: Record, text: str
) -> None:
    trust = believing(registry, require_log=True, logs=[])
    strict = verifier_of(registry, trust=trust, status=registry.status)
    report = strict.verify(record.credential, receipt=text)
    expect(report, "undetermined", **GOOD, log="log_unknown")


# -- keys in wrong hands -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Theft:
    """The agency's key is copied, and later declared compromised since the day after the issue."""

    registry: Registry
    sd: Sd
    key: Any
    receipt: str


@pytest.fixture
def theft(registry: Registry, clock: SettableClock, record: Record, stolen: Stolen) -> Theft:
    key = stolen.key(Role.AGENCY, PLANNING.code)
    receipt = str(registry.certificates.receipt(record.id, by=CLERK))
    kid = registry.keys.ring.active(Role.AGENCY, PLANNING.code).kid
    clock.move(days(1))
    since = clock()
    clock.move(days(1))
    registry.keys.compromise(kid, since, by=CLERK)
    return Theft(registry, Sd.of(record.credential), key, receipt)


def test_compromised_with_a_proof_from_before(theft: Theft, record: Record) -> None:
    report = theft.registry.verify(record.credential, receipt=theft.receipt)
    expect(report, "valid", **GOOD, log="log_good")


def test_compromised_without_a_proof(theft: Theft, record: Record) -> None:
    report = theft.registry.verify(record.credential)
    expect(report, "undetermined", signature="key_compromised", status="status_good")
    report = theft.registry.verify(record.seal)
    expect(report, "undetermined", signature="key_compromised", status="status_good")


def test_compromised_and_backdated_by_the_thief(theft: Theft) -> None:
    """He can choose iat, but he cannot get into the log of that day."""
    forged = theft.sd.changed(number="建字第4401142026GG9999999号").signed(theft.key)
    report = elsewhere(theft.registry).verify(forged)
    expect(report, "undetermined", signature="key_compromised", log="no_receipt")
    report = elsewhere(theft.registry).verify(forged, receipt=theft.receipt)
    expect(report, "invalid", signature="key_compromised", log="log_bad")


def test_compromised_and_logged_by_the_thiefs_own_log(theft: Theft) -> None:
    forged = theft.sd.changed(number="建字第4401142026GG9999999号").signed(theft.key)
    jwt = forged.partition("~")[0]
    for name, verdict, code in (
        ("evil.example/log", "undetermined", "log_unknown"),
        (theft.registry.log.origin, "invalid", "log_bad"),
    ):
        receipt = OwnLog(name).receipt(entry_of(jwt, bytes(16)), bytes(16))
        report = elsewhere(theft.registry).verify(forged, receipt=receipt)
        expect(report, verdict, signature="key_compromised", log=code)


def test_compromised_and_malleated(theft: Theft) -> None:
    twin = theft.sd.with_token(malleate_jwt(theft.sd.jwt))
    report = elsewhere(theft.registry).verify(twin, receipt=theft.receipt)
    expect(report, "invalid", signature="key_compromised", log="log_bad")


def test_compromised_with_a_proof_from_after(
    registry: Registry, record: Record, other: Record
) -> None:
    """The log already had the first entry, not the second, when the key was stolen."""
    kid = registry.keys.ring.active(Role.AGENCY, PLANNING.code).kid
    stated = {"kid": kid, "since": "2026-03-02T01:30:00Z", "log_size": record.log_index + 1}
    trust = trust_with(registry, change=lambda one: one["compromised"].append(stated))
    verifier = verifier_of(registry, trust=trust, status=registry.status)
    for found, verdict, code in (
        (record, "valid", "signature_good"),
        (other, "invalid", "key_compromised_after"),
    ):
        receipt = str(registry.certificates.receipt(found.id, by=CLERK))
        report = verifier.verify(found.credential, receipt=receipt)
        expect(report, verdict, signature=code, log="log_good")


def test_compromised_before_anything_was_logged(registry: Registry, record: Record) -> None:
    kid = registry.keys.ring.active(Role.AGENCY, PLANNING.code).kid
    stated = {"kid": kid, "since": "2026-01-01T00:00:00Z", "log_size": 0}
    trust = trust_with(registry, change=lambda one: one["compromised"].append(stated))
    verifier = verifier_of(registry, trust=trust, status=registry.status)
    receipt = str(registry.certificates.receipt(record.id, by=CLERK))
    report = verifier.verify(record.credential, receipt=receipt)
    expect(report, "invalid", signature="key_compromised_after", log="log_good")


def test_a_thief_with_another_certificate_for_the_compromised_key(
    theft: Theft, stolen: Stolen
) -> None:
    """What counts is the key, not the certificate: a new leaf does not launder it."""
    leaf = stolen.authority().certify(theft.key.public_key(), Wish((PLANNING.code,)))
    der = leaf.public_bytes(Encoding.DER)
    forged = theft.sd.with_header(x5c=[b64(der)]).signed(theft.key)
    expect(elsewhere(theft.registry).verify(forged), "undetermined", signature="key_compromised")


def test_a_retired_key_signed_before(
    registry: Registry, clock: SettableClock, record: Record
) -> None:
    clock.move(days(1))
    registry.keys.rotate(Role.AGENCY, PLANNING.code, by=CLERK)
    clock.move(days(1))
    expect(registry.verify(record.credential), "valid", **GOOD)
    expect(registry.verify(record.seal), "valid", signature="signature_good")


def test_a_retired_key_signs_after(
    registry: Registry, clock: SettableClock, sd: Sd, cose: Cose, stolen: Stolen
) -> None:
    key = stolen.key(Role.AGENCY, PLANNING.code)
    clock.move(days(1))
    registry.keys.rotate(Role.AGENCY, PLANNING.code, by=CLERK)
    clock.move(days(1))
    late = int(clock().timestamp())
    report = registry.verify(sd.changed(iat=late).signed(key))
    expect(report, "invalid", signature="key_retired", type="not_reached", status="not_reached")
    report = registry.verify(cose.with_claims({6: late}).signed(key))
    expect(report, "invalid", signature="key_retired", type="not_reached", status="not_reached")


def test_the_second_of_retirement(
    registry: Registry, clock: SettableClock, sd: Sd, stolen: Stolen
) -> None:
    key = stolen.key(Role.AGENCY, PLANNING.code)
    clock.move(days(1))
    now = int(clock().timestamp())
    registry.keys.rotate(Role.AGENCY, PLANNING.code, by=CLERK)
    clock.move(days(1))
    expect(
        elsewhere(registry).verify(sd.changed(iat=now).signed(key)),
        "valid",
        signature="signature_good",
    )
    expect(
        elsewhere(registry).verify(sd.changed(iat=now + 1).signed(key)),
        "invalid",
        signature="key_retired",
    )


def test_a_new_key_after_a_rotation(
    registry: Registry, clock: SettableClock, record: Record, draft_of: Drafts
) -> None:
    clock.move(days(1))
    registry.keys.rotate(Role.AGENCY, PLANNING.code, by=CLERK)
    fresh = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    for found in (record, fresh):
        expect(registry.verify(found.credential), "valid", **GOOD)
        expect(registry.verify(found.seal), "valid", signature="signature_good")
