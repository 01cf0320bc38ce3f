"""Tables and queries of the deployments room."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import String, func, select
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from lineside.contract.deployment import ComponentSpec, Deployment, DeploymentPolicies, UpdatePolicy, ValidationPolicy
from lineside.contract.device import DeviceState
from lineside.contract.rollout import RolloutPlan
from lineside.server.access.store import JoinTokenRow
from lineside.server.database import Base, Json
from lineside.server.deployments.platforms import Platform
from lineside.server.deployments.union import Wish
from lineside.server.devices.membership import NamedGroupRow
from lineside.server.devices.store import DeviceRow, GroupRow


class DeploymentRow(Base):
    """A deployment; never changed. `number` orders all deployments and names it and its rollout."""

    __tablename__ = "deployments"
    __table_args__ = {"sqlite_autoincrement": True}

    number: Mapped[int] = mapped_column(primary_key=True)
    group: Mapped[str] = mapped_column(String(63), index=True)
    name: Mapped[str] = mapped_column(String(256))
    components: Mapped[dict[str, ComponentSpec]] = mapped_column(Json(dict[str, ComponentSpec]))
    failure_policy: Mapped[str] = mapped_column(String(16))
    update_policy: Mapped[UpdatePolicy | None] = mapped_column(Json(UpdatePolicy), default=None)  # None: the defaults
    validation_policy: Mapped[ValidationPolicy | None] = mapped_column(Json(ValidationPolicy), default=None)
    digest: Mapped[str] = mapped_column(String(71))
    created_at: Mapped[str] = mapped_column(String(32))
    staging: Mapped[bool]
    asked: Mapped[dict[str, str] | None] = mapped_column(Json(dict[str, str]), default=None)  # None: those versions
    plan: Mapped[RolloutPlan | None] = mapped_column(Json(RolloutPlan), default=None)  # None: the default

    @property
    def id(self) -> str:
        return f"deployment-{self.number}"

    @property
    def rollout(self) -> str:
        return f"rollout-{self.number}"

    def policies(self) -> DeploymentPolicies:
        """How it is to be carried out on a device."""
        return DeploymentPolicies(
            failure_handling_policy=self.failure_policy,
            component_update_policy=self.update_policy or UpdatePolicy(),
            configuration_validation_policy=self.validation_policy or ValidationPolicy(),
        )

    def wish(self) -> Wish:
        """What it adds to what a device runs."""
        asked = self.asked
        if asked is None:  # of a release that kept no more than what it came to
            asked = {name: spec.component_version for name, spec in self.components.items()}
        return Wish(group=self.group, components=self.components, asked=asked)

    def value(self) -> Deployment:
        """The row as it travels."""
        policies = self.policies()
        return Deployment(
            id=self.id,
            group=self.group,
            name=self.name,
            components=self.components,
            failure_policy=self.failure_policy,
            update_policy=policies.component_update_policy,
            validation_policy=policies.configuration_validation_policy,
            digest=self.digest,
            created_at=self.created_at,
            rollout=self.rollout,
            staging=self.staging,
            asked=self.asked or {},
            plan=self.plan or RolloutPlan(),
        )


def number_of(id_: str) -> int:
    """The number in the id of a deployment or rollout, or -1 when it is no such id."""
    number = id_.rpartition("-")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 16 else -1


def deployment(session: Session, id_: str) -> DeploymentRow | None:
    """The deployment with this id."""
    row = session.get(DeploymentRow, number_of(id_))
    return row if row is not None and row.id == id_ else None


def newest_first(
    session: Session, group: str | None, before: int | None, limit: int
) -> tuple[list[DeploymentRow], int]:
    """Deployments, of one group or of all, with a number below `before`; and how many there are on all pages."""
    query = select(DeploymentRow) if group is None else select(DeploymentRow).where(DeploymentRow.group == group)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    if before is not None:
        query = query.where(DeploymentRow.number < before)
    return list(session.scalars(query.order_by(DeploymentRow.number.desc()).limit(limit))), total


def newest_of(session: Session, group: str) -> DeploymentRow | None:
    """The newest deployment of a group."""
    query = select(DeploymentRow).where(DeploymentRow.group == group).order_by(DeploymentRow.number.desc())
    return session.scalars(query.limit(1)).first()


def newest_of_group(session: Session, group: str) -> Iterator[DeploymentRow]:
    """The deployments of a group, newest first; read one by one."""
    row = newest_of(session, group)
    while row is not None:
        yield row
        older = select(DeploymentRow).where(DeploymentRow.group == group, DeploymentRow.number < row.number)
        row = session.scalars(older.order_by(DeploymentRow.number.desc()).limit(1)).first()


def groups_sharing_devices(session: Session, group: str) -> list[str]:
    """The other groups that accepted devices of a group are in as well."""
    mine, other = aliased(GroupRow), aliased(GroupRow)
    query = (
        select(other.group)
        .distinct()
        .join(mine, mine.device == other.device)
        .join(DeviceRow, DeviceRow.name == mine.device)
        .where(mine.group == group, other.group != group, DeviceRow.state == DeviceState.ACCEPTED.value)
    )
    return list(session.scalars(query.order_by(other.group)))


def platforms_of(session: Session, group: str) -> dict[Platform, int]:
    """How many accepted devices a group has of each platform."""
    query = (
        select(DeviceRow.os, DeviceRow.architecture, func.count())
        .join(GroupRow, GroupRow.device == DeviceRow.name)
        .where(GroupRow.group == group, DeviceRow.state == DeviceState.ACCEPTED.value)
        .group_by(DeviceRow.os, DeviceRow.architecture)
    )
    found = {Platform(system, architecture): count for system, architecture, count in session.execute(query)}
    return dict(sorted(found.items()))


def group_exists(session: Session, group: str) -> bool:
    """Whether the group has a name of its own, a device is in it, or a join token leads to it."""
    member = select(GroupRow.device).where(GroupRow.group == group).limit(1)
    token = select(JoinTokenRow.hash).where(JoinTokenRow.group == group).limit(1)
    return (
        session.get(NamedGroupRow, group) is not None
        or session.scalars(member).first() is not None
        or session.scalars(token).first() is not None
    )
