"""Device and control plane of different ages agree on a version of a schema, or what is in it waits.

Real: spool, delivery, MQTT sink, Mosquitto, and the results of a control plane. Made up: version 2 of the schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lineside.contract.result import Result
from lineside.contract.schema_versions import RESULTS, Schema, said
from lineside.runtime import alarms
from lineside.runtime.delivery import Delivery
from lineside.runtime.sinks import MQTT, MQTT_TOPICS
from lineside.runtime.sinks.mqtt import MqttSink, MqttTopicsSink
from lineside.runtime.sinks.outlet import SinkState
from lineside.runtime.spool import Entry, Spool
from lineside.runtime.status import SinkStatus, Status
from lineside.server.services import Core
from lineside.server.telemetry.service import ResultsService
from lineside.server.testing import make_core
from tests.eventually import eventually
from tests.runtime.results import result
from tests.runtime.sinks.broker import Broker, Listener
from tests.schema_versions import LATER, NEW, OLD

pytestmark = pytest.mark.mosquitto
OWN, MINE = "lineside/v1/cam-1/results", "factory/line-3/results"


class Meeting:
    """A device and a control plane with a broker between them."""

    def __init__(self, folder: Path, core: Core) -> None:
        self.broker = Broker(folder / "broker")
        self.broker.start()
        self.listener = Listener(self.broker)
        self.taken, self.spool, self.core = folder / "results-taken.json", Spool(folder / "spool.db"), core
        self._delivery: Delivery | None = None

    def device(self, schema: Schema[Result]) -> None:
        """Its runtime starts."""
        settings = msgspec.structs.replace(self.broker.settings("cam-1", MINE), taken=self.taken)
        self._delivery = Delivery(self.spool, None)
        kinds = {MQTT: MqttSink, MQTT_TOPICS: MqttTopicsSink}
        self._delivery.start(
            {name: kind(settings, wake=self._delivery.wake, schema=schema) for name, kind in kinds.items()}
        )

    def decide(self, schema: Schema[Result], *numbers: int) -> None:
        """Results as a runtime makes them: in the newest version it knows. They lie on the disk then."""
        write = schema.forms[max(schema.forms)].write
        self.spool.append([Entry(one, write(result(f"{one}.png", one))) for one in numbers])

    def says(self, *versions: int) -> None:
        """What the control plane takes, as the agent has heard it."""
        self.taken.with_suffix(".new").write_bytes(msgspec.json.encode(versions))
        self.taken.with_suffix(".new").replace(self.taken)

    def sink(self, name: str = MQTT) -> SinkState:
        assert self._delivery
        return self._delivery.sinks()[name]

    def arrived(self, count: int) -> list[int]:
        """The versions in which so many results came, in their order."""
        eventually(lambda: len(self.listener.on(OWN)) >= count and self.sink().delivered >= count)
        assert [msgspec.json.decode(one)["sequence"] for one in self.listener.on(OWN)] == list(range(1, count + 1))
        return [RESULTS.version_of(one) or 0 for one in self.listener.on(OWN)]

    def on_mine(self, count: int) -> list[Result]:
        """So many results as somebody reads them who listens to a topic of their own."""
        eventually(lambda: len(self.listener.on(MINE)) >= count)
        return [RESULTS.forms[1].read(one) for one in self.listener.on(MINE)]

    def read(self, schema: Schema[Result]) -> list[Result]:
        """What a control plane makes of them."""
        service = ResultsService(self.core, schema)
        for payload in self.listener.on(OWN):
            service.receive("cam-1", payload)
        assert service.refused() == {}
        return [stored.result for stored in service.page(0, "cam-1", 100).results]

    def end(self) -> None:
        """The runtime ends."""
        if self._delivery:
            self._delivery.stop()
            self._delivery = None


@pytest.fixture
def meeting(tmp_path: Path) -> Iterator[Meeting]:
    core = make_core(tmp_path / "control-plane")
    found = Meeting(tmp_path, core)
    yield found
    found.end()
    found.listener.close()
    found.broker.kill()
    found.spool.close()
    core.database.close()


SAME = [result(f"{one}.png", one) for one in (1, 2, 3)]


def test_a_new_device_speaks_the_version_of_an_older_control_plane_that_says_nothing(meeting: Meeting) -> None:
    meeting.decide(NEW, 1, 2, 3)
    meeting.device(NEW)
    assert meeting.arrived(3) == [1, 1, 1]
    assert meeting.read(OLD) == SAME


def test_what_users_listen_to_stays_what_it_was_when_device_and_control_plane_agree_on_more(meeting: Meeting) -> None:
    meeting.says(1, 2)
    meeting.decide(NEW, 1, 2, 3)
    meeting.device(NEW)
    assert meeting.arrived(3) == [2, 2, 2]
    assert meeting.on_mine(3) == SAME


def test_a_device_that_was_off_for_a_month_is_read_by_a_newer_control_plane(meeting: Meeting) -> None:
    meeting.says(1, 2)
    meeting.decide(OLD, 1, 2, 3)
    meeting.device(OLD)
    assert meeting.arrived(3) == [1, 1, 1]
    assert meeting.read(NEW) == SAME


def test_both_speak_the_newer_one_as_soon_as_the_control_plane_takes_it(meeting: Meeting) -> None:
    meeting.says(1)
    meeting.device(NEW)
    meeting.decide(NEW, 1)
    assert meeting.arrived(1) == [1]
    meeting.says(1, 2)
    meeting.decide(NEW, 2, 3)
    assert meeting.arrived(3) == [1, 2, 2]
    assert meeting.read(NEW) == SAME


@pytest.mark.parametrize(
    ("device", "first", "then", "version"),
    [(OLD, (2, 3), (1, 2), 1), (LATER, (1,), (1, 2), 2)],
    ids=["an old device", "an old control plane"],
)
def test_with_none_in_common_results_wait_with_an_alarm_until_versions_meet(
    meeting: Meeting, device: Schema[Result], first: tuple[int, ...], then: tuple[int, ...], version: int
) -> None:
    meeting.says(*first)
    meeting.decide(device, 1, 2)
    meeting.device(device)
    eventually(lambda: meeting.sink().error)
    meeting.end()
    meeting.device(device)  # they wait over restarts
    eventually(lambda: meeting.sink().error)
    meeting.decide(device, 3)
    state = meeting.sink()
    told = SinkStatus(trouble=state.trouble, since=state.since, error=state.error)
    (alarm,) = alarms.alarms_of(Status(sinks={"mqtt": told}), 0.0)
    assert (alarm.subject, alarm.code) == ("sink mqtt", "result.no_common_version")
    assert f"takes version {said(first)}" in alarm.message
    assert "Upgrade the older of the two" in alarm.next
    assert (meeting.listener.on(OWN), len(meeting.spool)) == ([], 3)
    meeting.says(*then)
    assert meeting.arrived(3) == [version] * 3
    assert meeting.read(NEW) == SAME
    eventually(lambda: meeting.sink().error is None and not meeting.sink().trouble)


@pytest.mark.parametrize("device", [OLD, NEW], ids=["an old device", "a new one"])
def test_while_no_version_is_in_common_a_users_own_topic_hears_each_result_once(
    meeting: Meeting, device: Schema[Result]
) -> None:
    """A controller on the line listens there, and knows nothing of control planes."""
    meeting.says(3)
    meeting.decide(device, 1, 2)
    meeting.device(device)
    assert meeting.on_mine(2) == SAME[:2]
    eventually(lambda: meeting.sink().error)
    meeting.decide(device, 3)
    assert meeting.on_mine(3) == SAME
    eventually(lambda: meeting.sink(MQTT_TOPICS).delivered == 3)
    assert (meeting.sink(MQTT_TOPICS).trouble, meeting.listener.on(OWN)) == ("", [])
    meeting.end()
    meeting.device(device)  # what it has heard is remembered over a restart
    meeting.says(1)
    assert meeting.arrived(3) == [1] * 3
    meeting.listener.drain()
    assert meeting.on_mine(3) == SAME
