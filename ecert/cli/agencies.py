"""Agencies 机构 at the command line: register them, and say what each may issue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from ecert.cli._console import Json, Operator, actor, opened, show, verbs, words
from ecert.model import DEFAULT_ZONE, PAPER, Agency, Competence
from ecert.registry.agencies import REGISTERED
from ecert.registry.register import Term

agency_app = typer.Typer(help="Agencies 机构: departments that issue or use certificates.")
verbs.add_typer(agency_app, name="agency")

Code = Annotated[str, typer.Argument(metavar="CODE", help="The agency's credit code.")]
Types = Annotated[
    list[str], typer.Argument(metavar="TYPE…", help="Slugs, such as construction-permit.")
]
Basis = Annotated[
    str, typer.Option(help="The document that it rests on, such as 穗编办〔2019〕1号.")
]


@agency_app.command("add")
def agency_add(
    code: Annotated[str, typer.Argument(help="Unified social credit code 统一社会信用代码.")],
    name: Annotated[str, typer.Argument(help="Name as printed on certificates.")],
    division: Annotated[str, typer.Option(help="Division code 行政区划代码, six digits.")],
    parent: Annotated[str | None, typer.Option(help="Credit code of the agency above it.")] = None,
    short_name: Annotated[
        str | None, typer.Option(help="For local numbers, such as 穗规划资源.")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="For its civil dates.")] = DEFAULT_ZONE,
    may_issue: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE", help="A type that it may issue from today on; repeatable."),
    ] = None,
    basis: Annotated[
        str, typer.Option(help="The document that its competences rest on.")
    ] = REGISTERED,
    csr: Annotated[
        Path | None,
        typer.Option(
            help="Write a certificate request here; the agency brings its own certificate."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Register an agency, make its signing key, and say what it may issue.

    Example: `ecert agency add 11440114MA00000928 花都区住建局 --division 440114 --may-issue construction-permit`
    """
    agency = Agency(code, name, division, parent, short_name, time_zone)
    with opened(publishes=True) as registry:
        request = registry.agencies.add(
            agency,
            by=actor(),
            may_issue=may_issue or (),
            basis=basis,
            brings_certificate=csr is not None,
        )
    if csr is not None and request is not None:
        csr.write_bytes(request)
        words.print(f"Then: ecert keys new --agency {code} --certificate CHAIN.pem")
    show(agency.to_json(), as_json, [f"{agency.code}  {agency.name}"])


@agency_app.command("list")
def agency_list(as_json: Json = False) -> None:
    """List the agencies, with what each may issue.

    Example: `ecert agency list --json`
    """
    with opened() as registry:
        agencies, held = registry.agencies.all(), registry.register.competences()
    items = [_shown(one, held) for one in agencies]
    show({"items": items, "next": None}, as_json, _tree(agencies, held))


def _shown(agency: Agency, held: Sequence[Competence]) -> dict[str, Any]:
    own = [one.to_json() for one in held if one.agency == agency.code]
    return {**agency.to_json(), "may_issue": own}


def _tree(agencies: list[Agency], held: Sequence[Competence]) -> Iterator[str]:
    """List agencies below the ones above them."""
    for one in agencies:
        if one.parent is None:
            yield from _branch(one, agencies, held, 0)


def _branch(
    agency: Agency, agencies: list[Agency], held: Sequence[Competence], depth: int
) -> Iterator[str]:
    closed = "" if agency.closed_on is None else f"  closed {agency.closed_on}"
    yield f"{'  ' * depth}{agency.code}  {agency.name}{closed}"
    for one in held:
        if one.agency == agency.code:
            yield "  " * depth + "    " + _line(one)
    for child in agencies:
        if child.parent == agency.code:
            yield from _branch(child, agencies, held, depth + 1)


def _line(one: Competence) -> str:
    last = f" to {one.to_day}" if one.to_day else ""
    only = f" ({one.only} only)" if one.only else ""
    after = f"  then {one.successor}" if one.successor else ""
    return f"{one.slug}{only}  from {one.from_day}{last}{after}  {one.basis}"


