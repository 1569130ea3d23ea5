"""A register statement 名录声明: who is an agency, and who may issue what, signed by the registry.

Every act upon the register (``ecert-register+jwt``, registry key) is an entry of the log; the order is
the log's. The trust file is what all of them together lead to (design §10.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from ecert._encoding import to_json
from ecert.errors import TokenError
from ecert.formats._jws import (
    REGISTER,
    UnverifiedJws,
    parse_compact,
    seconds_claim,
    sign_jws,
    text_claim,
)
from ecert.keys import SigningKey

EVENT = "register"
NO_TYPE = "-"  # the ``type`` of an entry that is about an agency as a whole
_TEXTS = ("type", "only", "name", "short_name", "division", "parent", "successor")


class RegisterAct(StrEnum):
    """What was done to the register."""

    REGISTERED = "registered"
    CHANGED = "changed"
    CLOSED = "closed"
    GRANTED = "competence_granted"
    ENDED = "competence_ended"
    TRANSFERRED = "transferred"


@dataclass(frozen=True, slots=True)
class RegisterStatement:
    """One act upon the register: ``from_day`` is the civil day on which it takes effect.

    ``at`` is when it was said, in Unix seconds. A competence is named by ``type`` and ``from_day``,
    ``to_day`` is its last day; ``basis`` is the document that it rests on.
    """

    agency: str
    act: RegisterAct
    at: int
    from_day: date
    basis: str
    to_day: date | None = None
    type: str | None = None
    only: str | None = None
    name: str | None = None
    short_name: str | None = None
    division: str | None = None
    parent: str | None = None
    successor: str | None = None

    def claims(self, base: str) -> dict[str, Any]:
        """Give the claims; what does not apply is left out."""
        claims = {
            "iss": base,
            "sub": self.agency,
            "iat": self.at,
            "act": self.act.value,
            "from": self.from_day.isoformat(),
            "to": None if self.to_day is None else self.to_day.isoformat(),
            "basis": self.basis,
            **{name: getattr(self, name) for name in _TEXTS},
        }
        return {name: value for name, value in claims.items() if value is not None}


def sign_register(statement: RegisterStatement, key: SigningKey, *, base: str) -> str:
    """Sign a register statement with the registry's own key; ``base`` is its address."""
    claims = to_json(statement.claims(base))
    return sign_jws(claims, key.signer, typ=REGISTER, chain=key.chain)


def parse_register(token: str) -> tuple[UnverifiedJws, str, RegisterStatement]:
    """Take a register statement apart; give the JWS, its ``iss`` and the unverified statement.

    Raises: TokenError.
    """
    jws = parse_compact(token, typ=REGISTER)
    claims = jws.unverified_claims()
    try:
        return jws, text_claim(claims, "iss"), _to_statement(claims)
    except (KeyError, ValueError, TypeError) as error:
        raise TokenError("the register statement is malformed") from error


def _to_statement(claims: Mapping[str, Any]) -> RegisterStatement:
    return RegisterStatement(
        agency=text_claim(claims, "sub"),
        act=RegisterAct(claims["act"]),
        at=seconds_claim(claims, "iat"),
        from_day=date.fromisoformat(text_claim(claims, "from")),
        basis=text_claim(claims, "basis"),
        to_day=date.fromisoformat(text_claim(claims, "to")) if "to" in claims else None,
        **{name: text_claim(claims, name) for name in _TEXTS if name in claims},
    )
