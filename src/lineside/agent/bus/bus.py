"""The local bus, wired: one thread, one socket, every operation of `operations.py`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from lineside.agent.bus import operations, protocol
from lineside.agent.bus.address import Address
from lineside.agent.bus.authorization import Policies
from lineside.agent.bus.components import Components
from lineside.agent.bus.configuration import Configuration
from lineside.agent.bus.connection import Call
from lineside.agent.bus.deployments import Deployments
from lineside.agent.bus.iotcore import IotCore
from lineside.agent.bus.lifecycle import Lifecycle
from lineside.agent.bus.listeners import Listening
from lineside.agent.bus.ports import Broker, BrokerMessage, Host
from lineside.agent.bus.protocol import LATER, Defer, Later, Protocol
from lineside.agent.bus.pubsub import PubSub
from lineside.agent.bus.routes import Routes
from lineside.agent.bus.server import Server
from lineside.agent.bus.services import Services
from lineside.agent.bus.tokens import Tokens
from lineside.agent.bus.workers import Lane
from lineside.agent.health.conditions import Conditions
from lineside.agent.paths import Paths
from lineside.contract.errors import LinesideError

NUCLEUS = "aws.greengrass.Nucleus"
REGION = "lineside"
"""`AWS_REGION`, unless the configuration of aws.greengrass.Nucleus names an `awsRegion`."""
_CONDITIONS = ("bus.policy_invalid", "bus.policy_duplicate", "bus.route_invalid", "bus.closed")
_PATIENCE = 2.0

_log = logging.getLogger(__name__)


class Bus(Listening):
    """Component IPC of AWS Greengrass V2 for the components of one root. Also its `Listeners`."""

    def __init__(
        self, paths: Paths, host: Host, broker: Broker, device: str, conditions: Conditions | None = None
    ) -> None:
        self._paths = paths
        self._host = host
        self._broker = broker
        self._device = device
        self._conditions = conditions or Conditions()
        self._told = 0
        self._checked = 0  # the version of the policies that open subscriptions were last held against
        self._address = Address(paths.root)
        self._tokens = Tokens()
        self._policies = Policies(host, device)
        self._lanes = {name: Lane(name) for name in ("disk", "slow")}
        self._pubsub = PubSub(self._policies)
        self._iotcore = IotCore(self._policies, broker, self._post, self._defer("disk"))
        self._routes = Routes(host, broker, self._pubsub, self._post, self._send)
        configuration = Configuration(host, self._policies, self._post, self._defer("disk"))
        lifecycle = Lifecycle(host)
        table = self._table(configuration, lifecycle)
        self._server = Server(self._address, Protocol(table, self._admit), self._refresh)
        super().__init__(self._server, configuration, lifecycle)
        self.refresh = self._refresh

    def start(self) -> None:
        """Serve. A socket that cannot be opened now (the disk is read-only, say) is tried again every five seconds."""
        self._server.start()

    def stop(self) -> None:
        """Close every connection; work that was begun is finished for two seconds more."""
        self._server.stop()
        self._iotcore.stop()
        self._routes.stop()
        for lane in self._lanes.values():
            lane.stop(_PATIENCE)

    def environment(self, component: str, user: int | None = None) -> dict[str, str]:
        """See `Listeners.environment`. With a `user` id, only that user's processes (and root's) may use the token."""
        token = self._tokens.issue(component, user)
        self._post(self._refresh)
        path = str(self._address.path)
        nucleus = self._host.configuration(NUCLEUS) or {}
        region = nucleus.get("awsRegion") or REGION
        return {
            "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT": path,
            "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH": path,
            "SVCUID": token,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
            "AWS_IOT_THING_NAME": self._device,
            "AWS_REGION": str(region),
            "AWS_DEFAULT_REGION": str(region),
            "GG_ROOT_CA_PATH": str(self._paths.ca),
        }

    def problems(self) -> tuple[LinesideError, ...]:
        """Policies and routes that are not used, and why."""
        return self._policies.problems + self._routes.problems

    @property
    def dropped(self) -> int:
        """Events that never reached a component, because it, or the bus, was too slow."""
        return self._server.dropped + self._iotcore.inbox.dropped

    def _table(self, configuration: Configuration, lifecycle: Lifecycle) -> Mapping[str, protocol.Operation]:
        host, policies, slow, disk = self._host, self._policies, self._defer("slow"), self._defer("disk")
        return operations.table(
            operations.Parts(
                self._pubsub,
                self._iotcore,
                configuration,
                lifecycle,
                Components(host, policies, slow),
                Deployments(host, policies, disk),
                Services(host, policies, self._tokens, disk),
            )
        )

    def _admit(self, token: str, user: int) -> str | None:
        self._policies.changed()
        return self._tokens.admit(token, user)

    def _refresh(self) -> None:
        version = self._policies.refresh()
        if self._routes.refresh() or version != self._checked:
            self._checked = version
            self._pubsub.recheck()
            self._iotcore.recheck()
        if self.dropped > self._told:
            _log.warning("%d events were dropped: a component, or the bus, was too slow", self.dropped - self._told)
            self._told = self.dropped
        found = {problem.code: problem for problem in reversed(self.problems())}
        if self._server.error is not None:
            found["bus.closed"] = LinesideError("bus.closed", path=self._address.path, why=self._server.error)
        for code in _CONDITIONS:
            if code in found:
                self._conditions.put(found[code])
            elif self._conditions.holds(code):
                self._conditions.clear(code)

    def _post(self, act: Callable[[], None]) -> None:
        self._server.post(act)

    def _send(self, message: BrokerMessage) -> None:
        """Publish for a route: nobody waits for it, so what cannot be sent is logged."""

        def work() -> None:
            try:
                self._broker.publish(message)
            except LinesideError as error:
                _log.warning("a subscription could not send to %s: %s", message.topic, error)

        try:
            self._lanes["disk"].put(work)
        except LinesideError as error:
            _log.warning("a subscription could not send to %s: %s", message.topic, error)

    def _defer(self, lane: str) -> Defer:
        """Have a call answered by work in a lane's thread; the answer comes back through the bus's own."""

        def defer(call: Call, work: Callable[[], Any]) -> Later:
            def run() -> None:
                found: Any = None
                raised: Exception | None = None
                try:
                    found = work()
                except Exception as error:  # noqa: BLE001 whatever it is, it is the caller's answer
                    raised = error
                self._post(lambda: _finish(call, found, raised))

            self._lanes[lane].put(run)
            call.connection.waiting += 1
            return LATER

        return defer


def _finish(call: Call, found: Any, raised: Exception | None) -> None:
    call.connection.resume()

    def result() -> Any:
        if raised is not None:
            raise raised
        return found

    protocol.answer(call, result)
