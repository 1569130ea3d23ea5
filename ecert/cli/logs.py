"""The log: look at it, check it, export it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecert._encoding import b64
from ecert.cli._console import Json, app, opened, progress, show

log_app = typer.Typer(help="The log 登记日志.")
app.add_typer(log_app, name="log")


@log_app.command("info")
def log_info(as_json: Json = False) -> None:
    """Show the log's size, root, verification key and newest checkpoint.

    Example: `ecert log info`
    """
    with opened() as registry:
        head, vkey = registry.log_head(), registry.keys.log_vkey(registry.origin)
        note = registry.publish()
    shown = {
        "origin": registry.origin,
        "size": head.size,
        "root": b64(head.root),
        "vkey": vkey,
        "checkpoint": note,
    }
    show(shown, as_json, [f"vkey {vkey}\n\n{note}"])


@log_app.command("check")
def log_check(as_json: Json = False) -> None:
    """Recompute the whole log and compare it with what is stored and was published.

    Example: `ecert log check`
    """
    with opened() as registry:
        registry.publish()  # a log that would fork is not good, whatever its hashes say
        head = registry.check_log()
    shown = {"size": head.size, "root": b64(head.root), "good": True}
    show(shown, as_json, [f"good: {head.size} entries"])


@log_app.command("export")
def log_export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty or older export.")],
    as_json: Json = False,
) -> None:
    """Write the published log as a static directory that any tlog client reads.

    Example: `ecert log export ./log`
    """
    with opened() as registry:
        registry.publish()
        done = 0
        with progress("tiles") as tell:
            for done, total in registry.export_log(folder):
                tell(done, total)
    show({"directory": str(folder), "tiles": done}, as_json, [f"{folder}: {done} tiles"])
