"""What a device may do at the embedded broker, as an amqtt plug-in (amqtt 0.12, "custom plugins")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import ApplicationMessage, Session

from lineside.contract import topics


class Desk(Protocol):
    """Who the rules ask, and where messages go."""

    async def may_connect(self, client_id: str) -> bool:
        """Whether the device may, with the certificate that this client has shown."""
        ...

    async def received(self, client_id: str, topic: str, payload: bytes, packet: int | None) -> None:
        """A message came in; `packet` is its number when it wants an acknowledgement."""
        ...


class Rules(BaseAuthPlugin, BaseTopicPlugin):  # type: ignore[misc]  # amqtt ships no types
    """The certificate says which device it is (`broker_link` put its name in front of the client id)."""

    @dataclass
    class Config:
        """`desk`: a Desk."""

        desk: Any

    async def authenticate(self, *, session: Session) -> bool:
        """Devices with a good certificate. A last will is a message like any other: it keeps to the rules on topics."""
        device = device_of(session.client_id)
        if session.will_flag and not topics.may_publish(device, session.will_topic or ""):
            return False
        return bool(await self.config.desk.may_connect(session.client_id or ""))

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        """Its own results and topics of the user's to publish; its own hint to read."""
        if session is None or topic is None:
            return False
        device = device_of(session.client_id)
        return topics.may_publish(device, topic) if action == Action.PUBLISH else topics.may_subscribe(device, topic)

    async def on_broker_message_received(self, *, client_id: str, message: ApplicationMessage) -> None:
        """Hand every message on; which of them count is for the desk to say."""
        packet = message.packet_id if message.qos == 1 else None
        await self.config.desk.received(client_id, message.topic, bytes(message.data), packet)


def device_of(client_id: str | None) -> str:
    """The device a client id of ours belongs to."""
    return (client_id or "").partition("/")[0]
