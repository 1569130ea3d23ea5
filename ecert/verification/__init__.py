"""Verification of anything presented, offline, against a trust file. It never needs a database."""

from ecert.pdf.parts import CREDENTIAL_FILE, RECEIPT_FILE
from ecert.verification.exhibit import (
    DETAILS_FILE,
    LIST_FILE,
    MAX_EXHIBIT_BYTES,
    STATEMENTS,
)
from ecert.verification.lookup import Lookup, Sought
from ecert.verification.report import REASONS, STEPS, Finding, Outcome, Report, Verdict
from ecert.verification.status_tokens import StatusSource
from ecert.verification.verifier import Verifier, parse_moment, verify

__all__ = [
    "CREDENTIAL_FILE",
    "DETAILS_FILE",
    "LIST_FILE",
    "MAX_EXHIBIT_BYTES",
    "REASONS",
    "RECEIPT_FILE",
    "STATEMENTS",
    "STEPS",
    "Finding",
    "Lookup",
    "Outcome",
    "Report",
    "Sought",
    "StatusSource",
    "Verdict",
    "Verifier",
    "parse_moment",
    "verify",
]
