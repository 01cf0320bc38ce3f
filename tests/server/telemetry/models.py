"""A registered model and results by it, for tests of what results come to."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.model import ModelVersion
from lineside.contract.result import Compared, Detection, Result
from lineside.server.components.testing import model_version
from lineside.server.models.store import ModelRow
from lineside.server.services import Core


def register(core: Core, session: Session, version: int = 1, **fields: Any) -> ModelVersion:
    """A model version of `tags` with the classes dent and scratch, in the models room's table."""
    made = model_version(core.objects, version)
    signature = msgspec.structs.replace(made.signature, labels=("dent", "scratch"))
    made = msgspec.structs.replace(made, signature=signature, **fields)
    session.add(
        ModelRow(name=made.name, version=version, content=f"content {version}", registered=made, state=made.state.value)
    )
    session.flush()
    return made


def found(label: str = "dent", confidence: float = 0.9) -> Detection:
    return Detection(label=label, class_index=0, confidence=confidence, x=1, y=2, width=3, height=4)


def result(model: ModelVersion, device: str, sequence: int, *detections: Detection, **fields: Any) -> Result:
    values = {
        "device": device,
        "model": model.name,
        "version": model.version,
        "digest": model.digest,
        "image": f"{sequence}.jpg",
        "captured_at": "2026-01-01T00:00:00.000Z",
        "sequence": sequence,
        "width": 450,
        "height": 300,
        "latency_ms": 10.0,
        "detections": detections,
    }
    return Result(**values | fields)


def message(one: Result) -> tuple[str, bytes]:
    """As a device publishes it."""
    return one.device, msgspec.json.encode(one)


def compared(agrees: bool) -> Compared:
    return Compared(digest="sha256:previous", agrees=agrees, matched=int(agrees), only_new=int(not agrees))
