"""What a run is told: the component's configuration (LINESIDE_CONFIG) and the agent's environment.

source: {folder}                   one folder, decided by the model of --model: all that most devices need
sources: {NAME: {kind, …}}         several, instead; kind: folder
models: {NAME: {folder}}           several models; without, the one of --model, which is named "model"
routes: [{source, model}]          which model decides for which source; without, the only one for all
deadline_ms                        after which a decision is late
topic, capture, threads, compare_every
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from lineside.contract.errors import LinesideError
from lineside.runtime.capture import CaptureSettings
from lineside.runtime.sinks.mqtt import MqttSettings
from lineside.runtime.sources.folder import FolderSettings
from lineside.runtime.unknown_keys import unknown_key

INBOX = "inbox"
"""The folder that the agent names, and the source of a configuration that names none."""
MODEL = "model"
"""The name of the model of `--model`."""

SourceSettings = FolderSettings

_FOREIGN = ("lineside.", "aws.")  # of the agent and of the bus, in any component's configuration
_ACCESS_CONTROL = "accessControl"


class OneFolder(msgspec.Struct, frozen=True, kw_only=True):
    """The only source of a device: a folder."""

    folder: str = INBOX
    interval: float = 0.1  # seconds between two looks, where the system does not say what arrives


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`folder`: of the model's component, by interpolation in the recipe; empty: the one of `--model`."""

    folder: str = ""


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The model that decides for a source. A source has one route; a folder may be two sources."""

    source: str
    model: str


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """The component's configuration; every key may be left out."""

    source: OneFolder = OneFolder()
    sources: dict[str, SourceSettings] = {}
    models: dict[str, ModelSettings] = {}
    routes: tuple[RouteSettings, ...] = ()
    deadline_ms: float | None = None
    topic: str = ""  # the user's MQTT topic beside Lineside's own
    capture: CaptureSettings | None = CaptureSettings()  # null keeps nothing
    threads: int = 0  # 0: the cores this process may use
    compare_every: int = 20  # the previous model looks at every so manieth image, too; 0: it is not even loaded


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run needs, resolved to paths and addresses."""

    model: Path
    work: Path
    device: str
    inbox: Path
    captures: Path
    configuration: Configuration
    mqtt: MqttSettings | None
    sources: dict[str, SourceSettings]
    models: dict[str, Path]
    routes: dict[str, str]  # of each source, its model

    @property
    def named(self) -> bool:
        """Whether results say which source they are of: not with the one folder that every device once had."""
        return bool(self.configuration.sources)

    def folder(self, folder: str) -> Path:
        """Where a folder of the configuration lies."""
        return self.inbox if folder == INBOX else self.inbox.parent / folder


def settings_of(model: Path, work: Path, environment: Mapping[str, str]) -> Settings:
    """Raises `config.invalid` for a configuration or an environment that cannot be followed."""
    path = environment.get("LINESIDE_CONFIG")
    configuration = _configuration(path)
    device = environment.get("LINESIDE_DEVICE") or environment.get("AWS_IOT_THING_NAME") or "device"
    sources = configuration.sources or {INBOX: _flat(configuration.source)}
    models = {name: Path(one.folder) if one.folder else model for name, one in configuration.models.items()}
    models = models or {MODEL: model}
    return Settings(
        model=model,
        work=work,
        device=device,
        inbox=Path(environment.get("LINESIDE_INBOX") or work / INBOX),
        captures=Path(environment.get("LINESIDE_CAPTURES") or work / "captures"),
        configuration=configuration,
        mqtt=_mqtt(environment, device, configuration.topic),
        sources=sources,
        models=models,
        routes=_routes(path or "", configuration, sources, models),
    )


def _configuration(path: str | None) -> Configuration:
    if not path:
        return Configuration()
    try:
        raw = msgspec.json.decode(Path(path).read_bytes())
        if isinstance(raw, dict):
            raw = {key: raw[key] for key in raw if key != _ACCESS_CONTROL and not key.startswith(_FOREIGN)}
        if said := unknown_key(raw, Configuration):
            raise LinesideError("config.invalid", path=path, why=said)
        return msgspec.convert(raw, Configuration)
    except (OSError, msgspec.MsgspecError) as error:
        raise LinesideError("config.invalid", path=path, why=error) from error


def _flat(one: OneFolder) -> FolderSettings:
    return FolderSettings(folder=one.folder, interval=one.interval)


def _routes(
    path: str, configuration: Configuration, sources: Mapping[str, Any], models: Mapping[str, Path]
) -> dict[str, str]:
    """The model of each source."""
    for name in sources:
        if not name or "/" in name or not name.isprintable():
            raise LinesideError("config.invalid", path=path, why=f"{name!r} is no name of a source")
    routes: dict[str, str] = {}
    for route in configuration.routes:
        for kind, name, known in (("source", route.source, sources), ("model", route.model, models)):
            if name not in known:
                raise LinesideError("config.invalid", path=path, why=f"there is no {kind} {name}: {sorted(known)}")
        if route.source in routes:
            raise LinesideError("config.invalid", path=path, why=f"the source {route.source} has two routes")
        routes[route.source] = route.model
    for name in sources:
        if name not in routes:
            if len(models) > 1:
                raise LinesideError("config.invalid", path=path, why=f"no route says which model decides for {name}")
            routes[name] = next(iter(models))
    return routes


def _mqtt(environment: Mapping[str, str], device: str, topic: str) -> MqttSettings | None:
    host, port = environment.get("LINESIDE_MQTT_HOST"), environment.get("LINESIDE_MQTT_PORT") or "8883"
    if not host:
        return None
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise LinesideError("config.invalid", path="LINESIDE_MQTT_PORT", why=f"{port} is not a port")
    ca, certificate, key = (
        Path(environment[name]) if environment.get(name) else None
        for name in ("LINESIDE_CA", "LINESIDE_CERT", "LINESIDE_KEY")
    )
    return MqttSettings(host=host, port=int(port), device=device, topic=topic, ca=ca, certificate=certificate, key=key)
