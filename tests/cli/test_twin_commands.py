"""`lineside twin` and `models retest` against a canned control plane; the twins themselves: tests/e2e/test_twins.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lineside.cli.app import run
from lineside.cli.twin_house import end, find_profile, holder_of, holding
from lineside.contract.errors import LinesideError
from lineside.contract.ids import canonical, digest_of
from lineside.contract.twin import PROFILES, Profile, TwinState, TwinTest
from tests.cli import values
from tests.cli.control_plane import canned
from tests.twin_reports import twin_report


def test_a_report_is_drawn_with_each_number_and_its_limit(capsys: pytest.CaptureFixture[str]) -> None:
    report = canonical(twin_report(model="metal-tags:1", digest="sha256:1", rollout="rollout-1", recipes={}))
    test = TwinTest(
        id="twin-test-1",
        model="metal-tags:1",
        state=TwinState.PASSED,
        twins=("twin-1",),
        rollout="rollout-1",
        created_at=values.AT,
        report=digest_of(report),
    )
    with canned() as plane:
        plane.answers |= {"GET /models/metal-tags/1/twin-test": test, f"GET /blobs/{digest_of(report)}": report}
        assert run(["twin", "show", "metal-tags:1", "--url", plane.url]) == 0
        drawn = capsys.readouterr().out
        assert "latency p95 of tags.inference" in drawn
        assert "500 ms" in drawn
        assert "generic-x86" in drawn
        assert run(["twin", "show", "metal-tags:1", "--json", "--url", plane.url]) == 0
        shown = msgspec.json.decode(capsys.readouterr().out)
        assert shown["report"]["twins"][0]["checks"][3]["limit"] == 500.0


def test_a_retest_carries_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with canned() as plane:
        plane.answers["POST /models/metal-tags/1/retest"] = values.MODEL
        words = ["models", "retest", "metal-tags:1", "--reason", "new limits", "--url", plane.url]
        assert run(words) == 0
        assert plane.asked[-1].body == {"reason": "new limits"}


def test_profiles_are_listed_and_one_of_them_is_a_file_to_begin_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["twin", "profiles", "--json"]) == 0
    listed = msgspec.json.decode(capsys.readouterr().out, type=list[Profile])
    assert {one.name for one in listed} == PROFILES.keys()
    file = tmp_path / "mine.json"
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(listed[0], name="mine")))
    assert find_profile(str(file)).name == "mine"
    with pytest.raises(LinesideError, match="no profile named nowhere"):
        find_profile("nowhere")


def test_a_folder_is_run_by_one_and_stopping_ends_that_one(tmp_path: Path) -> None:
    assert end(tmp_path) is None
    with holding(tmp_path):
        assert holder_of(tmp_path) == os.getpid()
        with pytest.raises(LinesideError, match=f"process {os.getpid()}"), holding(tmp_path):
            pass
    assert holder_of(tmp_path) is None
    program = "import sys, time; from pathlib import Path; from lineside.cli.twin_house import holding\n"
    program += "with holding(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(1000)"
    other = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    assert end(tmp_path) == other.pid
    assert other.wait() != 0
    other.stdout.close()


def test_twins_without_a_control_plane_are_refused_with_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["twin", "start", "--profile", "generic-x86", "--folder", str(tmp_path), "--url", "http://127.0.0.1:9"]
    assert run(words) == 1
    assert "lineside up" in capsys.readouterr().err
    assert holder_of(tmp_path) is None
