"""Signing in 登录: which holder an identity provider vouches for."""

from __future__ import annotations

from dataclasses import replace

from ecert.errors import IdTokenRefused, SignInAgain
from ecert.formats.id_token import (
    CLOCK_SKEW_SECONDS,
    Provider,
    SignedIn,
    to_provider,
    verify_id_token,
)
from ecert.ledger.acting import Desk
from ecert.model import Actor
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
    require_own(signed)
    return signed


def require_own(signed: SignedIn) -> None:
    """Refuse a sign-in at what is no portal of its provider: it opens nothing of the holder's.

    Raises: IdTokenRefused.
    """
    if not signed.is_own:
        raise IdTokenRefused(
            "this sign-in was not at a portal for holders' own: ecert provider add … --portal"
        )


def require_fresh(desk: Desk, holder: SignedIn) -> None:
    """Refuse a holder who proved who he is too long ago. Raises: SignInAgain."""
    at, now = holder.signed_in_at, desk.clock().timestamp()
    minutes = desk.charter.sign_in_minutes
    if at is None or not at - CLOCK_SKEW_SECONDS <= now <= at + minutes * 60:
        raise SignInAgain(f"sign in again: auth_time must be at most {minutes} minutes old")


def clerk(desk: Desk, by: Actor, id_token: str) -> Actor:
    """Say who acts, as an identity provider vouches for it: the trail then says ``operator_verified``.

    A sign-in for a grant proves a holder's consent, never a clerk. Raises: IdTokenRefused.
    """
    with desk.store.reading() as reading:
        signed = verify_id_token(id_token, believed(reading), int(desk.clock().timestamp()))
        is_bound = signed.nonce is not None and grants.request_of_nonce(reading, signed.nonce)
    if is_bound:
        raise IdTokenRefused("this sign-in was for a grant, and names no operator")
    return replace(by, verified=desk.secrets.hide(signed.code).hex())
