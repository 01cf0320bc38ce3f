"""A watch for a run, and who it tells."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lineside.contract.errors import LinesideError
from lineside.runtime.drift.watch import DriftWatch, Say
from lineside.runtime.model import ModelIdentity
from lineside.runtime.models.library import Library
from lineside.runtime.settings import Settings
from lineside.runtime.sinks import Sink
from lineside.runtime.sinks.mqtt import MqttSink


def watch_of(settings: Settings, library: Library) -> DriftWatch | None:
    """The watch of the configuration; None where it watches nothing."""
    wanted = settings.configuration.drift
    if wanted is None:
        return None

    def folder_of(model: ModelIdentity) -> Path | None:
        for name in settings.models:
            with suppress(LinesideError):  # it may have been unloaded
                slot = library.slot(name)
                for proven in (slot.proven, slot.kept):
                    if proven is not None and proven.model.identity == model:
                        return proven.folder
        return None

    return DriftWatch(
        wanted,
        settings.work / "drift",
        device=settings.device,
        component=settings.component,
        named=settings.named,
        folder_of=folder_of,
    )


def say_of(sinks: Mapping[str, Sink]) -> Say | None:
    """How windows are told: over MQTT, where the run publishes by it."""
    return next((sink.say for sink in sinks.values() if isinstance(sink, MqttSink)), None)
