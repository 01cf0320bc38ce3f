"""Tables of collections and their queries."""

from __future__ import annotations

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from lineside.contract.collection import (
    CollectionDevice,
    CollectionRequest,
    CollectionSchedule,
    ScheduledCollection,
)
from lineside.server.database import Base, Json


class CollectionRow(Base):
    """A collection of images from a group."""

    __tablename__ = "collections"
    __table_args__ = (Index("ix_collections_state", "state", "until"), Index("ix_collections_created_at", "created_at"))

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    request: Mapped[CollectionRequest] = mapped_column(Json(CollectionRequest))
    state: Mapped[str] = mapped_column(String(16))
    until: Mapped[str] = mapped_column(String(32))  # RFC 3339 in UTC, as every time here
    created_at: Mapped[str] = mapped_column(String(32))
    by: Mapped[str] = mapped_column(String(256))
    ended_at: Mapped[str | None] = mapped_column(String(32), default=None)
    schedule: Mapped[str | None] = mapped_column(String(64), default=None)


class CollectionDeviceRow(Base):
    """One device's part of a collection."""

    __tablename__ = "collection_devices"
    __table_args__ = (Index("ix_collection_devices_device", "device"),)

    collection: Mapped[str] = mapped_column(String(64), primary_key=True)
    device: Mapped[str] = mapped_column(String(63), primary_key=True)
    asked: Mapped[int]
    kept: Mapped[int] = mapped_column(default=0)
    uploaded: Mapped[int] = mapped_column(default=0)
    refused: Mapped[dict[str, int] | None] = mapped_column(Json(dict[str, int]), default=None)
    why: Mapped[str] = mapped_column(default="")
    told_at: Mapped[str | None] = mapped_column(String(32), default=None)

    def value(self) -> CollectionDevice:
        """The row as it travels; what came was kept, whatever the device has told."""
        return CollectionDevice(
            device=self.device,
            asked=self.asked,
            kept=max(self.kept, self.uploaded),
            uploaded=self.uploaded,
            refused=self.refused or {},
            why=self.why,
            told_at=self.told_at,
        )


class CollectionScheduleRow(Base):
    """A collection that begins again and again."""

    __tablename__ = "collection_schedules"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[CollectionSchedule] = mapped_column(Json(CollectionSchedule))
    created_at: Mapped[str] = mapped_column(String(32))
    by: Mapped[str] = mapped_column(String(256))
    next_at: Mapped[str] = mapped_column(String(32))
    last: Mapped[str | None] = mapped_column(String(64), default=None)
    problem: Mapped[str] = mapped_column(default="", server_default="")

    def value(self) -> ScheduledCollection:
        """The row as it travels."""
        return ScheduledCollection(
            document=self.document,
            created_at=self.created_at,
            by=self.by,
            next_at=self.next_at,
            last=self.last,
            problem=self.problem,
        )
