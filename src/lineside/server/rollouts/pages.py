"""Pages of the rollouts room: all rollouts, and one wave by wave."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.database import Database
from lineside.server.deployments import store as deployments
from lineside.server.rollouts.service import Rollouts
from lineside.server.rollouts.store import OPEN
from lineside.server.web.render import AnyRequest, Page, page, see


@get("/rollouts", sync_to_thread=True, include_in_schema=False)
def rollouts_page(
    request: AnyRequest, rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]
) -> Page:
    """Every rollout."""
    with database.read() as session:
        found = rollouts.all(session)
    return page(request, "rollouts/list.html", here="/rollouts", live=True, rollouts=found)


@get("/rollouts/{rollout:str}", sync_to_thread=True, include_in_schema=False)
def rollout_page(
    request: AnyRequest,
    rollout: FromPath[str],
    rollouts: NamedDependency[Rollouts],
    database: NamedDependency[Database],
) -> Page:
    """One rollout; it refreshes itself until it ends."""
    with database.read() as session:
        shown = rollouts.show(session, rollout)
        deployment = deployments.deployment(session, shown.deployment)
        components = deployment.components if deployment else {}
    live = shown.state in OPEN
    return page(request, "rollouts/page.html", here="/rollouts", live=live, rollout=shown, components=components)


@post("/rollouts/{rollout:str}/abort", sync_to_thread=True, include_in_schema=False, opt=needs(Permission.OPERATE))
def abort_rollout(
    rollout: FromPath[str], rollouts: NamedDependency[Rollouts], database: NamedDependency[Database]
) -> Redirect:
    """Stop it where it is, then look."""
    with database.write() as session:
        rollouts.abort(session, rollout)
    return see(f"/rollouts/{rollout}")


routes = [rollouts_page, rollout_page, abort_rollout]
