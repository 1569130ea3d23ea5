"""Publishing, receipts and the fork guard."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ecert.config import Surroundings, open_registry
from ecert.errors import ForkGuard, NotPublished, SignatureError
from ecert.formats.merkle import leaf_hash
from ecert.formats.note import parse_vkey, verify_checkpoint
from ecert.formats.receipt import parse_receipt, verify_receipt
from ecert.ledger.log import export_tiles, tile_path
from ecert.model import Basis, Operation
from ecert.registry import CopyWish, IssueRequest, Query, Registry
from ecert.testing import SettableClock
from tests.conftest import CLERK, PLANNING, WORKS, trail_rows

Drafts = Callable[..., dict[str, Any]]


def reopened(home: Path, state: Path, clock: SettableClock) -> Registry:
    return open_registry(home, around=Surroundings(state=state, clock=clock), claims=True)


def test_a_receipt_verifies_offline_with_the_trust_file_alone(
    any_registry: Registry, draft_of: Drafts
) -> None:
    record = any_registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    text = str(any_registry.certificates.receipt(record.id, by=CLERK))
    jwt = record.credential.partition("~")[0].encode()
    logs = any_registry.trusted().logs
    checkpoint = verify_receipt(
        parse_receipt(text), signed=jwt, issuer=PLANNING.code, kind=WORKS, logs=logs
    )
    assert checkpoint.size == record.log_index + 1
    report = any_registry.verify(record.credential, receipt=text)
    assert report.step("log").code == "log_good"


def test_a_receipt_waits_for_a_checkpoint(registry: Registry, draft_of: Drafts) -> None:
    record = registry.certificates.issue(WORKS, draft_of(), by=CLERK).record
    with pytest.raises(NotPublished):
        registry.log.receipt(record.log_index, publishes=False)
    registry.log.publish()
    assert registry.log.receipt(record.log_index, publishes=False).index == record.log_index


def test_nothing_new_is_not_signed_again(registry: Registry, draft_of: Drafts) -> None:
    registry.certificates.issue(WORKS, draft_of(), by=CLERK)
    assert registry.log.publish() == registry.log.publish()


def test_receipts_under_many_sizes(registry: Registry, draft_of: Drafts) -> None:
    """Every entry's receipt verifies under checkpoints on both sides of a tile's border."""
    logs = registry.trusted().logs
    for count in (3, 250, 5, 300):
        registry.certificates.issue_many([IssueRequest(WORKS, draft_of(), CLERK)] * count)
        note = registry.log.publish()
        size = verify_checkpoint(note, parse_vkey(logs[0].vkey)).size
        for index in {0, 1, size // 2, 255 % size, size - 1}:
            receipt = registry.log.receipt(index)
            kind = str(receipt.entry["type"])  # the register's own entries are before the issues
            found = verify_receipt(receipt, signed=None, issuer=PLANNING.code, kind=kind, logs=logs)
            assert found.size == size


def test_a_restored_backup_does_not_sign(
    registry: Registry, draft_of: Drafts, tmp_path: Path, clock: SettableClock
) -> None:
    registry.certificates.issue(WORKS, draft_of(), by=CLERK)
    size = registry.log.head().size
    registry.close()
    shutil.copytree(tmp_path / "home", tmp_path / "backup")
    later = reopened(tmp_path / "home", tmp_path / "state", clock)
    later.certificates.issue(WORKS, draft_of(), by=CLERK)
    later.log.publish()
    later.close()
    restored = reopened(tmp_path / "backup", tmp_path / "state", clock)
    with pytest.raises(ForkGuard, match=f"{size + 1} were published"):
        restored.log.publish()
    old = restored.certificates.find(Query(), by=CLERK).records[0]  # reading goes on
    with pytest.raises(ForkGuard, match=f"{size + 1} were published"):
        restored.certificates.issue(WORKS, draft_of(), by=CLERK)
    basis = Basis("停工整改", "穗建停〔2026〕3号", "赵六")
    with pytest.raises(ForkGuard, match=f"{size + 1} were published"):
        restored.certificates.operate(old.id, Operation.SUSPEND, basis=basis, by=CLERK)
    with pytest.raises(ForkGuard, match=f"{size + 1} were published"):
        restored.certificates.succeed(old.id, Operation.CHANGE, draft_of(), basis=basis, by=CLERK)
    with pytest.raises(ForkGuard, match=f"{size + 1} were published"):
        restored.documents.copy(old.id, CopyWish("示例银行", "贷款", date(2026, 12, 31)), by=CLERK)
    assert restored.log.head().size == size
    refused = [row["action"] for row in trail_rows(restored) if row["outcome"] == ForkGuard.code]
    assert refused == ["issue", "suspend", "change", "copy"]
    restored.close()


def test_a_log_beside_the_published_one_takes_nothing_more(
    registry: Registry, draft_of: Drafts, tmp_path: Path, clock: SettableClock
) -> None:
    """Two histories of one length: the copy grew by itself, where no note was kept."""
    registry.certificates.issue(WORKS, draft_of(), by=CLERK)
    registry.close()
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    copy = reopened(tmp_path / "copy", tmp_path / "elsewhere", clock)
    copy.certificates.issue(WORKS, draft_of(), by=CLERK)
    copy.close()
    later = reopened(tmp_path / "home", tmp_path / "state", clock)
    later.certificates.issue(WORKS, draft_of(), by=CLERK)
    later.log.publish()
    later.close()
    beside = reopened(tmp_path / "copy", tmp_path / "state", clock)
    with pytest.raises(ForkGuard, match="differs"):
        beside.certificates.issue(WORKS, draft_of(), by=CLERK)
    beside.close()


def test_a_note_that_another_key_signed_stops_the_log(
    registry: Registry, draft_of: Drafts, tmp_path: Path
) -> None:
    registry.certificates.issue(WORKS, draft_of(), by=CLERK)
    registry.log.publish()
    notes = (tmp_path / "state").glob("*.note")  # of the log, and of the audit trail
    (note,) = (
        one for one in notes if one.read_text("utf-8").startswith(registry.log.origin + "\n")
    )
    lines = note.read_text("utf-8").splitlines()
    note.write_text("\n".join([*lines[:-1], lines[-1].replace("— ", "— x")]) + "\n", "utf-8")
    with pytest.raises(ForkGuard, match="not signed by this log"):
        registry.log.publish()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE log_entries SET entry = X'7B7D' WHERE \"index\" = 1",
        'DELETE FROM log_entries WHERE "index" = 0',
        'UPDATE log_entries SET leaf = zeroblob(32) WHERE "index" = 2',
        "UPDATE log_head SET edge = zeroblob(length(edge))",
        "UPDATE log_nodes SET hash = zeroblob(32)",
    ],
)
def test_a_changed_log_is_found(registry: Registry, draft_of: Drafts, damage: str) -> None:
    registry.certificates.issue_many([IssueRequest(WORKS, draft_of(), CLERK)] * 257)
    registry.log.check()
    registry.store.write(lambda tx: tx.connection.exec_driver_sql(damage))
    with pytest.raises(SignatureError):
        registry.log.check()


def test_the_static_export_holds_every_tile(
    registry: Registry, draft_of: Drafts, tmp_path: Path
) -> None:
    count = 300 - registry.log.head().size  # behind the entries of the register
    registry.certificates.issue_many([IssueRequest(WORKS, draft_of(), CLERK)] * count)
    note = registry.log.publish()
    with registry.store.snapshot() as reading:
        steps = list(export_tiles(reading, tmp_path / "log"))
    assert steps[-1] == (len(steps), len(steps))
    folder = tmp_path / "log"
    assert (folder / "checkpoint").read_text("utf-8") == note
    assert (folder / "tile/0/000").stat().st_size == 8192
    assert (folder / "tile/0/001.p/44").stat().st_size == 44 * 32
    assert (folder / "tile/1/000.p/1").stat().st_size == 32
    bundle = (folder / "tile/entries/001.p/44").read_bytes()
    length = int.from_bytes(bundle[:2], "big")
    first = (folder / "tile/0/001.p/44").read_bytes()[:32]
    assert leaf_hash(bundle[2 : 2 + length]) == first


def test_tile_paths_follow_the_specification() -> None:
    shown = {index: tile_path(index) for index in (0, 999, 1000, 1_000_000, 1_234_067)}
    assert shown == {
        0: "000",
        999: "999",
        1000: "x001/000",
        1_000_000: "x001/x000/000",
        1_234_067: "x001/x234/067",
    }
    assert tile_path(5, 7) == "005.p/7"
