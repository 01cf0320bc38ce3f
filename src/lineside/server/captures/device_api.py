"""Devices' API of the captures room: announce an image, send it once."""

from __future__ import annotations

import asyncio

from litestar import post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from lineside.contract.capture import CaptureRecord, Ticket
from lineside.server.captures.service import CapturesService
from lineside.server.errors import AnyRequest
from lineside.server.uploads import received


@post("/captures", sync_to_thread=True, status_code=200, summary="Announce an image; a ticket to send it")
def announce_capture(
    data: JSONBody[CaptureRecord], caller: NamedDependency[str], captures: NamedDependency[CapturesService]
) -> Ticket:
    """Idempotent by the capture's id. `uploaded`: the image is there already."""
    return captures.announce(caller, data)


@put("/uploads/{ticket:str}", status_code=204, request_max_body_size=None, summary="Send the image of a ticket")
async def upload_capture(
    ticket: FromPath[str],
    request: AnyRequest,
    caller: NamedDependency[str],
    captures: NamedDependency[CapturesService],
) -> None:
    """Raw bytes, exactly as many and with the digest that were announced; once."""
    await asyncio.to_thread(captures.check_ticket, caller, ticket)
    await received(request.stream(), lambda pieces: captures.upload(caller, ticket, pieces))


routes = [announce_capture, upload_capture]
