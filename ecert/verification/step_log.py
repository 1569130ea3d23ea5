"""Step 5, log: receipt → entry → inclusion proof → checkpoint → log key."""

from __future__ import annotations

from dataclasses import dataclass

from ecert._encoding import parse_rfc3339
from ecert.errors import EcertError, InputError
from ecert.formats.annotation import EVENT
from ecert.formats.receipt import Receipt, verify_receipt
from ecert.keys import Trust, TrustedRegistry
from ecert.verification.exhibit import Exhibit
from ecert.verification.inquiry import Claim
from ecert.verification.report import Finding, found

_BEST_FIRST = ("log_good", "log_bad", "log_unknown")


@dataclass(frozen=True, slots=True)
class Logged:
    """Where the log proves the issue to stand, and when it says that it was entered (Unix seconds)."""

    index: int
    at: int | None


def judge_log(exhibit: Exhibit, claim: Claim) -> tuple[Finding, Logged | None]:
    """Judge the receipts of an issue and of an annotated copy; give the place that was proved."""
    receipt, credential = exhibit.receipt, exhibit.credential
    if receipt is None or credential is None:
        return found("log", "no_receipt"), None
    kind = credential.certificate.type.slug
    jwt = credential.sd_jwt.jwt.encode("ascii")
    code = _judge(receipt, jwt, (claim.issuer, kind), claim.registry)
    if code == "log_good" and receipt.entry.get("event") != "issue":
        code = "log_bad"
    if code != "log_good":
        return found("log", code, entry_time(receipt)), None
    logged = Logged(receipt.index, entry_time(receipt))
    return found("log", _judge_copy(exhibit, claim, kind, receipt.index), logged.at), logged


def judge_alone(receipt: Receipt, trust: Trust) -> Finding:
    """Judge what a receipt says by itself: that its entry is in a trusted log."""
    codes = [_judge(receipt, None, None, registry) for registry in trust.registries]
    best = min(codes, key=_BEST_FIRST.index, default="log_unknown")
    return found("log", best, entry_time(receipt))


def entry_time(receipt: Receipt) -> int | None:
    """Give the moment that a receipt's entry names; None if it names none."""
    try:
        return int(parse_rfc3339(str(receipt.entry.get("time"))).timestamp())
    except InputError:
        return None


def _judge_copy(exhibit: Exhibit, claim: Claim, kind: str, index: int) -> str:
    """Of a copy, its own record must be in the log too, as a copy of this issue."""
    copy, receipt = exhibit.copy, exhibit.copy_receipt
    if copy is None:
        return "log_good"
    if receipt is None:
        return "no_receipt"
    if receipt.entry.get("event") != EVENT or receipt.entry.get("ref") != index:
        return "log_bad"
    signer = claim.registry.responsible(claim.issuer, kind, copy.copy.made_at)
    return _judge(receipt, copy.token.encode("ascii"), (signer, kind), claim.registry)


def _judge(
    receipt: Receipt, signed: bytes | None, of: tuple[str, str] | None, registry: TrustedRegistry
) -> str:
    origin = receipt.checkpoint.partition("\n")[0]
    if not any(log.vkey.startswith(origin + "+") for log in registry.logs):
        return "log_unknown"
    issuer, kind = of or (receipt.entry.get("issuer"), receipt.entry.get("type"))
    try:
        verify_receipt(
            receipt, signed=signed, issuer=str(issuer), kind=str(kind), logs=registry.logs
        )
    except EcertError:
        return "log_bad"
    return "log_good"
