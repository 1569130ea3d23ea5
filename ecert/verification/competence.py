"""Whether the agency had the right to issue the type when it signed 职权: a part of step 3 (design §10.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ecert._encoding import instant
from ecert.keys import VerifiedKey
from ecert.model import Competence, civil_date
from ecert.verification.inquiry import Claim
from ecert.verification.report import Finding
from ecert.verification.step_log import Logged
from ecert.verification.step_signature import is_later


@dataclass(frozen=True, slots=True)
class Proof:
    """What a signature is dated by besides its own word: its key, and its place in the log."""

    key: VerifiedKey | None
    logged: Logged | None
    now: datetime


def judge_competence(claim: Claim, slug: str, name: str | None, proof: Proof) -> Finding:
    """Judge the right to issue a type, and the issuer's name (None where none is shown)."""
    as_of = claim.registry.as_of
    code = _judge(claim, slug, name, proof)
    return Finding("type", code, None if as_of is None else as_of.at)


def judge_absent(claim: Claim) -> Finding | None:
    """Judge an agency that the trust file does not have: it had no right; None where the file is of v1."""
    as_of = claim.registry.as_of
    if as_of is None or claim.issuer in claim.registry.agencies:
        return None
    return Finding("type", _unless_later(claim), as_of.at)


def _judge(claim: Claim, slug: str, name: str | None, proof: Proof) -> str:
    agency = claim.agency
    if claim.registry.as_of is None or agency.may_issue is None:
        return "type_good"  # a trust file of version 1: a warning says so
    day = civil_date(instant(claim.iat), agency.time_zone)
    if claim.is_copy:  # made of a certificate of any earlier day: its seal does not say which
        return "type_good" if agency.was_competent(slug, day) else _unless_later(claim)
    held = agency.competence(slug, day)
    if held is None or (agency.closed_on is not None and agency.closed_on <= day):
        return _unless_later(claim)
    if name is not None and name != agency.name_on(day):
        return _unless_later(claim, "issuer_name")
    if _has_ended(held, claim, proof.now) and not _is_proven(held, claim, proof):
        return "competence_unproven"
    return "type_good"


def _unless_later(claim: Claim, code: str = "not_competent") -> str:
    """Fail only what the trust file knows of; what was signed later it cannot judge."""
    return "trust_too_old" if is_later(claim) else code


def _has_ended(held: Competence, claim: Claim, now: datetime) -> bool:
    """Tell whether a period is over, and no other follows it at once."""
    if held.to_day is None:
        return False
    today = civil_date(now, claim.agency.time_zone)
    return held.is_due(today) and not held.is_followed(claim.agency.may_issue or ())


def _is_proven(held: Competence, claim: Claim, proof: Proof) -> bool:
    """Look for a proof that it was signed within the period: the signer's own word is none.

    The log never took what the agency had no right to; or the key is destroyed since the end.
    """
    registry, key = claim.registry, proof.key
    assert registry.as_of is not None  # noqa: S101 - the caller looked
    bound = registry.as_of.size if held.to_entry is None else held.to_entry
    if proof.logged is not None and proof.logged.index < bound:
        return True
    retired = None if key is None else registry.retired.get(key.kid)
    if key is None or retired is None or key.kid in registry.kept:
        return False
    return int(retired.timestamp()) <= held.proof_deadline(claim.agency.time_zone)
