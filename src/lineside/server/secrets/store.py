"""Tables and queries of the secrets room."""

from __future__ import annotations

from sqlalchemy import String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.secret import Secret
from lineside.server.database import Base, Json
from lineside.server.secrets.model import KeptVersion


class SecretRow(Base):
    """A secret; its values are sealed."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    versions: Mapped[tuple[KeptVersion, ...]] = mapped_column(Json(tuple[KeptVersion, ...]))

    def value(self) -> Secret:
        """The row as it travels."""
        return Secret(name=self.name, versions=tuple(one.shown() for one in self.versions))


class SecretDeliveryRow(Base):
    """The version of a secret that a device was given last, and the fingerprint of the key it was sealed for."""

    __tablename__ = "secret_deliveries"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    device: Mapped[str] = mapped_column(String(63), primary_key=True)
    version: Mapped[str] = mapped_column(String(36))
    key: Mapped[str] = mapped_column(String(64))
    at: Mapped[str] = mapped_column(String(32))


def every(session: Session) -> list[SecretRow]:
    """All secrets, by name."""
    return list(session.scalars(select(SecretRow).order_by(SecretRow.name)))


def deliveries(session: Session, name: str) -> list[SecretDeliveryRow]:
    """Which devices were given a secret, by name."""
    query = select(SecretDeliveryRow).where(SecretDeliveryRow.name == name)
    return list(session.scalars(query.order_by(SecretDeliveryRow.device)))


def forget_deliveries(session: Session, name: str) -> None:
    """Nobody was given a secret that is no more."""
    session.execute(delete(SecretDeliveryRow).where(SecretDeliveryRow.name == name))
