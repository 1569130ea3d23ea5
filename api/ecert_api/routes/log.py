"""The log for monitors: the newest checkpoint and immutable tiles (C2SP tlog-tiles)."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Path, Response

from ecert.errors import NotFound
from ecert.registry import TILE, tile_path
from ecert_api.answers import OPEN
from ecert_api.context import ServiceDep
from ecert_api.openapi import problems, text_answer

router = APIRouter(prefix="/log", tags=["log"])
_FOREVER = {**OPEN, "Cache-Control": "public, max-age=604800, immutable"}
_TILE = re.compile(r"(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_MAX_LEVEL = 7


@router.get(
    "/checkpoint",
    response_class=Response,
    responses={**text_answer("text/plain", "A signed checkpoint."), **problems(503)},
)
async def checkpoint(service: ServiceDep) -> Response:
    """Give the newest published checkpoint."""
    note = await service.look(service.registry.log.checkpoint)
    if note is None:
        note = await service.publish()
    return Response(note, 200, {**OPEN, "Cache-Control": "no-store"}, "text/plain; charset=utf-8")


@router.get(
    "/tile/{path:path}",
    response_class=Response,
    responses={
        200: {
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            }
        },
        **problems(404, 503),
    },
)
async def tile(path: Annotated[str, Path(examples=["0/000.p/1"])], service: ServiceDep) -> Response:
    """Give a tile of hashes, or a bundle of entries, that a published checkpoint covers."""
    found = _TILE.fullmatch(path)
    if found is None or len(path) > 64:
        raise NotFound("there is no such tile")
    index, width = int(re.sub("[x/]", "", found[2])), int(found[3] or TILE)
    level = None if found[1] == "entries" else int(found[1])
    if tile_path(index) != found[2] or found[3] == str(TILE):  # each tile has one address
        raise NotFound("there is no such tile")
    if width > TILE or (level or 0) > _MAX_LEVEL:
        raise NotFound("there is no such tile")
    data = await service.look(service.registry.log.tile, level, index, width)
    return Response(data, 200, _FOREVER, "application/octet-stream")
