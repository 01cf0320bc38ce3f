"""Drift for people: over the API, on pages and by commands; alarms are answered, streams are re-based."""

from __future__ import annotations

import json
import urllib.request

import pytest

from lineside.cli.app import run
from lineside.client import Client
from lineside.contract.drift_alarm import AlarmState, DriftScope
from lineside.contract.errors import RemoteError
from lineside.server.testing import FakeClock, Running
from tests.server.drift.telling import DRIFTED, a_device, drifted, payload, window


@pytest.fixture
def client(lineside: Running, clock: FakeClock) -> Client:
    clock.advance(30 * 86_400)
    drifted(lineside.core)
    return Client(lineside.people_url)


def page(lineside: Running, where: str) -> str:
    with urllib.request.urlopen(lineside.people_url + where) as answer:
        return str(answer.read().decode())


def test_an_alarm_is_acknowledged_muted_and_heard_of_again(client: Client, clock: FakeClock) -> None:
    (raised,) = client.drift_alarms().alarms
    assert (raised.name, raised.state, set(raised.quantities)) == (DRIFTED, AlarmState.RAISED, {"brightness"})
    seen = client.acknowledge_drift(raised.number, "the lamp broke")
    assert (seen.state, seen.why) == (AlarmState.ACKNOWLEDGED, "the lamp broke")
    assert client.mute_drift(raised.number, 2).state is AlarmState.MUTED
    assert client.drift_alarms(state=AlarmState.MUTED).total == 1
    assert client.drift_alarms(state=AlarmState.ACKNOWLEDGED).total == 0
    assert client.drift_streams(name=DRIFTED).streams[0].muted_until is not None
    clock.advance(3 * 3600)
    assert client.drift_alarm(raised.number).alarm.state is AlarmState.ACKNOWLEDGED
    assert client.mute_drift(raised.number, 2).state is AlarmState.MUTED
    assert client.mute_drift(raised.number, 0).state is AlarmState.ACKNOWLEDGED
    for hours in (-1.0, 1e9):
        with pytest.raises(RemoteError) as caught:
            client.mute_drift(raised.number, hours)
        assert caught.value.code == "request.invalid"
    with pytest.raises(RemoteError) as caught:
        client.acknowledge_drift(99)
    assert caught.value.code == "request.not_found"


def test_a_rebased_stream_is_held_against_its_own_hours_and_its_alarm_is_over(client: Client) -> None:
    (stream,) = client.drift_streams(scope=DriftScope.DEVICE).streams
    assert (stream.baseline, stream.held) == ("tests", {"brightness": -1})
    based = client.rebase_drift(stream.id, "the light is like that now")
    assert (based.baseline, based.alarm, based.held) == ("field", None, {})
    assert based.accepted_by
    (alarm,) = client.drift_alarms(cleared=True).alarms
    assert (alarm.state, alarm.cleared_why) == (AlarmState.CLEARED, "what it shows was made what is usual")
    assert client.drift_alarms().total == 0
    with pytest.raises(RemoteError) as caught:
        client.acknowledge_drift(alarm.number)
    assert caught.value.code == "drift.cleared"


def test_too_few_windows_are_no_week(client: Client, lineside: Running) -> None:
    a_device(lineside.core, "cam-2")
    lineside.apps.services["drift"].take("cam-2", payload(window(lineside.core, "cam-2")))
    (stream,) = client.drift_streams(name="cam-2").streams
    with pytest.raises(RemoteError) as caught:
        client.rebase_drift(stream.id)
    assert caught.value.code == "drift.few_windows"
    assert "1 windows" in caught.value.message


def test_what_is_watched_comes_page_by_page_those_with_an_alarm_first(client: Client, lineside: Running) -> None:
    for number in range(4):
        name = a_device(lineside.core, f"cam-{number}", "line-1" if number % 2 else "line-2")
        lineside.apps.services["drift"].take(name, payload(window(lineside.core, name)))
    names, after = [], ""
    while True:
        page = client.drift_streams(scope=DriftScope.DEVICE, after=after, limit=2)
        names += [one.name for one in page.streams]
        assert page.total == 5
        after = page.next
        if not after:
            break
    assert names == [DRIFTED, "cam-0", "cam-1", "cam-2", "cam-3"]
    assert [one.name for one in client.drift_streams(group="line-1").streams] == ["cam-1", "cam-3"]
    assert {one.name for one in client.drift_streams(scope=DriftScope.GROUP).streams} == {"line-1", "line-2"}


def test_curves_tell_of_each_window(client: Client, clock: FakeClock) -> None:
    (stream,) = client.drift_streams(name=DRIFTED).streams
    found = client.drift_curves(stream.id, days=0.6)
    light = found.curves["brightness"]
    assert 13 <= len(light) <= 15
    assert [one.shift < -one.limit for one in light][-4:] == [True] * 4
    assert not any(one.shift < -one.limit for one in light[:-4])


def test_pages_show_what_is_held_what_may_be_behind_it_and_take_answers(client: Client, lineside: Running) -> None:
    (alarm,) = client.drift_alarms().alarms
    fleet, shown = page(lineside, "/drift"), page(lineside, f"/drift/alarms/{alarm.number}")
    assert DRIFTED in fleet
    assert "No picture of the random sample has been reviewed" in fleet
    assert "darker than is usual at this hour" in shown
    assert "<polyline" in page(lineside, f"/drift/streams/{alarm.stream}")
    assert "<polyline" in page(lineside, f"/devices/{DRIFTED}/drift")
    overview = page(lineside, "/")
    assert f"Drift on {DRIFTED}: brightness" in overview
    assert f"lineside drift show {alarm.number}" in overview
    answer = f"{lineside.people_url}/drift/alarms/{alarm.number}/mute"
    urllib.request.urlopen(urllib.request.Request(answer, b"hours=1&why=%3Cb%3E", method="POST"))
    assert "&lt;b&gt;" in page(lineside, f"/drift/alarms/{alarm.number}")
    assert client.drift_alarms(state=AlarmState.MUTED).total == 1


def test_commands_say_the_same(client: Client, lineside: Running, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str, code: int = 0) -> str:
        assert run(["drift", *words, "--url", lineside.people_url]) == code
        return capsys.readouterr().out

    (alarm,) = json.loads(said("list", "--json"))["alarms"]
    assert (alarm["name"], alarm["state"]) == (DRIFTED, "raised")
    assert "brightness" in said("list")
    assert "darker" in said("show", str(alarm["number"]))
    assert json.loads(said("ack", str(alarm["number"]), "--why", "seen", "--json"))["state"] == "acknowledged"
    assert json.loads(said("mute", str(alarm["number"]), "--hours", "1", "--json"))["state"] == "muted"
    assert alarm["stream"] in said("streams", "--device", DRIFTED, "--json")
    assert "brightness" in said("curves", alarm["stream"])
    assert json.loads(said("field", "--json")) == []
    assert json.loads(said("rebase", alarm["stream"], "--json"))["baseline"] == "field"
    assert json.loads(said("list", "--json"))["total"] == 0
    assert "cleared" in said("list", "--all")
