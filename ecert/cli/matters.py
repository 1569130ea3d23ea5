"""Matters, checklists, dossiers: what applicants need not bring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from ecert.cli._console import (
    Json,
    Operator,
    Output,
    check_folder,
    deliver,
    opened,
    print_json,
    read_input,
    show,
    system_user,
    verbs,
)
from ecert.errors import FileError, SignatureError
from ecert.formats.dossier import Dossier, presentation_digest, verify_dossier
from ecert.ids import ROOT
from ecert.keys import Trust, parse_trust
from ecert.model import Actor, Application
from ecert.pictures import graph_svg
from ecert.registry import Registry
from ecert.reuse.checklist import Checklist, State
from ecert.reuse.matter import MAX_MATTERS, Matter, matter_schema
from ecert.samples.district import DEPARTMENTS, MATTERS, agencies, chain, generate
from ecert.verification import Verdict, Verifier

matter_app = typer.Typer(help="Matters 事项: what people apply for, and the materials it takes.")
dossier_app = typer.Typer(help="Dossiers 用证卷宗: what a department was given for a case.")
verbs.add_typer(matter_app, name="matter")
verbs.add_typer(dossier_app, name="dossier")

_Matter = Annotated[str, typer.Argument(metavar="MATTER", help="The matter's code 事项编码.")]
_Holder = Annotated[
    str | None,
    typer.Option(
        help="The applicant's code; - reads it from standard input, so that it stays out of the history."
    ),
]
_Project = Annotated[str | None, typer.Option(help="Project code 项目代码.")]
_Situation = Annotated[str | None, typer.Option(help="The situation 情形, as the matter names it.")]
_Agency = Annotated[
    str | None, typer.Option(help="For which agency; the matter's own unless given.")
]
_Number = Annotated[
    str, typer.Option("--case-number", help="The department's case number 办件编号.")
]
_Grant = Annotated[str | None, typer.Option(help="The holder's grant 授权, by its id.")]


@matter_app.command("add")
def add(
    file: Annotated[
        str, typer.Argument(metavar="FILE.json", help="One matter, or {matters: […]}; or -.")
    ],
    as_json: Json = False,
) -> None:
    """Add a matter, or hundreds from one file: everything or nothing.

    Example: `ecert matter add matters.json`
    """
    data = read_input(file)
    with opened() as registry:
        added = registry.matters.add(data, by=Actor(system_user()))
    items = [{"code": one.code, "version": one.version, "added": new} for one, new in added]
    lines = [
        f"{one.code:16} v{one.version}  {'added' if new else 'there'}  {one.name['zh']}"
        for one, new in added
    ]
    show({"items": items, "next": None}, as_json, lines)


@matter_app.command("list")
def list_matters(
    after: Annotated[str, typer.Option(help="Continue after this code.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many a page.")] = 100,
    as_json: Json = False,
) -> None:
    """List the newest versions of matters.

    Example: `ecert matter list`
    """
    with opened() as registry:
        found, cursor = registry.matters.all(by=Actor(system_user()), after=after, limit=limit)
    lines = [_brief(one) for one in found] + ([f"… more: --after {cursor}"] if cursor else [])
    items = [one.to_json() for one in found]
    show({"items": items, "next": cursor}, as_json, lines or ["none: ecert matter sample"])


def _brief(matter: Matter) -> str:
    return f"{matter.code:16} v{matter.version}  {matter.agency}  {matter.name['zh']}"


@matter_app.command("show")
def show_matter(matter: _Matter, as_json: Json = False) -> None:
    """Show a matter and the materials it asks for.

    Example: `ecert matter show HD-ZJ-01`
    """
    with opened() as registry:
        found = registry.matters.get(matter, by=Actor(system_user()))
    show(found.to_json(), as_json, _describe(found))


def _describe(matter: Matter) -> Iterator[str]:
    yield f"{matter.name['zh']} · {matter.name['en']}  ({matter.code} v{matter.version})"
    for one in matter.materials:
        types = " | ".join(option.slug for option in one.options) or "–"
        situations = f"  [{', '.join(sorted(one.situations))}]" if one.situations else ""
        yield f"  {one.code:28} {one.name['zh']}  ← {types}{situations}"
    if matter.issues:
        yield f"  → {', '.join(matter.issues)}"


@matter_app.command("schema")
def schema(as_json: Json = False) -> None:
    """Print the JSON Schema of a matter.

    Example: `ecert matter schema > matter.schema.json`
    """
    del as_json  # it is JSON either way
    print_json(matter_schema())


@matter_app.command("sample")
def sample(
    output: Output = None,
    district: Annotated[
        bool, typer.Option(help="A set of a whole district's size instead, mostly made up.")
    ] = False,
    departments: Annotated[
        int, typer.Option(min=4, max=899, help="How many departments it has.")
    ] = DEPARTMENTS,
    matters: Annotated[
        int, typer.Option(min=12, max=MAX_MATTERS, help="How many matters it has.")
    ] = MATTERS,
    register: Annotated[
        bool, typer.Option(help="Also register the fictional agencies of the set in this registry.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Give the shipped matters of the planning and construction chain, or a district's worth.

    Example: `ecert matter sample -o matters.json`
    """
    data = orjson.dumps(generate(departments, matters)) if district else chain()
    if register:
        _register(departments if district else 0, data)
    deliver(data, output, as_json, "matters")


