"""Verification of anything presented, offline, against a trust file. It never needs a database."""

from ecert.pdf.parts import CREDENTIAL_FILE, RECEIPT_FILE
from ecert.verification.presented import (
    DETAILS_FILE,
    LIST_FILE,
    MAX_PRESENTED_BYTES,
    STATEMENTS,
)
from ecert.verification.report import REASONS, STEPS, Outcome, Report, Step, Verdict
from ecert.verification.verifier import StatusSource, Verifier, parse_moment, verify

__all__ = [
    "CREDENTIAL_FILE",
    "DETAILS_FILE",
    "LIST_FILE",
    "MAX_PRESENTED_BYTES",
    "REASONS",
    "RECEIPT_FILE",
    "STATEMENTS",
    "STEPS",
    "Outcome",
    "Report",
    "StatusSource",
    "Step",
    "Verdict",
    "Verifier",
    "parse_moment",
    "verify",
]
