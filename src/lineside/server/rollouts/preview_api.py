"""People's API: what a deployment document would come to."""

from __future__ import annotations

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from lineside.contract.deployment import DeploymentDocument, DeploymentPreview
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.database import Database
from lineside.server.rollouts.preview import Previews


@post(
    "/deployments/preview",
    sync_to_thread=True,
    status_code=200,
    summary="What a deployment document would come to; nothing is stored",
    opt=needs(Permission.READ),
)
def preview_deployment(
    data: JSONBody[DeploymentDocument], previews: NamedDependency[Previews], database: NamedDependency[Database]
) -> DeploymentPreview:
    """Components, waves, and what each part of the group would get, with conflicts."""
    with database.read() as session:
        return previews.preview(session, data)


routes = [preview_deployment]
