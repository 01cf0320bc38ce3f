"""POST /hooks/{name}: how programs elsewhere start a delivery. Anybody may knock; the signature decides."""

from __future__ import annotations

import asyncio

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath

from lineside.contract.delivery import Delivery
from lineside.contract.errors import LinesideError
from lineside.server.access.caller import current
from lineside.server.access.permissions import PUBLIC
from lineside.server.deliveries.hooks import Hooks
from lineside.server.errors import AnyRequest, explained
from lineside.server.incoming import MOST_BYTES


@post(
    "/hooks/{name:str}",
    status_code=202,
    request_max_body_size=MOST_BYTES,
    include_in_schema=False,
    exception_handlers={LinesideError: explained},
    opt=PUBLIC,
)
async def receive_hook(name: FromPath[str], request: AnyRequest, hooks: NamedDependency[Hooks]) -> Delivery:
    """A message signed as Standard Webhooks says; the answer is the delivery that it started, or had started."""
    body = await request.body()
    headers = {key.lower(): value for key, value in request.headers.items()}
    return await asyncio.to_thread(hooks.receive, name, headers, body, current().source)


routes = [receive_hook]
