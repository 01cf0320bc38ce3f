"""Which deployments devices of a group follow, for whoever stands below the rollouts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from lineside.contract.rollout import OPEN
from lineside.server.deployments.store import DeploymentRow
from lineside.server.rollouts.store import AssignmentRow, RolloutRow


class Followed:
    """Deployments that still mean something to a group."""

    def followed(self, session: Session, group: str) -> Sequence[str]:
        """Ids of deployments to a group that name components and that devices follow, or are about to; newest first."""
        told = select(AssignmentRow.deployment).where(
            AssignmentRow.group == group, AssignmentRow.deployment.is_not(None)
        )
        about_to = select(RolloutRow.number).where(RolloutRow.group == group, RolloutRow.state.in_(OPEN))
        either = or_(DeploymentRow.number.in_(told), DeploymentRow.number.in_(about_to))
        query = select(DeploymentRow).where(DeploymentRow.group == group, DeploymentRow.components != {}, either)
        return [row.id for row in session.scalars(query.order_by(DeploymentRow.number.desc()))]
