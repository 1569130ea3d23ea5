"""Checks: everything the store says against everything that was signed, logged and told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ecert.cli._console import REFUSED, Json, Operator, actor, opened, progress, put, show, verbs


@verbs.command()
def check(
    nightly: Annotated[
        bool,
        typer.Option("--nightly", help="What the service does each night: one signature in 28."),
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Everything, every signature and file: the default.")
    ] = False,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Do not go on with a check that was cut short.")
    ] = False,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Compare everything stored with everything signed and logged 核对; exit code 1 names a fault.

    A check that was cut short goes on where it was. Example: `ecert check`
    """
    if nightly and everything:
        raise typer.BadParameter("--nightly and --all: choose one of them")
    with opened() as registry, progress("check 核对") as bar:
        from ecert.registry import ALL, NIGHTLY

        done = registry.checks.run(
            by=actor(operator),
            scope=NIGHTLY if nightly else ALL,
            afresh=afresh,
            tell=lambda part, at, total: bar(at, total, part),
        )
    show(done.to_json(), as_json, (_line(one) for one in done.faults))
    if not done.is_good:
        if not as_json:
            put(f"{done.found} faults 处异常")
        raise typer.Exit(REFUSED)
    if not as_json:
        put("good: everything is as it was signed 核对无误")


def _line(fault: Mapping[str, Any]) -> str:
    hint = f" ({fault['hint']})" if fault["hint"] else ""
    return (
        f"{fault['code']}  {fault['place']}{hint}\n"
        f"    {fault['reason']['en']} {fault['reason']['zh']}\n"
        f"    → {fault['cure']['en']} {fault['cure']['zh']}"
    )
