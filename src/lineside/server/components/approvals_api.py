"""People's API of signing components; that of approving models is the models room's."""

from __future__ import annotations

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath

from lineside.contract.ceremony import Proposal
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.components.approvals import Approvals
from lineside.server.components.service import Components
from lineside.server.database import Database


@post(
    "/components/{name:str}/{version:str}/proposal",
    sync_to_thread=True,
    status_code=200,
    summary="What builders are to sign about a component",
    opt=needs(Permission.OPERATE),
)
def propose_component(
    name: FromPath[str],
    version: FromPath[str],
    approvals: NamedDependency[Approvals],
    component_versions: NamedDependency[Components],
    database: NamedDependency[Database],
) -> Proposal:
    """Asked again it is the same proposal."""
    with database.write() as session:
        return approvals.propose_component(session, component_versions.row(session, name, version))


routes = [propose_component]
