"""A request topic: `{"filepath": …}` in over MQTT, the result or a typed error out.

A request is acknowledged once its answer was given to the broker: one that was being decided when the process ended
comes again, and one that was when the connection broke is decided once. Paths are confined to the folders of the
configuration, with every link in them followed first.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any, NamedTuple

import msgspec
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from lineside.contract import topics
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.result import Result
from lineside.runtime.frames import Frame, Intake, SourceState
from lineside.runtime.sinks.mqtt import MqttSettings, send_at_once, tls_of
from lineside.runtime.sources.folder import MAX_FILE_BYTES
from lineside.runtime.sources.owed import Owed
from lineside.runtime.sources.threaded import ThreadedSource

_ROOM = 1000  # requests that wait
_KEEP_ALIVE = 30
_LOOK = 0.5


class RequestSettings(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="requests"):
    """`topic`: where requests come in; `answers`: where answers go, `TOPIC/answers` when it is empty; `folders`: what
    requests may name files of ("inbox" is the agent's, other relative paths lie beside it)."""

    topic: str
    answers: str = ""
    folders: tuple[str, ...] = ("inbox",)


class Request(msgspec.Struct, frozen=True):
    """What is asked. `id`, if given, comes back with the answer."""

    filepath: str
    id: str = ""


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer: a result, or an error."""

    filepath: str = ""
    id: str = ""
    result: Result | None = None
    error: ErrorReport | None = None


class _Asked(NamedTuple):
    """A message, and how it is acknowledged."""

    payload: bytes
    acknowledge: Callable[[], Any]


class RequestSource(ThreadedSource):
    """Files that others name, one by one."""

    def __init__(
        self,
        name: str,
        settings: RequestSettings,
        broker: MqttSettings | None,
        folders: Sequence[Path],
        *,
        component: str = "",
    ) -> None:
        """`component`: whose source it is; two may have sources of one name, and the broker tells them apart by it."""
        super().__init__(name, live=False)
        self._component = component
        self._settings, self._broker, self._folders = settings, broker, folders
        self._answers = settings.answers or f"{settings.topic}/answers"
        self._waiting: Queue[_Asked] = Queue(_ROOM)
        self._client: Client | None = None
        self._owed = Owed(lambda number: None)

    def run(self, intake: Intake) -> None:
        """Raises `config.invalid` without a broker, `mqtt.topic_forbidden`, `mqtt.tls_unusable`."""
        client = self._client = self._connected()
        try:
            while not self.stopping.is_set():
                try:
                    asked = self._waiting.get(timeout=_LOOK)
                except Empty:
                    continue
                self._take(intake, client, asked)
        finally:
            client.disconnect()
            client.loop_stop()

    def _take(self, intake: Intake, client: Client, asked: _Asked) -> None:
        request = Request("")
        self.brought()
        try:
            request = _request(asked.payload)
            path, data, changed = read_confined(request.filepath, self._folders)
        except LinesideError as error:
            frame = Frame(self.name, request.filepath, b"", time.time(), time.monotonic())
            frame.reply = partial(self._answer, client, asked, request)
            intake.refuse(frame, error)
            return
        reply = partial(self._answer, client, asked, request)
        intake.offer(Frame(self.name, path.name, data, changed, time.monotonic(), reply=reply))

    def _answer(self, client: Client, asked: _Asked, request: Request, answer: Result | LinesideError) -> None:
        """From whichever thread has the answer. One that stops gives none, so that the request comes again."""
        if isinstance(answer, LinesideError):
            if answer.code == "runtime.stopping":
                return
            answered = Answered(filepath=request.filepath, id=request.id, error=answer.report())
        else:
            answered = Answered(filepath=request.filepath, id=request.id, result=answer)
        client.publish(self._answers, msgspec.json.encode(answered), qos=1)
        asked.acknowledge()

    def _connected(self) -> Client:
        broker = self._broker
        if broker is None:
            raise LinesideError("config.invalid", path=self.name, why="requests need a broker; the agent names none")
        allowed = topics.may_subscribe(broker.device, self._settings.topic)
        for topic, good in ((self._settings.topic, allowed), (self._answers, _publishable(broker, self._answers))):
            if not good:
                raise LinesideError("mqtt.topic_forbidden", topic=topic, device=broker.device)
        whose = "-".join(part for part in (broker.device, self._component, self.name) if part)
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{whose}-requests",
            clean_session=False,  # what is not acknowledged comes again
            manual_ack=True,
        )
        if broker.ca is not None:
            client.tls_set_context(tls_of(broker))
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        client.on_socket_open = send_at_once
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        self._owed = Owed(lambda number: client.ack(number, 1))
        client.connect_async(broker.host, broker.port, keepalive=_KEEP_ALIVE)
        client.loop_start()
        return client

    def _on_connect(
        self, client: Client, userdata: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._away(f"it refuses: {reason}")
            return
        self._owed.connected(kept=flags.session_present)
        client.subscribe(self._settings.topic, qos=1)
        self.become(SourceState.RUNNING)

    def _on_connect_fail(self, client: Client, userdata: Any) -> None:
        self._away("it cannot be reached")

    def _on_disconnect(
        self, client: Client, userdata: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._owed.broken()
        if self.health().state is not SourceState.AWAY:  # else it was said better
            self._away(str(reason))

    def _away(self, why: str) -> None:
        if not self.stopping.is_set():
            self.become(SourceState.AWAY, LinesideError("source.away", url="the broker", why=why))

    def _on_message(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        acknowledge: Callable[[], None] | None = _nothing
        if message.qos:
            acknowledge = self._owed.received(message.mid, again=message.dup)
        if acknowledge is None:
            return
        asked = _Asked(bytes(message.payload), acknowledge)
        try:
            self._waiting.put_nowait(asked)
        except Full:
            busy = LinesideError("runtime.busy", room=_ROOM, source=self.name)
            self._answer(client, asked, Request(""), busy)


def read_confined(named: str, folders: Sequence[Path]) -> tuple[Path, bytes, float]:
    """A file below one of the folders: where it really lies, its bytes, when it changed.

    Raises `request.path_forbidden`, `image.missing`, `image.file_too_large`.
    """
    try:
        path = Path(folders[0], named).resolve()
        if not any(path.is_relative_to(folder.resolve()) for folder in folders):
            raise LinesideError("request.path_forbidden", path=named)
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise LinesideError("image.missing", path=named, why="it is no file")
            if found.st_size > MAX_FILE_BYTES:
                raise LinesideError("image.file_too_large", size=found.st_size, limit=MAX_FILE_BYTES)
            return path, file.read(MAX_FILE_BYTES), found.st_mtime
    except (OSError, ValueError) as error:  # a name with a NUL, a link to itself
        why = getattr(error, "strerror", None) or error
        raise LinesideError("image.missing", path=named, why=why) from error


def _request(payload: bytes) -> Request:
    try:
        return msgspec.json.decode(payload, type=Request)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LinesideError("request.invalid", why=error) from error


def _nothing() -> None:
    """How a message is acknowledged for which nobody waits."""


def _publishable(broker: MqttSettings, topic: str) -> bool:
    return topics.is_topic(topic) and topics.may_publish(broker.device, topic)
