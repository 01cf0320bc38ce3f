"""Both clients of `awsiotsdk` behind one face, so that every test runs with each."""

from __future__ import annotations

import queue
import re
from typing import Any

from awsiot.greengrasscoreipc import client as v1_client

from tests.agent.bus.harness import House

SECONDS = 10


def _snake(operation: str) -> str:
    text = operation.replace("IoTCore", "IotCore")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", text).lower()


class Events:
    """What came on a stream, and how to end it."""

    def __init__(self) -> None:
        self.queue: queue.Queue[Any] = queue.Queue()
        self.closed: queue.Queue[None] = queue.Queue()
        self.operation: Any = None

    def next(self) -> Any:
        return self.queue.get(timeout=SECONDS)

    def none(self) -> bool:
        """Whether nothing has come (whatever was sent before a later answer would be here)."""
        return self.queue.empty()

    def close(self) -> None:
        self.operation.close().result(SECONDS)


class Sdk:
    """`version` 1 or 2. Requests are the SDK's own model objects."""

    def __init__(self, house: House, version: int, component: str = "app") -> None:
        self.version = version
        self.v1 = house.v1(component)
        if version == 2:
            from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2

            self.v2 = GreengrassCoreIPCClientV2(client=self.v1)

    def call(self, request: Any) -> Any:
        """Call the operation of a request; its answer."""
        operation = type(request).__name__.removesuffix("Request")
        if self.version == 2:
            arguments = {key: value for key, value in vars(request).items() if value is not None}
            return getattr(self.v2, f"{_snake(operation)}_async")(**arguments).result(SECONDS)
        started = getattr(self.v1, f"new_{_snake(operation)}")()
        started.activate(request).result(SECONDS)
        return started.get_response().result(SECONDS)

    def open(self, request: Any) -> tuple[Any, Events]:
        """Call an operation with events; its answer and the events."""
        operation = type(request).__name__.removesuffix("Request")
        events = Events()
        if self.version == 2:
            arguments = {key: value for key, value in vars(request).items() if value is not None}
            answer, events.operation = getattr(self.v2, _snake(operation))(
                on_stream_event=events.queue.put, on_stream_closed=lambda: events.closed.put(None), **arguments
            )
            return answer, events
        base = getattr(v1_client, f"{operation}StreamHandler")

        class Handler(base):  # type: ignore[valid-type,misc]
            def on_stream_event(self, event: Any) -> None:
                events.queue.put(event)

            def on_stream_closed(self) -> None:
                events.closed.put(None)

        events.operation = getattr(self.v1, f"new_{_snake(operation)}")(Handler())
        events.operation.activate(request).result(SECONDS)
        return events.operation.get_response().result(SECONDS), events
