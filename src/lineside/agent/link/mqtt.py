"""The device's one MQTT connection: hints for the agent and "IoT Core" for components, over TLS with its certificate.

One thread owns the connection. It reconnects for ever with capped, jittered back-off, subscribes again and sends what
waits, in order. QoS 1 goes through the spool (`spool.py`: kept until acknowledged, refused when full). QoS 0 waits in
memory, at most `MEMORY_BYTES`; then the oldest goes. The session is clean: what others publish while the device is away
does not reach it, unless it is retained.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import select
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from lineside.agent.bus.ports import BrokerMessage
from lineside.agent.clock import DEVICE, Clock
from lineside.agent.health.conditions import Conditions
from lineside.agent.link.error import LinkError
from lineside.agent.link.join_state import JoinState
from lineside.agent.link.session import KEEPALIVE, Session
from lineside.agent.link.spool import LIMIT_BYTES, Spool
from lineside.agent.link.subscriptions import Subscriptions
from lineside.agent.paths import Paths
from lineside.contract import topics
from lineside.contract.errors import LinesideError

MEMORY_BYTES = 1 << 20
"""Bytes of QoS 0 messages that wait for a connection."""
MAX_PAYLOAD = 1_000_000
"""Bytes in one message: the control plane's broker closes the connection at 1 MiB a packet."""
MIN_WAIT, MAX_WAIT = 1.0, 60.0
_SYNC_SECONDS = 1.0
_END_SECONDS = 2.0
_WINDOW = 64  # unacknowledged messages at once

_log = logging.getLogger(__name__)


