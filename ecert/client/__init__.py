"""Calling a registry over HTTP: the typed client of departments, and fresh status for verifiers."""

from ecert.client.http_status import HttpStatus
from ecert.client.registry_client import Grounds, ReceivedDossier, RegistryClient
from ecert.client.session import Problem

__all__ = ["Grounds", "HttpStatus", "Problem", "ReceivedDossier", "RegistryClient"]
