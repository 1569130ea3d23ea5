"""The command line: one verb a function, each a thin delegation to the registry."""

from ecert.cli import certificates, keys, logs, operations, service, setup, verifying
from ecert.cli._console import app, main

__all__ = [
    "app",
    "certificates",
    "keys",
    "logs",
    "main",
    "operations",
    "service",
    "setup",
    "verifying",
]
