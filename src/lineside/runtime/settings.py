"""What a run is told: the component's configuration (LINESIDE_CONFIG) and the agent's environment.

source: {folder}                   one folder, decided by the model of --model: all that most devices need
sources: {NAME: {kind, …}}         several, instead; kind: folder, video, rtsp, usb, requests, api
models: {NAME: {folder}}           several models; without, the one of --model, which is named "model"
routes: [{source, model}]          which model decides for which source; without, the only one for all
deadline_ms                        after which a decision is late
topic, capture, drift, threads, compare_every
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from string import Template
from typing import Annotated

import msgspec
from msgspec.structs import replace

from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.contract.schema_versions import RESULTS_TAKEN
from lineside.runtime.api.settings import ApiSettings
from lineside.runtime.captures.settings import CaptureSettings
from lineside.runtime.drift.settings import DriftSettings
from lineside.runtime.models.settings import ModelSettings, ShadowSettings
from lineside.runtime.rules.settings import RuleSettings
from lineside.runtime.sinks.bus_line import BusAddress, bus_of
from lineside.runtime.sinks.mqtt import MqttSettings
from lineside.runtime.sinks.settings import SinkSettings
from lineside.runtime.sources.asked import AskedSettings
from lineside.runtime.sources.camera import RtspSettings, UsbSettings
from lineside.runtime.sources.folder import FolderSettings
from lineside.runtime.sources.requests import RequestSettings
from lineside.runtime.sources.video import VideoSettings
from lineside.runtime.threads import Threads
from lineside.runtime.unknown_keys import unknown_key

INBOX = "inbox"
"""The folder that the agent names, and the source of a configuration that names none."""
MODEL = "model"
"""The name of the model of `--model`."""

SourceSettings = FolderSettings | VideoSettings | RtspSettings | UsbSettings | RequestSettings | AskedSettings

SOAK_SECONDS = 60.0
"""How long the model before a swap is kept."""
LONGEST_SOAK = 1e9
"""Seconds: more than any device runs, and what a timer can still wait for."""

_FOREIGN = ("lineside.", "aws.")  # of the agent and of the bus, in any component's configuration
_ACCESS_CONTROL = "accessControl"


class OneFolder(msgspec.Struct, frozen=True, kw_only=True):
    """The only source of a device: a folder."""

    folder: str = INBOX
    interval: float = 0.1  # seconds between two looks, where the system does not say what arrives


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The model that decides for a source, and which rules judge what it finds: all when none are named. A source has
    one route; a folder may be two sources."""

    source: str
    model: str
    rules: tuple[str, ...] | None = None


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """The component's configuration; every key may be left out."""

    source: OneFolder = OneFolder()
    sources: dict[str, SourceSettings] = {}
    models: dict[str, ModelSettings] = {}
    routes: tuple[RouteSettings, ...] = ()
    rules: dict[str, RuleSettings] = {}
    shadow: ShadowSettings | None = None
    sinks: SinkSettings | None = None
    api: ApiSettings | None = ApiSettings()
    deadline_ms: float | None = None
    memory_mb: int | None = None
    soak_seconds: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_SOAK)] = SOAK_SECONDS
    topic: str = ""  # the user's MQTT topic beside Lineside's own
    capture: CaptureSettings | None = CaptureSettings()  # null keeps nothing
    drift: DriftSettings | None = DriftSettings()  # null watches nothing
    threads: Threads = 0  # 0: the cores this process may use
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
    bus: BusAddress | None = None
    sources: dict[str, SourceSettings]
    models: dict[str, ModelSettings]
    routes: dict[str, RouteSettings]  # of each source
    shadow: Path  # folder of the candidate, if there is one
    component: str = ""  # that this is, where an agent runs it

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
    own = ModelSettings(folder=str(model))
    models = {name: _found(one, model, environment) for name, one in configuration.models.items()} or {MODEL: own}
    return Settings(
        model=model,
        work=work,
        device=device,
        inbox=Path(environment.get("LINESIDE_INBOX") or work / INBOX),
        captures=Path(environment.get("LINESIDE_CAPTURES") or work / "captures"),
        configuration=configuration,
        mqtt=_mqtt(environment, device, configuration.topic),
        bus=bus_of(environment),
        sources=sources,
        models=models,
        routes=_routes(path or "", configuration, sources, models),
        shadow=Path(Template(configuration.shadow.model if configuration.shadow else "").safe_substitute(environment)),
        component=environment.get("LINESIDE_COMPONENT", ""),
    )


def _found(one: ModelSettings, model: Path, environment: Mapping[str, str]) -> ModelSettings:
    """A model with its folder: `$NAME` in it is a variable, which a recipe's Setenv may fill by interpolation."""
    folder = Template(one.folder).safe_substitute(environment)
    return replace(one, folder=folder or str(model))


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
    except (OSError, *UNREADABLE) as error:
        raise LinesideError("config.invalid", path=path, why=error) from error


def _flat(one: OneFolder) -> FolderSettings:
    return FolderSettings(folder=one.folder, interval=one.interval)


def _routes(
    path: str, configuration: Configuration, sources: Iterable[str], models: Iterable[str]
) -> dict[str, RouteSettings]:
    """The route of each source."""
    wrong = partial(LinesideError, "config.invalid", path=path)
    routes: dict[str, RouteSettings] = {}
    for route in configuration.routes:
        if route.source in routes:
            raise wrong(why=f"the source {route.source} has two routes")
        routes[route.source] = route
    for kind, name, known in _named(routes.values(), sources, models, configuration.rules):
        if name not in known:
            raise wrong(why=f"there is no {kind} {name}: {', '.join(sorted(known)) or 'none is configured'}")
    for name in sources:
        if not name or "/" in name or not name.isprintable():
            raise wrong(why=f"{name!r} is no name of a source")
        if name not in routes and len([*models]) > 1:
            raise wrong(why=f"no route says which model decides for {name}")
        routes.setdefault(name, RouteSettings(source=name, model=next(iter(models))))
    return routes


def _named(
    routes: Iterable[RouteSettings], sources: Iterable[str], models: Iterable[str], rules: Iterable[str]
) -> Iterator[tuple[str, str, Iterable[str]]]:
    """Everything that routes name, by kind, and what there is of that kind."""
    for route in routes:
        yield "source", route.source, sources
        yield "model", route.model, models
        yield from (("rule", rule, rules) for rule in route.rules or ())


def _mqtt(environment: Mapping[str, str], device: str, topic: str) -> MqttSettings | None:
    host, port = environment.get("LINESIDE_MQTT_HOST"), environment.get("LINESIDE_MQTT_PORT") or "8883"
    if not host:
        return None
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise LinesideError("config.invalid", path="LINESIDE_MQTT_PORT", why=f"{port} is not a port")
    ca, certificate, key, taken = (
        Path(environment[name]) if environment.get(name) else None
        for name in ("LINESIDE_CA", "LINESIDE_CERT", "LINESIDE_KEY", RESULTS_TAKEN)
    )
    return MqttSettings(
        host=host,
        port=int(port),
        device=device,
        topic=topic,
        taken=taken,
        ca=ca,
        certificate=certificate,
        key=key,
    )
