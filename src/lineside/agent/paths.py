"""Where everything lies below an agent's root directory."""

from __future__ import annotations

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Paths:
    """The layout of one agent's root; package and work paths are those of Greengrass V2."""

    root: Path

    @property
    def join(self) -> Path:
        return self.root / "join.json"

    @property
    def key(self) -> Path:
        return self.root / "keys" / "device.key"

    @property
    def certificate(self) -> Path:
        return self.root / "keys" / "device.crt"

    @property
    def mqtt_certificate(self) -> Path:
        """For the broker, of a device whose own key is in a token; `mqtt.key` lies beside it."""
        return self.root / "keys" / "mqtt.crt"

    @property
    def instance(self) -> Path:
        """How often this device has asked for a token, see `link.instance`."""
        return self.root / "keys" / "instance.json"

    @property
    def ca(self) -> Path:
        return self.root / "keys" / "ca.crt"

    @property
    def trusted_root(self) -> Path:
        return self.root / "tuf" / "trusted_root.json"

    @property
    def metadata(self) -> Path:
        return self.root / "tuf" / "metadata"

    @property
    def database(self) -> Path:
        return self.root / "agent.db"

    @property
    def spool(self) -> Path:
        """MQTT messages that wait for the broker."""
        return self.root / "spool.db"

    @property
    def clock(self) -> Path:
        """How late it was, see `clock_floor`."""
        return self.root / "clock.json"

    @property
    def labels(self) -> Path:
        """What this device's own configuration labels it with, see `labels`."""
        return self.root / "labels"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def captures(self) -> Path:
        return self.root / "captures"

    @property
    def results_taken(self) -> Path:
        """Which versions of the result schema the control plane takes, see `contract.schema_versions`."""
        return self.root / "results-taken.json"

    @property
    def uploads(self) -> Path:
        """How many bytes of captures were sent, see `upload_ledger`."""
        return self.root / "uploads.json"

    @property
    def all_work(self) -> Path:
        """Components' work folders."""
        return self.root / "work"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def all_artifacts(self) -> Path:
        return self.root / "packages" / "artifacts"

    @property
    def all_unarchived(self) -> Path:
        return self.root / "packages" / "artifacts-unarchived"

    @property
    def environments(self) -> Path:
        """Virtual environments of components that bring their own Python dependencies."""
        return self.root / "packages" / "environments"

    @property
    def agent_log(self) -> Path:
        """The agent's own log, JSON lines."""
        return self.root / "logs" / "agent.log"

    def artifacts(self, name: str, version: str) -> Path:
        """`{artifacts:path}`."""
        return self.all_artifacts / name / version

    def unarchived(self, name: str, version: str) -> Path:
        """`{artifacts:decompressedPath}`."""
        return self.all_unarchived / name / version

    def work(self, name: str) -> Path:
        """`{work:path}`."""
        return self.root / "work" / name

    def configuration(self, name: str) -> Path:
        """The component's effective configuration, which `LINESIDE_CONFIG` names."""
        return self.work(name) / "config.json"

    def log(self, name: str) -> Path:
        """What the component prints."""
        return self.root / "logs" / f"{name}.log"
