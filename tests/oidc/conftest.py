"""Gives the tests of this folder the provider."""

from tests.oidc.provider import oidc

__all__ = ["oidc"]
