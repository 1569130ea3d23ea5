"""Run the service with uvicorn, in one process or several."""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from ecert.config import load_settings, open_registry
from ecert_api.app import create_app

_HOME = "ECERT_HOME"


def run(home: Path, *, host: str, port: int, workers: int) -> None:
    """Serve a registry until stopped."""
    os.environ[_HOME] = str(home)
    proxies = load_settings(home).trusted_proxies
    uvicorn.run(
        "ecert_api.server:make",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        log_level="warning",
        access_log=False,  # an access log would hold what people asked for
        server_header=False,
        proxy_headers=bool(proxies),  # whoever it is believed from may name any address
        forwarded_allow_ips=proxies or None,
    )


def make() -> FastAPI:
    """Open the registry of ``$ECERT_HOME`` and make its service: one for each process."""
    home = Path(os.environ[_HOME])
    settings = load_settings(home)
    registry = open_registry(home)
    port = settings.metrics_port
    return create_app(
        registry,
        verify_per_minute=settings.verify_per_minute,
        closes_registry=True,
        metrics_address=(settings.metrics_host, port) if port else None,
    )
