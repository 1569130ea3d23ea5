"""The log for monitors: the newest checkpoint and immutable tiles (C2SP tlog-tiles)."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Path, Response

from ecert.errors import NotFound
from ecert.formats.note import parse_checkpoint, parse_note
from ecert.log import read_bundle, read_tile, tile_path
from ecert.store import TILE, trees
from ecert_api.deps import Service, ServiceDep
from ecert_api.documents import problems, text_answer

router = APIRouter(prefix="/log", tags=["log"])
_OPEN = {"Access-Control-Allow-Origin": "*"}
_FOREVER = {**_OPEN, "Cache-Control": "public, max-age=604800, immutable"}
_TILE = re.compile(r"(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_MAX_LEVEL = 7


@router.get(
    "/checkpoint",
    response_class=Response,
    responses={**text_answer("text/plain", "A signed checkpoint."), **problems(503)},
)
async def checkpoint(service: ServiceDep) -> Response:
    """Give the newest published checkpoint."""
    note = await service.read(service.registry.newest_checkpoint)
    if note is None:
        note = await service.publish()
    return Response(note, 200, {**_OPEN, "Cache-Control": "no-store"}, "text/plain; charset=utf-8")


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
    level, index, width = found[1], int(re.sub("[x/]", "", found[2])), int(found[3] or TILE)
    if tile_path(index) != found[2] or found[3] == str(TILE):  # each tile has one address
        raise NotFound("there is no such tile")
    data = await service.read(_read, service, level, index, width)
    return Response(data, 200, _FOREVER, "application/octet-stream")


def _read(service: Service, level: str, index: int, width: int) -> bytes:
    if width > TILE or (level != "entries" and int(level) > _MAX_LEVEL):
        raise NotFound("there is no such tile")
    with service.registry.store.snapshot() as reading:
        newest = trees.newest_checkpoint(reading)
        size = 0 if newest is None else parse_checkpoint(parse_note(newest[2]).text).size
        if level == "entries":
            return read_bundle(reading, index, width, size)
        return read_tile(reading, int(level), index, width, size)
