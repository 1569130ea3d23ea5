"""An electronic licence and certificate registry 电子证照库: issue once, prove, reuse, verify.

registry = ecert.init("ecert-home")
issued = registry.certificates.issue("construction-permit", draft, by=ecert.Actor("li.si"))
report = ecert.verify(issued.record.credential, registry.trust())
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ecert._encoding import parse_json
    from ecert.config import Plan
    from ecert.config import init_registry as init
    from ecert.config import open_registry as open  # noqa: A004 - read as ecert.open
    from ecert.errors import EcertError
    from ecert.formats.presentation import present
    from ecert.issuance.copies import CopyWish
    from ecert.keys import Signer, Trust, open_signer, parse_trust
    from ecert.model import Actor, Agency, Basis, Operation, Record, Status
    from ecert.registry import Query, Registry
    from ecert.verification import Report, StatusSource, Verdict, Verifier, verify

# Loaded when they are first asked for: whoever only verifies loads no database.
_HOMES = {
    "Actor": ("ecert.model", "Actor"),
    "Agency": ("ecert.model", "Agency"),
    "Basis": ("ecert.model", "Basis"),
    "CopyWish": ("ecert.issuance.copies", "CopyWish"),
    "EcertError": ("ecert.errors", "EcertError"),
    "Operation": ("ecert.model", "Operation"),
    "Plan": ("ecert.config", "Plan"),
    "Query": ("ecert.registry", "Query"),
    "Record": ("ecert.model", "Record"),
    "Registry": ("ecert.registry", "Registry"),
    "Report": ("ecert.verification", "Report"),
    "Signer": ("ecert.keys", "Signer"),
    "Status": ("ecert.model", "Status"),
    "StatusSource": ("ecert.verification", "StatusSource"),
    "Trust": ("ecert.keys", "Trust"),
    "Verdict": ("ecert.verification", "Verdict"),
    "Verifier": ("ecert.verification", "Verifier"),
    "init": ("ecert.config", "init_registry"),
    "open": ("ecert.config", "open_registry"),
    "open_signer": ("ecert.keys", "open_signer"),
    "parse_json": ("ecert._encoding", "parse_json"),
    "parse_trust": ("ecert.keys", "parse_trust"),
    "present": ("ecert.formats.presentation", "present"),
    "verify": ("ecert.verification", "verify"),
}

__all__ = [
    "Actor",
    "Agency",
    "Basis",
    "CopyWish",
    "EcertError",
    "Operation",
    "Plan",
    "Query",
    "Record",
    "Registry",
    "Report",
    "Signer",
    "Status",
    "StatusSource",
    "Trust",
    "Verdict",
    "Verifier",
    "init",
    "open",
    "open_signer",
    "parse_json",
    "parse_trust",
    "present",
    "verify",
]


def __getattr__(name: str) -> object:
    """Load a public name (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ecert' has no attribute {name!r}")
    module, member = _HOMES[name]
    found: object = getattr(import_module(module), member)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Name what is public."""
    return sorted([*__all__, "__version__"])
