"""Capture records as JSON lines: in the order of arrival, over pages, by the same filters, through the command."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from lineside.cli.app import run
from lineside.client import Client
from lineside.contract.capture import CaptureRecord
from lineside.contract.errors import LinesideError
from lineside.server.captures import records
from lineside.server.captures.service import CapturesService
from lineside.server.testing import FakeClock, Running
from tests.server.captures.test_captures import IMAGE, record


@pytest.fixture
def plane(lineside: Running, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Running:
    """With seven captures, of which three go into one page."""
    captures = CapturesService(lineside.core)
    for n in range(7):
        device, data = f"cam-{n % 2}", IMAGE + bytes([n])
        ticket = captures.announce(
            device, record(device, data, id=f"c{n}", request="friday" if n > 3 else msgspec.UNSET)
        )
        captures.upload(device, ticket.id, [data])
        clock.advance(1)
    captures.announce("cam-0", record("cam-0", b"never sent", id="c9"))
    monkeypatch.setattr(records, "_AT_ONCE", 3)
    return lineside


def test_each_line_is_a_record_as_its_device_made_it(plane: Running) -> None:
    client = Client(plane.people_url)
    lines = b"".join(client.export_captures()).splitlines()
    assert lines == [msgspec.json.encode(client.capture(f"c{n}").record) for n in range(6, -1, -1)]
    assert {msgspec.json.decode(line, type=CaptureRecord).schema for line in lines} == {"lineside.capture/1"}
    assert [json.loads(line)["id"] for line in b"".join(client.export_captures(device="cam-1")).splitlines()] == [
        "c5",
        "c3",
        "c1",
    ]
    assert b"".join(client.export_captures(strategy="drift")) == b""
    with pytest.raises(LinesideError, match=r"^request\.invalid"):
        b"".join(client.export_captures(since="yesterday"))


def test_the_command_writes_a_file(plane: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "captures.jsonl"
    words = ["captures", "export", "--request", "friday", "--url", plane.people_url]
    assert run([*words, "-o", str(target), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(target), "records": 3}
    assert [json.loads(line)["request"] for line in target.read_text().splitlines()] == ["friday"] * 3
