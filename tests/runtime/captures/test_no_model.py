"""A line without a model collects its first images, in a real process."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lineside.contract.capture import CaptureRecord
from lineside.runtime.captures.counts import RequestStatus
from tests.runtime.conftest import encoded, squares
from tests.runtime.test_run import Device, noise, put


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path / "device", Path("none"))
    yield made
    if made.process and made.process.poll() is None:
        made.stop(signal.SIGKILL)


def test_it_decides_nothing_and_keeps_what_is_asked_for(device: Device) -> None:
    device.configuration["capture"] = {"random": 0.0, "strategies": [{"kind": "interval", "seconds": 3600}]}
    device.work.mkdir(parents=True)
    asked = {"id": "first-images", "count": 2}
    (device.work / "capture-requests.local.json").write_text(json.dumps([asked]))
    for number in range(4):
        put(device.inbox, f"{number}.png", noise(number), age=90 - number)
    put(device.inbox, "same.png", encoded(squares()))
    device.start()
    status = device.until(lambda s: s.published == 5 and s.captured == 3)
    assert (status.model, status.version, status.decided) == ("none", 0, 5)
    assert all(result.detections == () for result in device.results())
    assert status.captures
    assert status.captures.requests == {"first-images": RequestStatus(asked=2, kept=2, state="done")}
    assert {name: one.kept for name, one in status.captures.strategies.items()} == {"requested": 2, "interval": 1}
    assert device.stop() == 0
    records = [msgspec.json.decode(path.read_bytes(), type=CaptureRecord) for path in device.captures.glob("*.json")]
    assert sorted(record.strategy for record in records) == ["interval", "requested", "requested"]
