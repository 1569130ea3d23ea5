"""Backups, restoring, and taking the pen: which database is the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ecert.cli._console import Json, Operator, actor, chosen, opened, progress, show, verbs

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The backup's folder.")]


@verbs.command()
def backup(folder: Folder, operator: Operator = None, as_json: Json = False) -> None:
    """Copy everything but the passphrase into a new folder while the service runs.

    Example: `ecert backup /backup/2026-11-29`
    """
    with opened() as registry, progress("backup 备份") as bar:
        manifest = registry.backups.make(folder, by=actor(operator), tell=bar)
    lines = [
        f"{folder}: {manifest['log']['size']} log entries, {manifest['audit']['size']} audit rows",
        "The passphrase is not in it: keep it elsewhere 口令不在备份内，请另行保管",
    ]
    show({"directory": str(folder), **manifest}, as_json, lines)


@verbs.command()
def restore(
    folder: Folder,
    home: Annotated[Path, typer.Option("--home", help="The new home; nothing may be there.")],
    database: Annotated[
        str | None, typer.Option(help="Another address, such as an empty PostgreSQL database.")
    ] = None,
    passphrase: Annotated[
        Path | None, typer.Option("--passphrase", help="The old home's passphrase file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Restore a backup into a new home, which only reads until it is accepted.

    Example: `ecert restore /backup/2026-11-29 --home ./restored`
    """
    from ecert.restore import restore_registry

    with progress("restore 恢复") as bar:
        manifest = restore_registry(
            folder, home, database=database, passphrase=passphrase, tell=bar
        )
    lines = [
        f"{home}: restored as of {manifest['made_at']}, {manifest['log']['size']} log entries",
        f"It only reads 只读. Look at it, then: ecert --home {home} accept --size … --root … --reason …",
    ]
    show({"home": str(home), **manifest}, as_json, lines)


@verbs.command()
def accept(
    size: Annotated[int, typer.Option(help="How many entries the log has: of `ecert log info`.")],
    root: Annotated[str, typer.Option(help="The log's root: of `ecert log info`.")],
    reason: Annotated[str, typer.Option(help="Why, in words.")],
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Let this database be the registry from now on 接管: all its copies only read.

    Example: `ecert accept --size 29 --root "…" --reason "old machine burnt"`
    """
    with opened(publishes=True) as registry:
        registry.backups.accept(size, root, reason=reason, by=actor(operator))
    told: dict[str, Any] = {"home": str(chosen.home), "size": size, "root": root}
    show(told, as_json, ["this database is the registry from now on 自此由本库执笔"])
