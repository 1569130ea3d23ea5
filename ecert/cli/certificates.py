"""Issuing and reading certificates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console

from ecert._encoding import parse_json, rfc3339
from ecert.cli._console import (
    Identifier,
    Json,
    Matter,
    Operator,
    Output,
    Purpose,
    actor,
    deliver,
    opened,
    print_json,
    read_input,
    show,
    verbs,
)
from ecert.formats.qr import DARK_ON_LIGHT, to_png, to_terminal
from ecert.model import Status
from ecert.registry import Query


@verbs.command()
def issue(
    slug: Annotated[str, typer.Argument(metavar="TYPE", help="Slug, such as construction-permit.")],
    draft: Annotated[
        str, typer.Argument(metavar="DRAFT.json", help="The draft, or - for standard input.")
    ],
    agency: Annotated[
        str | None, typer.Option(help="Issuing agency; required when there are several.")
    ] = None,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Issue a certificate from a draft; prints its identifier and number.

    Example: `ecert issue construction-permit draft.json`
    """
    content = parse_json(read_input(draft))
    with opened(publishes=True) as registry:
        issued = registry.certificates.issue(slug, content, by=actor(operator), agency=agency)
    show(issued.to_json(), as_json, describe(issued.to_json(), brief=True))


def describe(
    shown: dict[str, Any], *, brief: bool = False, labels: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Describe a certificate for people, line by line, in the words of its type."""
    labels = labels or {}
    yield shown["id"]
    yield shown["number"] + (f"  {shown['local_number']}" if shown["local_number"] else "")
    for warning in shown["warnings"]:
        yield f"! {warning['reason']['zh']} · {warning['reason']['en']}"
    if brief:
        return
    yield f"{shown['type']['name']['zh']}  {shown['issuer']['name']}  {shown['issued_on']}"
    yield f"{shown['status']}  {shown['valid_from']} – {shown['valid_to'] or '长期'}"
    for holder in shown["holders"]:
        yield f"  {holder['name']}  {holder['code']}"
    for name, value in shown["fields"].items():
        label = labels.get(name, {}).get("zh", name)
        if not isinstance(value, list):
            yield f"  {label}: {_in_words(value)}"
            continue
        yield f"  {label}:"
        yield from (f"    {_in_words(one)}" for one in value)


def _in_words(value: Any) -> str:
    """Write a field's value on one line: of an object its values, in their order."""
    if isinstance(value, dict):
        return "  ".join(map(_in_words, value.values()))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@verbs.command("show")
def show_certificate(
    identifier: Identifier,
    purpose: Purpose = "registry operation",
    matter: Matter = "",
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Show a certificate with its present status.

    Example: `ecert show ID --json`
    """
    with opened() as registry:
        record = registry.certificates.get(
            identifier, by=actor(operator, purpose, matter)
        ).to_json()
        kind = registry.catalogue.get(record["type"]["slug"], record["type"]["version"])
    labels = kind.definition.get("labels") if kind else None
    show(record, as_json, describe(record, labels=labels))


@verbs.command()
def find(
    holder: Annotated[
        str | None,
        typer.Option(
            help="Holder's code; - reads it from standard input, so that it stays out of the shell's history."
        ),
    ] = None,
    project: Annotated[str | None, typer.Option(help="Project code 项目代码.")] = None,
    slug: Annotated[
        str | None, typer.Option("--type", help="Type, such as construction-permit.")
    ] = None,
    number: Annotated[str | None, typer.Option(help="Printed number.")] = None,
    status: Annotated[Status | None, typer.Option(help="Present status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many a page.")] = 20,
    after: Annotated[int | None, typer.Option(help="Continue after this cursor.")] = None,
    purpose: Purpose = "registry operation",
    matter: Matter = "",
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Find certificates by holder, project, type, number or status.

    Example: `echo 91440114MA00000151 | ecert find --holder -`
    """
    code = read_input("-").decode("utf-8", "replace").strip() if holder == "-" else holder
    query = Query(code, project, slug, number, status)
    with opened() as registry:
        page = registry.certificates.find(
            query, by=actor(operator, purpose, matter), after=after, limit=limit
        )
    items = [record.to_json() for record in page.records]
    cursor = None if page.after is None else str(page.after)
    show({"items": items, "next": cursor}, as_json, _list(items, page.after))


def _list(items: list[dict[str, Any]], after: int | None) -> Iterator[str]:
    for item in items:
        yield f"{item['id']}  {item['status']:10} {item['number']}"
    if after is not None:
        yield f"… more: --after {after}"
    if not items:
        yield "none"


@verbs.command()
def history(
    identifier: Identifier,
    purpose: Purpose = "registry operation",
    matter: Matter = "",
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """List what was done to a certificate since it was issued, each a signed statement.

    Example: `ecert history ID`
    """
    with opened() as registry:
        events = registry.certificates.history(identifier, by=actor(operator, purpose, matter))
    items = [event.to_json() for event in events]
    lines = [
        f"{rfc3339(one.at)}  {one.operation}  → {one.status}  {one.reason} ({one.basis}) {one.operator}"
        for one in events
    ]
    show({"items": items, "next": None}, as_json, lines or ["nothing since the issue"])


@verbs.command("credential")
def credential_of(
    identifier: Identifier,
    output: Output = None,
    disclose: Annotated[
        list[str] | None,
        typer.Option(help="Disclose only these, such as fields.project_name; may be repeated."),
    ] = None,
    purpose: Purpose = "registry operation",
    matter: Matter = "",
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Give the signed credential (SD-JWT VC), whole or with chosen disclosures.

    Example: `ecert credential ID --disclose fields.project_name -o permit.sd-jwt`
    """
    by = actor(operator, purpose, matter)
    with opened() as registry:
        if disclose:
            text = registry.certificates.present(identifier, disclose, by=by)
        else:
            text = registry.certificates.get(identifier, by=by, action="credential").credential
    deliver(text.encode(), output, as_json, "credential")


@verbs.command()
def receipt(
    identifier: Identifier,
    output: Output = None,
    purpose: Purpose = "registry operation",
    matter: Matter = "",
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Give the proof that a certificate is in the log (C2SP tlog-proof).

    Example: `ecert receipt ID -o permit.tlog-proof`
    """
    with opened() as registry:
        found = registry.certificates.receipt(identifier, by=actor(operator, purpose, matter))
    deliver(str(found).encode(), output, as_json, "receipt")


@verbs.command()
def evidence(
    identifier: Identifier,
    output: Output,
    purpose: Purpose = "registry operation",
    matter: Matter = "",
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Give everything that proves a certificate, as one ZIP that verifies offline.

    Example: `ecert evidence ID -o evidence.zip`
    """
    with opened() as registry:
        data = registry.evidence.pack(identifier, by=actor(operator, purpose, matter))
    deliver(data, output, as_json, "evidence")


@verbs.command()
def qr(
    identifier: Identifier,
    output: Output = None,
    purpose: Purpose = "registry operation",
    matter: Matter = "",
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Draw a certificate's QR code: a PNG with -o, else in the terminal.

    Example: `ecert qr ID -o permit.png`
    """
    with opened() as registry:
        seal = registry.certificates.get(
            identifier, by=actor(operator, purpose, matter), action="qr"
        ).seal
    if output is None:
        if as_json:
            print_json({"seal": seal})
        else:
            Console(highlight=False, soft_wrap=True).print(to_terminal(seal), style=DARK_ON_LIGHT)
    else:
        deliver(to_png(seal), output, as_json, "qr")