def _register(departments: int, data: bytes) -> None:
    """Register the agencies that a sample names and this registry lacks.

    Each may issue what its matters lead to.
    """
    listed = orjson.loads(data)["matters"]
    named = {one["agency"] for one in listed}
    with opened(publishes=True) as registry:
        there = {one.code for one in registry.agencies.all()}
        known = {one.slug for one in registry.catalogue}
        for agency in agencies(departments or DEPARTMENTS):
            if agency.code not in there and (departments or agency.code in named):
                slugs = {
                    slug
                    for one in listed
                    if one["agency"] == agency.code
                    for slug in one.get("issues", ())
                }
                may_issue = sorted(slugs & known)
                registry.agencies.add(agency, by=Actor(system_user()), may_issue=may_issue)


@matter_app.command("graph")
def graph(
    matter: Annotated[
        str, typer.Argument(metavar="MATTER|ID", help="A matter's code, or a certificate's id.")
    ],
    project: _Project = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the picture (SVG) here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what comes before and after a matter or a certificate; for a project with each step's state.

    Example: `ecert matter graph HD-ZJ-01 --project 2602-440114-04-01-260318 -o chain.svg`
    """
    with opened() as registry:
        by = Actor(system_user(), purpose="registry operation")
        if matter.startswith(ROOT):
            found = registry.certificates.graph(matter, by=by)
        else:
            found = registry.matters.graph(matter, by=by, project_code=project)
    if output is not None:
        check_folder(output)
        output.write_text(graph_svg(found), "utf-8")
    lines = [
        f"{'  ' * one.rank}{one.matter.code:12} {one.state:10} {one.matter.name['zh']}"
        for one in found.steps
    ]
    show(found.to_json(), as_json, lines)


# -- checklist and dossier ---------------------------------------------------------------------------


@matter_app.command("checklist")
def checklist(
    matter: _Matter,
    holder: _Holder = None,
    project: _Project = None,
    situation: _Situation = None,
    case_number: _Number = "checklist",
    grant: _Grant = None,
    agency: _Agency = None,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Say of each material what the registry holds already; needs a sharing rule or a grant.

    Example: `echo 91440114MA00000151 | ecert matter checklist HD-ZJ-01 --holder - --project CODE`
    """
    application = Application(matter, case_number, _code(holder), project, situation, grant)
    with opened() as registry:
        found = registry.dossiers.checklist(
            application, by=_acting(registry, matter, agency, operator)
        )
    show(found.to_json(), as_json, _lines(found))


def _code(holder: str | None) -> str | None:
    return read_input("-").decode("utf-8", "replace").strip() if holder == "-" else holder


def _acting(registry: Registry, matter: str, agency: str | None, operator: str | None) -> Actor:
    """Say for which agency somebody acts: the matter's own, unless another is named."""
    named = operator or system_user()
    code = agency or registry.matters.get(matter, by=Actor(named)).agency
    return Actor(named, code)


_MARKS = {
    State.MET: "✓",
    State.MISSING: "✗",
    State.EXPIRED: "✗",
    State.SUSPENDED: "✗",
    State.SUPERSEDED: "✗",
    State.MAY_FOLLOW: "~",
    State.NOT_NEEDED: "–",
}


def _lines(found: Checklist) -> Iterator[str]:
    yield f"{found.matter.name['zh']} · {found.matter.name['en']}  ({found.matter.code})"
    for item in found.items:
        words = item.to_json()["sentence"]
        yield f"  {_MARKS[item.state]} {words['zh']} · {words['en'].partition(': ')[2]}"


@matter_app.command("fulfil")
def fulfil(
    matter: _Matter,
    case_number: _Number,
    holder: _Holder = None,
    project: _Project = None,
    situation: _Situation = None,
    grant: _Grant = None,
    agency: _Agency = None,
    client: Annotated[
        str | None, typer.Option(help="Under which client's name; it then hears of changes.")
    ] = None,
    output: Output = None,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Answer an application with a dossier: only the needed fields, and a signed statement.

    Example: `ecert matter fulfil HD-ZJ-01 --case-number 2026-17 --holder - --project CODE -o dossier.json`
    """
    application = Application(matter, case_number, _code(holder), project, situation, grant)
    if output is not None:
        check_folder(output)
    with opened(publishes=True) as registry:
        by = replace(_acting(registry, matter, agency, operator), client=client)
        dossier = registry.dossiers.fulfil(application, by=by)
    if output is None:
        show(dossier, as_json, _given(dossier))
    else:
        deliver(orjson.dumps(dossier, option=orjson.OPT_INDENT_2), output, as_json, "dossier")


def _given(dossier: dict[str, Any]) -> Iterator[str]:
    yield f"{dossier['id']}.{dossier['revision']}  {dossier['case_number']}"
    fields = {one["material"]: one["fields"] for one in dossier["checklist"]["items"]}
    for one in dossier["presentations"]:
        yield f"  {one['material']:28} {', '.join(fields[one['material']])}"
    yield "keep it whole with: -o FILE, then: ecert dossier check FILE"


@dossier_app.command("check")
def check(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A dossier as it was answered, or -.")
    ],
    trust: Annotated[
        Path | None, typer.Option(help="Trust file; this registry's own keys unless given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a dossier: the signed statement, that it is of these presentations, and each of them.

    Example: `ecert dossier check dossier.json`
    """
    dossier = _read_dossier(file)
    believed = _trust(trust)
    presentations = [one["credential"] for one in dossier["presentations"]]
    statement = verify_dossier(dossier["statement"], believed, presentations=presentations)
    _check_names(dossier, statement)
    verifier = Verifier(believed)
    reports = [
        verifier.verify(one["credential"], receipt=one.get("receipt"))
        for one in dossier["presentations"]
    ]
    signed = all(_is_signed(one.to_json()) for one in reports)
    lines = [
        f"statement good  {statement.id}.{statement.revision}  {statement.matter}  {statement.case_number}",
        *(f"  {given.material:28} {', '.join(given.fields)}" for given in statement.given),
        "every presentation is signed by its agency" if signed else "a presentation is not good",
    ]
    shown = {"statement": statement.claims(""), "presentations_signed": signed}
    show(shown, as_json, lines)
    if not signed:
        raise SystemExit(1)


def _check_names(dossier: dict[str, Any], statement: Dossier) -> None:
    """Demand that each presentation stands under the material that the statement names."""
    names = {one.presentation: one.material for one in statement.given}
    for one in dossier["presentations"]:
        if names[presentation_digest(one["credential"])] != one.get("material"):
            raise SignatureError("a presentation stands under another material")


def _is_signed(report: dict[str, Any]) -> bool:
    """Tell whether nothing failed: status is not asked for, it may have changed since."""
    steps = {one["step"]: one["outcome"] for one in report["steps"]}
    is_signed: bool = steps["signature"] == "passed"
    return is_signed and report["verdict"] != Verdict.INVALID.value


def _read_dossier(file: str) -> dict[str, Any]:
    try:
        dossier = orjson.loads(read_input(file))
        good = isinstance(dossier["statement"], str) and all(
            isinstance(one["credential"], str) for one in dossier["presentations"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise FileError("the file holds no dossier") from error
    if not good:
        raise FileError("the file holds no dossier")
    found: dict[str, Any] = dossier
    return found


def _trust(file: Path | None) -> Trust:
    if file is not None:
        return parse_trust(read_input(str(file)))
    with opened() as registry:
        return registry.trust()
