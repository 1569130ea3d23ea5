"""Bulk issue from a file: restartable, with a report of every record that was rejected."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from ecert._encoding import parse_json
from ecert.catalogue import CertificateType
from ecert.cli._console import (
    REFUSED,
    Json,
    Operator,
    actor,
    opened,
    progress,
    read_input,
    show,
    verbs,
    words,
)
from ecert.cli.setup import load_catalogue_of_home
from ecert.errors import EcertError, FileError
from ecert.issuance import Idempotency
from ecert.model import CREDIT_CODE, Actor
from ecert.registry import IssueRequest, Registry
from ecert.store import IMPORT

BATCH = 500
_COMMON = frozenset(
    {"id", "number", "local_number", "project_code", "issued_on", "valid_from", "valid_to"}
)
_HOLDER = {"holder_name": "name", "holder_code": "code", "holder_code_type": "code_type"}


@dataclass(frozen=True, slots=True)
class _Line:
    """One record of the file: its line, a key that finds it again, and its content or its fault."""

    number: int
    key: bytes
    record: dict[str, Any] | None
    error: EcertError | None = None


@verbs.command("import")
def import_records(
    slug: Annotated[str, typer.Argument(metavar="TYPE", help="Slug, such as construction-permit.")],
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="FILE.ndjson (a draft a line) or FILE.csv; may bring id and number.",
        ),
    ],
    agency: Annotated[
        str | None, typer.Option(help="Issuing agency; required when there are several.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Where rejected records are reported; FILE.rejected.ndjson unless given."
        ),
    ] = None,
    operator: Operator = None,
    as_json: Json = False,
) -> None:
    """Issue many certificates from a file. Run it again after a stop: what is in is not issued twice.

    Example: `ecert import construction-permit old-paper.csv --agency CODE`
    """
    kind = load_catalogue_of_home().newest(slug)
    lines = list(_lines(source, read_input(source), kind))
    counts: Counter[str] = Counter()
    place = report or Path(f"{source}.rejected.ndjson")
    with opened(publishes=True) as registry, place.open("wb") as rejected, progress(slug) as tell:
        for start in range(0, len(lines), BATCH):
            batch = lines[start : start + BATCH]
            for line, outcome in _issue(registry, slug, agency, batch, actor(operator)):
                counts[outcome if isinstance(outcome, str) else "rejected"] += 1
                if isinstance(outcome, EcertError):
                    rejected.write(_rejection(line, outcome))
            tell(start + len(batch), len(lines))
    done = {name: counts[name] for name in ("issued", "present", "rejected")}
    text = f"{done['issued']} issued, {done['present']} in already, {done['rejected']} rejected"
    show({**done, "report": str(place)}, as_json, [text])
    if done["rejected"]:
        words.print(f"rejected records and why: {place}", markup=False)
        raise typer.Exit(REFUSED)


def _issue(
    registry: Registry, slug: str, agency: str | None, lines: Sequence[_Line], by: Actor
) -> Iterator[tuple[_Line, str | EcertError]]:
    good = [line for line in lines if line.record is not None]
    requests = [_request(slug, agency, line, by) for line in good]
    results = dict(
        zip((line.number for line in good), registry.certificates.issue_many(requests), strict=True)
    )
    for line in lines:
        result = results.get(line.number, line.error)
        if isinstance(result, EcertError):
            yield line, result
        elif result is not None:
            yield line, "present" if result.is_replay else "issued"


def _request(slug: str, agency: str | None, line: _Line, by: Actor) -> IssueRequest:
    draft = dict(line.record or {})
    identifier = draft.pop("id", None)
    key = Idempotency(IMPORT, slug, line.key, line.key)
    return IssueRequest(
        slug, draft, by, agency, key, None if identifier is None else str(identifier)
    )


def _rejection(line: _Line, error: EcertError) -> bytes:
    errors = [one.to_json() for one in error.errors]
    row = {"line": line.number, "code": error.code, "detail": error.message, "errors": errors}
    return orjson.dumps(row) + b"\n"


def _lines(name: str, data: bytes, kind: CertificateType) -> Iterator[_Line]:
    """Read the file; a record that cannot be read is a line with a fault, not the end of it all."""
    seen: Counter[bytes] = Counter()
    records = _csv(data, kind) if name.endswith(".csv") else _ndjson(data)
    for number, text, record, error in records:
        digest = hashlib.sha256(text).digest()
        seen[digest] += 1
        key = hashlib.sha256(digest + seen[digest].to_bytes(4, "big")).digest()
        yield _Line(number, key, record, error)


_Read = tuple[int, bytes, dict[str, Any] | None, EcertError | None]


def _ndjson(data: bytes) -> Iterator[_Read]:
    for number, text in enumerate(data.split(b"\n"), start=1):
        if not text.strip():
            continue
        try:
            record = parse_json(text)
            if not isinstance(record, dict):
                raise FileError("a line holds one JSON object")
        except EcertError as error:
            yield number, text, None, error
        else:
            yield number, text, record, None


def _csv(data: bytes, kind: CertificateType) -> Iterator[_Read]:
    """Read CSV: common members and fields by name, ``holder_name`` and so on.

    A cell is text, unless its type's schema wants a list, an object, a number or a truth value:
    then it is read as JSON.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError("the CSV file is not UTF-8") from error
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        for row in reader:
            content = json.dumps(row, ensure_ascii=False, sort_keys=True).encode()
            try:
                yield reader.line_num, content, _draft(row, kind), None
            except EcertError as error:
                yield reader.line_num, content, None, error
    except csv.Error as error:
        raise FileError(f"the CSV file is malformed near line {reader.line_num}") from error


def _is_text(kind: CertificateType, name: str) -> bool:
    member = kind.schema["properties"].get(name, {})
    return not isinstance(member, dict) or member.get("type", "string") == "string"


def _draft(row: dict[str | Any, str | Any], kind: CertificateType) -> dict[str, Any]:
    if None in row or None in row.values():
        raise FileError("the row has more or fewer cells than the heading")
    given = {name.strip(): value.strip() for name, value in row.items() if value.strip()}
    draft = {name: given[name] for name in given if name in _COMMON}
    holder = {_HOLDER[name]: given[name] for name in given if name in _HOLDER}
    fields = {name: given[name] for name in given.keys() - _COMMON - _HOLDER.keys()}
    draft["holders"] = [{"code_type": CREDIT_CODE, **holder}] if holder else []
    draft["fields"] = {
        name: value if _is_text(kind, name) else parse_json(value) for name, value in fields.items()
    }
    return draft
