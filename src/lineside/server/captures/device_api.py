"""Devices' API of the captures room: announce an image, send it once."""

from __future__ import annotations

import asyncio
import re

from litestar import post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from lineside.contract.capture import Ticket
from lineside.contract.errors import LinesideError
from lineside.server.blobs.uploads import received
from lineside.server.captures.service import CapturesService
from lineside.server.errors import AnyRequest

_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")


@post("/captures", status_code=200, summary="Announce an image; a ticket to send it")
async def announce_capture(
    request: AnyRequest, caller: NamedDependency[str], captures: NamedDependency[CapturesService]
) -> Ticket:
    """The body is the capture's record, in a version of its schema that is taken (`Lineside-Captures` of a check-in's
    answer). Idempotent by the capture's id. `uploaded`: the image is there already."""
    payload = await request.body()
    return await asyncio.to_thread(lambda: captures.announce(caller, captures.read(caller, payload)))


@put("/uploads/{ticket:str}", status_code=204, request_max_body_size=None, summary="Send the image of a ticket")
async def upload_capture(
    ticket: FromPath[str],
    request: AnyRequest,
    caller: NamedDependency[str],
    captures: NamedDependency[CapturesService],
) -> None:
    """Raw bytes, exactly as many and with the digest that were announced; once. One that broke off goes on with
    `Content-Range: bytes RECEIVED-LAST/SIZE`, as many received as the ticket says when the image is announced again."""
    await asyncio.to_thread(captures.check_ticket, caller, ticket)
    offset, whole = _range(request.headers.get("content-range"))
    await received(request.stream(), lambda pieces: captures.upload(caller, ticket, pieces, offset, whole))


@post("/uploads/{ticket:str}/done", sync_to_thread=True, status_code=204, summary="The image of a ticket was put")
def finish_upload(
    ticket: FromPath[str], caller: NamedDependency[str], captures: NamedDependency[CapturesService]
) -> None:
    """What was put with the ticket's `direct` counts from now on, if it is what was announced."""
    captures.finish(caller, ticket)


def _range(said: str | None) -> tuple[int, int | None]:
    """Where an upload goes on, and how many bytes there are in all (RFC 9110, 14.4)."""
    if said is None:
        return 0, None
    found = _RANGE.fullmatch(said)
    if found is None or int(found[2]) != int(found[3]) - 1:
        raise LinesideError("request.invalid", why=f"{said[:80]!r} is not bytes FIRST-LAST/SIZE up to the end")
    return int(found[1]), int(found[3])


routes = [announce_capture, upload_capture, finish_upload]
