"""Telemetry of the line: one message a while, which merge; what cannot be sent waits, and never for ever."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lineside.contract.telemetry import Telemetry, point_of
from lineside.runtime.accounting import Ledger
from lineside.runtime.machine import MachineReader
from lineside.runtime.telemetry import WAITING_AT_MOST, Meter, Teller
from tests.eventually import eventually


def counting(*sources: str) -> tuple[Ledger, Meter]:
    ledger = Ledger(sources)
    return ledger, Meter(lambda: {name: ledger.of(name) for name in sources})


def decide(ledger: Ledger, meter: Meter, source: str, times: int, latency_ms: float) -> None:
    for _ in range(times):
        ledger.arrived(source)
        ledger.decided(source)
        meter.decided(source, latency_ms, 2.0)


def test_a_message_is_about_what_happened_since_the_one_before() -> None:
    ledger, meter = counting("cam", "inbox")
    decide(ledger, meter, "cam", 90, 10.0)
    decide(ledger, meter, "cam", 10, 200.0)
    for _ in range(3):
        ledger.arrived("cam")
    meter.look()  # three wait
    for _ in range(3):
        ledger.skipped("cam", "superseded")
    first = meter.take()
    assert (first["cam"].decided, first["cam"].skipped, first["cam"].waiting) == (100, {"superseded": 3}, 3)
    assert sum(first["cam"].latency.values()) == 100
    assert first["inbox"].decided == 0
    decide(ledger, meter, "cam", 5, 10.0)
    second = meter.take()
    assert (second["cam"].decided, second["cam"].skipped, second["cam"].waiting) == (5, {}, 0)


def test_two_messages_merge_into_what_one_would_have_said() -> None:
    def told(parts: list[tuple[int, float]]) -> list[Telemetry]:
        ledger, meter = counting("cam")
        found = []
        for number, (times, latency) in enumerate(parts):
            decide(ledger, meter, "cam", times, latency)
            found.append(Telemetry(device="d", at=f"2026-01-01T00:0{number}:00Z", seconds=60.0, sources=meter.take()))
        return found

    one, two = told([(80, 10.0), (20, 300.0)])
    point = point_of(one.merged(two))
    assert (point.decided, point.seconds, point.at) == (100, 120.0, two.at)
    assert point.fps == pytest.approx(100 / 120, abs=0.001)
    assert point.latency_p50_ms == pytest.approx(10, rel=0.2)
    assert point.latency_p95_ms == pytest.approx(300, rel=0.2)


def test_a_message_stays_small_however_many_frames_there_were() -> None:
    ledger, meter = counting("cam-1", "cam-2", "cam-3", "cam-4")
    for latency in range(1, 2000):
        for source in ("cam-1", "cam-2", "cam-3", "cam-4"):
            decide(ledger, meter, source, 1, float(latency))
    told = Telemetry(device="d", at="2026-01-01T00:00:00Z", seconds=60.0, sources=meter.take())
    assert len(msgspec.json.encode(told)) < 4096


def test_what_cannot_be_sent_waits_and_the_oldest_of_too_many_is_dropped() -> None:
    ledger, meter = counting("cam")
    sent: list[Telemetry] = []
    away = True

    def say(payload: bytes) -> bool:
        if not away:
            sent.append(msgspec.json.decode(payload, type=Telemetry))
        return not away

    teller = Teller(meter, say, device="cam-1", component="tags.inference", every=0.002)
    teller.start()
    decide(ledger, meter, "cam", 3, 5.0)
    eventually(lambda: teller._number > WAITING_AT_MOST + 5)
    away = False
    eventually(lambda: sent)
    teller.stop()
    numbers = [one.number for one in sent]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert numbers[0] > 1
    assert len({one.process for one in sent}) == 1
    assert (sent[0].device, sent[0].component) == ("cam-1", "tags.inference")
    assert sent[0].machine.memory_mb > 1


def test_it_ends_with_what_is_not_a_minute_yet() -> None:
    ledger, meter = counting("cam")
    sent: list[Telemetry] = []
    teller = Teller(
        meter, lambda payload: sent.append(msgspec.json.decode(payload, type=Telemetry)) or True, device="d"
    )
    teller.start()
    decide(ledger, meter, "cam", 7, 5.0)
    teller.stop()
    assert [one.sources["cam"].decided for one in sent] == [7]


def test_the_machine_is_read_where_it_tells_and_left_out_where_it_does_not(tmp_path: Path) -> None:
    assert MachineReader(tmp_path).read().temperature_celsius is None
    assert MachineReader(tmp_path).read().throttled_percent is None
    for name, text in {
        "sys/class/thermal/thermal_zone0/temp": "41000\n",
        "sys/class/thermal/thermal_zone1/temp": "73500\n",
        "sys/class/thermal/thermal_zone2/temp": "999999\n",  # a sensor that is broken
        "sys/class/thermal/thermal_zone3/temp": "what\n",
        "sys/class/thermal/thermal_zone4/temp": "--5\n",
        "sys/class/thermal/thermal_zone5/temp": "²\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50004\n",
        "proc/self/statm": "20000 5000 300 1 0 900 0\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = MachineReader(tmp_path).read()
    assert found.temperature_celsius == 73.5
    assert found.throttled_percent == 100.0
    assert found.memory_mb == pytest.approx(20.5, abs=0.1)
    core = tmp_path / "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_total_time_ms"
    core.parent.mkdir(parents=True)
    core.write_text("1000\n")
    reader = MachineReader(tmp_path)
    core.write_text("999999999\n")
    assert reader.read().throttled_percent == 100.0
    assert reader.read().throttled_percent == 0.0
    core.write_text("5\n")  # it was taken out and put in again
    assert reader.read().throttled_percent == 0.0
