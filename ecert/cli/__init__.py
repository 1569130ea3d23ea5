"""The command line: one verb a function, each a thin delegation to the registry."""

from ecert.cli._console import app, main

__all__ = ["app", "main"]
