"""People's API of the deployments room."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from lineside.contract.deployment import Deployment, DeploymentDocument, DeploymentPage
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.database import Database
from lineside.server.deployments.service import Deployments


@post(
    "/deployments",
    sync_to_thread=True,
    status_code=200,
    summary="Deploy components to a group",
    opt=needs(Permission.OPERATE),
)
def create_deployment(
    data: JSONBody[DeploymentDocument],
    deployments: NamedDependency[Deployments],
    database: NamedDependency[Database],
) -> Deployment:
    """A Greengrass V2 deployment document. What the group should run already is answered as it is."""
    with database.write() as session:
        return deployments.create(session, data)


@get("/deployments", sync_to_thread=True, summary="Deployments, newest first")
def list_deployments(
    deployments: NamedDependency[Deployments],
    database: NamedDependency[Database],
    group: FromQuery[str | None] = None,
    before: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> DeploymentPage:
    """Of one group or of all, older than the one with the id `before`. They are never changed."""
    with database.read() as session:
        return deployments.page(session, group, before, limit)


@get("/deployments/{deployment:str}", sync_to_thread=True, summary="One deployment")
def get_deployment(
    deployment: FromPath[str], deployments: NamedDependency[Deployments], database: NamedDependency[Database]
) -> Deployment:
    """Its rollout says how far it is."""
    with database.read() as session:
        return deployments.get(session, deployment)


routes = [create_deployment, list_deployments, get_deployment]
