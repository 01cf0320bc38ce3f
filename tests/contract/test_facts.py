"""Facts that select stay as they are until something worth knowing has changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.facts import selectable

SAID = {
    "os": "linux",
    "architecture": "aarch64",
    "cores": 4,
    "memory_bytes": 3_980_000_000,
    "memory_available_bytes": 1,
    "disk_free_bytes": 12_345_678_901,
    "agent": "0.5.0",
    "link": "wifi",
    "load": 0.4,
    "model": "Raspberry Pi 4\0",
    "accelerators": {"hailo": 1, "nvidia": 2, "Not A Kind": 1},
}


def test_what_selects_has_fixed_names() -> None:
    assert selectable(SAID) == {
        "accelerator.hailo": "1",
        "accelerator.nvidia": "2",
        "accelerators": "3",
        "agent_version": "0.5.0",
        "arch": "aarch64",
        "cpus": "4",
        "disk_free_mb": "12000",
        "link": "wifi",
        "memory_mb": "3980",
        "model": "Raspberry Pi 4",
        "os": "linux",
    }


def test_what_is_not_said_stays_and_an_accelerator_may_go() -> None:
    before = selectable(SAID)
    assert selectable({"load": 2.0}, before) == before
    after = selectable({"accelerators": {}}, before)
    assert before.keys() - after.keys() == {"accelerator.hailo", "accelerator.nvidia"}
    assert after["accelerators"] == "0"


@given(st.integers(1, 10**13), st.floats(-0.04, 0.04))
def test_free_disk_does_not_flicker(free: int, drift: float) -> None:
    before = selectable({"disk_free_bytes": free * 1_000})
    if int(before.get("disk_free_mb", "0")) < 100:
        return
    told = int(before["disk_free_mb"]) * 1_000_000
    assert selectable({"disk_free_bytes": int(told * (1 + drift))}, before) == before
    assert selectable({"disk_free_bytes": int(told * 1.3)}, before) != before
