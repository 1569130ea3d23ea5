"""Verify anything presented; export the trust file that others verify with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from ecert.catalogue import built_in_root, load_catalogue
from ecert.cli._console import (
    DONE,
    REFUSED,
    UNDETERMINED,
    Json,
    Output,
    chosen,
    deliver,
    fail,
    opened,
    put,
    read_input,
    show,
    verbs,
)
from ecert.errors import EcertError, InputError
from ecert.keys import parse_trust
from ecert.model import Status
from ecert.verification import Outcome, Report, Verdict, Verifier, parse_moment

_EXIT = {Verdict.VALID: DONE, Verdict.INVALID: REFUSED, Verdict.UNDETERMINED: UNDETERMINED}
_MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.NOT_CHECKED: "?"}
trust_app = typer.Typer(help="The trust file 信任文件 that verifiers need.")
verbs.add_typer(trust_app, name="trust")


@verbs.command()
def verify(
    presented: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="Credential, seal text, picture of a QR code, receipt or evidence bundle; - reads standard input.",
        ),
    ],
    at: Annotated[
        str | None,
        typer.Option(
            help="Was it good then? An instant, or a date (the end of that day in Asia/Shanghai)."
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing.")] = False,
    trust: Annotated[
        str | None, typer.Option(help="Trust file; the home's own registry unless given.")
    ] = None,
    receipt: Annotated[
        str | None, typer.Option(help="A receipt that belongs to the credential.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify whatever is presented. Exit code 0 valid, 1 invalid, 3 could not be determined.

    Example: `ecert verify permit.png`
    """
    moment = None if at is None else _moment(at)
    try:
        report = _report(presented, moment, offline=offline, trust=trust, receipt=receipt)
    except EcertError as error:  # 1 would say that what was presented is invalid
        fail(error, as_json, UNDETERMINED)
    show(report.to_json(), as_json, describe(report))
    raise typer.Exit(_EXIT[report.verdict])


def _report(
    presented: str,
    at: datetime | date | None,
    *,
    offline: bool,
    trust: str | None,
    receipt: str | None,
) -> Report:
    data = read_input(presented)
    proof = None if receipt is None else read_input(receipt).decode("utf-8", "replace")
    if trust is None:
        with opened() as registry:
            verifier = registry.verifier(is_offline=offline)
            return verifier.verify(data, at=at, receipt=proof)
    believed = parse_trust(read_input(trust))
    catalogue = load_catalogue(built_in_root(), chosen.home / "types")
    if offline:
        return Verifier(believed, catalogue=catalogue).verify(data, at=at, receipt=proof)
    from ecert.client.http_status import HttpStatus

    with HttpStatus(believed) as source:
        verifier = Verifier(believed, status=source, catalogue=catalogue)
        return verifier.verify(data, at=at, receipt=proof)


def _moment(text: str) -> datetime | date:
    try:
        return parse_moment(text)
    except InputError as error:
        raise typer.BadParameter(str(error), param_hint="--at") from error


def describe(report: Report) -> Iterator[str]:
    """Describe a report for people, line by line."""
    is_telling = report.verdict is Verdict.VALID or report.status != Status.VALID.value
    yield report.verdict.value + (f"  ({report.status})" if report.status and is_telling else "")
    if report.certificate is not None:
        yield f"{report.certificate['number']}  {report.certificate['id']}"
    if report.certificate is not None and (copy := report.certificate.get("copy")):
        yield f"加注件 copy for {copy['recipient']}, until {copy['until']}"
    for warned in report.warnings:
        yield f"! {warned['reason']['zh']} · {warned['reason']['en']}"
    for step in report.steps:
        shown = step.to_json()
        age = f"  [{shown['evidence_at']}]" if shown["evidence_at"] else ""
        reason = f"{shown['reason']['zh']} · {shown['reason']['en']}"
        yield f"  {_MARKS[step.outcome]} {step.step:10} {reason}{age}"


@trust_app.command("export")
def trust_export(output: Output = None, as_json: Json = False) -> None:
    """Write the trust file of this registry, to be handed over by a way people trust.

    Example: `ecert trust export -o trust.json`
    """
    with opened() as registry:
        data = registry.trust().to_bytes()
    if output is None:
        put(data.decode())
        return
    deliver(data, Path(output), as_json, "trust")
