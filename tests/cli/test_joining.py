"""`lineside devices accept`, `quarantine`, `revoke`, tokens and preauthorised keys, against a real control plane."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from lineside.cli.app import run
from lineside.contract.device import JoinRequest
from lineside.server.access.room import room as access
from lineside.server.devices.room import room as devices
from lineside.server.testing import Running, running
from lineside.server.testing_device import make_csr, make_key

Command = Callable[..., Any]


@pytest.fixture
def lineside(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "root", None, (access, devices)) as up:
        yield up


@pytest.fixture
def command(
    lineside: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """What `lineside devices …` prints: its JSON, or the words when it has none."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))

    def go(*words: str, status: int = 0) -> Any:
        assert run(["devices", *words, "--url", lineside.people_url]) == status
        said = capsys.readouterr()
        return json.loads(said.out) if "--json" in words and not status else said.out + said.err

    return go


def test_a_device_is_accepted_quarantined_and_revoked(lineside: Running, command: Command) -> None:
    body = msgspec.json.encode(JoinRequest(name="cam-1", csr=make_csr(make_key(), "cam-1")))
    fingerprint = httpx.post(f"{lineside.device_url}/device/v1/join", content=body).json()["fingerprint"]
    (listed,) = command("list", "--json")
    assert (listed["state"], listed["fingerprint"]) == ("pending", fingerprint)
    assert fingerprint[:12] in command("list")
    refused = command("accept", "cam-1", "--fingerprint", "ab" * 32, status=1)
    assert "lineside agent fingerprint" in " ".join(refused.split())
    accepted = command("accept", "cam-1", "--fingerprint", fingerprint, "--group", "line-1", "--json")
    assert (accepted["state"], accepted["groups"]) == ("accepted", ["line-1"])
    assert "quarantined, smoke" in command("quarantine", "cam-1", "--reason", "smoke")
    assert command("revoke", "cam-1", "--reason", "scrapped", "--json")["state_why"] == "scrapped"


def test_tokens_and_keys(command: Command) -> None:
    made = command("token", "--group", "line-1", "--uses", "3", "--json")
    (listed,) = command("tokens", "--json")
    assert (listed["group"], listed["used"], listed["uses"]) == ("line-1", 0, 3)
    assert made["token"] not in command("tokens")
    assert listed["id"] in command("revoke-token", listed["id"])
    assert "None is open" in command("tokens")
    key = "ab" * 32
    assert command("preauthorise", key, "--name", "cam-7", "--group", "line-1", "--json")["name"] == "cam-7"
    assert [one["fingerprint"] for one in command("preauthorised", "--json")["keys"]] == [key]
    command("unpreauthorise", key)
    assert command("preauthorised", "--json")["total"] == 0
