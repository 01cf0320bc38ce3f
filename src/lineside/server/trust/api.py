"""People's API of the trust room."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from lineside.contract.ceremony import Proposal, ProposalState, ProposeChange, Signatures, TrustView, Withdrawal
from lineside.contract.people import Permission
from lineside.server.access.caller import current
from lineside.server.access.permissions import needs
from lineside.server.database import Database
from lineside.server.trust.changing import prepared, subject_of
from lineside.server.trust.service import Proposals
from lineside.server.trust.view import TrustPage

SIGNING = needs(Permission.APPROVE, Permission.ADMINISTER)


@get("/trust", sync_to_thread=True, summary="Roles, keys, thresholds, and where the keys lie")
def get_trust(trust_page: NamedDependency[TrustPage], database: NamedDependency[Database]) -> TrustView:
    with database.read() as session:
        return trust_page.look(session)


@get("/trust/proposals", sync_to_thread=True, summary="Changes of signed metadata, newest first")
def list_proposals(
    proposals: NamedDependency[Proposals],
    database: NamedDependency[Database],
    wanted: Annotated[ProposalState | None, QueryParameter(name="state")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> list[Proposal]:
    """All of them, or those in one state: `open` waits for signatures."""
    with database.read() as session:
        return proposals.all(session, wanted, limit)


@get("/trust/proposals/{proposal:str}", sync_to_thread=True, summary="One proposal with the bytes to be signed")
def get_proposal(
    proposal: FromPath[str], proposals: NamedDependency[Proposals], database: NamedDependency[Database]
) -> Proposal:
    with database.read() as session:
        return proposals.find(session, proposal)


@post(
    "/trust/proposals",
    opt=needs(Permission.ADMINISTER),
    sync_to_thread=True,
    status_code=200,
    summary="Propose a change of keys",
)
def propose_change(
    data: JSONBody[ProposeChange], proposals: NamedDependency[Proposals], database: NamedDependency[Database]
) -> Proposal:
    """Keys that lie on the control plane's machine sign it at once; what is complete then is published."""
    return propose(data, proposals, database)


@post(
    "/trust/proposals/{proposal:str}/signatures",
    opt=SIGNING,
    sync_to_thread=True,
    status_code=200,
    summary="Add one key's signatures to a proposal",
)
def add_signatures(
    proposal: FromPath[str],
    data: JSONBody[Signatures],
    proposals: NamedDependency[Proposals],
    database: NamedDependency[Database],
) -> Proposal:
    """Each is verified against the exact bytes; the last one that is needed publishes the proposal."""
    with database.write() as session:
        return proposals.add_signatures(session, proposal, data)


@post(
    "/trust/proposals/{proposal:str}/withdraw",
    opt=SIGNING,
    sync_to_thread=True,
    status_code=200,
    summary="Withdraw a proposal",
)
def withdraw_proposal(
    proposal: FromPath[str],
    data: JSONBody[Withdrawal],
    proposals: NamedDependency[Proposals],
    database: NamedDependency[Database],
) -> Proposal:
    with database.write() as session:
        return proposals.withdraw(session, proposal, data.why)


@get("/trust/metadata/{name:str}", media_type="application/json", sync_to_thread=True, summary="A TUF metadata file")
def get_trust_metadata(name: FromPath[str], proposals: NamedDependency[Proposals]) -> bytes:
    """`timestamp.json`, or a version and a role: `3.root.json`. What signers compare a proposal with."""
    return proposals.repository.read(name)


def propose(change: ProposeChange, proposals: Proposals, database: Database) -> Proposal:
    """Propose a change of keys for whoever asks now. Raises as `prepared` and `Proposals.propose`."""
    build = prepared(change, proposals.repository)
    with database.write() as session:
        return proposals.propose(session, change.kind, subject_of(change), current().name, change.why, build)


routes = [
    get_trust,
    list_proposals,
    get_proposal,
    propose_change,
    add_signatures,
    withdraw_proposal,
    get_trust_metadata,
]
