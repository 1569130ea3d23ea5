"""The facade of the library: everything a registry can do, one verb a method."""

from ecert.registry.facade import SCOPES, IssueRequest, Page, Query, Registry, check_agency

__all__ = ["SCOPES", "IssueRequest", "Page", "Query", "Registry", "check_agency"]
