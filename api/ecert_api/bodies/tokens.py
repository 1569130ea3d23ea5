"""Bodies about access tokens."""

from __future__ import annotations

from typing import Literal

from ecert_api.bodies._common import Shape


class TokenShape(Shape):
    """An access token (RFC 6749 §5.1)."""

    access_token: str
    token_type: Literal["Bearer", "DPoP"]
    expires_in: int
    scope: str
