"""Routes that read strictly: our JSON reader instead of the framework's, and bounded bodies."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecert import parse_json
from ecert_api.auth import admit
from ecert_api.openapi import SCOPE
from ecert_api.problems import problem

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
DEFAULT_BYTES = 1 << 20
_TOO_LARGE = 413


class _StrictRequest(Request):
    """A request whose JSON may not repeat keys, hold NaN, or nest a thousand deep."""

    async def json(self) -> Any:
        """Read the body as strict JSON. Raises: JsonError, TooLarge."""
        return parse_json(await self.body())


class StrictRoute(APIRoute):
    """A route that asks for its scope before it reads a body, and reads that strictly."""

    def get_route_handler(self) -> Handler:
        """Wrap the framework's handler."""
        handler = super().get_route_handler()
        scope = (self.openapi_extra or {}).get(SCOPE)

        async def handle(request: Request) -> Response:
            if scope is not None:
                await admit(request, scope)
            return await handler(_StrictRequest(request.scope, request.receive))

        return handle


class PlainRoute(APIRoute):
    """A hot route: the endpoint takes the request and gives a response, with nothing between.

    What it takes and gives is written into the interface description by hand.
    """

    def get_route_handler(self) -> Handler:
        """Give the endpoint itself."""
        endpoint: Handler = self.endpoint
        return endpoint


class BareRoute(Route):
    """The busiest route, with nothing of the framework around it; it still says which route it is."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for it."""
        match, child = super().matches(scope)
        return match, {**child, "route": self}


class HeadAsGet:
    """Middleware: whoever may GET something may ask after it with HEAD (RFC 9110 §9.1)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer HEAD as GET, without the body."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, without_body)


class BoundedBodies:
    """Middleware: refuses a body as soon as it is known to be too large (413)."""

    def __init__(self, app: ASGIApp, larger: dict[str, int]) -> None:
        self._app, self._larger = app, larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what arrives."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        most = self._larger.get(scope["path"], DEFAULT_BYTES)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > most:
            await _refuse(most)(scope, receive, send)
            return
        await _Counting(self._app, most).run(scope, receive, send)


class _Counting:
    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most, self._seen = app, most, 0

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted() -> Message:
            message = await receive()
            self._seen += len(message.get("body", b""))
            if self._seen > self._most:
                raise _TooLargeBody
            return message

        try:
            await self._app(scope, counted, send)
        except _TooLargeBody:
            await _refuse(self._most)(scope, receive, send)


class _TooLargeBody(BaseException):
    """Passes through the framework's handlers, which catch every Exception while reading a body."""


def _refuse(most: int) -> Response:
    detail = f"the body is larger than {most} bytes"
    return problem(_TOO_LARGE, "too_large", "The request is too large", detail)
