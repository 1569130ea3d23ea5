"""Who may have what: sharing rules, identity providers, grants; and what came of it since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ecert._encoding import parse_json
from ecert.cli._console import Json, Operator, actor, check_folder, opened, read_input, show, verbs
from ecert.errors import FileError, NotFound
from ecert.formats.id_token import Provider
from ecert.ledger.rules import Mode
from ecert.model import Actor, Basis
from ecert.pictures import supervision_html
from ecert.reuse.grant import grant_json
from ecert.reuse.objection import ObjectionState, objection_json
from ecert.reuse.sharing import new_rule, rule_json
from ecert.reuse.supervision import figures_csv

sharing_app = typer.Typer(help="Sharing rules 共享规则: which agency may have which type.")
provider_app = typer.Typer(help="Identity providers 身份认证平台: whose sign-ins are believed.")
grant_app = typer.Typer(help="Grants 授权: what holders have agreed to.")
objection_app = typer.Typer(help="Objections 异议: what is said to be wrong with a certificate.")
verbs.add_typer(sharing_app, name="sharing")
verbs.add_typer(provider_app, name="provider")
verbs.add_typer(grant_app, name="grant")
verbs.add_typer(objection_app, name="objection")

_Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]


@sharing_app.command("add")
def add_rule(
    slug: Annotated[str, typer.Argument(metavar="TYPE", help="Slug, such as construction-permit.")],
    agency: Annotated[str, typer.Option(help="Which agency may have it; and those below it.")],
    basis: Annotated[str, typer.Option(help="The legal basis, cited in every use.")],
    mode: Annotated[Mode, typer.Option(help="How it is shared.")] = Mode.UNCONDITIONAL,
    matter: Annotated[str | None, typer.Option(help="For this matter only.")] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="Only these fields; may be given several times.")
    ] = None,
    quota: Annotated[int | None, typer.Option(min=0, help="Certificates a day.")] = None,
    valid_from: _Day = None,
    valid_to: _Day = None,
    as_json: Json = False,
) -> None:
    """Add a sharing rule: without one nothing is shared, unless the holder agrees.

    Example: `ecert sharing add business-licence --agency CODE --basis 国务院令第716号第七条`
    """
    rule = new_rule(
        slug,
        agency,
        legal_basis=basis,
        mode=mode,
        matter=matter,
        fields=field or (),
        daily_quota=quota,
        valid_from=_date(valid_from),
        valid_to=_date(valid_to),
    )
    with opened() as registry:
        row = registry.rules.add(rule, by=actor())
    show(rule_json(row), as_json, [row.id])


@sharing_app.command("list")
def list_rules(as_json: Json = False) -> None:
    """List the sharing rules, ended ones too.

    Example: `ecert sharing list`
    """
    with opened() as registry:
        rows = registry.rules.all(by=actor())
    lines = [
        f"{row.id}  {'ended' if row.ended_at else row.mode:13}  {row.slug:36} {row.agency}  "
        f"{row.matter or '*'}  {row.legal_basis}"
        for row in rows
    ]
    items = {"items": [rule_json(row) for row in rows], "next": None}
    show(items, as_json, lines or ["none: nothing is shared"])


@sharing_app.command("end")
def end_rule(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule's id.")],
    as_json: Json = False,
) -> None:
    """End a sharing rule, from now on; what was given under it stays cited.

    Example: `ecert sharing end 01KJP2N7E09BZ0XEMAWPHZ6DK0`
    """
    with opened() as registry:
        registry.rules.end(rule, by=actor())
    show({"id": rule, "ended": True}, as_json, [f"{rule} ended"])


@provider_app.command("add")
def add_provider(
    issuer: Annotated[
        str, typer.Argument(metavar="ISSUER", help="Its issuer identifier, https://…")
    ],
    audience: Annotated[
        list[str], typer.Option(help="A hall's client_id; may be given several times.")
    ],
    level: Annotated[list[str], typer.Option(help="An acr that is sure enough; several times.")],
    jwks: Annotated[str, typer.Option(help="File with its JWK set, or -.")],
    algorithm: Annotated[str, typer.Option(help="What it signs with.")] = "RS256",
    claim: Annotated[
        list[str] | None,
        typer.Option(help="Where a code stands: 001=credit_code, 111=resident_number."),
    ] = None,
    portal: Annotated[
        list[str] | None,
        typer.Option(help="Only these client_ids open a holder's own pages; several times."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Believe an identity provider's ID tokens; again with other keys after it changed them.

    Example: `ecert provider add https://id.example.gov.cn --audience hall --level high --jwks jwks.json`
    """
    keys = parse_json(read_input(jwks))
    if not isinstance(keys, dict):
        raise FileError("the file holds no JWK set")
    if any("=" not in one for one in claim or ()):
        raise typer.BadParameter("written as 001=credit_code", param_hint="--claim")
    claims = dict(one.split("=", 1) for one in claim or ()) or None
    halls, portals = tuple(audience), tuple(portal or ())
    provider = Provider(issuer, halls, tuple(level), keys, algorithm, claims, portals)
    with opened() as registry:
        registry.providers.put(provider, by=actor())
    show({"issuer": issuer, **provider.to_json()}, as_json, [issuer])


@provider_app.command("list")
def list_providers(as_json: Json = False) -> None:
    """List the identity providers that are believed.

    Example: `ecert provider list`
    """
    with opened() as registry:
        found = registry.providers.all(by=actor())
    items = [{"issuer": one.issuer, **one.to_json()} for one in found]
    lines = [f"{one.issuer}  {', '.join(one.audiences)}" for one in found]
    show({"items": items, "next": None}, as_json, lines or ["none"])


