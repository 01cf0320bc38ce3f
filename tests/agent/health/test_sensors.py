"""What the kernel says about a machine, from files as kernels write them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lineside.agent import machine
from lineside.agent.facts import OwnUsage, device_facts
from lineside.agent.health import sensors
from lineside.agent.health.conditions import Conditions
from lineside.agent.health.watch import look_at_memory, look_at_temperature


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")


def test_the_hottest_believable_sensor_comes_first(tmp_path: Path) -> None:
    chip = "sys/class/hwmon/hwmon0"
    write(
        tmp_path,
        {
            f"{chip}/name": "coretemp",
            f"{chip}/temp1_input": "51000",
            f"{chip}/temp1_label": "Package",
            f"{chip}/temp1_crit": "100000",
            f"{chip}/temp2_input": "-273000",
            f"{chip}/temp3_input": "broken",
            "sys/class/hwmon/hwmon1/temp1_input": "63500",
        },
    )
    found = sensors.temperatures(tmp_path)
    assert found[0] == sensors.Temperature("hwmon1", 63.5)
    assert found[1] == sensors.Temperature("coretemp Package", 51.0, 100.0)
    assert len(found) == 2


def test_thermal_zones_serve_where_there_is_no_hwmon(tmp_path: Path) -> None:
    zone = "sys/class/thermal/thermal_zone0"
    files = {"type": "cpu-thermal", "temp": "47236", "trip_point_0_type": "critical", "trip_point_0_temp": "110000"}
    write(tmp_path, {f"{zone}/{name}": text for name, text in files.items()})
    assert sensors.temperatures(tmp_path) == [sensors.Temperature("cpu-thermal", 47.236, 110.0)]


def test_a_machine_without_sensors_has_none(tmp_path: Path) -> None:
    assert sensors.temperatures(tmp_path) == []
    assert sensors.memory(tmp_path) == (0, 0)
    assert sensors.interface(tmp_path) is None
    assert sensors.link_kind(None) == "none"


@pytest.mark.parametrize(
    ("name", "files", "kind"),
    [
        ("wlan0", {"wireless/x": ""}, "wifi"),
        ("wwan0", {}, "cellular"),
        ("eth0", {"type": "1"}, "ethernet"),
        ("tun0", {}, "other"),
    ],
)
def test_the_kind_of_the_link_is_that_of_the_default_route(
    tmp_path: Path, name: str, files: dict[str, str], kind: str
) -> None:
    head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
    rows = [
        "lo\t0000007F\t0\t1\t0\t0\t0\t000000FF\t0\t0\t0",
        f"{name}\t00000000\t0100A8C0\t3\t0\t0\t0\t00000000\t0\t0\t0",
    ]
    write(tmp_path, {"proc/net/route": "\n".join([head, *rows])})
    write(tmp_path, {f"sys/class/net/{name}/{file}": text for file, text in files.items()})
    assert sensors.interface(tmp_path) == name
    assert sensors.link_kind(name, tmp_path) == kind


def test_the_machine_says_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    assert (machine.accelerators(tmp_path), machine.model(tmp_path), machine.time_zone(tmp_path)) == ({}, "", "")
    write(tmp_path, {"dev/hailo0": "", "dev/nvidia0": "", "dev/nvidia1": "", "dev/nvidiactl": "", "dev/apex_0": ""})
    write(tmp_path, {"proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0", "etc/timezone": "Europe/Berlin\n"})
    assert machine.accelerators(tmp_path) == {"nvidia": 2, "hailo": 1, "coral": 1}
    assert machine.model(tmp_path) == "Raspberry Pi 4 Model B Rev 1.4"
    assert machine.time_zone(tmp_path) == "Europe/Berlin"
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/America/Argentina/Salta")
    assert machine.time_zone(tmp_path) == "America/Argentina/Salta"


def test_facts_are_small_and_say_what_is_known(tmp_path: Path) -> None:
    facts = device_facts(tmp_path) | OwnUsage().facts()
    assert {
        "os",
        "architecture",
        "cores",
        "memory_bytes",
        "disk_free_bytes",
        "load",
        "uptime_seconds",
        "boot_id",
    } <= set(facts)
    assert facts["memory_bytes"] > facts["memory_available_bytes"] > 0
    assert facts["agent_memory_bytes"] > 1 << 20
    assert len(msgspec.json.encode(facts)) < 1024


def test_little_memory_is_a_condition_until_there_is_more(tmp_path: Path) -> None:
    conditions = Conditions()

    def left(kilobytes: int) -> list[str]:
        write(tmp_path, {"proc/meminfo": f"MemTotal: 1000000 kB\nMemAvailable: {kilobytes} kB"})
        look_at_memory(conditions, tmp_path)
        return [one.code for one in conditions.current()]

    assert left(200_000) == []
    assert left(40_000) == ["device.memory_low"]
    assert left(80_000) == ["device.memory_low"]  # not back and forth at the edge
    assert left(120_000) == []


def test_heat_is_a_condition_until_it_is_cooler(tmp_path: Path) -> None:
    conditions = Conditions()

    def at(celsius: int) -> list[str]:
        write(
            tmp_path,
            {"sys/class/hwmon/hwmon0/temp1_input": f"{celsius}000", "sys/class/hwmon/hwmon0/temp1_crit": "100000"},
        )
        look_at_temperature(conditions, tmp_path)
        return [one.code for one in conditions.current()]

    assert at(80) == []
    assert at(96) == ["device.too_hot"]
    assert at(90) == ["device.too_hot"]
    assert at(84) == []
