"""Receptions 综合受理、委托 at the command line: who receives for whom, and may issue in its name."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

from ecert.cli._console import Json, Operator, actor, opened, show, verbs
from ecert.ledger.receptions import RECEIVE
from ecert.registry.receptions import ReceptionWish
from ecert.store import ReceptionRow

reception_app = typer.Typer(
    help="Receptions 综合受理、委托: which agency receives, or issues, for another."
)
verbs.add_typer(reception_app, name="reception")


@reception_app.command("add")
def reception_add(
    agency: Annotated[
        str,
        typer.Argument(metavar="CODE", help="Credit code of the window's or delegate's agency."),
    ],
    principal: Annotated[
        str, typer.Option("--for", metavar="CODE", help="Credit code of the responsible agency.")
    ],
    basis: Annotated[
        str, typer.Option(help="The document that it rests on, such as 穗政数〔2026〕1号.")
    ],
    matter: Annotated[
        str | None, typer.Option(help="One matter of it; all of them unless given.")
    ] = None,
    acts: Annotated[
        str, typer.Option(help="receive, or receive,issue to issue in its name too.")
    ] = RECEIVE,
    from_day: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First day; today unless given."),
    ] = None,
    to_day: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Last day; open unless given."),
    ] = None,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Let an agency receive applications for another, or issue in its name 委托.

    Example: `ecert reception add 11440114MA0000095C --for 11440114MA00000928 --matter HD-GH-01 --basis 穗政数1号`
    """
    wish = ReceptionWish(
        agency=agency,
        principal=principal,
        basis=basis,
        matter=matter,
        acts=[one.strip() for one in acts.split(",") if one.strip()],
        from_day=_day(from_day),
        to_day=_day(to_day),
    )
    with opened() as registry:
        row = registry.receptions.add(wish, by=actor(operator))
    show(row.to_json(), as_json, [row.id])


@reception_app.command("end")
def reception_end(
    reception: Annotated[str, typer.Argument(metavar="RECEPTION", help="The reception's id.")],
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """End a reception, from now on; what was done under it stays.

    Example: `ecert reception end 01KJP2N7E09BZ0XEMAWPHZ6DK0`
    """
    with opened() as registry:
        row = registry.receptions.end(reception, by=actor(operator))
    show(row.to_json(), as_json, [f"{row.id} ended"])


@reception_app.command("list")
def reception_list(as_json: Json = False) -> None:
    """List the receptions, ended ones too.

    Example: `ecert reception list`
    """
    with opened() as registry:
        rows = registry.receptions.all(by=actor())
    items = [row.to_json() for row in rows]
    show({"items": items, "next": None}, as_json, [_line(row) for row in rows] or ["none"])


def _line(row: ReceptionRow) -> str:
    state = "ended" if row.ended_at else ",".join(row.acts)
    return (
        f"{row.id}  {state:13}  {row.agency} for {row.principal}  {row.matter or '*'}  {row.basis}"
    )


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()
