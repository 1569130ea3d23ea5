"""Keys: list, make or certify, rotate, retire."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ecert._encoding import parse_rfc3339, rfc3339
from ecert.cli._console import DASHED, Json, actor, opened, read_input, show, verbs
from ecert.errors import HomeError
from ecert.keys import Role
from ecert.store import KeyRow

keys_app = typer.Typer(help="Keys 密钥: their private halves never leave the home.")
verbs.add_typer(keys_app, name="keys")

AgencyOption = Annotated[str | None, typer.Option("--agency", help="Credit code of the agency.")]
RoleOption = Annotated[Role, typer.Option("--role", help="What the key is for.")]


def _row(key: KeyRow) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "role": key.role,
        "agency": key.agency,
        "state": key.state,
        "created_at": _instant(key.created_at),
        "retired_at": _instant(key.retired_at),
    }


def _instant(seconds: int | None) -> str | None:
    return None if seconds is None else rfc3339(datetime.fromtimestamp(seconds).astimezone())


@keys_app.command("list")
def keys_list(as_json: Json = False) -> None:
    """List all keys that ever were.

    Example: `ecert keys list`
    """
    with opened() as registry:
        rows = [_row(key) for key in registry.keys.all()]
    lines = [
        f"{row['kid']}  {row['role']:9} {row['state']:11} {row['agency'] or ''}" for row in rows
    ]
    show({"items": rows, "next": None}, as_json, lines)


@keys_app.command("new")
def keys_new(
    agency: Annotated[str, typer.Option("--agency", help="Credit code of the agency.")],
    certificate: Annotated[
        str | None,
        typer.Option(help="PEM of the certificate for a pending key: leaf first, anchor last."),
    ] = None,
    csr: Annotated[
        Path | None, typer.Option(help="Make a pending key and write its request here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a further signing key for an agency, or put its own certificate in.

    Example: `ecert keys new --agency CODE --csr request.pem`
    """
    if certificate is not None and csr is not None:
        raise HomeError("either --certificate or --csr")
    with opened() as registry:
        if certificate is not None:
            kid = registry.keys.certify(agency, read_input(certificate), by=actor())
        else:
            made = registry.keys.new(agency, by=actor(), brings_certificate=csr is not None)
            kid = made.row.kid
            if csr is not None:
                csr.write_bytes(made.request or b"")
    show({"kid": kid, "agency": agency}, as_json, [kid])


@keys_app.command("rotate")
def keys_rotate(
    role: RoleOption = Role.AGENCY, agency: AgencyOption = None, as_json: Json = False
) -> None:
    """Make a new key in a role and retire the old one.

    Example: `ecert keys rotate --agency CODE`
    """
    with opened() as registry:
        new, old = registry.keys.rotate(role, agency, by=actor())
    show({"kid": new, "retired": old}, as_json, [f"{new}  (retired {old or 'none'})"])


@keys_app.command("retire", context_settings=DASHED)
def keys_retire(
    kid: Annotated[
        str | None,
        typer.Argument(help="The key's name or its beginning; else the role's active key."),
    ] = None,
    role: RoleOption = Role.AGENCY,
    agency: AgencyOption = None,
    compromised_since: Annotated[
        str | None, typer.Option(help="It is in wrong hands since this instant (RFC 3339).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Retire a key: its private half is destroyed, what it signed while active stays good.

    Example: `ecert keys retire --agency CODE`
    """
    with opened() as registry:
        if kid is None:
            owner = registry.agencies.get(agency).code if role is Role.AGENCY else None
            kid = registry.keys.ring.active(role, owner).kid
        if compromised_since is not None:
            row = registry.keys.compromise(kid, parse_rfc3339(compromised_since), by=actor())
        else:
            row = registry.keys.retire(kid, by=actor())
    show(_row(row), as_json, [f"{row.kid}  {row.state}"])
