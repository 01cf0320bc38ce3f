"""A component written with AWS's SDK that makes many calls: prints its resident bytes before and after them."""

from __future__ import annotations

import contextlib
import datetime
import sys
from typing import Any

from awsiot.greengrasscoreipc import model as m
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2

from tests.agent.bus.serve import resident
from tests.eventually import PATIENCE


def round_of(client: GreengrassCoreIPCClientV2) -> None:
    """Ten calls: answers, errors, work in another thread, a subscription opened and closed."""
    json_message = m.PublishMessage(json_message=m.JsonMessage(message={"text": "x" * 500}))
    heard: list[Any] = []
    _, operation = client.subscribe_to_topic(topic="a", on_stream_event=heard.append)
    for _ in range(3):
        client.publish_to_topic(topic="a", publish_message=json_message)
    operation.close().result(PATIENCE)
    client.get_configuration()
    client.list_components()
    now = datetime.datetime.now(datetime.UTC)
    client.update_configuration(timestamp=now, value_to_merge={"level": 1})
    client.publish_to_iot_core(topic_name="b", qos="1", payload=b"x")
    for key_path in (["nothing"], ["level", "x"]):
        with contextlib.suppress(m.ResourceNotFoundError):
            client.get_configuration(key_path=key_path)


def main() -> None:
    client = GreengrassCoreIPCClientV2()
    for command in sys.stdin:
        for _ in range(int(command) // 10):
            round_of(client)
        sys.stdout.write(f"{resident()}\n")
        sys.stdout.flush()
    client.close()


if __name__ == "__main__":
    main()
