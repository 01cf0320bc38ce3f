"""From a source's settings to the source."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Timer

from lineside.contract.result import Result
from lineside.runtime.frames import Source
from lineside.runtime.settings import INBOX, Settings
from lineside.runtime.sources.asked import AskedSettings, AskedSource
from lineside.runtime.sources.camera import CameraSource, RtspSettings, UsbSettings, rtsp, usb
from lineside.runtime.sources.folder import FolderSettings, FolderSource
from lineside.runtime.sources.requests import RequestSettings
from lineside.runtime.sources.requests_bus import BusRequests
from lineside.runtime.sources.requests_mqtt import MqttRequests
from lineside.runtime.sources.video import VideoSettings, VideoSource
from lineside.runtime.spool import InputKey, Spool

_SETTLED = 3600.0  # seconds after which a deployment is not taken back any more


def sources_of(settings: Settings, spool: Spool, *, settled: float = _SETTLED) -> dict[str, Source]:
    """The sources of a configuration, not started, with what they had done before. What others had done is forgotten
    `settled` seconds later: a deployment that took a source away may be taken back soon."""
    done = spool.inputs()
    gone = [key for key in done if _source_of(key) not in settings.sources]
    if gone:
        timer = Timer(settled, _forget, (spool, gone))
        timer.daemon = True
        timer.start()
    return {name: _made(name, settings, spool, done) for name in settings.sources}


def kind_of(settings: Settings, name: str) -> str:
    """The kind of a source, as the configuration names it."""
    return str(settings.sources[name].__struct_config__.tag)


def asking(settings: Settings, sources: Mapping[str, Source]) -> Callable[[str, bytes], Result | None]:
    """How the local API asks: by a model's name, for a decision that is recorded; None when no source of kind `api` is
    routed to that model. It raises what `AskedSource.ask` does."""
    by_model = {
        settings.routes[name].model: source for name, source in sources.items() if isinstance(source, AskedSource)
    }

    def ask(model: str, data: bytes) -> Result | None:
        source = by_model.get(model)
        return source.ask(data) if source else None

    return ask


def _source_of(key: InputKey) -> str:
    name, mark, _ = key.name.partition("/")
    return name if mark else INBOX


def _forget(spool: Spool, keys: list[InputKey]) -> None:
    with suppress(OSError, sqlite3.Error):  # a full disk, or the end of the process: an hour after the next start, then
        spool.forget_inputs(keys)


def _made(name: str, settings: Settings, spool: Spool, done: set[InputKey]) -> Source:
    one = settings.sources[name]
    match one:
        case FolderSettings():
            prefix = "" if name == INBOX else f"{name}/"  # the only folder of a device remembers its files without
            folder, forget = settings.folder(one.folder), spool.forget_inputs
            return FolderSource(name, folder, done, prefix=prefix, interval=one.interval, forget=forget)
        case VideoSettings():
            return VideoSource(name, settings.folder(one.file), done, every=one.every, forget=spool.forget_inputs)
        case RtspSettings():
            return CameraSource(name, rtsp(one))
        case UsbSettings():
            return CameraSource(name, usb(one))
        case RequestSettings():
            folders = [settings.folder(folder) for folder in one.folders]
            if one.over == "bus":
                return BusRequests(name, one, settings.bus, folders, component=settings.component)
            return MqttRequests(name, one, settings.mqtt, folders, component=settings.component)
        case AskedSettings():
            return AskedSource(name)
