"""`status`: a run's word on its captures, for people and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lineside.runtime.captures.counts import CaptureStatus, RequestStatus
from lineside.runtime.captures.settings import ClassSettings
from lineside.runtime.main import main
from lineside.runtime.status import RuntimeState, Status, StatusFile
from tests.runtime.captures.worlds import Device, found, image


def test_it_says_what_each_strategy_kept_and_what_was_refused_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = Device(tmp_path, strategies=(ClassSettings(classes=("dent",), per_hour=2),))
    for number in (1, 1, 2, 3, 4):
        device.offer(image(number), found(0.9, "dent"))
    captures = CaptureStatus(
        requests={"friday": RequestStatus(asked=3, kept=1, state="over", why="Its time was up.")},
        interrupted=1,
        thinned={"class": 5},
        rule=device.store.rule,
    )
    device.tally.into(captures)
    StatusFile(device.work).write(Status(state=RuntimeState.READY, model="tags", version=3, captures=captures))
    assert main(["status", "--work", str(device.work)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "tags 3: ready, and not running any more"
    assert "  class: 5 wanted, 2 kept, 5 thinned; refused: 2 budget, 1 same image" in told
    assert "  request friday: 1 of 3, over. Its time was up." in told
    assert told[-2:] == [
        "  1 interrupted: being written when an earlier process died",
        "last refusal: The budget of class is used up: 2 an hour.",
    ]
    assert main(["status", "--work", str(device.work), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["captures"]["strategies"]["class"]["refused"]["budget"] == 2


def test_without_a_run_it_says_so_and_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--work", str(tmp_path)]) == 2
    said, after = capsys.readouterr().err.splitlines()
    assert said.startswith("runtime.no_status: ")
    assert after.startswith("Next: ")


def test_where_json_was_asked_for_a_refusal_is_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--work", str(tmp_path), "--json"]) == 2
    said = capsys.readouterr()
    assert json.loads(said.out)["error"]["code"] == "runtime.no_status"
    assert said.err == ""
