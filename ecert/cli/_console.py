"""What all verbs share: the home, JSON or words, errors, exit codes, progress."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import orjson
import typer

from ecert import __version__
from ecert.cli._verbs import CommandVerbs
from ecert.errors import EcertError, FileError, HomeError
from ecert.home import default_home
from ecert.model import Actor

if TYPE_CHECKING:
    from rich.console import Console

    from ecert.registry import Registry

DONE, REFUSED, USAGE, UNDETERMINED = 0, 1, 2, 3
MAX_INPUT_BYTES = 64 << 20

app = typer.Typer(
    name="ecert",
    cls=CommandVerbs,
    help="An electronic licence and certificate registry 电子证照库.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
verbs = typer.Typer(rich_markup_mode="markdown")  # where each module says which verbs it has
# A client or key is named by a thumbprint, which may begin with a dash like an option.
DASHED = {"ignore_unknown_options": True}


class Words:
    """What is said to people on standard error; loaded when something is first said."""

    @cached_property
    def console(self) -> Console:
        """The console."""
        from rich.console import Console

        return Console(stderr=True, highlight=False, soft_wrap=True)

    def print(self, *text: str, **how: Any) -> None:
        """Print a line."""
        self.console.print(*text, **how)


words = Words()

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Identifier = Annotated[
    str, typer.Argument(metavar="ID", help="The certificate's identifier 证照标识.")
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="Write to this file instead of standard output."),
]
Operator = Annotated[
    str | None, typer.Option(help="Who does it; the system user unless given.", show_default=False)
]
Purpose = Annotated[str, typer.Option(help="What for; it goes into the audit trail.")]
Matter = Annotated[str, typer.Option(help="For which matter 事项; it goes into the audit trail.")]


@dataclass
class _Chosen:
    home: Path = Path("ecert-home")


chosen = _Chosen()


def say_version(value: bool) -> None:
    """Print the version and leave."""
    if value:
        put(f"ecert {__version__}")
        raise typer.Exit


@app.callback()
def choose_home(
    home: Annotated[
        Path | None,
        typer.Option(help="The registry's home; `$ECERT_HOME` or ./ecert-home unless given."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - answered before anything else
        bool,
        typer.Option("--version", callback=say_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Choose the registry that the verb works on."""
    chosen.home = home or default_home()


def system_user() -> str:
    """Name the operator when nobody was named."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def actor(
    operator: str | None = None, purpose: str = "registry operation", matter: str = ""
) -> Actor:
    """Say who acts at the command line."""
    return Actor(operator or system_user(), purpose=purpose, matter=matter)


@contextmanager
def opened(*, publishes: bool = False) -> Iterator[Registry]:
    """Open the registry for one verb; after a write, publish a checkpoint before leaving."""
    from ecert.config import open_registry

    registry = open_registry(chosen.home)
    try:
        if registry.is_trial:
            words.print(
                "[yellow]trial home 试用: fictional agency, unconfirmed codes, this machine only[/]"
            )
        yield registry
        if publishes:
            _publish(registry)
    finally:
        registry.close()


def _publish(registry: Registry) -> None:
    """Publish what a verb did; it is done and stays so, even if the log does not sign now."""
    try:
        registry.log.publish()
    except EcertError as error:
        words.print(f"[yellow]done, but the log did not sign[/] ({error.code}): ", end="")
        words.print(error.message, markup=False)


def show(value: Any, as_json: bool, lines: Iterable[str]) -> None:
    """Print one JSON document, or lines for people."""
    if as_json:
        print_json(value)
        return
    for line in lines:
        put(line)


def print_json(value: Any) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.flush()


def put(text: str) -> None:
    """Print a line for people on standard output."""
    sys.stdout.write(text + "\n")


def deliver(data: bytes, output: Path | None, as_json: bool, name: str) -> None:
    """Write a result to a file or to standard output; with ``--json`` say where it went."""
    if output is None:
        if as_json:
            print_json({name: data.decode("utf-8", "backslashreplace")})
        else:
            sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")
            sys.stdout.flush()
        return
    output.write_bytes(data)
    lines = [f"{output} ({len(data)} bytes)"]
    show({"file": str(output), "bytes": len(data)}, as_json, lines)


def check_folder(output: Path) -> None:
    """Refuse a file in a folder that is not there, before anything is done."""
    if not output.parent.is_dir():
        raise FileError(f"there is no folder {output.parent}")


def read_input(name: str) -> bytes:
    """Read a file, or standard input for ``-``; bounded. Raises: FileError when it is not there."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_INPUT_BYTES + 1)
    except OSError as error:
        raise FileError(f"cannot read {name}: {error.strerror}") from error
    if len(data) > MAX_INPUT_BYTES:
        raise FileError(f"{name} is larger than {MAX_INPUT_BYTES >> 20} MB")
    return data


@contextmanager
def progress(title: str) -> Iterator[Callable[..., None]]:
    """Show a bar on a terminal while long work runs; nothing elsewhere.

    It is told how much is done, of how much, and (if it is another thing now) of what.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=words.console, disable=not words.console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total, what=title: bar.update(
            task, completed=done, total=total, description=what
        )


def fail(error: EcertError, as_json: bool, code: int = REFUSED) -> NoReturn:
    """Say what went wrong and leave: 2 for wrong usage, else 1 unless told otherwise."""
    if as_json:
        errors = [one.to_json() for one in error.errors]
        print_json({"code": error.code, "detail": error.message, "errors": errors})
    words.print(f"[red]{error.code}[/]: ", end="")
    words.print(error.message, markup=False)
    for one in error.errors:
        words.print(f"  {one.pointer or '/'}  {one.zh} · {one.en}  ({one.rule})", markup=False)
    raise SystemExit(USAGE if isinstance(error, (FileError, HomeError)) else code)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except EcertError as error:
        fail(error, "--json" in sys.argv)
    except OSError as error:
        fail(FileError(f"{error.filename or 'file'}: {error.strerror}"), "--json" in sys.argv)
