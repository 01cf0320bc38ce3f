"""Commands run in this process, against a control plane of canned answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from lineside.cli.main import main
from tests.cli.control_plane import CannedControlPlane, canned


@dataclass
class Outcome:
    """What a command did."""

    status: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def plane() -> Iterator[CannedControlPlane]:
    with canned() as plane:
        yield plane


@pytest.fixture
def lineside(plane: CannedControlPlane, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs `lineside …` against the canned control plane."""
    monkeypatch.setenv("LINESIDE_URL", plane.url)

    def run(*arguments: str) -> Outcome:
        status = main(arguments)
        captured = capfd.readouterr()
        return Outcome(status, captured.out, captured.err)

    return run