class Mqtt:
    """The `Broker` port (`lineside.agent.bus.ports`). A broker that stays away is a condition."""

    def __init__(
        self,
        joined: JoinState,
        paths: Paths,
        conditions: Conditions | None = None,
        clock: Clock = DEVICE,
        spool_limit: int = LIMIT_BYTES,
    ) -> None:
        self._device = joined.device
        self._paths = paths
        self._address = (joined.mqtt_host or "", joined.mqtt_port or 0)
        self._conditions = conditions or Conditions()
        self._clock = clock
        self._spool = Spool(paths.spool, spool_limit)
        self._subscriptions = Subscriptions()
        self._light: deque[BrokerMessage] = deque()
        self._light_bytes = 0
        self._watchers: list[Callable[[bool], None]] = []
        self._lock = threading.Lock()
        self._signal = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._up = False
        self._stopping = False
        self._again = False  # connect anew
        self._synced_at = 0.0
        self._failures = 0
        self._thread = threading.Thread(target=self._work, name="mqtt", daemon=True)

    # --- the port -------------------------------------------------------------------------------------------------

    def publish(self, message: BrokerMessage) -> None:
        """See `Broker.publish`. Raises `bus.message_too_large` too."""
        if not topics.is_topic(message.topic) or not topics.may_publish(self._device, message.topic):
            raise LinesideError("bus.topic_forbidden", topic=message.topic, device=self._device)
        if len(message.payload) > MAX_PAYLOAD:
            raise LinesideError("bus.message_too_large", size=len(message.payload), limit=MAX_PAYLOAD)
        if message.qos > 0:
            self._spool.append(message)
        else:
            self._keep(message)
        self._wake()

    def subscribe(self, pattern: str, qos: int, deliver: Callable[[BrokerMessage], None]) -> Callable[[], None]:
        """See `Broker.subscribe`. `deliver` is called in the connection's thread and must return soon."""
        if not topics.is_filter(pattern) or not topics.may_subscribe(self._device, pattern):
            raise LinesideError("bus.topic_forbidden", topic=pattern, device=self._device)
        end = self._subscriptions.add(pattern, min(qos, 1), deliver)
        self._wake()

        def stop() -> None:
            end()
            self._wake()

        return stop

    def connected(self) -> bool:
        """See `Broker.connected`."""
        return self._up

    def watch(self, changed: Callable[[bool], None]) -> Callable[[], None]:
        """See `Broker.watch`."""
        with self._lock:
            self._watchers.append(changed)

        def stop() -> None:
            with self._lock, contextlib.suppress(ValueError):
                self._watchers.remove(changed)

        return stop

    # --- its life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect in the background. Without a broker in the join state nothing happens, and messages wait."""
        if all(self._address):
            self._thread.start()

    def stop(self) -> None:
        """Disconnect; what was not acknowledged waits on disk."""
        self._stopping = True
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(timeout=_END_SECONDS)  # one that hangs in a connection attempt ends with the process
        with contextlib.suppress(sqlite3.Error):
            self._spool.sync()
        self._spool.close()

    def renewed(self) -> None:
        """The device has a new certificate: connect with that."""
        self._again = True
        self._wake()

    def waiting(self) -> int:
        """QoS 1 messages that the broker has not acknowledged."""
        return len(self._spool)

    def _wake(self) -> None:
        os.eventfd_write(self._signal, 1)

    def _keep(self, message: BrokerMessage) -> None:
        with self._lock:
            self._light.append(message)
            self._light_bytes += len(message.payload) + len(message.topic)
            while self._light_bytes > MEMORY_BYTES:
                old = self._light.popleft()
                self._light_bytes -= len(old.payload) + len(old.topic)

    # --- the connection's thread ----------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stopping:
            began = time.monotonic()
            why = self._live()
            if self._up:
                self._changed(False)
            if time.monotonic() - began > MAX_WAIT:
                self._failures = 0
            if not self._stopping:
                self._fail(why)
                self._pause()

    def _live(self) -> Exception | None:
        """One connection, from its beginning to its end; why it ended."""
        self._again = False
        try:
            session = Session(self._device, self._address, self._paths, self._subscriptions, self._clock)
            self._serve(session)
            return session.failure
        except (LinkError, OSError) as error:
            return error
        except Exception as error:  # noqa: BLE001  # whatever a broker sends: the agent goes on listening to the next
            _log.exception("the connection to the broker failed")
            return error

    def _serve(self, session: Session) -> None:
        """Until the connection is lost or the agent ends."""
        sent = 0
        try:
            while session.turn(self._signal, self._patience()):
                if session.ready and not self._up:
                    self._changed(True)
                self._settle(session)
                if session.ready:
                    sent = self._pump(session, sent)
                if self._stopping or self._again:
                    break
        finally:
            session.close()
            self._settle(session)

    def _pump(self, session: Session, sent: int) -> int:
        """Hand over what waits, as far as the window allows; the number of the newest message handed over."""
        session.subscribe()
        while self._light and not session.congested:
            with self._lock:
                message = self._light.popleft()
                self._light_bytes -= len(message.payload) + len(message.topic)
            session.send(message)
        room = _WINDOW - session.in_flight
        if room > 0:
            with _disk():
                for number, message in self._spool.after(sent, room):
                    session.send(message, number)
                    sent = number
        return sent

    def _settle(self, session: Session) -> None:
        """Forget what was acknowledged; now and then make the rest survive a power cut."""
        with _disk():
            if session.acknowledged:
                self._spool.remove(session.acknowledged)
                session.acknowledged.clear()
        self._sync()

    def _sync(self) -> None:
        if time.monotonic() - self._synced_at >= _SYNC_SECONDS:
            self._synced_at = time.monotonic()
            with _disk():
                self._spool.sync()

    def _patience(self) -> float:
        return _SYNC_SECONDS if self._spool.unsynced else KEEPALIVE / 3

    def _fail(self, error: Exception | None) -> None:
        self._failures += 1
        why = getattr(error, "message", None) or str(error or "it closed the connection")
        if self._failures > 1:
            self._conditions.set("link.broker", address="{}:{}".format(*self._address), why=why.rstrip("."))
        _log.info("broker: %s", why)

    def _pause(self) -> None:
        """Wait before the next try, while messages that come in are made safe."""
        wait = min(MAX_WAIT, MIN_WAIT * 2.0 ** min(self._failures - 1, 16))
        until = time.monotonic() + wait * random.uniform(0.5, 1.0)
        while not self._stopping and (left := until - time.monotonic()) > 0:
            select.select([self._signal], [], [], min(left, self._patience()))
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._signal)
            self._sync()

    def _changed(self, up: bool) -> None:
        self._up = up
        if up:
            self._conditions.clear("link.broker")
        with self._lock:
            watchers = list(self._watchers)
        for watcher in watchers:
            try:
                watcher(up)
            except Exception:  # noqa: BLE001  # one watcher's mistake must not end the connection
                _log.exception("a watcher of the connection failed")


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    """The disk may fail while the connection works: messages then stay where they are."""
    try:
        yield
    except sqlite3.Error as error:
        _log.warning("the spool: %s", error)
