"""Tables and queries of the components room."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.component import Artifact, Component, ComponentKind
from lineside.server.database import Base, Json


class ComponentRow(Base):
    """A component version; only the two target paths are ever set later."""

    __tablename__ = "components"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    version: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # a ComponentKind
    recipe_digest: Mapped[str] = mapped_column(String(71), unique=True)
    recipe_size: Mapped[int]
    artifacts: Mapped[tuple[Artifact, ...]] = mapped_column(Json(tuple[Artifact, ...]))
    created_at: Mapped[str] = mapped_column(String(32))
    target: Mapped[str | None] = mapped_column(String(255), unique=True, default=None)
    staging_target: Mapped[str | None] = mapped_column(String(255), unique=True, default=None)
    model: Mapped[str | None] = mapped_column(String(80), default=None)

    def value(self) -> Component:
        """The row as it travels."""
        return Component(
            name=self.name,
            version=self.version,
            kind=ComponentKind(self.kind),
            recipe_digest=self.recipe_digest,
            recipe_size=self.recipe_size,
            artifacts=self.artifacts,
            created_at=self.created_at,
            target=self.target,
            staging_target=self.staging_target,
            model=self.model,
        )


class PackageRow(Base):
    """Which two components a model version was last packed as: its twin tests them, and approval releases them."""

    __tablename__ = "packages"

    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    model_version: Mapped[str] = mapped_column(String(32))
    inference_version: Mapped[str] = mapped_column(String(32))


def component(session: Session, name: str, version: str) -> ComponentRow | None:
    """One component version."""
    return session.get(ComponentRow, (name, version))


def versions(session: Session, name: str) -> list[ComponentRow]:
    """All versions of a component, oldest first."""
    query = select(ComponentRow).where(ComponentRow.name == name)
    return list(session.scalars(query.order_by(ComponentRow.created_at, ComponentRow.version)))


def newest(session: Session) -> list[ComponentRow]:
    """All component versions, newest first."""
    return list(session.scalars(_newest()))


def page(session: Session, name: str | None, offset: int, limit: int) -> tuple[list[ComponentRow], int]:
    """A slice of all component versions, or of those of one name, newest first; and how many there are."""
    query = _newest() if name is None else _newest().where(ComponentRow.name == name)
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    return list(session.scalars(query.offset(offset).limit(limit))), total


def by_recipe(session: Session, digests: Iterable[str]) -> list[ComponentRow]:
    """The components with these recipes."""
    return list(session.scalars(select(ComponentRow).where(ComponentRow.recipe_digest.in_(list(digests)))))


def by_target(session: Session, target: str) -> ComponentRow | None:
    """The component whose recipe is signed at this TUF path."""
    signed_there = (ComponentRow.target == target) | (ComponentRow.staging_target == target)
    return session.scalars(select(ComponentRow).where(signed_there)).first()


def packages(session: Session) -> list[PackageRow]:
    """What model versions were packed as, newest model version first."""
    return list(session.scalars(select(PackageRow).order_by(PackageRow.version.desc(), PackageRow.model)))


def _newest() -> Select[Any]:
    order = (ComponentRow.created_at.desc(), ComponentRow.name, ComponentRow.version.desc())
    return select(ComponentRow).order_by(*order)
