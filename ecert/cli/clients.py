"""Clients: departments' systems that call over HTTP, their keys and what bounds them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ecert._encoding import parse_json
from ecert.cli._console import DASHED, Json, actor, opened, read_input, show, verbs
from ecert.errors import FileError, NotFound
from ecert.registry.clients import ACTIVE, SUSPENDED

client_app = typer.Typer(help="Clients 接入系统: departments' systems that call over HTTP.")
verbs.add_typer(client_app, name="client")

_Client = Annotated[str, typer.Argument(metavar="CLIENT", help="The client's identifier.")]
_Jwk = Annotated[str, typer.Option(help="File with a public key as a JWK, or -.")]
_Scopes = Annotated[
    list[str] | None, typer.Option("--scope", help="A scope; may be given several times.")
]
_Addresses = Annotated[
    list[str] | None,
    typer.Option("--address", help="An address or network it may call from; several times."),
]
_Quota = Annotated[int | None, typer.Option(min=0, help="Certificates a day.")]


@client_app.command("add")
def client_add(
    name: Annotated[str, typer.Argument(help="What the system is called.")],
    agency: Annotated[str, typer.Option(help="Credit code of the agency it belongs to.")],
    scope: Annotated[list[str], typer.Option(help="A scope; may be given several times.")],
    jwk: _Jwk,
    address: _Addresses = None,
    quota: _Quota = None,
    as_json: Json = False,
) -> None:
    """Register a department's system by its public key; prints its client identifier.

    Example: `ecert client add 施工许可审批系统 --agency CODE --scope certificates:read --jwk key.json`
    """
    key = _key(jwk)
    with opened() as registry:
        client = registry.clients.add(
            name,
            agency=agency,
            scopes=scope,
            jwk=key,
            by=actor(),
            addresses=address or (),
            daily_quota=quota,
        )
    show(client.to_json(), as_json, [client.id])


def _key(file: str) -> dict[str, Any]:
    key = parse_json(read_input(file))
    if not isinstance(key, dict):
        raise FileError("the file holds no JWK")
    return key


@client_app.command("list")
def client_list(as_json: Json = False) -> None:
    """List the registered clients.

    Example: `ecert client list`
    """
    with opened() as registry:
        rows = [one.to_json() for one in registry.clients.all(by=actor())]
    lines = [f"{row['id']}  {row['state']:9}  {row['agency']}  {row['name']}" for row in rows]
    show({"items": rows, "next": None}, as_json, lines)


@client_app.command("change", context_settings=DASHED)
def client_change(
    client: _Client,
    scope: _Scopes = None,
    address: _Addresses = None,
    any_address: Annotated[bool, typer.Option(help="It may call from anywhere again.")] = False,
    quota: _Quota = None,
    no_quota: Annotated[bool, typer.Option(help="It has no quota any more.")] = False,
    suspend: Annotated[
        bool | None, typer.Option("--suspend/--resume", help="Its calls are refused, or taken.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change a client's scopes, addresses, quota or state; what is left out stays.

    Example: `ecert client change CLIENT --address 10.1.0.0/16 --quota 5000`
    """
    changes: dict[str, Any] = {}
    if scope:
        changes["scopes"] = frozenset(scope)
    if address or any_address:
        changes["addresses"] = tuple(address or ())
    if quota is not None or no_quota:
        changes["daily_quota"] = None if no_quota else quota
    if suspend is not None:
        changes["state"] = SUSPENDED if suspend else ACTIVE
    with opened() as registry:
        row = registry.clients.change(client, by=actor(), **changes)
    show(row.to_json(), as_json, [f"{row.id}  {row.state}  {' '.join(sorted(row.allowed))}"])


@client_app.command("key", context_settings=DASHED)
def client_key(
    client: _Client,
    add: Annotated[str | None, typer.Option(help="File with one more public key, or -.")] = None,
    retire: Annotated[str | None, typer.Option(help="Take the key with this kid away.")] = None,
    as_json: Json = False,
) -> None:
    """Give a client one more key, or take one away: add first, then retire, and there is no gap.

    Example: `ecert client key CLIENT --add new.jwk.json`
    """
    with opened() as registry:
        if add is not None:
            registry.clients.add_key(client, _key(add), by=actor())
        if retire is not None:
            registry.clients.retire_key(client, retire, by=actor())
        row = registry.clients.get(client)
        if row is None:
            raise NotFound("there is no such client")
    keys = sorted(row.keys)
    show({"client": client, "keys": keys}, as_json, keys)


@client_app.command("webhook", context_settings=DASHED)
def client_webhook(
    client: _Client,
    url: Annotated[str | None, typer.Option(help="Where it is told of changes.")] = None,
    remove: Annotated[bool, typer.Option(help="Tell it no longer.")] = False,
    as_json: Json = False,
) -> None:
    """Tell a client of changes at an address 变动推送, signed; without options show how it went.

    Example: `ecert client webhook CLIENT --url https://approval.example.gov.cn/ecert`
    """
    with opened() as registry:
        if url is not None or remove:
            registry.webhooks.put(client, None if remove else url, by=actor())
        if registry.clients.get(client) is None:
            raise NotFound("there is no such client")
        rows = [one for one in registry.webhooks.all() if one.client == client]
    shown = [one.to_json() for one in rows]
    lines = [f"{one.url}  after {one.cursor}  {one.last_result or '–'}" for one in rows]
    show({"items": shown, "next": None}, as_json, lines or ["none"])