@provider_app.command("end")
def end_provider(
    issuer: Annotated[str, typer.Argument(metavar="ISSUER", help="Its issuer identifier.")],
    as_json: Json = False,
) -> None:
    """Believe an identity provider no longer.

    Example: `ecert provider end https://id.example.gov.cn`
    """
    with opened() as registry:
        registry.providers.end(issuer, by=actor())
    show({"issuer": issuer, "ended": True}, as_json, [f"{issuer} ended"])


@grant_app.command("list")
def list_grants(
    agency: Annotated[str | None, typer.Option(help="Only those given to this agency.")] = None,
    after: Annotated[str, typer.Option(help="Continue after this id.")] = "",
    as_json: Json = False,
) -> None:
    """List grants; they name no holder.

    Example: `ecert grant list --agency 11440114MA0000093B`
    """
    with opened() as registry:
        by = actor()
        rows = registry.grants.all(by=_for(by, agency), after=after)
        items = [grant_json(row, registry.clock()) for row in rows]
    lines = [
        f"{one['id']}  {'in force' if one['in_force'] else 'ended':8}  {one['agency']}  {one['matter']}"
        for one in items
    ]
    show(
        {"items": items, "next": items[-1]["id"] if len(items) == 100 else None},
        as_json,
        lines or ["none"],
    )


@grant_app.command("revoke")
def revoke_grant(
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="The grant's id.")],
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Revoke a grant, for a holder who asks the registry to.

    Example: `ecert grant revoke 01KJP2N7E09BZ0XEMAWPHZ6DK0`
    """
    with opened() as registry:
        row = registry.grants.revoke(grant, by=actor(operator))
        shown = grant_json(row, registry.clock())
    show(shown, as_json, [f"{row.id}  ended"])


def _for(by: Actor, agency: str | None) -> Actor:
    return replace(by, agency=agency)


# -- since then --------------------------------------------------------------------------------------


@verbs.command("changes")
def changes(
    client: Annotated[str, typer.Option(help="Which client's certificates.")],
    after: Annotated[int, typer.Option(min=-1, help="Continue after this index.")] = -1,
    as_json: Json = False,
) -> None:
    """List what was done since to certificates that a client was given.

    Example: `ecert changes --client CLIENT --after 1200`
    """
    with opened() as registry:
        if registry.clients.get(client) is None:
            raise NotFound("there is no such client")
        found, _ = registry.changes.since(by=actor(), client=client, after=after, limit=1000)
    lines = [
        f"{one['index']}  {one['at']}  {one['operation']} → {one['status']}  {one['certificate']}"
        for one in found
    ]
    cursor = str(found[-1]["index"]) if found else None
    show({"items": found, "next": cursor}, as_json, lines or ["nothing since"])


@objection_app.command("list")
def list_objections(
    agency: Annotated[str | None, typer.Option(help="Only this agency's.")] = None,
    state: Annotated[ObjectionState | None, typer.Option(help="Only those in this state.")] = None,
    as_json: Json = False,
) -> None:
    """List objections: those to answer and those answered.

    Example: `ecert objection list --state open`
    """
    with opened() as registry:
        rows = registry.objections.all(by=_for(actor(), agency), state=state)
    items = [objection_json(row) for row in rows]
    lines = [f"{one['id']}  {one['state']:9}  {one['field']}: {one['words']}" for one in items]
    show({"items": items, "next": None}, as_json, lines or ["none"])


@objection_app.command("answer")
def answer_objection(
    objection: Annotated[str, typer.Argument(metavar="OBJECTION", help="The objection's id.")],
    answer: Annotated[str, typer.Option(help="What both sides will read.")],
    correct: Annotated[
        str | None,
        typer.Option(metavar="DRAFT.json", help="Correct the certificate with this draft."),
    ] = None,
    basis: Annotated[str, typer.Option(help="Basis document of a correction.")] = "",
    corrected: Annotated[
        bool, typer.Option(help="The next version that is there already answers it.")
    ] = False,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Answer an objection: correct the certificate, or say why not.

    Example: `ecert objection answer ID --answer 更正面积 --correct draft.json --basis 更正〔2026〕1号`
    """
    draft = None if correct is None else parse_json(read_input(correct))
    by = actor(operator)
    with opened(publishes=True) as registry:
        row = registry.objections.answer(
            objection,
            by=by,
            answer=answer,
            basis=Basis(answer, basis, by.operator),
            draft=draft,
            is_corrected=corrected,
        )
    shown = objection_json(row)
    show(
        shown, as_json, [f"{row.id}  {row.state}" + (f"  {row.successor}" if row.successor else "")]
    )


@verbs.command("supervision")
def supervision(
    since: _Day = None,
    until: _Day = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write the page (.html) or the table (.csv) here."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Count papers not brought, refusals, promises kept and unusual reading 电子监察.

    Example: `ecert supervision --since 2026-01-01 -o supervision.html`
    """
    with opened() as registry:
        figures = registry.supervision.figures(_date(since), _date(until), by=actor())
    if output is not None:
        check_folder(output)
        text = figures_csv(figures) if output.suffix == ".csv" else supervision_html(figures)
        output.write_text(text, "utf-8")
    show(figures, as_json, _figures(figures))


def _date(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _figures(figures: dict[str, Any]) -> Iterator[str]:
    yield f"{figures['period']['since']} – {figures['period']['until']}"
    yield f"papers not brought 免提交材料  {figures['papers_not_brought']}"
    yield f"dossiers 用证卷宗             {figures['dossiers']}"
    yield f"refused 拒绝                  {figures['refused']}"
    for row in figures["by_agency"]:
        yield f"  {row['papers_not_brought']:6}  {row['name']}"
