"""What the runtime is told: the component's configuration (a JSON file) and the agent's environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from lineside.contract.errors import LinesideError
from lineside.runtime.capture import CaptureSettings
from lineside.runtime.sinks.mqtt import MqttSettings

_INBOX = "inbox"


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`folder`: where images arrive. "inbox" is the agent's inbox; another relative path lies beside the inbox."""

    folder: str = _INBOX
    interval: float = 0.1  # seconds between two looks


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """The component's configuration; every key may be left out."""

    source: SourceSettings = SourceSettings()
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


def settings_of(model: Path, work: Path, environment: Mapping[str, str]) -> Settings:
    """Raises `config.invalid` for a configuration or an environment that cannot be followed."""
    configuration = _configuration(environment.get("LINESIDE_CONFIG"))
    device = environment.get("LINESIDE_DEVICE") or environment.get("AWS_IOT_THING_NAME") or "device"
    inbox = Path(environment.get("LINESIDE_INBOX") or work / _INBOX)
    folder = configuration.source.folder
    return Settings(
        model=model,
        work=work,
        device=device,
        inbox=inbox if folder == _INBOX else inbox.parent / folder,
        captures=Path(environment.get("LINESIDE_CAPTURES") or work / "captures"),
        configuration=configuration,
        mqtt=_mqtt(environment, device, configuration.topic),
    )


def _configuration(path: str | None) -> Configuration:
    if not path:
        return Configuration()
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Configuration)
    except (OSError, msgspec.MsgspecError) as error:
        raise LinesideError("config.invalid", path=path, why=error) from error


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
