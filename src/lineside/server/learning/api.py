"""People's API of loops, and the door through which programs elsewhere ask for a run."""

from __future__ import annotations

import asyncio

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from lineside.contract.errors import LinesideError
from lineside.contract.loop import Loop, LoopApplied, LoopAsked, LoopDocument, StartLoop
from lineside.contract.people import Permission
from lineside.contract.run import Run
from lineside.server.access.caller import current
from lineside.server.access.permissions import PUBLIC, needs
from lineside.server.errors import AnyRequest, explained
from lineside.server.incoming import MOST_BYTES
from lineside.server.learning.service import Loops


@get("/loops", sync_to_thread=True, summary="Loops: what is trained again, and what starts it")
def list_loops(loops: NamedDependency[Loops]) -> list[Loop]:
    """By name."""
    return loops.all()


@get("/loops/{name:str}", sync_to_thread=True, summary="One loop")
def get_loop(name: FromPath[str], loops: NamedDependency[Loops]) -> Loop:
    return loops.get(name)


@put("/loops/{name:str}", sync_to_thread=True, summary="Make a loop, or change it", opt=needs(Permission.OPERATE))
def apply_loop(
    name: FromPath[str],
    data: JSONBody[LoopDocument],
    loops: NamedDependency[Loops],
    new_secret: FromQuery[bool] = False,
) -> LoopApplied:
    """The same again changes nothing. The secret of its webhook is in the first answer, or when a new one is wanted."""
    if data.name != name:
        raise LinesideError("request.invalid", why="the name in the body is not the one in the path")
    return loops.apply(data, new_secret=new_secret)


@post(
    "/loops/{name:str}/start",
    sync_to_thread=True,
    status_code=200,
    summary="Start a run of a loop now",
    opt=needs(Permission.OPERATE),
)
def start_loop(name: FromPath[str], data: JSONBody[StartLoop], loops: NamedDependency[Loops]) -> Run:
    """`loop.at_work` while one of its runs goes on."""
    return loops.start(name, data.settings, data.from_step)


@post(
    "/loops/{name:str}/remove",
    sync_to_thread=True,
    status_code=200,
    summary="Let a loop start nothing any more",
    opt=needs(Permission.OPERATE),
)
def remove_loop(name: FromPath[str], loops: NamedDependency[Loops]) -> Loop:
    """What it has started goes on."""
    return loops.remove(name)


@post(
    "/loop-hooks/{name:str}",
    status_code=202,
    request_max_body_size=MOST_BYTES,
    include_in_schema=False,
    exception_handlers={LinesideError: explained},
    opt=PUBLIC,
)
async def receive_loop_hook(name: FromPath[str], request: AnyRequest, loops: NamedDependency[Loops]) -> LoopAsked:
    """A message signed as Standard Webhooks says; the answer is whether a run will begin, and nothing of the loop."""
    body = await request.body()
    headers = {key.lower(): value for key, value in request.headers.items()}
    return await asyncio.to_thread(loops.receive, name, headers, body, current().source)


routes = [list_loops, get_loop, apply_loop, start_loop, remove_loop]
doors = [receive_loop_hook]
