"""The log: look at it, check it, export it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecert._encoding import b64
from ecert.cli._console import Json, opened, progress, show, verbs, words

log_app = typer.Typer(help="The log 登记日志.")
verbs.add_typer(log_app, name="log")


@log_app.command("info")
def log_info(as_json: Json = False) -> None:
    """Show the log's size, root, verification key and newest checkpoint.

    Example: `ecert log info`
    """
    with opened() as registry:
        refusal = registry.refusal()
        if refusal is None:
            registry.log.publish()
        note = registry.log.checkpoint()
        head, vkey = registry.log.head(), registry.log.vkey()
        trail, trail_note = registry.trail.head(), registry.trail.checkpoint()
    shown = {
        "origin": registry.log.origin,
        "size": head.size,
        "root": b64(head.root),
        "vkey": vkey,
        "checkpoint": note,
        "audit": {
            "origin": registry.trail.origin,
            "size": trail.size,
            "root": b64(trail.root),
            "vkey": registry.trail.vkey(),
            "checkpoint": trail_note,
        },
        "writes": refusal is None,
        "refusal": None if refusal is None else {"code": refusal.code, "detail": refusal.message},
    }
    if refusal is not None:
        words.print(f"[yellow]{refusal.code}[/]: ", end="")
        words.print(refusal.message, markup=False)
    show(shown, as_json, [f"vkey {vkey}\n\n{note}", f"audit trail 审计记录\n\n{trail_note}"])


@log_app.command("check")
def log_check(as_json: Json = False) -> None:
    """Recompute the log and the audit trail and compare them with what is stored and was published.

    Example: `ecert log check`
    """
    with opened() as registry:
        registry.log.publish()  # a log that would fork is not good, whatever its hashes say
        head, trail = registry.log.check(), registry.trail.check()
    shown = {
        "size": head.size,
        "root": b64(head.root),
        "good": True,
        "audit": {"size": trail.size, "root": b64(trail.root)},
    }
    show(shown, as_json, [f"good: {head.size} entries", f"good: {trail.size} audit rows"])


@log_app.command("export")
def log_export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty or older export.")],
    as_json: Json = False,
) -> None:
    """Write the published log as a static directory that any tlog client reads.

    Example: `ecert log export ./log`
    """
    with opened() as registry:
        registry.log.publish()
        done = 0
        with progress("tiles") as tell:
            for done, total in registry.log.export(folder):
                tell(done, total)
    show({"directory": str(folder), "tiles": done}, as_json, [f"{folder}: {done} tiles"])
