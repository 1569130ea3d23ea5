"""The HTTP service of ecert: departments' interface, public keys and status, verification."""

from ecert_api.app import create_app

__all__ = ["create_app"]
