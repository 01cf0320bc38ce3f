"""A running bus with a host and a broker in memory, and AWS's own clients for it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awsiot.greengrasscoreipc
from awsiot.greengrasscoreipc.client import GreengrassCoreIPCClient
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2

from lineside.agent.bus.bus import Bus
from lineside.agent.bus.client import Client
from lineside.agent.bus.testing import FakeBroker, FakeHost
from lineside.agent.health.conditions import Conditions
from lineside.agent.paths import Paths
from tests.eventually import PATIENCE

PATH = "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"
SERVICES = (
    "aws.greengrass.ipc.pubsub",
    "aws.greengrass.ipc.mqttproxy",
    "aws.greengrass.ipc.lifecycle",
    "aws.greengrass.ipc.componentmetric",
    "aws.greengrass.SecretManager",
    "aws.greengrass.Cli",
)


def policies(name: str, **more: Any) -> dict[str, Any]:
    """A configuration that allows everything."""
    control = {service: {f"{name}:{service}:1": {"operations": ["*"], "resources": ["*"]}} for service in SERVICES}
    return {"accessControl": control} | more


class House:
    """The bus of one root; components `app`, `other` (both may do everything) and `poor` (nothing)."""

    def __init__(self, root: Path) -> None:
        self.host = FakeHost(
            {
                "app": policies("app", level=3, nested={"Key": "value", "none": None, "text": "ä€😀"}),
                "other": policies("other", other=True),
                "poor": {},
                "aws.greengrass.StreamManager": {},
            }
        )
        self.broker = FakeBroker()
        root.mkdir(exist_ok=True)
        self.conditions = Conditions()
        self.bus = Bus(Paths(root), self.host, self.broker, "cell-1", self.conditions)
        self._open: list[Any] = []

    def environment(self, component: str = "app") -> dict[str, str]:
        return self.bus.environment(component)

    def v1(self, component: str = "app") -> GreengrassCoreIPCClient:
        """The SDK's first client."""
        variables = self.environment(component)
        client = awsiot.greengrasscoreipc.connect(ipc_socket=variables[PATH], authtoken=variables["SVCUID"])
        self._open.append(client)
        return client

    def v2(self, component: str = "app") -> GreengrassCoreIPCClientV2:
        """The SDK's second client."""
        return GreengrassCoreIPCClientV2(client=self.v1(component))

    def client(self, component: str = "app") -> Client:
        """Our own."""
        variables = self.environment(component)
        found = Client(variables[PATH], variables["SVCUID"])
        self._open.append(found)
        return found

    def raw(self) -> socket.socket:
        """A bare connection."""
        found = socket.socket(socket.AF_UNIX)
        found.settimeout(10)
        found.connect(self.environment()[PATH])
        self._open.append(found)
        return found

    @contextlib.contextmanager
    def running(self) -> Iterator[House]:
        self.bus.start()
        try:
            yield self
        finally:
            for one in self._open:
                closed = one.close()
                if closed is not None:
                    with contextlib.suppress(Exception):
                        closed.result(PATIENCE)
            self.bus.stop()
