"""Every good answer is held to the model that its route declares: no member more, none less."""

from __future__ import annotations

from functools import cache
from typing import Any

import httpx
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.routing import Match

from ecert_api.app import _ROUTERS

ROUTES = [route for router in _ROUTERS for route in router.routes if isinstance(route, APIRoute)]


@cache
def adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def declared(method: str, path: str) -> APIRoute | None:
    """Find the route of a request."""
    scope = {"type": "http", "method": "GET" if method == "HEAD" else method, "path": path}
    return next((one for one in ROUTES if one.matches(scope)[0] is Match.FULL), None)


def check(method: str, answer: httpx.Response) -> None:
    """Hold a good JSON answer to its route's model. Raises: AssertionError, ValidationError."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if not answer.is_success or method == "HEAD" or kind != "application/json":
        return
    path = answer.request.url.path
    route = declared(method, path)
    if path == "/openapi.json":
        return
    assert route is not None, f"{method} {path} is no route"
    assert route.response_model is not None, f"{method} {route.path} declares no model"
    adapter(route.response_model).validate_json(answer.content)
