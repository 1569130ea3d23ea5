"""Step 4, time: within the validity at the moment that is asked about."""

from __future__ import annotations

from datetime import datetime

from ecert.errors import InputError
from ecert.formats.unverified_credential import UnverifiedCredential
from ecert.verification.exhibit import Exhibit
from ecert.verification.inquiry import Claim
from ecert.verification.report import Finding, found


def judge_time(exhibit: Exhibit, claim: Claim, moment: datetime) -> Finding:
    """Judge an exhibit's validity at a moment."""
    seconds, copy = moment.timestamp(), exhibit.copy
    if exhibit.credential is not None and not _dates_agree(exhibit.credential, claim):
        return found("time", "dates_disagree")
    if seconds < claim.nbf:
        return found("time", "not_yet_valid")
    if claim.exp is not None and seconds >= claim.exp:
        return found("time", _ended(exhibit))
    if copy is not None and seconds >= copy.copy.lapses_at:
        return found("time", "copy_lapsed")
    return found("time", "time_good")


def _ended(exhibit: Exhibit) -> str:
    """Tell a copy that lapsed from a certificate that ended: a copy's seal ends with the copy."""
    seal = exhibit.seal if exhibit.credential is None else None
    return "copy_lapsed" if seal is not None and seal.is_copy else "expired"


def _dates_agree(credential: UnverifiedCredential, claim: Claim) -> bool:
    try:
        seconds = credential.certificate.validity.seconds(claim.agency.time_zone)
    except InputError:
        return False
    return seconds == (claim.nbf, claim.exp)
