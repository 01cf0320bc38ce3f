"""What belongs to a digest or to a result: queries over other rooms' tables. Reads only."""

from __future__ import annotations

from sqlalchemy import Text, select, type_coerce
from sqlalchemy.orm import Session

from lineside.contract.ids import content_digest
from lineside.contract.model import ModelVersion
from lineside.contract.result import Result, StoredResult
from lineside.server.captures.store import CaptureRow
from lineside.server.components.store import ComponentRow
from lineside.server.models.store import ModelRow
from lineside.server.telemetry.store import ResultRow


def result(session: Session, id_: int) -> StoredResult | None:
    """The result of this id, if it is still kept."""
    row = session.get(ResultRow, id_)
    return row.value() if row else None


def same_result(session: Session, result: Result) -> StoredResult | None:
    """A result as it is kept, found by its content."""
    query = select(ResultRow).where(ResultRow.device == result.device, ResultRow.sequence == result.sequence)
    row = session.scalars(query.where(ResultRow.digest == content_digest(result))).first()
    return row.value() if row else None


def capture_of(session: Session, result: Result) -> CaptureRow | None:
    """The uploaded capture of the picture that a result is about."""
    query = select(CaptureRow).where(CaptureRow.device == result.device, CaptureRow.uploaded_at.is_not(None))
    text = type_coerce(CaptureRow.record, Text)
    likely = query.where(text.contains(f'"sequence":{result.sequence},', autoescape=True))
    return next((row for row in session.scalars(likely) if row.record.result == result), None)


def models_with(session: Session, digest: str) -> list[ModelVersion]:
    """Model versions that have this file among their variants, newest first."""
    query = select(ModelRow).where(type_coerce(ModelRow.registered, Text).contains(digest, autoescape=True))
    found = (row.value() for row in session.scalars(query.order_by(ModelRow.number.desc())))
    return [one for one in found if any(variant.digest == digest for variant in one.variants)]


def components_with(session: Session, digest: str) -> list[ComponentRow]:
    """Component versions that bring this file, newest first."""
    query = select(ComponentRow).where(type_coerce(ComponentRow.artifacts, Text).contains(digest, autoescape=True))
    found = session.scalars(query.order_by(ComponentRow.created_at.desc(), ComponentRow.version))
    return [one for one in found if any(artifact.digest == digest for artifact in one.artifacts)]
