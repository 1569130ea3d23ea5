"""Signing in 登录: which holder an identity provider vouches for."""

from __future__ import annotations

from ecert.errors import (
    IdTokenRefused,
)
from ecert.formats.id_token import Provider, SignedIn, to_provider, verify_id_token
from ecert.ledger.acting import Desk
from ecert.store import Reading, grants, providers


def believed(reading: Reading) -> dict[str, Provider]:
    """Give the identity providers that are believed."""
    return {
        issuer: to_provider(issuer, settings)
        for issuer, settings in providers.listed(reading).items()
    }


def sign_in(desk: Desk, id_token: str) -> SignedIn:
    """Say which holder signed in, for himself; a sign-in for a grant opens nothing else.

    Raises: IdTokenRefused.
    """
    with desk.store.reading() as reading:
        known = believed(reading)
        signed = verify_id_token(id_token, known, int(desk.clock().timestamp()))
        is_bound = signed.nonce is not None and grants.request_of_nonce(reading, signed.nonce)
    if is_bound:
        raise IdTokenRefused("this sign-in was for a grant, and opens nothing else")
    if not signed.is_own:
        raise IdTokenRefused("this sign-in was for a hall, not for a holder's own pages")
    return signed
