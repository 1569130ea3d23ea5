"""The narrated demo, and the HTTP service."""

from __future__ import annotations

from typing import Annotated

import typer

from ecert.cli._console import Json, chosen, show, verbs
from ecert.config import load_settings
from ecert.errors import HomeError

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@verbs.command()
def demo(
    no_serve: Annotated[
        bool, typer.Option("--no-serve", help="End when the story is told.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell the whole story on real input: issue, fetch, scan, revoke, verify.

    Example: `ecert demo`
    """
    from ecert.demo import run

    run(keeps_serving=not no_serve, as_json=as_json)


@verbs.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
    as_json: Json = False,
) -> None:
    """Run the HTTP service.

    Example: `ecert serve --host 0.0.0.0 --port 8000`
    """
    settings = load_settings(chosen.home)
    if settings.trial and host not in _LOOPBACK:
        raise HomeError("a trial home is served on this machine only: use --host 127.0.0.1")
    try:
        from ecert_api.server import run
    except ImportError as error:
        raise HomeError("the service is not installed: pip install 'ecert[api]'") from error
    at = f"{host}:{port}"
    show(
        {"listening": at, "base_url": settings.base_url}, as_json, [f"{settings.base_url} at {at}"]
    )
    run(chosen.home, host=host, port=port, workers=workers)
