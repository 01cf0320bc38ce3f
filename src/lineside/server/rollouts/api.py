"""People's API of the rollouts room."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from lineside.contract.people import Permission
from lineside.contract.rollout import Rollout
from lineside.server.access.permissions import needs
from lineside.server.database import Database
from lineside.server.rollouts.bundles import Bundles
from lineside.server.rollouts.service import Rollouts


@get("/rollouts", sync_to_thread=True, summary="All rollouts, newest first")
def list_rollouts(rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]) -> list[Rollout]:
    """With their devices, gates and history."""
    with database.read() as session:
        return rollouts.all(session)


@get("/rollouts/{rollout:str}", sync_to_thread=True, summary="One rollout")
def get_rollout(
    rollout: FromPath[str], rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]
) -> Rollout:
    """As it stands after the last reports that were taken in."""
    with database.read() as session:
        return rollouts.show(session, rollout)


@post(
    "/rollouts/{rollout:str}/abort",
    sync_to_thread=True,
    status_code=200,
    summary="Stop a rollout where it is",
    opt=needs(Permission.OPERATE),
)
def abort_rollout(
    rollout: FromPath[str], rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]
) -> Rollout:
    """No further device is told; those that were told keep what they have."""
    with database.write() as session:
        return rollouts.abort(session, rollout)


@get("/bundles", sync_to_thread=True, summary="What a device or a group should run, as one file to be carried by hand")
def get_bundle(
    bundles: NamedDependency[Bundles], device: FromQuery[str | None] = None, group: FromQuery[str | None] = None
) -> Stream:
    """A ZIP with the signed desired document, metadata, recipes and artifacts: `lineside agent import` reads it."""
    made = bundles.make(device, group)
    headers = {"Content-Disposition": f'attachment; filename="{made.name}.zip"'}
    return Stream(made.pieces, headers=headers, media_type="application/zip")


routes = [list_rollouts, get_rollout, abort_rollout, get_bundle]
