"""`lineside up` around a stand-in control plane: a real process that says it is ready and ends when told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.eventually import PATIENCE, eventually

STAND_IN = """
import os, pathlib, signal, sys
root = pathlib.Path(sys.argv[1])
def end(number, frame):
    (root / "told").write_text(str(number))
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
(root / "server.json").write_text('{"pid": %d, "people_url": "http://127.0.0.1:8400", '
    '"device_url": "https://127.0.0.1:8443", "mqtt_port": 8883, "ca_sha256": "ff"}' % os.getpid())
print("without a worker", flush=True)
print("ready http://127.0.0.1:8400", flush=True)
while True:
    signal.pause()
"""
REFUSING = "import sys; sys.stderr.write('Port 8400 is in use.\\nChoose another.\\n'); sys.exit(1)"
UP = """
import pathlib, sys, typer
from lineside.cli.output import Output
from lineside.cli.up import stay_with
root = pathlib.Path(sys.argv[1])
out = Output("--json" in sys.argv)
try:
    with out.explaining():
        sys.exit(stay_with([sys.executable, str(root / "stand_in.py"), str(root)], root, out))
except typer.Exit as end:
    sys.exit(end.exit_code)
"""


def _up(root: Path, *options: str, stand_in: str = STAND_IN) -> subprocess.Popen[str]:
    (root / "stand_in.py").write_text(stand_in)
    return subprocess.Popen(
        [sys.executable, "-c", UP, str(root), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_the_address_hands_on_the_signal_and_ends_as_the_control_plane_did(
    tmp_path: Path, number: signal.Signals
) -> None:
    with _up(tmp_path) as up:
        assert up.stdout is not None
        assert up.stdout.readline() == "Lineside is up: http://127.0.0.1:8400\n"
        up.send_signal(number)
        assert up.stderr is not None
        assert "Ctrl-C ends it." in up.stdout.read()
        assert up.stderr.read() == "without a worker\n"
    assert up.returncode == 7
    assert (tmp_path / "told").read_text() == str(number.value)


def test_json_is_one_document(tmp_path: Path) -> None:
    with _up(tmp_path, "--json") as up:
        assert up.stdout is not None
        assert '"people_url":"http://127.0.0.1:8400"' in up.stdout.readline()
        up.terminate()
        assert up.stdout.read() == ""


def test_the_first_admins_link_is_printed_until_it_was_used(tmp_path: Path) -> None:
    link = "http://127.0.0.1:8400/welcome?token=" + "x" * 100
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "first.link").write_text(link + "\n")
    with _up(tmp_path) as up:
        assert up.stdout is not None
        up.stdout.readline()
        up.terminate()
        assert f"  first admin  {link}\n" in up.stdout.read()
    with _up(tmp_path, "--json") as up:
        assert up.stdout is not None
        assert msgspec.json.decode(up.stdout.readline())["first_link"] == link
        up.terminate()
    (tmp_path / "keys" / "first.link").unlink()
    with _up(tmp_path) as up:
        assert up.stdout is not None
        up.stdout.readline()
        up.terminate()
        assert "first admin" not in up.stdout.read()


def test_killed_it_takes_the_control_plane_along(tmp_path: Path) -> None:
    with _up(tmp_path) as up:
        assert up.stdout is not None
        up.stdout.readline()
        os.kill(up.pid, signal.SIGKILL)
        eventually(lambda: (tmp_path / "told").exists())


def test_a_control_plane_that_refuses_speaks_for_itself(tmp_path: Path) -> None:
    with _up(tmp_path, stand_in=REFUSING) as up:
        out, err = up.communicate(timeout=PATIENCE)
    assert (up.returncode, out, err) == (1, "", "Port 8400 is in use.\nChoose another.\n")


def test_a_control_plane_that_refuses_is_one_document_with_json(tmp_path: Path) -> None:
    with _up(tmp_path, "--json", stand_in=REFUSING) as up:
        out, err = up.communicate(timeout=PATIENCE)
    error = msgspec.json.decode(out)["error"]
    assert (up.returncode, err) == (1, "")
    assert (error["code"], error["message"], error["next"]) == (
        "start.failed",
        "Port 8400 is in use.",
        "Choose another.",
    )