@agency_app.command("allow")
def agency_allow(
    code: Code,
    types: Types,
    basis: Basis,
    from_day: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First day; today unless given."),
    ] = None,
    to_day: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Last day; open unless given."),
    ] = None,
    paper_only: Annotated[
        bool, typer.Option(help="Only to enter paper of the past, and to act upon it.")
    ] = False,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Let an agency issue types from a day on 授权; each is a signed act in the log.

    Example: `ecert agency allow 11440114MA00000928 construction-permit --basis 穗编办〔2019〕1号`
    """
    term = Term(_day(from_day), _day(to_day), PAPER if paper_only else None)
    with opened(publishes=True) as registry:
        held = registry.register.allow(code, types, basis=basis, term=term, by=actor(operator))
    _show(held, as_json)


@agency_app.command("disallow")
def agency_disallow(
    code: Code,
    types: Types,
    basis: Basis,
    from_day: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=["%Y-%m-%d"],
            help="First day on which it may no longer; tomorrow unless given.",
        ),
    ] = None,
    to_day: Annotated[
        datetime | None,
        typer.Option(
            "--to", formats=["%Y-%m-%d"], help="Last day on which it may, instead of --from."
        ),
    ] = None,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Let an agency issue types no longer from a day on; each is a signed act in the log.

    Example: `ecert agency disallow 11440114MA00000928 construction-permit --basis 穗编办〔2026〕3号`
    """
    with opened(publishes=True) as registry:
        ended = registry.register.disallow(
            code, types, basis=basis, from_day=_first_without(from_day, to_day), by=actor(operator)
        )
    _show(ended, as_json)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _first_without(from_day: datetime | None, to_day: datetime | None) -> date | None:
    """Give the first day without a right, from that day or from the last one with it."""
    if from_day is not None and to_day is not None:
        raise typer.BadParameter("give --from or --to, not both", param_hint="--to")
    if to_day is None:
        return _day(from_day)
    if to_day.date() == date.max:
        raise typer.BadParameter("no day follows 9999-12-31", param_hint="--to")
    return to_day.date() + timedelta(days=1)


def _show(held: Sequence[Competence], as_json: bool) -> None:
    items = [{"agency": one.agency, **one.to_json()} for one in held]
    show({"items": items, "next": None}, as_json, (f"{one.agency}  {_line(one)}" for one in held))


@agency_app.command("change")
def agency_change(
    code: Code,
    from_day: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day of the change.")
    ],
    basis: Basis,
    name: Annotated[str | None, typer.Option(help="Its name from then on.")] = None,
    short_name: Annotated[str | None, typer.Option(help="Its short name from then on.")] = None,
    division: Annotated[str | None, typer.Option(help="6, 9 or 12 digits.")] = None,
    parent: Annotated[str | None, typer.Option(help="Credit code of the agency above it.")] = None,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Let an agency have another name, short name, division or parent from a day on 变更.

    Example: `ecert agency change 11440114MA00000928 --name 花都区自然资源局 --from 2027-01-01 --basis 穗编办5号`
    """
    with opened(publishes=True) as registry:
        now = registry.agencies.newest(code)
        wish = replace(
            now,
            from_day=from_day.date(),
            name=name or now.name,
            short_name=short_name or now.short_name,
            division=division or now.division,
            parent=parent or now.parent,
        )
        changed = registry.agencies.change(wish, basis=basis, by=actor(operator))
    lines = [f"{code}  {wish.name}  from {wish.from_day}"]
    show(
        {**changed.to_json(), "from": wish.from_day.isoformat(), "name": wish.name}, as_json, lines
    )


@agency_app.command("transfer")
def agency_transfer(
    code: Code,
    types: Annotated[
        list[str], typer.Option("--type", metavar="TYPE", help="A type to transfer; repeatable.")
    ],
    to: Annotated[str, typer.Option(metavar="CODE", help="Credit code of the successor.")],
    from_day: Annotated[
        datetime,
        typer.Option(
            "--from", formats=["%Y-%m-%d"], help="First day on which it is the successor's."
        ),
    ],
    basis: Basis,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Transfer types to a successor 承继: it issues them, and acts upon what there is, from a day on.

    Example: `ecert agency transfer 11440114MA00000928 --type TYPE --to CODE --from 2027-01-01 --basis 穗编办6号`
    """
    with opened(publishes=True) as registry:
        ended = registry.register.transfer(
            code, types, to=to, from_day=from_day.date(), basis=basis, by=actor(operator)
        )
    _show(ended, as_json)


@agency_app.command("close")
def agency_close(
    code: Code,
    from_day: Annotated[
        datetime,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First day on which it is no more."),
    ],
    basis: Basis,
    ended: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE", help="A type that nobody issues in its stead; repeatable."),
    ] = None,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Close an agency from a day on 撤销: it issues nothing more, and its clients are suspended.

    Example: `ecert agency close 11440114MA0000094E --ended project-approval --from 2027-01-01 --basis 穗编办6号`
    """
    with opened(publishes=True) as registry:
        closed = registry.agencies.close(
            code, from_day=from_day.date(), basis=basis, ended=ended or (), by=actor(operator)
        )
    show(closed.to_json(), as_json, [f"{code}  closed from {closed.closed_on}"])


@agency_app.command("dpop")
def agency_dpop(
    code: Annotated[str, typer.Argument(help="The agency's credit code.")],
    require: Annotated[bool, typer.Option(help="Whether it is demanded.")] = True,
    as_json: Json = False,
) -> None:
    """Demand that the calls of an agency's systems, and of those below it, are bound to a key (DPoP).

    Example: `ecert agency dpop 11440114MA00000928 --require`
    """
    with opened() as registry:
        registry.agencies.require_dpop(code, requires=require, by=actor())
    words_ = "required" if require else "not required"
    show({"agency": code, "requires_dpop": require}, as_json, [f"{code}  DPoP {words_}"])
