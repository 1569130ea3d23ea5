"""An electronic licence and certificate registry 电子证照库: issue once, prove, reuse, verify.

registry = ecert.init("ecert-home")
issued = registry.issue("construction-permit", draft, by=ecert.Actor("li.si"))
report = ecert.verify(issued.record.credential, registry.trust())
"""

from ecert.config import Plan
from ecert.config import init_registry as init
from ecert.config import open_registry as open  # noqa: A004 - read as ecert.open
from ecert.errors import EcertError
from ecert.formats.credential import present
from ecert.keys import Signer, Trust, open_signer, parse_trust
from ecert.model import Actor, Agency, Basis, Operation, Record, Status
from ecert.registry import CopyWish, Query, Registry
from ecert.verification import Report, StatusSource, Verdict, Verifier, verify

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
    "parse_trust",
    "present",
    "verify",
]
