"""Setting a registry up: init, agencies, types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ecert.catalogue import (
    Catalogue,
    CertificateType,
    built_in_root,
    check_draft,
    load_catalogue,
    load_type,
)
from ecert.cli._console import Json, Operator, actor, chosen, opened, print_json, show, verbs, words
from ecert.config import Plan, init_registry, is_base_url, is_plain_secret
from ecert.errors import TypeFolderError
from ecert.model import Agency
from ecert.registry import Registry
from ecert.testing import temporary_registry

type_app = typer.Typer(help="Certificate types 证照类型.")
verbs.add_typer(type_app, name="type")


@verbs.command()
def init(
    url: Annotated[
        str | None,
        typer.Option(help="The registry's address, https://HOST; fixed after the first issue."),
    ] = None,
    agency: Annotated[
        tuple[str, str] | None,
        typer.Option(help="The first agency: CODE NAME.", metavar="CODE NAME"),
    ] = None,
    division: Annotated[str, typer.Option(help="The first agency's division code.")] = "440114",
    short_name: Annotated[
        str | None, typer.Option(help="The first agency's, for local numbers, such as 穗规划资源.")
    ] = None,
    may_issue: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE",
            help="A type that the first agency may issue; repeatable. A trial's may issue all.",
        ),
    ] = None,
    database: Annotated[
        str, typer.Option(help="sqlite:///FILE in the home, or postgresql://…")
    ] = "sqlite:///ecert.db",
    as_json: Json = False,
) -> None:
    """Make a registry: home, database, keys, first agency. Without --url a trial home.

    Example: `ecert --home ./huadu init --url https://zz.example.gov.cn --agency CODE NAME`
    """
    if url is not None and not is_base_url(url):
        message = "https://HOST in lower case, without a path; http:// only on loopback"
        raise typer.BadParameter(message, param_hint="--url")
    first = None if agency is None else Agency(*agency, division, short_name=short_name)
    held = None if may_issue is None else tuple(may_issue)
    registry = init_registry(chosen.home, Plan(url, first, database, may_issue=held))
    agencies = [one.to_json() for one in registry.agencies.all()]
    made = {
        "home": str(chosen.home),
        "base_url": registry.base,
        "origin": registry.log.origin,
        "trial": registry.is_trial,
        "agencies": agencies,
    }
    show(made, as_json, _made(registry))
    if is_plain_secret(chosen.home):
        words.print(
            "The keys are encrypted under [bold]passphrase[/] beside them (0600). That protects a copied "
            "keys/ folder and nothing else; set ECERT_PASSPHRASE before init to keep it elsewhere."
        )
    registry.close()


def _made(registry: Registry) -> Iterator[str]:
    yield f"registry  {chosen.home}"
    yield f"address   {registry.base}" + ("  (trial)" if registry.is_trial else "")
    yield f"log       {registry.log.origin}"
    for agency in registry.agencies.all():
        yield f"agency    {agency.code}  {agency.name}"
        held = {one.slug for one in registry.register.competences(agency.code)}
        yield f"          may issue {_rights(held, {one.slug for one in registry.catalogue})}"


def _rights(held: set[str], known: set[str]) -> str:
    if held == known:
        return "every type, for this is a trial 试用"
    return ", ".join(sorted(held)) or "nothing yet: ecert agency allow CODE TYPE… --basis …"


@verbs.command()
def upgrade(operator: Operator = None, as_json: Json = False) -> None:
    """Finish an upgrade: sign what an older version had no register for, so that it issues again.

    Example: `ecert upgrade`
    """
    with opened(publishes=True) as registry:
        signed = registry.register.sign_taken_over(by=actor(operator))
        registry.checks.adopt(by=actor(operator))
    items = [{"agency": one.agency, **one.to_json()} for one in signed]
    lines = [f"{one.agency}  {one.slug}  from {one.from_day}" for one in signed]
    show({"items": items, "next": None}, as_json, lines or ["everything is signed"])


@type_app.command("list")
def type_list(as_json: Json = False) -> None:
    """List the certificate types that this registry knows.

    Example: `ecert type list`
    """
    catalogue = load_catalogue_of_home()
    kinds = list(catalogue)
    items = {"items": [_summary(kind) for kind in kinds], "next": None}
    show(items, as_json, _list(kinds))


def load_catalogue_of_home() -> Catalogue:
    """Load the shipped types, and the home's own if there is a home."""
    return load_catalogue(
        built_in_root(),
        chosen.home / "types",
        reports=lambda fault: words.print(fault, style="yellow", markup=False),
    )


