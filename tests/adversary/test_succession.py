"""Who speaks for a certificate after a transfer: never the old agency, a stranger, or tomorrow's successor."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from ecert._encoding import b64url
from ecert.formats.statement import Statement, sign_statement
from ecert.keys import SigningKey, parse_trust
from ecert.model import Agency, Basis, Operation, Record, Status
from ecert.registry import Registry
from ecert.testing import SettableClock
from ecert.verification import Verifier
from tests.adversary.forge import make_bundle
from tests.conftest import CLERK, CONSTRUCTION, PLANNING, WORKS

Drafts = Callable[..., dict[str, Any]]
BASIS = "穗花编办〔2026〕6号"
WHY = Basis("恢复", "伪造", "无名")
DAY = timedelta(days=1)
TODAY = date(2026, 3, 2)
HEIR = Agency("11440114MA0000094E", "花都区自然资源局（演示）", "440114")


@pytest.fixture
def suspended(registry: Registry, draft_of: Drafts, clock: SettableClock) -> Record:
    """A permit that was transferred yesterday and is suspended since; twice, so that statements count."""
    for one in (HEIR, CONSTRUCTION):
        registry.agencies.add(one, by=CLERK)
    record = registry.certificates.issue(WORKS, draft_of(), by=CLERK, agency=PLANNING.code).record
    registry.register.transfer(
        PLANNING.code, [WORKS], to=HEIR.code, from_day=TODAY + DAY, basis=BASIS, by=CLERK
    )
    clock.move(2 * DAY)
    registry.certificates.operate(record.id, Operation.SUSPEND, basis=WHY, by=CLERK)
    clock.move(DAY)
    return record


def forged(registry: Registry, record: Record, key: SigningKey, issuer: str, at: int) -> str:
    statement = Statement(record.id, Operation.RESUME, Status.VALID, at, WHY, b64url(record.digest))
    return sign_statement(statement, key.signer, issuer=issuer, chain=key.chain)


def status_with(registry: Registry, record: Record, token: str, clock: SettableClock) -> str:
    """Verify a bundle with a second statement, about a moment after it: the details count two acts."""
    with registry.store.reading() as reading:
        from ecert.store import statements

        own = [one.token for one in statements.history(reading, record.id)]
    registry.certificates.operate(record.id, Operation.RESUME, basis=WHY, by=CLERK)
    clock.move(DAY)
    verifier = Verifier(
        registry.trust(), status=registry.status, catalogue=registry.catalogue, clock=clock
    )
    shown = make_bundle(registry, record, [*own, token])
    return verifier.verify(shown, at=clock() - timedelta(hours=23)).step("status").code


def test_the_successor_is_believed(
    registry: Registry, suspended: Record, clock: SettableClock
) -> None:
    key, now = registry.keys.ring.agency_key(HEIR.code), int(clock().timestamp())
    issuer = f"{registry.base}/agencies/{HEIR.code}"
    token = forged(registry, suspended, key, issuer, now)
    assert status_with(registry, suspended, token, clock) == "status_good"


@pytest.mark.parametrize("speaker", ["the old agency", "a stranger", "the registry"])
def test_nobody_else_is(
    registry: Registry, suspended: Record, clock: SettableClock, speaker: str
) -> None:
    ring, now = registry.keys.ring, int(clock().timestamp())
    address = f"{registry.base}/agencies/"
    key, issuer = {
        "the old agency": (ring.agency_key(PLANNING.code), address + PLANNING.code),
        "a stranger": (ring.agency_key(CONSTRUCTION.code), address + CONSTRUCTION.code),
        "the registry": (ring.registry_key(), registry.base),
    }[speaker]
    token = forged(registry, suspended, key, issuer, now)
    assert status_with(registry, suspended, token, clock) == "status_history"


def test_the_successors_key_does_not_speak_for_the_time_before(
    registry: Registry, suspended: Record, clock: SettableClock
) -> None:
    key = registry.keys.ring.agency_key(HEIR.code)
    early = int((clock() - 4 * DAY).timestamp())
    token = forged(registry, suspended, key, f"{registry.base}/agencies/{HEIR.code}", early)
    assert status_with(registry, suspended, token, clock) == "status_history"


def test_a_trust_file_that_leads_in_a_circle_ends_the_search(
    registry: Registry, suspended: Record
) -> None:
    shown = registry.trust().to_json()
    held = shown["registries"][0]["agencies"][HEIR.code]["may_issue"]
    held[0] |= {"to": "2026-03-03", "successor": PLANNING.code}
    trusted = parse_trust(json.dumps(shown)).registries[0]
    far = int((registry.clock() + 30 * DAY).timestamp())
    assert trusted.responsible(PLANNING.code, WORKS, far) in {PLANNING.code, HEIR.code}
    assert suspended.issuer == PLANNING.code


@pytest.mark.parametrize("at", [-1, 253402300799, 10**18])
def test_a_statement_beyond_the_calendar_is_no_statement(
    registry: Registry, suspended: Record, clock: SettableClock, at: int
) -> None:
    key = registry.keys.ring.agency_key(HEIR.code)
    issuer = f"{registry.base}/agencies/{HEIR.code}"
    token = forged(registry, suspended, key, issuer, at)
    assert status_with(registry, suspended, token, clock) == "status_history"
