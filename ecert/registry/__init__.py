"""The facade of the library: everything a registry can do, one verb a method."""

from ecert.registry.clients import SCOPES
from ecert.registry.documents import CopyWish, TimeStamping
from ecert.registry.facade import IssueRequest, Page, Query, Registry, check_agency

__all__ = [
    "SCOPES",
    "CopyWish",
    "IssueRequest",
    "Page",
    "Query",
    "Registry",
    "TimeStamping",
    "check_agency",
]