def _summary(kind: CertificateType) -> dict[str, Any]:
    return {
        "slug": kind.slug,
        "version": kind.version,
        "state": kind.state,
        "name": dict(kind.name),
        "code": dict(kind.definition["code"]),
    }


def _list(kinds: list[CertificateType]) -> Iterator[str]:
    for kind in kinds:
        mark = "confirmed" if kind.is_confirmed else "provisional"
        yield f"{kind.slug:36} v{kind.version}  {kind.state:10} {mark:12} {kind.name['zh']}"


@type_app.command("show")
def type_show(
    slug: Annotated[str, typer.Argument(metavar="TYPE", help="Slug, such as construction-permit.")],
    example: Annotated[bool, typer.Option(help="Print only the example draft.")] = False,
    as_json: Json = False,
) -> None:
    """Show a type: its definition, the schema of its fields, and an example draft.

    Example: `ecert type show construction-permit --example > draft.json`
    """
    kind = load_catalogue_of_home().newest(slug)
    if example:
        print_json(dict(kind.example))
        return
    whole = {
        "type": dict(kind.definition),
        "schema": dict(kind.schema),
        "example": dict(kind.example),
    }
    show(whole, as_json, _describe(kind))


def _describe(kind: CertificateType) -> Iterator[str]:
    yield f"{kind.name['zh']} · {kind.name['en']}  ({kind.slug} v{kind.version}, {kind.state})"
    labels, required = kind.definition.get("labels", {}), kind.schema.get("required", ())
    for name in kind.schema["properties"]:
        label = labels.get(name, {})
        mark = "*" if name in required else " "
        yield f" {mark} {name:28} {label.get('zh', '')} · {label.get('en', '')}"
    yield f" * required. Example draft: ecert type show {kind.slug} --example"


@type_app.command("check")
def type_check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A <slug>/v<n> folder.")],
    page: Annotated[
        Path | None, typer.Option(help="Draw the example with its face, and write the PDF here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a type folder: its files, that they agree, and that its example fits.

    Example: `ecert type check my-types/site-permit/v1 --page page.pdf`
    """
    kind = load_type(folder)
    check_draft(kind, dict(kind.example))
    lines = [f"{folder}: good ({kind.slug} v{kind.version})"]
    if page is not None:
        page.write_bytes(_specimen(kind))
        lines.append(f"{page} ({page.stat().st_size} bytes)")
    show(_summary(kind), as_json, lines)


def _specimen(kind: CertificateType) -> bytes:
    """Issue the example in a registry that vanishes, draw its document, and look at it.

    Raises: TypeFolderError naming what every face must show and this one does not.
    """
    with temporary_registry() as registry:
        registry.catalogue.add(replace(kind, state="published"))  # also a draft may be looked at
        by = actor()
        (agency,) = registry.agencies.all()
        if kind.slug not in {one.slug for one in registry.register.competences(agency.code)}:
            registry.register.allow(agency.code, [kind.slug], basis="specimen", by=by)
        issued = registry.certificates.issue(kind.slug, dict(kind.example), by=by)
        from ecert.pdf.compare import missing_on

        made = registry.documents.get(issued.record.id, by=by).data
        if missing := missing_on(made, issued.record):
            raise TypeFolderError(f"face.typ: the page does not show {', '.join(missing)}")
        return made
