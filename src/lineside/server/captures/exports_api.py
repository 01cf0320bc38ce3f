"""The APIs of exports: devices announce and send a file, people list what a device has sent."""

from __future__ import annotations

import asyncio
from typing import Annotated

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from lineside.contract.capture import Ticket
from lineside.contract.export import ExportPage, ExportRecord
from lineside.server.blobs.uploads import received
from lineside.server.captures.exports import ExportsService
from lineside.server.errors import AnyRequest


@post("/exports", sync_to_thread=True, status_code=200, summary="Announce a file of a stream; a ticket to send it")
def announce_export(
    data: JSONBody[ExportRecord], caller: NamedDependency[str], exports: NamedDependency[ExportsService]
) -> Ticket:
    """Idempotent by the export's id. `uploaded`: the file is there already."""
    return exports.announce(caller, data)


@put("/exports/{ticket:str}", status_code=204, request_max_body_size=None, summary="Send the file of a ticket")
async def upload_export(
    ticket: FromPath[str],
    request: AnyRequest,
    caller: NamedDependency[str],
    exports: NamedDependency[ExportsService],
) -> None:
    """Raw bytes, exactly as many and with the digest that were announced; once."""
    await asyncio.to_thread(exports.check_ticket, caller, ticket)
    await received(request.stream(), lambda pieces: exports.upload(caller, ticket, pieces))


@get("/devices/{name:str}/exports", sync_to_thread=True, summary="Files that a device's components exported")
def list_exports(
    name: FromPath[str],
    exports: NamedDependency[ExportsService],
    offset: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> ExportPage:
    """Newest first. The content of an export is the blob `record.digest`."""
    return exports.page(name, offset, limit)


people = [list_exports]
devices = [announce_export, upload_export]
