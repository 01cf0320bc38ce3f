"""People's API of the rollouts room."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from lineside.contract.people import Permission
from lineside.contract.rollout import DeviceProgress, Rollout, RolloutDevicePage, RolloutPage
from lineside.server.access.permissions import needs
from lineside.server.database import Database
from lineside.server.rollouts.bundles import Bundles
from lineside.server.rollouts.service import MOST_SHOWN, Rollouts


@get("/rollouts", sync_to_thread=True, summary="Rollouts, newest first")
def list_rollouts(
    rollouts: NamedDependency[Rollouts],
    database: NamedDependency[Database],
    before: FromQuery[str | None] = None,
    group: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_SHOWN)] = 100,
) -> RolloutPage:
    """How many devices stand where, gates, and what each waits for; without history. To one group or to all, older
    than the one with the id `before`."""
    with database.read() as session:
        return rollouts.page(session, before=before, group=group, limit=limit)


@get("/rollouts/{rollout:str}", sync_to_thread=True, summary="One rollout")
def get_rollout(
    rollout: FromPath[str], rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]
) -> Rollout:
    """As it stands after the last reports that were taken in, with its history."""
    with database.read() as session:
        return rollouts.show(session, rollout)


@get("/rollouts/{rollout:str}/devices", sync_to_thread=True, summary="Devices of a rollout, by wave and name")
def rollout_devices(
    rollout: FromPath[str],
    rollouts: NamedDependency[Rollouts],
    database: NamedDependency[Database],
    progress: FromQuery[DeviceProgress | None] = None,
    wave: FromQuery[int | None] = None,
    after: FromQuery[str | None] = None,
    limit: FromQuery[int] = 100,
) -> RolloutDevicePage:
    """A page of them: those at one `progress`, or of one `wave` (counted from 1); `next` of a page is `after` of the
    following one. At most 200."""
    with database.read() as session:
        return rollouts.device_page(session, rollout, progress=progress, wave=wave, after=after, limit=limit)


@post(
    "/rollouts/{rollout:str}/pause",
    sync_to_thread=True,
    status_code=200,
    summary="Tell no further device for now",
    opt=needs(Permission.OPERATE),
)
def pause_rollout(
    rollout: FromPath[str], rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]
) -> Rollout:
    """Reports are still taken in; a gate that trips meanwhile acts when it goes on."""
    with database.write() as session:
        return rollouts.pause(session, rollout)


@post(
    "/rollouts/{rollout:str}/resume",
    sync_to_thread=True,
    status_code=200,
    summary="Let a paused rollout go on",
    opt=needs(Permission.OPERATE),
)
def resume_rollout(
    rollout: FromPath[str], rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]
) -> Rollout:
    """From where it was."""
    with database.write() as session:
        return rollouts.resume(session, rollout)


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


@post(
    "/rollouts/{rollout:str}/rollback",
    sync_to_thread=True,
    status_code=200,
    summary="Send every device of a rollout back to what worked before",
    opt=needs(Permission.OPERATE),
)
def roll_back_rollout(
    rollout: FromPath[str], rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]
) -> Rollout:
    """Also after it ended, as long as it is the newest to its group."""
    with database.write() as session:
        return rollouts.roll_back(session, rollout)


@post(
    "/rollouts/{rollout:str}/retry",
    sync_to_thread=True,
    status_code=200,
    summary="Let the failed devices of a rollout try again",
    opt=needs(Permission.OPERATE),
)
def retry_rollout(
    rollout: FromPath[str], rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]
) -> Rollout:
    """Each gets a new revision of the same document, at the plan's rate."""
    with database.write() as session:
        return rollouts.retry(session, rollout)


@get("/bundles", sync_to_thread=True, summary="What a device or a group should run, as one file to be carried by hand")
def get_bundle(
    bundles: NamedDependency[Bundles], device: FromQuery[str | None] = None, group: FromQuery[str | None] = None
) -> Stream:
    """A ZIP with the signed desired document, metadata, recipes and artifacts: `lineside agent import` reads it."""
    made = bundles.make(device, group)
    headers = {"Content-Disposition": f'attachment; filename="{made.name}.zip"'}
    return Stream(made.pieces, headers=headers, media_type="application/zip")


routes = [
    list_rollouts,
    get_rollout,
    rollout_devices,
    pause_rollout,
    resume_rollout,
    abort_rollout,
    roll_back_rollout,
    retry_rollout,
    get_bundle,
]
