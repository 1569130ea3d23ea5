"""The command line: one verb a function, each a thin delegation to the registry."""

from ecert.cli import (
    certificates,
    documents,
    importing,
    keys,
    logs,
    operations,
    service,
    setup,
    verifying,
)
from ecert.cli._console import app, main

__all__ = [
    "app",
    "certificates",
    "documents",
    "importing",
    "keys",
    "logs",
    "main",
    "operations",
    "service",
    "setup",
    "verifying",
]
