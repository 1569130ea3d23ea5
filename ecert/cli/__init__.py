"""The command line: one verb a function, each a thin delegation to the registry."""

from ecert.cli import (
    certificates,
    clients,
    documents,
    importing,
    keys,
    logs,
    matters,
    operations,
    service,
    setup,
    sharing,
    verifying,
)
from ecert.cli._console import app, main

__all__ = [
    "app",
    "certificates",
    "clients",
    "documents",
    "importing",
    "keys",
    "logs",
    "main",
    "matters",
    "operations",
    "service",
    "setup",
    "sharing",
    "verifying",
]
