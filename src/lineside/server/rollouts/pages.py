"""Pages of the rollouts room: all rollouts, and one with its waves, gates and devices."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from lineside.contract.people import Permission
from lineside.contract.rollout import OPEN, DeviceProgress
from lineside.server.access.permissions import needs
from lineside.server.database import Database
from lineside.server.deployments import store as deployments
from lineside.server.rollouts.gates import amount
from lineside.server.rollouts.service import Rollouts
from lineside.server.rollouts.squares import squares
from lineside.server.web.render import AnyRequest, Page, page, see

_AT_ONCE = 50


@get("/rollouts", sync_to_thread=True, include_in_schema=False)
def rollouts_page(
    request: AnyRequest,
    rollouts: NamedDependency[Rollouts],
    database: NamedDependency[Database],
    before: FromQuery[str | None] = None,
    group: FromQuery[str | None] = None,
) -> Page:
    """Rollouts, newest first, fifty at a time."""
    with database.read() as session:
        found = rollouts.page(session, before=before, group=group or None, limit=_AT_ONCE)
    return page(request, "rollouts/list.html", here="/rollouts", live=True, found=found, group=group or "")


@get("/rollouts/{rollout:str}", sync_to_thread=True, include_in_schema=False)
def rollout_page(
    request: AnyRequest,
    rollout: FromPath[str],
    rollouts: NamedDependency[Rollouts],
    database: NamedDependency[Database],
    progress: FromQuery[DeviceProgress | None] = None,
    after: FromQuery[str | None] = None,
) -> Page:
    """One rollout; it refreshes itself until it ends. `progress` filters the list of devices below the squares."""
    with database.read() as session:
        shown = rollouts.show(session, rollout)
        drawn = {wave: squares(words) for wave, words in rollouts.standing(session, rollout).items()}
        devices = rollouts.device_page(session, rollout, progress=progress, after=after, limit=_AT_ONCE)
        deployment = deployments.deployment(session, shown.deployment)
        components = deployment.components if deployment else {}
        verbs = rollouts.verbs(session, rollout)
    return page(
        request,
        "rollouts/page.html",
        here="/rollouts",
        live=shown.state in OPEN and after is None,
        rollout=shown,
        components=components,
        drawn=drawn,
        devices=devices,
        progress=progress.value if progress else "",
        order=[one.value for one in DeviceProgress],
        verbs=verbs,
        amount=amount,
    )


@post("/rollouts/{rollout:str}/pause", sync_to_thread=True, include_in_schema=False, opt=needs(Permission.OPERATE))
def pause_rollout(
    rollout: FromPath[str], rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]
) -> Redirect:
    """Tell no further device, then look."""
    with database.write() as session:
        rollouts.pause(session, rollout)
    return see(f"/rollouts/{rollout}")


@post("/rollouts/{rollout:str}/resume", sync_to_thread=True, include_in_schema=False, opt=needs(Permission.OPERATE))
def resume_rollout(
    rollout: FromPath[str], rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]
) -> Redirect:
    """Let it go on, then look."""
    with database.write() as session:
        rollouts.resume(session, rollout)
    return see(f"/rollouts/{rollout}")


@post("/rollouts/{rollout:str}/abort", sync_to_thread=True, include_in_schema=False, opt=needs(Permission.OPERATE))
def abort_rollout(
    rollout: FromPath[str], rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]
) -> Redirect:
    """Stop it where it is, then look."""
    with database.write() as session:
        rollouts.abort(session, rollout)
    return see(f"/rollouts/{rollout}")


@post("/rollouts/{rollout:str}/rollback", sync_to_thread=True, include_in_schema=False, opt=needs(Permission.OPERATE))
def roll_back_rollout(
    rollout: FromPath[str], rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]
) -> Redirect:
    """Send everybody back, then look."""
    with database.write() as session:
        rollouts.roll_back(session, rollout)
    return see(f"/rollouts/{rollout}")


@post("/rollouts/{rollout:str}/retry", sync_to_thread=True, include_in_schema=False, opt=needs(Permission.OPERATE))
def retry_rollout(
    rollout: FromPath[str], rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]
) -> Redirect:
    """Let what failed try again, then look."""
    with database.write() as session:
        rollouts.retry(session, rollout)
    return see(f"/rollouts/{rollout}")


routes = [
    rollouts_page,
    rollout_page,
    pause_rollout,
    resume_rollout,
    abort_rollout,
    roll_back_rollout,
    retry_rollout,
]
