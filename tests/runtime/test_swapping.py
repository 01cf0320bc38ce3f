"""A runtime that swaps its model as it runs: told by the agent's file, probed as the agent does, killed in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineside.contract.model import PREVIOUS_ABOUT, PREVIOUS_FILE
from tests.runtime.conftest import encoded, squares
from tests.runtime.models.making import forgetful, versioned
from tests.runtime.test_run import Device, one_meaning_a_number, put


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    root = tmp_path_factory.mktemp("versions")
    made = {1: versioned(root / "1", 1), 2: versioned(root / "2", 2), 3: forgetful(root / "3", 3)}
    signature = json.loads((made[2] / "signature.json").read_text())  # version 2 brings the one before, blind
    about = {"name": "bright", "version": 1, "signature": {**signature, "score_threshold": 2.0}}
    about["digest"] = json.loads((made[1] / "model.json").read_text())["digest"]
    (made[2] / PREVIOUS_FILE).write_bytes((made[1] / "model.onnx").read_bytes())
    (made[2] / PREVIOUS_ABOUT).write_text(json.dumps(about))
    return made


@pytest.fixture
def device(tmp_path: Path, folders: dict[int, Path]) -> Iterator[Device]:
    made = Device(tmp_path / "device", folders[1])
    made.environment["LINESIDE_MODEL"] = "bright"
    made.environment["LINESIDE_FOLLOWED"] = str(made.work / "followed.json")
    made.work.mkdir()
    yield made
    if made.process and made.process.poll() is None:
        made.stop(signal.SIGKILL)


def name(device: Device, folder: Path) -> None:
    """What the agent does when another version is wanted."""
    unfinished = device.work / "followed.tmp"
    unfinished.write_text(json.dumps({"bright.model": str(folder)}))
    unfinished.rename(device.work / "followed.json")


def probed(device: Device) -> tuple[int, dict[str, Any]]:
    arguments = [sys.executable, "-m", "lineside.runtime", "probe", "--work", str(device.work)]
    environment = {**os.environ, **device.environment, "LINESIDE_SETTLING": "1"}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, json.loads(done.stdout)


def images(device: Device, first: int, count: int) -> None:
    for number in range(first, first + count):
        put(device.inbox, f"{number}.png", encoded(squares((24, 40))), age=600 - number)


def versions(device: Device) -> dict[str, set[int]]:
    """Which versions decided about each image; each version speaks for itself."""
    found: dict[str, set[int]] = {}
    for result in device.results():
        assert [one.label for one in result.detections] == [f"v{result.version}"]
        found.setdefault(result.image, set()).add(result.version)
    return found


def test_the_agent_names_another_version_and_the_process_goes_on(device: Device, folders: dict[int, Path]) -> None:
    device.configuration["compare_every"] = 1
    name(device, folders[1])
    device.start()
    images(device, 0, 3)
    device.until(lambda status: status.published == 3)
    name(device, folders[2])
    code, said = probed(device)  # waits for the swap
    assert (code, said["version"], said["golden"]) == (0, 2, "matched")
    images(device, 3, 40)
    device.until(lambda status: status.published == 43)
    assert device.stop() == 0
    assert versions(device) == {f"{number}.png": {1 if number < 3 else 2} for number in range(43)}
    assert sorted(one.sequence for one in device.results()) == list(range(1, 44))
    assert any(one.compared and one.compared.only_new for one in device.results() if one.version == 2)
    assert [event["event"] for event in device.events()].count("runtime.ready") == 1


def test_one_that_is_refused_fails_the_probe_and_going_back_heals_it(device: Device, folders: dict[int, Path]) -> None:
    name(device, folders[1])
    device.start()
    device.ready()
    name(device, folders[3])
    code, said = probed(device)
    assert (code, said["golden"], said["error"]["code"]) == (2, "mismatched", "golden.mismatched")
    (alarm,) = device.until(lambda status: bool(status.alarms)).alarms
    assert (alarm.subject, alarm.code) == ("model bright.model", "golden.mismatched")
    assert str(folders[3]) in alarm.message
    images(device, 0, 2)
    device.until(lambda status: status.published == 2)
    name(device, folders[1])
    code, said = probed(device)
    assert (code, said["version"], said["error"], said["alarms"]) == (0, 1, None, [])
    assert device.stop() == 0
    assert set(versions(device)) == {"0.png", "1.png"}


def test_killed_in_the_middle_of_a_swap_every_image_is_decided_once(device: Device, folders: dict[int, Path]) -> None:
    name(device, folders[1])
    device.start()
    images(device, 0, 30)
    device.until(lambda status: status.decided >= 1)
    name(device, folders[2])
    device.stop(signal.SIGKILL)
    device.model = folders[2]  # what the agent starts it with from now on
    device.start()
    images(device, 30, 5)
    device.until(lambda status: status.waiting == 0 and len(one_meaning_a_number(device.results())) == 35)
    assert device.stop() == 0
    results = one_meaning_a_number(device.results())
    assert sorted(results) == list(range(1, 36))
    assert sorted(one.image for one in results.values()) == sorted(f"{number}.png" for number in range(35))
    assert all(len(each) == 1 for each in versions(device).values())


def test_a_shadow_looks_on_and_its_disagreements_are_captured(device: Device, folders: dict[int, Path]) -> None:
    blind = versioned(device.root / "blind", 2, golden=False, score_threshold=2.0)
    device.configuration["shadow"] = {"model": str(blind), "share": 1.0, "cpu": 1.0}
    device.configuration["capture"] = {"random": 0.0, "uncertain": None}
    device.start()
    device.until(lambda status: status.shadow is not None and status.shadow.state.value == "looking")
    images(device, 0, 12)
    shadow = device.until(lambda s: s.published == 12 and s.shadow is not None and s.shadow.kept > 0).shadow
    assert device.stop() == 0
    assert shadow is not None
    assert (shadow.version, shadow.agreed, shadow.only_new) == (2, 0, 0)
    assert shadow.sampled == 12
    records = [json.loads(path.read_text()) for path in device.captures.glob("*.json")]
    assert {record["strategy"] for record in records} == {"shadow"}
    decided = {result.sequence: result for result in device.results()}
    assert all(decided[record["result"]["sequence"]].image == record["result"]["image"] for record in records)
    assert {result.version for result in decided.values()} == {1}
