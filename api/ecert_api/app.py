"""The application: everything wired together, nothing decided."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.convertors import Convertor, register_url_convertor

from ecert.config import VERIFY_PER_MINUTE
from ecert.errors import EcertError, ForkGuard, ReadOnly
from ecert.registry import MAX_MATTER_BYTES, ROOT, Registry
from ecert_api import delivery, docs, metrics, pages, problems
from ecert_api.context import Service
from ecert_api.metrics import Measured
from ecert_api.openapi import describe
from ecert_api.routes import (
    administration,
    certificates,
    changes,
    grants,
    health,
    holders,
    log,
    matters,
    oauth,
    public,
    register,
    supervision,
)
from ecert_api.strict import BareRoute, BoundedBodies, HeadAsGet

PUBLISH_SECONDS = 1.0
CHECK_SECONDS = 600.0  # how often the service asks whether the nightly check is due
_LOG = logging.getLogger("ecert")
_DESCRIPTION = """An electronic licence and certificate registry 电子证照库.

Departments call `/v1` with a bearer token from `/oauth/token`; everything else is public.
Holders call `/v1/me` with an ID token of an identity provider that the registry believes.
Every read of a certificate states purpose, matter and operator, and is in the audit trail before
the answer leaves. Errors are problem documents (RFC 9457) with a stable `code`.
"""


class _CertificateInPath(Convertor[str]):
    """A certificate's identifier in a path."""

    regex = re.escape(ROOT) + r"\.[0-9A-Z.]{1,100}"

    def convert(self, value: str) -> str:
        """Take the text as it is: the registry decides whether it names anything."""
        return value

    def to_string(self, value: str) -> str:
        """Write the text as it is."""
        return value


register_url_convertor("certificate", _CertificateInPath())


# The service counts for itself (``metrics``); FastAPI would ask three times a request whether somebody else does.
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
_ROUTERS = (
    certificates.finding,
    certificates.plain,  # the busiest early
    certificates.router,
    matters.plain,
    matters.router,
    holders.router,
    grants.router,
    changes.router,
    administration.router,
    supervision.router,
    oauth.router,
    public.router,
    log.router,
    register.router,
    health.router,
    pages.router,
    docs.router,
)


def create_app(
    registry: Registry,
    *,
    verify_per_minute: int = VERIFY_PER_MINUTE,
    closes_registry: bool = False,
    metrics_address: tuple[str, int] | None = None,
) -> FastAPI:
    """Make the service of one registry.

    ``verify_per_minute`` is for each address, 0 for no limit. With ``closes_registry`` the registry is
    closed when the service stops, so that its database file is whole by itself. ``metrics_address`` is
    where metrics are given without a token (host, port), beside ``/metrics`` with the scope.
    """
    app = FastAPI(
        title="ecert",
        version="1",
        description=_DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,  # its page fetches from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name the host that the caller named
        telemetry=_NO_TELEMETRY,
    )
    app.state.service = Service(registry, verify_per_minute=verify_per_minute)
    app.state.closes_registry = closes_registry
    app.state.metrics_address = metrics_address
    problems.install(app)
    # Not ``include_router``: that works every route out once more for each service that is made.
    app.router.routes.extend(route for router in _ROUTERS for route in router.routes)
    # The busiest route stands first and alone; the router's own twin describes it.
    app.router.routes.insert(
        0, BareRoute("/v1/certificates/{identifier:certificate}", certificates.fetch)
    )
    app.openapi = lambda: describe(app, registry.base)  # type: ignore[method-assign]  # FastAPI's documented way
    app.add_middleware(HeadAsGet)
    larger = {"/verify": public.MAX_VERIFY_BYTES, "/v1/matters": MAX_MATTER_BYTES}
    app.add_middleware(BoundedBodies, larger=larger)
    app.add_middleware(Measured, metrics=app.state.service.metrics)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Publish checkpoints and tell of changes while the service runs; publish once more at the end."""
    service: Service = app.state.service
    gc.collect()
    gc.freeze()  # what is there now stays: collecting it again and again costs the slowest answers
    gc.set_threshold(50_000, 20, 100)
    background = [
        asyncio.create_task(_publish_for_ever(service)),
        asyncio.create_task(delivery.deliver_for_ever(service.registry, service.metrics)),
        asyncio.create_task(_check_for_ever(service)),
    ]
    address = app.state.metrics_address
    apart = None if address is None else metrics.serve(service.metrics, *address)
    yield
    if apart is not None:
        apart[0].shutdown()
        apart[0].server_close()
    service.is_stopping = True
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    with contextlib.suppress(Exception):  # what is committed is published at the next start
        await service.publish()
    service.shutdown()
    if app.state.closes_registry:
        service.registry.close()


async def _check_for_ever(service: Service) -> None:
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        try:
            await asyncio.to_thread(service.check)
        except Exception as error:  # noqa: BLE001 - the next time it may pass, and health shows its age
            _LOG.error("not checked: %s", type(error).__name__)
            service.metrics.failed("check", error)


async def _publish_for_ever(service: Service) -> None:
    told = ""
    while True:
        try:
            await service.publish()
        except (ForkGuard, ReadOnly) as error:
            if told != error.message:  # said once, not every second
                _LOG.error("%s", error.message)
            told = error.message
            service.fork = error.message if isinstance(error, ForkGuard) else None
            service.metrics.failed("publish", error)
        except EcertError as error:
            _LOG.warning("not published: %s", error.message)
            service.metrics.failed("publish", error)
        except Exception as error:  # noqa: BLE001 - publishing goes on
            # Whatever it was may pass, and without a publisher no receipt is ever given again.
            # Its text may hold what was entered, so only its kind is told.
            _LOG.error("not published: %s", type(error).__name__)
            service.metrics.failed("publish", error)
        await asyncio.sleep(PUBLISH_SECONDS)
