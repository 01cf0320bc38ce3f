"""What a deployment document would come to, for each of the group's devices; reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.deployment import DeploymentDocument, DeploymentPreview, PreviewPart, PreviewWave
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.rollout import RolloutPlan
from lineside.server.deployments.drafting import Draft
from lineside.server.deployments.service import Deployments
from lineside.server.deployments.store import DeploymentRow
from lineside.server.rollouts.assignments import CANNOT, Assignments, Follows, classes_of
from lineside.server.rollouts.observing import members_of
from lineside.server.rollouts.waves import names_of, specs_of, waves_of

_SOME = 5


class Previews:
    """Looks at documents before they are deployed."""

    def __init__(self, deployments: Deployments, assignments: Assignments) -> None:
        self._deployments, self._assignments = deployments, assignments

    def preview(self, session: Session, document: DeploymentDocument) -> DeploymentPreview:
        """Raises what `Deployments.create` does, but for what only some devices cannot follow: that is told."""
        draft = self._deployments.drafting.draft(session, document)
        devices = session.scalars(members_of(draft.group)).all()
        there = self._deployments.same(session, draft)
        return DeploymentPreview(
            group=draft.group,
            devices=len(devices),
            components=draft.components,
            asked=draft.asked,
            plan=draft.plan,
            waves=_waves(session, devices, draft.plan),
            parts=self._parts(session, draft, devices),
            same_as=there.id if there else None,
            refused=None if there else self._refused(session, draft),
            notes=draft.notes,
        )

    def _refused(self, session: Session, draft: Draft) -> ErrorReport | None:
        try:
            self._deployments.drafting.check(session, draft)
        except LinesideError as error:
            return error.report()
        return None

    def _parts(self, session: Session, draft: Draft, devices: Sequence[str]) -> tuple[PreviewPart, ...]:
        classes = classes_of(session, devices, but=draft.group)
        parts = [self._part(session, draft, follows, members) for follows, members in classes.items()]
        return tuple(sorted(parts, key=lambda part: (-part.devices, part.some)))

    def _part(self, session: Session, draft: Draft, follows: Follows, members: Sequence[str]) -> PreviewPart:
        rows = [session.get_one(DeploymentRow, number) for number in follows.deployments]
        part = PreviewPart(
            devices=len(members),
            some=tuple(sorted(members)[:_SOME]),
            os=follows.platform.os,
            architecture=follows.platform.architecture,
            beside=tuple(row.id for row in rows),
            components={},
        )
        wishes = [*(row.wish() for row in rows), draft.wish()]
        try:
            specs = self._assignments.united(session, wishes, follows.platform, staging=draft.staging)
        except LinesideError as error:
            if error.code not in CANNOT:
                raise
            return msgspec.structs.replace(part, conflict=error.report())
        components = {name: spec.component_version for name, spec in specs.items()}
        return msgspec.structs.replace(part, components=components)


def _waves(session: Session, devices: Sequence[str], plan: RolloutPlan) -> tuple[PreviewWave, ...]:
    named = [spec.group for spec in specs_of(plan) if spec.group is not None]
    groups = {group: session.scalars(members_of(group)).all() for group in named}
    counted = Counter(waves_of(devices, plan, groups).values())
    return tuple(
        PreviewWave(name=name or f"wave {number + 1}", devices=counted[number])
        for number, name in enumerate(names_of(plan))
    )
