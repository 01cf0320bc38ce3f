"""Errors of commands: one sentence and the next command, an object with --json, and the exit status."""

from __future__ import annotations

import msgspec
import pytest

from lineside.cli.main import main
from tests.cli.conftest import Command


def test_an_error_of_the_control_plane_in_words(lineside: Command) -> None:
    done = lineside("devices", "show", "nobody")
    assert (done.status, done.out) == (1, "")
    assert done.err.splitlines()[0] == "There is no thing named GET /devices/nobody."
    assert done.err.splitlines()[1].startswith("Next: ")


def test_an_error_of_the_control_plane_as_json(lineside: Command) -> None:
    done = lineside("devices", "show", "nobody", "--json")
    assert (done.status, done.err) == (1, "")
    assert msgspec.json.decode(done.out)["error"]["code"] == "request.not_found"


def test_nobody_answers(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "list", "--url", "http://127.0.0.1:1"]) == 1
    assert capfd.readouterr().err.splitlines() == [
        "No control plane answers at http://127.0.0.1:1.",
        "Next: Start one: lineside up; or name one that runs with --root or --url.",
    ]


@pytest.mark.parametrize(
    "words",
    [
        "models approve metal-tags",
        "models approve metal-tags:x",
        "models reject metal-tags:1",
        "runs start --dataset d --set epochs",
        "deployments create",
        "deployments create --group g",
        "deployments create file.json --group g --model m:1",
        "devices lsit",
        "devices token --uses 0",
        "demo --devices 0",
    ],
)
def test_a_command_line_that_is_not_understood_exits_2(lineside: Command, words: str) -> None:
    done = lineside(*words.split())
    assert done.status == 2
    assert done.out == ""
    assert done.err


def test_a_file_that_is_not_there(lineside: Command) -> None:
    done = lineside("runs", "start", "--dataset", "metal-tags", "--init", "/nowhere/w.onnx")
    assert done.status == 1
    assert "/nowhere/w.onnx cannot be read" in done.err
