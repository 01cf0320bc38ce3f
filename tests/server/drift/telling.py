"""Devices that tell of drift, for tests: a model with a baseline of its own test images, and windows near or far."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import select

from lineside.contract.drift import BASELINE_SCHEMA, Baseline, DriftWindow, sketch_of
from lineside.contract.drift_alarm import DriftScope
from lineside.contract.ids import digest_of
from lineside.contract.model import Lineage, ModelState, ModelVersion, Signature, Variant
from lineside.server.clock import rfc3339
from lineside.server.devices.store import DeviceRow, GroupRow
from lineside.server.drift.service import DriftService
from lineside.server.models.store import ModelRow
from lineside.server.services import Core

FILE, OTHER_FILE = digest_of(b"model"), digest_of(b"other model")


def a_device(core: Core, name: str = "cam-1", *groups: str, state: str = "accepted", twin: bool = False) -> str:
    fields: dict[str, Any] = {"key": "", "certificate": "", "token": "", "facts": {}, "joined_at": "2026"}
    with core.database.write() as session:
        session.add(DeviceRow(name=name, state=state, twin=twin, fingerprint=name, **fields))
        session.flush()
        for group in groups:
            session.add(GroupRow(device=name, group=group))
    return name


def baseline() -> Baseline:
    chance = random.Random(0)
    sketches = {
        "brightness": sketch_of("brightness", (chance.gauss(120, 8) for _ in range(200))),
        "confidence": sketch_of("confidence", (min(1.0, chance.gauss(0.8, 0.08)) for _ in range(300))),
    }
    return Baseline(schema=BASELINE_SCHEMA, images=200, sketches=sketches, classes={"dent": 0.5, "scratch": 0.5})


def a_model(core: Core, version: int = 1, digest: str = FILE, drift: Baseline | None = None) -> None:
    """A registered model version with a baseline."""
    signature = Signature(head="compact", input_width=64, input_height=64, labels=("dent", "scratch"))
    lineage = Lineage(
        dataset=None, dataset_digest=None, split_by=None, run=None, trainer="compact", init=None, parameters={},
        seed=0, code_version="",
    )  # fmt: skip
    fields: dict[str, Any] = {
        "name": "tags", "version": version, "signature": signature, "gates": (), "lineage": lineage, "golden": digest,
        "variants": (Variant(name="fp32", digest=digest, size=1, chosen=True),), "baseline": drift or baseline(),
        "state": ModelState.APPROVED, "created_at": "2026", "digest": digest, "variant": "fp32", "metrics": {},
    }  # fmt: skip
    registered = ModelVersion(**fields)
    with core.database.write() as session:
        session.add(
            ModelRow(
                name="tags", version=version, content=f"{version} {digest}", registered=registered, state="approved"
            )
        )


def window(core: Core, device: str = "cam-1", number: int = 0, **fields: Any) -> DriftWindow:
    """A window of ten minutes that ends now; `light` and `confidence` move its means."""
    light, sure = fields.pop("light", 0.0), fields.pop("confidence", 0.0)
    chance = random.Random(f"{device} {number}")
    values: dict[str, Any] = {
        "device": device, "component": "tags.inference", "source": "cam", "model": "tags", "version": 1, "digest": FILE,
        "began_at": rfc3339(core.clock.now()), "seconds": 600.0, "frames": 100, "looked": 60,
        "sketches": {
            "brightness": sketch_of("brightness", (chance.gauss(120 + light, 8) for _ in range(60))),
            "confidence": sketch_of("confidence", (min(1.0, chance.gauss(0.8 + sure, 0.08)) for _ in range(100))),
        },
        "classes": {"dent": 50, "scratch": 50},
    }  # fmt: skip
    return DriftWindow(**values | fields)


def payload(told: DriftWindow) -> bytes:
    return msgspec.json.encode(told)


def rows(core: Core, table: type[Any]) -> list[Any]:
    with core.database.read() as session:
        return list(session.scalars(select(table)))


DRIFTED = "drifted-1"


def drifted(core: Core) -> None:
    """A device that has told of five days, each hour, and of drift at their end: alarm 1, and enough to re-base."""
    a_device(core, DRIFTED)
    a_model(core, 9, digest_of(b"drifted"))
    service, now = DriftService(core), core.clock.now()
    for number in range(5 * 24):
        began = now - timedelta(hours=5 * 24 - number)
        told = window(core, DRIFTED, number, version=9, digest=digest_of(b"drifted"), light=-60 if number > 115 else 0)
        with core.database.write() as session:
            told = msgspec.structs.replace(told, began_at=rfc3339(began))
            row = service._stream(session, DriftScope.DEVICE, DRIFTED, told)
            service.judging.judge(session, row, told, str(number))
