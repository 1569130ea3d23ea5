"""Signed documents: the original, copies lent for a purpose, and making many at once."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from ecert.cli._console import (
    REFUSED,
    Identifier,
    Json,
    Matter,
    Operator,
    Purpose,
    actor,
    check_folder,
    chosen,
    opened,
    progress,
    show,
    verbs,
    words,
)
from ecert.cli.agencies import agency_app
from ecert.config import open_registry
from ecert.errors import EcertError
from ecert.registry import CopyWish, Registry
from ecert.store import DocumentRow

BATCH = 16
documents_app = typer.Typer(help="Signed documents 证照文件 in bulk.", no_args_is_help=True)
verbs.add_typer(documents_app, name="documents")
PdfFile = Annotated[Path, typer.Option("-o", "--output", help="Write the PDF to this file.")]


@verbs.command()
def document(
    identifier: Identifier,
    output: PdfFile,
    purpose: Purpose = "registry operation",
    matter: Matter = "",
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Give a certificate's signed original 原件: a PDF that carries its own record and proof.

    It is made once; whatever happens to the certificate later, the file stays as it is.

    Example: `ecert document ID -o permit.pdf`
    """
    with opened() as registry:
        made = registry.documents.get(identifier, by=actor(operator, purpose, matter))
    _deliver(made, output, as_json)


@verbs.command("copy")
def copy_certificate(
    identifier: Identifier,
    recipient: Annotated[str, typer.Option("--for", help="Who receives the copy; printed on it.")],
    purpose: Annotated[str, typer.Option(help="What it may be used for; printed on it.")],
    until: Annotated[str, typer.Option(help="The last day it is good for, such as 2026-12-31.")],
    output: PdfFile,
    matter: Matter = "",
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Make an annotated copy 加注件: for one recipient and purpose, worthless after a day.

    Example: `ecert copy ID --for 示例银行 --purpose 贷款审查 --until 2026-12-31 -o copy.pdf`
    """
    wish = CopyWish(recipient, purpose, _day(until))
    check_folder(output)  # a copy is logged before its file is written
    with opened() as registry:
        made = registry.documents.copy(identifier, wish, by=actor(operator, purpose, matter))
    _deliver(made, output, as_json)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("takes a date such as 2026-12-31", param_hint="--until") from error


def _deliver(made: DocumentRow, output: Path, as_json: bool) -> None:
    output.write_bytes(made.data)
    shown = {
        "file": str(output),
        "bytes": len(made.data),
        "level": made.level,
        "sha256": made.digest.hex(),
    }
    show(shown, as_json, [f"{output} ({len(made.data)} bytes, PAdES {made.level})"])


@verbs.command()
def copies(
    identifier: Identifier,
    purpose: Purpose = "registry operation",
    matter: Matter = "",
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """List the annotated copies that were made of a certificate.

    Example: `ecert copies ID --json`
    """
    with opened() as registry:
        items = registry.documents.copies(identifier, by=actor(operator, purpose, matter))
    lines = [
        f"{one['until']}  {'lapsed' if one['lapsed'] else 'good  '}  {one['recipient']}  {one['purpose']}"
        for one in items
    ]
    show({"items": items, "next": None}, as_json, lines or ["none"])


@documents_app.command("build")
def build(
    pending: Annotated[
        bool, typer.Option("--pending", help="All certificates that have no document yet.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes; all cores unless given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the documents of many certificates. Stop it when you like: run again, it goes on.

    Example: `ecert documents build --pending`
    """
    if not pending:
        raise typer.BadParameter("say which: --pending", param_hint="--pending")
    counts: Counter[str] = Counter()
    with opened(publishes=True) as registry, progress("documents") as tell:
        registry.log.publish()
        total = registry.documents.count_pending(by=actor())
        for outcome in _build(registry, workers or os.cpu_count() or 1):
            counts.update(outcome)
            tell(counts.total(), total)
    made = counts.pop("made", 0)
    show({"made": made, "refused": dict(counts)}, as_json, [f"{made} made"])
    if counts:
        words.print("refused: " + ", ".join(f"{count} {code}" for code, count in counts.items()))
        raise typer.Exit(REFUSED)


def _build(registry: Registry, workers: int) -> Iterator[Counter[str]]:
    """Hand batches to processes that each open the registry for themselves."""
    batches = _batches(registry)
    context = multiprocessing.get_context("spawn")  # a fork would share the database's connections
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_open, initargs=(chosen.home,)
    ) as pool:
        waiting: set[Future[Counter[str]]] = set()
        try:
            for batch in batches:
                waiting.add(pool.submit(_make, batch))
                if len(waiting) >= 2 * workers:
                    done = next(as_completed(waiting))
                    waiting.discard(done)
                    yield done.result()
            for one in as_completed(waiting):
                yield one.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _batches(registry: Registry) -> Iterator[list[str]]:
    """List what is pending in order: what was refused is passed by, not asked for again."""
    batch, after = registry.documents.pending(by=actor(), limit=BATCH)
    while batch:
        yield batch
        batch, after = registry.documents.pending(by=actor(), after=after, limit=BATCH)


_opened: list[Registry] = []  # a worker's own registry


def _open(home: Path) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(KeyboardInterrupt):
        _opened.append(open_registry(home))


def _end_with_parent() -> None:
    """Wait for the process that hands out the work; killed, it could not say that it is over."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(identifiers: list[str]) -> Counter[str]:
    try:
        faults = _opened[0].documents.build(identifiers, by=actor())
    except EcertError as error:
        return Counter({error.code: len(identifiers)})
    return Counter("made" if fault is None else fault.code for fault in faults.values())


@agency_app.command("image")
def agency_image(
    code: Annotated[str, typer.Argument(help="The agency's credit code.")],
    picture: Annotated[
        Path | None, typer.Argument(metavar="FILE.png", help="PNG, at most 256 KB.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Print no picture from now on.")] = False,
    as_json: Json = False,
) -> None:
    """Set up the picture of an agency's seal that its documents show from now on 印章图样.

    Example: `ecert agency image CODE seal.png`
    """
    if (picture is None) != remove:
        raise typer.BadParameter("give a picture, or --remove", param_hint="FILE.png")
    with opened() as registry:
        image = None if picture is None else picture.read_bytes()
        registry.agencies.set_image(code, image, by=actor())
    shown = {"agency": code, "bytes": 0 if image is None else len(image)}
    show(shown, as_json, ["removed" if image is None else f"{picture} ({shown['bytes']} bytes)"])
