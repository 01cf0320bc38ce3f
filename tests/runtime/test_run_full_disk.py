"""The runtime as a process on a disk without room: it waits, and goes on when there is some."""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.runtime.files import write_atomic
from tests.eventually import eventually
from tests.runtime.disks import fill, mounted
from tests.runtime.test_run import Device, noise, put


@pytest.fixture
def device(tmp_path: Path, bright_folder: Path) -> Iterator[Device]:
    made = Device(tmp_path / "device", bright_folder)
    with mounted(made.work, megabytes=2):
        yield made
        if made.process and made.process.poll() is None:
            made.stop(signal.SIGKILL)


def complaints(device: Device) -> int:
    """How often it said that the disk failed; it runs all the while."""
    assert device.process is not None
    assert device.process.poll() is None, (device.root / "log").read_text()
    return sum(event["event"] == "disk.failed" for event in device.events())


def unfinished(device: Device) -> list[str]:
    return [path.name for path in device.work.iterdir() if path.name.endswith(".tmp")]


def start_on_a_full_disk(device: Device) -> Path:
    filler = device.work / "filler"
    (device.work / "config.json").write_bytes(bytes(4096))
    fill(filler)
    device.start()
    return filler


def test_a_disk_that_is_full_at_the_start_is_waited_for(device: Device) -> None:
    filler = start_on_a_full_disk(device)
    eventually(lambda: complaints(device) >= 2)  # the status, and the spool
    assert device.status() is None
    filler.unlink()
    put(device.inbox, "a.png", noise(1))
    device.until(lambda status: status.published == 1)
    assert device.stop() == 0
    assert [result.image for result in device.results()] == ["a.png"]


def test_who_waits_for_the_disk_can_be_stopped(device: Device) -> None:
    start_on_a_full_disk(device)
    eventually(lambda: complaints(device) >= 2)
    assert device.stop() == 0
    assert device.events()[-1]["event"] == "runtime.stopped"
    assert unfinished(device) == []


def test_a_disk_that_fills_up_ends_nothing_and_loses_nothing(device: Device) -> None:
    device.start()
    device.ready()
    fill(device.work / "filler")
    for number in range(5):
        put(device.inbox, f"{number}.png", noise(number), age=60 - number)
    eventually(lambda: complaints(device))
    fill(device.work / "more")  # what a status file that could not be replaced has left
    assert unfinished(device) == []
    (device.work / "filler").unlink()
    (device.work / "more").unlink()
    device.until(lambda status: status.published == 5)
    assert device.stop() == 0
    assert [result.image for result in device.results()] == [f"{number}.png" for number in range(5)]


def test_a_stop_on_a_full_disk_is_a_stop(device: Device) -> None:
    device.start()
    device.ready()
    fill(device.work / "filler")
    put(device.inbox, "a.png", noise(1))
    eventually(lambda: complaints(device))
    assert device.stop() == 0
    assert unfinished(device) == []
    (device.work / "filler").unlink()
    device.start()
    device.until(lambda status: status.published == 1)
    assert device.stop() == 0
    assert [result.image for result in device.results()] == ["a.png"]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as place:
        write_atomic(place / "a", b"before")
        with pytest.raises(OSError, match="No space") as caught:
            write_atomic(place / "a", bytes(2 << 20))
        assert caught.value.errno == errno.ENOSPC
        assert [path.name for path in place.iterdir()] == ["a"]
        assert (place / "a").read_bytes() == b"before"
