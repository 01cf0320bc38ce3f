"""`lineside results tail --follow`: goes on where it was, until Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys

import msgspec
import pytest

from lineside.contract.result import ResultPage, StoredResult
from tests.cli import values
from tests.cli.control_plane import CannedControlPlane
from tests.eventually import PATIENCE, eventually


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_following_shows_each_result_once_and_asks_for_what_came_after(
    plane: CannedControlPlane, options: tuple[str, ...]
) -> None:
    command = [sys.executable, "-m", "lineside.cli", "results", "tail", "--follow", "--url", plane.url, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        line = tail.stdout.readline()
        plane.answers["GET /results"] = ResultPage(results=(), total=1)
        eventually(lambda: len(plane.asked) > 1)
        tail.send_signal(signal.SIGINT)
        _, err = tail.communicate(timeout=PATIENCE)
    assert (tail.returncode, err) == (130, "")
    assert plane.asked[1].query["after"] == "5"
    if options:
        assert msgspec.json.decode(line, type=StoredResult) == values.RESULTS.results[0]
    else:
        assert line == "2026-11-21 04:01:03Z  tag-station-1  a[1].jpg_0  scratch 0.87  12 ms\n"
