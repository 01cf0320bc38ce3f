"""Pages of the trust room."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from lineside.contract.ceremony import Proposal, ProposalState
from lineside.server.database import Database
from lineside.server.trust.api import SIGNING
from lineside.server.trust.service import Proposals
from lineside.server.trust.view import TrustPage
from lineside.server.web.render import AnyRequest, Page, page, see

_LAST = 20


@get("/trust", sync_to_thread=True, include_in_schema=False)
def trust_page_(
    request: AnyRequest,
    trust_page: NamedDependency[TrustPage],
    proposals: NamedDependency[Proposals],
    database: NamedDependency[Database],
) -> Page:
    """Roles, keys, and what waits for signatures."""
    with database.read() as session:
        trust, waiting = trust_page.look(session), proposals.all(session, ProposalState.OPEN)
        newest = proposals.all(session, limit=_LAST + len(waiting))
    decided = [one for one in newest if one.state is not ProposalState.OPEN][:_LAST]
    return page(request, "trust/page.html", here="/trust", live=True, trust=trust, waiting=waiting, decided=decided)


@get("/trust/proposals/{proposal:str}", sync_to_thread=True, include_in_schema=False)
def proposal_page(
    request: AnyRequest,
    proposal: FromPath[str],
    proposals: NamedDependency[Proposals],
    trust_page: NamedDependency[TrustPage],
    database: NamedDependency[Database],
) -> Page:
    """What a proposal changes, and whose signatures it waits for."""
    with database.read() as session:
        found, trust = proposals.find(session, proposal), trust_page.look(session)
    names = {key.id: key.name for role in trust.roles for key in role.keys}
    live = found.state is ProposalState.OPEN
    return page(request, "trust/proposal.html", here="/trust", live=live, proposal=found, names=names)


@post("/trust/proposals/{proposal:str}/withdraw", opt=SIGNING, sync_to_thread=True, include_in_schema=False)
def withdraw_proposal_page(
    proposal: FromPath[str], proposals: NamedDependency[Proposals], database: NamedDependency[Database]
) -> Redirect:
    """Withdraw, then look."""
    with database.write() as session:
        done: Proposal = proposals.withdraw(session, proposal)
    return see(f"/trust/proposals/{done.id}")


routes = [trust_page_, proposal_page, withdraw_proposal_page]
